"""Paths that a user gives, whatever they are: nothing here raises an error that is not for the user.

Belongs here: links in paths. Does not belong here: what lies there (`read`, `write`), home folders and addresses
(`locations`).

`Path.resolve` raises a `RuntimeError` where links lead to each other.
"""

from __future__ import annotations

import os
from pathlib import Path

from bioscan_etl.errors import SourceError


def real_path(path: Path | str) -> Path:
    """A path without links, as far as it exists; of links that lead to each other, the path as it is.

    Raises:
        SourceError: it holds a NUL, so that it can be no path.
    """
    return Path(os.path.realpath(_possible(path)))


def _possible(path: Path | str) -> str:
    text = str(path)
    if "\0" in text:
        raise SourceError(f"{text} holds a NUL character, so it can be no path; check it")
    return text
