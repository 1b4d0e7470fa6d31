"""The curators' decisions: every line, and what each later stage reads of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from bioscan_etl import schema
from bioscan_etl.decisions.read import read_decisions
from bioscan_etl.lake.decisions import load_copy
from bioscan_etl.stages.lists import tell_wrong
from bioscan_etl.stages.registry import ON_BOXES, ON_LABELS, ON_SPECIMENS
from bioscan_etl.stages.work import Work

if TYPE_CHECKING:
    from bioscan_etl.stages.situation import Situation


def extra(situation: Situation) -> dict[str, Any]:
    """The content of the files that the pin names."""
    return {"decisions": situation.pinned.decisions}


def build(work: Work) -> None:
    """Write all lines, the files that are refused, and the lines of each stage."""
    out = work.out
    files = load_copy(work.lake, work.pinned.decisions)
    found = read_decisions(files.texts, files.unreadable)
    out.write(schema.DECISIONS, found.lines)
    usable = found.usable
    on_labels = pl.col("action").is_in(["relabel", "merge"]) | (
        (pl.col("action") == "keep") & pl.col("name").is_not_null()
    )
    for name, where in (
        (ON_SPECIMENS, pl.col("action").is_in(["accept", "reject", "set"])),
        (ON_LABELS, on_labels),
        (ON_BOXES, pl.col("action") == "box"),
    ):
        # Where a line stands in a file decides nothing.
        lines = usable.filter(where).with_columns(file=pl.lit(""), line=pl.lit(2, pl.Int64))
        lines.write_parquet(out.folder / name, compression="zstd")
    wrong = found.lines.filter(pl.col("problem").is_not_null())
    tell_wrong("decisions", "decisions_readable", out, found.refused, wrong)
