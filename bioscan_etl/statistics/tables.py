"""The statistics of a release: attributes, sizes, partitions, barcodes per rank.

Belongs here: numbers. Does not belong here: drawing them (`bioscan_etl.statistics.figures`). The project's
specification defines them (statistics and figures; DNA barcodes). Pairwise distances between
barcodes are not included yet: they need an alignment and a sampling plan.

Rows and columns have a fixed order; shares are between 0 and 1; standard deviations are population standard
deviations (divided by n), because a release is the whole population and not a sample.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from bioscan_etl import schema, vocabulary
from bioscan_etl.barcodes.identity import barcode_identity
from bioscan_etl.io.write import atomic_file

SIZES = ("image_measurement_value", "area_fraction", "scale_factor")
ATTRIBUTES = (*vocabulary.RANKS, "dna_bin", "dna_barcode", "country", "province_state", "site", *SIZES)


def statistics(metadata: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """All tables by name, in this order: attributes, sizes, partitions, barcodes.

    Args:
        metadata: `schema.METADATA_EXTENDED`; it may be empty, and columns may be all null.
    """
    return {
        "attributes": attributes(metadata),
        "sizes": sizes(metadata),
        "partitions": partitions(metadata),
        "barcodes": barcodes(metadata),
    }


def write_tables(tables: Mapping[str, pl.DataFrame], folder: Path) -> list[Path]:
    """Write each table as `<name>.csv` and `<name>.parquet`.

    Returns:
        The paths, by table.
    """
    paths = []
    for name, table in tables.items():
        csv, parquet = folder / f"{name}.csv", folder / f"{name}.parquet"
        with atomic_file(csv) as stream:
            table.write_csv(stream)
        with atomic_file(parquet) as stream:
            table.write_parquet(stream, compression="zstd")
        paths += [csv, parquet]
    return paths


def category(attribute: str) -> pl.Expr:
    """The category of each row for an attribute, as text; null is unlabelled.

    A site is a distinct pair of latitude and longitude, written "lat, lon". Barcodes are compared without N at their
    ends.
    """
    if attribute == "site":
        return pl.format("{}, {}", "coord-lat", "coord-lon")
    if attribute == "dna_barcode":
        return barcode_identity(pl.col("dna_barcode"))
    return pl.col(attribute).cast(pl.String)


def group_sizes(metadata: pl.DataFrame, attribute: str) -> pl.DataFrame:
    """Records per category: columns category and size, the largest first, then by name."""
    return (
        metadata.lazy()
        .select(category=category(attribute))
        .drop_nulls()
        .group_by("category")
        .agg(size=pl.len().cast(pl.Int64))
        .sort("size", "category", descending=[True, False])
        .collect()
    )


def _share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    return pl.when(whole > 0).then(part / whole).otherwise(0.0)


def attributes(metadata: pl.DataFrame) -> pl.DataFrame:
    """One row per attribute: how many categories, and how evenly the records fill them.

    mean, median and standard_deviation are of records per category; imbalance_ratio is the largest size over the
    smallest. Of several largest or smallest categories, the first by name is listed. Without any label these are
    null. For the three sizes, the distinct values are the categories; `sizes` has their distribution.

    Args:
        metadata: `schema.METADATA_EXTENDED`.

    Returns:
        One row per entry of `ATTRIBUTES`, in that order.
    """
    size = pl.col("size")
    smallest = size == size.min()
    rows = [
        # Rechunk: otherwise the order of summation of a mean depends on the number of threads.
        group_sizes(metadata, attribute)
        .rechunk()
        .select(
            attribute=pl.lit(attribute),
            categories=pl.len().cast(pl.Int64),
            labelled=size.sum(),
            unlabelled=metadata.height - size.sum(),
            most_populated=pl.col("category").first(),
            most_populated_size=size.first(),
            least_populated=pl.col("category").filter(smallest).first(),
            least_populated_size=size.min(),
            mean=size.mean(),
            median=size.median(),
            standard_deviation=size.std(ddof=0),
            imbalance_ratio=size.max() / size.min(),
        )
        for attribute in ATTRIBUTES
    ]
    records = pl.col("labelled") + pl.col("unlabelled")
    table = pl.concat(rows).with_columns(
        labelled_share=_share(pl.col("labelled"), records), unlabelled_share=_share(pl.col("unlabelled"), records)
    )
    first = ["attribute", "categories", "labelled", "labelled_share", "unlabelled", "unlabelled_share"]
    return table.select(*first, pl.exclude(first))


def sizes(metadata: pl.DataFrame) -> pl.DataFrame:
    """Distribution of the three sizes: one row per size.

    Columns: attribute, unit, labelled, unlabelled, minimum, mean, median, maximum, standard_deviation. Without
    any value the numbers are null.

    Args:
        metadata: `schema.METADATA_EXTENDED`.
    """
    rows = []
    whole = metadata.select(SIZES).rechunk()  # sums of floats depend on the chunks
    for name in SIZES:
        value = pl.col(name).cast(pl.Float64)
        rows.append(
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
    return pl.concat(rows)


def partitions(metadata: pl.DataFrame) -> pl.DataFrame:
    """Samples, barcodes and species of each partition, with their shares of the whole release.

    Columns: split, samples, samples_share, barcodes, barcodes_share, species, species_share. A partition without
    records has a row of zeros. Shares of barcodes and species can add up to more than 1 because one can be in
    several partitions.

    Args:
        metadata: `schema.METADATA_EXTENDED` (split, dna_barcode and species are read).

    Returns:
        One row per entry of `vocabulary.SPLITS`, in that order.
    """
    frame = metadata.select("split", "species", barcode=barcode_identity(pl.col("dna_barcode")))
    counted = frame.group_by("split").agg(
        samples=pl.len().cast(pl.Int64),
        barcodes=pl.col("barcode").drop_nulls().n_unique().cast(pl.Int64),
        species=pl.col("species").drop_nulls().n_unique().cast(pl.Int64),
    )
    whole = {
        "samples": frame.height,
        "barcodes": frame["barcode"].drop_nulls().n_unique(),
        "species": frame["species"].drop_nulls().n_unique(),
    }
    every = pl.DataFrame({"split": vocabulary.SPLITS}, schema={"split": pl.String})
    table = every.join(counted, on="split", how="left", maintain_order="left").with_columns(
        pl.exclude("split").fill_null(0)
    )
    return table.with_columns(
        _share(pl.col(name), pl.lit(total)).alias(f"{name}_share") for name, total in whole.items()
    ).select("split", *(column for name in whole for column in (name, f"{name}_share")))


def barcodes(metadata: pl.DataFrame) -> pl.DataFrame:
    """Genetic diversity within the groups of each rank.

    Per group of a rank: the number of unique barcodes, and the Shannon diversity index
    SDI = -sum(p_i * log2 p_i) in bits, where p_i is the share of the group's records that have barcode i.

    Args:
        metadata: `schema.METADATA_EXTENDED` (the ranks and dna_barcode are read).

    Returns:
        One row per rank, phylum first: rank, groups, unique_barcodes (distinct barcodes of all labelled records),
        mean, median and standard_deviation of unique barcodes per group, mean_sdi. Without any label the last
        four are null.
    """
    frame = metadata.select(*vocabulary.RANKS, barcode=barcode_identity(pl.col("dna_barcode"))).drop_nulls("barcode")
    share = pl.col("records") / pl.col("records").sum()
    rows = []
    for rank in vocabulary.RANKS:
        per_barcode = frame.drop_nulls(rank).group_by(rank, "barcode").agg(records=pl.len()).sort(rank, "barcode")
        groups = per_barcode.group_by(rank, maintain_order=True).agg(
            unique=pl.len().cast(pl.Int64), sdi=-(share * share.log(2)).sum()
        )
        unique = pl.col("unique")
        rows.append(
            groups.select(
                rank=pl.lit(rank),
                groups=pl.len().cast(pl.Int64),
                unique_barcodes=pl.lit(per_barcode["barcode"].n_unique(), dtype=pl.Int64),
                mean=unique.mean(),
                median=unique.median(),
                standard_deviation=unique.std(ddof=0),
                # The index of a single barcode is exactly 0; the sum may give -0.
                mean_sdi=pl.col("sdi").abs().mean(),
            )
        )
    return pl.concat(rows)
