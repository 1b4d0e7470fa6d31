"""Conflicting labels of one barcode or BIN: use the label of a large majority, or none.

Belongs here: the vote within a group. Does not belong here: filling what is missing (`inference`).
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from bioscan_etl.settings import TaxonomySettings
from bioscan_etl.taxonomy.changes import NOTES, differences, overlaid
from bioscan_etl.taxonomy.varied import varied
from bioscan_etl.vocabulary import RANKS

CONFLICTS = pl.Schema(
    {
        "within": pl.String(),
        "group": pl.UInt32(),
        "rank": pl.String(),
        "labels": pl.String(),
        "records": pl.UInt32(),
        "processids": pl.List(pl.String),
    }
)


@dataclass(frozen=True, slots=True)
class Voters:
    """A kind of group whose records must agree.

    Attributes:
        name: name of the group, for the evidence.
        ranks: ranks at which it must agree, from phylum down.
        majority: id of the rule by which a label wins.
        outvoted: id of the rule that clears a record's labels below the rank at which it was outvoted.
        conflict: id of the rule that clears a rank without a majority, and all below.
    """

    name: str
    ranks: tuple[str, ...]
    majority: str
    outvoted: str
    conflict: str


BARCODE = Voters("barcode", RANKS, "BARCODE_MAJORITY", "BARCODE_OUTVOTED", "BARCODE_CONFLICT")
# A BIN may contain closely related species, so species are not compared within it.
BIN = Voters("BIN", RANKS[:-1], "BIN_MAJORITY", "BIN_OUTVOTED", "BIN_CONFLICT_CLEARED")


@dataclass(frozen=True, slots=True)
class Resolution:
    """Labels after the vote.

    Attributes:
        labels: `row`, `group` and the ranks, in the order given.
        log: `changes.LOG`.
        conflicts: groups without a majority: `within` (barcode or BIN), `group`, `rank`, `labels` with their
            counts, `records`.
    """

    labels: pl.DataFrame
    log: pl.DataFrame
    conflicts: pl.DataFrame


def resolve_conflicts(labels: pl.DataFrame, settings: TaxonomySettings, voters: Voters = BARCODE) -> Resolution:
    """Resolve conflicting labels of the records of one barcode or BIN (spec: taxonomy, conflicts).

    In each group of records, from phylum down: if all labels of the rank are equal, they are kept.
    Otherwise all labelled records get the label with at least `majority_share` of the group's labelled records and
    `minimum_support` records. If there is none, the rank and all ranks below are cleared for the whole group.
    A record that was outvoted at a rank still counts as labelled at the ranks below, but its labels there cannot win:
    its genus is not in the winner's family. Ranks below those that the group votes on are unchanged, except
    in records that were outvoted and in groups that were cleared.

    Args:
        labels: `row` (UInt32), `group` (UInt32; null for a record that is in none) and the ranks (String).
        settings: the shares.
        voters: the kind of group.
    """
    disagree = (
        varied(labels, "group", voters.ranks)
        .group_by("group")
        .agg(pl.any_horizontal(pl.col(rank).min() != pl.col(rank).max() for rank in voters.ranks).alias("disagree"))
        .filter("disagree")
    )
    votes = labels.join(disagree, on="group", how="semi").with_columns(eligible=pl.lit(True), cleared=pl.lit(False))
    before = votes.select("row", "group", *RANKS)
    notes, conflicts = [], [pl.DataFrame(schema=CONFLICTS).drop("processids")]
    for rank in voters.ranks:
        verdicts = _verdicts(votes, rank, settings, voters)
        notes.append(verdicts.select(key="group", field=pl.lit(rank), rule="rule", evidence="evidence"))
        conflicts.append(
            verdicts.filter(rule=voters.conflict).select(
                "group", "labels", "records", rank=pl.lit(rank), within=pl.lit(voters.name)
            )
        )
        below = RANKS[RANKS.index(rank) + 1 :]
        notes += [
            verdicts.filter(rule=voters.conflict).select(
                key="group", field=pl.lit(lower), rule="rule", evidence="evidence"
            )
            for lower in below
        ]
        votes = votes.join(verdicts.select("group", "label", "rule"), on="group", how="left").with_columns(
            cleared=pl.col("cleared") | (pl.col("rule") == voters.conflict).fill_null(False)
        )
        label = pl.when(pl.col(rank).is_not_null() & ~pl.col("cleared")).then("label")
        votes = votes.with_columns(
            label.alias(rank),
            eligible=pl.col("eligible") & (pl.col(rank).is_null() | pl.col(rank).eq_missing(pl.col("label"))),
        ).drop("label", "rule")
    for rank in RANKS[len(voters.ranks) :]:
        notes.append(
            votes.filter(~pl.col("eligible") & ~pl.col("cleared"))
            .group_by("group")
            .agg(pl.len())
            .select(
                key="group",
                field=pl.lit(rank),
                rule=pl.lit(voters.outvoted),
                evidence=pl.format("{} records of the {} were outvoted above", "len", pl.lit(voters.name)),
            )
        )
        votes = votes.with_columns(pl.when(pl.col("eligible") & ~pl.col("cleared")).then(rank).alias(rank))
    votes = votes.sort("row")
    log = differences(before.sort("row"), votes, pl.concat(notes).cast(NOTES), "group")
    settled = overlaid(labels, votes, "row").select("row", "group", *RANKS)
    found = pl.concat([frame.select(conflicts[0].columns) for frame in conflicts], how="vertical_relaxed")
    return Resolution(settled, log, found.sort("group", "rank"))


def _verdicts(votes: pl.DataFrame, rank: str, settings: TaxonomySettings, voters: Voters) -> pl.DataFrame:
    """One row per group with a label at the rank: the label it gets, the rule if not all agree, the counts."""
    counts = (
        votes.filter(~pl.col("cleared") & pl.col(rank).is_not_null())
        .group_by("group", rank)
        .agg(records=pl.len(), eligible=pl.col("eligible").sum())
        .sort("group", "eligible", rank, descending=[False, True, False])
    )
    tally = counts.group_by("group", maintain_order=True).agg(
        label=pl.col(rank).first(),
        support=pl.col("eligible").first(),
        records=pl.col("records").sum(),
        distinct=pl.len(),
        labels=pl.format("{} ({})", rank, "records").str.join("; "),
    )
    won = (pl.col("support") / pl.col("records") >= settings.majority_share) & (
        pl.col("support") >= settings.minimum_support
    )
    outvoted = pl.col("support") == 0
    conflict = ~outvoted & (pl.col("distinct") > 1) & ~won
    return tally.select(
        "group",
        "labels",
        "records",
        label=pl.when(~outvoted & ~conflict).then("label"),
        rule=pl.when(outvoted)
        .then(pl.lit(voters.outvoted))
        .when(conflict)
        .then(pl.lit(voters.conflict))
        .otherwise(pl.lit(voters.majority)),
        evidence=pl.format(
            "{} of the {}'s {} labelled records: {}", pl.lit(rank), pl.lit(voters.name), "records", "labels"
        ),
    )
