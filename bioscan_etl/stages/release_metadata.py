"""The release's metadata in its forms, the boxes, and the logs."""

from __future__ import annotations

from typing import Any

import polars as pl

from bioscan_etl.changes import RULESET
from bioscan_etl.release.parts import CURATED_COLUMNS, Logs, build_metadata
from bioscan_etl.stages.work import Work


def build(work: Work) -> dict[str, Any]:
    """Write the metadata; returns its number of rows."""
    curated = pl.read_parquet(work.path("curated_taxonomy", "curated.parquet"), columns=list(CURATED_COLUMNS))
    logs = Logs(
        quarantine=pl.read_parquet(work.path("specimens", "quarantine.parquet")),
        set_aside=pl.read_parquet(work.path("specimens", "set_aside.parquet")),
        rejects=pl.read_parquet(work.path("specimens", "rejects.parquet")),
        changes=pl.read_parquet(work.path("curated_taxonomy", "changes.parquet")),
        ruleset=RULESET,
    )
    assigned = pl.read_parquet(work.path("partitions", "partitions.parquet"))
    build_metadata(work.release, curated, assigned, logs, work.settings.release)
    return {"rows": curated.height}
