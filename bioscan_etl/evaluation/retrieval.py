"""Retrieval as CLIBD asks it: the nearest records of other specimens, by image or barcode, and their labels.

Belongs here: queries, keys and the models of the base (spec: benchmarks, CLIBD). Does not belong here: encoders
(`encoder`, `networks`) and the map (`ridge`).

Keys are records. The search compares distinct barcodes, and then lists the records of each found barcode in the order
of the release. Of barcodes at the same distance, the one whose first record comes first is the nearer. The models of
the base have no text, since the text of a key is its label; those of `networks` can have it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bioscan_etl.evaluation import ridge
from bioscan_etl.evaluation.budget import Budget, search_seconds
from bioscan_etl.evaluation.images import LIBRARIES, ImageVectors, why_no_features
from bioscan_etl.evaluation.kmers import BarcodeVectors
from bioscan_etl.evaluation.measured import Clock, Question, Sheet
from bioscan_etl.evaluation.records import NO_LABEL, Flags, Numbers, Records
from bioscan_etl.evaluation.search import Embedded, nearest
from bioscan_etl.progress import Progress, silent
from bioscan_etl.vocabulary import DESCRIBED_RANKS, EVALUATED_PAIRS, UNSEEN_KEY

NAME = "retrieval"
K = 5
"""Bases of the k-mers, as in CLIBD's encoder."""
KS = (1, 3, 5)
"""Nearest keys of which one has to have the label."""
RANKS = DESCRIBED_RANKS
"""Ranks that are asked for."""
TRAIN = "train"
KEYS = (TRAIN, UNSEEN_KEY)
"""Partitions of all keys."""
ALIGNED_ON = "val"
"""Partition whose pairs choose the penalty of the map."""


@dataclass(frozen=True)
class Looking:
    """A model of a task: the vectors of queries and of keys.

    Attributes:
        task: such as `image_to_dna`.
        model: its name.
        queried: features of queries.
        offered: features of keys.
        query_ids: position of each row in `queried`; `NO_LABEL` for none.
        key_ids: position of each row in `offered`; `NO_LABEL` for none.
        width: numbers of a vector.
        note: how the features were made.
        libraries: further distributions that they rest on.
        seconds: processor time to make them.
    """

    task: str
    model: str
    queried: Embedded
    offered: Embedded
    query_ids: Numbers
    key_ids: Numbers
    width: int
    note: str | None = None
    libraries: tuple[str, ...] = ()
    seconds: float = 0.0


def measure(
    records: Records,
    sheet: Sheet,
    progress: Progress = silent,
    budget: Budget | None = None,
    images: ImageVectors | None = None,
) -> None:
    """Ask 5-mers, images, and images that a linear map takes to 5-mers.

    Args:
        records: the release.
        sheet: takes the scores.
        progress: reports queries by model.
        budget: processor time; queries that do not fit are left out.
        images: features of its images; without, they are not applicable.
    """
    models = list(_models(records, images, sheet.seed))
    share = (budget or Budget(seed=sheet.seed)).part(len(models) * 2 * len(EVALUATED_PAIRS))
    missing = why_no_features(records, images)
    for model in models:
        looked_up(records, sheet, model, share, progress)
    if missing:
        _left_out(sheet, "image_to_image", missing)
    if not any(model.task == "image_to_dna" for model in models):
        _left_out(sheet, "image_to_dna", missing or f"no specimen of {TRAIN} has an image and a barcode")


def looked_up(
    records: Records, sheet: Sheet, model: Looking, budget: Budget | None = None, progress: Progress = silent
) -> None:
    """Look up the nearest keys of all queries by a model, and note the scores.

    Args:
        records: the release.
        sheet: takes the scores.
        model: the model.
        budget: of one search.
        progress: reports queries.
    """
    rows = records.of(KEYS)
    keys = rows[model.key_ids[rows] != NO_LABEL]
    for pair in EVALUATED_PAIRS:
        for split in pair:
            asked = records.of((split,))
            asked = asked[model.query_ids[asked] != NO_LABEL]
            cost = search_seconds(1, len(np.unique(model.key_ids[keys])), model.width)
            queries = asked if budget is None else budget.drawn(asked, cost)
            notes = [model.note] if model.note else []
            if len(queries) < len(asked):
                notes.append(f"{len(queries):,} of {len(asked):,} queries, drawn to fit --budget")
            clock = Clock(model.seconds)
            with clock.running():
                found = nearest_records(model, queries, keys, max(KS), progress)
            question = Question(
                NAME, model.task, model.model, (split,), KEYS, "; ".join(notes) or None, model.libraries
            )
            copies = records.copies(queries, keys)
            for rank in RANKS:
                labels = records.codes(rank)
                of_keys = labels[keys]
                answers = np.where(found >= 0, of_keys[np.maximum(found, 0)], NO_LABEL) if len(keys) else found
                sheet.answered(
                    question,
                    rank,
                    labels[queries],
                    answers,
                    of_keys,
                    copies=copies,
                    chosen=found,
                    ks=KS,
                    seconds=clock.seconds,
                )
        both = f"harmonic mean of {pair[0]} and {pair[1]}"
        question = Question(NAME, model.task, model.model, (both,), KEYS, model.note, model.libraries)
        for rank in RANKS:
            sheet.harmonic(question, rank, (pair[0],), (pair[1],))


