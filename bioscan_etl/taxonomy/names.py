"""Taxonomic names of records: normalised text, GBIF name type, rules that apply.

Belongs here: the table `normalised_names`. Does not belong here: normalising one text
(`nametext`), and anything that needs more than the record itself (`curate`).
"""

from __future__ import annotations

import polars as pl

from bioscan_etl.flags import flags_from
from bioscan_etl.schema import NORMALISED_NAMES
from bioscan_etl.taxonomy.nametext import normalise_name
from bioscan_etl.vocabulary import RANKS

# A binomial, informal or not: 'Aus bus', 'Aus cf. bus', 'Aus sp. 5ES'.
STARTS_WITH_GENUS = r"^\p{Lu}\p{Ll}+(?:-\p{Ll}+)? ."


def name_table(names: pl.Series, rank: str) -> pl.DataFrame:
    """Normalise the distinct names of one rank.

    Args:
        names: String, any length, nulls allowed.
        rank: their rank, which decides which rules apply.

    Returns:
        One row per distinct non-null name, sorted: `before`, `after` (String, null if the name means
        "not known"), `type` (GBIF name type) and `steps`, a list of {rule, after} in the order of application.
    """
    distinct = names.drop_nulls().unique().sort()
    results = [normalise_name(name, rank) for name in distinct.to_list()]
    return pl.DataFrame(
        {
            "before": distinct,
            "after": [result.name for result in results],
            "type": [result.type for result in results],
            "steps": [[{"rule": rule, "after": after} for rule, after in result.steps] for result in results],
        },
        schema={
            "before": pl.String,
            "after": pl.String,
            "type": pl.String,
            "steps": pl.List(pl.Struct({"rule": pl.String, "after": pl.String})),
        },
    )


def normalise_names(records: pl.LazyFrame) -> pl.DataFrame:
    """Normalise and classify the labels of records (spec: taxonomy, names).

    Every distinct name is processed once; the result does not depend on other records.

    Args:
        records: columns `batch`, `processid` and the seven ranks as text with nulls folded, as in
            `schema.RECORDS`.

    Returns:
        `schema.NORMALISED_NAMES`, sorted by process ID; `flags` sorted.
    """
    frame = records.select("batch", "processid", *RANKS).sort("processid").collect()
    columns: list[pl.Series] = []
    hits: list[pl.Series] = []
    for rank in RANKS:
        table = name_table(frame[rank], rank).with_columns(
            rules=pl.col("steps").list.eval(pl.element().struct.field("rule"))
        )
        joined = frame.select(before=rank).join(table, on="before", how="left", maintain_order="left")
        columns += [frame[rank].alias(f"{rank}_verbatim"), joined["after"].alias(rank)]
        hits.append(joined["rules"].alias(rank))
        if rank in {"genus", "species"}:
            columns.append(joined["type"].fill_null("NO_NAME").alias(f"{rank}_name_type"))
    named = frame.select("batch", "processid").with_columns(columns)
    doubtful = (pl.col("genus_name_type") == "DOUBTFUL") | (pl.col("species_name_type") == "DOUBTFUL")
    mismatch = (
        pl.col("species").str.contains(STARTS_WITH_GENUS)
        & (pl.col("species").str.split(" ").list.first() != pl.col("genus"))
    ).fill_null(False)
    raised = named.select(raised=flags_from({"NAME_DOUBTFUL": doubtful, "SPECIES_GENUS_MISMATCH": mismatch}))
    return NORMALISED_NAMES.conform(named.with_columns(_together(pl.DataFrame([*hits, raised["raised"]]))))


def _together(lists: pl.DataFrame) -> pl.Series:
    """`flags`: the distinct entries of all lists of a row, sorted; most rows have only empty lists."""
    marked = lists.select(pl.any_horizontal(pl.all().list.len() > 0).fill_null(value=False)).to_series()
    none = pl.lit([], dtype=pl.List(pl.String))
    found = lists.filter(marked).select(pl.concat_list(pl.all().fill_null(none)).list.unique().list.sort()).to_series()
    # The first list is the empty one; the positions of the others follow from counting.
    places = marked.cast(pl.UInt32).cum_sum() * marked.cast(pl.UInt32)
    return pl.concat([pl.Series([[]], dtype=pl.List(pl.String)), found]).gather(places).alias("flags")
