"""How species and BINs agree, and how far species lie apart: cases for a curator.

A species whose BIN holds another species is misidentified, or the barcode does not tell the two apart. A species with
several BINs may be several species. A gap of 0 or less means that a barcode of another species lies no farther away
than two barcodes of the species lie apart. A species whose nearest barcode is in another family is mislabelled, or
contaminated, or the only one of its family here.

Belongs here: the audit of each species and of each shared BIN. Does not belong here: distances within a group
(`distances`), and which species and BINs a curator has to decide on (`cases`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.barcodes.clusters import clusters
from bioscan_etl.barcodes.distances import farthest, nearest_within
from bioscan_etl.barcodes.framed import Framed
from bioscan_etl.barcodes.outside import Labelled, nearest_outside
from bioscan_etl.progress import Progress, silent
from bioscan_etl.statistics.definitions import BIN_AUDIT_TABLE, GRADES, GRADES_TABLE, SPECIES_AUDIT_TABLE

_FEW, _MANY = 3, 10  # specimens below which a species has grade D, and above which it has grade A (BAGS)


def audit(rows: pl.DataFrame, apart: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Audit each species with a barcode, and list each BIN that holds several.

    Args:
        rows: family, species, dna_bin (text) and barcode_id of each specimen.
        apart: `gaps` of the same.

    Returns:
        species_grades, species_audit and bin_audit, as `definitions` has them.
    """
    named = rows.select("family", "species", "dna_bin", "barcode_id").drop_nulls("species")
    shared = shared_bins(named)
    species = (
        named.drop_nulls("barcode_id")
        .group_by("species")
        .agg(pl.col("family").drop_nulls().min(), barcodes=pl.col("barcode_id").n_unique().cast(pl.Int64))
    )
    graded = (
        named.drop_nulls("dna_bin")
        .with_columns(is_shared=pl.col("dna_bin").is_in(shared["dna_bin"].implode()))
        .group_by("species")
        .agg(
            samples=pl.len().cast(pl.Int64),
            bins=pl.col("dna_bin").n_unique().cast(pl.Int64),
            shared_bins=pl.col("dna_bin").filter("is_shared").n_unique().cast(pl.Int64),
        )
    )
    table = (
        species.join(graded, on="species", how="left")
        .join(apart, on="species", how="left")
        .with_columns(pl.col("samples", "bins", "shared_bins").fill_null(0), gap=_GAP)
        .with_columns(grade=_GRADE, concordance=_CONCORDANCE)
        .sort("species")
    )
    audited = SPECIES_AUDIT_TABLE.conform(table)
    return {"species_grades": grades(audited), "species_audit": audited, "bin_audit": shared}


def grades(audited: pl.DataFrame) -> pl.DataFrame:
    """`definitions.GRADES_TABLE`: a row per grade, A first, then the species without a BIN.

    Args:
        audited: `definitions.SPECIES_AUDIT_TABLE`.
    """
    counted = audited.group_by("grade").agg(
        species=pl.len(), samples=pl.col("samples").sum(), without_gap=(pl.col("gap") <= 0).sum()
    )
    every = pl.DataFrame({"grade": [*GRADES, None]}, schema={"grade": pl.String})
    table = every.join(counted, on="grade", how="left", nulls_equal=True, maintain_order="left")
    return GRADES_TABLE.conform(table.with_columns(pl.exclude("grade").fill_null(0)))


_GAP = pl.col("nearest_other") - pl.col("largest_within")
_HAS_BIN = pl.col("bins") > 0
_SINGLE, _EXCLUSIVE = pl.col("bins") == 1, pl.col("shared_bins") == 0
_GRADE = (
    pl.when(~_HAS_BIN)
    .then(None)
    .when(~_EXCLUSIVE)
    .then(pl.lit("E"))
    .when(pl.col("samples") < _FEW)
    .then(pl.lit("D"))
    .when(~_SINGLE)
    .then(pl.lit("C"))
    .when(pl.col("samples") <= _MANY)
    .then(pl.lit("B"))
    .otherwise(pl.lit("A"))
)
_CONCORDANCE = (
    pl.when(~_HAS_BIN)
    .then(None)
    .when(_SINGLE & _EXCLUSIVE)
    .then(pl.lit("MATCH"))
    .when(_EXCLUSIVE)
    .then(pl.lit("SPLIT"))
    .when(_SINGLE)
    .then(pl.lit("MERGE"))
    .otherwise(pl.lit("MIXTURE"))
)


