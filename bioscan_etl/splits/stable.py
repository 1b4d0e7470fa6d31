"""The protocol "stable": the classes, targets and bounds of "bioscan-5m" for a growing corpus (spec: partitioning).

Belongs here: assigning records to partitions, given their earlier partitions. Does not belong here: what is kept
together (`units`), which barcodes of a species are selected (`fill`), and whether the result is valid (`checks`).

A unit is a cluster of records that is placed as a whole: all records of one barcode, of one BIN, or of barcodes that
overlap (`overlaps`). A unit is *seen* if one of its records has a described species, otherwise *novel* if one has a
placeholder, otherwise *unlabelled*. Rules:

1. A unit that an earlier release placed stays where it is, and its new records follow it. It moves only if one of its
   earlier records was relabelled, if a record changed its barcode, or if a check below requires it. Then it moves
   per the table below; it never moves a record from a training partition (pretrain, train, other_heldout,
   key_unseen) to an evaluation partition (val, test, val_unseen, test_unseen):

   =====================  ===========  ==============  ==========
   before                 now seen     now novel       unlabelled
   =====================  ===========  ==============  ==========
   train                  train        other_heldout   pretrain
   val                    val          other_heldout   pretrain
   test                   test         other_heldout   pretrain
   key_unseen             train        key_unseen      pretrain
   val_unseen             val          val_unseen      pretrain
   test_unseen            test         test_unseen     pretrain
   other_heldout          train        other_heldout   pretrain
   pretrain               train        other_heldout   pretrain
   =====================  ===========  ==============  ==========

   If records of several partitions meet in one unit, the table is applied to each of them, and the first result in
   this order wins: train, val, test; or other_heldout, key_unseen, val_unseen, test_unseen.
2. A placeholder species with a record in train, val or test (a unit can contain two species) is not unseen: its
   units go to other_heldout.
3. A placeholder species is unseen if some of its units are in an unseen partition already, or if it has 8 records in
   a genus that occurs among the described species. Its new units go to the unseen partitions. New units of other
   placeholder species go to other_heldout, where they stay even if the species becomes unseen later.
4. New units of a seen species first fill test, then val up to their targets; the others go to train. New units
   of an unseen species fill test_unseen, then val_unseen, then key_unseen. Unlabelled ones go to pretrain. Targets
   and bounds are those of "bioscan-5m" for all records that the species now has there. A new unit never takes a
   partition past its upper bound; new records of known barcodes may.
5. A species in val or test without a record in train, or in val_unseen or test_unseen without one in key_unseen,
   moves one unit there: a new one if there is one, otherwise one from val or val_unseen if possible.
6. Unlabelled barcodes of a unit in train or other_heldout, whose other barcodes have the labels, go to pretrain, where
   a model is trained on them without labels. In the other partitions they stay with their unit: anywhere else a model
   would be trained on an evaluated barcode. Records of one BIN that is kept together stay, too.

Every record that moves is listed with a rule of `rules.MOVES`. The result depends neither on the order of rows nor on
versions of libraries: choices are made by a keyed hash of seed, species and barcode.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bioscan_etl import vocabulary
from bioscan_etl.schema import PARTITION_MEMORY, PARTITION_MOVES
from bioscan_etl.settings import BarcodeSettings, SplitSettings
from bioscan_etl.splits.census import NEVER, NOVEL, SEEN, UNLABELLED, Census, Pairs, take_census
from bioscan_etl.splits.checks import split_of_each
from bioscan_etl.splits.fill import fill_barcodes, keyed_hash
from bioscan_etl.splits.overlaps import barcode_groups
from bioscan_etl.splits.select import TEST, VAL, VAL_FROM, VAL_SHARE, VAL_UNSEEN, Quota, target_records
from bioscan_etl.splits.units import barcode_keys
from bioscan_etl.vocabulary import SPLITS

(_PRETRAIN, _TRAIN, _VAL, _TEST, _KEY_UNSEEN, _VAL_UNSEEN, _TEST_UNSEEN, _OTHER_HELDOUT) = range(len(SPLITS))
_NEW_SEEN, _NEW_NOVEL, _NEW_UNSEEN = range(len(SPLITS), len(SPLITS) + 3)  # states on the way to a partition
_SEEN = tuple(map(SPLITS.index, vocabulary.SEEN))
_UNSEEN = tuple(map(SPLITS.index, vocabulary.UNSEEN))
_LABELLED_ALONE = tuple(map(SPLITS.index, vocabulary.LABELLED_ALONE))
_MIN_UNSEEN = 8  # records that make a novel species an unseen one
_TAIL_FROM = 7

_IF_SEEN = {_KEY_UNSEEN: _TRAIN, _VAL_UNSEEN: _VAL, _TEST_UNSEEN: _TEST, _VAL: _VAL, _TEST: _TEST}
_MOST_TRAINED_FIRST = (_PRETRAIN, _TRAIN, _VAL, _TEST, _OTHER_HELDOUT, _KEY_UNSEEN, _VAL_UNSEEN, _TEST_UNSEEN)


def _settle(label: int, claims: int) -> int:
    """The table above: the new partition of a unit, from its class and its records' earlier partitions (bits)."""
    before = [split for split in range(len(SPLITS)) if claims >> split & 1]
    if label == UNLABELLED:
        return _PRETRAIN
    if label == SEEN:
        answers = {_IF_SEEN.get(split, _TRAIN) for split in before} or {_NEW_SEEN}
    else:
        answers = {split if split in _UNSEEN else _OTHER_HELDOUT for split in before} or {_NEW_NOVEL}
    return next((split for split in _MOST_TRAINED_FIRST if split in answers), max(answers))


