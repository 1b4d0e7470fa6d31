"""Where the bytes of a records file come from: plain, gzipped, zipped, or in BOLD's tar.gz.

Belongs here: listing a folder, opening a location and undoing its containers, as a stream of byte pieces. Does
not belong here: what the bytes mean (`read`). A container is recognised by its first bytes, never by its name.
"""

from __future__ import annotations

import io
import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import chain
from pathlib import Path
from typing import IO, Any

from bioscan_etl.errors import SourceError
from bioscan_etl.io.locations import base_name, is_remote, is_s3
from bioscan_etl.io.read import list_files, open_binary

FASTA = (".fasta", ".fas", ".fa", ".fna")
"""How the names of files of sequences end."""

TABLES = (".tsv", ".jsonl", ".ndjson", ".parquet", *FASTA)
"""How the names of tables in an archive end."""

_MAYBE_TABLES = (".txt", ".csv")
_IN_FOLDERS = (*TABLES, ".zip", ".tar", ".tgz", *(f"{suffix}.gz" for suffix in (*TABLES, ".tar")))
_PIECE = 1 << 20
_DESCRIPTOR_LIMIT = 16 << 20
_OLD_WORKBOOK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_TAR_MAGIC = slice(257, 262)


class DamagedError(Exception):
    """A container ends early or is corrupt; every byte that could be had has been delivered before."""


@dataclass(frozen=True, slots=True)
class RecordsFile:
    """A records file: a path, `s3://bucket/key` or web address; a given `snapshot_date` overrides all others."""

    location: str
    snapshot_date: date | None = None

    @property
    def name(self) -> str:
        """The last part of the location."""
        return base_name(self.location)


@dataclass(frozen=True, slots=True)
class Entry:
    """A table inside a records file.

    Attributes:
        name: the file's base name, or the member's name in an archive; never an absolute path.
        pieces: its bytes, to be read before the next entry is asked for; raises DamagedError at the end of
            what could be read.
        path: the local file that holds the same bytes, if there is one: Parquet is not read sequentially.
    """

    name: str
    pieces: Iterator[bytes]
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A `datapackage.json` found inside an archive."""

    name: str
    text: str


def expand(location: str) -> list[str]:
    """The records files of a location: those in a folder (or `s3://bucket/prefix/`), else the location itself.

    In a folder they are recognised by their names: .tsv, .jsonl, .ndjson, .parquet, gzipped or not, .zip, .tar, .tgz.
    Hidden files are passed over, folders in the folder are read.

    Raises:
        SourceError: the folder holds no records file.
    """
    if not (location.endswith("/") if is_s3(location) else not is_remote(location) and Path(location).is_dir()):
        return [location]
    files = list_files(location)
    found = [
        file.location
        for file in files
        if file.name.lower().endswith(_IN_FOLDERS) and not any(part.startswith(".") for part in file.name.split("/"))
    ]
    if not found:
        raise SourceError(
            f"{location} holds no records file among {len(files):,} files: expected names that end in "
            f"{', '.join((*TABLES, '.gz', '.zip', '.tar.gz'))}"
        )
    return found


def entries(location: str) -> Iterator[Entry | Descriptor]:
    """Open a location and yield the tables it holds, in the order of the archive.

    Raises:
        SourceError: absent, unreadable or empty, or an archive without a table.
        DamagedError: an archive breaks off between its members.
    """
    with open_binary(location) as stream:
        head, pieces = peek(_read(stream, location), 512)
        if not head:
            raise SourceError(f"{location} is empty: expected a header line; fetch the file again")
        packed = head.startswith(b"\x1f\x8b")
        if packed:
            head, pieces = peek(_gunzip(pieces), 512)
            if not head:
                raise SourceError(
                    f"{location} is an unreadable or empty gzip file: expected a header line; fetch the file again"
                )
        if head.startswith(_OLD_WORKBOOK):
            raise SourceError(f"{location} is an Excel workbook; save its sheet as tab-separated text (UTF-8)")
        if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            yield from _tables(_unzip(pieces), location)
        elif head[_TAR_MAGIC] == b"ustar":
            yield from _tables(_untar(pieces), location)
        else:
            plain = not packed and not is_remote(location)
            yield Entry(base_name(location), pieces, Path(location) if plain else None)


def _tables(members: Iterator[tuple[str, Iterator[bytes]]], location: str) -> Iterator[Entry | Descriptor]:
    found = False
    for name, pieces in members:
        # macOS adds a `._x.tsv` of file attributes for every x.tsv.
        base = base_name(name)
        if base.lower().endswith(TABLES) and not base.startswith("._"):
            found = True
            yield Entry(_relative(name), pieces)
        elif base.lower().endswith(_MAYBE_TABLES) and not base.startswith("._"):
            head, rest = peek(pieces, _DESCRIPTOR_LIMIT >> 10)
            if _is_header(head):
                found = True
                yield Entry(_relative(name), rest)
        elif base == "workbook.xml":
            raise SourceError(f"{location} is an Excel workbook; save its sheet as tab-separated text (UTF-8)")
        elif base.lower().endswith("datapackage.json"):
            text = io.BytesIO()
            for piece in pieces:
                text.write(piece[: _DESCRIPTOR_LIMIT - text.tell()])
            yield Descriptor(_relative(name), text.getvalue().decode("utf-8", "replace"))
        # The stream of an archive continues only after a member that was read to its end.
        for _ in pieces:
            pass
    if not found:
        raise SourceError(f"{location} is an archive without a {' or '.join(TABLES)} member")


def _is_header(head: bytes) -> bool:
    """Whether a file's first line is the header of records: BOLD's version 3 delivers them as .txt."""
    first = head.replace(b"\0", b"").replace(b"\r", b"\n").split(b"\n", 1)[0]
    return b"processid" in re.split(rb'[\t,;|"]', first) and b"image_file" not in first


def _relative(name: str) -> str:
    """A member's name without what would make it absolute."""
    return re.sub(r"^([A-Za-z]:)?/+", "", name.replace("\\", "/"))


