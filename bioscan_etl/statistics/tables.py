"""The statistics of a release: attributes, sizes, partitions, orders, missing values, barcodes.

Belongs here: what is counted from the released rows in one pass. Does not belong here: what the columns mean
(`definitions`), how places differ between partitions (`shift`), distances between barcodes (`distances`), the order of
counting (`counted`), and drawing (`figures`).

Barcodes are numbers here (`schema.BARCODES`): the letters of millions of rows are gigabytes, and grouping them takes
minutes. Rows and columns have a fixed order.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from bioscan_etl import schema, vocabulary
from bioscan_etl.barcodes.columns import COLUMNS
from bioscan_etl.barcodes.identity import barcode_identity
from bioscan_etl.splits.novel import novel
from bioscan_etl.statistics import definitions
from bioscan_etl.statistics.categories import COORDINATES, group_sizes
from bioscan_etl.statistics.definitions import ATTRIBUTES, LEVELS, SIZES
from bioscan_etl.statistics.shift import partition_countries, partition_shift

READ = (
    *vocabulary.RANKS,
    *("dna_bin", "country", "province_state"),
    *COORDINATES,
    *SIZES,
    "split",
)
"""Columns of `schema.METADATA_EXTENDED` that are counted, besides the barcode."""


def statistics(rows: pl.DataFrame, barcodes: pl.DataFrame | None = None) -> dict[str, pl.DataFrame]:
    """The tables that are counted from the rows of a release, by name.

    Args:
        rows: `READ` and barcode_id, an integer, the same for specimens with the same barcode (see `number_barcodes`).
            It may be empty, and columns may be all null.
        barcodes: barcode_id and barcode; of `schema.BARCODES`, also group, first and last. None: barcodes are not
            named. What cannot be counted without a column is left out: a table, or its column.
    """
    known = barcodes.columns if barcodes is not None else []
    countries = partition_countries(rows)
    tables = {
        "attributes": attributes(rows, barcodes),
        "sizes": sizes(rows),
        "partitions": partitions(rows),
        "partition_shift": partition_shift(countries),
        "partition_countries": countries,
        "orders": orders(rows),
        "species_kinds": species_kinds(rows),
        "barcodes": barcodes_within(rows, barcodes if "group" in known else None),
    }
    if barcodes is not None:
        samples = _samples(rows)
        tables["barcode_lengths"] = lengths(barcodes, samples)
        if "first" in known:
            tables["barcode_cover"] = cover(barcodes, samples)
    return tables


def number_barcodes(metadata: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows with the number of their barcode, and the barcodes.

    Args:
        metadata: dna_barcode and any other columns.

    Returns:
        The rows with barcode_id (UInt32) instead of dna_barcode; and barcode_id and barcode, in lexical order.
    """
    named = metadata.with_columns(barcode=barcode_identity(pl.col("dna_barcode"))).drop("dna_barcode")
    distinct = named.select("barcode").drop_nulls().unique().sort("barcode").with_row_index("barcode_id")
    rows = named.join(distinct, on="barcode", how="left", maintain_order="left").drop("barcode")
    return rows, distinct


def _name(attribute: str, barcodes: pl.DataFrame | None, found: pl.Series) -> str | None:
    """A category as text; a site as "lat, lon"."""
    if not len(found) or found[0] is None:
        return None
    if attribute == "site":
        return ", ".join(str(found[0][name]) for name in ("lat", "lon"))
    if attribute != "dna_barcode":
        return str(pl.Series([found[0]], dtype=found.dtype).cast(pl.String)[0])
    if barcodes is None:
        return None
    named: str = barcodes.filter(pl.col("barcode_id") == found[0])["barcode"].item()
    return named


def _share(parts: pl.Series, whole: int) -> pl.Series:
    """Shares of a whole; 0 of nothing. polars multiplies by a reciprocal, so that 114 of 400 would not be 0.285."""
    return pl.Series(parts.to_numpy() / max(whole, 1), dtype=pl.Float64)


