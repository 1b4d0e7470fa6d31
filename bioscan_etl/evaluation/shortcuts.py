"""Shortcuts: how well genus and species of test follow from what is beside the specimen, without DNA and image.

Belongs here: the cues and the models that see nothing else. Does not belong here: how wrong labels are found
(`against_neighbours`).

A model that is trained on images could learn the light of an instrument instead of the insect, and one that knows the
place could do without both. Each cue alone, and all together, say how far that would lead:

- country, province, date of the snapshot and batch: the commonest label of train that has the same value;
- size of the image (width, height, and the box's side) and its mean colour: the label of the nearest of train;
- all: the nearest in size and colour among those of train that have the same batch, country, province and date, or as
  many of these as anyone has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from bioscan_etl.evaluation import against_neighbours
from bioscan_etl.evaluation.budget import Budget
from bioscan_etl.evaluation.images import LIBRARIES, ImageVectors, why_no_features
from bioscan_etl.evaluation.measured import Clock, Question, Sheet
from bioscan_etl.evaluation.records import NO_LABEL, Numbers, Records
from bioscan_etl.progress import Progress, silent

NAME = "shortcuts"
TASK = "shortcuts"
DOUBTS, REPORTS = "label_doubts", "label_reports"
"""Names of the tables beside the scores."""
RANKS = ("genus", "species")
QUERIES, KEYS = ("test",), ("train",)
CATEGORIES = {"country": "country", "province": "province_state", "date": "snapshot_date", "batch": "batch"}
"""Names of cues by column."""
SIZE, COLOUR, ALL = "image size", "mean colour", "all cues"
_LEVELS = (
    ("batch", "country", "province", "date"),
    ("batch", "country", "province"),
    ("country", "province"),
    ("country",),
)

Floats = npt.NDArray[np.float64]
Answering = Callable[[Numbers], Numbers]
"""Labels of the keys to answers, shape (queries,)."""


@dataclass(frozen=True, slots=True)
class Cues:
    """What is known of queries and keys beside DNA and image.

    Attributes:
        queries: rows.
        keys: rows.
        categories: number of the value of each row, by cue; `NO_LABEL` for none.
        numbers: by cue, shape (rows, width), NaN where there are none; scaled so that keys have deviation 1.
    """

    queries: Numbers
    keys: Numbers
    categories: dict[str, Numbers]
    numbers: dict[str, Floats]


def measure(
    records: Records,
    sheet: Sheet,
    progress: Progress = silent,
    budget: Budget | None = None,
    images: ImageVectors | None = None,
) -> dict[str, pl.DataFrame]:
    """Ask each cue alone, and all together; then look for labels that all neighbours contradict.

    Args:
        records: the release.
        sheet: takes the scores.
        progress: reports ranks, and barcodes.
        budget: processor time; barcodes that do not fit are not asked about their neighbours.
        images: features, sizes and colours of its images; without, these cues are not applicable.

    Returns:
        `DOUBTS` (`schema.EVALUATION_DOUBTS`), and the same as `REPORTS`, a file for `bioscan-etl propose`.
    """
    for number, rank in enumerate(RANKS, 1):
        _asked(records, sheet, rank, images)
        progress(NAME, number, len(RANKS))
    doubts = against_neighbours.find(records, images, budget, progress)
    return {DOUBTS: doubts, REPORTS: against_neighbours.as_reports(records, doubts)}


def _asked(records: Records, sheet: Sheet, rank: str, images: ImageVectors | None) -> None:
    labels = records.codes(rank)
    keys = records.of(KEYS)
    keys = keys[labels[keys] != NO_LABEL]
    cues = cues_of(records, records.of(QUERIES), keys, images)
    copies = records.copies(cues.queries, keys)
    mixed = sheet.mixed(labels[keys])
    missing = why_no_features(records, images)
    for model, answering in models(cues).items():
        of_images = model in (SIZE, COLOUR) or (model == ALL and not missing)
        question = Question(NAME, TASK, model, QUERIES, KEYS, None, LIBRARIES if of_images else ())
        if model in (SIZE, COLOUR) and missing:
            sheet.not_applicable(question, rank, missing)
            continue
        clock = Clock()
        with clock.running():
            answers = answering(labels[keys])
        sheet.answered(
            question,
            rank,
            labels[cues.queries],
            answers[:, None],
            labels[keys],
            copies=copies,
            shuffled=np.stack([answering(one)[:, None] for one in mixed]),
            seconds=clock.seconds,
        )


def cues_of(records: Records, queries: Numbers, keys: Numbers, images: ImageVectors | None) -> Cues:
    """The cues of queries and keys.

    Args:
        records: the release.
        queries: rows.
        keys: rows.
        images: sizes and colours.
    """
    height = records.rows.height
    numbers = {SIZE: np.full((height, 3), np.nan), COLOUR: np.full((height, 3), np.nan)}
    if images is not None:
        known = np.flatnonzero(images.known)
        at = images.places[known]
        side = records.rows["scale_factor"].cast(float).fill_null(0.0).to_numpy()[known]
        numbers[SIZE][known] = np.column_stack([images.sizes[at], side])
        numbers[COLOUR][known] = images.colours[at]
    return Cues(
        queries,
        keys,
        {name: records.codes(column) for name, column in CATEGORIES.items()},
        {name: _scaled(values, keys) for name, values in numbers.items()},
    )


def _scaled(values: Floats, keys: Numbers) -> Floats:
    held = values[keys]
    held = held[~np.isnan(held).any(axis=1)]
    if not len(held):
        return values
    deviation = held.std(axis=0)
    scaled: Floats = (values - held.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    return scaled


def models(cues: Cues) -> dict[str, Answering]:
    """The models by name: each answers for all queries, from the labels of the keys."""
    by_value = {name: _category(cues, name) for name in CATEGORIES}
    by_distance = {name: _nearest(cues, name) for name in (SIZE, COLOUR)}
    return {**by_value, **by_distance, ALL: lambda labels: together(cues, labels)}


def _category(cues: Cues, name: str) -> Answering:
    values = cues.categories[name]
    return lambda labels: commonest_of_value(values[cues.queries], values[cues.keys], labels)


def _nearest(cues: Cues, name: str) -> Answering:
    values = cues.numbers[name]
    return lambda labels: nearest_in_numbers(values[cues.queries], values[cues.keys], labels)


def commonest(labels: Numbers) -> int:
    """The commonest label, of equally common ones the first; `NO_LABEL` without any."""
    return int(np.bincount(labels).argmax()) if len(labels) else NO_LABEL


def commonest_of_value(asked: Numbers, held: Numbers, labels: Numbers) -> Numbers:
    """The commonest label of the keys that have the query's value, else the commonest of all.

    Args:
        asked: value of each query; `NO_LABEL` for none.
        held: value of each key; `NO_LABEL` for none.
        labels: label of each key.

    Returns:
        int64, shape (queries,).
    """
    pairs, count = np.unique(np.stack([held, labels], axis=1), axis=0, return_counts=True)
    # By value, the commonest first and of equally common ones the first label.
    order = np.lexsort((pairs[:, 1], -count, pairs[:, 0]))
    values, first = np.unique(pairs[order, 0], return_index=True)
    answers = np.full(len(asked), commonest(labels))
    at = np.minimum(np.searchsorted(values, asked), max(len(values) - 1, 0))
    known = (asked != NO_LABEL) & (values[at] == asked) if len(values) else np.zeros(len(asked), np.bool_)
    answers[known] = pairs[order][first[at[known]], 1]
    return answers


def nearest_in_numbers(asked: Floats, held: Floats, labels: Numbers) -> Numbers:
    """The label of the nearest key, by Euclidean distance; the commonest label for a query without numbers.

    Args:
        asked: shape (queries, width), NaN for none.
        held: shape (keys, width), NaN for none.
        labels: label of each key.
    """
    from scipy.spatial import cKDTree

    answers = np.full(len(asked), commonest(labels))
    known, offered = ~np.isnan(asked).any(axis=1), ~np.isnan(held).any(axis=1)
    if known.any() and offered.any():
        _, found = cKDTree(held[offered]).query(asked[known])
        answers[known] = labels[offered][found]
    return answers


def together(cues: Cues, labels: Numbers) -> Numbers:
    """The nearest in size and colour among the keys that agree in most categories.

    Args:
        cues: of queries and keys.
        labels: label of each key.
    """
    near = np.hstack([cues.numbers[SIZE], cues.numbers[COLOUR]])
    asked, held = near[cues.queries], near[cues.keys]
    answers = nearest_in_numbers(asked, held, labels)
    open_ = np.ones(len(answers), np.bool_)
    for level in _LEVELS:
        of_queries, of_keys = _tuples(cues, level)
        groups = np.intersect1d(of_queries[open_ & (of_queries != NO_LABEL)], of_keys)
        order = np.argsort(of_keys, kind="stable")
        start = np.searchsorted(of_keys[order], groups)
        end = np.searchsorted(of_keys[order], groups, side="right")
        place = np.searchsorted(groups, of_queries)
        by_group = np.flatnonzero(open_ & np.isin(of_queries, groups))
        for group in range(len(groups)):
            mine = by_group[place[by_group] == group]
            theirs = np.sort(order[start[group] : end[group]])
            answers[mine] = nearest_in_numbers(asked[mine], held[theirs], labels[theirs])
        open_[by_group] = False
    return answers


def _tuples(cues: Cues, level: tuple[str, ...]) -> tuple[Numbers, Numbers]:
    """The number of the values of some categories together; `NO_LABEL` where one is missing."""
    rows = np.concatenate([cues.queries, cues.keys])
    values = np.stack([cues.categories[name][rows] for name in level], axis=1)
    _, number = np.unique(values, axis=0, return_inverse=True)
    number = np.where((values == NO_LABEL).any(axis=1), NO_LABEL, number.reshape(-1))
    return number[: len(cues.queries)], number[len(cues.queries) :]
