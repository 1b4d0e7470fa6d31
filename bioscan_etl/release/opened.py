"""A release as a notebook opens it: polars frames and a stream of images, without PyTorch.

Belongs here: the view that users get of a release. Does not belong here: finding its files (`release.scan`), verifying
them (`release.check`) and comparing releases (`release.diff`).

The folder may come from anywhere. A path is made of values that match their patterns, and stays below the
release; an image is refused by its header if it is too large.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import BaseModel, ValidationError

from bioscan_etl import vocabulary
from bioscan_etl.errors import SourceError
from bioscan_etl.extras import extras_named
from bioscan_etl.images.decode import RGB, UnreadableImage, decode
from bioscan_etl.io.locations import is_s3, local_path
from bioscan_etl.io.paths import real_path
from bioscan_etl.io.tables import parquet_file
from bioscan_etl.progress import Progress, silent
from bioscan_etl.release.layout import image_path
from bioscan_etl.release.manifest import MANIFEST, Counts, Ledger, is_inside, read_head
from bioscan_etl.release.rows import data_files
from bioscan_etl.release.scan import MOVES, ReleaseTables, find_release, scan_release
from bioscan_etl.settings import ImageSettings, Settings
from bioscan_etl.threads import ordered_map, workers
from bioscan_etl.vocabulary import ImagePackage

if TYPE_CHECKING:
    from bioscan_etl.release.check.faults import Fault

LABELS = ("processid", "split", *vocabulary.RANKS, "taxon", "dna_bin")
"""Columns that an image comes with, unless others are asked for."""

_PACKAGE: ImagePackage = "cropped_256"
_PLACE = ("processid", "split", "chunk", "area_fraction")
_ROWS_AT_ONCE = 1024
_VERSION = re.compile(r"v[1-9][0-9]*|latest")

Splits = str | Collection[str] | None
"""One partition, several, or None for all."""


class Images:
    """The images of a release, one after the other; iterate as often as you like.

    Each item is `(processid, pixels, labels)`: pixels (height, width, 3), uint8, RGB; labels a dict of the columns
    asked for. Images are decoded by a few threads ahead of the consumer, so memory does not grow with their number.
    Labels are read as the images are; shuffled, those of all images are held. `len()` is the number of images.

    The order is that of the release: by partition, order, family and process ID. Shuffled, it depends on the seed and
    the images only.
    """

    def __init__(
        self, tables: ReleaseTables, package: str, splits: Sequence[str], columns: Sequence[str], shuffle: int | None
    ) -> None:
        self._tables = tables
        self._folder = f"{tables.dataset}/images/{package}"
        self._splits = splits
        self._columns = tuple(columns)
        self._read = list(dict.fromkeys((*_PLACE, *columns)))
        self._shuffle = shuffle
        self.package = package

    @cached_property
    def _count(self) -> int:
        with _readable(self._tables):
            return int(self._rows().select(pl.len()).collect().item())

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[tuple[str, RGB, dict[str, Any]]]:
        def load(row: dict[str, Any]) -> RGB:
            return decoded_image(self._tables.root, f"{self._folder}/{row['path']}", row["processid"])

        for row, pixels in ordered_map(load, self._listed(), workers(0)):
            yield row["processid"], pixels, {name: row[name] for name in self._columns}

    def __repr__(self) -> str:
        return f"<{len(self):,} images of {self._tables.version}: {self.package}, {', '.join(self._splits)}>"

    def _rows(self) -> pl.LazyFrame:
        in_splits = pl.col("split").is_in(list(self._splits))
        return self._tables.rows.filter(in_splits, pl.col("area_fraction").is_not_null()).select(self._read)

    def _listed(self) -> Iterator[dict[str, Any]]:
        with _readable(self._tables):
            for piece in self._pieces():
                with_path = piece.filter(pl.col("area_fraction").is_not_null()).with_columns(
                    path=image_path(pl.col("split"), pl.col("chunk").fill_null(""), pl.col("processid"))
                )
                yield from with_path.iter_rows(named=True)

    def _pieces(self) -> Iterator[pl.DataFrame]:
        files = [path for split in self._splits for path in data_files(self._tables.root, split)]
        if self._shuffle is not None or not files:
            # The CSV is read at once, too: a part of it cannot be found without reading what comes before.
            rows = self._rows().collect()
            if self._shuffle is not None:
                rows = rows[np.random.Generator(np.random.PCG64(self._shuffle)).permutation(rows.height)]
            yield from rows.iter_slices(_ROWS_AT_ONCE)
            return
        for path in files:
            with parquet_file(path) as file:
                for batch in file.iter_batches(_ROWS_AT_ONCE, columns=self._read):
                    piece = pl.from_arrow(batch)
                    assert isinstance(piece, pl.DataFrame)
                    yield piece


@dataclass(frozen=True, slots=True, repr=False)
class Release:
    """A released version, read-only. Tables are read from the folder at each use; nothing is kept in memory.

    Attributes:
        root: folder of the version.
        version: such as `v3`.
        settings: with which the release was made, as its manifest states them; the defaults of this version for what
            it does not state.
        counts: rows by partition and reason, images by package.
        ledger: where every row that was read has gone.
        packages: image packages that it holds.
    """

    root: Path
    version: str
    settings: Settings
    counts: Counts
    ledger: Ledger
    packages: tuple[str, ...]
    _tables: ReleaseTables

    @property
    def splits(self) -> dict[str, int]:
        """Number of specimens by partition, in the order of the partitions."""
        return {split: self.counts.splits.get(split, 0) for split in vocabulary.SPLITS}

    @property
    def columns(self) -> list[str]:
        """Columns of `scan` and `rows`; `docs/reference/tables.md` gives their types, units and meanings."""
        with _readable(self._tables):
            return self._tables.columns()

    def scan(self) -> pl.LazyFrame:
        """The released specimens, a row each (`schema.METADATA_EXTENDED`), to be filtered before they are read."""
        return self._tables.rows

    def rows(self, split: Splits = None, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The released specimens as a frame, in the order of the release: partition, order, family, process ID.

        Args:
            split: a partition, several, or all.
            columns: columns to read, in this order; all without.

        Raises:
            SourceError: there is no such partition or column, or a file is damaged.
        """
        wanted = pl.col("split").is_in(list(_splits(split)))
        names = self._known(columns)
        with _readable(self._tables):
            return self._tables.rows.filter(wanted).select(names).collect(engine="streaming")

    @property
    def changes(self) -> pl.DataFrame:
        """Values that a rule changed (`schema.CHANGES`)."""
        return self._log("changes.parquet")

    @property
    def quarantine(self) -> pl.DataFrame:
        """Specimens that a gate keeps out (`schema.QUARANTINE`)."""
        return self._log("quarantine.parquet")

    @property
    def set_aside(self) -> pl.DataFrame:
        """Rows that another row of their specimen replaces (`schema.SET_ASIDE`)."""
        return self._log("set_aside.parquet")

    @property
    def rejects(self) -> pl.DataFrame:
        """Rows that could not become records (`schema.REJECTS`)."""
        return self._log("rejects.parquet")

    @property
    def moves(self) -> pl.DataFrame:
        """Specimens whose partition differs from that in the release before (`schema.PARTITION_MOVES`)."""
        return self._log(MOVES)

    def images(
        self,
        package: str = _PACKAGE,
        split: Splits = None,
        columns: Sequence[str] = LABELS,
        shuffle: int | None = None,
    ) -> Images:
        """The images of a package as a stream of `(processid, pixels, labels)`.

        Args:
            package: one of `packages`.
            split: a partition, several, or all.
            columns: columns of the labels.
            shuffle: seed of a random order, at least 0; None for the order of the release.

        Returns:
            An iterable with a length. While it is read, it raises SourceError where an image is missing or damaged.

        Raises:
            SourceError: there is no such package, partition or column.
        """
        if shuffle is not None and shuffle < 0:
            raise SourceError(f"shuffle={shuffle} is no seed; give a number from 0 on, or None")
        # In the order of the release, independent of the order in which they are asked for.
        splits = [name for name in vocabulary.SPLITS if name in _splits(split)]
        return Images(self._tables, self._package(package), splits, self._known(columns), shuffle)

    def image(self, processid: str, package: str = _PACKAGE) -> RGB:
        """The image of a specimen: (height, width, 3), uint8, RGB.

        Args:
            processid: the specimen.
            package: one of `packages`.

        Raises:
            SourceError: there is no such package, specimen or image, or it is damaged.
        """
        folder = self.image_folder(package)
        path = image_path(pl.col("split"), pl.col("chunk").fill_null(""), pl.col("processid"))
        with _readable(self._tables):
            found = (
                self._tables.rows.filter(pl.col("processid") == processid)
                .select(path=pl.when(pl.col("area_fraction").is_not_null()).then(path))
                .collect()
            )
        if found.is_empty():
            raise SourceError(f"{self.version} has no specimen {processid!r}")
        if (name := found["path"][0]) is None:
            raise SourceError(f"{processid} has no image in {self.version}")
        return decoded_image(self.root, f"{folder}/{name}", processid)

    def image_folder(self, package: str = _PACKAGE) -> str:
        """Folder of a package's image files within `root`; the files may be packed elsewhere.

        Raises:
            SourceError: there is no such package.
        """
        return f"{self._tables.dataset}/images/{self._package(package)}"

    def check(self, images: Literal["sample", "all"] = "sample", progress: Progress = silent) -> list[Fault]:
        """Verify the release by itself: checksums, schema, counts, invariants, agreement of all forms.

        Args:
            images: decode a fixed sample of each package, or all of them.
            progress: reports checksums and images.

        Returns:
            Faults by file and process ID; none: the release is sound.

        Raises:
            MissingExtraError: the extra `images` is not installed.
        """
        with extras_named():
            from bioscan_etl.release.check import check
        return check(self.root, images, progress)

    def __repr__(self) -> str:
        return f"<release {self.version}: {self.ledger.specimens:,} specimens, {self.root}>"

    def __str__(self) -> str:
        """Version, specimens by partition and image packages, in a few lines."""
        splits = ", ".join(f"{split} {rows:,}" for split, rows in self.splits.items())
        return (
            f"release {self.version}: {self.ledger.specimens:,} specimens\n"
            f"partitions: {splits}\n"
            f"image packages: {', '.join(self.packages) or 'none'}"
        )

    def _log(self, name: str) -> pl.DataFrame:
        with _readable(self._tables):
            return self._tables.table(name).collect()

    def _known(self, columns: Sequence[str] | None) -> list[str]:
        known = self.columns
        if columns is None:
            return known
        if unknown := [name for name in columns if name not in known]:
            raise SourceError(f"{self.version} has no column {', '.join(unknown)}; it has {', '.join(known)}")
        return list(columns)

    def _package(self, package: str) -> str:
        if package not in self.packages:
            raise SourceError(
                f"{self.version} has no image package {package!r}; it has {', '.join(self.packages) or 'none'}"
            )
        return package


