"""Where specimen images come from: a folder, a zip archive (also on S3) read in place, or an S3 prefix.

Belongs here: listing and reading files of a source, and which names are safe. Does not belong here: which
file belongs to which specimen (`images.index`) and what the bytes mean (`images.decode`).

Two kinds of errors are distinguished. A source that is absent or out of reach is a `SourceError`: it ends the
run, which can be started again. One damaged file in a sound source is a `DamagedFile`: it is data.
"""

from __future__ import annotations

import threading
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bioscan_etl.errors import SourceError
from bioscan_etl.io.locations import is_s3
from bioscan_etl.io.paths import real_path
from bioscan_etl.io.read import list_files, open_binary, open_seekable
from bioscan_etl.printable import printable

# A declared size beyond it is a zip bomb or no specimen image: 200 Mpx of 16-bit RGB is 1.2 GB uncompressed,
# and the largest released originals are below 100 MB.
MAX_FILE_BYTES = 512 << 20


class DamagedFile(Exception):  # noqa: N818 - the state of a file that becomes a row, not a failure of the run
    """One file that cannot be read although its source can; the message is for the row's `detail`."""


@dataclass(frozen=True, slots=True, order=True)
class SourceFile:
    """A file of a source: path within it, size in bytes, and why the name is unsafe ('' if it is safe)."""

    name: str
    size: int
    problem: str = ""


class ImageSource(Protocol):
    """A place that holds image files; all methods may be called from several threads."""

    location: str

    def files(self) -> list[SourceFile]:
        """All files, sorted by name; a name may occur twice in a zip."""

    def holds(self, name: str) -> bool:
        """Whether a file of this name can be read."""

    def read(self, name: str) -> bytes:
        """The bytes of a file.

        Raises:
            DamagedFile: the name is unsafe, or this file cannot be read.
            SourceError: the file has gone, or the source is out of reach.
        """

    def close(self) -> None:
        """Let go of open files."""


