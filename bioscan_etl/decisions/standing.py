"""The decisions of a corpus as they stand: the files as they are now, beside what the last run made of them.

Belongs here: comparing the two. Does not belong here: the form of a line (`read`), and one release (`outcome`).
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from bioscan_etl import schema
from bioscan_etl.decisions.again import Reader
from bioscan_etl.decisions.outcome import outcome
from bioscan_etl.io.tables import read_parquet
from bioscan_etl.lake import decisions as files
from bioscan_etl.lake.current import current
from bioscan_etl.lake.store import Lake

NEW = "new"
"""Status of a line that the last run had not read."""
_APPLYING = ("drawn_boxes", "specimens", "curated_taxonomy")


@dataclass(frozen=True, slots=True)
class Standing:
    """The decisions of a corpus.

    Attributes:
        lines: `schema.DECISION_LOG` of the files as they are now, by file and line; `status` can be `new`, too: the
            next run reads the line.
        refused: `decisions.csv_lines.REFUSED`, files that cannot be read.
        taken_away: number of lines that the last run had read and that are no longer there.
    """

    lines: pl.DataFrame
    refused: pl.DataFrame
    taken_away: int


def standing(lake: Lake, reader: Reader | None = None) -> Standing:
    """The decisions of a corpus as they stand.

    Args:
        lake: the corpus.
        reader: what has read the files before; None: all are read.
    """
    now = files.find(lake)
    found = (reader or Reader()).read(now.texts, now.unreadable)
    made = [one for stage in _APPLYING if (one := current(lake, stage)) is not None]
    name = f"{schema.DECISION_EFFECTS.name}.parquet"
    effects = [read_parquet(one.path(name)) for one in made if name in one.files]
    before = current(lake, "decisions")
    known = schema.DECISIONS.empty() if before is None else read_parquet(before.path("decisions.parquet"))
    lines = outcome(found.lines, effects)
    fresh = ~pl.col("id").is_in(known["id"].implode()) & (pl.col("status") != "left_out")
    lines = lines.with_columns(
        status=pl.when(fresh).then(pl.lit(NEW)).otherwise("status"),
        detail=pl.when(fresh).then(pl.lit(None, pl.String)).otherwise("detail"),
        specimens=pl.when(fresh).then(0).otherwise("specimens"),
    )
    gone = known.join(found.lines, on="id", how="anti").height
    return Standing(lines, found.refused, gone)
