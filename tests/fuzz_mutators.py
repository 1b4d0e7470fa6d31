"""Damage for the fuzz run: a mutator takes a file's bytes and a random generator, and returns other bytes.

Belongs here: kinds of damage, by form of the file. Does not belong here: the files (`fuzz_seeds`) and who reads them
(`fuzz_readers`).
"""

from __future__ import annotations

import gzip
import io
import json
import random
import stat
import tarfile
import zipfile
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Random = random.Random
Mutator = Callable[[bytes, Random], bytes]

HOSTILE = (
    "\x00",
    "\x1b[2J\x1b]0;x\x07",
    "\u202egnp.exe",
    "\u200b\ufeff",
    "\u2028",
    "\x85",
    "\r",
    "\x0b\x0c",
    "'; DROP TABLE x; --",
    "</script><script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "../../../evil",
    "/etc/passwd",
    "C:\\evil",
    "CON",
    "--help",
    "-",
    "{x}%s%n{0}",
    "[red]:skull:",
    "NaN",
    "inf",
    "-0",
    "1e308",
    "9" * 400,
    "None",
    "null",
    "true",
    "[]",
    "[None, None]",
    "{}",
    "0000-00-00",
    "9999-12-31",
    "\U0001f98b\ufe0f",
    "e\u0301",
    "ﬁ",
    "\u3164",
    "a" * 300,
    '"',
    '""',
    "`",
    "|",
    "*",
    "?",
    "\t",
    "\n",
)


def hostile(rng: Random) -> str:
    """A text that has broken programs before."""
    text = rng.choice(HOSTILE)
    return text * rng.choice((1, 1, 1, 3)) if rng.random() < 0.9 else "x" * rng.choice((5_000, 70_000))


# ---------------------------------------------------------------- bytes


