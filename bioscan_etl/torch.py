"""A release as a PyTorch data set, opened in one line.

    from torch.utils.data import DataLoader
    from bioscan_etl.torch import Release

    train = Release("releases/latest", split="train", modality=("image", "dna"), target_type="species")
    loader = DataLoader(train, batch_size=64, sampler=train.sampler(seed=0), num_workers=2)

Belongs here: what a `DataLoader` sees. Does not belong here: the specimens and their values (`release.samples`), which
need no PyTorch.

The arguments are those of `bioscan-dataset`, so that a script for the published data set needs another import. Three
things differ. An image is a tensor, not a picture of Pillow. A missing label is -100, which PyTorch's losses pass over,
not -1. A class has the same number in every partition of a release.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bioscan_etl.barcodes.tokens import LENGTH, kmer_tokens
from bioscan_etl.errors import SourceError
from bioscan_etl.extras import extras_named
from bioscan_etl.images.decode import RGB
from bioscan_etl.release.classes import IGNORED
from bioscan_etl.release.samples import (
    Chosen,
    RGBStatistics,
    Source,
    open_samples,
    partitions,
    rgb_statistics,
)
from bioscan_etl.threads import cores

with extras_named("bench"):
    import torch
    from torch.utils.data import Dataset, Sampler, get_worker_info

IMAGE, DNA, TOKENS, ATTENTION = "image", "dna", "tokens", "attention"
_BARCODE = "dna_barcode"
_DNA = (DNA, _BARCODE, "barcode")
_KMERS = (TOKENS, ATTENTION)
_TRAIN = "train"
_RGB_IMAGES = 1000


class Release(Dataset[Any]):
    """Specimens of a release, as a map-style data set.

    It can be pickled, and read by the workers of a `DataLoader`, forked or spawned. A sample is the values of the
    modalities in their order, and the target last: None without a target type, a tuple for several.

    Args:
        root: folder of a version, or the output folder of a run.
        split: a partition, several joined by `+` or as a collection, `all`, `seen` or `unseen`.
        modality: one or several of: `image`, a uint8 tensor (3, height, width), RGB; `dna`, the barcode as text;
            `tokens`, the k-mers of the barcode, int64 (660 // k,); `attention`, bool of the same shape, False for
            padding; `text`, "order family genus species" with `not_classified` for a missing rank; any column of
            text or numbers, where a missing text is empty and a missing number NaN. With `image`, specimens without an
            image are left out.
        image_package: the package of the images.
        target_type: one or several ranks, or `dna_bin`; empty for no target.
        target_format: `index`, the number of the class, or `text`, its name.
        output_format: `tuple`, or `dict`: each modality by its name, `<rank>`, `<rank>_index` and `target`.
        transform: is given the tensor of an image.
        dna_transform: is given a barcode.
        target_transform: is given a target.
        reduce_repeated_barcodes: keep one specimen per barcode: the first in the order of the release, over all
            partitions. N at the end is no difference.
        max_nucleotides: letters of a barcode; None for all.
        k: letters of a k-mer of `tokens`.
        ignore_index: number of a missing label.
        images_from: `packed`, `files` or `archives`; `auto` takes the first of these that the release has.
        version: which version, where `root` holds several.

    Attributes:
        modality: names, in order.
        target_type: names, in order.
        splits: partitions, in order.

    Raises:
        SourceError: there is no such release, partition, column, package or rank, or a file is damaged.
    """

    def __init__(
        self,
        root: str | Path,
        split: str | Collection[str] = _TRAIN,
        modality: str | Sequence[str] = (IMAGE, DNA),
        image_package: str = "cropped_256",
        reduce_repeated_barcodes: bool = False,
        max_nucleotides: int | None = LENGTH,
        target_type: str | Sequence[str] = "species",
        target_format: Literal["index", "text"] = "index",
        output_format: Literal["tuple", "dict"] = "tuple",
        transform: Callable[[Any], Any] | None = None,
        dna_transform: Callable[[str], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        *,
        k: int = 4,
        ignore_index: int = IGNORED,
        images_from: Source = "auto",
        version: str = "latest",
    ) -> None:
        self.modality = _names(modality)
        self.target_type = _names(target_type)
        self.splits = partitions(split)
        if target_format not in ("index", "text") or output_format not in ("tuple", "dict"):
            raise SourceError(
                f"target_format={target_format!r}, output_format={output_format!r}: use index or text, tuple or dict"
            )
        columns = {name: self._column(name) for name in self.modality if name != IMAGE}
        package = image_package if IMAGE in self.modality else None
        chosen = Chosen(
            self.splits,
            tuple(dict.fromkeys(columns.values())),
            self.target_type,
            package,
            images_from,
            reduce_repeated_barcodes,
        )
        self._samples = open_samples(root, chosen, version)
        self._columns = columns
        self._opened = (root, version, image_package, images_from)
        self._max_nucleotides = max_nucleotides
        self._k = k
        self._format = (target_format, output_format)
        self._ignore = ignore_index
        self.transform = transform
        self.dna_transform = dna_transform
        self.target_transform = target_transform
        self._pool: ThreadPoolExecutor | None = None
        self._rgb: dict[tuple[int, int], RGBStatistics] = {}
        if TOKENS in self.modality or ATTENTION in self.modality:
            kmer_tokens([], k)  # refuses a length that is none

    @staticmethod
    def _column(name: str) -> str:
        return _BARCODE if name in (*_DNA, *_KMERS) else name

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_pool": None}

    def __len__(self) -> int:
        return self._samples.count

    def __getitem__(self, index: int) -> Any:
        """The sample at a place; a negative one counts from the end."""
        place = self._place(index)
        return self._sample(place, self._samples.pixels(place) if self._samples.images is not None else None)

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Several samples; a `DataLoader` asks for a batch at once.

        Outside of workers the images are decoded in threads. Transforms are not: their random numbers come in order.
        """
        places = [self._place(index) for index in indices]
        if self._samples.images is None:
            return [self._sample(place, None) for place in places]
        if get_worker_info() is not None or cores() == 1:
            return [self._sample(place, self._samples.pixels(place)) for place in places]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(cores(), "decode")
        decoded = self._pool.map(self._samples.pixels, places)
        return [self._sample(place, pixels) for place, pixels in zip(places, decoded, strict=True)]

    def __repr__(self) -> str:
        samples = self._samples
        return f"<{len(self):,} specimens of {samples.version}: {'+'.join(self.splits)}, {', '.join(self.modality)}>"

    def _place(self, index: int) -> int:
        place = operator.index(index)
        if place < 0:
            place += len(self)
        if not 0 <= place < len(self):
            raise IndexError(f"there is no sample {index} among {len(self):,}")
        return place

    def _sample(self, place: int, pixels: RGB | None) -> Any:
        values = [self._value(name, place, pixels) for name in self.modality]
        target_format, output_format = self._format
        targets = tuple(self._target(rank, place, target_format) for rank in self.target_type)
        target = None if not targets else targets[0] if len(targets) == 1 else targets
        if target is not None and self.target_transform is not None:
            target = self.target_transform(target)
        if output_format == "tuple":
            return (*values, target)
        named = dict(zip(self.modality, values, strict=True))
        for rank in self.target_type:
            named[rank] = self._target(rank, place, "text")
            named[f"{rank}_index"] = self._target(rank, place, "index")
        return named | {"target": target}

    def _value(self, name: str, place: int, pixels: RGB | None) -> Any:
        if name == IMAGE:
            image = torch.from_numpy(pixels).permute(2, 0, 1)
            return image if self.transform is None else self.transform(image)
        value = self._samples.value(self._columns[name], place)
        if name in _KMERS:
            return torch.from_numpy(kmer_tokens([str(value)], self._k)[_KMERS.index(name)][0])
        if name in _DNA:
            barcode = str(value)[: self._max_nucleotides]
            return barcode if self.dna_transform is None else self.dna_transform(barcode)
        return value

    def _target(self, rank: str, place: int, target_format: str) -> int | str:
        classes = self._samples.classes[rank]
        number = int(classes.numbers[place])
        if target_format == "index":
            return self._ignore if number == IGNORED else number
        return "" if number == IGNORED else classes.labels[number]

    def classes(self, rank: str | None = None) -> tuple[str, ...]:
        """The names of the classes of a rank, by number; without a rank, those of the only target type."""
        return self._samples.classes[self._rank(rank)].labels

    def class_weights(self, rank: str | None = None) -> Any:
        """Weights of the classes for a loss: n / (classes that occur x specimens of the class), over this data set.

        A class that does not occur here has weight 0, and specimens without a label do not count.

        Returns:
            A float32 tensor (classes,).
        """
        classes = self._samples.classes[self._rank(rank)]
        known = classes.numbers[classes.numbers != IGNORED]
        counts = np.bincount(known, minlength=len(classes.labels))
        occurs = counts > 0
        weights = np.zeros(len(counts), np.float64)
        weights[occurs] = known.size / (occurs.sum() * counts[occurs])
        return torch.from_numpy(weights.astype(np.float32))

    def rgb(self, images: int = _RGB_IMAGES, seed: int = 0) -> RGBStatistics:
        """Mean and standard deviation of the pixels of train, for `Normalize`.

        They are of a random choice of images of this package, whatever the partition of this data set. A release holds
        no such numbers; they are computed when first asked for (0.3 s for 1,000 images) and kept in memory.

        Args:
            images: how many are read; 0 for all.
            seed: of the choice.

        Returns:
            Mean and deviation by channel, from 0 to 1, and how many images were read.
        """
        if (images, seed) not in self._rgb:
            root, version, package, source = self._opened
            train = open_samples(root, Chosen((_TRAIN,), package=package, source=source), version)
            self._rgb[images, seed] = rgb_statistics(train, images, seed)
        return self._rgb[images, seed]

    def sampler(
        self, seed: int, *, group: int = 1024, held: int = 16, rank: int = 0, replicas: int = 1
    ) -> GroupSampler:
        """A seeded random order that reads the release in groups of rows; see `GroupSampler`."""
        return GroupSampler(len(self), seed, group=group, held=held, rank=rank, replicas=replicas)

    def _rank(self, rank: str | None) -> str:
        if rank is None and len(self.target_type) == 1:
            return self.target_type[0]
        if rank not in self.target_type:
            raise SourceError(
                f"{rank!r} is no target type of this data set; it has {', '.join(self.target_type) or 'none'}"
            )
        return rank


class GroupSampler(Sampler[int]):
    """A random order that stays within some groups of rows at a time.

    The groups are shuffled; the rows of `held` groups that follow each other are shuffled together. So a disk or a
    network file system reads long runs, and a batch is still mixed. The order depends on the arguments and the epoch.

    Args:
        count: number of samples.
        seed: of the order, at least 0.
        group: samples of a group.
        held: groups that are mixed.
        rank: of this process, if several train together.
        replicas: number of these processes. All have the same number of samples; up to replicas - 1 are left out.

    Raises:
        SourceError: an argument is out of its range.
    """

    def __init__(
        self, count: int, seed: int, *, group: int = 1024, held: int = 16, rank: int = 0, replicas: int = 1
    ) -> None:
        if seed < 0 or group < 1 or held < 1 or not 0 <= rank < replicas:
            raise SourceError(
                f"seed={seed}, group={group}, held={held}, rank={rank}, replicas={replicas}: give a seed from 0 on, "
                "groups of at least 1, and a rank below the replicas"
            )
        self._count = count
        self._seed = seed
        self._group, self._held = group, held
        self._rank, self._replicas = rank, replicas
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch; without, each pass has the same order."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._count // self._replicas

    def __iter__(self) -> Iterator[int]:
        """Places of the samples."""
        generator = np.random.Generator(np.random.PCG64([self._seed, self._epoch]))
        groups = generator.permutation(-(-self._count // self._group))
        at, last = 0, len(self) * self._replicas
        for first in range(0, len(groups), self._held):
            starts = groups[first : first + self._held] * self._group
            places = (starts[:, None] + np.arange(self._group)).ravel()
            places = generator.permutation(places[places < self._count])
            positions = np.arange(at, at + len(places))
            mine = places[(positions % self._replicas == self._rank) & (positions < last)]
            at += len(places)
            yield from mine.tolist()


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)
