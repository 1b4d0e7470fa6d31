"""Counts of the records of a table and of earlier releases, by unit and species, for the protocol "stable".

Belongs here: the earlier partitions, and the number of records per species. Does not belong here: the new partitions
(`stable`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bioscan_etl.errors import InvariantError, SettingsError
from bioscan_etl.settings import SplitSettings
from bioscan_etl.splits.fill import keyed_hash
from bioscan_etl.splits.novel import novel
from bioscan_etl.splits.units import barcode_keys, number_units
from bioscan_etl.vocabulary import SPLITS

COLUMNS = ("processid", "genus", "species", "dna_barcode")
UNLABELLED, NOVEL, SEEN = range(3)  # classes of a record and of a unit
NEVER = 255  # instead of the code of a partition: never assigned before


@dataclass(frozen=True, slots=True)
class Census:
    """Records and units.

    Attributes:
        unit: unit of each row, int64, shape (rows,).
        label: class of each row's species, uint8, shape (rows,).
        before: position in `vocabulary.SPLITS` of each row's earlier partition, or `NEVER`, uint8, shape (rows,).
        label_before: class of its earlier species; for a new row the present class, uint8, shape (rows,).
        barcode_changed: whether its earlier barcode was different, shape (rows,).
        claims: earlier partitions of each unit's records, one bit each, uint8, shape (units,).
        unit_label: class of each unit, uint8, shape (units,): the highest of its records.
        pairs: the species within units.
    """

    unit: NDArray[np.int64]
    label: NDArray[np.uint8]
    before: NDArray[np.uint8]
    label_before: NDArray[np.uint8]
    barcode_changed: NDArray[np.bool_]
    claims: NDArray[np.uint8]
    unit_label: NDArray[np.uint8]
    pairs: Pairs

    def units_of(self, rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which units contain one of these rows, shape (units,)."""
        found = np.zeros(len(self.claims), dtype=np.bool_)
        found[self.unit[rows]] = True
        return found


