"""JSON Lines: one record per line as a JSON object, as BOLD's API delivers them.

Belongs here: converting lines of JSON to text columns without losing a line. Does not belong here: finding the ends of
lines (`lines`), the meaning of values.

Objects may have different keys. The first `LOOK_LINES` lines decide the layout, independent of the size of a
block. A column of the canonical schema that occurs later is added; any other late key is kept as `extra:<key>`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO

import numpy as np
import polars as pl

from bioscan_etl.errors import InvariantError, SourceError
from bioscan_etl.records import lines
from bioscan_etl.records.blocks import REJECTS, Block, canonical, no_rejects, no_rows, only_reject, part_unfit
from bioscan_etl.records.layouts import EXTRA, Layout, extend, recognise
from bioscan_etl.settings import RecordSettings

LOOK_LINES = 1000
_BOM = b"\xef\xbb\xbf"
# Without these keys, a record is not a BOLD record; any other key may be missing.
_NEEDED = ("processid", "marker_code", "nuc")
_ARRAYS = ("bold_recordset_code_arr",)

_Part = lines.Lines | lines.LongLine | lines.Rest


def is_json(head: bytes) -> bool:
    """Whether a table's first bytes are those of JSON; no header of a records table starts like that."""
    return head.removeprefix(_BOM).lstrip()[:1] in (b"{", b"[")


def read(stream: Iterator[_Part], settings: RecordSettings, source: str) -> Iterator[Block]:
    """Read a table in a stream; at least one block is yielded.

    Values become text: numbers as JSON writes them (`53.59`), lists of numbers as `[53.59, -106.278]`, lists of
    names as in BOLD's tables, `['AACTA', 'DS-CAPP']`. Lines that are not JSON objects are rejected.

    Args:
        stream: the parts of the table, as `lines.blocks` cuts it.
        settings: null markers.
        source: what to call the table in an error.

    Raises:
        SourceError: the layout is unknown, or the table is one JSON array.
    """
    first, parts = _beginning(stream)
    layout = look(first, source)
    yield _block(first, 1, layout, settings)
    number = 1 + first.count(b"\n") + (bool(first) and not first.endswith(b"\n"))
    for part in parts:
        match part:
            case lines.Lines(data):
                yield _block(data, number, layout, settings)
                number += data.count(b"\n")
            case lines.LongLine(start, length):
                detail = f"the line has {length} bytes and is no record; its start is kept"
                yield only_reject(layout, number, "not_json", detail, lines.decode(start[: lines.SHOWN]))
                number += 1
            case lines.Rest(data, damage):
                text = lines.decode(data[: lines.SHOWN])
                block = only_reject(layout, number, "truncated_file", f"{damage}; rows before it are kept", text)
                yield replace(block, damaged=True)


def look(data: bytes, source: str) -> Layout:
    """The layout of the first `LOOK_LINES` lines of a table.

    Raises:
        SourceError: the layout is unknown, or the table is one JSON array.
    """
    data = data.removeprefix(_BOM)
    if data.lstrip().startswith(b"["):
        raise SourceError(f"{source} is one JSON array; write an object per line (jq -c '.[]')")
    start = b"".join(lines.repaired(data).splitlines(keepends=True)[:LOOK_LINES])
    keys = _block_frame(start)[0].columns
    if not keys:
        raise SourceError(f"{source} has no JSON object in its first {LOOK_LINES:,} lines; fetch the file again")
    return recognise(keys, source, _NEEDED)


def _beginning(stream: Iterator[_Part]) -> tuple[bytes, Iterator[_Part]]:
    """The first parts joined until they have `LOOK_LINES` lines, and the parts after them."""
    held: list[bytes] = []
    count = 0
    rest: list[_Part] = []
    for part in stream:
        if not isinstance(part, lines.Lines):
            rest.append(part)
            break
        held.append(part.data)
        count += part.data.count(b"\n")
        if count >= LOOK_LINES:
            break
    return b"".join(held), _chain(rest, stream)


def _chain(rest: list[_Part], stream: Iterator[_Part]) -> Iterator[_Part]:
    yield from rest
    yield from stream


