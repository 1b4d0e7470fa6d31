"""The protocol "bioscan-5m": the published partitioning of BIOSCAN-5M, step by step (spec: partitioning).

Belongs here: the ten steps. Does not belong here: which names are novel (`novel`), which barcodes of a species are
selected (`select`), and whether the result is valid (`checks`).

The published algorithm shuffles the candidates before it groups them. It then uses only the counts of groups in lexical
order of species and barcode, so the shuffles have no effect and are omitted here;
`tests/test_splits_bioscan_5m.py` compares this version with one that shuffles.

For inputs that the specification does not cover (they do not occur after curation), the published algorithm decides:

- A species with records under several genera can be novel in some and seen in others. If it becomes unseen (step
  2) or is single (step 3), this applies to all rows of the species.
- A missing genus counts as a genus: it is known if a seen row also lacks its genus.
- A record without a barcode counts as a record of its species and is never selected.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bioscan_etl.splits.novel import novel
from bioscan_etl.splits.select import (
    TEST,
    VAL,
    VAL_FROM,
    VAL_SHARE,
    VAL_UNSEEN,
    Quota,
    by_size,
    select_barcodes,
    target_records,
)
from bioscan_etl.vocabulary import SPLITS

COLUMNS = ("processid", "genus", "species", "dna_barcode")

_STATES = (*SPLITS, "seen", "unseen")  # the last two are intermediate states
(_PRETRAIN, _TRAIN, _VAL, _TEST, _KEY_UNSEEN, _VAL_UNSEEN, _TEST_UNSEEN, _OTHER_HELDOUT, _SEEN, _UNSEEN) = range(
    len(_STATES)
)
_MIN_UNSEEN = 8  # records that make a novel species an unseen one
_TAIL_FROM = 7
_CHUNK = 250_000  # rows whose barcodes are looked up at a time


def assign(table: pl.DataFrame) -> pl.DataFrame:
    """Assign every record its partition.

    Args:
        table: columns processid, genus, species, dna_barcode, text; one row per record, in any order: the order of
            rows changes no outcome. Barcodes are identities (`barcodes.identity`), missing where there is none.

    Returns:
        Columns processid and split (one of `vocabulary.SPLITS`), text, in the order of the rows of `table`. The choice
        among barcodes of equal size follows numpy's argsort, so the same table gives the same partitions with the
        same numpy release on the same kind of CPU.
    """
    text = table.select(pl.col(COLUMNS).cast(pl.String))
    has_species = text["species"].is_not_null()
    labelled = _Labelled.of(text.filter(has_species))
    _separate_seen_from_unseen(labelled)
    singles = _place_singles(labelled)
    labelled.place(_select(labelled.candidates(_SEEN), TEST, seed=1), _TEST)
    candidates = labelled.candidates(_SEEN)
    labelled.place([*_select(candidates, VAL, seed=3), *_long_tail(candidates, labelled, singles)], _VAL)
    labelled.rename(_SEEN, _TRAIN)
    labelled.place(_select(labelled.candidates(_UNSEEN), TEST, seed=5), _TEST_UNSEEN)
    labelled.place(_select(labelled.candidates(_UNSEEN), VAL_UNSEEN, seed=7), _VAL_UNSEEN)
    labelled.rename(_UNSEEN, _KEY_UNSEEN)
    labelled.rename(_PRETRAIN, _OTHER_HELDOUT)

    states = np.full(len(text), _PRETRAIN, dtype=np.uint8)
    states[has_species.to_numpy()] = labelled.states
    _place_unlabelled(text, ~has_species, labelled.placed(), states)
    names = pl.Series(_STATES).gather(pl.Series(states.astype(np.uint32)))
    return text.select("processid", names.alias("split"))


@dataclass(slots=True)
class _Candidates:
    """Counts of the candidate records of one step, by species and barcode, both in lexical order.

    Attributes:
        species: code of each species, shape (species,).
        records: its candidate records, int64, shape (species,).
        starts: where its barcodes begin in `barcodes`, shape (species + 1,).
        barcodes: codes of barcodes, shape (pairs,).
        sizes: candidate records of that species with that barcode, int64, shape (pairs,).
    """

    species: NDArray[np.int64]
    records: NDArray[np.int64]
    starts: NDArray[np.int64]
    barcodes: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def __iter__(self) -> Iterator[tuple[int, int, NDArray[np.int64], NDArray[np.int64]]]:
        """Species code, its number of records, its barcodes and their sizes, species by species."""
        starts = self.starts.tolist()
        for species, records, start, end in zip(
            self.species.tolist(), self.records.tolist(), starts, starts[1:], strict=False
        ):
            yield species, records, self.barcodes[start:end], self.sizes[start:end]


@dataclass(slots=True)
class _Labelled:
    """The rows with a species, as integer codes that sort like the texts.

    Attributes:
        names: columns genus and species, in row order.
        species: code of each row's species, int64, shape (rows,).
        barcode: code of each row's barcode, -1 if it has none, int64, shape (rows,).
        texts: the barcodes by code.
        states: index into `_STATES`, uint8, shape (rows,); changed by every step.
        chosen: by barcode code: the state that a selected barcode gives its rows; `_SEEN` for barcodes not selected.
    """

    names: pl.DataFrame
    species: NDArray[np.int64]
    barcode: NDArray[np.int64]
    texts: pl.Series
    states: NDArray[np.uint8]
    chosen: NDArray[np.uint8]

    @classmethod
    def of(cls, rows: pl.DataFrame) -> _Labelled:
        barcodes = rows["dna_barcode"]
        texts = barcodes.drop_nulls().unique().sort()
        return cls(
            names=rows.select("genus", "species"),
            species=_dense(rows["species"]),
            barcode=_dense(barcodes),
            texts=texts,
            states=np.full(len(rows), _SEEN, dtype=np.uint8),
            chosen=np.full(len(texts), _SEEN, dtype=np.uint8),
        )

    def species_of(self, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
        """How many of these rows each species has, by code."""
        return np.bincount(self.species[rows], minlength=int(self.species.max(initial=-1)) + 1)

    def candidates(self, state: int) -> _Candidates:
        """The rows of a state, counted by species and barcode."""
        rows = self.states == state
        per_species = self.species_of(rows)
        species = np.flatnonzero(per_species)
        with_barcode = rows & (self.barcode >= 0)
        width = max(len(self.texts), 1)
        pairs, sizes = np.unique(self.species[with_barcode] * width + self.barcode[with_barcode], return_counts=True)
        starts = np.searchsorted(pairs // width, [*species.tolist(), np.iinfo(np.int64).max])
        return _Candidates(species, per_species[species], starts, pairs % width, sizes.astype(np.int64))

    def place(self, barcodes: list[int], state: int) -> None:
        """Set the state of every row with one of these barcodes, whatever its species and its state."""
        self.chosen[barcodes] = state
        with_barcode = np.flatnonzero(self.barcode >= 0)
        hit = with_barcode[self.chosen[self.barcode[with_barcode]] == state]
        self.states[hit] = state

    def rename(self, old: int, new: int) -> None:
        """Move all rows of one state to another state."""
        self.states[self.states == old] = new

    def placed(self) -> pl.DataFrame:
        """Columns barcode and state of the barcodes that were selected."""
        selected = np.flatnonzero(self.chosen != _SEEN)
        return pl.DataFrame(
            {"barcode": self.texts.gather(selected), "state": self.chosen[selected]},
            schema={"barcode": pl.String, "state": pl.UInt8},
        )


def _dense(texts: pl.Series) -> NDArray[np.int64]:
    """Rank of each text among the distinct texts in code point order, from 0; -1 for a missing text."""
    return (texts.rank("dense").cast(pl.Int64) - 1).fill_null(-1).to_numpy()


def _separate_seen_from_unseen(labelled: _Labelled) -> None:
    """Steps 1 and 2: novel rows are in pretrain unless their species is an unseen one of a known genus."""
    is_novel = novel(labelled.names).to_numpy()
    labelled.states[is_novel] = _PRETRAIN
    genus = labelled.names["genus"]
    known = genus.is_in(genus.filter(pl.Series(~is_novel)).unique().implode(), nulls_equal=True).to_numpy()
    unseen = labelled.species_of(is_novel & known) >= _MIN_UNSEEN
    labelled.states[unseen[labelled.species]] = _UNSEEN


def _place_singles(labelled: _Labelled) -> int:
    """Step 3: species with one seen record go to train; returns their number."""
    single = labelled.species_of(labelled.states == _SEEN) == 1
    labelled.states[single[labelled.species]] = _TRAIN
    return int(single.sum())


def _select(candidates: _Candidates, quota: Quota, seed: int) -> list[int]:
    """Codes of the barcodes selected for a partition, species by species with one random generator."""
    generator = np.random.default_rng(seed)
    chosen: list[int] = []
    for _, records, barcodes, sizes in candidates:
        chosen += barcodes[select_barcodes(sizes, records, quota, generator)].tolist()
    return chosen


def _long_tail(candidates: _Candidates, labelled: _Labelled, singles: int) -> list[int]:
    """The second half of step 5: one barcode of one record from species of 7 to 19 candidate records."""
    in_test = labelled.species_of(labelled.states == _TEST)
    small = int(candidates.records[candidates.records < VAL_FROM].sum())
    wanted = round(VAL_SHARE * (singles + small))
    chosen: list[int] = []
    for species, records, barcodes, sizes in candidates:
        if not _TAIL_FROM <= records < VAL_FROM or not len(sizes):
            continue
        tested = int(in_test[species])
        if tested > target_records(records + tested):
            continue
        first = by_size(sizes)[0]
        if sizes[first] > 1:
            continue
        chosen.append(int(barcodes[first]))
        if len(chosen) >= wanted:  # one record each; tested after selecting, so a target of 0 also selects one
            break
    return chosen


def _place_unlabelled(
    text: pl.DataFrame, unlabelled: pl.Series, placed: pl.DataFrame, states: NDArray[np.uint8]
) -> None:
    """Give rows without a species the state of their barcode if that was selected; changes `states`."""
    for start in range(0, len(text), _CHUNK):
        rows = np.flatnonzero(unlabelled.slice(start, _CHUNK).to_numpy()) + start
        found = (
            pl.DataFrame({"barcode": text["dna_barcode"].gather(rows)})
            .join(placed, on="barcode", how="left", maintain_order="left")
            .get_column("state")
        )
        states[rows] = found.fill_null(_PRETRAIN).to_numpy()
