"""Work in a process of its own, so that its peak of memory is its own."""

import multiprocessing


def alone(work, *arguments):
    """Run in a fresh process and hand back what it put into its queue."""
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=work, args=(*arguments, answer))
    process.start()
    while process.is_alive() and answer.empty():
        process.join(0.1)
    if answer.empty():
        raise SystemExit(f"{work.__name__} ended with exit code {process.exitcode}")
    result = answer.get()
    process.join()
    return result
