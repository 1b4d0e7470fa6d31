"""The bytes of any image of a release, at random: from its packed HDF5, its image files or its archives.

Belongs here: where the bytes of a specimen's image are, and reading them in any process. Does not belong here: the
pixels (`release.pixels`), and whether the bytes are right (`release.check`).

All of it reads a known part of a file with `pread`. That holds no position and no lock, so one reader serves threads
and forked processes; a pickled one opens its files anew. The HDF5 library is asked once where the bytes are, because
its handles must not cross a fork.

The folder may come from anywhere. A path is made of values that match their patterns and is reached through no link; a
part of a file lies within the file.
"""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl import schema, vocabulary
from bioscan_etl.errors import SourceError
from bioscan_etl.io.paths import real_path
from bioscan_etl.release.check.files import is_plain
from bioscan_etl.release.check.hdf5 import stored_dataset, stored_group
from bioscan_etl.release.layout import image_path

Int64s = npt.NDArray[np.int64]
_BLOCK = 50_000  # process IDs that are compared at a time
_LOCAL_HEADER = 30  # bytes of a zip member's header, before its name and notes
_LONGEST = 1 << 30  # bytes of an image file


class ImageBytes(Protocol):
    """Reads the image of the specimen at a place among those that it was made for."""

    def read(self, place: int) -> bytes:
        """The bytes of an image file.

        Raises:
            SourceError: the file is missing, cut or no plain file.
        """


class _Files:
    """Files that are opened where they are first read, and closed with the reader; not pickled."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: dict[str, int] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"_root": self._root, "_open": {}}

    def __del__(self) -> None:
        for number in self._open.values():
            os.close(number)

    def part(self, name: str, start: int, length: int) -> bytes:
        number = self._open.get(name)
        if number is None:
            if not is_plain(self._root, name):
                raise SourceError(f"{self._root / name} is missing, or no plain file; fetch it again")
            mine = os.open(self._root / name, os.O_RDONLY | os.O_CLOEXEC)
            number = self._open.setdefault(name, mine)
            if number != mine:  # another thread was first
                os.close(mine)
        data = os.pread(number, length, start)
        if len(data) < length:
            raise SourceError(f"{self._root / name} ends before byte {start + length}; fetch it again")
        return data


class PackedBytes:
    """Images of a package's packed HDF5 (`release.forms._packed`), whose bytes are stored as they are."""

    def __init__(self, root: Path, name: str, rows: Int64s, bounds: Int64s, starts: Int64s, chunk: int) -> None:
        self._files = _Files(root)
        self._name = name
        self._rows = rows
        self._bounds = bounds
        self._starts = starts
        self._chunk = chunk

    def read(self, place: int) -> bytes:
        """The bytes of an image file; see `ImageBytes`."""
        row = self._rows[place]
        at, stop = int(self._bounds[row]), int(self._bounds[row + 1])
        parts = []
        while at < stop:
            number, within = divmod(at, self._chunk)
            length = min(self._chunk - within, stop - at)
            parts.append(self._files.part(self._name, int(self._starts[number]) + within, length))
            at += length
        return b"".join(parts)


def packed_bytes(root: Path, name: str, processids: pl.Series, rows: Int64s) -> PackedBytes:
    """The images of a packed HDF5.

    Args:
        root: folder of the release.
        name: path of the file in it.
        processids: of all specimens of the release, in its order.
        rows: numbers of the specimens that are wanted.

    Raises:
        SourceError: the file is not laid out as we write it, or is of other specimens.
    """
    import h5py

    path = root / name
    if not is_plain(root, name):
        raise SourceError(f"{path} is missing, or no plain file; fetch it again")
    try:
        with h5py.File(path, "r") as file:
            return _packed(file, root, name, processids, rows)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise SourceError(f"{path} cannot be read: {str(error).splitlines()[0]}; fetch it again") from None


