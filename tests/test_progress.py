"""Reports of progress: one at a time, and an estimate of what is left."""

import threading

from bioscan_etl.progress import estimate, one_at_a_time


def test_reports_of_several_threads_arrive_one_at_a_time():
    inside, most, reports = 0, 0, []

    def progress(*report):
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        for _ in range(200):  # long enough for a change of threads
            reports.append(report)
        del reports[-199:]
        inside -= 1

    told = one_at_a_time(progress)
    barrier = threading.Barrier(4)

    def tell(stage):
        barrier.wait()
        for done in range(50):
            told(stage, done, 50)

    threads = [threading.Thread(target=tell, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert [report for report in reports if report[0] == "a"] == [("a", done, 50) for done in range(50)]


def test_nothing_is_estimated_before_anything_is_done():
    assert estimate(0, 100, 60) == ""
    assert estimate(25, 100, 60) == ", about 3 min left"
