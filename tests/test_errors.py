"""Which causes may pass, and how an error reads in one line."""

import errno

import pytest

from bioscan_etl.errors import BusyError, LakeError, SourceError, UnavailableError, is_transient, sentence


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (UnavailableError("s3://bucket cannot be reached"), True),
        (BusyError("another run writes it"), True),
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EIO, "Input/output error"), True),
        (ConnectionResetError("reset"), True),
        (FileNotFoundError(errno.ENOENT, "No such file", "a.tsv"), False),
        (PermissionError(errno.EACCES, "Permission denied", "a.tsv"), False),
        (SourceError("no table in it"), False),
        (LakeError("damaged"), False),
        (ValueError("of the code"), False),
        (MemoryError(), False),
    ],
)
def test_what_a_later_try_may_mend(error, passes):
    assert is_transient(error) is passes


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (SourceError("one\ntwo"), "one two"),
        (OSError(errno.ENOSPC, "No space left on device", "x"), "x: No space left on device; check space, permissions"),
        (ValueError("first\nsecond"), "ValueError: first"),
        (MemoryError(), "MemoryError: no message"),
    ],
)
def test_every_error_reads_as_one_line(error, line):
    assert sentence(error).startswith(line)
    assert "\n" not in sentence(error)
