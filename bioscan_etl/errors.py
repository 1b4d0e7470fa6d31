"""Errors that a user can act on.

Bad input is data and never raises; these are for what cannot go on: a broken configuration, a file that
is no records file, an output that is damaged. The message is one line that names the thing and the way out.
"""

from __future__ import annotations

from collections.abc import Sequence


class BioscanError(Exception):
    """One line for the user: what is wrong, where, and what to do."""


class SettingsError(BioscanError):
    """A setting is missing, unknown or out of range."""


class SourceError(BioscanError):
    """An input cannot be used at all: absent, empty, or of an unknown layout."""


class SchemaError(BioscanError):
    """A table does not have the columns or types that `bioscan_etl.schema` gives it."""


class InvariantError(BioscanError):
    """A blocking check on the corpus failed; nothing is released."""


class LakeError(BioscanError):
    """An output in the lake is missing, damaged or made from other inputs than asked for."""


class UnavailableError(SourceError):
    """An input cannot be reached now: network, server or disk. Try again later."""


class BusyError(LakeError):
    """Another run holds what is needed. Try again when it has ended."""


# What no later try mends: a path that does not exist, is of the wrong kind, or may not be read.
_LASTING = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError, FileExistsError)


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed if it is tried again later, with nothing changed."""
    if isinstance(error, (UnavailableError, BusyError)):
        return True
    return isinstance(error, OSError) and not isinstance(error, _LASTING)


def sentence(error: BaseException) -> str:
    """The error in one line, as reports and logs show it; of foreign errors with their type."""
    lines = str(error).strip().splitlines()
    if isinstance(error, BioscanError):
        return " ".join(lines) or type(error).__name__
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or error}; check space, permissions and the network"
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"


def name_some(processids: Sequence[str], limit: int = 5) -> str:
    """The first process IDs of a list, in lexical order, for a message."""
    first = sorted(processids)[:limit]
    return ", ".join(first) + (", …" if len(processids) > limit else "")