def flipped(data: bytes, rng: Random) -> bytes:
    """Some bits of some bytes changed."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 3, 20))):
        if found:
            found[rng.randrange(len(found))] ^= 1 << rng.randrange(8)
    return bytes(found)


def cut(data: bytes, rng: Random) -> bytes:
    """The end is missing, or the start."""
    at = rng.randrange(len(data) + 1)
    return data[:at] if rng.random() < 0.8 else data[at:]


def holed(data: bytes, rng: Random) -> bytes:
    """A block of zeros, of ones or of noise."""
    at, size = rng.randrange(len(data) + 1), rng.choice((1, 4, 64, 700))
    return data[:at] + rng.choice((b"\0" * size, b"\xff" * size, rng.randbytes(size))) + data[at + size :]


def grown(data: bytes, rng: Random) -> bytes:
    """Something inserted."""
    at = rng.randrange(len(data) + 1)
    return data[:at] + hostile(rng).encode("utf-8", "surrogatepass") + data[at:]


def lengthened(data: bytes, rng: Random) -> bytes:
    """A number of four bytes, perhaps a length, made huge or negative."""
    at = rng.randrange(max(1, len(data) - 4))
    value = rng.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\0\0\0\0"))
    return data[:at] + value + data[at + 4 :]


def repeated(data: bytes, rng: Random) -> bytes:
    """The file twice, or a part of it again at another place."""
    if rng.random() < 0.5:
        return data + data
    start, at = rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)
    return data[:at] + data[start : start + rng.randrange(1, 500)] + data[at:]


def emptied(data: bytes, rng: Random) -> bytes:
    """Nothing, or nearly nothing."""
    return rng.choice((b"", b"\n", b"\0", data[:1], b"\xef\xbb\xbf", b" " * 100, b"\r\n" * 3))


BYTES: tuple[Mutator, ...] = (flipped, flipped, cut, cut, holed, grown, lengthened, repeated, emptied)

# ---------------------------------------------------------------- text


def _on_lines(data: bytes, change: Callable[[list[bytes]], Any]) -> bytes:
    lines = data.split(b"\n")
    change(lines)
    return b"\n".join(lines)


def lines_changed(data: bytes, rng: Random) -> bytes:
    """Lines doubled, removed, exchanged, blank or joined."""

    def change(lines: list[bytes]) -> None:
        at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
        kind = rng.randrange(6)
        if kind == 0:
            lines.insert(at, lines[other])
        elif kind == 1:
            del lines[at]
        elif kind == 2:
            lines[at], lines[other] = lines[other], lines[at]
        elif kind == 3:
            lines.insert(at, rng.choice((b"", b" ", b"\t", b"\r", b"\t\t\t")))
        elif kind == 4:
            lines[at : at + 2] = [b"".join(lines[at : at + 2])]
        else:
            lines[at:at] = [lines[other]] * 200

    return _on_lines(data, change)


def fields_changed(data: bytes, rng: Random) -> bytes:
    """Fields of a line doubled, removed, or replaced by something hostile."""
    separator = b"\t" if b"\t" in data else b","

    def change(lines: list[bytes]) -> None:
        for _ in range(rng.choice((1, 1, 5))):
            at = rng.randrange(len(lines))
            fields = lines[at].split(separator)
            place = rng.randrange(len(fields))
            kind = rng.randrange(4)
            if kind == 0:
                fields.insert(place, fields[place])
            elif kind == 1:
                del fields[place]
            else:
                fields[place] = hostile(rng).encode("utf-8", "surrogatepass")
            lines[at] = separator.join(fields)

    return _on_lines(data, change)


def header_changed(data: bytes, rng: Random) -> bytes:
    """A column renamed, doubled or removed."""
    head, _, rest = data.partition(b"\n")
    separator = b"\t" if b"\t" in head else b","
    names = head.split(separator)
    at = rng.randrange(len(names))
    kind = rng.randrange(5)
    if kind == 0:
        names[at] = hostile(rng).encode("utf-8", "surrogatepass")
    elif kind == 1:
        names.insert(at, rng.choice(names))
    elif kind == 2:
        del names[at]
    elif kind == 3:
        rng.shuffle(names)
    else:
        names = [name.upper() for name in names]
    return separator.join(names) + b"\n" + rest


def recoded(data: bytes, rng: Random) -> bytes:
    """Another encoding."""
    text = data.decode("utf-8", "replace")
    kind = rng.randrange(5)
    if kind == 0:
        return text.encode("utf-16")
    if kind == 1:
        return text.encode("utf-8-sig")
    if kind == 2:
        return text.replace("e", "é").encode("latin-1", "replace")
    if kind == 3:
        return text.encode("utf-32")
    return text.replace("a", "\ud800").encode("utf-8", "surrogatepass")


def ended(data: bytes, rng: Random) -> bytes:
    """Other line ends."""
    return data.replace(b"\n", rng.choice((b"\r\n", b"\r", b"\n\n", b"\r\r\n", b"\xe2\x80\xa8", b"\x85")))


def quoted(data: bytes, rng: Random) -> bytes:
    """Fields in quotes, as spreadsheets and R write them."""
    separator = b"\t" if b"\t" in data else b","
    some = rng.choice((0.01, 0.2, 1.0))

    def change(lines: list[bytes]) -> None:
        for at, line in enumerate(lines):
            fields = [b'"' + one + b'"' if line and rng.random() < some else one for one in line.split(separator)]
            lines[at] = separator.join(fields)

    return _on_lines(data, change)


TEXT: tuple[Mutator, ...] = (
    flipped,
    cut,
    grown,
    grown,
    holed,
    repeated,
    emptied,
    lines_changed,
    lines_changed,
    fields_changed,
    fields_changed,
    fields_changed,
    header_changed,
    recoded,
    ended,
    quoted,
)

# ---------------------------------------------------------------- JSON


def value_of_any_type(rng: Random) -> Any:
    """A value that may not be of the type that is expected."""
    kind = rng.randrange(12)
    if kind < 4:
        return hostile(rng)
    if kind == 4:
        deep: Any = 1
        for _ in range(rng.choice((3, 500, 900))):
            deep = [deep] if rng.random() < 0.5 else {"a": deep}
        return deep
    return rng.choice(
        (None, True, False, 0, -1, 1.5, 10**18, 10**30, -(10**30), float("nan"), float("inf"), [], {}, [[]], [1, "a"])
    )


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        for name, one in value.items():
            found += _places(one, (*path, name))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            found += _places(one, (*path, number))
    return found


def _json_value_changed(value: Any, rng: Random) -> Any:
    places = _places(value)
    if not places:
        return value_of_any_type(rng)
    path = rng.choice(places)
    holder = value
    for step in path[:-1]:
        holder = holder[step]
    kind = rng.randrange(5)
    if kind == 0:
        del holder[path[-1]]
    elif kind == 1 and isinstance(holder, dict):
        holder[hostile(rng)] = holder[path[-1]]
    elif kind == 2 and isinstance(holder, list):
        holder.insert(0, value_of_any_type(rng))
    else:
        holder[path[-1]] = value_of_any_type(rng)
    return value


def json_changed(data: bytes, rng: Random) -> bytes:
    """A value of a document replaced, removed, renamed or nested; now and then text that is no JSON."""
    try:
        value = json.loads(data)
    except ValueError:
        return grown(data, rng)
    for _ in range(rng.choice((1, 1, 2, 4))):
        value = _json_value_changed(value, rng)
    if rng.random() < 0.05:
        return b"[" * 100_000
    return json.dumps(value, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")


def json_lines_changed(data: bytes, rng: Random) -> bytes:
    """The same in a line, or in all."""

    def change(lines: list[bytes]) -> None:
        chosen = range(len(lines)) if rng.random() < 0.1 else [rng.randrange(len(lines))]
        for at in chosen:
            lines[at] = json_changed(lines[at], rng).replace(b"\n", b" ")

    return _on_lines(data, change)


JSON: tuple[Mutator, ...] = (json_changed, json_changed, json_changed, flipped, cut, grown, recoded, emptied)
JSON_LINES: tuple[Mutator, ...] = (
    json_lines_changed,
    json_lines_changed,
    json_lines_changed,
    *TEXT[:9],
    recoded,
    ended,
)

# ---------------------------------------------------------------- Parquet


def _column(rng: Random, values: list[Any]) -> pa.Array:
    """An array of a type that nobody expects, as long as the values."""
    rows = len(values)
    kinds: list[Callable[[], pa.Array]] = [
        lambda: pa.array([[str(one)] for one in values]),
        lambda: pa.array([[] for _ in values], pa.list_(pa.float64())),
        lambda: pa.array([[None, None] for _ in values], pa.list_(pa.float64())),
        lambda: pa.array([{"a": str(one), "b": 1} for one in values]),
        lambda: pa.array([[("k", str(one))] for one in values], pa.map_(pa.string(), pa.string())),
        lambda: pa.array(range(rows), pa.duration("us")),
        lambda: pa.array(range(rows), pa.time64("ns")),
        lambda: pa.array(range(rows), pa.timestamp("ms", tz=rng.choice((None, "UTC", "Europe/Berlin")))),
        lambda: pa.array([0] * rows, pa.date32()),
        lambda: pa.array([b"\xff\xfe\x00"] * rows, pa.binary()),
        lambda: pa.array([b"\xff\xfe"] * rows, pa.binary(2)),
        lambda: pa.array([None] * rows, pa.null()),
        lambda: pa.array([Decimal("1.5")] * rows, pa.decimal128(20, 5)),
        lambda: pa.array([str(one) for one in values]).dictionary_encode(),
        lambda: pa.array([True] * rows),
        lambda: pa.array([float("nan")] * rows),
        lambda: pa.array([2**63 - 1] * rows, pa.int64()),
        lambda: pa.array([2**64 - 1] * rows, pa.uint64()),
        lambda: pa.array([658.0] * rows, pa.float32()),
        lambda: pa.array([1.5] * rows, pa.float16()),
        lambda: pa.array([[[{"a": [1]}]]] * rows),
        lambda: pa.array([hostile(rng).encode("utf-8", "replace").decode() for _ in values]),
        lambda: pa.array([hostile(rng).encode("utf-8", "replace").decode() for _ in values], pa.large_string()),
        lambda: pa.array([hostile(rng).encode("utf-8", "replace").decode() for _ in values], pa.string_view()),
    ]
    return rng.choice(kinds)()


def parquet_changed(data: bytes, rng: Random) -> bytes:
    """Columns of other types, names or number; the rows stay as many."""
    table = pq.read_table(pa.BufferReader(data))
    names, columns = list(table.column_names), [column.combine_chunks() for column in table.columns]
    for _ in range(rng.choice((1, 1, 3, len(names)))):
        at = rng.randrange(len(names))
        kind = rng.randrange(8)
        if kind == 0 and len(names) > 1:
            del names[at], columns[at]
        elif kind == 1:
            names[at] = hostile(rng).encode("utf-8", "replace").decode().replace("\0", "")
        elif kind == 2:
            names.append(rng.choice(names))
            columns.append(columns[at])
        else:
            columns[at] = _column(rng, columns[at].to_pylist())
    target = io.BytesIO()
    try:
        pq.write_table(
            pa.Table.from_arrays(columns, names=names),
            target,
            compression=rng.choice(("none", "snappy", "zstd", "gzip")),
            row_group_size=rng.choice((1, 7, 1000)),
            version=rng.choice(("1.0", "2.6")),
            coerce_timestamps=None,
        )
    except (pa.ArrowException, ValueError):  # a type that Parquet does not have
        return flipped(data, rng)
    return target.getvalue()


PARQUET: tuple[Mutator, ...] = (
    parquet_changed,
    parquet_changed,
    parquet_changed,
    flipped,
    cut,
    holed,
    lengthened,
    emptied,
)

# ---------------------------------------------------------------- archives


def _name(rng: Random, name: str) -> str:
    text = hostile(rng).replace("\0", "")
    return rng.choice(
        (name, f"../../../{name}", f"/{name}", f"{text}/{name}", f"{text}{name}", name.upper(), "", "a/../" + name)
    )


def zip_changed(data: bytes, rng: Random) -> bytes:
    """Members with hostile names, links, bombs, doubled or encrypted members, wrong sums."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        members = [(info.filename, source.read(info)) for info in source.infolist()]
        for name, sound in members * rng.choice((1, 1, 2)):
            content = sound
            info = zipfile.ZipInfo(_name(rng, name) or "x")
            info.compress_type = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))
            kind = rng.randrange(8)
            if kind == 0:
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
                content = b"/etc/passwd"
            elif kind == 1:
                content = b"\0" * 3_000_000
            elif kind == 2:
                content = rng.choice(BYTES)(content, rng)
            _write(made, info, content)
    found = bytearray(target.getvalue())
    if rng.random() < 0.2:  # general purpose flags: encrypted, streamed, UTF-8
        for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            at = found.find(signature)
            if at >= 0:
                found[at + offset] ^= rng.choice((1, 8, 0x40))
    return bytes(found)


