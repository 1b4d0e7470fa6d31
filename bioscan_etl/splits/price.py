"""The effect of keeping whole BINs in one partition (spec: partitioning, leakage).

Belongs here: a comparison of the protocol "stable" with and without the option.
"""

from __future__ import annotations

import polars as pl

from bioscan_etl.settings import SplitSettings
from bioscan_etl.splits.checks import split_of_each
from bioscan_etl.splits.stable import assign_stable
from bioscan_etl.splits.targets import report


def bin_price(table: pl.DataFrame, seed: int = 0) -> pl.DataFrame:
    """Compare partition sizes with barcodes kept together and with BINs kept together, for a first release.

    A species in one BIN cannot be divided: all of it is in train or in key_unseen. Records without a species
    follow their BIN, and a placeholder in the BIN of a described species is not an unseen species.

    Args:
        table: columns processid, genus, species, dna_barcode, dna_bin, text; one row per record.
        seed: random seed of the choice.

    Returns:
        One row per partition in the order of `schema.SPLITS`: split; samples and samples_together, species and
        species_together (with BINs kept together), int64; bins_shared (BINs of the partition, without the option,
        that also have records in another one), int64; target_samples (null if the partition takes the rest),
        share and share_together, float.
    """
    plain, _ = assign_stable(table, None, SplitSettings(protocol="stable", seed=seed))
    together, _ = assign_stable(table, None, SplitSettings(protocol="stable", seed=seed, keep_bins_together=True))
    in_bins = pl.DataFrame({"bin": table["dna_bin"].cast(pl.String), "split": split_of_each(table, plain)}).drop_nulls()
    shared = (
        in_bins.unique().filter(pl.len().over("bin") > 1).group_by("split").agg(bins_shared=pl.len().cast(pl.Int64))
    )
    return (
        report(table, plain)
        .join(report(table, together), on="split", suffix="_together", maintain_order="left")
        .join(shared, on="split", how="left", maintain_order="left")
        .with_columns(pl.col("bins_shared").fill_null(0))
        .select(
            "split",
            "samples",
            "samples_together",
            "species",
            "species_together",
            "bins_shared",
            "target_samples",
            "share",
            "share_together",
        )
    )