def _block(data: bytes, first_line: int, layout: Layout, settings: RecordSettings) -> Block:
    if first_line == 1:
        data = data.removeprefix(_BOM)
    if not data:
        return Block(layout, no_rows(layout), no_rejects(), 0)
    if not data.endswith(b"\n"):
        data += b"\n"
    delivered, places = data, lines.spans(data)
    if not lines.is_utf8(data):
        data = lines.repaired(data)
    spans = lines.spans(data)
    filled = spans.stops > spans.starts
    frame, keep = _block_frame(data)
    late = [name for name in frame.columns if name not in layout.header]
    layout = extend(layout, late) if late else layout
    # Columns are named by position: polars takes a key such as `*` or `^a.*$` for several columns.
    nothing = pl.Series(values=[None] * frame.height, dtype=pl.String)
    given = set(frame.columns)
    frame = pl.DataFrame(
        [
            (frame.get_column(name) if name in given else nothing).alias(str(position))
            for position, name in enumerate(layout.header)
        ]
    )
    frame, layout = _joined(frame, layout)
    rows = canonical(frame, layout, settings)
    rows = rows.insert_column(0, pl.Series("source_line", np.flatnonzero(keep) + first_line, pl.Int64))
    rows, unsafe = part_unfit(_with_arrays(rows))
    faults = pl.DataFrame({"source_line": np.flatnonzero(filled & ~keep) + first_line}).select(
        pl.col("source_line").cast(pl.Int64),
        reason=pl.lit("not_json"),
        detail=pl.lit("the line is no JSON object, or one that is cut or malformed"),
    )
    rejects = pl.concat([faults, unsafe]).sort("source_line")
    texts = lines.raw_texts(delivered, places, rejects["source_line"].to_numpy() - first_line)
    return Block(layout, rows, rejects.with_columns(raw_text=texts).select(*REJECTS), int(filled.sum()))


def _joined(frame: pl.DataFrame, layout: Layout) -> tuple[pl.DataFrame, Layout]:
    """Late keys that fill the same column as one: records of one file may have keys of several layouts.

    The first in alphabetical order is taken; what another says beside it is kept as an extra column.
    """
    targets = list(layout.targets)
    dropped = set()
    for target in {target for target in targets if targets.count(target) > 1}:
        first, *others = (at for at, filled in enumerate(targets) if filled == target)
        for other in others:
            taken, value = pl.col(str(first)), pl.col(str(other))
            beside = frame.select(pl.when(taken.is_not_null()).then(value).alias(str(other))).to_series()
            frame = frame.with_columns(pl.coalesce(taken, value), beside)
            kept_as = f"{EXTRA}{layout.header[other]}"
            if beside.null_count() == frame.height or kept_as in targets:
                dropped.add(other)
            else:
                targets[other] = kept_as
    kept = [at for at in range(len(targets)) if at not in dropped]
    header = tuple(layout.header[at] for at in kept)
    targets = [targets[at] for at in kept]
    return frame.select(map(str, kept)), replace(layout, header=header, targets=tuple(targets))


def _block_frame(data: bytes) -> tuple[pl.DataFrame, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """The objects among whole lines as text columns, a column per key; and which lines they are."""
    data = data if data.endswith(b"\n") else data + b"\n"
    spans = lines.spans(data)
    keep = spans.stops > spans.starts
    frame = _parse(spans.only(data, keep), int(keep.sum()))
    if frame is None:
        # Lines are parsed one by one only if one of them is broken.
        for line in np.flatnonzero(keep):
            keep[line] = _is_object(data[spans.starts[line] : spans.stops[line]])
        frame = _parse(spans.only(data, keep), int(keep.sum()))
    if frame is None:
        # A value that json accepts and polars does not (such as 1e999), among lines that both accept.
        for line in np.flatnonzero(keep):
            keep[line] = _parse(data[spans.starts[line] : spans.ends[line] + 1], 1) is not None
        frame = _parse(spans.only(data, keep), int(keep.sum()))
    if frame is None:
        raise InvariantError(f"{int(keep.sum())} lines that are JSON objects one by one cannot be read together")
    return frame, keep


def _parse(data: bytes, count: int) -> pl.DataFrame | None:
    """Parse `count` objects, or return None if one of them is not an object."""
    if not count:
        return pl.DataFrame()
    try:
        frame = pl.read_ndjson(BytesIO(data), schema=dict.fromkeys(_keys(data), pl.String))
    except (pl.exceptions.PolarsError, ValueError, RecursionError):
        return None
    return frame if frame.height == count else None


def _keys(data: bytes) -> list[str]:
    """The keys of all objects; ValueError if a line is none."""
    try:
        return pl.scan_ndjson(BytesIO(data), infer_schema_length=None).collect_schema().names()
    except pl.exceptions.PolarsError:
        # polars has no common type of, for example, a boolean and a list under one key; types do not matter here.
        found: dict[str, None] = {}
        for line in data.split(b"\n"):
            if line.strip():
                value = json.loads(line)
                if not isinstance(value, dict):
                    raise ValueError("the line is no JSON object") from None
                found |= dict.fromkeys(value)
        return list(found)


def _is_object(line: bytes) -> bool:
    def refuse(name: str) -> None:
        raise ValueError(name)

    try:
        # NaN and Infinity are not JSON; a lone surrogate is not valid text.
        value = json.loads(line, parse_constant=refuse)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict)


def _with_arrays(rows: pl.DataFrame) -> pl.DataFrame:
    """Lists of names in the spelling of BOLD's tables."""
    columns = [pl.col(name) for name in _ARRAYS if name in rows.columns]
    return rows.with_columns(
        pl.when(column.str.starts_with('["') & ~column.str.contains("['\\\\]"))
        .then(column.str.replace_all('"', "'", literal=True))
        .otherwise(column)
        for column in columns
    )