def attributes(rows: pl.DataFrame, barcodes: pl.DataFrame | None = None) -> pl.DataFrame:
    """`definitions.ATTRIBUTES_TABLE`: without any label, means, sizes and categories are null.

    For the three sizes, the distinct values are the categories; `sizes` has their distribution.

    Args:
        rows: as of `statistics`.
        barcodes: barcode_id and barcode, which name the categories of dna_barcode; None: they are null.
    """
    size = pl.col("size")
    found = []
    for attribute in ATTRIBUTES:
        # Rechunk: otherwise the order of summation of a mean depends on the number of threads.
        groups = group_sizes(rows, attribute).rechunk()
        least = groups.filter(size == size.min())["category"].head(1)
        found.append(
            groups.select(
                attribute=pl.lit(attribute),
                categories=pl.len().cast(pl.Int64),
                labelled=size.sum(),
                unlabelled=rows.height - size.sum(),
                most_populated=pl.lit(_name(attribute, barcodes, groups["category"].head(1)), pl.String),
                most_populated_size=size.first(),
                least_populated=pl.lit(_name(attribute, barcodes, least), pl.String),
                least_populated_size=size.min(),
                mean=size.mean(),
                median=size.median(),
                standard_deviation=size.std(ddof=0),
                imbalance_ratio=size.max() / size.min(),
            )
        )
    table = pl.concat(found)
    shares = {f"{name}_share": _share(table[name], rows.height) for name in ("labelled", "unlabelled")}
    return _conform(definitions.ATTRIBUTES_TABLE, table.with_columns(**shares))


def sizes(rows: pl.DataFrame) -> pl.DataFrame:
    """`definitions.SIZES_TABLE`: without any value, the numbers are null.

    Args:
        rows: as of `statistics`.
    """
    found = []
    whole = rows.select(SIZES).rechunk()  # sums of floats depend on the chunks
    for name in SIZES:
        value = pl.col(name).cast(pl.Float64)
        found.append(
            whole.select(
                attribute=pl.lit(name),
                unit=pl.lit(schema.METADATA_EXTENDED[name].unit),
                labelled=value.count().cast(pl.Int64),
                unlabelled=value.null_count().cast(pl.Int64),
                minimum=value.min(),
                mean=value.mean(),
                median=value.median(),
                maximum=value.max(),
                standard_deviation=value.std(ddof=0),
            )
        )
    return _conform(definitions.SIZES_TABLE, pl.concat(found))


_CONTENTS: Mapping[str, str] = {
    "species": "species",
    "bins": "dna_bin",
    "barcodes": "dna_barcode",
    "countries": "country",
    "sites": "site",
}
"""Attributes whose categories are counted in a partition or an order, by the name of the column."""


def _code(name: str) -> pl.Expr:
    """A text as an integer, whose distinct values are counted faster; null is null."""
    return pl.col(name).cast(pl.Categorical).to_physical()


def _numbered(rows: pl.DataFrame, **more: pl.Expr) -> pl.DataFrame:
    """The categories of `_CONTENTS` as integers, and further columns."""
    texts = {name: _code(of) for name, of in _CONTENTS.items() if of not in {"site", "dna_barcode"}}
    lat, lon = (pl.col(name).rank("dense").cast(pl.UInt64) for name in COORDINATES)
    return rows.select(**texts, sites=lat * (1 << 32) + lon, barcodes="barcode_id", **more)


def _distinct(name: str) -> pl.Expr:
    return pl.col(name).drop_nulls().n_unique().cast(pl.Int64)


def partitions(rows: pl.DataFrame) -> pl.DataFrame:
    """`definitions.PARTITIONS_TABLE`: one row per entry of `vocabulary.SPLITS`; without records a row of zeros.

    Args:
        rows: as of `statistics`.
    """
    frame = _numbered(rows, split=pl.col("split"))
    counted = frame.group_by("split").agg(samples=pl.len().cast(pl.Int64), **{one: _distinct(one) for one in _CONTENTS})
    whole = {"samples": frame.height, **{name: frame[name].drop_nulls().n_unique() for name in _CONTENTS}}
    every = pl.DataFrame({"split": vocabulary.SPLITS}, schema={"split": pl.String})
    table = every.join(counted, on="split", how="left", maintain_order="left").with_columns(
        pl.exclude("split").fill_null(0)
    )
    shares = {f"{name}_share": _share(table[name], total) for name, total in whole.items()}
    return _conform(definitions.PARTITIONS_TABLE, table.with_columns(**shares))


