"""Do the tables beside the specimens agree with each other, with the specimens and with the manifest?

Belongs here: where each row went, and that it went to one place. Does not belong here: the number of rows of each table
(`tables`), and whether they fit the settings (`settings_logs`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from bioscan_etl import schema
from bioscan_etl.release.check.faults import Fault, Listing, faulty_rows
from bioscan_etl.release.check.origin import Origin
from bioscan_etl.release.check.settings_stated import log_pieces
from bioscan_etl.release.core import LOGS
from bioscan_etl.release.manifest import MANIFEST, Manifest
from bioscan_etl.rules import registry

QUARANTINE, SET_ASIDE, REJECTS, CHANGES = LOGS
_REPLACED = ("duplicate_marker_row", "superseded")


def check(root: Path, manifest: Manifest, specimens: pl.Series, origin: Origin) -> Iterator[Fault]:
    """Compare the logs with each other and with what they are of.

    Args:
        root: the release's folder.
        manifest: its manifest.
        specimens: process IDs that are released.
        origin: which code made the release.
    """
    listing = Listing()
    for name, table in LOGS.items():
        _values(root, name, table, listing)
    if origin.stages is not None:
        _batches(root, manifest, listing)
    _rules(root, listing, origin)
    yield from listing.faults()
    yield from _places(root, specimens)
    yield from _twice(root)


def _values(root: Path, name: str, table: schema.Table, listing: Listing) -> None:
    """Values that a column of a log cannot have."""
    columns = [column for column in table.columns if column.name != "source_line" and not _is_free(column)]
    shown = ["processid"] if "processid" in table.names() else []
    wanted = list(dict.fromkeys([*shown, *(column.name for column in columns)]))
    for piece in log_pieces(root, name, table, wanted) if columns else ():
        for column in columns:
            value = pl.col(column.name)
            if column.allowed:
                wrong, message = value.is_not_null() & ~value.is_in(list(column.allowed)), "{value} is not possible"
            elif column.pattern:
                wrong, message = value.is_not_null() & ~value.str.contains(column.pattern), "{value} is not possible"
            elif column.minimum is not None:
                wrong, message = value < column.minimum, "{value} is not possible"
            else:
                wrong, message = value.list.len() == 0, "is empty"
            rows = piece.filter(wrong.fill_null(value=False)).select(*shown, value=value)
            listing.add(name, rows, f"{column.name} {message}")


def _is_free(column: schema.Column) -> bool:
    """Whether a column can have any value. Flags may be none; gates are why a specimen is held."""
    return not (column.allowed or column.pattern or column.minimum is not None or column.name == "gates")


def _rules(root: Path, listing: Listing, origin: Origin) -> None:
    """Flags, gates and rules that are none, where the rules are those that are installed."""
    known = list(registry())
    for name, column, stage in (
        (QUARANTINE, "flags", "specimens"),
        (QUARANTINE, "gates", "specimens"),
        (CHANGES, "rule", "curated_taxonomy"),
    ):
        unknown = []
        for piece in log_pieces(root, name, LOGS[name], ("processid", column)):
            rows = piece.explode(column) if column != "rule" else piece
            unknown.append(rows.filter(pl.col(column).is_not_null() & ~pl.col(column).is_in(known)))
        found = pl.concat(unknown) if unknown else pl.DataFrame()
        if found.height and origin.is_ours(stage):
            listing.add(name, found.select("processid", value=column), f"{column} names {{value}}, which is no rule")


def _batches(root: Path, manifest: Manifest, listing: Listing) -> None:
    """Rows of batches and of files that the manifest does not name as inputs."""
    assert manifest.provenance is not None
    batches = list(manifest.provenance.batches)
    for name, table, columns in (
        (QUARANTINE, schema.QUARANTINE, ("batch",)),
        (SET_ASIDE, schema.SET_ASIDE, ("batch", "kept_batch")),
        (REJECTS, schema.REJECTS, ("batch",)),
    ):
        shown = ["processid"] if "processid" in table.names() else []
        for piece in log_pieces(root, name, table, (*shown, *columns)):
            for column in columns:
                value = pl.col(column)
                wrong = piece.filter(value.is_not_null() & ~value.is_in(batches))
                message = f"{column} is {{value}}, which {MANIFEST} does not name"
                listing.add(name, wrong.select(*shown, value=value), message)


def _places(root: Path, specimens: pl.Series) -> Iterator[Fault]:
    """A specimen is released or held, not both; a row that another one replaces has a specimen in one of both."""
    held = [piece["processid"] for piece in log_pieces(root, QUARANTINE, schema.QUARANTINE, ("processid",))]
    quarantined = pl.concat(held) if held else pl.Series("processid", [], pl.String)
    both = quarantined.to_frame("processid").join(specimens.to_frame("processid"), on="processid", how="semi")
    yield from faulty_rows(QUARANTINE, both.unique().sort("processid"), "is quarantined, and released")
    known = pl.concat([specimens.rename("processid"), quarantined]).unique().to_frame()
    lost = [
        piece.filter(pl.col("reason").is_in(_REPLACED)).join(known, on="processid", how="anti")
        for piece in log_pieces(root, SET_ASIDE, schema.SET_ASIDE, ("processid", "reason"))
    ]
    if lost:
        message = "is set aside as {reason}, but no row of it is released or quarantined"
        yield from faulty_rows(SET_ASIDE, pl.concat(lost).sort("processid"), message)
    unused = [
        piece.select("processid").join(known, on="processid", how="anti")
        for piece in log_pieces(root, CHANGES, schema.CHANGES, ("processid",))
    ]
    if unused:
        yield from faulty_rows(
            CHANGES, pl.concat(unused).unique().sort("processid"), "was changed, but is neither released nor held"
        )


def _twice(root: Path) -> Iterator[Fault]:
    """Rows of an input that are in a log twice. Two rows of one line are possible: a line can hold two markers."""
    for name in (SET_ASIDE, REJECTS):
        table = LOGS[name]
        columns = table.names()
        # A row is a number, so that no text of millions of rows is held.
        digests = [
            piece.select(digest=pl.struct(columns).hash(), line="source_line")
            for piece in log_pieces(root, name, table, columns)
        ]
        if not digests:
            continue
        counts = pl.concat(digests).drop_nulls("line").group_by("digest").len().filter(pl.col("len") > 1)
        listing = Listing()
        for piece in log_pieces(root, name, table, columns) if counts.height else ():
            rows = piece.with_columns(digest=pl.struct(columns).hash()).join(counts, on="digest", how="inner")
            shown = [*(["processid"] if "processid" in columns else []), "batch", "source_file", "source_line", "len"]
            found = rows.unique("digest", maintain_order=True).select(shown)
            listing.add(name, found, "line {source_line} of {source_file} of batch {batch} is here {len} times")
        yield from listing.faults()
