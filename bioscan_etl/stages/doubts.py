"""Doubts: what curators should look at, settled or not."""

from __future__ import annotations

import polars as pl

from bioscan_etl import schema
from bioscan_etl.doubts.find import Tables, find_doubts
from bioscan_etl.doubts.reach import settled
from bioscan_etl.doubts.state import count_states
from bioscan_etl.doubts.verification import verification
from bioscan_etl.io.tables import read_parquet, scan_parquet
from bioscan_etl.stages.registry import SPECIES_CASES
from bioscan_etl.stages.work import Work


def build(work: Work) -> None:
    """Write all doubts, counted by kind, rule and state, and the specimens whose labels are verified or disputed."""
    out = work.out
    lines = read_parquet(work.path("decisions", "decisions.parquet")).filter(pl.col("problem").is_null())
    specimens = scan_parquet(work.path("specimens", "specimens.parquet"))
    tables = Tables(
        specimens=specimens,
        curated=scan_parquet(work.path("curated_taxonomy", "curated.parquet")),
        conflicts=read_parquet(work.path("curated_taxonomy", "conflicts.parquet")),
        typos=read_parquet(work.path("curated_taxonomy", "typos.parquet")),
        decisions=lines,
        proposals=read_parquet(work.path("proposals", "proposals.parquet")),
        cases=read_parquet(work.path("audit", SPECIES_CASES)),
    )
    doubts = find_doubts(tables, work.settings)
    out.write(schema.DOUBTS, doubts)
    with_state = settled(doubts, lines, specimens)
    effects = read_parquet(work.path("curated_taxonomy", "decision_effects.parquet"))
    statuses = verification(with_state, tables, effects.filter(pl.col("status") == "left_out")["id"])
    out.write(schema.VERIFICATION, statuses)
    out.counts["states"] = count_states(with_state).to_dicts()
    out.counts["verification"] = dict(statuses["verification_status"].value_counts(sort=True).iter_rows())
