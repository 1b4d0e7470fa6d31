"""The gates: which specimens are held back, whatever curators decide.

Belongs here: the expression of each gate of `quality.rules`. Does not belong here: the curators' decisions on them
(`decided`), and joining what the gates read (`assemble`).
"""

from __future__ import annotations

import polars as pl

from bioscan_etl.flags import flags_from
from bioscan_etl.settings import GateSettings, Settings


def gates(settings: Settings) -> list[pl.Expr]:
    """One expression per gate of `quality.rules`, named by the gate's id and true on specimens that fail it.

    Columns read: image_status, barcode_length, unambiguous_run, dna_bin, flags, and the ranks of `gates.scope`.
    """
    chosen = settings.gates
    held = []
    if chosen.require_image:
        held += [
            pl.col("image_status").is_null().alias("NO_IMAGE"),
            (~pl.col("image_status").is_in(list(chosen.image_statuses))).fill_null(value=False).alias("IMAGE_STATUS"),
        ]
        if chosen.image_flags:
            held.append(has_held_flag(chosen).alias("IMAGE_FLAG"))
    if chosen.scope:
        held.append((out_of_scope(chosen) | unlabelled_out_of_scope(chosen)).alias("OUT_OF_SCOPE"))
    held += [
        pl.col("barcode_length").is_null().alias("NO_BARCODE"),
        (pl.col("barcode_length").is_not_null() & (pl.col("unambiguous_run") < chosen.min_unambiguous_run)).alias(
            "BARCODE_RUN_TOO_SHORT"
        ),
    ]
    if chosen.require_bin:
        held.append(pl.col("dna_bin").is_null().alias("NO_BIN"))
    return held


def has_held_flag(chosen: GateSettings) -> pl.Expr:
    """Whether `flags` has one of `gates.image_flags`."""
    return pl.any_horizontal(pl.lit(value=False), *(pl.col("flags").list.contains(flag) for flag in chosen.image_flags))


def out_of_scope(chosen: GateSettings) -> pl.Expr:
    """Whether a label is none of the taxa of `gates.scope` at its rank; a missing label is not. Reads these ranks."""
    outside = (
        pl.col(rank).is_not_null() & ~pl.col(rank).is_in(list(names)).fill_null(value=True)
        for rank, names in chosen.scope.items()
    )
    return pl.any_horizontal(pl.lit(value=False), *outside)


def unlabelled_out_of_scope(chosen: GateSettings) -> pl.Expr:
    """Whether a specimen without a label in the scope shares its barcode with one out of scope. Reads `flags` too."""
    unlabelled = pl.all_horizontal(pl.lit(value=True), *(pl.col(rank).is_null() for rank in chosen.scope))
    return unlabelled & pl.col("flags").list.contains("BARCODE_OUT_OF_SCOPE")


def scope_flags(labelled: pl.DataFrame, chosen: GateSettings) -> pl.DataFrame:
    """Specimens that share their barcode with a specimen out of scope, and are not out of scope themselves.

    Args:
        labelled: `processid`, `barcode` and the ranks of `gates.scope`; one row per specimen.
        chosen: the scope.

    Returns:
        `processid`, `flags` (List[String], BARCODE_OUT_OF_SCOPE), sorted.
    """
    outside = labelled.select(out_of_scope(chosen)).to_series()
    barcodes = labelled["barcode"].filter(outside).drop_nulls().unique()
    # Most corpora have none, and then nothing is compared.
    shared = pl.col("barcode").is_in(barcodes.implode())
    hit = labelled.filter(~outside & labelled.select(shared).to_series()) if len(barcodes) else labelled.clear()
    return hit.select("processid", flags=flags_from({"BARCODE_OUT_OF_SCOPE": pl.lit(value=True)})).sort("processid")