def shared_bins(named: pl.DataFrame) -> pl.DataFrame:
    """The BINs with several species, as `definitions.BIN_AUDIT_TABLE`.

    Args:
        named: species and dna_bin of each specimen with a species.
    """
    found = (
        named.drop_nulls("dna_bin")
        .group_by("dna_bin")
        .agg(
            samples=pl.len(),
            species=pl.col("species").n_unique(),
            names=pl.col("species").unique().sort().str.join("; "),
        )
        .filter(pl.col("species") > 1)
        .sort("dna_bin")
    )
    return BIN_AUDIT_TABLE.conform(found)


def gaps(
    named: pl.DataFrame, position: pl.DataFrame, on_frame: Framed, least: int, progress: Progress = silent
) -> pl.DataFrame:
    """The gaps of each species that can be compared, by species.

    Columns species, largest_within, nearest_in_family, nearest_other, nearest_species and nearest_family.

    A barcode of two species is compared as a barcode of each: the two then lie at distance 0.

    Args:
        named: family, species and barcode_id of each specimen; those that lack one are left out.
        position: the barcodes that can be compared (`barcodes.framed.comparable`).
        on_frame: the same on the frame.
        least: columns that two barcodes must share to be compared (setting `barcodes.min_shared_columns`).
        progress: reports the families.
    """
    members = (
        named.select("family", "species", "barcode_id")
        .drop_nulls()
        .unique()
        .join(position, on="barcode_id")
        .sort("family", "species", "at")
        .with_columns(number=pl.struct("family", "species").rle_id().cast(pl.Int64))
    )
    groups = members.group_by("number", maintain_order=True).agg(pl.col("family", "species").first())
    at, number = members["at"].to_numpy().astype(np.int64), members["number"].to_numpy()
    families = groups["family"].rle_id().to_numpy().astype(np.int64)
    within, nearest = np.full(groups.height, np.nan), np.full(groups.height, np.inf)
    which = outside = beyond = np.full(groups.height, -1)
    if groups.height:
        largest = farthest(on_frame, at, number, least)
        within[list(largest)] = list(largest.values())
        held = clusters(on_frame, at, number)
        nearest, which = nearest_within(on_frame, held, families, least, progress)
        species = groups["species"].rank("dense").to_numpy().astype(np.int64)
        labelled = Labelled(at, number, families, species, nearest)
        outside, beyond = nearest_outside(on_frame, labelled, least, progress, held)
    is_outside = beyond >= 0
    found = pl.Series(np.where(is_outside, beyond, which))
    table = groups.select(
        "species",
        largest_within=pl.Series(within).fill_nan(None),
        nearest_in_family=_distance(nearest),
        nearest_other=_distance(np.where(is_outside, outside, nearest)),
        nearest_species=_of(groups["species"], found),
        nearest_family=_of(groups["family"], found),
    )
    # A species with specimens in two families has a row per family; the worse values are stated.
    ordered = table.sort("species", "nearest_other", "nearest_species", nulls_last=True)
    return ordered.group_by("species", maintain_order=True).agg(
        pl.col("largest_within").max(),
        pl.col("nearest_in_family").min(),
        pl.col("nearest_other", "nearest_species", "nearest_family").first(),
    )


def _distance(values: npt.NDArray[np.float64]) -> pl.Series:
    return pl.Series(np.where(np.isfinite(values), values, np.nan), dtype=pl.Float64).fill_nan(None)


def _of(names: pl.Series, numbers: pl.Series) -> pl.Series:
    """The names with these numbers; null for -1."""
    return names.gather(pl.select(pl.when(numbers >= 0).then(numbers)).to_series())
