"""What is counted: accuracy over queries and over labels, adjusted mutual information, and their intervals.

Belongs here: formulas (spec: benchmarks). Does not belong here: who is asked, and tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from bioscan_etl.evaluation.records import NO_LABEL, Flags, Numbers

Average = Literal["micro", "macro"]
RESAMPLES = 1000
"""Resamples of a bootstrap of accuracies."""
AMI_RESAMPLES = 100
"""Resamples of a bootstrap of AMI, which takes longer."""
_AT_ONCE = 50  # resamples that are drawn at a time
_LEVEL = (2.5, 97.5)

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Score:
    """A score and its 95 % interval.

    Attributes:
        value: the score.
        low, high: ends of the interval; the value itself where there is one query only.
    """

    value: float
    low: float
    high: float


def hits(labels: Numbers, answers: Numbers) -> Flags:
    """Whether a label is among the answers.

    Args:
        labels: numbers of the true labels, shape (queries,).
        answers: numbers of the answered labels, the best first, shape (queries, k); `NO_LABEL` is no answer.

    Returns:
        Shape (queries, k): whether one of the first 1, 2 … k answers is the label.
    """
    right = (answers == labels[:, None]) & (answers != NO_LABEL)
    found: Flags = np.logical_or.accumulate(right, axis=1)
    return found


def accuracy(correct: Flags | _Floats, labels: Numbers, average: Average) -> float:
    """The share of correct answers; NaN without queries.

    Args:
        correct: whether each answer is right, or how likely it is, shape (queries,).
        labels: numbers of the true labels, none missing, shape (queries,).
        average: "micro": over the queries; "macro": the mean over the labels that occur.
    """
    if not len(correct):
        return float("nan")
    if average == "micro":
        return float(correct.mean())
    _, of_label, count = np.unique(labels, return_inverse=True, return_counts=True)
    return float((np.bincount(of_label, weights=correct) / count).mean())


def accuracy_score(correct: Flags, labels: Numbers, average: Average, seed: int) -> Score:
    """The accuracy with its interval, by a bootstrap over the queries.

    Queries of one label that are both right, or both wrong, count alike, so the numbers of each such group are drawn.

    Args:
        correct: shape (queries,), at least one.
        labels: as of `accuracy`.
        average: as of `accuracy`.
        seed: of the resamples.
    """
    value = accuracy(correct, labels, average)
    n = len(correct)
    draws = np.random.Generator(np.random.PCG64(seed))
    if average == "micro":
        drawn = draws.binomial(n, value, RESAMPLES) / n
    else:
        _, of_label = np.unique(labels, return_inverse=True)
        right = np.bincount(of_label, weights=correct)
        cells = np.concatenate([right, np.bincount(of_label) - right])
        parts = (draws.multinomial(n, cells / n, _AT_ONCE) for _ in range(RESAMPLES // _AT_ONCE))
        drawn = np.concatenate([_macro(part, len(right)) for part in parts])
    return Score(value, *_interval(drawn, value))


def _macro(counted: Numbers, labels: int) -> _Floats:
    """The mean over the labels that occur, of resamples: right ones by label, then wrong ones."""
    hit, asked = counted[:, :labels], counted[:, :labels] + counted[:, labels:]
    shares = (hit / np.maximum(asked, 1)).sum(axis=1)
    means: _Floats = shares / (asked > 0).sum(axis=1)
    return means


def _interval(drawn: _Floats, value: float) -> tuple[float, float]:
    low, high = (float(end) for end in np.percentile(drawn, _LEVEL))
    return min(low, value), max(high, value)


def harmonic_mean(one: float, other: float) -> float:
    """The harmonic mean of two scores; 0 if both are."""
    return 2 * one * other / (one + other) if one + other > 0 else 0.0


def ami(clusters: Numbers, labels: Numbers) -> float:
    """Adjusted mutual information, with the arithmetic mean of the entropies (Vinh et al. 2010, JMLR 11:2837).

    Args:
        clusters: number of the cluster of each record, at least 0.
        labels: number of its label, at least 0.

    Returns:
        1 for the same partition, about 0 for one that is independent of the labels; NaN without records.
    """
    if not len(clusters):
        return float("nan")
    _, one = np.unique(clusters, return_inverse=True)
    _, other = np.unique(labels, return_inverse=True)
    rows, columns = np.bincount(one), np.bincount(other)
    if len(rows) == len(columns) and len(rows) in (1, len(one)):
        return 1.0  # both put all together, or each apart
    _, cells = np.unique(one * len(columns) + other, return_index=True)
    pair = np.stack([one[cells], other[cells]])
    counts = np.unique(one * len(columns) + other, return_counts=True)[1]
    total = len(one)
    information = float((counts / total * np.log(total * counts / (rows[pair[0]] * columns[pair[1]]))).sum())
    expected = expected_information(rows, columns)
    mean = (_entropy(rows) + _entropy(columns)) / 2
    below = mean - expected
    # As close to 0 as floats can be: the labels have no more information than chance.
    below = min(below, -np.finfo(np.float64).eps) if below < 0 else max(below, np.finfo(np.float64).eps)
    return (information - expected) / below


def _entropy(counts: Numbers) -> float:
    share = counts / counts.sum()
    return float(-(share * np.log(share)).sum())


def expected_information(rows: Numbers, columns: Numbers) -> float:
    """The mutual information that two partitions of these sizes have on the average if they are independent.

    Args:
        rows: sizes of the parts of one, int64, each at least 1.
        columns: sizes of the parts of the other, with the same sum.

    Returns:
        In nats. Parts of one size are counted once, so the time grows with the number of different sizes.
    """
    from scipy.special import gammaln

    total = int(rows.sum())
    sizes, size_count = np.unique(rows, return_counts=True)
    others, other_count = np.unique(columns, return_counts=True)
    log = gammaln(np.arange(total + 2, dtype=np.float64))  # log[n] is that of (n - 1)!
    expected = 0.0
    for a, times in zip(sizes.tolist(), size_count.tolist(), strict=True):
        for b, repeated in zip(others.tolist(), other_count.tolist(), strict=True):
            n = np.arange(max(1, a + b - total), min(a, b) + 1)
            weight = np.exp(
                log[a + 1]
                + log[b + 1]
                + log[total - a + 1]
                + log[total - b + 1]
                - log[total + 1]
                - log[n + 1]
                - log[a - n + 1]
                - log[b - n + 1]
                - log[total - a - b + n + 1]
            )
            expected += times * repeated * float((n / total * np.log(total * n / (a * b)) * weight).sum())
    return expected


def ami_score(clusters: Numbers, labels: Numbers, seed: int) -> Score:
    """AMI with an interval.

    A record that is drawn twice would agree with itself, so each resample is half of the records, without repetition;
    its spread is that of a bootstrap of all (Politis and Romano 1994, doi:10.1214/aos/1176325770).

    Args:
        clusters: as of `ami`, of at least one record.
        labels: as of `ami`.
        seed: of the resamples.
    """
    value = ami(clusters, labels)
    draws = np.random.Generator(np.random.PCG64(seed))
    half = max(len(clusters) // 2, 1)
    drawn = np.empty(AMI_RESAMPLES)
    for number in range(AMI_RESAMPLES):
        part = draws.permutation(len(clusters))[:half]
        drawn[number] = ami(clusters[part], labels[part])
    # Half of the records without repetition vary as all do with it; centred, since fewer records shift AMI.
    return Score(value, *_interval(np.clip(value + drawn - drawn.mean(), -1, 1), value))
