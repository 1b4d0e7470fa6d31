"""The image manifest: a table that people write, which says whose image a file is.

Belongs here: reading it as text, in the forms in which spreadsheets save it. Does not belong here: which file a line
means (`images.index`).
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from bioscan_etl.errors import SourceError
from bioscan_etl.io.read import open_binary

COLUMNS = ("processid", "image_file")
LINES = {"line": pl.UInt32, "processid": pl.String, "image_file": pl.String}
"""Columns of a read manifest."""

_SEPARATORS = (",", ";", "\t")
_ENCODINGS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_LONGEST_HEADER = 4_096


def is_manifest(head: bytes) -> bool:
    """Whether a file is an image manifest, by its first bytes."""
    return any(set(COLUMNS) <= set(_names(head, separator)) for separator in _SEPARATORS)


def read_manifest(location: Path | str) -> pl.DataFrame:
    """Read a manifest: comma, semicolon or tab between the fields, UTF-8 or UTF-16, line ends of any system.

    Returns:
        `LINES`: the number of each line that is not blank, and its values without the blanks around them; a value that
        is missing is ''. Bytes that are not UTF-8 become U+FFFD, so that only their own line is lost.

    Raises:
        SourceError: it is out of reach, no table, or lacks one of the columns, or has one twice.
    """
    with open_binary(str(location)) as stream:
        data = stream.read()
    separator = next((one for one in _SEPARATORS if set(COLUMNS) <= set(_names(data, one))), ",")
    names = _names(data, separator)
    if not set(COLUMNS) <= set(names):
        raise SourceError(
            f"image manifest {location} has the columns {', '.join(names)[:200] or '(none)'}; it needs "
            f"{' and '.join(COLUMNS)}, separated by commas"
        )
    if twice := [name for name in COLUMNS if names.count(name) > 1]:
        raise SourceError(f"image manifest {location} has the column {twice[0]} twice; keep one")
    try:
        frame = pl.scan_csv(
            _decoded(data).encode(),
            separator=separator,
            has_header=False,
            skip_rows=1,
            infer_schema=False,
            schema={f"{number}": pl.String for number in range(len(names))},
            missing_columns="insert",
            truncate_ragged_lines=True,
        ).collect()
    except pl.exceptions.NoDataError:
        return pl.DataFrame(schema=LINES)
    except pl.exceptions.PolarsError as error:
        first = str(error).splitlines()[0]
        raise SourceError(f"image manifest {location} cannot be read as CSV: {first}; check its quotes") from None
    values = frame.select(
        pl.col(f"{names.index(name)}").fill_null("").str.strip_chars().alias(name) for name in COLUMNS
    )
    values = values.with_row_index("line", offset=2).select(pl.col(name).cast(kind) for name, kind in LINES.items())
    return values.filter((pl.col("processid") != "") | (pl.col("image_file") != ""))


def _decoded(data: bytes) -> str:
    """The text, with LF line ends."""
    for mark, encoding in _ENCODINGS:
        if data.startswith(mark):
            text = data.removeprefix(mark).decode(encoding, "replace")
            break
    else:
        text = data.decode("utf-8", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _names(data: bytes, separator: str) -> Sequence[str]:
    """Names of the columns in the first line."""
    line = _decoded(data[:_LONGEST_HEADER]).partition("\n")[0]
    try:
        cells = next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return ()
    return [name.strip('\ufeff \t"').lower() for name in cells]
