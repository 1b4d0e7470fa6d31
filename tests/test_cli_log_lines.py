"""A record of the log is one line, and its traceback is printable."""

import logging

from bioscan_etl.cli.log_lines import LogFormatter


def line_of(message, *values, error=None, **asked):
    info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("bioscan_etl", logging.WARNING, "file", 1, message, values, info)
    return LogFormatter("%(levelname)s %(message)s", **asked).format(record)


def test_a_log_line_quotes_without_becoming_two():
    assert line_of("batch %s", "a\nERROR faked\x1b[31m") == r"WARNING batch a\nERROR faked\x1b[31m"


def test_a_traceback_is_logged_only_where_it_is_wanted():
    try:
        raise ValueError("odd\x1b value")
    except ValueError as found:
        error = found
    assert line_of("it failed", error=error) == "WARNING it failed"
    lines = line_of("it failed", error=error, tracebacks=True).splitlines()
    assert lines[1].startswith("Traceback")
    assert lines[-1] == r"ValueError: odd\x1b value"
