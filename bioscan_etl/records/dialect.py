"""How a table's text is written: its encoding, line ends, separator and quotes, recognised from its bytes.

Belongs here: the evidence, and the decision for a whole file. Does not belong here: rewriting the text (`translate`).

BOLD's packages are tab-separated UTF-8 without quotes. Spreadsheets, R and CSV writers save them in other ways. A file
is read in another way than BOLD's only if its bytes leave no other explanation; otherwise they are data.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from bioscan_etl.records.layouts import generation_of

LOOK = 1 << 20
"""Bytes of a table from which a decision is made: of its start, or from the first quote or non-ASCII byte."""

LONGEST_RECORD = 100
"""Lines that one quoted field may span."""

_LINES = 400  # lines from which quoting is judged
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PROCESSID = re.compile(r"[A-Za-z0-9]+-[0-9]{2}")
_SEPARATORS = (";", ",", "|")
_NAMED_SEPARATOR = re.compile(r'"?sep=([!-~\t])"?[\t,;]*', re.IGNORECASE)
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]+")
_DOUBLED = re.compile(r'"(?:[^"]|"")*"', re.DOTALL)
_ESCAPED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_STRAY = '"x'  # an example of a field that opens a quote and does not close it
# Signs of cp1252 that occur beside letters or numbers in any text: blanks, dashes, quotes, degrees, units.
_SIGNS = frozenset("\u00a0°±²µ·«»ºª’‘“”–—…€™©®•§×´½¼¾¿¡")


@dataclass(frozen=True, slots=True)
class Quoting:
    r"""How fields are quoted.

    Attributes:
        escaped: a quote within quotes is `\"`, as R writes it, not `""`.
        missing: an unquoted NA is a missing value, because R quotes every text.
    """

    escaped: bool = False
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """What the first lines show.

    Attributes:
        separator: of fields.
        carriage_returns: lines end in a carriage return alone.
        named_separator: the first line is a spreadsheet's `sep=;`, not the header.
        row_names: each row begins with a name that the header lacks, as R writes them.
    """

    separator: str = "\t"
    carriage_returns: bool = False
    named_separator: bool = False
    row_names: bool = False


def marked_encoding(head: bytes) -> str | None:
    """The encoding that a byte-order mark or the zero bytes of UTF-16 show, or None."""
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    # A header is ASCII, so every second byte of UTF-16 without a mark is zero.
    some = head[:64]
    if len(some) >= 8 and not any(some[1::2]) and all(some[0::2]):
        return "utf-16-le"
    if len(some) >= 8 and not any(some[0::2]) and all(some[1::2]):
        return "utf-16-be"
    return None


def is_latin_layout(start: bytes) -> bool:
    """Whether the header is that of a layout that was published as ISO 8859-1 (`layouts.Generation`)."""
    header = re.split(rb"[\r\n]", start, maxsplit=1)[0].decode("ascii", "replace")
    return generation_of([name.strip(' "') for name in re.split(r"[\t,;|]", header)]).is_latin


def is_western(window: bytes, *, is_expected: bool = False) -> bool:
    """Whether text that is not UTF-8 is certainly Windows-1252 (which contains ISO 8859-1).

    That needs several lines with such letters, none of which is UTF-8, and each of which is a letter within a word or
    a usual sign. Otherwise another encoding or stray bytes are as likely.

    Args:
        window: text from its first byte beyond ASCII on, with the byte before it.
        is_expected: the layout shows the encoding (`is_latin_layout`), so that one such letter is enough.
    """
    lines: set[int] = set()
    for found in _BEYOND_ASCII.finditer(window):
        if found.end() == len(window) == LOOK:
            break  # cut by the end of the window
        run = found[0]
        try:
            run.decode("utf-8")
        except UnicodeDecodeError:
            pass
        else:
            return False
        try:
            text = run.decode("cp1252")
        except UnicodeDecodeError:
            return False
        before = window[found.start() - 1 : found.start()].decode("ascii")
        after = window[found.end() : found.end() + 1].decode("ascii")
        if not _is_plausible(before, text, after):
            return False
        lines.add(window.rfind(b"\n", 0, found.start()))
    return len(lines) > (0 if is_expected else 1)


def _is_plausible(before: str, text: str, after: str) -> bool:
    """Whether each letter of a run stands in a word, with capitals at its start."""
    for left, letter, right in zip((before, *text), text, (*text[1:], after), strict=False):
        if letter in _SIGNS:
            continue
        # Below 0xC0, letters of Windows-1252 are other letters of Mac OS and of Central Europe.
        if not letter.isalpha() or not "À" <= letter <= "ÿ":
            return False
        if not (left.isalpha() or right.isalpha()) or (letter.isupper() and left.islower()):
            return False
    return True


def read_head(start: bytes) -> Head:
    """Recognise line ends and separator from the start of a table, in UTF-8."""
    returns, feed = start.find(b"\r"), start.find(b"\n")
    only_returns = returns >= 0 and (feed < 0 or returns < feed) and not start[returns:].lstrip(b"\r").startswith(b"\n")
    if only_returns:
        start = start.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    lines = _logical_lines(start)
    first = next(lines, "")
    named = _NAMED_SEPARATOR.fullmatch(first)
    if named and named[1] != '"':
        return Head(named[1], only_returns, True)
    separator = _separator(first)
    names = [name.strip() for name in _split(first, separator)]
    return Head(separator, only_returns, False, _has_row_names(names, list(islice(lines, _LINES)), separator))


def _separator(header: str) -> str:
    if "\t" not in header:
        # R's write.table separates by blanks and quotes each name.
        for separator in (*_SEPARATORS, " ") if header.startswith('"') else _SEPARATORS:
            if separator in header and "processid" in {name.strip() for name in _split(header, separator)}:
                return separator
    return "\t"


def _has_row_names(names: Sequence[str], lines: Sequence[str], separator: str) -> bool:
    """Whether the rows have one field more than the header, and process IDs stand one place after their name."""
    if "processid" not in names:
        return False
    at = names.index("processid")
    rows = [_split(line, separator) for line in lines if line.strip()]
    longer = [row for row in rows if len(row) == len(names) + 1 and row[0].strip()]
    shifted = [row for row in longer if _PROCESSID.fullmatch(row[at + 1].strip())]
    unshifted = [row for row in longer if _PROCESSID.fullmatch(row[at].strip()) and row[at] != row[at + 1]]
    return 2 * len(shifted) > len(rows) and len(shifted) > 2 * len(unshifted)


def quoting(window: bytes, head: Head) -> Quoting | None:
    """How fields are quoted, judged from whole lines of which the first has a quote; None: a quote is data.

    In a quoted file each quote belongs to a quoted field. A field is quoted because it needs to be (it holds a quote,
    a separator, a line end, or in spreadsheets a comma), or because all texts are. One quote that follows no rule
    shows that quotes are data.

    Args:
        window: the lines, in UTF-8, lines ended by line feeds.
        head: what the first lines show.
    """
    lines = [line for line in islice(_logical_lines(window), _LINES) if line.strip()]
    if head.separator == " ":
        return Quoting(escaped=True, missing=True)
    if head.separator != "\t":
        # R's write.csv writes a quoted empty name above its row names, and missing values as an unquoted NA.
        return Quoting(missing=bool(lines) and lines[0].startswith(f'""{head.separator}"'))
    return (_judge(lines, _DOUBLED, False) or _judge(lines, _ESCAPED, True)) if lines else None


def _judge(lines: Sequence[str], form: re.Pattern[str], escaped: bool) -> Quoting | None:
    fields = [field for line in lines for field in _tokens(line, form) or (_STRAY,)]
    bare = [field for field in fields if not field.startswith('"')]
    if _STRAY in fields or any('"' in field for field in bare):
        return None
    quoted = [field[1:-1] for field in fields if field.startswith('"')]
    doubled = '\\"' if escaped else '""'
    forced = [inner for inner in quoted if doubled in inner or any(mark in inner for mark in "\t\n\r")]
    commas = [inner for inner in quoted if "," in inner]
    idle = len(set(quoted) - set(forced) - set(commas))
    # All texts are quoted: what is not is a number, or missing.
    every = bool(quoted) and all(not field.strip() or field == "NA" or _is_number(field) for field in bare)
    if every and (forced or not escaped):
        return Quoting(escaped, missing="NA" in bare)
    if idle or escaped:
        return None
    in_sheets = commas and not any("," in field for field in bare)
    return Quoting() if forced or in_sheets else None


def _tokens(line: str, form: re.Pattern[str]) -> list[str] | None:
    """The fields of a record, quotes included; None if a quoted field is followed by other text."""
    fields = []
    at = 0
    while True:
        quoted = form.match(line, at)
        if quoted:
            end = quoted.end()
            if end < len(line) and line[end] != "\t":
                return None
        else:
            end = line.find("\t", at)
            end = len(line) if end < 0 else end
        fields.append(line[at:end])
        if end >= len(line):
            return fields
        at = end + 1


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text in {"TRUE", "FALSE"}
    return True


def _logical_lines(data: bytes) -> Iterator[str]:
    """Lines as text; one with an odd number of quotes is continued by the next ones, if these close it."""
    lines = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff").split("\n")
    at = 0
    while at < len(lines):
        count = span(lines[at : at + LONGEST_RECORD])
        yield "\n".join(lines[at : at + count]).removesuffix("\r")
        at += count


def span(lines: Sequence[str]) -> int:
    """Number of lines that the first record takes up, by its quotes; 1 if no line closes them."""
    if lines[0].count('"') % 2 == 0 or not _opens(lines[0]):
        return 1
    for number, line in enumerate(lines[1:], 2):
        if line.count('"') % 2:
            return number
    return 1


def _opens(line: str) -> bool:
    """Whether the last field that begins with a quote is not closed on its line."""
    start = max(line.rfind('\t"'), line.rfind(',"'), line.rfind(';"'), line.rfind('|"'))
    last = line[start + 1 :] if start >= 0 else line
    return last.startswith('"') and last.count('"') % 2 == 1


def _split(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return line.split(separator)
