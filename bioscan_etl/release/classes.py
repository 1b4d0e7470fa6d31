"""The class numbers of a release's labels, for those who train on it.

Belongs here: the one function that numbers labels for a model. Does not belong here: how the numbers of a release are
given and kept (`labels`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl import vocabulary
from bioscan_etl.errors import LakeError, SourceError
from bioscan_etl.io.paths import real_path
from bioscan_etl.release.labels import NO_INDEX, path_of, read_labels, with_indices
from bioscan_etl.release.layout import LABELS

IGNORED = -100
"""The number of a missing label: PyTorch's cross-entropy passes over it."""
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
    stated = _stated(root) if (root / LABELS).is_dir() else {}
    indexed = with_indices(rows, stated, [rank for rank in ranks if rank in stated])
    for rank in ranks:
        if rank in stated:
            index = indexed[f"{rank}_index"]
            names, numbers = stated[rank]["label"], index.replace(NO_INDEX, None)
            if (missing := rows[rank].filter(numbers.is_null() & rows[rank].is_not_null())).len():
                raise SourceError(f"{root}/{path_of(rank)} lacks {missing[0]!r}; bioscan-etl check names every fault")
        else:
            names = rows[rank].drop_nulls().unique().sort()
            numbers = rows[rank].cast(pl.Enum(names)).to_physical().cast(pl.Int64)
        made[rank] = Classes(tuple(names), numbers.gather(chosen).fill_null(IGNORED).to_numpy())
    return made


def _stated(root: Path) -> dict[str, pl.DataFrame]:
    """The vocabulary that the files of a release state."""
    for rank in vocabulary.RANKS:
        if real_path(path := root / path_of(rank)) != path:
            raise SourceError(f"{path} is no plain file; fetch it again")
    try:
        return read_labels(root)
    except LakeError as error:
        raise SourceError(f"{str(error).rsplit('; ', 1)[0]}; fetch it again") from None