def unsafe_reason(name: str) -> str:
    """Why a path within a source must never touch a file system; '' if it may.

    Example:
        >>> unsafe_reason("images/AAASF005-17.jpg")
        ''
        >>> unsafe_reason("../../etc/passwd")
        'the name climbs out of its folder'
    """
    reasons = {
        "the name is empty": not name,
        "the name holds control characters": any(ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0 for letter in name),
        # Surrogates are how Python carries the undecodable bytes of a file name.
        "the name is not UTF-8": any(0xD800 <= ord(letter) < 0xE000 for letter in name),
        "the name holds characters that cannot be seen": printable(name) != name,
        "the name holds a backslash": "\\" in name,
        "the name is absolute": name.startswith("/") or name[1:2] == ":",
        "the name climbs out of its folder": ".." in name.split("/"),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _checked(name: str) -> None:
    if reason := unsafe_reason(name):
        raise DamagedFile(reason)


def _limited(size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise DamagedFile(f"the file has {size} bytes; at most {MAX_FILE_BYTES} are read")


class FolderSource:
    """Files below a local folder; links that lead out of it are left out."""

    def __init__(self, location: str) -> None:
        self.location = location
        self._root = Path(location)
        self._resolved = real_path(self._root)
        if not self._root.is_dir():
            raise SourceError(f"image source {location} is no folder, zip or s3:// prefix; check the path")

    def files(self) -> list[SourceFile]:
        """All files below the folder, sorted by name."""
        return sorted(SourceFile(file.name, file.size, unsafe_reason(file.name)) for file in list_files(self.location))

    def holds(self, name: str) -> bool:
        """Whether the folder has this file within itself."""
        path = self._root / name
        return not unsafe_reason(name) and path.is_file() and real_path(path).is_relative_to(self._resolved)

    def read(self, name: str) -> bytes:
        """The bytes of a file; see `ImageSource.read`."""
        _checked(name)
        path = self._root / name
        try:
            if not real_path(path).is_relative_to(self._resolved):
                raise DamagedFile("the file is a link that leads out of its source")
            _limited(path.stat().st_size)
            return path.read_bytes()
        except PermissionError:
            raise DamagedFile("the file may not be read: permission denied") from None
        except OSError as error:
            raise SourceError(
                f"image {path} cannot be read: {error.strerror}; was it moved? Index the batch again"
            ) from None

    def close(self) -> None:
        """Nothing is held open."""


class ZipSource:
    """Members of a zip archive, local or on S3, read in place; nothing is ever extracted.

    Of an archive on S3, only the directory and the requested members are read, by ranges; each thread has its
    own reader, so that threads do not wait for each other's answers.
    """

    def __init__(self, location: str) -> None:
        self.location = location
        self._own = threading.local()
        self._opened: list[zipfile.ZipFile] = []
        # If a name is repeated, its first entry is read, as in the listing.
        self._members: dict[str, zipfile.ZipInfo] = {}
        for member in self._zip.infolist():
            self._members.setdefault(member.filename, member)

    @property
    def _zip(self) -> zipfile.ZipFile:
        """The archive; of one on S3, this thread's reader of it."""
        if self._opened and not is_s3(self.location):
            return self._opened[0]
        archive: zipfile.ZipFile | None = getattr(self._own, "archive", None)
        if archive is None:
            archive = self._open()
            self._own.archive = archive
            self._opened.append(archive)
        return archive

    def _open(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(open_seekable(self.location) if is_s3(self.location) else self.location)
        except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError) as error:
            raise SourceError(
                f"image source {self.location} is no whole zip archive ({error}); copy it again"
            ) from None
        except OSError as error:
            raise SourceError(
                f"image source {self.location} cannot be read: {error.strerror}; check the path"
            ) from None

    def files(self) -> list[SourceFile]:
        """All members that are files, sorted by name."""
        return sorted(
            # orig_filename still has what zipfile cut off after a NUL byte.
            SourceFile(member.filename, member.file_size, unsafe_reason(member.orig_filename))
            for member in self._zip.infolist()
            if not member.filename.endswith("/")  # `is_dir` needs a name of at least one letter
        )

    def holds(self, name: str) -> bool:
        """Whether the archive has this member."""
        return name in self._members and not unsafe_reason(self._members[name].orig_filename)

    def read(self, name: str) -> bytes:
        """The bytes of a member, its checksum verified; see `ImageSource.read`."""
        _checked(name)
        member = self._members.get(name)
        if member is None:
            raise SourceError(f"{self.location} has no member {name}; the batch was indexed from another archive")
        _limited(member.file_size)
        try:
            # ZipFile.read serialises the seeks of threads on a shared file and stops at the declared size.
            return self._zip.read(member)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError) as error:
            raise DamagedFile(f"damaged in its zip archive: {printable(str(error))}") from None
        except OSError as error:
            raise SourceError(f"image source {self.location} cannot be read: {error}; check the disk") from None

    def close(self) -> None:
        """Close the archive."""
        for archive in self._opened:
            archive.close()


class S3Source:
    """Objects below an S3 prefix; retries and checksums are those of `bioscan_etl.io`."""

    def __init__(self, location: str) -> None:
        self.location = location.rstrip("/")
        self._names: frozenset[str] | None = None

    def files(self) -> list[SourceFile]:
        """All objects below the prefix, sorted by name."""
        found = sorted(SourceFile(file.name, file.size, unsafe_reason(file.name)) for file in list_files(self.location))
        self._names = frozenset(file.name for file in found if not file.problem)
        return found

    def holds(self, name: str) -> bool:
        """Whether the prefix has this object; lists the prefix once."""
        if self._names is None:
            self.files()
        return self._names is not None and name in self._names

    def read(self, name: str) -> bytes:
        """The bytes of an object; see `ImageSource.read`."""
        _checked(name)
        with open_binary(f"{self.location}/{name}") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
        _limited(len(data))
        return data

    def close(self) -> None:
        """Nothing is held open."""


def open_source(location: str) -> ImageSource:
    """The source at a location: a `.zip` file (local or on S3), an `s3://` prefix, or a folder.

    Raises:
        SourceError: there is no such source.
    """
    if location.lower().endswith(".zip") and (is_s3(location) or not Path(location).is_dir()):
        return ZipSource(location)
    return S3Source(location) if is_s3(location) else FolderSource(location)


class Sources:
    """Several sources as one; a name is read from the first source that holds it, in the order of their locations."""

    def __init__(self, members: Sequence[ImageSource]) -> None:
        self.members = tuple(members)

    def files(self) -> Iterator[tuple[ImageSource, SourceFile]]:
        """All files of all sources, source by source."""
        for member in self.members:
            for file in member.files():
                yield member, file

    def read(self, name: str) -> bytes:
        """The bytes of a file; see `ImageSource.read`."""
        _checked(name)
        if len(self.members) == 1:
            return self.members[0].read(name)
        for member in self.members:
            if member.holds(name):
                return member.read(name)
        raise SourceError(f"no image source holds {name}; it was there when the batch was indexed, index it again")


@contextmanager
def open_sources(locations: Iterable[str]) -> Iterator[Sources]:
    """Open sources together; the order they are named in makes no difference.

    Raises:
        SourceError: one of them is absent, broken or out of reach.
    """
    with ExitStack() as stack:
        members = []
        for location in sorted(set(locations)):
            member = open_source(location)
            stack.callback(member.close)
            members.append(member)
        yield Sources(members)
