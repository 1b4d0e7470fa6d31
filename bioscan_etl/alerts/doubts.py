"""Open doubts that wait for a person for too long.

Belongs here: which are old, and their alerts. Does not belong here: what a doubt is, and whether it is open.
"""

from __future__ import annotations

import datetime as dt

import polars as pl

from bioscan_etl.alerts.event import Alert, alert

OPEN = "open"
_SHOWN = 10


def doubt_alerts(doubts: pl.DataFrame | pl.LazyFrame, today: dt.date, older_than_days: int) -> list[Alert]:
    """One alert for each day from which open doubts wait for longer than allowed.

    A day is an event: its doubts become old together, so a thousand doubts of one delivery are one alert. It is over
    when none of them is open.

    Args:
        doubts: columns `doubt` (text that names it), `since` (date), `state` (text; `open` waits for a person).
        today: the date.
        older_than_days: days that a doubt may be open; 0 turns this off.

    Returns:
        Alerts, the oldest day first.
    """
    if older_than_days == 0:
        return []
    last = today - dt.timedelta(days=older_than_days)
    days = (
        doubts.lazy()
        .filter(pl.col("state") == OPEN, pl.col("since") < last)
        .group_by(pl.col("since").cast(pl.Date))
        .agg(
            number=pl.len(),
            named=pl.col("doubt").cast(pl.String).sort().head(_SHOWN),
        )
        .sort("since")
        .collect()
    )
    return [
        alert(
            "old_doubts",
            "open doubts",
            (since.isoformat(),),
            f"{number:,} {'doubt is' if number == 1 else 'doubts are'} open since {since.isoformat()}, "
            f"more than {older_than_days:,} days",
            tuple(str(one) for one in named) + ((f"and {number - len(named):,} more",) if number > len(named) else ()),
        )
        for since, number, named in days.iter_rows()
    ]
