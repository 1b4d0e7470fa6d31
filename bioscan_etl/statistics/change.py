"""What changed in the statistics from one release to the next.

Belongs here: comparing tables of statistics. Does not belong here: which records changed (`release.diff`).
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

CHANGE = pl.Schema(
    {
        "table": pl.String(),
        "row": pl.String(),
        "column": pl.String(),
        "before": pl.Float64(),
        "after": pl.Float64(),
        "change": pl.Float64(),
    }
)
COMPARED: Mapping[str, tuple[str, ...]] = {
    "attributes": ("attribute",),
    "sizes": ("attribute",),
    "partitions": ("split",),
    "partition_shift": ("split",),
    "orders": ("order",),
    "species_kinds": ("kind",),
    "missing": ("field",),
    "barcodes": ("level",),
    "distance_levels": ("level",),
    "species_grades": ("grade",),
    "completeness": ("unit", "order"),
}
"""Tables that are compared, in order, with the columns that name a row."""
_NONE = "none"


def change(before: Mapping[str, pl.DataFrame], after: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The numbers that differ.

    Args:
        before: tables of `definitions` by name; one that is missing, as in an earlier version, is not compared.
        after: the same of the later release.

    Returns:
        `CHANGE`, in the order of `COMPARED`, of the later table's rows and then of rows that went, and of the columns.
        A row that came or went has null on one side. Shares follow from the counts and are left out, as is a column
        that only one side has.
    """
    found = [pl.DataFrame(schema=CHANGE)]
    for name, key in COMPARED.items():
        if name in before and name in after:
            found.append(_changed(name, key, before[name], after[name]))
    return pl.concat(found)


def _changed(name: str, key: tuple[str, ...], before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    numbers = [
        column
        for column, dtype in after.schema.items()
        if dtype.is_numeric() and column in before.columns and not column.endswith("_share")
    ]

    def long(table: pl.DataFrame, side: str) -> pl.DataFrame:
        row = pl.concat_str([pl.col(one).fill_null(_NONE) for one in key], separator=", ")
        return table.select(row.alias("row"), pl.col(numbers).cast(pl.Float64)).unpivot(
            index="row", variable_name="column", value_name=side
        ).with_row_index(f"at_{side}")  # fmt: skip

    both = long(after, "after").join(
        long(before, "before"), on=["row", "column"], how="full", coalesce=True, maintain_order="left_right"
    )
    differ = both.filter(pl.col("before").ne_missing(pl.col("after")))
    order = {row: place for place, row in enumerate(dict.fromkeys(differ["row"].to_list()))}
    columns = {column: place for place, column in enumerate(numbers)}
    return differ.with_columns(
        table=pl.lit(name),
        change=pl.col("after") - pl.col("before"),
        place=pl.col("row").replace_strict(order, return_dtype=pl.Int64),
        number=pl.col("column").replace_strict(columns, return_dtype=pl.Int64),
    ).sort("place", "number").select(CHANGE.names())  # fmt: skip
