"""Does a release follow the curators' decisions that it lists?

Belongs here: the lines themselves, and what they do to gates and places. Does not belong here: what they do to labels
(`labels`), and whether a curator really decided so: only a signature vouches for that.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from bioscan_etl import schema
from bioscan_etl.decisions.read import check_lines
from bioscan_etl.decisions.values import coordinates
from bioscan_etl.geography.countries import iso_of_name, with_names
from bioscan_etl.release.check.agreement import Rows
from bioscan_etl.release.check.csv import read_fields
from bioscan_etl.release.check.faults import Fault, Listing, faulty_rows
from bioscan_etl.release.check.files import is_plain
from bioscan_etl.release.check.recomputed import CHANGES
from bioscan_etl.release.check.settings_stated import log_pieces
from bioscan_etl.release.core import DECIDED
from bioscan_etl.specimens.decided import ACCEPTED, DRAWN, REJECTED, SET

QUARANTINE = "quarantine.parquet"
_NONE = pl.DataFrame(schema={"processid": pl.String, "gates": pl.List(pl.String), "flags": pl.List(pl.String)})


def read(root: Path) -> pl.DataFrame | None:
    """`schema.DECISION_LOG` of a release; None if it has none, or another table."""
    if not is_plain(root, DECIDED):
        return None
    pieces = list(log_pieces(root, DECIDED, schema.DECISION_LOG, tuple(schema.DECISION_LOG.names())))
    return pl.concat([schema.DECISION_LOG.empty(), *pieces])


def usable(listed: pl.DataFrame) -> pl.DataFrame:
    """The lines that the stages were given, as `schema.DECISIONS`."""
    given = listed.filter(~pl.col("status").is_in(["repeats"])).with_columns(problem=pl.lit(None, pl.String))
    right = check_lines(given.select(schema.DECISIONS.names()))
    return right.filter(pl.col("problem").is_null()).sort("id")


def check(root: Path, listed: pl.DataFrame, data: Rows, log: pl.DataFrame, boxes: str) -> Iterator[Fault]:
    """Check the list against its own rules, the gates and the places.

    Args:
        root: the release's folder.
        listed: from `read`.
        data: the released rows.
        log: `schema.CHANGES`, sorted.
        boxes: path of the released boxes within the release.
    """
    again = check_lines(listed.select(schema.DECISIONS.names()[:-1]).with_columns(problem=pl.lit(None, pl.String)))
    both = listed.with_columns(problem=again["problem"], again=again["id"])
    wrong = both.filter(pl.col("problem").is_not_null() & (pl.col("status") != "left_out"))
    yield from faulty_rows(DECIDED, wrong, "{file}, line {line} is {status}, but {problem}")
    wrong = both.filter(pl.col("id") != pl.col("again"))
    yield from faulty_rows(DECIDED, wrong, "{file}, line {line} has the id {id}; its content gives {again}")
    applied = listed.filter(pl.col("status") == "applied")
    yield from _gates(root, applied, data)
    yield from _places(applied, data, log)
    yield from _boxes(root, applied, data, boxes)


def _gates(root: Path, applied: pl.DataFrame, data: Rows) -> Iterator[Fault]:
    """Specimens that are accepted or rejected without a line, and lines that do not show on their specimen."""
    held = [_NONE, *log_pieces(root, QUARANTINE, schema.QUARANTINE, ("processid", "gates", "flags"))]
    quarantined = pl.concat(piece.select(_NONE.columns) for piece in held)
    pieces = [
        piece.filter(pl.col("flags").list.contains(ACCEPTED)).select("processid") for piece in data.pieces(("flags",))
    ]
    flagged = pl.concat([_NONE.select("processid"), *pieces]).unique().sort("processid")
    accepts, rejects = (
        applied.filter(pl.col("action") == action).select("processid").unique().sort("processid")
        for action in ("accept", "reject")
    )
    alone = flagged.join(accepts, on="processid", how="anti", maintain_order="left")
    yield from faulty_rows(data.name, alone, f"has the flag {ACCEPTED}, but no line of {DECIDED} accepts it")
    silent = accepts.join(flagged, on="processid", how="anti", maintain_order="left")
    yield from faulty_rows(DECIDED, silent, f"is accepted, but is not released with the flag {ACCEPTED}")
    rejected = quarantined.filter(pl.col("gates").list.contains(REJECTED)).select("processid").sort("processid")
    alone = rejected.join(rejects, on="processid", how="anti", maintain_order="left")
    yield from faulty_rows(QUARANTINE, alone, f"is held by {REJECTED}, but no line of {DECIDED} rejects it")
    silent = rejects.join(rejected, on="processid", how="anti", maintain_order="left")
    yield from faulty_rows(DECIDED, silent, f"is rejected, but is not held by {REJECTED}")


def _places(applied: pl.DataFrame, data: Rows, log: pl.DataFrame) -> Iterator[Fault]:
    """Changes of places that no line asks for, and lines whose value the change log does not give."""
    lines = applied.filter(pl.col("action") == "set").select("processid", "field", "value")
    names = with_names(lines.filter(field="country").select("processid", iso=iso_of_name(pl.col("value"))))
    points = [
        (processid, f"coord-{axis}", None if point is None else str(point[place]))
        for processid, value in lines.filter(field="coord").select("processid", "value").iter_rows()
        for point in (coordinates(value) if value else None,)
        for place, axis in enumerate(("lat", "lon"))
    ]
    asked = pl.concat(
        [
            names.select("processid", field=pl.lit("country"), wanted="country"),
            lines.filter(field="province_state").rename({"value": "wanted"}),
            pl.DataFrame(points, schema=dict.fromkeys(("processid", "field", "wanted"), pl.String), orient="row"),
        ]
    )
    made = log.filter(pl.col("rule") == SET).select("processid", "field", "after")
    both = made.join(asked.with_columns(there=True), on=["processid", "field"], how="left", maintain_order="left")
    wrong = both.filter(pl.col("there").is_null() | pl.col("after").ne_missing(pl.col("wanted")))
    yield from faulty_rows(CHANGES, wrong, f"sets {{field}} to {{after}}, which no line of {DECIDED} does")
    touched = made.select("processid", field=pl.col("field").str.replace("^coord-.*", "coord")).unique()
    silent = lines.join(touched, on=["processid", "field"], how="anti").sort("processid", "field")
    yield from faulty_rows(DECIDED, silent, "sets {field} to {value}, which the change log does not")


def _boxes(root: Path, applied: pl.DataFrame, data: Rows, name: str) -> Iterator[Fault]:
    """Specimens with the flag of a drawn box and no line, and lines whose box is not the released one."""
    lines = applied.filter(pl.col("action") == "box").select("processid", "value")
    pieces = [
        piece.filter(pl.col("flags").list.contains(DRAWN)).select("processid") for piece in data.pieces(("flags",))
    ]
    flagged = pl.concat([lines.select("processid").clear(), *pieces]).unique().sort("processid")
    alone = flagged.join(lines, on="processid", how="anti", maintain_order="left")
    yield from faulty_rows(data.name, alone, f"has the flag {DRAWN}, but no line of {DECIDED} draws its box")
    if not is_plain(root, name) or lines.is_empty():
        return
    edges = ("x0", "y0", "x1", "y1")
    found = [lines.select("processid").clear().with_columns(released=pl.lit(""))]
    # `tables` reports what is wrong with the file itself.
    for piece in read_fields(root, name, schema.BBOX.names(), Listing()):
        shown = pl.concat_str((pl.col(edge) for edge in edges), separator=" ")
        found.append(piece.join(lines, on="processid", how="semi").select("processid", released=shown))
    both = lines.join(pl.concat(found), on="processid", how="inner").sort("processid")
    wrong = both.filter(pl.col("released").ne_missing(pl.col("value")))
    yield from faulty_rows(name, wrong, f"has the box {{released}}; {DECIDED} draws {{value}}")
