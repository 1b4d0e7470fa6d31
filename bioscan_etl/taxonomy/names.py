"""Taxonomic names of records: normalised text, GBIF name type, rules that apply.

Belongs here: the table `normalised_names`. Does not belong here: normalising one text
(`nametext`), and anything that needs more than the record itself (`curate`).
"""

from __future__ import annotations

import polars as pl

from bioscan_etl.flags import flags_from
from bioscan_etl.schema import NORMALISED_NAMES
from bioscan_etl.taxonomy.authorship import agrees
from bioscan_etl.taxonomy.nametext import confirmable, normalise_name
from bioscan_etl.vocabulary import RANKS

_REFERENCE = "species_reference"
# A binomial, informal or not: 'Aus bus', 'Aus cf. bus', 'Aus sp. 5ES'.
STARTS_WITH_GENUS = r"^\p{Lu}\p{Ll}+(?:-\p{Ll}+)? ."


def name_table(names: pl.Series, rank: str, *, confirmed: bool = False) -> pl.DataFrame:
    """Normalise the distinct names of one rank.

    Args:
        names: String, any length, nulls allowed.
        rank: their rank, which decides which rules apply.
        confirmed: another source says that the text after each name is its author.

    Returns:
        One row per distinct non-null name, sorted: `before`, `after` (String, null if the name means
        "not known"), `type` (GBIF name type) and `steps`, a list of {rule, after} in the order of application.
    """
    distinct = names.drop_nulls().unique().sort()
    results = [normalise_name(name, rank, confirmed=confirmed) for name in distinct.to_list()]
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

    Every distinct name is processed once; the result does not depend on other records. A text after a species name
    that has the form of an author without evidence is one if the record's `species_reference` names the same author.

    Args:
        records: columns `batch`, `processid`, the seven ranks and, if there is one, `species_reference`, as text with
            nulls folded, as in `schema.RECORDS`.

    Returns:
        `schema.NORMALISED_NAMES`, sorted by process ID; `flags` sorted.
    """
    given = [_REFERENCE] if _REFERENCE in records.collect_schema().names() else []
    frame = records.select("batch", "processid", *RANKS, *given).sort("processid").collect()
    columns: list[pl.Series] = []
    hits: list[pl.Series] = []
    for rank in RANKS:
        table = name_table(frame[rank], rank).with_columns(
            rules=pl.col("steps").list.eval(pl.element().struct.field("rule"))
        )
        joined = frame.select(before=rank).join(table, on="before", how="left", maintain_order="left")
        if rank == "species" and given:
            joined = _with_reference(joined, frame[_REFERENCE], table)
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


def _with_reference(joined: pl.DataFrame, references: pl.Series, table: pl.DataFrame) -> pl.DataFrame:
    """Replace the rows in which `species_reference` confirms the text after the species name as its author.

    Args:
        joined: per record `before`, `after`, `type`, `steps`, `rules`.
        references: per record `species_reference`.
        table: the same columns per distinct name.
    """
    open_names = table.filter(pl.col("type") == "PLACEHOLDER").select("before")
    asked = joined.select("before", reference=references).join(open_names, on="before", how="semi").drop_nulls()
    pairs = asked.unique().sort("before", "reference")
    tails = {name: confirmable(name) for name in pairs["before"].unique().to_list()}
    confirmed = pairs.filter(
        pl.Series([agrees(tails[name], reference) for name, reference in pairs.iter_rows()], dtype=pl.Boolean)
    )
    if not confirmed.height:
        return joined
    other = name_table(confirmed["before"], "species", confirmed=True).select(
        "before", _after="after", _type="type", _rules=pl.col("steps").list.eval(pl.element().struct.field("rule"))
    )
    found = joined.with_columns(reference=references).join(
        confirmed.join(other, on="before"), on=["before", "reference"], how="left", maintain_order="left"
    )
    hit = pl.col("_type").is_not_null()
    return found.select(
        "before",
        *(pl.when(hit).then(f"_{name}").otherwise(name).alias(name) for name in ("after", "type", "rules")),
    )


def _together(lists: pl.DataFrame) -> pl.Series:
    """`flags`: the distinct entries of all lists of a row, sorted; most rows have only empty lists."""
    marked = lists.select(pl.any_horizontal(pl.all().list.len() > 0).fill_null(value=False)).to_series()
    none = pl.lit([], dtype=pl.List(pl.String))
    found = lists.filter(marked).select(pl.concat_list(pl.all().fill_null(none)).list.unique().list.sort()).to_series()
    # The first list is the empty one; the positions of the others follow from counting.
    places = marked.cast(pl.UInt32).cum_sum() * marked.cast(pl.UInt32)
    return pl.concat([pl.Series([[]], dtype=pl.List(pl.String)), found]).gather(places).alias("flags")
