"""Do two forms of a release hold the same values for every specimen?

Belongs here: the comparison, in memory that does not grow with the width of the rows: a row is one number per form,
and only rows whose numbers differ are read in full. Does not belong here: how a form is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from bioscan_etl.release.check.faults import LISTED, Fault, faulty_rows

# Between the members of a list; no value of ours holds a control character.
_BETWEEN = "\x1f"


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of the released specimens as one form holds them.

    Attributes:
        name: file or folder within the release.
        columns: what it holds beside processid, as columns of the metadata, a missing value being null.
        pieces: reads processid and the named columns from the beginning, a bounded number of rows at a time. What
            cannot be read is left out: the form's own check reports it as a fault.
    """

    name: str
    columns: tuple[str, ...]
    pieces: Callable[[Sequence[str]], Iterator[pl.DataFrame]]


def held(name: str, frame: pl.DataFrame) -> Rows:
    """A frame in memory as a form."""
    columns = tuple(column for column in frame.columns if column != "processid")
    return Rows(name, columns, lambda wanted: iter([frame.select("processid", *wanted)]))


def agreement(left: Rows, right: Rows) -> Iterator[Fault]:
    """Both forms hold the same process IDs, once each and in one order, each with the same values (missing included).

    Args:
        left: the form that others are compared with; it has the columns of `right`.
        right: faults are of this form.
    """
    ours, theirs = (_digests(form, right.columns) for form in (left, right))
    if ours.equals(theirs) and not ours["processid"].is_duplicated().any():
        return
    yield from duplicates(theirs, right.name)
    ours, theirs = (frame.unique("processid", keep="first", maintain_order=True) for frame in (ours, theirs))
    lone_rows = 0
    for one, other, message in (
        (ours, theirs, f"is missing, {left.name} has it"),
        (theirs, ours, f"{left.name} does not have it"),
    ):
        lone = one.join(other, on="processid", how="anti", nulls_equal=True).sort("processid")
        lone_rows += lone.height
        yield from faulty_rows(right.name, lone.select("processid"), message)
    both = ours.join(theirs, on="processid", how="inner", suffix="_here")
    differing = both.filter(pl.col("digest") != pl.col("digest_here"))["processid"].sort()
    if not lone_rows:
        yield from _order(ours["processid"], theirs["processid"], left.name, right.name)
    if differing.is_empty():
        return
    # So many that every column can show the faults it would show alone; the rest is only counted.
    shown = differing.head(LISTED * 50)
    there, here = (_rows(form, shown, right.columns) for form in (left, right))
    for name in right.columns:
        pair = pl.DataFrame({"processid": here["processid"], "there": there[name], "here": here[name]})
        wrong = pair.filter(pl.col("here").ne_missing(pl.col("there")))
        yield from faulty_rows(right.name, wrong, f"{name} is {{here}} here, {{there}} in {left.name}")
    if len(differing) > len(shown):
        yield Fault(right.name, None, f"{len(differing) - len(shown)} more rows differ from {left.name}")


def _order(ours: pl.Series, theirs: pl.Series, left: str, right: str) -> Iterator[Fault]:
    """The first row that is at another place; both have the same process IDs."""
    places = (ours != theirs).arg_true()
    if len(places):
        first = int(places[0])
        message = f"is row {first + 1} here, where {left} has {ours[first]}: the rows are in another order"
        yield Fault(right, theirs[first], message)


def duplicates(rows: pl.DataFrame, name: str) -> Iterator[Fault]:
    """Process IDs that occur more than once."""
    twice = rows.filter(rows["processid"].is_duplicated()).group_by("processid").len().sort("processid")
    yield from faulty_rows(name, twice, "occurs {len} times")


def _digests(form: Rows, columns: Sequence[str]) -> pl.DataFrame:
    """Process IDs and a hash of the columns (UInt64), in the order of the form."""
    parts = [pl.DataFrame(schema={"processid": pl.String, "digest": pl.UInt64})]
    for piece in form.pieces(columns):
        lists = [name for name in columns if isinstance(piece.schema[name], pl.List)]
        texts = piece.with_columns(pl.col(name).list.join(_BETWEEN) for name in lists)
        # A struct of no columns has no hash: then the process IDs are all there is to compare.
        digest = pl.struct(columns).hash() if columns else pl.lit(0, pl.UInt64)
        parts.append(texts.select("processid", digest=digest))
    return pl.concat(parts)


def _rows(form: Rows, processids: pl.Series, columns: Sequence[str]) -> pl.DataFrame:
    """The first row of each of some process IDs, sorted by them."""
    wanted = processids.to_frame("processid")
    found = [piece.join(wanted, on="processid", how="semi") for piece in form.pieces(columns)]
    return pl.concat(found).unique("processid", keep="first", maintain_order=True).sort("processid")
