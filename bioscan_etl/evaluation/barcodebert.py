"""The tasks of BarcodeBERT on a release, with models that need no network (spec: benchmarks, BarcodeBERT).

Belongs here: queries, keys and the base's models of

- `unseen_genus`: the genus of a barcode of an unseen species, by its nearest barcode of train;
- `seen_species`: the species of a barcode of test, by its nearest barcode of train, or by a classifier;
- `left_out_species`: the genus of a barcode by its nearest barcode of another species, over all labelled barcodes.

As published, each distinct barcode is one row. Does not belong here: networks (`networks`), which are asked the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bioscan_etl.evaluation import logistic, rerank
from bioscan_etl.evaluation.budget import Budget, search_seconds
from bioscan_etl.evaluation.kmers import KmerVectors
from bioscan_etl.evaluation.measured import RETRAINED, Clock, Question, Sheet
from bioscan_etl.evaluation.records import NO_LABEL, Flags, Numbers, Records
from bioscan_etl.evaluation.search import Embedded, nearest
from bioscan_etl.progress import Progress, silent

NAME = "barcodebert"
KS = (4, 5, 6)
"""Bases of the k-mers that are compared."""
RERANKED = 6
"""Bases of the k-mers that find the candidates which are compared again."""
TRAIN = ("train",)
TEST = ("test",)
UNSEEN = ("test_unseen",)


@dataclass(frozen=True, slots=True)
class Task:
    """Barcodes that are asked for, and those that answer.

    Attributes:
        name: of the task.
        rank: rank of the label.
        asked: partitions of the queries, as they are called.
        held: partitions of the keys, as they are called.
        queries: rows of `Records`, one per distinct barcode.
        keys: the same of the keys.
        is_left_out: whether a query does not meet the barcodes of its own species.
        of: queries of which these are drawn.
    """

    name: str
    rank: str
    asked: tuple[str, ...]
    held: tuple[str, ...]
    queries: Numbers
    keys: Numbers
    is_left_out: bool = False
    of: int = 0

    def question(self, model: str, note: str | None = None, libraries: tuple[str, ...] = ()) -> Question:
        """The question to a model."""
        drawn = f"{len(self.queries):,} of {self.of:,} queries, drawn to fit --budget" if self.is_drawn else None
        notes = "; ".join(text for text in (note, drawn) if text)
        return Question(NAME, self.name, model, self.asked, self.held, notes or None, libraries)

    @property
    def is_drawn(self) -> bool:
        """Whether some queries are left out."""
        return len(self.queries) < self.of


class Tasks(NamedTuple):
    """The tasks on a release, by their names."""

    unseen_genus: Task
    seen_species: Task
    left_out_species: Task


def tasks(records: Records, budget: Budget | None = None) -> Tasks:
    """The three tasks on a release.

    Args:
        records: the release.
        budget: of all of them; queries that do not fit are left out.
    """
    rows = records.first_of_barcode
    labelled = rows[(records.codes("species")[rows] != NO_LABEL) & (records.codes("genus")[rows] != NO_LABEL)]
    found = [
        Task("unseen_genus", "genus", UNSEEN, TRAIN, within(records, UNSEEN), within(records, TRAIN)),
        Task("seen_species", "species", TEST, TRAIN, within(records, TEST), within(records, TRAIN)),
        Task(
            "left_out_species",
            "genus",
            ("labelled",),
            ("labelled",),
            _with_relatives(records, labelled),
            labelled,
            is_left_out=True,
        ),
    ]
    share = (budget or Budget()).part(len(found))
    return Tasks(*(replace(task, queries=_fitting(task, share), of=len(task.queries)) for task in found))


def _fitting(task: Task, budget: Budget) -> Numbers:
    # Each width is searched once, and that of the candidates again.
    width = sum(4**k for k in KS) + 4**RERANKED
    return budget.drawn(task.queries, search_seconds(1, len(task.keys), width))


def within(records: Records, splits: tuple[str, ...]) -> Numbers:
    """The rows of some partitions that stand for a barcode, int64, ascending."""
    return np.intersect1d(records.first_of_barcode, records.of(splits), assume_unique=True)


def _with_relatives(records: Records, rows: Numbers) -> Numbers:
    """The rows whose genus has a further species: no other can be answered."""
    genus, species = records.codes("genus")[rows], records.codes("species")[rows]
    pairs = np.unique(np.stack([genus, species], axis=1), axis=0)
    found, count = np.unique(pairs[:, 0], return_counts=True)
    return rows[np.isin(genus, found[count > 1])]


def measure(records: Records, sheet: Sheet, progress: Progress = silent, budget: Budget | None = None) -> None:
    """Ask the models of the base: k-mers, k-mers compared again in their overlap, logistic regression on k-mers.

    Args:
        records: the release.
        sheet: takes the scores.
        progress: reports queries by model.
        budget: processor time.
    """
    share = budget or Budget(seed=sheet.seed)
    asked = tasks(records, share)
    for k in KS:
        clock = Clock()
        with clock.running():
            vectors = KmerVectors(records.barcodes, k)
        for task in asked:
            by_neighbours(records, sheet, task, vectors, f"{k}-mers", clock.seconds, progress)
            if k == RERANKED:
                _reranked(records, sheet, task, vectors, clock.seconds, progress)
        if k == min(KS):
            _by_classifier(records, sheet, asked.seen_species, vectors, share, progress)


def by_neighbours(
    records: Records,
    sheet: Sheet,
    task: Task,
    vectors: Embedded,
    model: str,
    seconds: float = 0.0,
    progress: Progress = silent,
    libraries: tuple[str, ...] = (),
    note: str | None = None,
) -> None:
    """Ask for the label of the nearest barcode, by cosine distance.

    Args:
        records: the release.
        sheet: takes the score.
        task: what is asked.
        vectors: one per distinct barcode, by barcode_id.
        model: name of what made the vectors.
        seconds: processor time that it took.
        progress: reports queries.
        libraries: further distributions that made them.
        note: how they were made.
    """
    clock = Clock(seconds)
    with clock.running():
        found = _candidates(records, task, vectors, 1, progress)
    _noted(records, sheet, task, task.question(model, note, libraries), found, clock.seconds)


def _candidates(records: Records, task: Task, vectors: Embedded, k: int, progress: Progress) -> Numbers:
    """The nearest keys as positions in `task.keys`, shape (queries, k)."""
    ids = records.barcode_ids
    apart = _of_one_species(records, task) if task.is_left_out else None
    found, _ = nearest(
        vectors, ids[task.queries], ids[task.keys], k, apart=apart, progress=progress, label=f"{NAME}: {task.name}"
    )
    return found


def _of_one_species(records: Records, task: Task) -> Callable[[Numbers, Numbers], npt.NDArray[np.bool_]]:
    """Which barcodes are of one species. A barcode has the species of its row among the keys."""
    of_barcode = np.full(len(records.barcodes), NO_LABEL)
    of_barcode[records.barcode_ids[task.keys]] = records.codes("species")[task.keys]

    def apart(queries: Numbers, keys: Numbers) -> npt.NDArray[np.bool_]:
        same: npt.NDArray[np.bool_] = of_barcode[queries][:, None] == of_barcode[keys][None, :]
        return same

    return apart


def _reranked(
    records: Records, sheet: Sheet, task: Task, vectors: Embedded, seconds: float, progress: Progress
) -> None:
    """Compare the best candidates again: by edit distance, and in the columns that both have."""
    ids = records.barcode_ids
    clock = Clock(seconds)
    with clock.running():
        found = _candidates(records, task, vectors, rerank.CANDIDATES, progress)
    queries = ids[task.queries]
    keys = ids[task.keys]
    places = np.full(len(records.barcodes), NO_LABEL)
    places[keys] = np.arange(len(keys))
    candidates = np.where(found >= 0, keys[np.maximum(found, 0)], NO_LABEL) if len(keys) else found
    again: dict[str, Callable[[], Numbers]] = {
        "by edit distance": lambda: rerank.by_edits(records.barcodes, queries, candidates),
        "by identity in the overlap": lambda: rerank.by_overlap(records, queries, candidates),
    }
    for how, order in again.items():
        mine = Clock(clock.seconds)
        with mine.running():
            first = order()[:, :1]
        chosen = np.where(first >= 0, places[np.maximum(first, 0)], NO_LABEL)
        model = f"{RERANKED}-mers, best {rerank.CANDIDATES} {how}"
        _noted(records, sheet, task, task.question(model, libraries=("rapidfuzz",)), chosen, mine.seconds)


def _noted(records: Records, sheet: Sheet, task: Task, question: Question, chosen: Numbers, seconds: float) -> None:
    labels = records.codes(task.rank)
    of_keys = labels[task.keys]
    answers = np.where(chosen >= 0, of_keys[np.maximum(chosen, 0)], NO_LABEL) if len(of_keys) else chosen
    sheet.answered(
        question,
        task.rank,
        labels[task.queries],
        answers,
        of_keys,
        copies=copies(records, task),
        chosen=chosen,
        seconds=seconds,
    )


def copies(records: Records, task: Task) -> Flags | None:
    """Which queries have a barcode that is the same as a key's, shape (queries,).

    A species that is left out has no copies, so None: its own barcodes are no keys.
    """
    return None if task.is_left_out else records.copies(task.queries, task.keys)


def classifier_seconds(labels: Numbers) -> float:
    """Estimated processor seconds of the classifier and its controls.

    Args:
        labels: of the barcodes that it is trained on.
    """
    return (1 + RETRAINED) * logistic.seconds(len(labels), len(np.unique(labels)), 4 ** min(KS))


def _by_classifier(
    records: Records, sheet: Sheet, task: Task, vectors: KmerVectors, budget: Budget, progress: Progress
) -> None:
    """Ask a logistic regression on k-mers that is trained on the keys, and some that learn shuffled labels."""
    model = f"logistic regression on {min(KS)}-mers"
    labels, ids = records.codes(task.rank), records.barcode_ids
    trained = task.keys[labels[task.keys] != NO_LABEL]
    question = task.question(model)
    if not len(trained):
        sheet.not_applicable(question, task.rank, "no barcode of train has a label")
        return
    seconds = classifier_seconds(labels[trained])
    if not budget.fits(seconds):
        sheet.not_applicable(
            question, task.rank, f"it takes about {seconds / 60:.0f} processor minutes; raise --budget"
        )
        return
    clock = Clock()
    progress(f"{NAME}: {model}", 0)
    with clock.running():
        known, classes = np.unique(labels[trained], return_inverse=True)
        inputs, asked = vectors.at(ids[trained]), vectors.at(ids[task.queries])
        answers = known[logistic.fit(inputs, classes).answers(asked)]
    sheet.answered(
        question,
        task.rank,
        labels[task.queries],
        answers[:, None],
        labels[task.keys],
        copies=copies(records, task),
        shuffled=np.stack([known[logistic.fit(inputs, one).answers(asked)][:, None] for one in sheet.mixed(classes)]),
        seconds=clock.seconds,
    )
