"""The class numbers of a release's labels, for those who train on it.

Belongs here: the one function that numbers labels for a model. Does not belong here: how the numbers of a release are
given and kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl import vocabulary
from bioscan_etl.errors import SourceError
from bioscan_etl.io.paths import real_path
from bioscan_etl.io.tables import read_csv

IGNORED = -100
"""The number of a missing label: PyTorch's cross-entropy passes over it."""
FOLDER = "labels"
RANKED = (*vocabulary.RANKS, "dna_bin")
"""Columns of labels: the ranks and the BIN."""


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes of a rank, and those of some specimens.

    Attributes:
        labels: names by class number; two homonyms are two classes of one name.
        numbers: (n,) int64, the class of each specimen, `IGNORED` where it has no label.
    """

    labels: tuple[str, ...]
    numbers: npt.NDArray[np.int64]


def class_numbers(root: Path, rows: pl.DataFrame, ranks: Sequence[str], chosen: pl.Series) -> Mapping[str, Classes]:
    """The class numbers of labels, the same for every partition of a release.

    They are those of `labels/<rank>.csv`, if the release has these files. Else, and for the BIN, the labels of all
    specimens of the release are numbered by name from 0.

    Args:
        root: folder of the release.
        rows: all its specimens: the ranks, and dna_bin if it is asked for.
        ranks: some of `RANKED`.
        chosen: (n,) rows of the specimens whose classes are wanted.

    Returns:
        Classes by rank.

    Raises:
        SourceError: a file of the labels is damaged, or lacks a label of a specimen.
    """
    made = {}
    stated = _stated(root) if (root / FOLDER).is_dir() else {}
    above = pl.Series(np.full(rows.height, -1), dtype=pl.Int64)
    indexed: dict[str, pl.Series] = {}
    for rank, table in stated.items():
        above = _joined(rows[rank], above, table)
        indexed[rank] = above
    for rank in ranks:
        if rank in stated:
            names, numbers = stated[rank]["label"], indexed[rank]
            if (missing := rows[rank].filter(numbers.is_null() & rows[rank].is_not_null())).len():
                raise SourceError(
                    f"{root}/{FOLDER}/{rank}.csv lacks {missing[0]!r}; bioscan-etl check names every fault"
                )
        else:
            names = rows[rank].drop_nulls().unique().sort()
            numbers = rows[rank].cast(pl.Enum(names)).to_physical().cast(pl.Int64)
        made[rank] = Classes(tuple(names), numbers.gather(chosen).fill_null(IGNORED).to_numpy())
    return made


def _stated(root: Path) -> dict[str, pl.DataFrame]:
    """Index, label and parent_index by rank, from the highest, as the files state them."""
    found = {}
    for rank in vocabulary.RANKS:
        path = root / FOLDER / f"{rank}.csv"
        try:
            if real_path(path) != path:
                raise OSError("it is no plain file")
            table = read_csv(path, infer_schema=False, quote_char=None).select(
                "label", pl.col("index", "parent_index").cast(pl.Int64)
            )
            if not table["index"].equals(pl.int_range(table.height, eager=True).alias("index")):
                raise OSError("its indices are not 0 to their number less one")
        except (OSError, pl.exceptions.PolarsError) as error:
            raise SourceError(f"{path} cannot be read: {str(error).splitlines()[0]}; fetch it again") from None
        found[rank] = table
    return found


def _joined(labels: pl.Series, above: pl.Series, table: pl.DataFrame) -> pl.Series:
    """The index of each label: its parent tells homonyms apart."""
    keys = pl.DataFrame({"label": labels, "parent_index": above})
    return keys.join(table, on=["label", "parent_index"], how="left", maintain_order="left")["index"]