def orders(rows: pl.DataFrame) -> pl.DataFrame:
    """`definitions.ORDERS_TABLE`, the largest first, then by name; the specimens without an order last.

    Args:
        rows: as of `statistics`.
    """
    more = {"families": "family", "genera": "genus"}
    named = {name: pl.col(name) for name in ("class", "order", "area_fraction")}
    frame = _numbered(rows, **named, **{name: _code(rank) for name, rank in more.items()})
    table = frame.group_by("order").agg(
        pl.col("class").drop_nulls().min(),
        samples=pl.len().cast(pl.Int64),
        with_image=pl.col("area_fraction").count().cast(pl.Int64),
        with_species=pl.col("species").count().cast(pl.Int64),
        **{name: _distinct(name) for name in (*more, *_CONTENTS)},
    )
    table = table.with_columns(samples_share=_share(table["samples"], rows.height))
    order = [pl.col("order").is_null(), -pl.col("samples"), pl.col("order")]
    return _conform(definitions.ORDERS_TABLE, table.sort(order))


def species_kinds(rows: pl.DataFrame) -> pl.DataFrame:
    """`definitions.SPECIES_KINDS_TABLE`: one row per entry of `definitions.KINDS`.

    A name is novel if the protocol `stable` takes it for one (`splits.novel`); of a novel genus, all specimens are.

    Args:
        rows: as of `statistics`.
    """
    names = rows.select("genus", "species").unique()
    unnamed = pl.when(pl.col("species").is_null()).then(pl.lit("unlabelled")).otherwise(pl.lit("described"))
    kinds = names.with_columns(
        kind=pl.when(novel(names, open_nomenclature=True)).then(pl.lit("novel")).otherwise(unnamed)
    )
    joined = rows.select("genus", "species", "dna_bin", "barcode_id").join(
        kinds, on=["genus", "species"], how="left", nulls_equal=True
    )
    counted = joined.group_by("kind").agg(
        samples=pl.len(),
        species=_distinct("species"),
        bins=_distinct("dna_bin"),
        barcodes=_distinct("barcode_id"),
    )
    every = pl.DataFrame({"kind": definitions.KINDS}, schema={"kind": pl.String})
    table = every.join(counted, on="kind", how="left", maintain_order="left").with_columns(
        pl.exclude("kind").fill_null(0)
    )
    share = _share(table["samples"], rows.height)
    return _conform(definitions.SPECIES_KINDS_TABLE, table.with_columns(samples_share=share))


def missing(metadata: pl.LazyFrame) -> pl.DataFrame:
    """`definitions.MISSING_TABLE` of any rows: one row per column; an empty list is no missing value."""
    return missing_of(metadata.select(pl.all().null_count(), pl.len().alias(" rows")).collect())


def missing_of(counts: pl.DataFrame) -> pl.DataFrame:
    """The same of one row that has the missing values of each column, and the number of rows as ` rows`."""
    total = counts[" rows"].item()
    rows = [(name, int(count)) for name, count in counts.drop(" rows").row(0, named=True).items()]
    table = pl.DataFrame(rows, schema={"field": pl.String, "missing": pl.Int64}, orient="row")
    return _conform(definitions.MISSING_TABLE, table.with_columns(missing_share=_share(table["missing"], total)))


_QUANTILES = {"minimum": 0.0, "lower_quartile": 0.25, "median": 0.5, "upper_quartile": 0.75, "maximum": 1.0}


