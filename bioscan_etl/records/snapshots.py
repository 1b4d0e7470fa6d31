"""The date of the BOLD snapshot of a records file.

Belongs here: all sources of that date. The content decides which snapshot is later, never the arrival: a given
date takes precedence over the descriptor's, then the file name's, then the newest date in the file (spec: BOLD
records).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import polars as pl

from bioscan_etl.errors import SourceError
from bioscan_etl.geography.dates import parse_date
from bioscan_etl.io.locations import base_name, is_web, reveal
from bioscan_etl.io.read import open_binary

BOLD_DATES = ("sequence_upload_date", "processid_minted_date", "bin_created_date")
"""Columns that BOLD itself fills, so that their newest date is no later than the snapshot."""

_NAMED = re.compile(r"BOLD_Public\.(\d{2}-[A-Za-z]{3}-\d{4})", re.IGNORECASE)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}")
_DESCRIPTOR = "datapackage.json"
_DESCRIPTOR_LIMIT = 16 << 20
_OLDEST, _NEWEST = date(1990, 1, 1), date(2099, 12, 31)


def from_name(name: str) -> date | None:
    """The date in a name such as `BOLD_Public.21-Jun-2024.tsv`."""
    found = _NAMED.search(name)
    if found is None:
        return None
    try:
        return datetime.strptime(found[1].title(), "%d-%b-%Y").date()
    except ValueError:
        return None


def from_descriptor(text: str) -> date | None:
    """The date in a `datapackage.json`: of its name, id, title or resources, otherwise its `created`."""
    package = _package(text)
    places = [package.get(key) for key in ("name", "id", "title")]
    places += [resource.get(key) for resource in _resources(package) for key in ("path", "name")]
    for place in places:
        found = from_name(place) if isinstance(place, str) else None
        if found is not None:
            return found
    created = _ISO.match(str(package.get("created", "")))
    try:
        return date.fromisoformat(created[0]) if created else None
    except ValueError:
        return None


def describes(text: str, name: str) -> bool:
    """Whether a descriptor lists a table of that name, or one whose name it continues (`X.head.tsv` of `X.tsv`)."""
    paths = [str(resource.get("path", "")) for resource in _resources(_package(text))]
    stems = [base_name(path).removesuffix(".tsv") for path in paths if path]
    return any(stem and base_name(name).startswith(stem) for stem in stems)


def find_descriptor(location: str) -> str | None:
    """The text of the descriptor in the folder of a file that describes it, or None.

    For `X.head.tsv`, tries the names `X.head.tsv.datapackage.json`, `X.head.datapackage.json`, `X.datapackage.json`,
    and finally `datapackage.json`.
    """
    name = base_name(location)
    location = reveal(location) or location  # what a descriptor's address begins with needs the password, too
    address = location.partition("?")[0].partition("#")[0] if is_web(location) else location
    folder = address.rstrip("/").rpartition("/")[0]
    folder = f"{folder}/" if folder or address.startswith("/") else ""
    for candidate in (*_stems(name), ""):
        at = f"{folder}{candidate}.{_DESCRIPTOR}" if candidate else f"{folder}{_DESCRIPTOR}"
        try:
            with open_binary(at) as stream:
                text = stream.read(_DESCRIPTOR_LIMIT).decode("utf-8", "replace")
        except SourceError:
            continue
        if describes(text, name):
            return text
    return None


def newest(rows: pl.DataFrame) -> date | None:
    """The newest date in BOLD's own columns; ISO, or `28-Feb-2020` as in 2023. Impossible years are ignored."""
    columns = [name for name in BOLD_DATES if name in rows.columns]
    if not columns or not rows.height:
        return None
    text = pl.concat([rows[name].unique().alias("date") for name in columns]).unique().to_frame()
    found = text.select(parse_date(pl.col("date"))).filter(pl.col("date").is_between(_OLDEST, _NEWEST)).max().item()
    return found if isinstance(found, date) else None


def _package(text: str) -> dict[str, Any]:
    try:
        package = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return {}
    return package if isinstance(package, dict) else {}


def _resources(package: dict[str, Any]) -> list[dict[str, Any]]:
    resources = package.get("resources")
    return [each for each in resources if isinstance(each, dict)] if isinstance(resources, list) else []


def _stems(name: str) -> Iterator[str]:
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        yield ".".join(parts[:length])
