"""What an alignment sees of a specimen: its image, its barcode, its names (spec: benchmarks, CLIBD).

Belongs here: inputs by row of a release. Does not belong here: networks (`alignment`). Importing this module needs no
torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from bioscan_etl import vocabulary
from bioscan_etl.evaluation.kmers import KmerVectors
from bioscan_etl.evaluation.records import NO_LABEL, Numbers, Records
from bioscan_etl.evaluation.search import Embedded

if TYPE_CHECKING:
    from bioscan_etl.evaluation.networks.encoder import Encoder

IMAGE, DNA, TEXT = "image", "dna", "text"
NAMED = vocabulary.DESCRIBED_RANKS
"""Ranks of a text, the highest first."""
NOT_CLASSIFIED = "not_classified"
"""Number of a name that is missing, or that no training knows."""
K = 5
"""Bases of a k-mer, as in CLIBD's encoder of DNA."""
UNKNOWN_NAME = 0
"""Number of a name that the training does not have."""


@dataclass(frozen=True)
class Frozen:
    """Features that a head is trained on.

    Attributes:
        vectors: by position.
        width: of a vector.
    """

    vectors: Embedded
    width: int


@dataclass(frozen=True)
class Names:
    """Names of distinct texts, as numbers.

    Attributes:
        numbers: int64, shape (texts, ranks), below `count`; `UNKNOWN_NAME` for one that the training does not have.
        count: numbers in use.
    """

    numbers: Numbers
    count: int


@dataclass(frozen=True)
class Barcodes:
    """Barcodes whose encoder is trained, too.

    Attributes:
        texts: the barcodes.
        encoder: where the training starts; it stays as it is.
    """

    texts: pl.Series
    encoder: Encoder


@dataclass(frozen=True)
class Modality:
    """One side of a specimen.

    Attributes:
        name: `image`, `dna` or `text`.
        inputs: of distinct things.
        of_row: the thing of each row of a release; `NO_LABEL` for none.
        things: how many there are.
        note: how it is seen, in words.
    """

    name: str
    inputs: Frozen | Names | Barcodes
    of_row: Numbers
    things: int
    note: str


def images(vectors: Embedded, of_row: Numbers, width: int, note: str) -> Modality:
    """Images by features of a frozen encoder.

    Args:
        vectors: by position.
        of_row: position of each row of a release; `NO_LABEL` for one without features.
        width: of a vector.
        note: name of the encoder.
    """
    return Modality(IMAGE, Frozen(vectors, width), of_row, len(vectors), note)


def barcode_kmers(records: Records, rows: Numbers | None = None, k: int = K) -> Modality:
    """Barcodes by counts of k-mers.

    Args:
        records: the release.
        rows: rows whose barcodes are needed; None: all. Most barcodes of a release are those of pretrain.
        k: bases of a k-mer.
    """
    ids = records.barcode_ids
    held = np.unique(ids if rows is None else ids[rows])
    held = held[held != NO_LABEL]
    places = np.full(len(records.barcodes) + 1, NO_LABEL)  # the last is that of no barcode
    places[held] = np.arange(len(held))
    vectors = KmerVectors(records.barcodes.gather(held), k)
    return Modality(DNA, Frozen(vectors, 4**k), places[ids], len(vectors), f"{k}-mers")


def barcode_tokens(records: Records, encoder: Encoder, note: str) -> Modality:
    """Barcodes whose transformer is trained whole."""
    return Modality(DNA, Barcodes(records.barcodes, encoder), records.barcode_ids, len(records.barcodes), note)


def names(records: Records, trained: Numbers) -> Modality:
    """Texts "order family genus species", each name one token.

    Args:
        records: the release.
        trained: rows whose names a training may know; all others are one unknown name per rank.
    """
    filled = records.rows.select(pl.col(name).fill_null(NOT_CLASSIFIED) for name in NAMED)
    text = filled.select(pl.struct(NAMED).rank("dense").cast(pl.Int64) - 1).to_series().to_numpy()
    _, first = np.unique(text, return_index=True)
    numbers = np.empty((len(first), len(NAMED)), np.int64)
    count = 0
    for place, rank in enumerate(NAMED):
        known = filled[rank].gather(trained).unique().sort()
        number = dict(zip(known.to_list(), range(count + 1, count + 1 + len(known)), strict=True))
        here = filled[rank].gather(first)
        numbers[:, place] = here.replace_strict(
            list(number), list(number.values()), default=UNKNOWN_NAME, return_dtype=pl.Int64
        ).to_numpy()
        count += len(known)
    return Modality(TEXT, Names(numbers, count + 1), text, len(first), f"names of {', '.join(NAMED)}")


def trained_rows(records: Records, of_rows: list[Numbers], splits: tuple[str, ...]) -> Numbers:
    """The rows of some partitions that have all modalities, int64, ascending."""
    rows = records.of(splits)
    has_all = np.all([of_row[rows] != NO_LABEL for of_row in of_rows], axis=0)
    return rows[has_all]
