"""What it costs to keep whole BINs in one partition (spec: partitioning, leakage).

Belongs here: the protocol "stable" with and without the option, side by side.
"""

from __future__ import annotations

import polars as pl

from bioscan_etl.settings import SplitSettings
from bioscan_etl.splits.checks import split_of_each
from bioscan_etl.splits.stable import assign_stable
from bioscan_etl.splits.targets import report


def bin_price(table: pl.DataFrame, seed: int = 0) -> pl.DataFrame:
    """Partition sizes with barcodes kept together and with BINs kept together, as for a first release.

    A species in one BIN cannot be divided: it is in train, or in key_unseen, as a whole. Records without a species
    follow the BIN's, and a placeholder in a described species' BIN is no unseen species.

    Args:
        table: columns processid, genus, species, dna_barcode, dna_bin, text; one row per record.
        seed: key of the choice.

    Returns:
        One row per partition in the order of `vocabulary.SPLITS`: split; samples and samples_together, species and
        species_together (with BINs kept together), int64; bins_shared (BINs of the partition, without the option,
        that have records in another one, too), int64; target_samples (null where the partition takes what is left),
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
