"""datapackage.json: the release as a Frictionless Data Package, the strictest description that a tool can verify.

Belongs here: resources, and the schemas of the CSV tables: types, vocabularies, patterns, bounds, keys. Each resource
has its bytes and sha256.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from bioscan_etl import schema
from bioscan_etl.release import descriptors
from bioscan_etl.release.check.descriptors import Place, check_descriptor
from bioscan_etl.release.check.faults import Fault
from bioscan_etl.release.check.view import View
from bioscan_etl.release.descriptors import Description
from bioscan_etl.release.forms.registry import LAST_STAGE, Card, Form, forms
from bioscan_etl.release.labels import label_tables
from bioscan_etl.release.layout import STATISTICS, csv_name
from bioscan_etl.release.manifest import Sums
from bioscan_etl.settings import ReleaseSettings
from bioscan_etl.statistics import definitions as statistics

FILE = "datapackage.json"


def describe(release: Description) -> dict[str, str]:
    """The text of datapackage.json."""
    settings = release.settings
    tables = _tables(settings)
    names: set[str] = set()
    counts = release.counts
    package = {
        "$schema": "https://datapackage.org/profiles/1.0/datapackage.json",
        "profile": "data-package",
        "name": settings.title.lower(),
        "title": settings.title.replace("_", " "),
        "description": descriptors.summary(settings, release.version, sum(counts.splits.values()), counts.boxes),
        "version": descriptors.semantic_version(release.version),
        "homepage": settings.home_page,
        "licenses": [{"path": descriptors.license_address(settings), "title": settings.image_license}],
        "contributors": [{"title": settings.copyright_holder, "role": "author"}],
        "keywords": list(descriptors.KEYWORDS),
        "resources": [_resource(one, tables, names) for one in descriptors.described(release.found, settings)],
    }
    return {FILE: json.dumps(package, indent=1, ensure_ascii=False) + "\n"}


def _tables(settings: ReleaseSettings) -> dict[str, dict[str, Any]]:
    """Schemas of the CSV tables of a release, by path."""
    tables = {csv_name(settings): schema.METADATA, **label_tables()}
    for form in forms().values():
        tables |= form.tables(settings) if form.tables else {}
    tables |= {f"{STATISTICS}/{table.name}.csv": table for table in statistics.TABLES}
    return {path: table_schema(table) for path, table in tables.items()}


_TYPES: Mapping[pl.DataType, str] = {pl.Float64(): "number", pl.Boolean(): "boolean", pl.Date(): "date"}


def table_schema(table: schema.Table) -> dict[str, Any]:
    """A table as a Table Schema: missing is the empty field."""
    key = {"primaryKey": list(table.key)} if table.key else {}
    fields = [_field(column, key=table.key == (column.name,)) for column in table.columns]
    return {"fields": fields, **key, "missingValues": [""]}


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


def _resource(one: Sums, tables: Mapping[str, dict[str, Any]], names: set[str]) -> dict[str, Any]:
    kind = descriptors.media_type(one.path)
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


def check(view: View) -> Iterator[Fault]:
    """The resources are the files of the release, with their sums; names and licence are those of the settings."""

    def files(document: Any) -> Iterator[tuple[str, str]]:
        for entry in document["resources"]:
            yield entry["path"], entry["hash"].removeprefix("sha256:")

    texts: dict[str, Place] = {
        "release.home_page": ("homepage",),
        "release.image_license": ("licenses", 0, "title"),
        "release.copyright_holder": ("contributors", 0, "title"),
    }
    yield from check_descriptor(view, FILE, files, texts)


FORM = Form(
    name="datapackage",
    about="`datapackage.json`: what is in the release, column by column, as a Frictionless Data Package.\n\n"
    "Written once the sums of all other files are known.",
    place=130,
    stage=LAST_STAGE,
    owns=lambda _: (FILE,),
    describe=describe,
    check=check,
    card=lambda _: Card(((f"`{FILE}`", "what is here, column by column (Frictionless Data Package)"),)),
    settings=("copyright_holder", "home_page", "image_license", "title"),
    verified={
        "release.copyright_holder": "the descriptors name it",
        "release.image_license": "the descriptors name it",
        "release.home_page": "the descriptors name it",
    },
    kinds=("json",),
)
