"""Adding a file of reports to a corpus, and the reports as they stand.

Belongs here: copying the file, and comparing the files with what the last run read. Does not belong here: the form of a
line (`read`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from bioscan_etl.errors import SourceError
from bioscan_etl.io.tables import read_parquet
from bioscan_etl.io.write import write_text
from bioscan_etl.lake.current import current
from bioscan_etl.lake.decisions import REPORTS, find, folder
from bioscan_etl.lake.store import Lake
from bioscan_etl.proposals.read import read_proposals

NEW = "new"
"""Status of a line that the last run had not read."""


@dataclass(frozen=True, slots=True)
class Listed:
    """The reports of a corpus.

    Attributes:
        lines: `schema.PROPOSALS` of the files as they are now; `status` can be `new`, too: the next run reads it.
        refused: `decisions.csv_lines.REFUSED`, files that cannot be read.
    """

    lines: pl.DataFrame
    refused: pl.DataFrame


def add_file(lake: Lake, path: Path) -> tuple[Path, int]:
    """Copy a file of reports into a corpus, under its own name.

    Args:
        lake: the corpus.
        path: CSV of reports.

    Returns:
        The copy, and the number of its lines.

    Raises:
        SourceError: the file cannot be read, a line is wrong, or another file of the name is there; nothing is copied.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} is not UTF-8 (byte {error.start + 1:,}); save it as UTF-8 text") from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}; check the path") from None
    if path.suffix.lower() != ".csv" or path.name.startswith("."):
        raise SourceError(f"{path}: name the file of reports something.csv")
    found = read_proposals({path.name: text})
    for _, why in found.refused.iter_rows():
        raise SourceError(f"{path}, {why}")
    wrong = found.lines.filter(pl.col("status") == "left_out")
    for row in wrong.head(1).to_dicts():
        more = f" (and {wrong.height - 1} more wrong lines)" if wrong.height > 1 else ""
        raise SourceError(f"{path}, line {row['line']}: {row['detail']}{more}")
    target = folder(lake, REPORTS) / path.name
    if target.exists() and target.read_bytes() != text.encode():
        raise SourceError(f"{target} is there already and holds other reports; give the new file another name")
    write_text(target, text)
    return target, found.lines.height


def listed(lake: Lake) -> Listed:
    """The reports as they stand."""
    now = find(lake, REPORTS)
    found = read_proposals(now.texts, now.unreadable)
    made = current(lake, "proposals")
    empty = found.lines.clear()
    before = (empty if made is None else read_parquet(made.path("proposals.parquet"))).unique("id")
    before = before.select("id", was="status", why="detail")
    lines = found.lines.join(before, on="id", how="left", maintain_order="left")
    right = pl.col("status") != "left_out"
    lines = lines.with_columns(
        status=pl.when(right).then(pl.col("was").fill_null(NEW)).otherwise("status"),
        detail=pl.when(right).then("why").otherwise("detail"),
    )
    return Listed(lines.drop("was", "why"), found.refused)
