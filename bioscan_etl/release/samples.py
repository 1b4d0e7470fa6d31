"""The specimens of a release at random: image, barcode, text and classes of any of them, without PyTorch.

Belongs here: which specimens are chosen, and their values in memory. Does not belong here: where the bytes of the
images are (`release.image_bytes`), and what a `DataLoader` sees (`bioscan_etl.torch`).

Texts are Arrow arrays and numbers NumPy arrays: no thread holds a lock on them, so a forked process may read them, and
its memory does not grow as it does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import polars as pl

from bioscan_etl import vocabulary
from bioscan_etl.errors import SourceError
from bioscan_etl.images.decode import RGB, UnreadableImage
from bioscan_etl.release.classes import RANKED, Classes, class_numbers
from bioscan_etl.release.described import described
from bioscan_etl.release.forms._packed import packed_name
from bioscan_etl.release.image_bytes import ImageBytes, archived_bytes, file_bytes, packed_bytes, require_names
from bioscan_etl.release.opened import Release, open_release
from bioscan_etl.release.pixels import pixels
from bioscan_etl.release.rows import HAS_IMAGE

TEXT = "text"
"""The column of the text that describes a specimen (`release.described`)."""

Source = Literal["auto", "packed", "files", "archives"]
"""Where the images are read from; auto: the packed HDF5, else the image files, else the archives."""

_GROUPS = {"all": vocabulary.SPLITS, "seen": vocabulary.SEEN, "unseen": vocabulary.UNSEEN, "validation": ("val",)}
_PLACED = ("processid", "split", "chunk")


def partitions(split: str | Collection[str]) -> tuple[str, ...]:
    """The partitions that a user names, in the order of the release.

    Args:
        split: one, several joined by `+`, or a collection; also `all`, `seen` and `unseen`, as bioscan-dataset has
            them.

    Raises:
        SourceError: there is no such partition.
    """
    asked = [name.strip() for name in split.split("+")] if isinstance(split, str) else list(split)
    wanted: set[str] = set()
    for name in asked:
        wanted.update(_GROUPS.get(name, (name,)))
    if unknown := sorted(wanted - {*vocabulary.SPLITS}):
        known = ", ".join((*vocabulary.SPLITS, "all", "seen", "unseen"))
        raise SourceError(f"there is no partition {', '.join(map(repr, unknown))}; use {known}")
    return tuple(name for name in vocabulary.SPLITS if name in wanted)


@dataclass(frozen=True, slots=True)
class Samples:
    """Some specimens of a release, in its order: partition, order, family, process ID.

    Attributes:
        root: folder of the release.
        version: such as `v3`.
        count: number of specimens, n.
        columns: (n,) texts (Arrow; missing is the empty text) and numbers (NumPy; missing is NaN), by name.
        classes: class numbers of their labels, by rank.
        images: reads the images, or None.
    """

    root: Path
    version: str
    count: int
    columns: Mapping[str, Any]
    classes: Mapping[str, Classes]
    images: ImageBytes | None

    def value(self, column: str, place: int) -> str | int | float | bool:
        """A value of a specimen."""
        found: str | int | float | bool
        held = self.columns[column]
        found = held[place].item() if isinstance(held, np.ndarray) else held[place].as_py()
        return found

    def pixels(self, place: int) -> RGB:
        """The image of a specimen: (height, width, 3), uint8, RGB.

        Raises:
            SourceError: it cannot be read, is too large or damaged.
        """
        assert self.images is not None, "opened without images"
        data = self.images.read(place)
        try:
            return pixels(data)
        except UnreadableImage as error:
            raise SourceError(
                f"the image of specimen {place:,} in {self.root} is damaged: {error}; bioscan-etl check names the file"
            ) from None


class Chosen(NamedTuple):
    """Which specimens and values of a release are opened.

    Attributes:
        splits: partitions.
        columns: of the metadata, and `TEXT`.
        ranks: of `classes.RANKED`, whose class numbers are wanted.
        package: of the images; None for no images.
        source: where these are read from.
        distinct: one specimen per barcode, the first in the order of the release over all partitions.
    """

    splits: tuple[str, ...]
    columns: tuple[str, ...] = ()
    ranks: tuple[str, ...] = ()
    package: str | None = None
    source: Source = "auto"
    distinct: bool = False


def open_samples(path: str | Path, chosen: Chosen, version: str = "latest") -> Samples:
    """Open specimens of a release; with a package of images, only those that have one.

    Args:
        path: folder of a version, or the output folder of a run.
        chosen: which specimens and values.
        version: which version, where `path` holds several.

    Raises:
        SourceError: there is no such release, column, rank, package or source, or a file is damaged.
    """
    release = open_release(path, version)
    if unknown := [rank for rank in chosen.ranks if rank not in RANKED]:
        raise SourceError(f"there are no classes of {', '.join(unknown)}; use {', '.join(RANKED)}")
    read = [name for name in chosen.columns if name != TEXT]
    texts = list(vocabulary.DESCRIBED_RANKS) if TEXT in chosen.columns else []
    ranked = list(RANKED) if chosen.ranks else []
    barcodes = ["dna_barcode"] if chosen.distinct else []
    rows = release.rows(columns=list(dict.fromkeys((*_PLACED, "area_fraction", *read, *texts, *ranked, *barcodes))))
    wanted = rows["split"].is_in(list(chosen.splits))
    if chosen.package is not None:
        wanted &= rows.select(HAS_IMAGE).to_series()
    if chosen.distinct:
        # As the published recipe: N at the end is no difference (spec: benchmarks, BarcodeBERT).
        wanted &= rows.select(pl.col("dna_barcode").str.strip_chars_end("N").is_first_distinct()).to_series()
    places = wanted.arg_true()
    kept = rows[places]
    held = {name: _held(kept[name]) for name in read}
    if TEXT in chosen.columns:
        held[TEXT] = _held(kept.select(described()).to_series())
    return Samples(
        release.root,
        release.version,
        kept.height,
        held,
        class_numbers(release.root, rows, chosen.ranks, places) if chosen.ranks else {},
        None if chosen.package is None else _images(release, chosen.package, chosen.source, rows, places),
    )


def _held(values: pl.Series) -> Any:
    """Values as they are kept."""
    if values.dtype == pl.String():
        return values.fill_null("").to_arrow()
    if values.dtype.is_float() or (values.dtype.is_numeric() and values.null_count()):
        return values.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    if values.dtype.is_numeric() or (values.dtype == pl.Boolean() and not values.null_count()):
        return values.to_numpy()
    raise SourceError(
        f"{values.name} is {values.dtype}, neither text nor number; read it with bioscan_etl.open_release"
    )


def _images(release: Release, package: str, source: Source, rows: pl.DataFrame, places: pl.Series) -> ImageBytes:
    """What reads the images of the specimens at some places among all rows."""
    if source not in get_args(Source):
        raise SourceError(f"{source!r} is no source of images; use {', '.join(get_args(Source))}")
    folder, packed = release.image_folder(package), packed_name(package)
    images = rows.select(_PLACED)[places]
    require_names(images, release.root)
    if source == "packed" or (source == "auto" and (release.root / packed).exists()):
        return packed_bytes(release.root, packed, rows["processid"], places.to_numpy().astype(np.int64))
    if source == "files" or (source == "auto" and (release.root / folder).is_dir()):
        return file_bytes(release.root, folder, images)
    return archived_bytes(release.root, package, images)


class RGBStatistics(NamedTuple):
    """Mean and standard deviation of the pixels of some images, by channel (red, green, blue), from 0 to 1.

    Attributes:
        mean: of the channels.
        deviation: of the channels.
        images: number of images that were read.
    """

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    images: int


def rgb_statistics(samples: Samples, images: int, seed: int) -> RGBStatistics:
    """Mean and deviation over all pixels of a random choice of images; the same for the same seed.

    Args:
        samples: specimens with images.
        images: how many are read at most; 0 for all.
        seed: of the choice.

    Raises:
        SourceError: there is no image, or one is damaged.
    """
    if not samples.count:
        raise SourceError(f"{samples.root} has no image to take the mean of")
    number = min(images or samples.count, samples.count)
    places = np.random.Generator(np.random.PCG64(seed)).choice(samples.count, number, replace=False)
    counts = np.zeros((3, 256), np.int64)  # whole numbers: no result depends on the order
    for place in sorted(places.tolist()):
        found = samples.pixels(place).reshape(-1, 3)
        for channel in range(3):
            counts[channel] += np.bincount(found[:, channel], minlength=256)
    levels = np.arange(256) / 255
    shares = counts / counts.sum(axis=1, keepdims=True)
    mean = shares @ levels
    deviation = np.sqrt(shares @ levels**2 - mean**2)
    return RGBStatistics(_three(mean), _three(deviation), number)


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
