"""Does the status of the labels follow from the decisions, the flags and the listed doubts of the release?

Belongs here: a status that no line, flag or doubt explains, and one that is missing. Does not belong here: how the
status is made (`doubts.verification`).

The report of a release lists its doubts. What users wrote of a specimen is left out there, so that a report may dispute
labels whether it says so or not; and no release shows whether the evidence of a line is that of today.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from bioscan_etl.doubts.state import DECIDED
from bioscan_etl.doubts.verification import ABOUT_LABELS, LABEL_RULES, reaching, said_of_labels
from bioscan_etl.quality.doubts_history import LIST
from bioscan_etl.quality.spreadsheet import read_spreadsheet
from bioscan_etl.release.check.agreement import Rows
from bioscan_etl.release.check.decisions import usable
from bioscan_etl.release.check.faults import Fault, faulty_rows
from bioscan_etl.release.check.files import is_plain
from bioscan_etl.release.check.labels import curated_labels, normalised_labels
from bioscan_etl.release.check.recomputed import whole
from bioscan_etl.release.core import DECIDED as DECISIONS
from bioscan_etl.schema import DISPUTED, UNVERIFIED, VERIFIED
from bioscan_etl.vocabulary import RELABELLED

COLUMN = "verification_status"
LISTED_DOUBTS = f"report/{LIST}"
_DOUBTS = ("state", "kind", "processid", "rank", "name", "group")


def read_doubts(root: Path) -> pl.DataFrame | None:
    """The doubts that the report of a release lists: `_DOUBTS`; None if it lists none that can be read."""
    if not is_plain(root, LISTED_DOUBTS):
        return None
    try:
        return read_spreadsheet(root / LISTED_DOUBTS, columns=list(_DOUBTS), infer_schema=False)
    except (OSError, ValueError, pl.exceptions.PolarsError):
        return None  # `report` compares the file with the tables


def check(
    data: Rows, rows: pl.DataFrame, log: pl.DataFrame, listed: pl.DataFrame, doubts: pl.DataFrame | None = None
) -> Iterator[Fault]:
    """Check the status of each row against the lines of the decisions and its flags.

    Args:
        data: the released rows.
        rows: from `labels.read`.
        log: `schema.CHANGES`, sorted.
        listed: `schema.DECISION_LOG`.
        doubts: from `read_doubts`.
    """
    if COLUMN not in data.columns:
        return
    status = whole(data, [COLUMN, "flags"])
    specimens = rows.select("processid", "dna_bin", "dna_barcode", **normalised_labels(rows, log)).lazy()
    left_out = listed.filter(pl.col("status") == "left_out")["id"]
    lines = usable(listed).filter(~pl.col("id").is_in(left_out.implode()))
    of_labels = reaching(lines.filter(pl.col("action").is_in(["relabel", "keep"])), specimens)
    is_set = pl.col("flags").list.contains(RELABELLED)

    alone = status.filter((pl.col(COLUMN) == VERIFIED) & ~is_set).join(of_labels, on="processid", how="anti")
    message = f"{COLUMN} is {VERIFIED}, but no line of {DECISIONS} sets or keeps its labels"
    yield from faulty_rows(data.name, alone.select("processid").sort("processid"), message)

    if doubts is None:  # made outside the pipeline, where nobody looks for doubts
        return
    unverified = status.filter(pl.col(COLUMN) == UNVERIFIED)
    said = pl.concat([reaching(said_of_labels(lines), specimens), status.filter(is_set).select("processid")]).unique()
    silent = unverified.join(said, on="processid", how="semi").select("processid").sort("processid")
    message = f"{COLUMN} is {UNVERIFIED}, but a line of {DECISIONS} sets or keeps its labels"
    yield from faulty_rows(data.name, silent, message)

    doubted = (
        unverified.join(of_labels, on="processid", how="anti")
        .select("processid", flag=pl.col("flags").list.eval(pl.element().filter(pl.element().is_in(LABEL_RULES))))
        .select("processid", flag=pl.col("flag").list.first())
        .drop_nulls("flag")
        .sort("processid")
    )
    message = f"{COLUMN} is {UNVERIFIED}, but nobody has answered the flag {{flag}}"
    yield from faulty_rows(data.name, doubted, message)
    yield from _disputed(data.name, status, rows, log, doubts, specimens)


def _disputed(
    name: str,
    status: pl.DataFrame,
    rows: pl.DataFrame,
    log: pl.DataFrame,
    doubts: pl.DataFrame,
    specimens: pl.LazyFrame,
) -> Iterator[Fault]:
    """Labels that are disputed without a doubt, and doubts that wait and dispute none."""
    waiting = doubts.filter(pl.col("state") != DECIDED)
    own = waiting.filter(pl.col("kind").is_in(ABOUT_LABELS)).select("processid").drop_nulls().unique()
    disputed = status.filter(pl.col(COLUMN) == DISPUTED).select("processid")
    silent = status.filter(pl.col(COLUMN) != DISPUTED).select("processid", COLUMN).join(own, on="processid", how="semi")
    message = f"{COLUMN} is {{{COLUMN}}}, but {LISTED_DOUBTS} lists a doubt about its labels that is not decided"
    yield from faulty_rows(name, silent.sort("processid"), message)
    # Lines about the same groups reach the same specimens.
    groups = waiting.filter(pl.col("kind") == "conflict").select("processid", "group", "rank", "name", id=pl.lit(""))
    typos = waiting.filter(pl.col("kind") == "typo")
    carriers = [
        rows.select("processid", name=labels).join(
            typos.filter(pl.col("rank") == rank).select("name"), on="name", how="semi"
        )
        for rank, labels in curated_labels(rows, log).items()
    ]
    reported = waiting.filter(pl.col("kind") == "report").select("processid").drop_nulls()
    known = pl.concat([own, reported, reaching(groups, specimens), *(one.select("processid") for one in carriers)])
    alone = disputed.join(known, on="processid", how="anti").sort("processid")
    message = f"{COLUMN} is {DISPUTED}, but {LISTED_DOUBTS} lists no doubt about its labels that is not decided"
    yield from faulty_rows(name, alone, message)
