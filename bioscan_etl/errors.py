"""Errors that a user can act on.

Bad input rows are data and never raise. These errors are for work that cannot continue: a broken configuration, a
file that is not a records file, a damaged output. The message is one line that names the cause and the remedy.
"""

from __future__ import annotations

from collections.abc import Sequence

from bioscan_etl.printable import printable

_LONGEST = 2_000  # characters of a message: one that quotes a whole file is cut


class BioscanError(Exception):
    """One line for the user: what is wrong, where, and what to do. Characters that cannot be seen are escaped."""

    def __str__(self) -> str:
        return _short(printable(super().__str__()))


class SettingsError(BioscanError):
    """A setting is missing, unknown or out of range."""


class SourceError(BioscanError):
    """An input cannot be used at all: it is missing, empty, or has an unknown layout."""


class SchemaError(BioscanError):
    """A table does not have the columns or types that `bioscan_etl.schema` declares."""


class InvariantError(BioscanError):
    """A blocking check on the corpus failed; nothing is released."""


class LakeError(BioscanError):
    """An output in the lake is missing, damaged or made from other inputs than required."""


class UnavailableError(SourceError):
    """An input is temporarily unavailable: network, server or disk. Try again later."""


class BusyError(LakeError):
    """Another run has locked a needed resource. Try again when it has ended."""


# Errors that a retry does not fix: the path does not exist, is of the wrong kind, or is not accessible.
_LASTING = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError, FileExistsError)


def is_transient(error: BaseException) -> bool:
    """Whether the same work, unchanged, may succeed if it is tried again later."""
    if isinstance(error, (UnavailableError, BusyError)):
        return True
    return isinstance(error, OSError) and not isinstance(error, _LASTING)


def sentence(error: BaseException) -> str:
    """The error in one printable line, for reports and logs; errors of other libraries start with their type."""
    try:
        text = str(error)
    except Exception:  # an error of a library whose own text is broken
        text = ""
    if isinstance(error, BioscanError):
        return text or type(error).__name__
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return _short(printable(f"{place}{error.strerror or text}; check space, permissions and the network"))
    lines = text.strip().splitlines()
    return _short(printable(f"{type(error).__name__}: {lines[0] if lines else 'no message'}"))


def is_panic(error: BaseException) -> bool:
    """Whether an error is a panic of a library written in Rust, such as polars.

    It is no `Exception`, so that `except Exception` misses it.
    """
    return type(error).__module__ == "pyo3_runtime" and type(error).__name__ == "PanicException"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"


def name_some(processids: Sequence[str], limit: int = 5) -> str:
    """The first process IDs of a list, in lexical order, for a message."""
    first = sorted(processids)[:limit]
    return ", ".join(first) + (", …" if len(processids) > limit else "")