def _write(made: zipfile.ZipFile, info: zipfile.ZipInfo, content: bytes) -> None:
    try:
        made.writestr(info, content)
    except (UnicodeError, ValueError):
        info.filename = "x"
        made.writestr(info, content)


def tar_changed(data: bytes, rng: Random) -> bytes:
    """Members with hostile names, links, devices and wrong sizes."""
    target = io.BytesIO()
    packed = rng.random() < 0.5
    form = rng.choice((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT))
    with tarfile.open(fileobj=io.BytesIO(data)) as source, tarfile.open(fileobj=target, mode="w", format=form) as made:
        for member in source.getmembers():
            stream = source.extractfile(member)
            content = stream.read() if stream else b""
            info = tarfile.TarInfo(_name(rng, member.name) or "x")
            kind = rng.randrange(8)
            if kind < 3:
                info.type = (tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.LNKTYPE)[kind]
                info.linkname = "/etc/passwd"
                content = b""
            elif kind == 3:
                content = rng.choice(BYTES)(content, rng)
            info.size = len(content)
            try:
                made.addfile(info, io.BytesIO(content))
            except (UnicodeError, ValueError):
                continue
    return gzip.compress(target.getvalue(), 1, mtime=0) if packed else target.getvalue()


def gzip_changed(data: bytes, rng: Random) -> bytes:
    """Damage of the text before it is packed, or several members."""
    text = gzip.decompress(data)
    if rng.random() < 0.3:
        half = rng.randrange(len(text))
        return (
            gzip.compress(text[:half], 1, mtime=0)
            + rng.choice((b"", b"\0" * 50, b"junk"))
            + gzip.compress(text[half:], 1, mtime=0)
        )
    return gzip.compress(rng.choice(TEXT)(text, rng), 1, mtime=0)


GZIP: tuple[Mutator, ...] = (gzip_changed, gzip_changed, flipped, cut, holed, lengthened, repeated)
ZIP: tuple[Mutator, ...] = (zip_changed, zip_changed, zip_changed, flipped, cut, holed, lengthened, repeated)
TAR: tuple[Mutator, ...] = (tar_changed, tar_changed, tar_changed, flipped, cut, holed, lengthened)


def mutated(data: bytes, mutators: tuple[Mutator, ...], rng: Random) -> bytes:
    """One to three kinds of damage; a mutator that cannot read the damaged file leaves it as it is."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        try:
            data = rng.choice(mutators)(data, rng)
        except Exception:  # of the libraries that write the damage
            data = flipped(data, rng)
    return data
