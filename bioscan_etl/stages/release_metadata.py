"""The release's metadata in its forms, the boxes, and the logs."""

from __future__ import annotations

from typing import Any

from bioscan_etl.changes import RULESET
from bioscan_etl.decisions.outcome import outcome
from bioscan_etl.io.tables import read_parquet, scan_parquet
from bioscan_etl.release.parts import CURATED_COLUMNS, Logs, build_metadata
from bioscan_etl.stages.work import Work


def build(work: Work) -> dict[str, Any]:
    """Write the metadata; returns its number of rows."""
    curated = scan_parquet(work.path("curated_taxonomy", "curated.parquet")).select(CURATED_COLUMNS)
    logs = Logs(
        quarantine=read_parquet(work.path("specimens", "quarantine.parquet")),
        set_aside=read_parquet(work.path("specimens", "set_aside.parquet")),
        rejects=read_parquet(work.path("specimens", "rejects.parquet")),
        changes=read_parquet(work.path("curated_taxonomy", "changes.parquet")),
        decisions=outcome(
            read_parquet(work.path("decisions", "decisions.parquet")),
            [
                read_parquet(work.path(stage, "decision_effects.parquet"))
                for stage in ("drawn_boxes", "specimens", "curated_taxonomy")
            ],
        ),
        ruleset=RULESET,
    )
    assigned = read_parquet(work.path("partitions", "partitions.parquet"))
    verification = read_parquet(work.path("doubts", "verification.parquet"))
    build_metadata(work.release, curated, assigned, logs, work.settings.release, verification)
    return {"rows": assigned.height}