@dataclass(frozen=True, slots=True)
class Pairs:
    """Each pair of a species and a unit that contains it, sorted by species.

    Attributes:
        names: the species by code, in lexical order.
        viable: records of each species that are novel and in a genus of a seen one, int64, shape (species,).
        species: code of the species, int64, shape (pairs,).
        unit: unit, int64, shape (pairs,).
        records: records of the species in the unit, int64, shape (pairs,).
        label: class of the species there, uint8, shape (pairs,).
        barcodes: smallest barcode of the species in the unit, null if it has none there, shape (pairs,).
    """

    names: pl.Series
    viable: NDArray[np.int64]
    species: NDArray[np.int64]
    unit: NDArray[np.int64]
    records: NDArray[np.int64]
    label: NDArray[np.uint8]
    barcodes: pl.Series

    def total(self, pairs: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Records of these pairs by species code."""
        return np.bincount(self.species[pairs], self.records[pairs], len(self.names)).astype(np.int64)

    def count(self, pairs: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Number of these pairs by species code."""
        return np.bincount(self.species[pairs], minlength=len(self.names)).astype(np.int64)

    def key(self, pair: int, seed: int) -> int:
        """Keyed hash of a pair."""
        return keyed_hash(seed, self.names[int(self.species[pair])], self.barcodes[int(pair)] or "")

    def keys(self, pairs: NDArray[np.bool_], seed: int) -> NDArray[np.int64]:
        """Keyed hash of these pairs and 0 for the others, int64, shape (pairs,)."""
        keys = np.zeros(len(self.species), dtype=np.int64)
        at = np.flatnonzero(pairs)
        names = self.names.gather(self.species[at])
        keys[at] = [
            keyed_hash(seed, name, barcode or "") for name, barcode in zip(names, self.barcodes.gather(at), strict=True)
        ]
        return keys


def take_census(
    table: pl.DataFrame,
    earlier: pl.DataFrame | pl.LazyFrame | None,
    settings: SplitSettings,
    groups: pl.DataFrame | None = None,
) -> Census:
    """Count the records of a table and of an earlier one.

    Args:
        table: columns `COLUMNS`, text, and dna_bin if BINs are kept together; one row per record. Barcodes are
            identities (`barcodes.identity`).
        earlier: columns `COLUMNS`, split (and dna_bin), one row per record, or None; barcodes as in `table`.
        settings: whether BINs are kept together.
        groups: barcodes that are kept together (`overlaps.barcode_groups`); None: none are.

    Raises:
        SettingsError: BINs must be kept together but the table has no column dna_bin.
        InvariantError: the earlier table lacks a column, or has a process ID twice or an unknown partition.
    """
    if settings.keep_bins_together and "dna_bin" not in table.columns:
        raise SettingsError("splits.keep_bins_together needs a column dna_bin; add that column, or set it to false")
    known = _read_earlier(earlier)
    processids = table.select(pl.col("processid").cast(pl.String))
    bins = earlier_bins = None
    if settings.keep_bins_together:
        bins = table["dna_bin"].cast(pl.String)
        # BINs split and merge. The former BIN of a record must not keep records together that have left it.
        present = known["processid"].is_in(processids["processid"].implode())
        earlier_bins = known.select(pl.when(~present).then("dna_bin")).to_series()
    units = number_units(table.select(barcode_keys()), known.select("first", "second"), bins, earlier_bins, groups)

    found = (
        processids.join(known.select("processid").with_row_index("row"), "processid", "left", maintain_order="left")
        .select(pl.col("row").cast(pl.Int64).fill_null(-1))
        .to_series()
        .to_numpy()
    )
    hit = found >= 0
    split = known["split"].to_numpy()
    label = labels(table)
    before = np.full(len(table), NEVER, dtype=np.uint8)
    before[hit] = split[found[hit]]
    label_before = label.copy()
    label_before[hit] = labels(known)[found[hit]]
    barcode_changed = np.zeros(len(table), dtype=np.bool_)
    barcode_changed[hit] = units.barcodes[hit] != units.earlier_barcodes[found[hit]]
    claims = np.zeros(units.count, dtype=np.uint8)
    for code in range(len(SPLITS)):
        claims[units.earlier_units[split == code]] |= 1 << code
        claims[units.units[before == code]] |= 1 << code
    unit_label = np.full(units.count, UNLABELLED, dtype=np.uint8)
    for code in (NOVEL, SEEN):
        unit_label[units.units[label == code]] = code
    pairs = _count_pairs(table, label, units.units)
    return Census(units.units, label, before, label_before, barcode_changed, claims, unit_label, pairs)


def labels(names: pl.DataFrame) -> NDArray[np.uint8]:
    """Class of each record's species: `UNLABELLED`, `NOVEL` or `SEEN`, uint8, shape (rows,)."""
    labelled = names["species"].is_not_null()
    classes = np.full(len(names), UNLABELLED, dtype=np.uint8)
    pairs = names.filter(labelled).select(pl.col("genus", "species").cast(pl.String))
    is_novel = novel(pairs, open_nomenclature=True)
    classes[labelled.to_numpy()] = np.where(is_novel.to_numpy(), NOVEL, SEEN)
    return classes


def _read_earlier(earlier: pl.DataFrame | pl.LazyFrame | None) -> pl.DataFrame:
    """Columns processid, genus, species, dna_bin, split (code), first, second; without the barcodes."""
    needed = (*COLUMNS, "split")
    if earlier is None:
        earlier = pl.DataFrame(schema=dict.fromkeys(needed, pl.String))
    columns = earlier.lazy().collect_schema().names()
    missing = [name for name in needed if name not in columns]
    if missing:
        raise InvariantError(f"the earlier assignments have no column {', '.join(missing)}; take what remember() made")
    dna_bin = pl.col("dna_bin") if "dna_bin" in columns else pl.lit(None)
    codes = {split: code for code, split in enumerate(SPLITS)}
    known = (
        earlier.lazy()
        .select(
            pl.col("processid", "genus", "species").cast(pl.String),
            dna_bin.cast(pl.String).alias("dna_bin"),
            pl.col("split").cast(pl.String),
            *barcode_keys(),
        )
        .collect(engine="streaming")
        # Outside the stream, which would first collect the barcodes of all rows.
        .with_columns(pl.col("split").replace_strict(codes, default=None, return_dtype=pl.UInt8))
    )
    if known["split"].null_count():
        example = known.filter(pl.col("split").is_null())["processid"].head(1).to_list()
        raise InvariantError(f"the earlier assignments give {example[0]} no partition of {', '.join(SPLITS)}")
    if known["processid"].hash().n_unique() != len(known) and known["processid"].n_unique() != len(known):
        example = known.filter(pl.col("processid").is_duplicated())["processid"].sort().head(1).to_list()
        raise InvariantError(f"the earlier assignments have more than one row of {example[0]}; keep the latest")
    return known


def _count_pairs(table: pl.DataFrame, label: NDArray[np.uint8], unit: NDArray[np.int64]) -> Pairs:
    labelled = np.flatnonzero(label != UNLABELLED)
    rows = table[labelled].select(
        pl.col("genus", "species").cast(pl.String),
        barcode=pl.col("dna_barcode").cast(pl.String),
        label=pl.Series(label[labelled]),
        unit=pl.Series(unit[labelled]),
    )
    names = rows["species"].unique().sort()
    rows = rows.with_columns(code=pl.col("species").rank("dense").cast(pl.Int64) - 1)
    seen_genera = rows.filter(pl.col("label") == SEEN)["genus"].unique()
    viable = rows.filter(pl.col("label") == NOVEL, pl.col("genus").is_in(seen_genera.implode(), nulls_equal=True))[
        "code"
    ]
    pairs = (
        rows.group_by("code", "unit")
        .agg(records=pl.len().cast(pl.Int64), label=pl.col("label").max(), barcode=pl.col("barcode").min())
        .sort("code", "unit")
    )
    return Pairs(
        names=names,
        viable=np.bincount(viable.to_numpy(), minlength=len(names)).astype(np.int64),
        species=pairs["code"].to_numpy(),
        unit=pairs["unit"].to_numpy(),
        records=pairs["records"].to_numpy(),
        label=pairs["label"].to_numpy(),
        barcodes=pairs["barcode"],
    )