def open_release(path: str | Path, version: str = "latest") -> Release:
    """Open a release to read it.

    Args:
        path: folder of a version (`out/releases/v3`), or the output folder of a run or its `releases/`.
        version: which version to open where `path` holds several: `v3`, or the last one.

    Returns:
        The release; its tables are read when they are asked for.

    Raises:
        SourceError: there is no release, or its manifest or metadata cannot be read.

    Example:
        >>> release = open_release("out")
        >>> release.version, release.splits["train"], release.packages
        ('v1', 8, ('cropped_256',))
        >>> release.rows("train", columns=["processid", "species"]).row(0)
        ('DEMO008-24', 'Aedes vexans')
        >>> processid, pixels, labels = next(iter(release.images(split="train")))
        >>> processid, pixels.shape, labels["genus"]
        ('DEMO008-24', (256, 341, 3), 'Aedes')
    """
    if is_s3(str(path)):
        raise SourceError(f"{path} is on S3; copy it into a folder first, for instance with `aws s3 sync`")
    if not _VERSION.fullmatch(version):
        raise SourceError(f"{version!r} is no version of a release; give v1, v2 … or latest")
    root = local_path(path)
    folder = find_release(str(root)) if (root / MANIFEST).is_file() else None
    if folder is None:
        held = [root / "releases" / version, root / version]
        folder = find_release(version, root) if any(each.is_dir() for each in held) else find_release(str(root))
    tables = scan_release(folder)
    if version not in ("latest", tables.version):
        raise SourceError(f"{folder} is {tables.version}, not {version}; give the folder that holds the versions")
    head = read_head(folder)
    try:
        counts, ledger = Counts.model_validate(head.get("counts")), Ledger.model_validate(head.get("ledger"))
        settings = Settings.model_validate(_known_settings(head.get("settings", {})))
    except ValidationError as error:
        first = error.errors()[0]
        raise SourceError(
            f"{folder}/{MANIFEST} cannot be read: {'.'.join(map(str, first['loc']))}: {first['msg']}; "
            "bioscan-etl check names every fault"
        ) from None
    packages = tuple(name for name in get_args(ImagePackage) if name in tables.packages)
    return Release(folder, tables.version, settings, counts, ledger, packages, tables)