def barcodes_within(rows: pl.DataFrame, barcodes: pl.DataFrame | None = None) -> pl.DataFrame:
    """`definitions.BARCODES_TABLE`: genetic diversity within the groups of each rank and within BINs.

    The Shannon diversity index of a group is -sum(p_i * log2 p_i) in bits, where p_i is the share of the group's
    records that have barcode i. Without any label, means are null.

    Args:
        rows: as of `statistics`.
        barcodes: barcode_id and group of `schema.BARCODES`; None: `unique_over_shared_columns` is left out.
    """
    frame = rows.select(*LEVELS, "barcode_id").drop_nulls("barcode_id")
    share = pl.col("records") / pl.col("records").sum()
    sdi = pl.col("sdi").abs()  # the index of a single barcode is exactly 0; the sum may give -0
    found = []
    for level in LEVELS:
        named = frame.select("barcode_id", group=_code(level)).drop_nulls()
        per_barcode = named.group_by("group", "barcode_id").agg(records=pl.len())
        # Floats are added in the order of the numbers, so that no sum depends on how rows or groups lie.
        groups = (
            per_barcode.sort("group", "records")
            .group_by("group", maintain_order=True)
            .agg(unique=pl.len().cast(pl.Int64), sdi=-(share * share.log(2)).sum())
            .sort("unique", "sdi")
        )
        unique = pl.col("unique")
        distinct = per_barcode.select(pl.col("barcode_id").unique())
        row = groups.select(
            level=pl.lit(level),
            groups=pl.len().cast(pl.Int64),
            unique_barcodes=pl.lit(distinct.height, dtype=pl.Int64),
            mean=unique.mean(),
            median=unique.median(),
            standard_deviation=unique.std(ddof=0),
            mean_sdi=sdi.mean(),
            **{f"sdi_{name}": sdi.quantile(share, "equiprobable") for name, share in _QUANTILES.items()},
        )
        if barcodes is not None:
            joined = distinct.join(barcodes.select("barcode_id", "group"), on="barcode_id")
            row = row.with_columns(unique_over_shared_columns=pl.lit(joined["group"].n_unique(), dtype=pl.Int64))
        found.append(row)
    return _conform(definitions.BARCODES_TABLE, pl.concat(found))


def _samples(rows: pl.DataFrame) -> pl.DataFrame:
    """barcode_id and the number of specimens with it."""
    return rows.select("barcode_id").drop_nulls().group_by("barcode_id").agg(samples=pl.len().cast(pl.Int64))


def lengths(barcodes: pl.DataFrame, samples: pl.DataFrame) -> pl.DataFrame:
    """`definitions.LENGTHS_TABLE`.

    Args:
        barcodes: barcode_id, barcode.
        samples: barcode_id, samples.
    """
    counted = (
        barcodes.select("barcode_id", length=pl.col("barcode").str.len_bytes().cast(pl.Int64))
        .join(samples, on="barcode_id")
        .group_by("length")
        .agg(barcodes=pl.len().cast(pl.Int64), samples=pl.col("samples").sum())
    )
    return _conform(definitions.LENGTHS_TABLE, counted.sort("length"))


def cover(barcodes: pl.DataFrame, samples: pl.DataFrame) -> pl.DataFrame:
    """`definitions.COVER_TABLE`.

    Args:
        barcodes: barcode_id, first, last; those that are not placed cover no column.
        samples: barcode_id, samples.
    """
    placed = barcodes.select("barcode_id", "first", "last").drop_nulls().join(samples, on="barcode_id")

    def steps(name: str, shift: int, sign: int) -> pl.LazyFrame:
        counted = placed.lazy().group_by(column=pl.col(name).cast(pl.Int64) + shift)
        return counted.agg(barcodes=sign * pl.len().cast(pl.Int64), samples=sign * pl.col("samples").sum())

    every = pl.LazyFrame({"column": pl.Series(range(1, COLUMNS + 1), dtype=pl.Int64)})
    table = every.join(
        pl.concat([steps("first", 0, 1), steps("last", 1, -1)]).group_by("column").sum(), on="column", how="left"
    ).sort("column").with_columns(pl.col("barcodes", "samples").fill_null(0).cum_sum())  # fmt: skip
    return _conform(definitions.COVER_TABLE, table.collect())


def _conform(table: schema.Table, frame: pl.DataFrame) -> pl.DataFrame:
    """The columns of a table that a frame has, in order, with their dtypes."""
    return frame.select(
        pl.col(column.name).cast(column.dtype) for column in table.columns if column.name in frame.columns
    )