_SETTLED = np.array([[_settle(c, claims) for claims in range(256)] for c in range(3)], dtype=np.uint8)
_ONLY = np.array([claims.bit_length() - 1 if claims.bit_count() == 1 else NEVER for claims in range(256)], np.uint8)


def assign_stable(
    table: pl.DataFrame,
    earlier: pl.DataFrame | pl.LazyFrame | None,
    settings: SplitSettings,
    groups: pl.DataFrame | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Assign every record its partition, and keep the assignments of earlier releases.

    Args:
        table: columns processid, genus, species, dna_barcode, text, and dna_bin if BINs are kept together; one row
            per record, in any order.
        earlier: the result of `remember` for the previous release, or any table with columns processid, split, genus,
            species, dna_barcode (and dna_bin), one row per record, with the labels of that release. A lazy frame is
            streamed, which halves the memory. None for the first release.
        settings: seed, and what is kept together. Do not change them between releases: another seed moves no
            placed record but selects new ones differently; keeping more together later moves many records.
        groups: what `overlaps.barcode_groups` makes of both tables, if barcodes that overlap are kept together; None:
            it is made here, which places every barcode.

    Returns:
        Assignments: columns processid and split (one of `vocabulary.SPLITS`), text, in the order of
            the rows of `table`.
        Moves: table `schema.PARTITION_MOVES`, sorted by processid: every record of both tables whose partition
        changed, and why.

    Raises:
        SettingsError: BINs must be kept together but the table has no column dna_bin.
        InvariantError: the earlier table has a process ID twice or an unknown partition.
    """
    if settings.keep_overlaps_together and groups is None:
        groups = barcode_groups(table, earlier, BarcodeSettings().min_shared_columns)
    census = take_census(table, earlier, settings, groups if settings.keep_overlaps_together else None)
    state = _place_known(census)
    with_species = _keep_seen_from_unseen(census, state)
    _find_unseen(census, state)
    _fill_partitions(census, state, settings.seed)
    as_reference = _give_references(census, state, settings.seed)
    after = state[census.unit]
    if settings.keep_overlaps_together and not settings.keep_bins_together:
        after[_without_label(table, census) & np.isin(after, _LABELLED_ALONE)] = _PRETRAIN
    processids = table.get_column("processid").cast(pl.String)
    split = pl.Series("split", SPLITS).gather(after.astype(np.uint32))
    return pl.DataFrame([processids, split]), _moves(census, processids, after, with_species, as_reference)


def remember(
    table: pl.DataFrame, assignments: pl.DataFrame, earlier: pl.DataFrame | pl.LazyFrame | None = None
) -> pl.DataFrame:
    """The assignments of this and all earlier releases, for the next release.

    Specimens that are not in this release are kept: models were trained or tested on their barcodes, and if they
    return, they return to their former partition.

    Args:
        table: the assigned table: columns processid, genus, species, dna_barcode, and dna_bin if it has BINs.
        assignments: columns processid, split; the same process IDs in any order.
        earlier: the memory that the assignment used.

    Returns:
        Table `schema.PARTITION_MEMORY`, sorted by processid.
    """
    names = PARTITION_MEMORY.names()
    known = [name for name in names if name in table.columns and name != "split"]
    parts = [table.select(pl.col(known).cast(pl.String)).with_columns(split_of_each(table, assignments))]
    if earlier is not None:
        # Read barcodes only of specimens that are not in this release.
        gone = earlier.lazy().select("processid").collect(engine="streaming").join(parts[0], "processid", how="anti")
        old = earlier.lazy().select(name for name in names if name in earlier.lazy().collect_schema().names())
        if len(gone):
            parts.append(old.join(gone.lazy(), "processid", how="semi").cast(pl.String).collect(engine="streaming"))
    together = pl.concat(parts, how="diagonal", rechunk=False)
    absent = [pl.lit(None, dtype=pl.String).alias(name) for name in names if name not in together.columns]
    together = together.with_columns(absent)
    # Sorting copies the barcodes; a sorted table is not sorted again, unless old specimens were appended.
    if not together["processid"].is_sorted():
        together = together.sort("processid")
    return PARTITION_MEMORY.conform(together)


def _place_known(census: Census) -> NDArray[np.uint8]:
    """Step 1: the state of each unit, uint8, shape (units,)."""
    claims, label = census.claims, census.unit_label
    only = _ONLY[claims]
    demanded = (np.isin(only, _UNSEEN) & (label == SEEN)) | (np.isin(only, _SEEN) & (label == NOVEL))
    was_there = census.units_of(census.before != NEVER)
    relabelled = census.units_of((census.before != NEVER) & (census.label != census.label_before))
    stays = (only != NEVER) & was_there & ~relabelled & ~demanded
    return np.where(stays, only, _SETTLED[label, claims])


def _keep_seen_from_unseen(census: Census, state: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Step 2; changes `state`. Returns which placed units left an unseen partition, shape (units,)."""
    pairs = census.pairs
    seen = pairs.count(np.isin(state[pairs.unit], (*_SEEN, _NEW_SEEN))) > 0
    shared = _units(pairs, seen[pairs.species], len(state)) & np.isin(state, (*_UNSEEN, _NEW_NOVEL))
    left = shared & np.isin(state, _UNSEEN)
    state[shared] = _OTHER_HELDOUT
    return left


def _find_unseen(census: Census, state: NDArray[np.uint8]) -> None:
    """Step 3; changes `state`."""
    pairs = census.pairs
    unseen = (pairs.count(np.isin(state[pairs.unit], _UNSEEN)) > 0) | (pairs.viable >= _MIN_UNSEEN)
    held_out = _units(pairs, ~unseen[pairs.species], len(state))
    new = state == _NEW_NOVEL
    state[new] = np.where(held_out[new], _OTHER_HELDOUT, _NEW_UNSEEN)


def _fill_partitions(census: Census, state: NDArray[np.uint8], seed: int) -> None:
    """Step 4; changes `state`."""
    pairs = census.pairs
    offered = _offered(pairs, state)
    keys = pairs.keys(offered, seed)
    for new, others, into, quota in (
        (_NEW_SEEN, (_TRAIN, _VAL), _TEST, TEST),
        (_NEW_SEEN, (_TRAIN,), _VAL, VAL),
        (_NEW_UNSEEN, (_KEY_UNSEEN, _VAL_UNSEEN), _TEST_UNSEEN, TEST),
        (_NEW_UNSEEN, (_KEY_UNSEEN,), _VAL_UNSEEN, VAL_UNSEEN),
    ):
        chosen = _choose(pairs, state[pairs.unit], offered, keys, new=new, others=others, into=into, quota=quota)
        if into == _VAL:
            chosen += _long_tail(pairs, state[pairs.unit], offered, keys, seed)
        state[pairs.unit[chosen]] = into
    state[state == _NEW_SEEN] = _TRAIN
    state[state == _NEW_UNSEEN] = _KEY_UNSEEN


def _offered(pairs: Pairs, state: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The pairs through which new units are chosen: of a unit, the species with most records; shape (pairs,)."""
    at = np.flatnonzero(np.isin(state[pairs.unit], (_NEW_SEEN, _NEW_UNSEEN)) & pairs.barcodes.is_not_null().to_numpy())
    order = at[np.lexsort((pairs.species[at], -pairs.records[at], -pairs.label[at].astype(np.int64), pairs.unit[at]))]
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = np.diff(pairs.unit[order]) != 0
    offered = np.zeros(len(pairs.unit), dtype=np.bool_)
    offered[order[first]] = True
    return offered


def _choose(
    pairs: Pairs,
    states: NDArray[np.uint8],
    offered: NDArray[np.bool_],
    keys: NDArray[np.int64],
    *,
    new: int,
    others: tuple[int, ...],
    into: int,
    quota: Quota,
) -> list[int]:
    """The pairs whose units a partition takes, species by species.

    Args:
        pairs: all pairs.
        states: state of each pair's unit, shape (pairs,).
        offered: pairs to choose from, shape (pairs,).
        keys: keyed hash of the offered pairs, shape (pairs,).
        new: state of the units to choose from.
        others: partitions whose records count among the candidates.
        into: the partition to fill.
        quota: what it wants.
    """
    candidates = np.isin(states, (new, into, *others))
    with_barcode = candidates & pairs.barcodes.is_not_null().to_numpy()
    records, barcodes = pairs.total(candidates), pairs.count(with_barcode)
    got, taken = pairs.total(states == into), pairs.count(with_barcode & (states == into))
    chosen: list[int] = []
    for species, at in _by_species(pairs, offered & (states == new)):
        positions = fill_barcodes(
            pairs.records[at],
            keys[at],
            quota,
            records=int(records[species]),
            barcodes=int(barcodes[species]),
            got=int(got[species]),
            taken=int(taken[species]),
        )
        chosen += at[positions].tolist()
    return chosen


def _long_tail(
    pairs: Pairs, states: NDArray[np.uint8], offered: NDArray[np.bool_], keys: NDArray[np.int64], seed: int
) -> list[int]:
    """The second half of val: one barcode of one record from species of 7 to 19 records outside test."""
    untested = pairs.total(np.isin(states, (_NEW_SEEN, _TRAIN, _VAL)))
    tested, validated = pairs.total(states == _TEST), pairs.total(states == _VAL)
    small = untested < VAL_FROM
    wanted = round(VAL_SHARE * int(untested[small].sum())) - int(validated[small].sum())
    if wanted <= 0:
        return []
    found = []
    for species, at in _by_species(pairs, offered & (states == _NEW_SEEN) & (pairs.records == 1)):
        records, in_test = int(untested[species]), int(tested[species])
        if _TAIL_FROM <= records < VAL_FROM and not validated[species] and in_test <= target_records(records + in_test):
            found.append((keyed_hash(seed, pairs.names[species], ""), int(at[np.argmin(keys[at])])))
    return [pair for _, pair in sorted(found)[:wanted]]


def _by_species(pairs: Pairs, chosen: NDArray[np.bool_]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Species code and positions of its pairs among the chosen, in lexical order of species."""
    at = np.flatnonzero(chosen)
    species, starts = np.unique(pairs.species[at], return_index=True)
    yield from zip(species.tolist(), np.split(at, starts[1:]), strict=False)


def _give_references(census: Census, state: NDArray[np.uint8], seed: int) -> NDArray[np.bool_]:
    """Step 5; changes `state`. Returns which units moved, shape (units,)."""
    pairs = census.pairs
    moved = np.zeros(len(state), dtype=np.bool_)
    for queries, reference in (((_VAL, _TEST), _TRAIN), ((_VAL_UNSEEN, _TEST_UNSEEN), _KEY_UNSEEN)):
        states = state[pairs.unit]
        queried = np.isin(states, queries) & ((pairs.label == SEEN) | (reference == _KEY_UNSEEN))
        lacking = (pairs.count(queried) > 0) & (pairs.count(states == reference) == 0)
        for _, at in _by_species(pairs, queried & lacking[pairs.species]):
            order = [(census.claims[pairs.unit[i]] > 0, state[pairs.unit[i]], pairs.key(i, seed), i) for i in at]
            moved[pairs.unit[min(order)[-1]]] = True
        state[moved & np.isin(state, queries)] = reference
    return moved


def _units(pairs: Pairs, chosen: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    """Which units hold one of these pairs, shape (units,)."""
    found = np.zeros(count, dtype=np.bool_)
    found[pairs.unit[chosen]] = True
    return found


def _without_label(table: pl.DataFrame, census: Census) -> NDArray[np.bool_]:
    """Which records have a barcode of which no record has a species, shape (rows,)."""
    keys = table.select(*barcode_keys(), labelled=pl.Series(census.label != UNLABELLED))
    found = keys.select(~pl.col("labelled").any().over("first", "second") & pl.col("first").is_not_null())
    return found.to_series().to_numpy()


def _moves(
    census: Census,
    processids: pl.Series,
    after: NDArray[np.uint8],
    with_species: NDArray[np.bool_],
    as_reference: NDArray[np.bool_],
) -> pl.DataFrame:
    """Table `schema.PARTITION_MOVES`; of several reasons, the most specific to the record."""
    moved = np.flatnonzero((census.before != NEVER) & (census.before != after))
    now, then, unit = census.label[moved], census.label_before[moved], census.unit[moved]
    reasons = np.select(
        [
            (now != then) & (now == UNLABELLED),
            (now != then) & (then == UNLABELLED),
            (now != then) & (now == SEEN),
            now != then,
            as_reference[unit],
            with_species[unit],
            census.barcode_changed[moved],
        ],
        [
            "MOVED_SPECIES_CLEARED",
            "MOVED_SPECIES_NAMED",
            "MOVED_SPECIES_DESCRIBED",
            "MOVED_SPECIES_UNDESCRIBED",
            "MOVED_AS_REFERENCE",
            "MOVED_WITH_SPECIES",
            "MOVED_BARCODE_CHANGED",
        ],
        default="MOVED_WITH_BARCODE",
    )
    splits = pl.Series(SPLITS)
    return PARTITION_MOVES.conform(
        pl.DataFrame(
            {
                "processid": processids.gather(moved),
                "before": splits.gather(census.before[moved].astype(np.uint32)),
                "after": splits.gather(after[moved].astype(np.uint32)),
                "reason": pl.Series(reasons, dtype=pl.String),
            }
        ).sort("processid")
    )
