"""Scores as rows of `schema.EVALUATION`: the one place that says what stands beside a number.

Belongs here: subsets, controls and notes of a measurement. Does not belong here: formulas (`metrics`) and models.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
import polars as pl

from bioscan_etl.evaluation.metrics import Score, accuracy, accuracy_score, ami, ami_score, harmonic_mean, hits
from bioscan_etl.evaluation.records import NO_LABEL, Flags, Numbers, Records
from bioscan_etl.schema import EVALUATED_SUBSETS, EVALUATION

_LIBRARIES = ("bioscan-etl", "numpy", "polars", "scipy")
_LABELS = 2  # fewer cannot be told apart
SHUFFLES = 20
"""Times that the labels of the keys are shuffled; the control is the mean."""
RETRAINED = 5
"""Models that are trained on shuffled labels where a model is trained; the control is their mean.

Barcodes of one species are nearly equal, so one model answers all of them alike: whether it is right then hangs on as
few draws as there are species.
"""


@dataclass(slots=True)
class Clock:
    """Processor seconds that a model took."""

    seconds: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Add the processor time of the body, of all threads."""
        start = time.process_time()
        try:
            yield
        finally:
            self.seconds += time.process_time() - start


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: who answers, whom, and from what.

    Attributes:
        benchmark: one of `schema.BENCHMARKS`.
        task: such as `left_out_species`.
        model: such as `6-mers`.
        queries: partitions of the queries.
        keys: partitions of the references or of the training.
        note: how the score was made.
        libraries: further distributions that it rests on.
    """

    benchmark: str
    task: str
    model: str
    queries: tuple[str, ...]
    keys: tuple[str, ...]
    note: str | None = None
    libraries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Shape:
    """The columns of `schema.EVALUATION` that say what counts."""

    rank: str
    subset: str
    n: int
    classes: int
    n_keys: int
    cpu_seconds: float | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """The measurements of a release, row by row.

    Attributes:
        records: the release.
        seed: of all that is drawn.
        rows: of `schema.EVALUATION`.
    """

    records: Records
    seed: int
    rows: list[dict[str, Any]] = field(default_factory=list)

    def answered(
        self,
        question: Question,
        rank: str,
        labels: Numbers,
        answers: Numbers,
        key_labels: Numbers,
        *,
        copies: Flags | None = None,
        chosen: Numbers | None = None,
        shuffled: Numbers | None = None,
        ks: Sequence[int] = (1,),
        seconds: float | None = None,
    ) -> None:
        """Note how many answers are right.

        Args:
            question: what was asked.
            rank: rank of the labels, or dna_bin.
            labels: number of the true label of each query, shape (queries,); queries without one do not count.
            answers: numbers of the answered labels, the best first, shape (queries, k).
            key_labels: number of the label of each key, shape (keys,).
            copies: whether the query's barcode is the same as a key's, shape (queries,); None: there are no barcodes.
            chosen: the keys that gave the answers, as positions in `key_labels`, shape (queries, k), -1 for none: the
                control answers with the shuffled label of the same key.
            shuffled: answers of a model that was trained on shuffled labels, instead of `chosen`; or of several, shape
                (models, queries, k), of which the mean counts.
            ks: answers of which one has to be right.
            seconds: processor time of the model.
        """
        counts = labels != NO_LABEL
        known = key_labels[key_labels != NO_LABEL]
        subsets: dict[str, Flags] = {"all": counts}
        if copies is not None:
            subsets |= {"copies": counts & copies, "rest": counts & ~copies}
        controls = self._controls(labels, answers, key_labels, chosen, shuffled)
        shares = np.bincount(known, minlength=int(labels.max(initial=0)) + 1) / max(len(key_labels), 1)
        common = shares.argmax() if len(known) else NO_LABEL
        right = hits(labels, answers)
        for subset in EVALUATED_SUBSETS:
            if subset not in subsets:
                continue
            asked = subsets[subset]
            mine = labels[asked]
            shape = _Shape(rank, subset, int(asked.sum()), len(np.unique(mine)), len(key_labels), seconds)
            for k in ks:
                for average in ("micro", "macro"):
                    metric = f"top{k}_{average}"
                    if reason := _why_not(shape.n, len(known), subset):
                        self._note(question, shape, metric, reason)
                        continue
                    score = accuracy_score(right[asked][:, min(k, right.shape[1]) - 1], mine, average, self.seed)
                    control = [
                        accuracy(found[asked][:, min(k, found.shape[1]) - 1], mine, average) for found in controls
                    ]
                    self._add(
                        question,
                        shape,
                        metric,
                        score,
                        majority=accuracy(mine == common, mine, average),
                        shuffled=float(np.mean(control)) if control else None,
                        chance=accuracy(1 - (1 - shares[mine]) ** k, mine, average),
                    )

    def mixed(self, labels: Numbers) -> list[Numbers]:
        """Labels shuffled, once for each model that is trained on them as a control."""
        draws = np.random.Generator(np.random.PCG64(self.seed))
        return [draws.permutation(labels) for _ in range(RETRAINED)]

    def _controls(
        self, labels: Numbers, answers: Numbers, key_labels: Numbers, chosen: Numbers | None, shuffled: Numbers | None
    ) -> list[Flags]:
        """Whether the answers are right once the labels of the keys are shuffled."""
        if shuffled is not None:
            return [hits(labels, one) for one in (shuffled if shuffled.ndim == 3 else shuffled[None])]
        if chosen is None or not len(key_labels):
            return []
        draws = np.random.Generator(np.random.PCG64(self.seed))
        found = []
        for _ in range(SHUFFLES):
            mixed = draws.permutation(key_labels)
            found.append(hits(labels, np.where(chosen >= 0, mixed[np.maximum(chosen, 0)], NO_LABEL)))
        return found

    def clustered(
        self, question: Question, rank: str, labels: Numbers, clusters: Numbers, *, seconds: float | None = None
    ) -> None:
        """Note how well clusters agree with labels.

        Args:
            question: what was asked.
            rank: rank of the labels, or dna_bin.
            labels: number of the label of each record; records without one do not count.
            clusters: number of the cluster of each record.
            seconds: processor time of the model.
        """
        counts = labels != NO_LABEL
        mine, found = labels[counts], clusters[counts]
        shape = _Shape(rank, "all", len(mine), len(np.unique(mine)), 0, seconds)
        if shape.classes < _LABELS:
            self._note(question, shape, "ami", _fewer_than_two(shape.n, shape.classes))
            return
        draws = np.random.Generator(np.random.PCG64(self.seed))
        shuffled = float(np.mean([ami(found, draws.permutation(mine)) for _ in range(SHUFFLES)]))
        score = ami_score(found, mine, self.seed)
        self._add(question, shape, "ami", score, majority=0.0, shuffled=shuffled, chance=0.0)

    def harmonic(self, question: Question, rank: str, seen: tuple[str, ...], unseen: tuple[str, ...]) -> None:
        """Note the harmonic means of the scores for two sets of queries, of which the scores are noted already.

        Args:
            question: what was asked of both; its queries name the mean.
            rank: rank of the labels.
            seen: partitions of the queries of one.
            unseen: partitions of the queries of the other.
        """
        key = (question.benchmark, question.task, question.model, " + ".join(question.keys), rank)
        columns = ("benchmark", "task", "model", "keys", "rank")
        mine = [row for row in self.rows if tuple(row[name] for name in columns) == key]
        by_queries = {
            queries: {(row["subset"], row["metric"]): row for row in mine if row["queries"] == " + ".join(queries)}
            for queries in (seen, unseen)
        }
        for (subset, metric), one in by_queries[seen].items():
            other = by_queries[unseen].get((subset, metric))
            if other is None:
                continue
            seconds = None if one["cpu_seconds"] is None else one["cpu_seconds"] + (other["cpu_seconds"] or 0)
            n, classes = one["n"] + other["n"], one["classes"] + other["classes"]
            shape = _Shape(rank, subset, n, classes, one["n_keys"], seconds)
            if one["value"] is None or other["value"] is None:
                which = " + ".join(seen if one["value"] is None else unseen)
                self._note(question, shape, metric, f"there is no score for {which}")
                continue
            # It grows with both scores, so both lower ends together are below what 95 % of resamples reach.
            value, low, high = (harmonic_mean(one[name], other[name]) for name in ("value", "low", "high"))
            majority, shuffled, chance = (
                None if one[name] is None or other[name] is None else harmonic_mean(one[name], other[name])
                for name in ("majority", "shuffled", "chance")
            )
            score = Score(value, low, high)
            self._add(question, shape, metric, score, majority=majority, shuffled=shuffled, chance=chance)

    def not_applicable(
        self, question: Question, rank: str, reason: str, metrics: Sequence[str] = ("top1_micro",)
    ) -> None:
        """Note that something cannot be asked of this release."""
        shape = _Shape(rank, "all", 0, 0, 0, None)
        for metric in metrics:
            self._note(question, shape, metric, reason)

    def table(self) -> pl.DataFrame:
        """The measurements, `schema.EVALUATION`: those of a task together, in the order in which they were made."""
        rows = pl.DataFrame(self.rows, schema=EVALUATION.schema()).with_row_index("made")
        task = ("benchmark", "task", "queries", "keys")
        return EVALUATION.conform(rows.sort(pl.col("made").min().over(*task), "made").drop("made"))

    def _note(self, question: Question, shape: _Shape, metric: str, reason: str) -> None:
        self._add(question, shape, metric, None, note=f"not applicable, because {reason}")

    def _add(
        self,
        question: Question,
        shape: _Shape,
        metric: str,
        score: Score | None,
        *,
        majority: float | None = None,
        shuffled: float | None = None,
        chance: float | None = None,
        note: str | None = None,
    ) -> None:
        self.rows.append(
            {
                "benchmark": question.benchmark,
                "task": question.task,
                "model": question.model,
                "queries": " + ".join(question.queries),
                "keys": " + ".join(question.keys),
                **asdict(shape),
                "metric": metric,
                "value": score.value if score else None,
                "low": score.low if score else None,
                "high": score.high if score else None,
                "majority": majority,
                "shuffled": shuffled,
                "chance": chance,
                "seed": self.seed,
                "note": note or question.note,
                "versions": stated_versions(question.libraries),
                "release": self.records.release,
                "digest": self.records.digest,
            }
        )


def _why_not(queries: int, keys: int, subset: str) -> str:
    if not queries:
        return {
            "all": "there is no query with a label",
            "copies": "no query's barcode is the same as a key's",
            "rest": "the barcode of each query is the same as a key's",
        }[subset]
    return "" if keys else "there is no key with a label"


def _fewer_than_two(records: int, labels: int) -> str:
    return f"{records} records have {labels} label{'s' * (labels != 1)}; two are needed"


def stated_versions(more: Sequence[str] = ()) -> str:
    """Names and versions of the libraries that a score rests on, such as `numpy 2.4.6`."""
    return ", ".join(f"{name} {_version(name)}" for name in (*_LIBRARIES, *more))


@cache
def _version(name: str) -> str:
    """The version of a distribution, whose metadata are read once and not for each row."""
    return version(name)
