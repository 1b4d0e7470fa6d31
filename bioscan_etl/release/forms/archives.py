"""Image packages as archives: zips as the published data set comes in, and WebDataset tar shards.

Belongs here: names, order and headers of the members: nothing in an archive depends on when and where it was made.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from bioscan_etl import schema
from bioscan_etl.io.write import atomic_file
from bioscan_etl.settings import ReleaseSettings

ZIP_GROUPS = {
    "pretrain": ("pretrain",),
    "train": ("train",),
    "eval": ("val", "test", "key_unseen", "val_unseen", "test_unseen", "other_heldout"),
}
"""Archives of a package, and the partitions of their images, as the published data set is cut."""

_EARLIEST = (1980, 1, 1, 0, 0, 0)  # the first time a zip can state
_MODE = 0o644
_UNIX = 3


def zip_plan(images: pl.DataFrame, package: str, settings: ReleaseSettings) -> Iterator[tuple[str, pl.Series]]:
    """The zips of a package: name and paths within the package, in order.

    A group of more images than fit into one archive has several: `<title>_<package>_<group>.01.zip`, ….
    """
    for group, splits in ZIP_GROUPS.items():
        paths = images.filter(pl.col("split").is_in(splits))["path"].sort()
        starts = range(0, max(len(paths), 1), settings.images_per_zip)
        for number, start in enumerate(starts, 1):
            part = f".{number:02d}" if len(starts) > 1 else ""
            yield f"{settings.title}_{package}_{group}{part}.zip", paths.slice(start, settings.images_per_zip)


def write_zip(paths: Iterable[str], root: Path, prefix: str, archive: Path) -> None:
    """Write images to one zip, not compressed: JPEG does not get smaller.

    Args:
        paths: within `root`.
        root: folder of the package.
        prefix: folder of the members, such as `bioscan5m/images/cropped_256`.
        archive: the file, written whole or not at all.
    """
    with (
        atomic_file(archive) as stream,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED, allowZip64=True) as members,
    ):
        for path in paths:
            member = zipfile.ZipInfo(f"{prefix}/{path}", _EARLIEST)
            member.create_system = _UNIX  # not the system that wrote it
            member.external_attr = _MODE << 16
            members.writestr(member, (root / path).read_bytes())


def tar_plan(counts: dict[str, int], package: str, settings: ReleaseSettings) -> Iterator[tuple[str, str, int, int]]:
    """The WebDataset shards of a package: split, name, first sample within the split, number of samples.

    Args:
        counts: images by split; a split without images has no shard.
        package: name of the package.
        settings: title, samples of a shard.
    """
    for split in schema.SPLITS:
        for number, start in enumerate(range(0, counts.get(split, 0), settings.samples_per_tar)):
            length = min(settings.samples_per_tar, counts[split] - start)
            yield split, f"{settings.title}_{package}_{split}-{number:06d}.tar", start, length


def write_tar(samples: Iterable[pl.DataFrame], root: Path, archive: Path) -> None:
    """Write one WebDataset shard: per sample `<processid>.jpg`, then `<processid>.json` with the 23 columns.

    Args:
        samples: `schema.METADATA` and `path` within the package, in pieces.
        root: folder of the package.
        archive: the file, written whole or not at all.
    """
    with (
        atomic_file(archive) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as members,
    ):
        for piece in samples:
            lines = piece.select(schema.METADATA.names()).write_ndjson().encode().split(b"\n")
            for processid, path, line in zip(piece["processid"], piece["path"], lines, strict=False):
                _add(members, f"{processid}.jpg", (root / path).read_bytes())
                _add(members, f"{processid}.json", line)


def _add(members: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)  # owner 0, no names, time 0
    member.size = len(data)
    member.mode = _MODE
    members.addfile(member, io.BytesIO(data))
