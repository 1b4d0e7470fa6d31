"""Counts of the first page: what became of the rows of each batch, and of the lines of decisions.

Belongs here: these counts. Does not belong here: which batches and releases there are (`front`, `stages.desk_pages`).
"""

from __future__ import annotations

from typing import Any

import polars as pl

from bioscan_etl.desk.corpus import Corpus
from bioscan_etl.io.tables import scan_parquet

_LINES = 200


def rows_by_batch(corpus: Corpus) -> dict[str, dict[str, Any]]:
    """By batch: specimens accepted and held, gates, rows set aside and rejected."""
    held = pl.col("gates").list.len() > 0
    specimens = corpus.specimens().select("batch", "gates")
    found: dict[str, dict[str, Any]] = {}
    for batch, accepted, waiting in (
        specimens.group_by("batch").agg(accepted=(~held).sum(), held=held.sum()).collect().iter_rows()
    ):
        found[batch] = {"accepted": accepted, "held": waiting, "gates": {}, "set_aside": 0, "rejected": 0}
    gates = specimens.filter(held).explode("gates").group_by("batch", "gates").len().sort("batch", "gates").collect()
    for batch, gate, count in gates.iter_rows():
        found[batch]["gates"][gate] = count
    output = corpus.output("specimens")
    for name in ("set_aside", "rejects"):
        frame = scan_parquet(output.path(f"{name}.parquet")).group_by("batch").len().collect()
        for batch, count in frame.iter_rows():
            key = "rejected" if name == "rejects" else name
            found.setdefault(batch, {"accepted": 0, "held": 0, "gates": {}, "set_aside": 0, "rejected": 0})[key] = count
    return found


def lines_by_status(log: pl.DataFrame) -> dict[str, Any]:
    """What became of the decisions: the last `decisions`, and `decision_counts` by status.

    Args:
        log: `schema.DECISION_LOG`.
    """
    lines = log.sort("date", "file", "line", descending=[True, False, True])
    counts = lines["status"].value_counts().sort("status")
    return {"decisions": lines.head(_LINES).to_dicts(), "decision_counts": dict(counts.iter_rows())}
