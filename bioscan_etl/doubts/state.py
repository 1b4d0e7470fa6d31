"""The state of each doubt: open, decided, or to be looked at again because its evidence has changed.

Belongs here: a pure function of doubts and lines, and counts. Does not belong here: finding doubts (`find`), and what a
line does to the release.
"""

from __future__ import annotations

import polars as pl

from bioscan_etl.decisions.vocabulary import BARCODE_OF, LIFTABLE
from bioscan_etl.doubts.kinds import BY_EVIDENCE, KINDS, NO_GAP

OPEN, DECIDED, CHANGED = "open", "decided", "changed"
STATES = (OPEN, CHANGED, DECIDED)

_LINE = ("line", "action", "field", "value", "reason", "note", "curator", "date", "seen")
_OF_STATE = {
    "state": pl.String(),
    "decided_by": pl.String(),
    "decided_on": pl.String(),
    "decided_why": pl.String(),
    "decided_as": pl.String(),
    "lines": pl.List(pl.String()),
}


def with_state(doubts: pl.DataFrame, lines: pl.DataFrame, reached: pl.DataFrame | None = None) -> pl.DataFrame:
    """Add to each doubt whether it is settled, by whom, when, why and how.

    A line settles the doubts about what it names that its action is an answer to. It does so as long as the evidence
    that the curator saw is that of one of these doubts; a line without evidence always does. So rejecting a specimen
    for its image also settles the doubt about its place, until the image is another one.

    A doubt of `kinds.BY_EVIDENCE` is also answered by a line about something else that has its evidence.

    A line about a group or a name also answers the doubts about labels of its specimens: `relabel`, and `keep` of a
    group. `keep` of one rule answers the doubts of that rule.

    Args:
        doubts: `schema.DOUBTS`.
        lines: lines of `schema.DECISIONS` that have no problem, in any order.
        reached: `reach.REACH`, the specimens of lines about a group or a name; None: they answer no other doubts.

    Returns:
        The doubts in their order, with `state` (one of `STATES`), and of the latest line that decides: `decided_by`,
        `decided_on` (YYYY-MM-DD), `decided_why` (reason and note), `decided_as` (action, field, value); and the ids of
        all `lines` that are about the doubt.
    """
    numbered = doubts.with_row_index("row")
    pairs = _pairs(numbered, lines, reached)
    whole = pl.col("seen").is_null() | (pl.col("seen") == pl.col("evidence")).any().over("line")
    chosen = (
        pairs.filter(_settles() & (~pl.col("by_group") | _settles_members()))
        .with_columns(holds=whole)
        .sort("row", "holds", "date", "line", descending=[False, True, True, False])
        .group_by("row", maintain_order=True)
        .agg(
            state=pl.when(pl.col("holds").first()).then(pl.lit(DECIDED)).otherwise(pl.lit(CHANGED)),
            decided_by=pl.col("curator").first(),
            decided_on=pl.col("date").first(),
            decided_why=pl.concat_str("reason", "note", separator=": ", ignore_nulls=True).first(),
            decided_as=pl.concat_str("action", "field", "value", separator=" ", ignore_nulls=True).first(),
            lines=pl.col("line").unique(maintain_order=True),
        )
    )
    return (
        numbered.join(chosen, on="row", how="left", maintain_order="left")
        .drop("row")
        .with_columns(
            pl.col("state").fill_null(OPEN),
            pl.col("lines").fill_null(pl.lit([], pl.List(pl.String))),
        )
        .cast(_OF_STATE)  # type: ignore[arg-type]
    )


def count_states(doubts: pl.DataFrame) -> pl.DataFrame:
    """Number of doubts by `kind` and `rule` in each state, in the order of the kinds.

    Args:
        doubts: of `with_state`.
    """
    order = pl.col("kind").replace_strict({name: place for place, name in enumerate(KINDS)}, return_dtype=pl.Int32)
    counts = [(pl.col("state") == state).sum().cast(pl.Int64).alias(state) for state in STATES]
    return doubts.group_by("kind", "rule").agg(counts).sort(order, "rule")


def _pairs(doubts: pl.DataFrame, lines: pl.DataFrame, reached: pl.DataFrame | None) -> pl.DataFrame:
    """A row per doubt and line that is about the same specimen, name or group, or about a group of the specimen."""
    said = (
        lines.drop("line")
        .rename({"id": "line", "evidence": "seen"})
        .with_columns(
            member=pl.when(pl.col("group").str.starts_with(BARCODE_OF)).then(
                pl.col("group").str.strip_prefix(BARCODE_OF)
            )
        )
    )
    own = doubts.select("row", "kind", "rule", "processid", "rank", "name", "group", "evidence", "proposed")
    barcodes = (
        doubts.filter(pl.col("group").str.starts_with(BARCODE_OF))
        .select("row", "kind", "rule", "evidence", "proposed", member="members")
        .explode("member")
    )
    by_evidence = own.filter(pl.col("kind").is_in(BY_EVIDENCE))
    keep = ["row", "kind", "rule", "evidence", "proposed", *_LINE]
    pairs = pl.concat(
        [
            by_evidence.join(said, left_on="evidence", right_on="seen", how="inner", coalesce=False).select(keep),
            own.join(said, on="processid", how="inner").select(keep),
            own.join(said, on=["rank", "name"], how="inner").select(keep),
            own.join(said.filter(pl.col("member").is_null()), on="group", how="inner").select(keep),
            barcodes.join(said, on="member", how="inner").select(keep),
        ]
    ).with_columns(by_group=pl.lit(value=False), is_group=pl.lit(value=False))
    if reached is None:
        return pairs
    members = own.join(reached, on="processid", how="inner").join(said, on="line", how="inner", suffix="_line")
    return pl.concat(
        [pairs, members.select(*keep, by_group=pl.lit(value=True), is_group=pl.col("group_line").is_not_null())]
    )


def _settles() -> pl.Expr:
    """Whether a line is an answer to a doubt."""
    action, field = pl.col("action"), pl.col("field")
    named = (field.is_null() & (pl.col("rule") != NO_GAP)) | (field == pl.col("rule"))
    by_kind = pl.any_horizontal(
        pl.lit(value=False),
        *((pl.col("kind") == name) & action.is_in(list(kind.settled_by)) for name, kind in KINDS.items()),
    )
    # A suggestion for one field is not answered by a decision on another one.
    suggested = pl.col("proposed").str.extract("^([a-z_]+):", 1)
    of_report = suggested.is_null() | (suggested == field.fill_null("box"))
    of_place = (action != "set") | field.is_in(["country", "coord"])
    return (
        (action == "reject")
        | ((action == "keep") & named)
        | ((action == "accept") & named & pl.col("rule").is_in(list(LIFTABLE)))
        | (by_kind & pl.when(pl.col("kind") == "report").then(of_report).otherwise(of_place))
    )


def _settles_members() -> pl.Expr:
    """Whether a line about a group or name is an answer to a doubt about one of its specimens.

    `keep` of a name says that its spelling is right, which is no answer to where its specimens belong.
    """
    about_labels = pl.col("kind").is_in([name for name, kind in KINDS.items() if "relabel" in kind.settled_by])
    is_kept = (pl.col("action") == "keep") & ((pl.col("field") == pl.col("rule")) | about_labels & pl.col("is_group"))
    return is_kept | ((pl.col("action") == "relabel") & about_labels)
