"""One lineage per name, from all records of the corpus.

Belongs here: the corpus' own lineage table, its application, homonyms, fillers. All functions work on the
distinct combinations of the seven labels, with the number of records of each: about ten thousand rows
however large the corpus. Records with the same labels before have the same labels after.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from bioscan_etl.settings import TaxonomySettings
from bioscan_etl.taxonomy.changes import NOTES
from bioscan_etl.taxonomy.names import STARTS_WITH_GENUS
from bioscan_etl.vocabulary import RANKS

# Separates a genus from the order that distinguishes its homonyms; no name contains control characters.
_SEPARATOR = "\x1f"


@dataclass(frozen=True, slots=True)
class Step:
    """Combinations after a step: `combination`, `records` and the ranks; `NOTES` keyed by combination."""

    combinations: pl.DataFrame
    notes: pl.DataFrame


def species_of(genus: pl.Expr, before: pl.Expr) -> pl.Expr:
    """The species with its first word replaced by a genus, where that word is the genus before. Reads `species`."""
    words = pl.col("species").str.splitn(" ", 2)
    renamed = pl.concat_str(genus, pl.lit(" "), words.struct.field("field_1"))
    return pl.when(words.struct.field("field_0") == before).then(renamed).otherwise("species")


def combinations_of(labels: pl.DataFrame) -> pl.DataFrame:
    """The distinct combinations of labels, sorted, as `combination` (UInt32), `records` and the ranks."""
    return (
        labels.group_by(RANKS)
        .agg(records=pl.len())
        .sort(RANKS)
        .with_row_index("combination")
        .with_columns(pl.col("combination").cast(pl.UInt32))
    )


def genus_from_species(combinations: pl.DataFrame) -> Step:
    """Fill a missing genus with the first word of the binomial species name."""
    first = pl.col("species").str.split(" ").list.first()
    binomial = pl.col("genus").is_null() & pl.col("species").str.contains(STARTS_WITH_GENUS).fill_null(False)
    notes = combinations.filter(binomial).select(
        key="combination",
        field=pl.lit("genus"),
        rule=pl.lit("GENUS_FROM_SPECIES"),
        evidence=pl.format("first word of {}", "species"),
    )
    return Step(combinations.with_columns(genus=pl.when(binomial).then(first).otherwise("genus")), notes.cast(NOTES))


def one_lineage(combinations: pl.DataFrame, settings: TaxonomySettings) -> Step:
    """Give each name one lineage, and each record the lineage of its deepest name.

    From class down to species, the records with a name vote on its lineage, rank by rank from phylum:
    the most frequent label wins (then the lexically first), and only records with that label or none vote on.
    All records of the name get the result, which corrects and fills their ranks above.

    A genus in two orders counts as a pair of homonyms, and each keeps its own lineage, if the rarer has
    `minimum_support` records or the more frequent has less than `majority_share`. Otherwise the records of the rarer
    count as misplaced. A species label that contains no genus is kept in its main genus; elsewhere it is cleared.

    Args:
        combinations: as from `combinations_of`.
        settings: the shares.

    Returns:
        The combinations in the same order; labels of several may now be the same.
    """
    frame = combinations.with_columns(pl.lit(None, pl.String).alias(f"_why_{rank}") for rank in RANKS)
    tables: dict[str, pl.DataFrame] = {}
    for rank in RANKS[1:]:
        frame = _keyed(frame, rank, settings)
        if rank == "species":
            frame = _clear_ambiguous(frame)
        table = _lineages(frame, rank, tables)
        tables[rank] = table
        frame = _applied(frame, rank, table)
    changed = pl.concat(
        combinations.select(key="combination", before=rank)
        .with_columns(after=frame[rank], evidence=frame[f"_why_{rank}"], field=pl.lit(rank))
        .filter(pl.col("before").ne_missing(pl.col("after")))
        for rank in RANKS
    )
    rule = (
        pl.when(pl.col("field") == "species")
        .then(pl.lit("SPECIES_AMBIGUOUS"))
        .when(pl.col("before").is_null())
        .then(pl.lit("INFERRED_FROM_LINEAGE"))
        .otherwise(pl.lit("LINEAGE_ONE_PARENT"))
    )
    notes = changed.select("key", "field", rule=rule, evidence="evidence").cast(NOTES)
    return Step(frame.select("combination", "records", *RANKS), notes)


def fill_gaps(combinations: pl.DataFrame) -> Step:
    """Fill every gap above a labelled rank with `unassigned <nearest labelled rank above>`.

    If no rank above is labelled, the filler is only `unassigned`. If a name occurs at two ranks, the
    filler adds the rank, because it would otherwise have two parents: `unassigned Aus (class)`.

    Args:
        combinations: as from `one_lineage`.
    """
    ranks = pl.concat(
        combinations.select(pl.col(rank).alias("name")).drop_nulls().unique().with_columns(rank=pl.lit(rank))
        for rank in RANKS[:-1]
    )
    twice = ranks.group_by("name").len().filter(pl.col("len") > 1)["name"].to_list()
    nearest = pl.lit("")
    filled, notes = [], []
    for number, rank in enumerate(RANKS):
        deeper = pl.any_horizontal(pl.col(lower).is_not_null() for lower in RANKS[number:])
        gap = pl.col(rank).is_null() & deeper
        filler = pl.concat_str(pl.lit("unassigned"), nearest)
        filled.append(pl.when(gap).then(filler).otherwise(rank).alias(rank))
        notes.append(
            combinations.filter(gap).select(
                key="combination",
                field=pl.lit(rank),
                rule=pl.lit("UNASSIGNED_FILLER"),
                evidence=pl.lit(None, pl.String),
            )
        )
        base = pl.concat_str(
            pl.lit(" "), rank, pl.when(pl.col(rank).is_in(twice)).then(pl.lit(f" ({rank})")).otherwise(pl.lit(""))
        )
        nearest = pl.when(pl.col(rank).is_not_null()).then(base).otherwise(nearest)
    return Step(combinations.with_columns(filled), pl.concat(notes).cast(NOTES))


def _keyed(frame: pl.DataFrame, rank: str, settings: TaxonomySettings) -> pl.DataFrame:
    """Add `_<rank>_key`: the name, with its order for ranks that can have homonyms."""
    if rank == "genus":
        return _genus_keyed(frame, settings)
    if rank != "species":
        return frame.with_columns(pl.col(rank).alias(f"_{rank}_key"))
    homonymous = pl.col("_genus_key").str.contains(_SEPARATOR, literal=True).fill_null(False)
    apart = frame.filter(homonymous & pl.col("species").is_not_null())["species"].unique().to_list()
    return frame.with_columns(
        _species_key=pl.when(pl.col("species").is_in(apart))
        .then(pl.concat_str("species", pl.lit(_SEPARATOR), pl.col("order").fill_null("")))
        .otherwise("species")
    )


def _genus_keyed(frame: pl.DataFrame, settings: TaxonomySettings) -> pl.DataFrame:
    orders = (
        frame.filter(pl.col("genus").is_not_null() & pl.col("order").is_not_null())
        .group_by("genus", "order")
        .agg(records=pl.col("records").sum())
        .sort("genus", "records", "order", descending=[False, True, False])
        .with_columns(
            share=pl.col("records").first().over("genus") / pl.col("records").sum().over("genus"),
            main=pl.col("order").first().over("genus"),
        )
        .with_columns(
            home=pl.when((pl.col("records") >= settings.minimum_support) | (pl.col("share") < settings.majority_share))
            .then("order")
            .otherwise("main")
        )
        .with_columns(homes=pl.col("home").n_unique().over("genus"))
    )
    joined = frame.join(
        orders.filter(pl.col("homes") > 1).select("genus", "order", "home"),
        on=["genus", "order"],
        how="left",
        maintain_order="left",
    )
    apart = orders.filter(pl.col("homes") > 1)["genus"].unique().to_list()
    return joined.with_columns(
        _genus_key=pl.when(pl.col("genus").is_in(apart))
        .then(pl.concat_str("genus", pl.lit(_SEPARATOR), pl.col("home").fill_null("")))
        .otherwise("genus")
    ).drop("home")


def _clear_ambiguous(frame: pl.DataFrame) -> pl.DataFrame:
    """Clear species labels that contain no genus, outside their main genus."""
    loose = ~pl.col("species").str.contains(STARTS_WITH_GENUS)
    votes = (
        frame.filter(loose & pl.col("_genus_key").is_not_null())
        .group_by("_species_key", "_genus_key")
        .agg(records=pl.col("records").sum())
        .sort("_species_key", "records", "_genus_key", descending=[False, True, False])
    )
    main = votes.group_by("_species_key", maintain_order=True).agg(
        _main=pl.col("_genus_key").first(),
        _many=pl.len() > 1,
        _seen=pl.format("{} of {} records are in the main genus", pl.col("records").first(), pl.col("records").sum()),
    )
    joined = frame.join(main, on="_species_key", how="left", maintain_order="left")
    # For a record without genus it is unknown which of several genera its code belongs to.
    stray = (loose & pl.col("_many") & pl.col("_genus_key").ne_missing(pl.col("_main"))).fill_null(False)
    return joined.with_columns(
        species=pl.when(~stray).then("species"),
        _species_key=pl.when(~stray).then("_species_key"),
        _why_species=pl.when(stray).then("_seen").otherwise("_why_species"),
    ).drop("_main", "_many", "_seen")


def _lineages(frame: pl.DataFrame, rank: str, tables: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """The lineage of each name of a rank: `key`, the ranks above (`_to_*`), `_to_genus_key`, and the counts."""
    above = RANKS[: RANKS.index(rank)]
    key = f"_{rank}_key"
    votes = frame.filter(pl.col(key).is_not_null()).with_columns(key=key, _in=pl.lit(True))
    table = votes.select("key").unique().sort("key")
    for upper in above:
        voted = "_genus_key" if upper == "genus" else upper
        counts = (
            votes.filter(pl.col(voted).is_not_null())
            .group_by("key", voted)
            .agg(
                eligible=pl.col("records").filter("_in").sum(),
                records=pl.col("records").sum(),
            )
            .with_columns(total=pl.col("records").sum().over("key"))
            .filter(pl.col("eligible") > 0)
            .sort("key", "eligible", voted, descending=[False, True, False])
            .group_by("key", maintain_order=True)
            .first()
            .select(
                "key",
                pl.col(voted).alias(f"_to_{voted.strip('_')}"),
                pl.format("{} of {}", "records", "total").alias(f"_of_{upper}"),
            )
        )
        table = table.join(counts, on="key", how="left", maintain_order="left")
        votes = votes.join(counts, on="key", how="left").with_columns(
            _in=pl.col("_in") & (pl.col(voted).is_null() | pl.col(voted).eq_missing(pl.col(f"_to_{voted.strip('_')}")))
        )
        votes = votes.select(pl.exclude("^_to_.*$", "^_of_.*$"))
    # The nearest labelled rank above already has its own lineage, which takes precedence.
    settled = pl.lit(False)
    for upper in reversed(above[1:]):
        name = "_to_genus_key" if upper == "genus" else f"_to_{upper}"
        own = tables[upper].select(
            pl.col("key").alias(name), *(pl.col(f"_to_{r}").alias(f"_own_{r}") for r in RANKS[: RANKS.index(upper)])
        )
        table = table.with_columns(_settled=settled).join(own, on=name, how="left", maintain_order="left")
        here = pl.col(name).is_not_null() & ~pl.col("_settled")
        table = table.with_columns(
            *(
                pl.when(here).then(f"_own_{r}").otherwise(f"_to_{r}").alias(f"_to_{r}")
                for r in RANKS[: RANKS.index(upper)]
            ),
            _settled_next=pl.col("_settled") | here,
        ).select(pl.exclude("^_own_.*$"))
        table = table.drop("_settled").rename({"_settled_next": "_settled"})
        settled = pl.col("_settled")
    if "_to_genus_key" in table.columns:
        table = table.with_columns(_to_genus=pl.col("_to_genus_key").str.split(_SEPARATOR).list.first())
    return table


def _applied(frame: pl.DataFrame, rank: str, table: pl.DataFrame) -> pl.DataFrame:
    """Set the ranks above a name to its lineage, and note where that changed them."""
    above = RANKS[: RANKS.index(rank)]
    joined = frame.join(table, left_on=f"_{rank}_key", right_on="key", how="left", maintain_order="left")
    named = pl.col(f"_{rank}_key").is_not_null()
    updates = []
    for upper in above:
        new = pl.col(f"_to_{upper}")
        differs = named & new.ne_missing(pl.col(upper))
        why = pl.format(
            "{}: {} {} in {} records",
            pl.lit(rank) + " " + pl.col(rank),
            pl.lit(upper),
            new.fill_null("none"),
            pl.col(f"_of_{upper}").fill_null("0 of 0"),
        )
        updates += [
            pl.when(named).then(new).otherwise(upper).alias(upper),
            pl.when(differs).then(why).otherwise(f"_why_{upper}").alias(f"_why_{upper}"),
        ]
    if rank == "species":
        updates.append(pl.when(named).then("_to_genus_key").otherwise("_genus_key").alias("_genus_key"))
    return joined.with_columns(updates).select(frame.columns)