def _packed(file: Any, root: Path, name: str, processids: pl.Series, rows: Int64s) -> PackedBytes:
    """Raises ValueError where the file is not as we write it."""
    offsets, jpeg, metadata = (
        stored_dataset(file, "offsets"),
        stored_dataset(file, "jpeg"),
        stored_group(file, "metadata"),
    )
    named = None if metadata is None else stored_dataset(metadata, "processid")
    if offsets is None or jpeg is None or named is None or file.userblock_size:
        raise ValueError("it is not laid out as packed HDF5")
    count = len(processids)
    if offsets.shape != (count + 1,) or offsets.dtype != np.int64 or named.shape != (count,) or named.dtype.kind != "S":
        raise ValueError(f"it is not of the {count:,} specimens of the release")
    for start in range(0, count, _BLOCK):
        stored = pl.Series(np.char.decode(named[start : start + _BLOCK], "latin-1").astype(str), dtype=pl.String)
        if not stored.equals(processids.slice(start, _BLOCK)):
            raise ValueError("its specimens are not those of the release, or in another order")
    bounds: Int64s = offsets[()]
    if bounds[0] != 0 or (np.diff(bounds) < 0).any() or jpeg.shape != (int(bounds[-1]),) or jpeg.dtype != np.uint8:
        raise ValueError("its offsets do not lead from 0 to the end of jpeg")
    if jpeg.chunks is None or jpeg.compression or jpeg.shuffle or jpeg.fletcher32 or jpeg.scaleoffset:
        raise ValueError("its images are not stored as they are")
    chunk = int(jpeg.chunks[0])
    starts = np.full(-(-jpeg.size // chunk), -1, np.int64)

    def place(stored: Any) -> None:
        if stored.filter_mask == 0 and stored.size == chunk:
            starts[stored.chunk_offset[0] // chunk] = stored.byte_offset

    jpeg.id.chunk_iter(place)
    # Beyond the end nothing can be read, but a buffer of that size would be made first.
    if ((starts < 0) | (starts + chunk > (root / name).stat().st_size)).any():
        raise ValueError("a part of its images is missing")
    return PackedBytes(root, name, rows, bounds, starts, chunk)


class FileBytes:
    """Images of the files of a package."""

    def __init__(self, folder: Path, processids: Any, places: Any) -> None:
        self._folder = folder
        self._names = processids
        self._places = places
        self._checked: set[str] = set()

    def read(self, place: int) -> bytes:
        """The bytes of an image file; see `ImageBytes`."""
        within = self._places[place].as_py()
        folder = f"{self._folder}/{within}"
        if within not in self._checked:
            if os.path.realpath(folder) != folder:
                raise SourceError(f"{folder} is no folder of the release; bioscan-etl check names every fault")
            self._checked.add(within)
        path = f"{folder}/{self._names[place].as_py()}.jpg"
        try:
            # A link is refused, and a pipe is not waited for.
            number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            raise SourceError(f"{path} is missing; fetch the package again") from None
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {error.strerror}") from None
        try:
            found = os.fstat(number)
            if not stat.S_ISREG(found.st_mode) or found.st_size > _LONGEST:
                raise SourceError(f"{path} is no image file; bioscan-etl check names every fault")
            return os.pread(number, found.st_size, 0)
        finally:
            os.close(number)


def file_bytes(root: Path, folder: str, images: pl.DataFrame) -> FileBytes:
    """The images of a package's files.

    Args:
        root: folder of the release.
        folder: of the package, in it.
        images: processid, split and chunk of the wanted specimens.

    Raises:
        SourceError: there is no such folder.
    """
    path = root / folder
    if real_path(path) != path or not path.is_dir():
        raise SourceError(f"{path} is missing, or no folder; fetch the package again")
    place = image_path(pl.col("split"), pl.col("chunk").fill_null(""), pl.lit(""))
    found = images.select(place=place.str.strip_suffix("/.jpg"))["place"]
    return FileBytes(path, images["processid"].to_arrow(), found.to_arrow())


class ArchivedBytes:
    """Images of a package's zips or WebDataset shards, read in them."""

    def __init__(self, root: Path, names: tuple[str, ...], files: Int64s, starts: Int64s, lengths: Int64s) -> None:
        self._files = _Files(root)
        self._names = names
        self._file = files
        self._starts = starts
        self._lengths = lengths

    def read(self, place: int) -> bytes:
        """The bytes of an image file; see `ImageBytes`."""
        name, start = self._names[self._file[place]], int(self._starts[place])
        if name.endswith(".zip"):
            header = self._files.part(name, start, _LOCAL_HEADER)
            start += _LOCAL_HEADER + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        return self._files.part(name, start, int(self._lengths[place]))


def archived_bytes(root: Path, package: str, images: pl.DataFrame) -> ArchivedBytes:
    """The images of a package's archives.

    Args:
        root: folder of the release.
        package: name of the package.
        images: processid of the wanted specimens.

    Raises:
        SourceError: there are no archives, one is damaged or compressed, or an image is in none.
    """
    names = tuple(path.relative_to(root).as_posix() for path in _archives(root, package))
    if not names:
        raise SourceError(f"{root}/packages has no archives of {package}; fetch them again")
    parts = []
    for number, name in enumerate(names):
        if not is_plain(root, name):
            raise SourceError(f"{root / name} is no plain file; fetch it again")
        try:
            members = list(_zipped(root / name) if name.endswith(".zip") else _tarred(root / name))
            found = pl.DataFrame(members, _MEMBERS, orient="row").with_columns(file=pl.lit(number, pl.Int64))
        except _DAMAGED as error:
            raise SourceError(f"{root / name} cannot be read: {error}; fetch it again") from None
        whole = pl.col("length").ge(0) & (pl.col("start") + pl.col("length") <= (root / name).stat().st_size)
        parts.append(found.filter(whole))  # what lies beyond the end is in no archive
    # An image that is in a zip and in a shard has the same bytes in both.
    found = pl.concat(parts).unique("processid", keep="first", maintain_order=True)
    placed = images.select("processid").join(found, on="processid", how="left", maintain_order="left")
    if (missing := placed.filter(pl.col("start").is_null())).height:
        raise SourceError(f"no archive of {package} in {root} has {missing['processid'][0]}; fetch them again")
    return ArchivedBytes(root, names, *(placed[name].to_numpy() for name in ("file", "start", "length")))


_DAMAGED = (
    *(OSError, ValueError, KeyError, RuntimeError, EOFError, OverflowError),
    *(zlib.error, tarfile.TarError, zipfile.BadZipFile, pl.exceptions.PolarsError),
)
_MEMBERS = {"processid": pl.String, "start": pl.Int64, "length": pl.Int64}


def _archives(root: Path, package: str) -> list[Path]:
    folder = root / "packages"
    return [path for end in ("zip", "tar") for path in sorted(folder.glob(f"*_{package}_[a-z]*.{end}"))]


def _zipped(path: Path) -> Iterator[tuple[str, int, int]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{member.filename!r} is compressed")
            yield _processid(member.filename), member.header_offset, member.file_size


def _tarred(path: Path) -> Iterator[tuple[str, int, int]]:
    with tarfile.open(path, "r:") as archive:
        for member in archive:
            if member.isreg() and member.name.endswith(".jpg"):
                yield _processid(member.name), member.offset_data, member.size


def _processid(member: str) -> str:
    return member.rpartition("/")[2].removesuffix(".jpg")


def require_names(images: pl.DataFrame, root: Path) -> None:
    """Check the values that paths are made of.

    Args:
        images: processid, split and chunk.
        root: folder of the release, for the message.

    Raises:
        SourceError: a value is none that a release has.
    """
    good = (
        pl.col("processid").str.contains(schema.PROCESSID_PATTERN)
        & pl.col("split").is_in(list(vocabulary.SPLITS))
        & pl.col("chunk").fill_null("").str.contains(str(schema.METADATA["chunk"].pattern))
    )
    wrong = images.filter(good.not_().fill_null(value=True))
    if wrong.height:
        raise SourceError(f"{root} names the specimen {wrong['processid'][0]!r}; bioscan-etl check names every fault")
