"""Sequences in FASTA beside a table of specimens, as BOLD's version 3 and workbench deliver them.

Belongs here: reading FASTA, and joining sequences to specimens by process ID. Does not belong here: the tables
themselves (`read`), and the choice among several rows of a specimen (`choose`).

A header is `>PROCESSID|taxon|marker|accession`. Sequences of other kinds of tables are not needed and not read.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from bioscan_etl.errors import SourceError
from bioscan_etl.records.choose import MEASURES
from bioscan_etl.records.layouts import Layout

MAGIC = b">"
"""First byte of a FASTA file; no header of a records table starts like that."""

LAYOUT = Layout("FASTA sequences", (), (), {}, (), {}, ())
"""What a FASTA file is called among the layouts; it has no columns."""

SEQUENCES = {
    "source_line": pl.Int64,
    "processid": pl.String,
    "marker_code": pl.String,
    "nuc": pl.String,
    "insdc_acs": pl.String,
    "header": pl.String,
}
"""Columns of sequences; `source_line` is the line of the header."""

JOINED = ("marker_code", "nuc", "insdc_acs")
"""Columns that a specimen takes from its sequence."""

_ACCESSION = r"^[A-Z]{1,4}_?\d{5,9}(\.\d+)?(-SUPPRESSED)?$"
_MARKER = r"^[A-Za-z0-9]+(-[A-Za-z0-9]+)?$"


def read_fasta(pieces: Iterator[bytes], marker: str, source: str) -> pl.DataFrame:
    """Read a FASTA file.

    Args:
        pieces: its bytes.
        marker: of sequences whose header names none.
        source: what to call the file in an error.

    Returns:
        `SEQUENCES`, a row per sequence, in their order.

    Raises:
        SourceError: the file does not begin with a header.
        DamagedError: the file ends early.
    """
    text = b"".join(pieces).decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    if not text.startswith(">"):
        raise SourceError(f"{source} is no FASTA file: its first line is no header; fetch the file again")
    lines = pl.Series("line", text.split("\n"), pl.String).to_frame().with_row_index("source_line", 1)
    line = pl.col("line").str.strip_chars()
    found = (
        lines.with_columns(entry=line.str.starts_with(">").cum_sum())
        .group_by("entry", maintain_order=True)
        .agg(
            pl.col("source_line").first().cast(pl.Int64),
            header=line.first().str.slice(1),
            nuc=line.slice(1).str.join(""),
        )
    )
    parts = pl.col("header").str.split("|").list.eval(pl.element().str.strip_chars())
    at = parts.list.eval(pl.element().eq(marker).fill_null(False)).list.arg_max()
    named = parts.list.contains(marker)
    third = parts.list.get(2, null_on_oob=True)
    code = pl.when(named).then(pl.lit(marker)).when(third.str.contains(_MARKER)).then(third).otherwise(pl.lit(marker))
    after = parts.list.get(pl.when(named).then(at + 1).otherwise(3), null_on_oob=True)
    made = found.with_columns(
        processid=parts.list.first(),
        marker_code=code,
        insdc_acs=pl.when(after.str.contains(_ACCESSION)).then(after),
        nuc=pl.when(pl.col("nuc") != "").then("nuc"),
    )
    suffix = pl.concat_str(pl.lit("."), "marker_code")
    bare = pl.col("processid").str.strip_suffix(suffix)
    return made.with_columns(processid=bare).select(pl.col(name).cast(kind) for name, kind in SEQUENCES.items())


def best(sequences: pl.DataFrame, marker: str) -> pl.DataFrame:
    """The sequence of each process ID that its specimen takes: of the marker, by the rule for rows (`choose`).

    Args:
        sequences: `SEQUENCES` with any further columns.
        marker: the barcode marker.
    """
    return (
        sequences.with_row_index("place")
        .filter((pl.col("marker_code") == marker) & pl.col("nuc").is_not_null())
        .with_columns(MEASURES)
        .sort("processid", "ungapped", "ambiguous", "place", descending=[False, True, False, False])
        .unique("processid", keep="first", maintain_order=True)
        .drop("ungapped", "ambiguous")
    )


def joined(rows: pl.DataFrame, sequences: pl.DataFrame, marker: str) -> pl.DataFrame:
    """Specimens with their sequences; those without one are rows of the marker without nucleotides.

    Args:
        rows: rows of a table of specimens, as a reader gives them.
        sequences: what `best` chose.
        marker: the barcode marker.
    """
    given = rows.drop("marker_code", "nuc", strict=False)
    accession = ["insdc_acs"] if "insdc_acs" in given.columns else []
    found = given.join(
        sequences.select("processid", "nuc", found_acs="insdc_acs"), on="processid", how="left", maintain_order="left"
    )
    return found.with_columns(
        marker_code=pl.lit(marker),
        insdc_acs=pl.coalesce(*accession, "found_acs"),
        record_id=pl.concat_str("processid", pl.lit(f".{marker}")),
    ).drop("found_acs")
