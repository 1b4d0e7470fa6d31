"""Rare spellings that are similar to a common name under the same parent.

Belongs here: finding likely typos and correcting those that barcodes prove. Does not belong here: a list of
fixes in code; what was found is a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import polars as pl
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist

from bioscan_etl.settings import TaxonomySettings
from bioscan_etl.taxonomy.changes import LOG, NOTES, differences, overlaid
from bioscan_etl.taxonomy.lineage import species_of
from bioscan_etl.vocabulary import RANKS

TYPOS = pl.Schema(
    {
        "rank": pl.String,
        "parent": pl.String,
        "from": pl.String,
        "to": pl.String,
        "distance": pl.Int32,
        "count": pl.Int64,
        "count_to": pl.Int64,
        "supported": pl.Int64,
        "fixed": pl.Boolean,
        "evidence": pl.String,
    }
)
_PARENTS = {"order": "class", "family": "order", "subfamily": "family", "genus": "family", "species": "genus"}
_PLAIN = r"^\p{Lu}\p{Ll}+(?:-\p{Ll}+)?$"
_PLAIN_SPECIES = r"^\p{Lu}\p{Ll}+(?:-\p{Ll}+)? (?:\p{L}+-)?\p{L}+$"
# One letter in ten may be wrong, so two only in long names.
_LONG = 10


@dataclass(frozen=True, slots=True)
class Corrected:
    """Labels after typos were corrected: `labels` as given, `changes.LOG`, and `TYPOS`, fixes and candidates."""

    labels: pl.DataFrame
    log: pl.DataFrame
    typos: pl.DataFrame


def correct_typos(
    labels: pl.DataFrame, bins: pl.Series, settings: TaxonomySettings, kept: pl.DataFrame | None = None
) -> Corrected:
    """Correct spellings that are certainly typos and list those that are only likely (spec: taxonomy, typos).

    A typo has at most `typo_rarity` times the records of a name under the same parent, and differs from it by one
    letter (by up to two in names of ten letters or more). Placeholders, whose codes differ by design, are never
    compared. It is certain if every record of the rare spelling shares its barcode or BIN with a record of
    the common one, or if only capitals differ. A genus is corrected only if its species, corrected with it, are
    known under the correct genus.

    Args:
        labels: `row`, `group` (null without a barcode that others share) and the ranks, normalised.
        bins: BIN of each row, nulls allowed.
        settings: the thresholds.
        kept: `rank` and `name` of names whose spelling a curator has confirmed; they are never typos.
    """
    logs, tables = [pl.DataFrame(schema=LOG)], [pl.DataFrame(schema=TYPOS)]
    # Names are counted over the combinations of labels, of which there are few.
    combinations = labels.group_by(RANKS).agg(records=pl.len())
    for rank, parent in _PARENTS.items():
        pairs = _pairs(combinations, rank, settings)
        if kept is not None:
            pairs = pairs.join(
                kept.filter(pl.col("rank") == rank).select(pl.col("name").alias("from")), on="from", how="anti"
            )
        found = _judged(labels.with_columns(bin=bins), pairs, rank, settings)
        tables.append(found)
        fixes = found.filter("fixed").select(
            pl.col("parent").alias(parent), pl.col("from").alias(rank), "to", "evidence"
        )
        if not fixes.height:
            continue
        hit = labels.filter(pl.col(rank).is_in(fixes[rank].implode())).join(fixes, on=[parent, rank], how="inner")
        hit = hit.sort("row")
        after = _renamed(hit, rank)
        notes = pl.concat(
            hit.select(key="row", field=pl.lit(field), rule=pl.lit("NAME_TYPO_FIXED"), evidence="evidence")
            for field in (rank, "species")
        ).unique(["key", "field"], maintain_order=True)
        logs.append(differences(hit, after, notes.cast(NOTES), "row"))
        labels = overlaid(labels, after, "row")
        fixed = combinations.join(fixes.select(parent, rank, "to"), on=[parent, rank], how="left")
        is_hit = pl.col("to").is_not_null()
        combinations = pl.concat([fixed.filter(~is_hit), _renamed(fixed.filter(is_hit), rank)]).drop("to")
    return Corrected(labels, pl.concat(logs), pl.concat(tables).sort("rank", "parent", "from", "to"))


def _renamed(hit: pl.DataFrame, rank: str) -> pl.DataFrame:
    """Labels after `rank` became `to`; the species of a genus are renamed with it."""
    if rank == "genus":
        hit = hit.with_columns(species=species_of(pl.col("to"), pl.col("genus")))
    return hit.with_columns(pl.col("to").alias(rank))


def _pairs(combinations: pl.DataFrame, rank: str, settings: TaxonomySettings) -> pl.DataFrame:
    """Pairs of names under one parent, rare and common, that differ by a letter or two."""
    plain = _PLAIN_SPECIES if rank == "species" else _PLAIN
    word = pl.col("name").str.split(" ").list.last()
    names = (
        combinations.select("records", parent=_PARENTS[rank], name=rank)
        .drop_nulls()
        .group_by("parent", "name")
        .agg(records=pl.col("records").cast(pl.Int64).sum())
        .filter(pl.col("name").str.contains(plain) & (word.str.len_chars() >= settings.typo_min_length))
        .sort("parent", "name")
    )
    bounds = names.group_by("parent").agg(low=pl.col("records").min(), high=pl.col("records").max())
    promising = bounds.filter(pl.col("low") <= settings.typo_rarity * pl.col("high"))
    names = names.join(promising, on="parent", how="semi", maintain_order="left")
    rows: list[tuple[str, str, str, int, int, int]] = []
    named = names.select("parent", "name", "records").rows()
    for _, group in groupby(named, itemgetter(0)):
        rows += _close(list(group), settings)
    return pl.DataFrame(
        rows,
        orient="row",
        schema={name: TYPOS[name] for name in ("parent", "from", "to", "distance", "count", "count_to")},
    )


def _close(group: list[tuple[str, str, int]], settings: TaxonomySettings) -> list[tuple[str, str, str, int, int, int]]:
    """The pairs of one parent. Hundreds of parents have a few names each: a table would cost more than its rows."""
    counts = [records for _, _, records in group]
    rare = [row for row in group if row[2] <= settings.typo_rarity * max(counts)]
    common = [row for row in group if row[2] * settings.typo_rarity >= min(counts)]
    distances = cdist(
        [name.casefold() for _, name, _ in rare],
        [name.casefold() for _, name, _ in common],
        scorer=OSA.distance,
        score_cutoff=2,
    )
    close = []
    for row, column in zip(*(distances <= 2).nonzero(), strict=True):
        (parent, name, records), (_, other, others) = rare[row], common[column]
        distance = int(distances[row, column])
        length = min(len(name.split(" ")[-1]), len(other.split(" ")[-1]))
        regular = " " not in other or other.split(" ")[1].islower()
        far = distance > (1 if length < _LONG else 2)
        if name != other and regular and not far and records <= settings.typo_rarity * others:
            close.append((parent, name, other, distance, records, others))
    return close


def _judged(labels: pl.DataFrame, pairs: pl.DataFrame, rank: str, settings: TaxonomySettings) -> pl.DataFrame:
    """Add what the barcodes say of each pair and whether that is proof."""
    pairs = pairs.with_row_index("pair")
    parent = _PARENTS[rank]
    # Few records carry such a name.
    named = pl.col(rank).is_in(pl.concat([pairs["from"], pairs["to"]]).unique().implode())
    marked = labels.filter(named).select("row", "group", "bin", "species", parent=parent, name=rank)
    wrong = marked.join(pairs.select("pair", "parent", name="from"), on=["parent", "name"], how="inner")
    right = marked.join(pairs.select("pair", "parent", name="to"), on=["parent", "name"], how="inner")
    shared = pl.concat(_sharing(wrong, right, mark) for mark in ("group", "bin"))
    support = shared.unique().group_by("pair").agg(supported=pl.len().cast(pl.Int64))
    targets = pairs.group_by("parent", "from").agg(targets=pl.len())
    judged = (
        pairs.join(support, on="pair", how="left")
        .join(targets, on=["parent", "from"], how="left")
        .with_columns(pl.col("supported").fill_null(0))
    )
    proven = (pl.col("supported") == pl.col("count")) | (pl.col("distance") == 0)
    fixed = pl.lit(settings.typo_fix) & proven & (pl.col("targets") == 1)
    if rank == "genus":
        fixed &= ~pl.col("pair").is_in(_orphaning(wrong, right, pairs).implode())
    return (
        judged.with_columns(fixed=fixed, rank=pl.lit(rank))
        .with_columns(
            evidence=pl.format(
                "{} records against {}, {} letters differ, {} share a barcode or BIN",
                "count",
                "count_to",
                "distance",
                "supported",
            )
        )
        # Two letters are a likely typo only with some proof: many pairs of families are that close.
        .filter((pl.col("distance") < 2) | (pl.col("supported") > 0))
        .select(list(TYPOS))
        .cast(TYPOS)
    )


def _sharing(wrong: pl.DataFrame, right: pl.DataFrame, mark: str) -> pl.DataFrame:
    """`pair` and `row` of the rare spelling's records whose barcode or BIN a record of the common one has."""
    theirs = right.select("pair", mark).filter(pl.col(mark).is_in(wrong[mark].drop_nulls().unique().implode()))
    return wrong.join(theirs.unique(), on=["pair", mark], how="semi").select("pair", "row")


def _orphaning(wrong: pl.DataFrame, right: pl.DataFrame, pairs: pl.DataFrame) -> pl.Series:
    """Pairs of genera whose correcting would make a species that no record carries."""
    species = wrong.select("pair", "name", "species").drop_nulls().unique()
    corrected = species.join(pairs.select("pair", "to"), on="pair", how="inner").with_columns(
        corrected=species_of(pl.col("to"), pl.col("name"))
    )
    known = right.select("pair", corrected="species").drop_nulls().unique()
    kept = corrected.filter(pl.col("corrected") != pl.col("species"))
    return kept.join(known, on=["pair", "corrected"], how="anti")["pair"].unique().sort()
