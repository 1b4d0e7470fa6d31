"""A release as the benchmarks see it: rows, distinct barcodes, labels as numbers.

Belongs here: reading the public files of a release into arrays. Does not belong here: models, and what is asked.

Rows keep the order of the release. A barcode is its identity (`barcodes.identity`), so trailing N do not count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl import schema, vocabulary
from bioscan_etl.barcodes.distinct import placed
from bioscan_etl.barcodes.framed import Framed, framed
from bioscan_etl.barcodes.identity import barcode_identity
from bioscan_etl.barcodes.same import same_pairs
from bioscan_etl.progress import Progress, silent
from bioscan_etl.release.forms._barcodebert_files import may_be_in_a_file
from bioscan_etl.release.layout import image_path
from bioscan_etl.release.manifest import MANIFEST
from bioscan_etl.release.scan import find_release, scan_release

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

BIN = "dna_bin"
LABELLED = (*vocabulary.RANKS, BIN)
"""Columns of labels."""
NO_LABEL = -1
"""Number of a missing label."""
READ = (
    *("processid", "split", "taxon", *LABELLED, "dna_barcode", "country", "province_state", "coord-lat", "coord-lon"),
    *("image_measurement_value", "area_fraction", "scale_factor", "chunk", "batch", "snapshot_date"),
)
"""Columns of a release that the benchmarks read; one that an older release lacks is null."""


@dataclass(frozen=True)
class Records:
    """The specimens of a release.

    Attributes:
        root: folder of the release; the folder of no release for a table of a test.
        release: name and version, such as `bioscan5m v3`.
        digest: sha256 of its manifest.json.
        packages: image packages that it has.
        dataset: folder of its images within `root`.
        rows: `READ` but dna_barcode, in the order of the release; with barcode_id (UInt32, null without a base) and
            path, that of the image within a package (null without an image).
        barcodes: text, the distinct barcodes in lexical order; their number is the barcode_id.
        least: columns that two barcodes must share to be the same (setting `barcodes.min_shared_columns`).
    """

    root: Path
    release: str
    digest: str
    packages: tuple[str, ...]
    dataset: str
    rows: pl.DataFrame
    barcodes: pl.Series
    least: int

    @cached_property
    def barcode_ids(self) -> Numbers:
        """The barcode of each row, int64, shape (rows,); -1 for none."""
        return self.rows["barcode_id"].cast(pl.Int64).fill_null(NO_LABEL).to_numpy()

    @cached_property
    def _codes(self) -> dict[str, Numbers]:
        return {}

    def codes(self, column: str) -> Numbers:
        """The labels of a column as numbers, by name from 0, int64, shape (rows,); `NO_LABEL` for a missing one."""
        if column not in self._codes:
            named = self.rows[column]
            self._codes[column] = (named.rank("dense").cast(pl.Int64) - 1).fill_null(NO_LABEL).to_numpy()
        return self._codes[column]

    def of(self, splits: Sequence[str]) -> Numbers:
        """The rows of some partitions, int64, ascending."""
        return np.flatnonzero(self.rows["split"].is_in(list(splits)).to_numpy())

    @cached_property
    def first_of_barcode(self) -> Numbers:
        """One row per distinct barcode, chosen as for the BarcodeBERT files: int64, shape (distinct,), ascending.

        Of the rows that may be in a file, it is the first in the order of the release (spec: the release, BarcodeBERT
        CSVs). N at the start of a barcode is no difference here.
        """
        ids = self.barcode_ids
        known = np.flatnonzero((ids >= 0) & self.rows.select(may_be_in_a_file()).to_series().to_numpy())
        _, first = np.unique(ids[known], return_index=True)
        return np.sort(known[first])

    @cached_property
    def pictured(self) -> Flags:
        """Which rows have an image, shape (rows,)."""
        return self.rows["path"].is_not_null().to_numpy()

    @cached_property
    def _used(self) -> pl.DataFrame:
        """The barcodes of rows that have a species or are evaluated: barcode_id and barcode, in lexical order.

        The others, of the two partitions that models are pretrained on, are most of a release and are never compared.
        """
        is_used = pl.col("species").is_not_null() | pl.col("split").is_in(list(vocabulary.EVALUATED))
        ids = self.rows.filter(is_used)["barcode_id"].drop_nulls().unique().sort()
        return pl.DataFrame({"barcode_id": ids, "barcode": self.barcodes.gather(ids)})

    @cached_property
    def frame_positions(self) -> Numbers:
        """Position of each distinct barcode in `on_frame`, int64, shape (barcodes,); -1 if it is not there."""
        positions = np.full(len(self.barcodes), NO_LABEL)
        positions[self._used["barcode_id"].to_numpy()] = np.arange(self._used.height)
        return positions

    @cached_property
    def on_frame(self) -> Framed:
        """The barcodes that have a species or are evaluated, on the frame; what has no place has no known column."""
        return framed(self._placements)

    @cached_property
    def is_placed(self) -> Flags:
        """Which of the barcodes of `on_frame` have a place without doubt."""
        return self._placements["doubt"].is_null().to_numpy()

    @cached_property
    def _placements(self) -> pl.DataFrame:
        return placed(self._used.select("barcode"), schema.PLACEMENTS.empty().lazy())

    @cached_property
    def _pairs(self) -> tuple[Numbers, Numbers]:
        return same_pairs(self.on_frame, self.least)

    def copies(self, queries: Numbers, keys: Numbers) -> Flags:
        """Which rows have a barcode that is the same as one of other rows, over the columns that both have.

        Args:
            queries: rows.
            keys: rows; both have a species or are evaluated.

        Returns:
            Shape (queries,); False for a row without a barcode.
        """
        held = np.zeros(len(self.barcodes) + 1, np.bool_)
        held[self.barcode_ids[keys]] = True
        held[NO_LABEL] = False
        same = held.copy()
        ids = self._used["barcode_id"].cast(pl.Int64).to_numpy()
        one, other = (ids[pair] for pair in self._pairs)
        same[one[held[other]]] = True
        same[other[held[one]]] = True
        return same[self.barcode_ids[queries]]


def open_records(source: str, within: Path | None = None, least: int = 300, progress: Progress = silent) -> Records:
    """Read a release.

    Args:
        source: its folder, or a version such as `v1` or `latest`.
        within: where a version is looked up.
        least: columns that two barcodes must share to be the same.
        progress: reports what is read.

    Raises:
        SourceError: there is no such release, or it cannot be read.
    """
    root = find_release(source, within)
    tables = scan_release(root)
    progress("reading the release", 0)
    held = tables.rows.collect_schema()
    frame = tables.rows.select(
        pl.col(name) if name in held else pl.lit(None, schema.METADATA_EXTENDED[name].dtype).alias(name)
        for name in READ
    ).collect(engine="streaming")
    digest = hashlib.sha256((root / MANIFEST).read_bytes()).hexdigest()
    return records_of(
        frame,
        root=root,
        release=f"{tables.dataset} {tables.version}",
        digest=digest,
        packages=tables.packages,
        dataset=tables.dataset,
        least=least,
    )


def records_of(
    frame: pl.DataFrame,
    *,
    root: Path,
    release: str,
    digest: str,
    packages: tuple[str, ...] = (),
    dataset: str = "",
    least: int = 300,
) -> Records:
    """Records of rows.

    Args:
        frame: `READ`, in the order of a release.
        root: as of `Records`.
        release: as of `Records`.
        digest: as of `Records`.
        packages: as of `Records`.
        dataset: as of `Records`.
        least: as of `Records`.
    """
    path = image_path(pl.col("split"), pl.col("chunk").fill_null(""), pl.col("processid"))
    rows = frame.with_columns(
        barcode=barcode_identity(pl.col("dna_barcode")),
        path=pl.when(pl.col("area_fraction").is_not_null()).then(path),
    ).drop("dna_barcode")
    barcodes = rows["barcode"].drop_nulls().unique().sort()
    ids = (rows["barcode"].rank("dense") - 1).cast(pl.UInt32).alias("barcode_id")
    return Records(
        root,
        release,
        digest,
        packages,
        dataset,
        rows.drop("barcode").with_columns(ids),
        barcodes.alias("barcode"),
        least,
    )
