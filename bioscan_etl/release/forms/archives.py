"""Image packages as archives: zips as the published data set comes in, and WebDataset tar shards.

Belongs here: names, order and headers of the members: nothing in an archive depends on when and where it was made.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa

from bioscan_etl import schema, vocabulary
from bioscan_etl.io.write import atomic_file
from bioscan_etl.progress import Progress
from bioscan_etl.release.check.agreement import Rows, agreement
from bioscan_etl.release.check.faults import Fault, capped
from bioscan_etl.release.check.files import is_plain
from bioscan_etl.release.check.jsonlines import read_objects
from bioscan_etl.release.check.tables import files_of
from bioscan_etl.release.check.view import View
from bioscan_etl.release.described import described
from bioscan_etl.release.forms.registry import Card, Form
from bioscan_etl.release.layout import images_name
from bioscan_etl.release.rows import (
    HAS_IMAGE,
    Pieces,
    package_folder,
    released,
    released_groups,
    remove_temporary,
    with_image,
)
from bioscan_etl.release.staging import Staging
from bioscan_etl.settings import ReleaseSettings

FOLDER = "packages"
ZIP_GROUPS = {
    "pretrain": ("pretrain",),
    "train": ("train",),
    "eval": ("val", "test", "key_unseen", "val_unseen", "test_unseen", "other_heldout"),
}
"""Archives of a package, and the partitions of their images, as the published data set is cut."""

_EARLIEST = (1980, 1, 1, 0, 0, 0)  # the first time a zip can state
_MODE = 0o644
_UNIX = 3
# Time, rights and owner of a member of a tar.
_HEADER = (0, _MODE, 0, 0, "", "")


def build(staging: Staging, settings: ReleaseSettings, progress: Progress) -> None:
    """Write the archives from the staged metadata and images; a killed run resumes by archive.

    Raises:
        InvariantError: the metadata is not built yet.
    """
    images = with_image(released(staging))
    folder = staging.tree / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    remove_temporary(folder)
    for package in settings.zip_packages:
        root = package_folder(staging, settings, package)
        for name, paths in zip_plan(images, package, settings):
            if not (folder / name).is_file():
                write_zip(paths, root, f"{images_name(settings)}/{package}", folder / name)
            progress(f"{FOLDER}/{name}", len(paths), len(paths))
    counts = dict(images.group_by("split").len().iter_rows())
    for package in settings.webdataset_packages:
        _write_tars(staging, settings, package, counts, progress)


def _write_tars(
    staging: Staging, settings: ReleaseSettings, package: str, counts: dict[str, int], progress: Progress
) -> None:
    root = package_folder(staging, settings, package)
    plan = list(tar_plan(counts, package, settings))
    for split in vocabulary.SPLITS:
        shards = [(name, length) for of, name, _, length in plan if of == split]
        paths = [staging.tree / FOLDER / name for name, _ in shards]
        if not all(path.is_file() for path in paths):
            rows = Pieces(map(with_image, released_groups(staging, schema.METADATA.names(), [split])))
            for path, (_, length) in zip(paths, shards, strict=True):
                pieces = rows.take(length, settings.images_per_group)
                if path.is_file():
                    for _ in pieces:
                        pass
                else:
                    write_tar(pieces, root, path)
                progress(f"{FOLDER}/{path.name}", length, length)


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
    for split in vocabulary.SPLITS:
        for number, start in enumerate(range(0, counts.get(split, 0), settings.samples_per_tar)):
            length = min(settings.samples_per_tar, counts[split] - start)
            yield split, f"{settings.title}_{package}_{split}-{number:06d}.tar", start, length


def write_tar(samples: Iterable[pl.DataFrame], root: Path, archive: Path) -> None:
    """Write one WebDataset shard; a sample is an image, its 23 columns and a text, `<processid>.{jpg,json,txt}`.

    open_clip trains on pairs of image and text, which it takes from the members `jpg` and `txt`.

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
            texts = piece.select(described()).to_series()
            for processid, path, line, text in zip(piece["processid"], piece["path"], lines, texts, strict=False):
                _add(members, f"{processid}.jpg", (root / path).read_bytes())
                _add(members, f"{processid}.json", line)
                _add(members, f"{processid}.txt", text.encode())


def _add(members: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)  # owner 0, no names, time 0
    member.size = len(data)
    member.mode = _MODE
    members.addfile(member, io.BytesIO(data))


