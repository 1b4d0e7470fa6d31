"""datapackage.json: the release as a Frictionless Data Package, the strictest description that a tool can verify.

Belongs here: resources, and the schemas of the CSV tables: types, vocabularies, patterns, bounds, keys. Each resource
has its bytes and sha256.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from bioscan_etl import schema
from bioscan_etl.io.write import write_text
from bioscan_etl.release import descriptors
from bioscan_etl.release.forms import barcodebert
from bioscan_etl.release.manifest import Counts, Sums
from bioscan_etl.release.parts import csv_name
from bioscan_etl.settings import ReleaseSettings

_SPLIT = schema.Table(
    "split", "a released specimen", ("processid",), (schema.METADATA["processid"], schema.METADATA["split"])
)


def write_datapackage(
    root: Path, *, version: str, found: Iterable[Sums], counts: Counts, settings: ReleaseSettings
) -> None:
    """Write datapackage.json.

    Args:
        root: the release's folder.
        version: such as `v3`.
        found: sums of its files.
        counts: rows and images.
        settings: names, licence, forms.
    """
    tables = _tables(settings)
    names: set[str] = set()
    package = {
        "$schema": "https://datapackage.org/profiles/1.0/datapackage.json",
        "profile": "data-package",
        "name": settings.title.lower(),
        "title": settings.title.replace("_", " "),
        "description": descriptors.summary(settings, version, sum(counts.splits.values()), counts.boxes),
        "version": descriptors.semantic_version(version),
        "homepage": settings.home_page,
        "licenses": [{"path": descriptors.license_address(settings), "title": settings.image_license}],
        "contributors": [{"title": settings.copyright_holder, "role": "author"}],
        "keywords": list(descriptors.KEYWORDS),
        "resources": [_resource(one, tables, settings, names) for one in descriptors.described(found, settings)],
    }
    write_text(root / descriptors.DATAPACKAGE, json.dumps(package, indent=1, ensure_ascii=False) + "\n")


def _tables(settings: ReleaseSettings) -> dict[str, dict[str, Any]]:
    """Schemas of the CSV tables of a release, by path."""
    boxes = table_schema(schema.BBOX)
    tables = {
        csv_name(settings): table_schema(schema.METADATA),
        f"{settings.title}_bbox.tsv": boxes,
        f"{settings.title}_bbox.tab.tsv": boxes,
        **{f"splits/{name}.csv": table_schema(_SPLIT) for name in ("all", *schema.SPLITS)},
    }
    return tables | {f"barcodebert/{name}.csv": table_schema(_barcodebert(name)) for name in barcodebert.FILES}


def _barcodebert(name: str) -> schema.Table:
    labelled = name != "pre_training"
    columns = [
        schema.METADATA["processid"],
        schema.Column("nucleotides", pl.String(), "COI-5P barcode", nullable=False, pattern="^[ACGTN]+$"),
        *(schema.Column(bin, pl.String(), "Barcode Index Number", pattern=schema.BIN_PATTERN) for bin in _BINS),
        *(
            schema.Column(f"{rank}_name", pl.String(), rank, nullable=not (labelled and rank == "species"))
            for rank in schema.RANKS
        ),
        *(
            schema.Column(
                f"{rank}_index",
                pl.Int64(),
                f"number of the {rank}; -1 is unlabelled",
                nullable=False,
                minimum=0 if labelled and rank == "species" else barcodebert.UNLABELLED,
            )
            for rank in schema.RANKS
        ),
    ]
    return schema.Table(name, "a released specimen", ("processid",), tuple(columns))


_BINS = ("bin_uri", "dna_bin")
_TYPES: Mapping[pl.DataType, str] = {pl.Float64(): "number", pl.Boolean(): "boolean", pl.Date(): "date"}


def table_schema(table: schema.Table) -> dict[str, Any]:
    """A table as a Table Schema: missing is the empty field."""
    return {
        "fields": [_field(column, key=table.key == (column.name,)) for column in table.columns],
        "primaryKey": list(table.key),
        "missingValues": [""],
    }


def _field(column: schema.Column, *, key: bool) -> dict[str, Any]:
    kind = "string" if column.dtype == pl.String() else _TYPES.get(column.dtype, "integer")
    # A text that may be empty is missing to a reader of CSV.
    may_be_empty = kind == "string" and bool(column.pattern) and re.search(column.pattern, "") is not None
    bounds = {name: value for name in ("minimum", "maximum") if (value := getattr(column, name)) is not None}
    constraints: dict[str, Any] = {
        "required": (not column.nullable and not may_be_empty) or None,
        "unique": key or None,
        "enum": list(column.allowed) or None,
        "pattern": column.pattern or None,
        **({name: int(value) for name, value in bounds.items()} if kind == "integer" else bounds),
    }
    return {
        "name": column.name,
        "type": kind,
        "description": descriptors.meaning(column),
        "constraints": {name: value for name, value in constraints.items() if value is not None},
    }


def _resource(
    one: Sums, tables: Mapping[str, dict[str, Any]], settings: ReleaseSettings, names: set[str]
) -> dict[str, Any]:
    kind = descriptors.media_type(one.path, settings)
    base = {
        "name": _name(one.path, names),
        "path": one.path,
        "mediatype": kind,
        "bytes": one.size,
        "hash": f"sha256:{one.sha256}",
    }
    if one.path not in tables:
        return base | {"type": "file", "format": one.path.rsplit(".", 1)[-1]}
    tabbed = kind == "text/tab-separated-values"
    return base | {
        "type": "table",
        "profile": "tabular-data-resource",
        "format": "tsv" if tabbed else "csv",
        "encoding": "utf-8",
        "dialect": {"delimiter": "\t" if tabbed else ",", "lineTerminator": "\n"},
        "schema": tables[one.path],
    }


def _name(path: str, names: set[str]) -> str:
    """A resource name: lower case and unique, as the specification asks for."""
    plain = re.sub(r"[^a-z0-9._-]+", "-", path.lower())
    name, number = plain, 1
    while name in names:
        number += 1
        name = f"{plain}-{number}"
    names.add(name)
    return name
