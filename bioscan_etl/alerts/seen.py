"""Since when doubts are open: a record that the rounds keep, and the alerts of the old ones.

    OUTPUT/alerts/doubts.parquet         each doubt of the last run, and the day on which a round first saw it

Belongs here: keeping the record. Does not belong here: which doubts are old (`doubts`), and whether one is open
(`bioscan_etl.doubts.state`).

Outputs of stages hold no dates, and the time of a file is that of its last copy. So the day is that of the round which
first saw the doubt. A doubt that a run no longer finds is forgotten; if it comes back, it is a new one.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl

from bioscan_etl import schema
from bioscan_etl.alerts.doubts import doubt_alerts
from bioscan_etl.alerts.event import Alert
from bioscan_etl.decisions.read import read_decisions
from bioscan_etl.doubts.reach import settled
from bioscan_etl.errors import SourceError
from bioscan_etl.io.tables import read_parquet, scan_parquet
from bioscan_etl.io.write import atomic_file
from bioscan_etl.lake import decisions as files
from bioscan_etl.lake.current import current
from bioscan_etl.lake.store import Lake

_SEEN = pl.Schema({"id": pl.String(), "since": pl.Date()})


def old_doubts(lake: Lake, older_than_days: int, today: dt.date) -> list[Alert] | None:
    """The alerts of doubts that are open for longer than allowed, and the record of this day.

    Args:
        lake: the corpus.
        older_than_days: days that a doubt may be open; 0 turns this off.
        today: the date.

    Returns:
        One alert for each day since when old doubts are open; None if no run has listed doubts yet.

    Raises:
        LakeError: the lake has another layout.
    """
    if older_than_days == 0:
        return []
    output = current(lake, "doubts")
    if output is None:
        return None
    doubts = read_parquet(output.path("doubts.parquet"))
    since = _noted(_path(lake), doubts, today)
    # Only the old ones need a state: most rounds have none.
    old = doubts.join(since, on="id").filter(pl.col("since") < today - dt.timedelta(days=older_than_days))
    if old.is_empty():
        return []
    now = files.find(lake)
    lines = read_decisions(now.texts, now.unreadable).lines.filter(pl.col("problem").is_null())
    # The evidence of a line may be that of another doubt about the same specimen.
    made = current(lake, "specimens")
    specimens = scan_parquet(made.path("specimens.parquet")) if made else schema.SPECIMENS.empty().lazy()
    states = settled(doubts.select(schema.DOUBTS.names()), lines, specimens).select("id", "state")
    about = pl.coalesce("processid", "group", pl.concat_str("rank", "name", separator=" ", ignore_nulls=True))
    named = old.join(states, on="id").select("since", "state", doubt=pl.format("{} {}", "rule", about))
    return doubt_alerts(named, today, older_than_days)


def _path(lake: Lake) -> Path:
    return lake.root / "alerts" / "doubts.parquet"


def _noted(path: Path, doubts: pl.DataFrame, today: dt.date) -> pl.DataFrame:
    """`id` and `since` of each doubt; new ones are of today. Writes the record if it has changed."""
    known = _read(path)
    found = (
        doubts.select("id")
        .join(known, on="id", how="left")
        .with_columns(pl.col("since").fill_null(pl.lit(today, pl.Date)))
        .sort("id")
    )
    if not found.equals(known):
        with atomic_file(path) as part:
            found.write_parquet(part, compression="zstd")
    return found


def _read(path: Path) -> pl.DataFrame:
    """The record. Without a file, or if it is damaged, it is empty: every doubt then counts as open since today."""
    if not path.is_file():
        return pl.DataFrame(schema=_SEEN)
    try:
        found = read_parquet(path).select(_SEEN.names()).cast(_SEEN)
    except (SourceError, pl.exceptions.PolarsError, OSError):
        return pl.DataFrame(schema=_SEEN)
    return found.drop_nulls().unique("id", keep="first").sort("id")
