"""The metadata as JSON-LD: a node per specimen, with the 23 columns as its properties.

Belongs here: the document and the context that says what the properties mean. The published file is a JSON array of
objects whose keys are the columns; this one is too, and each object names the context that lies beside it, so that
linked-data readers know the terms and all others can pass it over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from bioscan_etl import schema, storage
from bioscan_etl.threads import ordered_map
from bioscan_etl.vocabulary import RANKS

CONTEXT = "context.jsonld"
_ROWS_AT_ONCE = 10_000
_THREADS = 2
_DARWIN_CORE = "http://rs.tdwg.org/dwc/terms/"
# Only where the Darwin Core term has the same meaning; all other columns are terms of our own.
_TERMS = {
    "sampleid": "catalogNumber",
    **{rank: rank for rank in RANKS[:-1]},
    "taxon": "scientificName",
    "country": "country",
    "province_state": "stateProvince",
    "coord-lat": "decimalLatitude",
    "coord-lon": "decimalLongitude",
}


def context() -> dict[str, object]:
    """The JSON-LD context of the 23 columns; the process ID is the node's identifier."""
    terms: dict[str, object] = {
        column.name: f"dwc:{_TERMS[column.name]}" if column.name in _TERMS else f"bioscan:{column.name}"
        for column in schema.METADATA.columns
    }
    terms["processid"] = "@id"
    return {"@context": {"@version": 1.1, "dwc": _DARWIN_CORE, "bioscan": "urn:bioscan:", **terms}}


def write_jsonld(groups: Iterable[pl.DataFrame], path: Path) -> None:
    """Write the document, a row a line, and its context beside it; memory holds one piece.

    Args:
        groups: `schema.METADATA`, in pieces, sorted. Missing is null.
        path: the document, written whole or not at all.
    """
    storage.write_text(path.with_name(CONTEXT), json.dumps(context(), indent=1) + "\n")
    with storage.atomic_file(path) as stream:
        separator = b"[\n"
        small = (part for piece in groups for part in piece.iter_slices(_ROWS_AT_ONCE))
        for _, lines in ordered_map(_lines, small, _THREADS):
            stream.write(separator)
            stream.write(lines)
            separator = b",\n"
        stream.write(b"\n]\n" if separator == b",\n" else b"[]\n")


def _lines(rows: pl.DataFrame) -> bytes:
    """Rows as JSON objects, a line each, separated by commas."""
    text = rows.select(pl.lit(CONTEXT).alias("@context"), *schema.METADATA.names()).write_ndjson()
    # Line breaks within values are escaped, so those that are left end rows.
    return text.encode().removesuffix(b"\n").replace(b"\n", b",\n")
