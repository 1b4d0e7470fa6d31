"""The settings that a manifest states, as far as they are valid.

Belongs here: reading them, and what the modules `settings_<topic>` share. Does not belong here: whether the
release was made with them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import BaseModel, ValidationError

from bioscan_etl import schema
from bioscan_etl.io.tables import parquet_schema
from bioscan_etl.release.check.faults import Fault
from bioscan_etl.release.check.files import is_plain
from bioscan_etl.release.check.tables import UNREADABLE, row_groups
from bioscan_etl.release.manifest import MANIFEST
from bioscan_etl.settings import Settings

# No sensible setting is larger, and polars' and Parquet's integers end not far above.
_LARGEST = 1 << 53
_SEED = "splits.seed"


@dataclass(frozen=True, slots=True)
class Stated:
    """The settings that a manifest states.

    Attributes:
        settings: the stated values; defaults where none is stated.
        names: dotted names of those that are stated and valid. Nothing can be checked against the others.
    """

    settings: Settings
    names: frozenset[str]

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> Any:
        section, field = name.split(".")
        return getattr(getattr(self.settings, section), field)

    def shown(self, name: str) -> str:
        """Name and value for a message of `faults.Listing`, on one line."""
        text = f"{name} {self[name]!r}"
        return (text if len(text) <= 100 else f"{text[:99]}…").replace("{", "{{").replace("}", "}}")


def read_stated(document: Mapping[str, Any]) -> tuple[Stated, list[Fault]]:
    """Validate the settings of a manifest.

    Settings that this version does not know, and those that an earlier one did not state, are not faults.

    Args:
        document: `settings` of manifest.json, which may be hostile.

    Returns:
        What is stated, and a fault per value that its setting does not allow.
    """
    faults: list[Fault] = []
    known: dict[str, dict[str, Any]] = {}
    for section, info in Settings.model_fields.items():
        values = document.get(section, {})
        assert isinstance(info.annotation, type)
        assert issubclass(info.annotation, BaseModel)
        if not isinstance(values, dict):
            faults.append(_fault(section, "is no table of settings"))
            continue
        known[section] = {}
        for field in info.annotation.model_fields:
            if field in values:
                name = f"{section}.{field}"
                # A setting that is a table itself, such as gates.scope, has one value by name.
                value = values[field]
                plain = list(value.values()) if isinstance(value, dict) else value
                if _is_usable(plain, limit=1 << 63 if name == _SEED else _LARGEST):
                    known[section][field] = values[field]
                else:
                    faults.append(_fault(name, "is out of range"))
    while True:
        try:
            settings = Settings.model_validate_json(json.dumps(known), strict=True)
            break
        except ValidationError as error:
            for place, message in {_place(one["loc"]): one["msg"] for one in error.errors()}.items():
                faults.append(_fault(place, message))
                section, _, field = place.partition(".")
                if field:
                    known[section].pop(field, None)
                else:
                    known.pop(section, None)
    return Stated(settings, frozenset(f"{s}.{field}" for s, fields in known.items() for field in fields)), faults


def _place(location: Sequence[int | str]) -> str:
    return ".".join(str(part) for part in location[:2])


def _fault(name: str, message: str) -> Fault:
    return Fault(MANIFEST, None, f"settings.{name}: {message.splitlines()[0] if message else 'is not valid'}")


def _is_usable(value: object, limit: int) -> bool:
    """Whether a value is not a table, and all its numbers are small enough to compute with."""
    if isinstance(value, list):
        return all(_is_usable(each, limit) for each in value)
    # Neither infinity nor NaN is below a limit.
    return not isinstance(value, dict | int | float) or (not isinstance(value, dict) and abs(value) < limit)


def log_pieces(root: Path, name: str, table: schema.Table, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Columns of a Parquet file beside the specimens, a row group at a time.

    A file that is not there, of another schema or damaged is a fault that `tables` or `files` states: here
    it has no rows, or none after the damage.
    """
    if not is_plain(root, name):
        return
    try:
        # Files that no stage of the release writes do not declare which values can be missing.
        if parquet_schema(root / name) == table.schema():
            yield from row_groups(root, name, columns)
    except UNREADABLE:
        return
