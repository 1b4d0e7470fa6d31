"""What the pipeline makes of the names of a list, with reasons.

Belongs here: reading a list in parts, and one row per name. Does not belong here: the rules (`nametext`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from bioscan_etl.errors import SourceError
from bioscan_etl.io.tables import scan_csv
from bioscan_etl.io.write import atomic_file
from bioscan_etl.progress import Progress, silent
from bioscan_etl.taxonomy.names import name_table
from bioscan_etl.taxonomy.rules import RULES

LISTED = 1000
"""Names that a `NameList` holds; a file holds all of them."""

_PART = 50_000  # rows in memory at a time
_FALSE_LISTED = 20
_USUAL = ("scientificName", "species", "name", "taxon")
_ONE_COLUMN = "\x1f"  # a separator that no list of one column contains
_STATEMENTS = {rule.id: rule.statement for rule in RULES}
_REASONS = {
    "SCIENTIFIC": "",
    "INFORMAL": "It contains open nomenclature, such as sp., cf., aff., group, or a stage.",
    "OTU": "It names a BIN or another cluster.",
    "PLACEHOLDER": "A code, letter, place or person follows, and nothing shows that it is the author: no year of an "
    "author, no brackets, no abbreviation or surname of a known author.",
    "HYBRID_FORMULA": "It names two parents of a hybrid.",
    "DOUBTFUL": "It has no known form of a name.",
    "NO_NAME": "",
}


@dataclass(frozen=True)
class NameList:
    """What the pipeline makes of a list of names.

    Attributes:
        names: number of names.
        changed: number of names that are not kept as they are.
        types: number of names by GBIF name type, most frequent first.
        false: names that do not become the expected name; None without expected names.
        listed: the first 1,000 rows: `name`, `type`, `normalised` (null: not known), `rules` (ids, with
            blanks between them), `reason`; with expected names also `expected` and `is_false`.
        wrong: the first 20 rows that are false.
    """

    names: int
    changed: int
    types: dict[str, int]
    false: int | None
    listed: pl.DataFrame = field(repr=False)
    wrong: pl.DataFrame = field(repr=False)

    @property
    def false_per_thousand(self) -> float | None:
        """False decisions per 1,000 names; None without expected names, or without names."""
        return None if self.false is None or not self.names else 1000 * self.false / self.names


def list_names(
    path: Path,
    *,
    column: str | None = None,
    expected: str | None = None,
    rank: str = "species",
    output: Path | None = None,
    progress: Progress = silent,
) -> NameList:
    """Normalise the names of a file, in parts: memory does not grow with the file.

    Args:
        path: UTF-8. A `.csv` or `.tsv` file with a header, also packed with gzip; any other file holds one name a line.
        column: the column of names; None: scientificName, species, name or taxon, otherwise the first column.
        expected: the column of the names that must come out; an empty cell is expected to become "not known".
        rank: the rank of the names.
        output: CSV file with a row per name, in the order of the list; None writes none.
        progress: reports the names done.

    Raises:
        SourceError: the file cannot be read, or has no such column.
    """
    total = changed = false = 0
    types: dict[str, int] = {}
    listed: list[pl.DataFrame] = []
    wrong: list[pl.DataFrame] = []

    def judged() -> Iterator[pl.DataFrame]:
        nonlocal total, changed, false
        for part in _parts(path, column, expected):
            rows = _judge(part, rank)
            if total < LISTED:
                listed.append(rows.head(LISTED - total))
            total += rows.height
            changed += rows.filter(pl.col("name").ne_missing(pl.col("normalised"))).height
            for kind, count in rows["type"].value_counts().iter_rows():
                types[kind] = types.get(kind, 0) + count
            if expected is not None:
                bad = rows.filter("is_false")
                false += bad.height
                wrong.append(bad.head(_FALSE_LISTED))
            progress("names", total)
            yield rows

    if output is None:
        for _ in judged():
            pass
    else:
        with atomic_file(output) as stream:
            for number, rows in enumerate(judged()):
                rows.write_csv(stream, include_header=number == 0)
    nothing = _judge(pl.DataFrame(schema={"name": pl.String} | ({"expected": pl.String} if expected else {})), rank)
    return NameList(
        total,
        changed,
        dict(sorted(types.items(), key=lambda one: (-one[1], one[0]))),
        None if expected is None else false,
        pl.concat([nothing, *listed]),
        pl.concat([nothing, *wrong]).head(_FALSE_LISTED),
    )


def _parts(path: Path, column: str | None, expected: str | None) -> Iterator[pl.DataFrame]:
    """Frames of `name` and, if asked for, `expected`; empty names are left out."""
    endings = [suffix.casefold() for suffix in path.suffixes[-2:] if suffix.casefold() != ".gz"]
    is_table = endings[-1:] in ([".csv"], [".tsv"])
    if not is_table and (column or expected):
        raise SourceError(f"{path} must end in .csv or .tsv, because a column is named; rename it, or name no column")
    separator = {".csv": ",", ".tsv": "\t"}.get(endings[-1] if is_table else "", _ONE_COLUMN)
    try:
        lazy = scan_csv(
            path,
            separator=separator,
            has_header=is_table,
            quote_char='"' if separator == "," else None,
            infer_schema=False,
            encoding="utf8-lossy",
            truncate_ragged_lines=True,
        )
        names = lazy.collect_schema().names()
    except pl.exceptions.NoDataError:
        return
    except (OSError, pl.exceptions.PolarsError) as error:
        raise SourceError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
    wanted = column or (next((name for name in _USUAL if name in names), names[0]) if is_table else names[0])
    for name in filter(None, (wanted, expected)):
        if name not in names:
            raise SourceError(f"{path} has no column {name!r}; its columns are {', '.join(names)}")
    columns = [pl.col(wanted).alias("name"), *([pl.col(expected).alias("expected")] if expected else [])]
    try:
        for part in lazy.select(columns).collect_batches(chunk_size=_PART, maintain_order=True):
            # A byte order mark is part of the first line of a list without header.
            yield part.with_columns(pl.col("name").str.strip_prefix("\ufeff")).filter(
                pl.col("name").str.strip_chars().str.len_chars() > 0
            )
    except (OSError, pl.exceptions.PolarsError) as error:
        raise SourceError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None


def _judge(part: pl.DataFrame, rank: str) -> pl.DataFrame:
    """One row per name, in the order of the list; each distinct name is parsed once."""
    table = name_table(part["name"], rank).select(
        name="before",
        type="type",
        normalised="after",
        rules=pl.col("steps")
        .list.eval(pl.element().struct.field("rule"))
        .list.unique(maintain_order=True)
        .list.join(" "),
    )
    kinds = table.select("rules", "type").unique(maintain_order=True)
    reasons = [
        " ".join(
            filter(
                None, [*(_STATEMENTS[rule] for rule in rules.split()), _REASONS[kind] if rules.find("NULL") < 0 else ""]
            )
        )
        for rules, kind in kinds.iter_rows()
    ]
    table = table.join(kinds.with_columns(reason=pl.Series(reasons, dtype=pl.String)), on=["rules", "type"], how="left")
    rows = part.join(table, on="name", how="left", maintain_order="left")
    columns = ["name", "type", "normalised", "rules", "reason"]
    if "expected" not in part.columns:
        return rows.select(columns)
    blank = pl.col("expected").str.strip_chars() == ""
    rows = rows.with_columns(expected=pl.when(~blank).then("expected"))
    return rows.select(*columns, "expected", is_false=pl.col("normalised").ne_missing(pl.col("expected")))
