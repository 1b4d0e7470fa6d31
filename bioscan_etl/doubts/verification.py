"""What curators say of the labels of each accepted specimen: verified, disputed, or neither.

Belongs here: deriving it from doubts, their states, and the lines of the decisions. Does not belong here: the states
(`state`), and holding a release against it (`release.check.verification`).

It is a column of the release. Darwin Core calls the term identificationVerificationStatus, and leaves its values to the
publisher.
"""

from __future__ import annotations

import polars as pl

from bioscan_etl.doubts.find import Tables
from bioscan_etl.doubts.kinds import KINDS
from bioscan_etl.doubts.reach import facts_named, reach
from bioscan_etl.doubts.state import DECIDED
from bioscan_etl.schema import DISPUTED, VERIFICATION, VERIFIED
from bioscan_etl.vocabulary import RANKS, RELABELLED

ABOUT_LABELS = ("label", "conflict", "misplaced")
"""Kinds of doubts that are always about labels; typos and reports are about names and other things, too."""
LABEL_RULES = tuple(rule for kind in ABOUT_LABELS for rule in KINDS[kind].rules)
LABEL_REASONS = ("contested_label", "deeper_label", "misidentified", "spelling", "synonym")
"""Reasons of a report that are about labels although it suggests none."""
_STATES = pl.Schema({"processid": pl.String(), "is_decided": pl.Boolean(), "is_label": pl.Boolean()})


def verification(doubts: pl.DataFrame, tables: Tables, left_out: pl.Series) -> pl.DataFrame:
    """The status of the labels of each accepted specimen.

    The labels of a specimen are disputed as long as a doubt about them is open, or its evidence has changed since it
    was decided. If not, they are verified if a curator set a label of the specimen, its barcode, its BIN or its name,
    or kept the labels as they are.

    Args:
        doubts: of `reach.settled`.
        tables: the tables in which the doubts were found.
        left_out: ids of lines that would break the labels.

    Returns:
        `schema.VERIFICATION`, in process ID order, without unverified specimens.
    """
    told = pl.concat([_of_specimens(doubts, tables.proposals), _of_groups(doubts), _of_names(doubts, tables.curated)])
    states = told.group_by("processid").agg(
        disputed=~pl.col("is_decided").all(), verified=(pl.col("is_decided") & pl.col("is_label")).any()
    )
    said = said_of_labels(tables.decisions).filter(~pl.col("id").is_in(left_out.implode()))
    set_ones = tables.curated.filter(pl.col("flags").list.contains(RELABELLED)).select("processid").collect()
    reached = pl.concat([reaching(said, tables.specimens), set_ones]).unique().with_columns(reached=pl.lit(value=True))
    every = (
        states.join(reached, on="processid", how="full", coalesce=True)
        .with_columns(
            verification_status=pl.when("disputed")
            .then(pl.lit(DISPUTED))
            .when(pl.col("verified").fill_null(value=False) | pl.col("reached").fill_null(value=False))
            .then(pl.lit(VERIFIED))
        )
        .drop_nulls("verification_status")
        .select(VERIFICATION.names())
    )
    accepted = tables.curated.select("processid").join(every.lazy(), on="processid", how="inner")
    return VERIFICATION.conform(accepted.collect(engine="streaming").sort("processid"))


def said_of_labels(lines: pl.DataFrame) -> pl.DataFrame:
    """The lines that say of labels that they are right, whatever the evidence is today.

    Those are the lines that set labels; and those that keep them and name no evidence. A line that names evidence
    answers the doubt that has it, and no other. `keep` of a name says that its spelling is right, and nothing of the
    specimens that carry it.

    Args:
        lines: usable lines of `schema.DECISIONS`.
    """
    is_kept = (
        (pl.col("action") == "keep")
        & pl.col("name").is_null()
        & pl.col("evidence").is_null()
        & (pl.col("field").is_null() | pl.col("field").is_in(LABEL_RULES))
    )
    return lines.filter((pl.col("action") == "relabel") | is_kept)


def reaching(lines: pl.DataFrame, specimens: pl.LazyFrame) -> pl.DataFrame:
    """The specimens that lines are about: `processid`, each once.

    Args:
        lines: lines of `schema.DECISIONS`.
        specimens: `schema.SPECIMENS`; of it, `processid`, `dna_bin`, `dna_barcode` and the ranks are read.
    """
    own = lines.select("processid").drop_nulls()
    groups = lines.filter(pl.col("processid").is_null())
    if groups.is_empty():
        return own.unique(maintain_order=True)
    return pl.concat([own, reach(groups, facts_named(specimens, groups)).select("processid")]).unique(
        maintain_order=True
    )


def _state(processid: pl.Expr) -> list[pl.Expr]:
    decided = pl.col("state") == DECIDED
    # `decided_as` begins with the action.
    by_label = pl.col("decided_as").str.extract("^([a-z]+)", 1).is_in(["relabel", "keep"]).fill_null(value=False)
    return [processid.alias("processid"), decided.alias("is_decided"), by_label.alias("is_label")]


def _of_specimens(doubts: pl.DataFrame, proposals: pl.DataFrame) -> pl.DataFrame:
    """Doubts about one specimen's labels, among them reports that suggest a label or doubt one."""
    said = proposals.filter(pl.col("field").is_null(), pl.col("reason").is_in(LABEL_REASONS))
    suggested = pl.col("proposed").str.extract("^([a-z_]+):", 1).is_in(RANKS)
    doubted = pl.col("proposed").is_null() & pl.col("processid").is_in(said["processid"].unique().implode())
    of_labels = pl.col("kind").is_in(ABOUT_LABELS) | ((pl.col("kind") == "report") & (suggested | doubted))
    return doubts.filter(pl.col("processid").is_not_null(), of_labels).select(_state(pl.col("processid"))).cast(_STATES)


def _of_groups(doubts: pl.DataFrame) -> pl.DataFrame:
    """Conflicts, a row for each member."""
    rows = doubts.filter(pl.col("members").is_not_null(), pl.col("kind").is_in(ABOUT_LABELS))
    return rows.select(_state(pl.col("members"))).explode("processid").cast(_STATES)


def _of_names(doubts: pl.DataFrame, curated: pl.LazyFrame) -> pl.DataFrame:
    """Spellings that are likely wrong and not decided, a row for each specimen that carries one.

    A spelling that is decided says nothing of the specimens: the insect may still be another one.
    """
    names = doubts.filter((pl.col("kind") == "typo") & (pl.col("state") != DECIDED)).select(
        "rank", "name", "state", "decided_as"
    )
    found = [pl.DataFrame(schema=_STATES)]
    for rank in RANKS:
        of_rank = names.filter(pl.col("rank") == rank).drop("rank").rename({"name": rank})
        if of_rank.height:
            carriers = curated.select("processid", rank).join(of_rank.lazy(), on=rank, how="inner")
            found.append(carriers.select(_state(pl.col("processid"))).collect(engine="streaming"))
    return pl.concat(found)