_ERRORS = (OSError, ValueError, KeyError, RuntimeError, EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError)
_LINES_AT_ONCE = 10_000
_LONGEST = 1 << 20  # bytes of a row or text; a row of ours has some 2,000
_KINDS = ("jpg", "json", "txt")
"""Endings of a sample's members, in order."""


def check(view: View) -> Iterator[Fault]:
    """The archives hold the images of their packages, and the WebDataset shards the values of data/ too."""
    yield from _strangers(view)
    for package in view.settings.zip_packages:
        yield from _check_zips(view, package)
    for package in view.settings.webdataset_packages:
        yield from _check_tars(view, package)


def _strangers(view: View) -> Iterator[Fault]:
    """Files in the folder that are none of the planned archives."""
    settings = view.settings
    counts = dict(view.data.rows.filter(HAS_IMAGE).group_by("split").len().iter_rows())
    names = [name for package in settings.zip_packages for name, _ in zip_plan(view.listed, package, settings)]
    for package in settings.webdataset_packages:
        names += [name for _, name, _, _ in tar_plan(counts, package, settings)]
    planned = {f"{FOLDER}/{name}" for name in names}
    yield from capped(
        Fault(name, None, "is none of the archives of this release")
        for name in files_of(view.root, FOLDER)
        if name not in planned
    )


def _check_zips(view: View, package: str) -> Iterator[Fault]:
    """The zips of a package hold its images, byte for byte, under `bioscan5m/images/<package>/`, and nothing else."""
    root, settings = view.root, view.settings
    prefix = f"{images_name(settings)}/{package}"
    for file, paths in zip_plan(view.listed, package, settings):
        name = f"packages/{file}"
        if not is_plain(root, name):
            yield Fault(name, None, "is missing, or no plain file")
            continue
        try:
            yield from capped(_zip(root, name, prefix, paths))
        except _ERRORS as error:
            yield Fault(name, None, f"cannot be read as zip: {error}")


def _zip(root: Path, name: str, prefix: str, paths: pl.Series) -> Iterator[Fault]:
    with zipfile.ZipFile(root / name) as archive:
        members = {member.filename: member for member in archive.infolist()}
        if len(members) < len(archive.infolist()):
            yield Fault(name, None, "holds a member twice")
        expected = {f"{prefix}/{path}": path for path in paths}
        if list(members) != list(expected) and set(members) == set(expected):
            yield Fault(name, None, "holds its members in another order")
        if archive.comment:
            yield Fault(name, None, "has a comment")
        for one in archive.infolist():
            header = one.date_time, one.compress_type, one.external_attr, one.extra, one.comment
            if header != (_EARLIEST, zipfile.ZIP_STORED, _MODE << 16, b"", b""):
                yield Fault(name, Path(one.filename).stem, "is compressed, or has a time, rights or a comment")
        for member in sorted(set(members) ^ set(expected)):
            yield Fault(name, None, f"{'holds' if member in members else 'lacks'} {member!r}")
        for member in sorted(set(members) & set(expected)):
            image = root / member
            if not is_plain(root, member):
                continue
            data = image.read_bytes()
            found = members[member]
            # Check the size before reading bytes: an oversized member is not unpacked.
            if found.file_size != len(data) or archive.read(found) != data:
                yield Fault(name, Path(member).stem, "differs from the image file")


