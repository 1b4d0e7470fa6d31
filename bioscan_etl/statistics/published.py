"""The published numbers of BIOSCAN-5M beside those of a release.

`published.csv` holds them. They are facts of Gharaee et al. (2024), BIOSCAN-5M: A Multimodal Dataset for Insect
Biodiversity, NeurIPS 37, 36285-36313, as the specification states them (spec: statistics and figures, published
figures; partitioning, published result; taxonomy, published totals; geography; barcodes). A number whose definition
differs from ours has a reason why the two are not comparable.

Belongs here: joining both. Does not belong here: counting ours (`tables`, `distances`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from bioscan_etl.io.tables import read_csv
from bioscan_etl.statistics.definitions import PUBLISHED_TABLE

_FILE = Path(__file__).with_name("published.csv")
ROW_OF: Mapping[str, str] = {
    "attributes": "attribute",
    "partitions": "split",
    "barcodes": "level",
    "distance_levels": "level",
}
"""Tables with a published number, and the column that names a row."""


def published(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """`definitions.PUBLISHED_TABLE`, in the order of the file.

    Args:
        tables: tables of `definitions` by name, those of `ROW_OF` among them. Ours is null where a table or row is
            missing, and where it has no value.
    """
    stated = read_csv(_FILE, schema_overrides={"published": pl.Float64, "reason": pl.String})
    ours = [pl.DataFrame(schema={"table": pl.String, "row": pl.String, "column": pl.String, "ours": pl.Float64})]
    for name, key in ROW_OF.items():
        if name in tables:
            columns = stated.filter(pl.col("table") == name)["column"].unique().sort().to_list()
            numbers = tables[name].select(pl.col(key).alias("row"), pl.col(columns).cast(pl.Float64))
            long = numbers.unpivot(index="row", variable_name="column", value_name="ours")
            ours.append(long.select(pl.lit(name).alias("table"), "row", "column", "ours"))
    joined = stated.join(pl.concat(ours), on=["table", "row", "column"], how="left", maintain_order="left")
    return PUBLISHED_TABLE.conform(joined.with_columns(is_comparable=pl.col("reason").is_null()))
