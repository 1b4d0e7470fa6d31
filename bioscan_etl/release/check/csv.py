"""Does the metadata CSV read the same in every reader (spec: the release, rules that make every client read it)?

Belongs here: the CSV as text. It is split on bare commas, as one published client does; that this is right is
the first thing checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from bioscan_etl import schema
from bioscan_etl.release.check.faults import Fault, Listing
from bioscan_etl.release.metadata import FORMULA_START, LINE_BREAK, OUTER_BLANK, looks_missing

_BLOCK = 1 << 20
_LINES = 32 << 20  # bytes of lines that are worked on at a time
_INTEGER = r"^-?[0-9]+$"


def check_bytes(root: Path, name: str) -> Iterator[Fault]:
    """What is wrong with a file's bytes, independent of their meaning."""
    quotes = returns = False
    last = b""
    with (root / name).open("rb") as stream:
        while block := stream.read(_BLOCK):
            if not last and block.startswith(b"\xef\xbb\xbf"):
                yield Fault(name, None, "starts with a byte order mark")
            quotes, returns = quotes or b'"' in block, returns or b"\r" in block
            last = block
    if quotes:
        yield Fault(name, None, "holds a double quote")
    if returns:
        yield Fault(name, None, "holds a carriage return")
    if not last.endswith(b"\n"):
        yield Fault(name, None, "does not end with a line end")


def read_fields(
    root: Path, name: str, columns: list[str], listing: Listing, separator: str = ","
) -> Iterator[pl.DataFrame]:
    """Fields of a CSV of ours, as text, some megabytes at a time; empty is null.

    Args:
        root: the release's folder.
        name: path of the file within it.
        columns: names that its header must have.
        listing: collects lines with another number of fields, which are left out, and text that cannot be read,
            after which nothing is read.
        separator: one character.
    """
    number = 1
    for text in whole_lines(root / name):
        try:
            # A separator and quote that do not occur: one column of whole lines.
            lines = pl.read_csv(
                text, has_header=False, separator="\x01", quote_char=None, infer_schema=False, new_columns=["line"]
            )
        except pl.exceptions.PolarsError as error:
            _note(listing, name, f"cannot be read as UTF-8 text: {str(error).splitlines()[0]}")
            return
        if lines.width != 1:
            _note(listing, name, "holds control characters")
            return
        if number == 1:
            if lines["line"][0] != separator.join(columns):
                _note(listing, name, f"has another header than {separator.join(columns)}")
                return
            lines = lines.slice(1)
            number = 2
        yield _split(lines.with_row_index("number", offset=number), name, columns, listing, separator)
        number += lines.height
    if number == 1:
        _note(listing, name, f"has another header than {separator.join(columns)}: it is empty")


def _note(listing: Listing, name: str, message: str) -> None:
    text = message.replace("{", "{{").replace("}", "}}")
    listing.add(name, pl.DataFrame({"processid": [None]}, schema={"processid": pl.String}), text)


def whole_lines(path: Path) -> Iterator[bytes]:
    """A file in blocks that end where lines do."""
    with path.open("rb") as stream:
        rest = b""
        while block := stream.read(_LINES):
            end = block.rfind(b"\n") + 1
            if end:
                yield rest + block[:end]
                rest = block[end:]
            else:
                rest += block
        if rest:
            yield rest


def _split(lines: pl.DataFrame, name: str, columns: list[str], listing: Listing, separator: str) -> pl.DataFrame:
    """Fields of lines with their numbers; lines with another number of fields are listed and left out."""
    separators = pl.col("line").str.count_matches(separator, literal=True).fill_null(0)
    broken = separators != len(columns) - 1
    bad = lines.filter(broken).select(
        "number", processid=pl.col("line").str.split(separator).list.first(), fields=separators + 1
    )
    listing.add(name, bad, f"line {{number}} has {{fields}} fields, not {len(columns)}")
    return (
        lines.filter(~broken)
        .select(pl.col("line").str.split_exact(separator, len(columns) - 1).struct.rename_fields(columns))
        .unnest("line")
        .with_columns(pl.when(pl.col(column) != "").then(pl.col(column)) for column in columns)
    )


def check_values(fields: pl.DataFrame, name: str, table: schema.Table, listing: Listing) -> None:
    """Types, vocabularies, patterns, ranges, missing values and unsafe spellings of a table's text fields."""
    checks = [check for column in table.columns for check in _checks(column)]
    # One pass over all columns shows which of the checks have findings.
    hits = fields.select(wrong.any().alias(str(n)) for n, (_, wrong, _) in enumerate(checks)).row(0)
    for (column, wrong, message), hit in zip(checks, hits, strict=True):
        if hit:
            rows = fields.filter(wrong.fill_null(value=False)).select("processid", value=pl.col(column))
            listing.add(name, rows, f"{column} {message}")


def _checks(column: schema.Column) -> Iterator[tuple[str, pl.Expr, str]]:
    """Column, what is wrong with its text, and the message."""
    value = pl.col(column.name)
    # An empty chunk is a value: the partition has no chunks.
    if not column.nullable and column.name != "chunk":
        yield column.name, value.is_null(), "is missing"
    for wrong, message in _text(column, value) if column.dtype == pl.String else _number(column, value):
        yield column.name, wrong, message


def _number(column: schema.Column, value: pl.Expr) -> Iterator[tuple[pl.Expr, str]]:
    number = value.cast(pl.Float64, strict=False)
    wrong = number.is_null() | ~number.is_finite()
    if column.dtype.is_integer():
        wrong = wrong | ~value.str.contains(_INTEGER)
    yield value.is_not_null() & wrong, "{value} is no number"
    if column.minimum is not None:
        yield number < column.minimum, f"{{value}} is below {column.minimum:g}"
    if column.maximum is not None:
        yield number > column.maximum, f"{{value}} is above {column.maximum:g}"


def _text(column: schema.Column, value: pl.Expr) -> Iterator[tuple[pl.Expr, str]]:
    if column.allowed:
        yield ~value.is_in(list(column.allowed)), "{value} is not in its vocabulary"
    if column.pattern:
        pattern = column.pattern.replace("{", "{{").replace("}", "}}")
        yield ~value.str.contains(column.pattern), f"{{value}} does not match {pattern}"
    yield looks_missing(value), "{value} reads as missing"
    yield value.str.contains(OUTER_BLANK), "{value} has outer blanks"
    yield value.str.contains(LINE_BREAK), "{value} has control characters"
    if column.name != "processid":
        yield value.str.contains(FORMULA_START), "{value} starts like a spreadsheet formula"
    if column.name == "dna_barcode":
        yield value.str.contains("[^ACGTN]"), "holds other letters than A, C, G, T, N"


def typed(fields: pl.DataFrame, table: schema.Table) -> pl.DataFrame:
    """Fields cast to the table's types; what cannot be cast is null (and a fault already)."""
    return fields.select(
        pl.col(column.name).fill_null("").alias(column.name)
        if column.name == "chunk"
        else pl.col(column.name).cast(column.dtype, strict=False)
        for column in table.columns
    )