def _known_settings(stated: dict[str, Any]) -> dict[str, Any]:
    """The settings that this version knows: an earlier one stated others."""
    known = {}
    for section, values in stated.items():
        model = Settings.model_fields[section].annotation if section in Settings.model_fields else None
        if isinstance(model, type) and issubclass(model, BaseModel) and isinstance(values, dict):
            known[section] = {name: value for name, value in values.items() if name in model.model_fields}
    return known


def _splits(split: Splits) -> tuple[str, ...]:
    """The selected partitions.

    Raises:
        SourceError: one of them is not a partition.
    """
    if split is None:
        return vocabulary.SPLITS
    wanted = (split,) if isinstance(split, str) else tuple(split)
    if unknown := [name for name in wanted if name not in vocabulary.SPLITS]:
        raise SourceError(f"there is no partition {', '.join(map(repr, unknown))}; use {', '.join(vocabulary.SPLITS)}")
    return wanted


class _readable:  # noqa: N801 - used as a statement
    """Turn errors with a file of a release into one line."""

    def __init__(self, tables: ReleaseTables) -> None:
        self._tables = tables

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (pl.exceptions.PolarsError, pa.ArrowException, OSError)):
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise SourceError(
                f"{self._tables.root} cannot be read: {reason}; bioscan-etl check finds the damaged file"
            ) from None


def decoded_image(root: Path, name: str, processid: str) -> RGB:
    """The pixels of a file of the release.

    Raises:
        SourceError: it is outside the release, missing or damaged.
    """
    path = root / name
    if not is_inside(name) or real_path(path) != path:
        raise SourceError(
            f"the image of {processid!r} is no plain file within {root}; bioscan-etl check names every fault"
        )
    try:
        return decode(path.read_bytes(), ImageSettings().max_pixels)
    except FileNotFoundError:
        raise SourceError(f"{path} is missing; fetch the package again") from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None
    except UnreadableImage as error:
        raise SourceError(f"{path} is damaged: {error}; fetch it again") from None
