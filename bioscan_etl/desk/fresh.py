"""Which doubts are new: those that the release before the last one does not show.

Belongs here: comparing the doubts with that release. Does not belong here: what came in by batch (`trends.arrivals`).

A release lists no doubts. But it shows which gates and rules apply to each specimen, and which names there are.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bioscan_etl.decisions.vocabulary import LIFTABLE
from bioscan_etl.errors import BioscanError
from bioscan_etl.lake.store import Lake
from bioscan_etl.release.scan import ReleaseTables, scan_release
from bioscan_etl.release.versions import versions
from bioscan_etl.specimens.decided import ACCEPTED, DRAWN
from bioscan_etl.vocabulary import RANKS


def before(lake: Lake) -> Path | None:
    """The release before the last one; None if there is none."""
    found = list(versions(lake.releases))
    return found[-2] if len(found) > 1 else None


def fresh(doubts: pl.DataFrame, release: Path) -> pl.Series:
    """Which doubts are new since a release.

    A doubt is new if its rule or gate did not apply to the specimen then, or to one specimen of its group. A spelling
    is new if no released specimen had it. A report from a user is new if the specimen is.

    Args:
        doubts: `schema.DOUBTS`.
        release: folder of the earlier release.

    Returns:
        Boolean, a value per doubt; all false if the release cannot be read.
    """
    about = doubts.with_row_index("row").select("row", "kind", "rule", "rank", "name", "processid", "members")
    members = about.select("row", "kind", "rule", processid="members").explode("processid")
    of_specimens = pl.concat([about.select(members.columns), members]).drop_nulls("processid")
    try:
        opened = scan_release(release)
        rows = [_of_specimens(of_specimens, opened), *_of_names(about.drop_nulls(["rank", "name"]), opened)]
    except (BioscanError, pl.exceptions.PolarsError, OSError, UnicodeError):
        # `trends` says what is wrong with the release.
        return pl.repeat(value=False, n=doubts.height, dtype=pl.Boolean, eager=True).alias("new")
    return about["row"].is_in(pl.concat(rows).implode()).alias("new")


def _of_specimens(of_specimens: pl.DataFrame, opened: ReleaseTables) -> pl.Series:
    """Rows of the doubts whose rule did not apply to one of their specimens."""
    wanted = of_specimens.select("processid").unique().lazy()
    held = opened.table("quarantine.parquet").select("processid", rules=pl.concat_list("gates", "flags"))
    flags = "flags" if "flags" in opened.columns() else pl.lit([], pl.List(pl.String)).alias("flags")
    tables = opened.rows.select("processid", flags).rename({"flags": "rules"}), held
    known = pl.concat([table.join(wanted, on="processid", how="semi") for table in tables])
    both = of_specimens.join(known.unique("processid").collect(engine="streaming"), on="processid", how="left")
    # A curator has opened the gate, or drawn the box that the detector did not find.
    lifted = pl.col("rules").list.contains(ACCEPTED) | pl.col("rules").list.contains(DRAWN)
    was = (
        pl.col("rules").list.contains(pl.col("rule"))
        | (lifted & pl.col("rule").is_in(LIFTABLE))
        | (pl.col("rules").is_not_null() & (pl.col("kind") == "report"))
    )
    return both.filter(~was.fill_null(value=False))["row"]


def _of_names(of_names: pl.DataFrame, opened: ReleaseTables) -> list[pl.Series]:
    """Rows of the doubts about names that no specimen had."""
    found = []
    for rank in RANKS:
        named = of_names.filter(pl.col("rank") == rank)
        if named.height:
            there = opened.rows.filter(pl.col(rank).is_in(named["name"].unique().implode())).select(name=rank).unique()
            found.append(named.join(there.collect(engine="streaming"), on="name", how="anti")["row"])
    return found