def _check_tars(view: View, package: str) -> Iterator[Fault]:
    """The WebDataset shards of a package hold, per specimen, its image, its 23 columns, and its text."""
    root, data, images = view.root, view.data, view.files(package)
    counts = dict(data.rows.filter(HAS_IMAGE).group_by("split").len().iter_rows())
    plan = [(split, f"packages/{file}", length) for split, file, _, length in tar_plan(counts, package, view.settings)]
    whole = []
    for split, name, length in plan:
        if not is_plain(root, name):
            yield Fault(name, None, "is missing, or no plain file")
            continue
        try:
            yield from capped(_tar(root, name, split, length, images))
        except _ERRORS as error:
            yield Fault(name, None, f"cannot be read as tar: {error}")
            continue
        whole.append(name)

    def pieces(columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        for name in whole:
            yield from (rows.select("processid", *columns) for rows in _values(root / name))

    form = Rows(f"packages/*_{package}_*.tar", tuple(schema.METADATA.names()[1:]), pieces)
    yield from agreement(data.of(HAS_IMAGE), form)


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Plain files of a tar in order; a member larger than the archive itself, or not written as ours, ends it."""
    largest = path.stat().st_size
    with tarfile.open(path, "r|") as archive:
        for member in archive:
            if not member.isfile() or member.size > largest:
                raise ValueError(f"member {member.name!r} is no plain file, or larger than the archive")
            if (member.mtime, member.mode, member.uid, member.gid, member.uname, member.gname) != _HEADER:
                raise ValueError(f"member {member.name!r} has a time, an owner or rights")
            stream = archive.extractfile(member)
            yield member.name, b"" if stream is None else stream.read()


def _tar(root: Path, name: str, split: str, length: int, images: Mapping[str, Path]) -> Iterator[Fault]:
    members = 0
    sample = ""
    for member, content in _members(root / name):
        processid, _, kind = member.partition(".")
        expected = _KINDS[members % len(_KINDS)]
        members += 1
        if expected == "jpg":
            sample = processid
        if kind != expected or processid != sample or (kind != "jpg" and len(content) > _LONGEST):
            yield Fault(name, None, f"holds {member!r} where <processid>.{expected} of a sample belongs")
            return
        if kind == "jpg":
            path = images.get(processid)
            if path is None:
                yield Fault(name, processid, "no specimen of data has an image here")
            elif path.is_file() and path.read_bytes() != content:
                yield Fault(name, processid, "differs from the image file")
    for rows in _values(root / name):
        named = rows.filter(pl.col("split").ne_missing(split))
        yield from (Fault(name, processid, f"is not of split {split}") for processid in named["processid"])
        # Said a second time, and not by the function that wrote it.
        names = (pl.col(rank).fill_null("not_classified") for rank in ("order", "family", "genus", "species"))
        other = rows.filter(pl.col("text").ne_missing(pl.concat_str(*names, separator=" ").cast(pl.Binary)))
        yield from (Fault(name, processid, "its text is not that of its labels") for processid in other["processid"])
    if members != len(_KINDS) * length:
        yield Fault(name, None, f"holds {members} members, not {len(_KINDS)} for each of {length} samples")


def _values(path: Path) -> Iterator[pl.DataFrame]:
    """The rows of a shard and their `text`; what cannot be read is left out, and so reported as missing."""
    lines: list[bytes] = []
    texts: list[bytes] = []

    def rows() -> pl.DataFrame:
        try:
            found = read_objects(b"\n".join(lines), schema.METADATA.arrow())
            return found.with_columns(text=pl.Series(texts, dtype=pl.Binary))
        except (pa.ArrowInvalid, pl.exceptions.PolarsError):
            return schema.METADATA.empty().with_columns(text=pl.lit(None, pl.Binary))

    try:
        for member, content in _members(path):
            if member.endswith(".json") and len(content) <= _LONGEST:
                lines.append(content.replace(b"\n", b" "))
            elif member.endswith(".txt") and len(content) <= _LONGEST:
                texts.append(content)
                if len(texts) == _LINES_AT_ONCE:
                    yield rows()
                    lines.clear()
                    texts.clear()
    except _ERRORS:
        pass
    if lines:
        yield rows()


def _card(settings: ReleaseSettings) -> Card:
    rows = []
    if settings.zip_packages:
        rows.append(("`packages/*.zip`", f"{', '.join(settings.zip_packages)}: to unpack here"))
    if settings.webdataset_packages:
        what = "WebDataset shards; a sample is an image (`jpg`), its columns (`json`) and its labels as text (`txt`)"
        rows.append(("`packages/*.tar`", f"{', '.join(settings.webdataset_packages)}: {what}"))
    return Card(tuple(rows))


FORM = Form(
    name="archives",
    about="The chosen packages as zips, as the published data set comes, and as WebDataset tar shards: `packages/`."
    "\n\nSource: release_metadata and image_packages. A killed run goes on by archive.",
    place=90,
    stage="image_archives",
    owns=lambda _: (FOLDER,),
    build=build,
    check=check,
    card=_card,
    images=True,
    # Groups and partitions do not begin with a number, so that no package is the beginning of another.
    packages={
        "zip_packages": "packages/{title}_{package}_[a-z]*.zip",
        "webdataset_packages": "packages/{title}_{package}_[a-z]*.tar",
    },
    settings=("dataset", "title", "images_per_group", "images_per_zip", "samples_per_tar"),
    verified={
        "release.zip_packages": "these zips are there, and no other",
        "release.webdataset_packages": "these WebDataset shards are there, and no other",
        "release.images_per_zip": "images of the zips",
        "release.samples_per_tar": "samples of the WebDataset shards",
    },
    resumable=True,
    kinds=("zip", "tar"),
    media_types={".tar": "application/x-tar", ".zip": "application/zip"},
)
