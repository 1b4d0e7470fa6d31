"""The metadata as JSON-LD: a node per specimen, with the 23 columns as its properties.

Belongs here: the document and the context that says what the properties mean. The published file is a JSON array of
objects whose keys are the columns; this one is too, and each object names the context file beside it, so that
linked-data readers know the terms and all others can ignore it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa

from bioscan_etl import schema
from bioscan_etl.io.write import atomic_file, write_text
from bioscan_etl.progress import Progress
from bioscan_etl.release.check.agreement import Rows, agreement
from bioscan_etl.release.check.csv import whole_lines
from bioscan_etl.release.check.faults import Fault
from bioscan_etl.release.check.files import is_plain
from bioscan_etl.release.check.jsonlines import read_objects
from bioscan_etl.release.check.tables import files_of
from bioscan_etl.release.check.view import View
from bioscan_etl.release.forms.registry import Card, Form
from bioscan_etl.release.rows import released_groups
from bioscan_etl.release.staging import Staging
from bioscan_etl.settings import ReleaseSettings
from bioscan_etl.threads import ordered_map
from bioscan_etl.vocabulary import RANKS

CONTEXT = "context.jsonld"
_ROWS_AT_ONCE = 10_000
_THREADS = 2
_DARWIN_CORE = "http://rs.tdwg.org/dwc/terms/"
# Only if the Darwin Core term has the same meaning; all other columns are terms of our own.
_TERMS = {
    "sampleid": "catalogNumber",
    **{rank: rank for rank in RANKS[:-1]},
    "taxon": "scientificName",
    "country": "country",
    "province_state": "stateProvince",
    "coord-lat": "decimalLatitude",
    "coord-lon": "decimalLongitude",
}


def jsonld_name(settings: ReleaseSettings) -> str:
    """Path of the document within the release."""
    return f"{settings.dataset}/metadata/jsonld/{settings.title}_Dataset_metadata.jsonld"


def build(staging: Staging, settings: ReleaseSettings, _: Progress) -> None:
    """Write the document and its context from the staged metadata, which must be built."""
    write_jsonld(released_groups(staging, schema.METADATA.names()), staging.tree / jsonld_name(settings))


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
    write_text(path.with_name(CONTEXT), json.dumps(context(), indent=1) + "\n")
    with atomic_file(path) as stream:
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
    # Within JSON only texts hold these characters. Escaped, no value can end the `script` element of a web page that
    # holds the document. Line breaks within values are escaped, so those that are left end rows.
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text.encode().removesuffix(b"\n").replace(b"\n", b",\n")


_NODE = pa.schema([pa.field("@context", pa.string()), *schema.METADATA.arrow()])


def check(view: View) -> Iterator[Fault]:
    """The JSON-LD is an array of one object a line, with the values of data/; its context is ours."""
    root, name, data = view.root, jsonld_name(view.settings), view.data
    beside = f"{name.rsplit('/', 1)[0]}/{CONTEXT}"
    for file in (name, beside):
        if not is_plain(root, file):
            yield Fault(file, None, "is missing, or no plain file")
            return
    for stranger in sorted(set(files_of(root, beside.rpartition("/")[0])) - {name, beside}):
        yield Fault(stranger, None, "is neither the document nor its context")
    try:
        if json.loads((root / beside).read_bytes()) != context():
            yield Fault(beside, None, "is not the context of the 23 columns")
    except ValueError as error:
        yield Fault(beside, None, f"is no JSON: {error}")
    faults: list[Fault] = []
    for _ in _objects(root / name, name, faults):
        pass
    yield from faults

    def pieces(columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        for rows in _objects(root / name, name, []):
            yield rows.select("processid", *columns)

    yield from agreement(data.form, Rows(name, tuple(schema.METADATA.names()[1:]), pieces))


def _objects(path: Path, name: str, faults: list[Fault]) -> Iterator[pl.DataFrame]:
    """Rows of the document; what cannot be read ends it, and is a fault."""
    ended = False
    first = True
    for block in whole_lines(path):
        lines = block.split(b"\n")
        start, first = (1 if first and lines[0] in {b"[", b"[]"} else 0), False
        body = b"\n".join(line.removesuffix(b",") for line in lines[start:] if line not in {b"]", b""})
        ended = lines[-2:] == [b"]", b""] or block == b"[]\n"
        if not body:
            continue
        try:
            rows = read_objects(body, _NODE)
        except pa.ArrowInvalid as error:
            faults.append(Fault(name, None, f"cannot be read as JSON, an object a line: {str(error).splitlines()[0]}"))
            return
        if rows.filter(pl.col("@context").ne_missing(CONTEXT)).height:
            faults.append(Fault(name, None, f"has objects that do not name the context {CONTEXT}"))
        yield rows.drop("@context")
    if not ended:
        faults.append(Fault(name, None, "is no whole JSON array: it does not end with ]"))


def _card(settings: ReleaseSettings) -> Card:
    what = "the same rows as a JSON array; its terms are in `context.jsonld` beside it"
    return Card(((f"`{jsonld_name(settings)}`", what),))


FORM = Form(
    name="jsonld",
    about="The CSV's rows as JSON-LD: a node per specimen at `bioscan5m/metadata/jsonld/`, and the context of its "
    "terms.",
    place=10,
    stage="metadata_jsonld",
    bytes_per_row=150,
    owns=lambda settings: (f"{settings.dataset}/metadata/jsonld",),
    build=build,
    check=check,
    card=_card,
    settings=("dataset", "title"),
    kinds=("json",),
    media_types={".jsonld": "application/ld+json"},
)
