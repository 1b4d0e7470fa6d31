"""Does the curators' report say what the tables of the release say?

Belongs here: the numbers of `report/index.html` that follow from the release, and the lists beside it. What the report
has from elsewhere (history of the expectations, typos, near duplicates, targets, figures, contact sheets) is not
compared: no table of a release has it. Does not belong here: the results of its expectations (`expectations`).
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import polars as pl

from bioscan_etl import schema, vocabulary
from bioscan_etl.quality.ledger import GATE_SEPARATOR, Ledger
from bioscan_etl.quality.report import BATCHES, Report, batch_row, page
from bioscan_etl.quality.spreadsheet import escape_formulas, read_spreadsheet
from bioscan_etl.release.check import decisions as check_decisions
from bioscan_etl.release.check import statistics as check_statistics
from bioscan_etl.release.check.agreement import Rows
from bioscan_etl.release.check.faults import Fault, Listing, capped
from bioscan_etl.release.check.files import is_plain
from bioscan_etl.release.check.origin import Origin
from bioscan_etl.release.check.settings_stated import Stated, log_pieces
from bioscan_etl.release.check.strangers import REPORT
from bioscan_etl.release.manifest import Manifest
from bioscan_etl.release.rules import RULES as REWRITES
from bioscan_etl.release.scan import MOVES

PAGE, QUARANTINED, FLAGGED, MOVED = (
    f"{REPORT}/{name}" for name in ("index.html", "quarantined.csv", "flagged.csv", "moves.csv")
)
QUARANTINE, CHANGES = "quarantine.parquet", "changes.parquet"
# Of the tables in words, the columns that are not words.
_WORDS = frozenset({"what that means", "why, and what to do", "setting", "what it does"})
_WORDS |= {"what it states, and why it matters", "how to change it"}
_BARCODE = "dna_barcode"
# Columns that a barcode's own letters are in.
_POPULATED = ("most populated", "least populated")


@dataclass(slots=True)
class Table:
    """A table of a page: its label, names of columns and rows, all text."""

    label: str
    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


def check(root: Path, manifest: Manifest, stated: Stated, data: Rows, origin: Origin) -> Iterator[Fault]:
    """Compare the report with the release. Outside the pipeline it is whatever was added under its name."""
    if origin.stages is None:
        return
    if not is_plain(root, PAGE):
        yield Fault(PAGE, None, "is missing, or no plain file")
        return
    yield from _lists(root, data)
    found = _read((root / PAGE).read_text(encoding="utf-8", errors="replace"))
    rows = check_statistics.rows_of(data)
    counted = check_statistics.counted_again(rows)
    yield from check_statistics.check(root, manifest, data, origin, counted)
    report = _report(root, manifest, stated, data, rows, counted)
    expected = _read(page(report))
    faults = [Fault(PAGE, None, message) for message in _differences(found, expected)]
    if faults and origin.is_ours("quality_report", "statistics"):
        yield from capped(faults)
    elif found.head and found.head != expected.head:
        yield Fault(PAGE, None, f"begins with {found.head}; the release says {expected.head}")


class _Page(HTMLParser):
    """Reads a page's heading, first numbers and tables."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.head: list[str] = []
        self.tables: list[Table] = []
        self._label = ""
        self._row: list[str] | None = None
        self._text: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A cell, row or table begins."""
        if tag == "div" and dict(attrs).get("class") == "scroll":
            self._label = dict(attrs).get("aria-label") or ""
        elif tag == "table":
            self.tables.append(Table(self._label))
        elif tag == "tr":
            self._row = []
        elif tag in {"th", "td", "h1", "strong"}:
            self._text = []

    def handle_data(self, data: str) -> None:
        """Text within a cell."""
        if self._text is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        """A cell, row or table ends."""
        if tag in {"th", "td", "h1", "strong"} and self._text is not None:
            text = " ".join("".join(self._text).split())
            self._text = None
            if tag in {"h1", "strong"}:
                self.head.append(text)
            elif self._row is not None:
                self._row.append(text)
        elif tag == "tr" and self._row is not None and self.tables:
            table = self.tables[-1]
            if table.columns:
                table.rows.append(self._row)
            else:
                table.columns = self._row
            self._row = None


def _read(text: str) -> _Page:
    reader = _Page()
    reader.feed(text)
    return reader


def _differences(found: _Page, expected: _Page) -> Iterator[str]:
    if found.head != expected.head:
        yield f"begins with {found.head}; the release says {expected.head}"
    tables = {table.label: table for table in found.tables}
    for table in expected.tables:
        there = tables.get(table.label)
        if there is None:
            yield f"has no table {table.label!r}"
            continue
        names = [name for name in table.columns if name in there.columns and name not in _WORDS]
        ours, theirs = (_projected(one, names) for one in (table, there))
        for row in theirs:
            if row not in ours:
                yield f"{table.label}: {', '.join(row)}: the release does not say so"
        for row in ours:
            if row not in theirs:
                yield f"{table.label}: {', '.join(row)} is not on the page"


def _projected(table: Table, names: Sequence[str]) -> list[list[str]]:
    places = [table.columns.index(name) for name in names]
    rows = [[row[place] for place in places] for row in table.rows if len(row) == len(table.columns)]
    for row in rows:
        if row[0] == _BARCODE:  # barcodes are not named here
            row[:] = [cell for name, cell in zip(names, row, strict=True) if name not in _POPULATED]
    return rows


def _report(
    root: Path,
    manifest: Manifest,
    stated: Stated,
    data: Rows,
    rows: pl.DataFrame,
    counted: Mapping[str, pl.DataFrame],
) -> Report:
    """The report as far as the release has what it is made of."""
    counts, ledger = manifest.counts, manifest.ledger
    quarantined = {gates.replace("+", GATE_SEPARATOR): count for gates, count in sorted(counts.quarantined.items())}
    flagged = _csv(root, FLAGGED)
    rules = flagged.with_columns(pl.col("flags").str.split(" ")).explode("flags").drop_nulls("flags")
    moves = _moves(root)
    return Report(
        version=manifest.version,
        ledger=Ledger(ledger.rows_read, counts.rejected, counts.set_aside, quarantined, ledger.specimens),
        rule_counts=rules.group_by(rule="flags").agg(hits=pl.len().cast(pl.Int64)),
        expectation_results=[],
        change_counts=_changes(root),
        split_report=pl.DataFrame(list(counts.splits.items()), schema=["split", "samples"], orient="row"),
        quarantine=schema.QUARANTINE.empty(),
        statistics=counted,
        figures=[],
        contact_sheets=[],
        settings=stated.settings,
        taxonomy={"labels": _labels(rows, data), "circular": None},
        decisions=check_decisions.read(root),
        moves=moves,
        batches=_batches(manifest),
    )


def _csv(root: Path, name: str) -> pl.DataFrame:
    """A list beside the page, as text; no rows if it cannot be read."""
    empty = pl.DataFrame(schema={"processid": pl.String, "flags": pl.String})
    if not is_plain(root, name):
        return empty
    try:
        found = read_spreadsheet(root / name, infer_schema=False)
    except pl.exceptions.PolarsError:
        return empty
    return found if {"processid", "flags"} <= set(found.columns) else empty


def _labels(rows: pl.DataFrame, data: Rows) -> dict[str, dict[str, int]]:
    names = [f"inferred_{rank}" for rank in vocabulary.RANKS]
    inferred = dict.fromkeys(names, 0)
    for piece in data.pieces(names):
        for name, count in piece.select(pl.col(names).sum()).row(0, named=True).items():
            inferred[name] += int(count)
    return {
        rank: {"final": rows[rank].count(), "inferred": inferred[f"inferred_{rank}"]}
        for rank in sorted(vocabulary.RANKS)
    }


def _changes(root: Path) -> pl.DataFrame:
    """Changes by rule and field, without those that the release itself made when it wrote the values."""
    rewrites = [rule.id for rule in REWRITES]
    parts = [pl.DataFrame(schema={"rule": pl.String, "field": pl.String, "changes": pl.Int64})]
    for piece in log_pieces(root, CHANGES, schema.CHANGES, ("rule", "field")):
        kept = piece.filter(~pl.col("rule").is_in(rewrites))
        parts.append(kept.group_by("rule", "field").agg(changes=pl.len().cast(pl.Int64)))
    return pl.concat(parts).group_by("rule", "field").agg(pl.col("changes").sum())


def _moves(root: Path) -> pl.DataFrame | None:
    if not is_plain(root, MOVES):
        return None
    pieces = log_pieces(root, MOVES, schema.PARTITION_MOVES, schema.PARTITION_MOVES.names())
    return pl.concat([schema.PARTITION_MOVES.empty(), *pieces])


def _batches(manifest: Manifest) -> pl.DataFrame | None:
    made = manifest.provenance
    if made is None:
        return None
    rows = []
    for name in sorted({*made.batches, *made.withdrawn, *made.notes}):
        batch = made.batches.get(name)
        row = batch_row(
            name,
            batch.delivery if batch else None,
            {stage: one.code.get("version") for stage, one in batch.stages.items()} if batch else {},
            made.withdrawn.get(name),
            made.notes.get(name),
            batch.failed_checks if batch else (),
        )
        rows.append(row)
    return pl.DataFrame(rows, schema=dict(BATCHES), orient="row")


def _lists(root: Path, data: Rows) -> Iterator[Fault]:
    """The lists beside the page are those of the tables."""
    parts = [schema.QUARANTINE.empty()]
    parts += log_pieces(root, QUARANTINE, schema.QUARANTINE, schema.QUARANTINE.names())
    held = pl.concat(parts).sort("processid")
    yield from _list(root, QUARANTINED, held, QUARANTINE)
    moves = _moves(root)
    if moves is not None and moves.height:
        yield from _list(root, MOVED, moves.sort("processid"), MOVES)
    flagged = _csv(root, FLAGGED).select("processid", said=pl.col("flags").str.split(" "))
    listing = Listing()
    quarantined = held.select("processid", "flags").filter(pl.col("flags").list.len() > 0)
    both = quarantined.join(flagged, on="processid", how="left")
    message = f"has the flags {{said}} here, {{flags}} in {QUARANTINE}"
    listing.add(FLAGGED, _joined(both.filter(pl.col("flags").ne_missing(pl.col("said")))), message)
    left = flagged.join(quarantined, on="processid", how="anti")
    for piece in data.pieces(("flags",)):
        both = left.join(piece, on="processid", how="inner")
        more = both.filter(pl.col("said").list.set_difference("flags").list.len() > 0)
        listing.add(FLAGGED, _joined(more), "has the flags {said} here, {flags} in data")
        left = left.join(piece, on="processid", how="anti")
    listing.add(FLAGGED, left.select("processid"), "is flagged here, but is neither released nor quarantined")
    yield from listing.faults()


def _joined(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(pl.col("flags", "said").list.join(" "))


def _list(root: Path, name: str, expected: pl.DataFrame, table: str) -> Iterator[Fault]:
    if not is_plain(root, name):
        yield Fault(name, None, "is missing, or no plain file")
        return
    text = io.BytesIO()
    escape_formulas(expected).write_csv(text)
    if (root / name).read_bytes() == text.getvalue():
        return
    lines, there = (one.decode(errors="replace").split("\n") for one in (text.getvalue(), (root / name).read_bytes()))
    known = set(lines)
    wrong = [line for line in there if line not in known] or ["in another order, or with fewer rows"]
    yield from capped(
        Fault(name, line.partition(",")[0] if "," in line else None, f"is not as {table} has it: {line[:100]}")
        for line in wrong
    )