def nearest_records(model: Looking, queries: Numbers, keys: Numbers, k: int, progress: Progress = silent) -> Numbers:
    """The k nearest records of each query, the nearest first.

    Args:
        model: what is compared.
        queries: rows that have features.
        keys: rows that have features, ascending.
        k: how many.
        progress: reports queries.

    Returns:
        Positions within `keys`, int64, shape (queries, k); -1 where there are fewer keys.
    """
    if not len(keys) or not len(queries):
        return np.full((len(queries), k), NO_LABEL)
    asked, of_query = np.unique(model.query_ids[queries], return_inverse=True)
    offered, first, of_key = np.unique(model.key_ids[keys], return_index=True, return_inverse=True)
    # In the order of the release: of things as near as each other, the first wins.
    order = np.argsort(first)
    place = np.argsort(order)
    found, _ = nearest(
        model.queried,
        asked,
        offered[order],
        k,
        keyed=model.offered,
        progress=progress,
        label=f"{NAME}: {model.task}, {model.model}",
    )
    records = np.argsort(place[of_key], kind="stable")
    count = np.bincount(place[of_key], minlength=len(offered))
    return _records_of(found, records, count, k)[of_query]


def _records_of(found: Numbers, records: Numbers, count: Numbers, k: int) -> Numbers:
    """The first k records of found things. A thing, such as a distinct barcode, is of one record or several.

    Args:
        found: things by query, the nearest first, shape (queries, things); -1 for none.
        records: positions of records, those of a thing together and the things in their order.
        count: records of each thing.
        k: how many.
    """
    start = np.cumsum(count) - count
    which = np.arange(k)[None, None, :]
    known = np.maximum(found, 0)[:, :, None]
    there = (found[:, :, None] >= 0) & (which < count[known])
    at = np.where(there, records[np.minimum(start[known] + which, len(records) - 1)], NO_LABEL)
    flat = at.reshape(len(found), -1)
    last = np.argsort(flat < 0, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(flat, last, axis=1)


def _models(records: Records, images: ImageVectors | None, seed: int) -> Iterator[Looking]:
    asked = (*KEYS, *(split for pair in EVALUATED_PAIRS for split in pair))
    clock = Clock()
    with clock.running():
        barcodes = BarcodeVectors(records, records.of(asked), K)
    ids = records.barcode_ids
    width = 4**K
    yield Looking("dna_to_dna", f"{K}-mers", barcodes, barcodes, ids, ids, width, seconds=clock.seconds)
    if images is None or why_no_features(records, images):
        return
    rows = np.where(images.known, np.arange(len(images)), NO_LABEL)
    yield Looking(
        "image_to_image",
        images.model,
        images,
        images,
        rows,
        rows,
        images.features.shape[1],
        libraries=LIBRARIES,
        seconds=images.seconds,
    )
    yield from _across(records, images, barcodes, seed, clock.seconds + images.seconds)


def _across(
    records: Records, images: ImageVectors, barcodes: BarcodeVectors, seed: int, seconds: float
) -> Iterator[Looking]:
    """Images looked up among barcodes: by a random map, by ridge regression, and by one of shuffled pairs."""
    ids = records.barcode_ids
    both: Flags = images.known & (ids != NO_LABEL)
    rows = [held[both[held]] for held in (records.of((TRAIN,)), records.of((ALIGNED_ON,)))]
    pairs, chosen_on = (ridge.Pairs(held, ids[held]) for held in rows)
    if not len(pairs.inputs):
        return
    clock = Clock()
    with clock.running():
        offered = ridge.fit(images, barcodes, pairs)
        errors = [ridge.error(images, barcodes, chosen_on, one) for one in offered]
        # Without pairs of val, all errors are NaN: a middle penalty is taken.
        best = int(np.nanargmin(errors)) if len(chosen_on.inputs) else len(offered) // 2
    penalty = ridge.PENALTIES[best]
    how = f"penalty {penalty:g}, " + (f"of least error on {ALIGNED_ON}" if len(chosen_on.inputs) else "fixed")
    mixed = ridge.fit(images, barcodes, ridge.shuffled(pairs, seed), (penalty,))[0]
    maps: dict[str, tuple[ridge.LinearMap, str]] = {
        "unaligned": (
            ridge.random_map(offered[best], seed),
            "a random linear map: the widths of image and DNA differ",
        ),
        "aligned by ridge regression": (offered[best], f"fitted on {len(pairs.inputs):,} pairs of train, {how}"),
        "aligned on shuffled pairs": (mixed, f"fitted on the same with barcodes shuffled, penalty {penalty:g}"),
    }
    pictured = np.where(images.known, np.arange(len(images)), NO_LABEL)
    for name, (linear, note) in maps.items():
        yield Looking(
            "image_to_dna",
            f"{name} ({images.model}, {K}-mers)",
            ridge.Mapped(images, linear),
            ridge.Centred(barcodes, linear.output_mean),
            pictured,
            ids,
            4**K,
            note,
            LIBRARIES,
            seconds + clock.seconds,
        )


def _left_out(sheet: Sheet, task: str, reason: str) -> None:
    for pair in EVALUATED_PAIRS:
        for split in pair:
            question = Question(NAME, task, "images", (split,), KEYS)
            for rank in RANKS:
                sheet.not_applicable(question, rank, reason)
