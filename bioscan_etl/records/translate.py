"""Rewrite a table's text as BOLD writes it: tab-separated UTF-8, lines ended by line feeds, no quotes.

Belongs here: rewriting a stream, and counting the rows that were written in another way. Does not belong here:
recognising how a file is written (`dialect`), and the meaning of fields (`read`).

A file that is written as BOLD's are passes through unchanged, without a search beyond its first quote and its first
byte beyond ASCII. Rows keep their line numbers: where a record ends on a later line than it starts, blank lines follow.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from bioscan_etl.records.dialect import (
    LONGEST_RECORD,
    LOOK,
    Head,
    Quoting,
    is_latin_layout,
    is_western,
    marked_encoding,
    quoting,
    read_head,
    span,
)
from bioscan_etl.records.sources import DamagedError, peek

LONGEST_FIELD = 16 << 20
"""Bytes of a field that are searched for its closing quote."""

LONGEST_HEADER = 1 << 14
"""Bytes of a table's start in which its encoding's marks and its header are looked for."""

_WITHIN = re.compile(r"[\t\r\n]+")
_BOM = b"\xef\xbb\xbf"
_ASCII = bytes(range(128))


@dataclass(slots=True)
class Written:
    """How a table turned out to be written; complete when its text has been read.

    Attributes:
        whole: kinds of damage of the whole file, by which all its rows are counted: `other_encoding`, `cr_line_ends`,
            `other_separator`, `row_names`.
        rows: rows by kind of damage of single rows: `quoted_fields`.
    """

    whole: set[str] = field(default_factory=set)
    rows: dict[str, int] = field(default_factory=dict)

    def damage(self, rows_read: int) -> dict[str, int]:
        """Rows by kind of damage."""
        return dict.fromkeys(sorted(self.whole), rows_read) | self.rows if rows_read else dict(self.rows)


def decoded(pieces: Iterator[bytes], encoding: str, written: Written) -> Iterator[bytes]:
    """Text as UTF-8. Bytes that belong to no known encoding stay as they are.

    Args:
        pieces: the table's bytes.
        encoding: `records.encoding`: `auto`, or the name of a codec.
        written: another encoding is recorded in it.
    """
    start, pieces = peek(pieces, LONGEST_HEADER)
    marked = marked_encoding(start)
    if marked == "utf-8":
        return pieces
    if marked is not None:
        written.whole.add("other_encoding")
        return _recoded(pieces, marked)
    if encoding == "auto":
        return _perhaps_western(pieces, written, is_expected=is_latin_layout(start))
    if codecs.lookup(encoding).name != "utf-8":
        written.whole.add("other_encoding")
        return _recoded(pieces, encoding)
    return pieces


def translated(text: Iterator[bytes], written: Written) -> Iterator[bytes]:
    """The text of a table as BOLD writes it.

    Args:
        text: UTF-8, as `decoded` yields it.
        written: how the text was written is recorded in it while the result is read.
    """
    start, text = peek(text, LOOK)
    head = read_head(start[:LOOK].removeprefix(_BOM))
    if head.carriage_returns:
        written.whole.add("cr_line_ends")
        text = _with_feeds(text)
    if head.separator != "\t":
        written.whole.add("other_separator")
    if head.row_names:
        written.whole.add("row_names")
    if head.separator != "\t" or head.row_names or head.named_separator:
        return _rewritten(text, _Rewriter(head, _judged(start[:LOOK], head), written, header=True))
    return _unquoted(text, head, written)


def _recoded(pieces: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    try:
        for piece in pieces:
            yield decoder.decode(piece).encode("utf-8", "replace")
    except DamagedError:
        yield decoder.decode(b"", final=True).encode("utf-8", "replace")
        raise
    yield decoder.decode(b"", final=True).encode("utf-8", "replace")


def _perhaps_western(pieces: Iterator[bytes], written: Written, *, is_expected: bool) -> Iterator[bytes]:
    """Text of which the first part beyond ASCII decides, whether it is UTF-8 or Windows-1252."""
    before = b""
    for piece in pieces:
        if piece.isascii():
            before = piece[-1:] or before
            yield piece
            continue
        rest = piece.lstrip(_ASCII)
        plain = piece[: len(piece) - len(rest)]
        yield plain
        window, rest_of_it = peek(chain((rest,), pieces), LOOK)
        if is_western((plain[-1:] or before) + window[:LOOK], is_expected=is_expected):
            written.whole.add("other_encoding")
            rest_of_it = _recoded(rest_of_it, "cp1252")
        yield from rest_of_it


def _with_feeds(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Line feeds in place of carriage returns."""
    held = b""
    try:
        for piece in pieces:
            text = held + piece
            held = text[-1:] if text.endswith(b"\r") else b""
            yield text[: len(text) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    except DamagedError:
        yield held.replace(b"\r", b"\n")
        raise
    yield held.replace(b"\r", b"\n")


def _whole_lines(pieces: Iterator[bytes], wanted: Callable[[bytes], bool]) -> Iterator[tuple[bytes, bool]]:
    """The text from the line on in which `wanted` holds for the first time, in pieces of whole lines.

    Yields:
        Bytes, and whether they are to be rewritten: whole lines, or the end of the text.
    """
    held = b""
    on = False
    try:
        for piece in pieces:
            if not on:
                if not wanted(piece):
                    cut = piece.rfind(b"\n") + 1
                    if cut or not held:
                        yield held + piece[:cut], False
                        held = piece[cut:]
                    else:
                        held += piece
                    continue
                on = True
            held += piece
            cut = held.rfind(b"\n") + 1
            if cut:
                yield held[:cut], True
                held = held[cut:]
            elif len(held) > LONGEST_FIELD:
                # No record is that long: the line is rejected later.
                yield held, False
                held = b""
    except DamagedError:
        yield held, False
        raise
    if held:
        yield held, on


def _unquoted(pieces: Iterator[bytes], head: Head, written: Written) -> Iterator[bytes]:
    """Text without quotes around fields, if its first quotes show that fields are quoted."""
    parts = _whole_lines(pieces, lambda piece: b'"' in piece)
    header = True
    for data, quoted in parts:
        at = data.find(b'"') if quoted else -1
        if at < 0:
            header &= not data
            yield data
            continue
        begin = data.rfind(b"\n", 0, at) + 1
        yield data[:begin]
        window, rest = _look(chain(((data[begin:], True),), parts))
        style = _judged(window, head)
        lines = (part for part, _ in rest)
        if style is None:
            yield from lines
        else:
            yield from _rewritten(lines, _Rewriter(head, style, written, header=header and not begin))


def _look(parts: Iterator[tuple[bytes, bool]]) -> tuple[bytes, Iterator[tuple[bytes, bool]]]:
    held: list[tuple[bytes, bool]] = []
    size = 0
    try:
        for part in parts:
            held.append(part)
            size += len(part[0])
            if size >= LOOK:
                break
    except DamagedError as error:
        return b"".join(data for data, _ in held)[:LOOK], _again(held, error)
    return b"".join(data for data, _ in held)[:LOOK], chain(held, parts)


def _again(held: list[tuple[bytes, bool]], error: DamagedError) -> Iterator[tuple[bytes, bool]]:
    yield from held
    raise error


def _judged(window: bytes, head: Head) -> Quoting | None:
    """The quoting of a window, whose last line may be cut."""
    if head.carriage_returns:
        window = window.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    whole = window[: window.rfind(b"\n") + 1]
    return quoting(whole if b'"' in whole else window, head)


def _rewritten(pieces: Iterator[bytes], rewriter: _Rewriter) -> Iterator[bytes]:
    """Text in the separators of BOLD's tables, without quotes and names of rows."""
    held = b""
    try:
        for piece in pieces:
            held += piece
            if len(held) > LONGEST_FIELD and b"\n" not in held:
                yield held
                held = b""
                continue
            cut = held.rfind(b"\n") + 1
            text, kept = rewriter.lines(held[:cut], last=False)
            yield text
            held = kept + held[cut:]
    except DamagedError:
        yield held
        raise
    text, _ = rewriter.lines(held, last=True)
    yield text


class _Rewriter:
    """Rewrites whole lines, and counts the rows that had quotes."""

    def __init__(self, head: Head, style: Quoting | None, written: Written, *, header: bool) -> None:
        self._head = head
        self._style = style
        self._written = written
        self._named = head.named_separator
        self._header = header
        self._country: tuple[int, int] | None = None

    def lines(self, data: bytes, *, last: bool) -> tuple[bytes, bytes]:
        """The lines rewritten, and those at the end whose record may continue after them."""
        plain = self._head.separator == "\t" and not self._head.row_names and not self._header
        if plain and b'"' not in data and not (self._style and self._style.missing):
            return data, b""
        lines = data.decode("utf-8", "surrogateescape").split("\n")
        tail = lines.pop()
        if last and tail:
            lines.append(tail)
        made: list[str] = []
        at = 0
        while at < len(lines):
            count = span(lines[at : at + LONGEST_RECORD]) if self._style is not None and '"' in lines[at] else 1
            if count == 1 and not last and len(lines) - at < LONGEST_RECORD and self._is_open(lines[at]):
                break
            made.append(self._record("\n".join(lines[at : at + count]).removesuffix("\r")))
            made.extend([""] * (count - 1))
            at += count
        text = "".join(f"{line}\n" for line in made).encode("utf-8", "surrogateescape")
        kept = "".join(f"{line}\n" for line in lines[at:]).encode("utf-8", "surrogateescape")
        return text, kept

    def _is_open(self, line: str) -> bool:
        return self._style is not None and line.count('"') % 2 == 1 and span([line, '"']) > 1

    def _record(self, line: str) -> str:
        if self._named:
            self._named = False
            return ""
        if not line:
            return ""
        fields = self._fields(line)
        if self._header:
            self._header = False
            return self._names(line, fields)
        if self._head.row_names:
            fields = self._without_missing(fields) if self._style is None else fields
        return "\t".join(fields)

    def _names(self, line: str, fields: list[str]) -> str:
        fields = [name.removeprefix("\ufeff") for name in fields]
        if self._head.row_names:
            fields = ["row_names", *fields]
            if "country_iso" in fields and "country/ocean" in fields:
                self._country = (fields.index("country_iso"), fields.index("country/ocean"))
        return "\t".join(fields)

    def _without_missing(self, fields: list[str]) -> list[str]:
        """R writes missing values as NA; Namibia's code is NA too."""
        if "NA" not in fields:
            return fields
        kept = -1
        if self._country and len(fields) > max(self._country) and fields[self._country[1]].strip() == "Namibia":
            kept = self._country[0]
        return ["" if text == "NA" and at != kept else text for at, text in enumerate(fields)]

    def _fields(self, line: str) -> list[str]:
        separator = self._head.separator
        if self._style is None or '"' not in line:
            fields = line.split(separator)
            if self._style is not None and self._style.missing:
                fields = ["" if text == "NA" else text for text in fields]
            return [_WITHIN.sub(" ", text) for text in fields] if separator != "\t" else fields
        if self._style.missing:
            line = _without_bare_missing(line, separator, escaped=self._style.escaped)
        limit = csv.field_size_limit(LONGEST_FIELD)  # the process has one limit: other readers keep theirs
        try:
            fields = next(
                csv.reader(
                    [line],
                    delimiter=separator,
                    strict=True,
                    doublequote=not self._style.escaped,
                    escapechar="\\" if self._style.escaped else None,
                )
            )
        except (csv.Error, StopIteration):
            return [_WITHIN.sub(" ", text) for text in line.split(separator)]
        finally:
            csv.field_size_limit(limit)
        if not self._header:
            self._written.rows["quoted_fields"] = self._written.rows.get("quoted_fields", 0) + 1
        return [_WITHIN.sub(" ", text) for text in fields]


def _without_bare_missing(line: str, separator: str, *, escaped: bool) -> str:
    """A record with nothing in place of each NA that is a whole field and is not in quotes."""
    quoted = r'"(?:[^"\\]|\\.)*"' if escaped else r'"(?:[^"]|"")*"'
    border = re.escape(separator)
    bare = rf"(?<![^{border}])NA(?![^{border}])"
    return re.sub(f"{quoted}|{bare}", lambda found: "" if found[0] == "NA" else found[0], line, flags=re.DOTALL)
