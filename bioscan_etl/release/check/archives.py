"""Do the archives of a release hold its images, and the WebDataset shards the values of data/ too?"""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa

from bioscan_etl import schema
from bioscan_etl.release.check.agreement import Form, agreement
from bioscan_etl.release.check.faults import Fault, capped
from bioscan_etl.release.check.files import is_plain
from bioscan_etl.release.check.forms import read_objects
from bioscan_etl.release.check.tables import Data
from bioscan_etl.release.forms.archives import tar_plan, zip_plan
from bioscan_etl.settings import ReleaseSettings

_HAS_IMAGE = pl.col("area_fraction").is_not_null()
_ERRORS = (OSError, ValueError, KeyError, RuntimeError, EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError)
_LINES_AT_ONCE = 10_000
_LONGEST_JSON = 1 << 20  # bytes; a row of ours has some 2,000


def check_zips(root: Path, package: str, settings: ReleaseSettings, listed: pl.DataFrame) -> Iterator[Fault]:
    """The zips of a package hold its images, byte for byte, under `bioscan5m/images/<package>/`, and nothing else.

    Args:
        root: the release's folder.
        package: name of the package.
        settings: names, images of an archive.
        listed: split and path within the package of every image.
    """
    prefix = f"{settings.dataset}/images/{package}"
    for file, paths in zip_plan(listed, package, settings):
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
        for member in sorted(set(members) ^ set(expected)):
            yield Fault(name, None, f"{'holds' if member in members else 'lacks'} {member!r}")
        for member in sorted(set(members) & set(expected)):
            image = root / member
            if not is_plain(root, member):
                continue
            data = image.read_bytes()
            found = members[member]
            # The size before the bytes: a member that swells is not unpacked.
            if found.file_size != len(data) or archive.read(found) != data:
                yield Fault(name, Path(member).stem, "differs from the image file")


def check_tars(
    root: Path, package: str, settings: ReleaseSettings, data: Data, images: Mapping[str, Path]
) -> Iterator[Fault]:
    """The WebDataset shards of a package: per specimen its image, then its 23 columns.

    Args:
        root: the release's folder.
        package: name of the package.
        settings: names, samples of a shard.
        data: what data/ says.
        images: file of each specimen's image in the package.
    """
    counts = dict(data.rows.filter(_HAS_IMAGE).group_by("split").len().iter_rows())
    plan = [(split, f"packages/{file}", length) for split, file, _, length in tar_plan(counts, package, settings)]
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

    form = Form(f"packages/*_{package}_*.tar", tuple(schema.METADATA.names()[1:]), pieces)
    yield from agreement(data.of(_HAS_IMAGE), form)


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Plain files of a tar in order; a member larger than the archive itself is damage, and ends it."""
    largest = path.stat().st_size
    with tarfile.open(path, "r|") as archive:
        for member in archive:
            if not member.isfile() or member.size > largest:
                raise ValueError(f"member {member.name!r} is no plain file, or larger than the archive")
            stream = archive.extractfile(member)
            yield member.name, b"" if stream is None else stream.read()


def _tar(root: Path, name: str, split: str, length: int, images: Mapping[str, Path]) -> Iterator[Fault]:
    seen = 0
    image = ""
    for member, content in _members(root / name):
        processid, _, kind = member.partition(".")
        if kind == "jpg":
            image = processid
            seen += 1
            path = images.get(processid)
            if path is None:
                yield Fault(name, processid, "no specimen of data has an image here")
            elif path.is_file() and path.read_bytes() != content:
                yield Fault(name, processid, "differs from the image file")
        elif kind != "json" or processid != image or len(content) > _LONGEST_JSON:
            yield Fault(name, None, f"holds {member!r}, which is no <processid>.json after its <processid>.jpg")
    for rows in _values(root / name):
        named = rows.filter(pl.col("split").ne_missing(split))
        yield from (Fault(name, processid, f"is not of split {split}") for processid in named["processid"])
    if seen != length:
        yield Fault(name, None, f"holds {seen} samples, not {length}")


def _values(path: Path) -> Iterator[pl.DataFrame]:
    """The rows of a shard; what cannot be read is left out, for it is missing then."""
    lines: list[bytes] = []

    def rows() -> pl.DataFrame:
        try:
            return read_objects(b"\n".join(lines), schema.METADATA.arrow())
        except pa.ArrowInvalid:
            return schema.METADATA.empty()

    try:
        for member, content in _members(path):
            if member.endswith(".json") and len(content) <= _LONGEST_JSON:
                lines.append(content.replace(b"\n", b" "))
                if len(lines) == _LINES_AT_ONCE:
                    yield rows()
                    lines.clear()
    except _ERRORS:
        pass
    if lines:
        yield rows()