def peek(pieces: Iterator[bytes], size: int) -> tuple[bytes, Iterator[bytes]]:
    """At least `size` bytes, if there are so many, and an iterator that still holds them."""
    head = b""
    try:
        for piece in pieces:
            head += piece
            if len(head) >= size:
                break
    except DamagedError as error:
        return head, _then_raise(head, error)
    return head, chain((head,), pieces)


def _then_raise(head: bytes, error: DamagedError) -> Iterator[bytes]:
    yield head
    raise error


def _read(stream: IO[bytes], location: str) -> Iterator[bytes]:
    try:
        while piece := stream.read(_PIECE):
            yield piece
    except OSError as error:
        raise SourceError(f"{location} cannot be read: {error.strerror or error}; check the disk or network") from None


def _gunzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack gzip, several members included; all that comes before damage is delivered."""
    member = zlib.decompressobj(31)
    for piece in pieces:
        left = piece
        while left:
            if member.eof:
                left = left.lstrip(b"\0")
                if not left:
                    break
                member = zlib.decompressobj(31)
            before = member.copy()
            try:
                text = member.decompress(left, _PIECE)
            except zlib.error as error:
                yield _salvage(before, left)
                raise DamagedError(f"the gzip data is corrupt: {error}") from None
            if text:
                yield text
            left = member.unused_data if member.eof else member.unconsumed_tail
    if not member.eof:
        try:
            rest = member.flush()
        except zlib.error:
            rest = b""
        if rest:
            yield rest
    if not member.eof:
        raise DamagedError("the gzip data ends early")


def _salvage(member: Any, left: bytes) -> bytes:
    """What a failed call had decompressed before it failed; zlib does not return it in one call."""
    text = bytearray()
    try:
        for position in range(len(left)):
            text += member.decompress(left[position : position + 1])
    except zlib.error:
        pass
    return bytes(text)


class _Reader(io.RawIOBase):
    """Byte pieces as a file; ends where the pieces end or break off, and keeps the damage."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = memoryview(b"")
        self.damage: DamagedError | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            while not self._held:
                self._held = memoryview(next(self._pieces))
        except StopIteration:
            return 0
        except DamagedError as error:
            self.damage = error
            return 0
        size = min(len(buffer), len(self._held))
        buffer[:size] = self._held[:size]
        self._held = self._held[size:]
        return size


def _untar(pieces: Iterator[bytes]) -> Iterator[tuple[str, Iterator[bytes]]]:
    reader = _Reader(pieces)
    try:
        with tarfile.open(fileobj=reader, mode="r|", bufsize=_PIECE) as archive:
            for member in archive:
                if member.isreg() and not member.issparse():
                    yield _printable(member.name), _member(archive, member.size, reader)
    except (tarfile.TarError, EOFError) as error:
        raise reader.damage or DamagedError(f"the tar archive is cut or corrupt: {error}") from None
    if reader.damage is not None:
        raise reader.damage


def _member(archive: tarfile.TarFile, size: int, reader: _Reader) -> Iterator[bytes]:
    """A member's bytes, from the stream after its header; `extractfile` would drop the last ones of a cut member."""
    stream: Any = archive.fileobj
    left = size
    while left:
        piece = stream.read(min(_PIECE, left))
        if piece:
            yield piece
        left -= len(piece)
        if not piece:
            raise reader.damage or DamagedError("the tar archive ends early")


def _unzip(pieces: Iterator[bytes]) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Unpack zip from its local headers: works on streams, and on archives whose end is missing."""
    from stream_unzip import UnzipError, stream_unzip

    try:
        for name, _size, content in stream_unzip(pieces):
            yield _printable(name.decode("utf-8", "backslashreplace")), _zipped(content)
    except UnzipError as error:
        raise DamagedError(f"the zip archive is cut or corrupt: {type(error).__name__}") from None


def _zipped(content: Iterator[bytes]) -> Iterator[bytes]:
    from stream_unzip import UnzipError

    try:
        yield from content
    except UnzipError as error:
        raise DamagedError(f"the zip archive is cut or corrupt: {type(error).__name__}") from None


def _printable(name: str) -> str:
    """A member's name that any table can hold."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
