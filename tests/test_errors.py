"""Which causes may pass, and how an error reads in one line."""

import errno

import polars as pl
import pytest

from bioscan_etl.errors import BusyError, LakeError, SourceError, UnavailableError, is_panic, is_transient, sentence


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
        (SourceError("one\ntwo"), r"one\ntwo"),
        (SourceError("file a\x1b[2J\u202e\udcff"), r"file a\x1b[2J\u202e\udcff"),
        (OSError(errno.ENOENT, "No such file", "a\nb"), r"a\nb: No such file"),
        (SourceError("x" * 100_000), "xxx"),
        (OSError(errno.ENOSPC, "No space left on device", "x"), "x: No space left on device; check space, permissions"),
        (ValueError("first\nsecond"), "ValueError: first"),
        (MemoryError(), "MemoryError: no message"),
    ],
)
def test_every_error_reads_as_one_line(error, line):
    assert sentence(error).startswith(line)
    assert sentence(error).isprintable()
    assert len(sentence(error)) < 2_100


class _MuteError(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def test_an_error_whose_own_text_is_broken_reads_too():
    assert sentence(_MuteError()) == "_MuteError: no message"


def test_a_user_of_the_library_sees_no_control_character_either():
    assert str(SourceError("a\x1b[2Jb")) == r"a\x1b[2Jb"
    assert str(SourceError()) == ""


def test_a_panic_is_known_though_it_is_no_exception():
    panic = pl.exceptions.PanicException("index out of bounds")
    assert is_panic(panic)
    assert not isinstance(panic, Exception)
    assert not is_panic(KeyboardInterrupt())
