"""Reports from users of the published data: every line, and whether it is about a specimen of the corpus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from bioscan_etl import schema
from bioscan_etl.io.tables import scan_parquet
from bioscan_etl.lake.decisions import load_copy
from bioscan_etl.proposals.read import read_proposals
from bioscan_etl.stages.lists import tell_wrong
from bioscan_etl.stages.work import Work

if TYPE_CHECKING:
    from bioscan_etl.stages.situation import Situation


def extra(situation: Situation) -> dict[str, Any]:
    """The content of the files that the pin names."""
    return {"proposals": situation.pinned.proposals}


def build(work: Work) -> None:
    """Write all lines, and the files that are refused."""
    out = work.out
    files = load_copy(work.lake, work.pinned.proposals)
    found = read_proposals(files.texts, files.unreadable)
    named = found.lines.select("processid").drop_nulls().unique().lazy()
    specimens = scan_parquet(work.path("specimens", "specimens.parquet")).select("processid")
    known = specimens.join(named, on="processid", how="semi").collect()["processid"]
    unknown = (pl.col("status") == "doubt") & ~pl.col("processid").is_in(known.implode())
    lines = found.lines.with_columns(
        status=pl.when(unknown).then(pl.lit("unknown")).otherwise("status"),
        detail=pl.when(unknown).then(pl.lit("no batch has this process ID")).otherwise("detail"),
    )
    out.write(schema.PROPOSALS, lines)
    wrong = lines.filter(pl.col("status") != "doubt").select("file", "line", problem="detail")
    tell_wrong("proposals", "reports_readable", out, found.refused, wrong)
