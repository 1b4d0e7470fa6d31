"""Do the tables in `statistics/` say what the rows of the release say?

Belongs here: the tables that can be counted again from the rows, the two files of each table, and whether the gaps of
species agree with each other and with the labels. Does not belong here: distances, gaps and the leakage curve
themselves, which rest on places on the frame that a check does not look for again; the figures; and the same numbers in
the report (`report`).
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

from bioscan_etl import schema
from bioscan_etl.errors import BioscanError
from bioscan_etl.io.tables import read_parquet
from bioscan_etl.quality.spreadsheet import escape_formulas
from bioscan_etl.release.check.agreement import Rows
from bioscan_etl.release.check.faults import Fault, capped
from bioscan_etl.release.check.files import is_plain
from bioscan_etl.release.check.origin import Origin
from bioscan_etl.release.check.tables import UNREADABLE
from bioscan_etl.release.layout import STATISTICS
from bioscan_etl.release.manifest import Manifest
from bioscan_etl.statistics.completeness import completeness
from bioscan_etl.statistics.definitions import PUBLISHED_TABLE, SPECIES_AUDIT_TABLE, TABLES
from bioscan_etl.statistics.published import published
from bioscan_etl.statistics.tables import READ, missing_of, statistics

_BARCODE = "dna_barcode"
_NAMES = ("most_populated", "least_populated")  # a barcode has no name here, see `rows_of`
_NEAR = 1e-9  # sums of floats depend on the order of the rows


def rows_of(data: Rows) -> pl.DataFrame:
    """What the statistics read. A barcode is its hash: the letters of millions of rows are gigabytes."""
    barcode = pl.col(_BARCODE).str.strip_chars("N").hash().alias("barcode_id")
    return pl.concat(piece.select(*READ, barcode) for piece in data.pieces((*READ, _BARCODE)))


def counted_again(rows: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The tables that follow from the rows.

    Args:
        rows: as of `rows_of`.
    """
    return statistics(rows) | completeness(rows)


def check(
    root: Path, manifest: Manifest, data: Rows, origin: Origin, counted: Mapping[str, pl.DataFrame]
) -> Iterator[Fault]:
    """Compare the tables with the rows. A release of an earlier version has none.

    Args:
        root: the release's folder.
        manifest: its manifest.
        data: the released rows.
        origin: what made it.
        counted: from `counted_again`.
    """
    if not any(entry.path.startswith(f"{STATISTICS}/") for entry in manifest.files):
        return
    if origin.stages is None or not origin.is_ours("statistics", "distances", "audit"):
        return
    expected = {**counted, "missing": _missing(data)}
    held: dict[str, pl.DataFrame] = {}
    for table in TABLES:
        found, faults = _read(root, table)
        yield from faults
        if found is not None:
            held[table.name] = found
    if PUBLISHED_TABLE.name in held:
        expected[PUBLISHED_TABLE.name] = published(held)
    for name, found in held.items():
        if name in expected:
            yield from capped(_differences(f"{STATISTICS}/{name}.parquet", found, expected[name]))
    if SPECIES_AUDIT_TABLE.name in held:
        yield from capped(gap_faults(held[SPECIES_AUDIT_TABLE.name], _named(data)))


def _named(data: Rows) -> pl.DataFrame:
    """Family and species of the specimens, each pair once."""
    pieces = [piece.select("family", "species").unique() for piece in data.pieces(("family", "species"))]
    empty = pl.DataFrame(schema={"family": pl.String, "species": pl.String})
    return pl.concat([empty, *pieces], how="vertical_relaxed").drop_nulls().unique()


def gap_faults(found: pl.DataFrame, named: pl.DataFrame) -> Iterator[Fault]:
    """Gaps that contradict each other or the labels.

    Args:
        found: `definitions.SPECIES_AUDIT_TABLE`.
        named: family and species of the specimens, each pair once.
    """
    other, inside, gap = pl.col("nearest_other"), pl.col("nearest_in_family"), pl.col("gap")
    is_held = pl.struct("nearest_family", "nearest_species").is_in(
        named.select(pl.struct(nearest_family="family", nearest_species="species")).to_series().implode()
    )
    faults = {
        "gap is not nearest_other less largest_within": gap.ne_missing(other - pl.col("largest_within")),
        "nearest_other is larger than nearest_in_family": (other > inside) | (other.is_null() & inside.is_not_null()),
        "nearest_species is the species itself": pl.col("nearest_species") == pl.col("species"),
        "no specimen has nearest_species and nearest_family": other.is_not_null() & ~is_held,
    }
    for fault, is_wrong in faults.items():
        for name in found.filter(is_wrong.fill_null(value=False))["species"]:
            yield Fault(f"{STATISTICS}/{SPECIES_AUDIT_TABLE.name}.parquet", None, f"{name}: {fault}")


def _missing(data: Rows) -> pl.DataFrame:
    names = schema.METADATA_EXTENDED.names()
    pieces = data.pieces(tuple(name for name in names if name != "processid"))
    counts = [piece.select(pl.col(names).null_count(), pl.len().alias(" rows")) for piece in pieces]
    return missing_of(pl.concat(counts).sum()) if counts else missing_of(pl.DataFrame({" rows": [0]}))


def _read(root: Path, table: schema.Table) -> tuple[pl.DataFrame | None, list[Fault]]:
    """A table, and faults of its two files; None if it cannot be read."""
    parquet, csv = (f"{STATISTICS}/{table.name}.{ending}" for ending in ("parquet", "csv"))
    absent = [Fault(name, None, "is missing, or no plain file") for name in (parquet, csv) if not is_plain(root, name)]
    if absent:
        return None, absent
    try:
        found = read_parquet(root / parquet)
        table.check(found)
    except (*UNREADABLE, BioscanError) as error:
        return None, [Fault(parquet, None, f"cannot be read as the table {table.name}: {type(error).__name__}")]
    text = io.BytesIO()
    escape_formulas(found).write_csv(text)
    differs = text.getvalue() != (root / csv).read_bytes()
    return found, [Fault(csv, None, f"is not as {parquet} has it")] if differs else []


def _differences(file: str, found: pl.DataFrame, expected: pl.DataFrame) -> Iterator[Fault]:
    names = [name for name in found.columns if name in expected.columns]
    if found.height != expected.height:
        yield Fault(file, None, f"has {found.height} rows; the release makes {expected.height}")
        return
    for ours, theirs in zip(expected.select(names).iter_rows(), found.select(names).iter_rows(), strict=True):
        for name, mine, other in zip(names, ours, theirs, strict=True):
            if not (_is_same(mine, other) or (ours[0] == _BARCODE and name in _NAMES)):
                yield Fault(file, None, f"{_of(ours)}: {name} is {other}; the release says {mine}")


def _of(row: Sequence[object]) -> str:
    """The texts at the beginning of a row, which name it."""
    return " ".join(str(value) for value in row[:2] if isinstance(value, str)) or str(row[0])


def _is_same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= _NEAR * max(1.0, abs(one))
    return one == other
