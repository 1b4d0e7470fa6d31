"""A linear map from one kind of features to another, learnt from pairs: ridge regression.

Belongs here: fitting and applying the map (Hoerl and Kennard 1970, doi:10.1080/00401706.1970.10488634). Does not belong
here: what is looked up with it (`retrieval`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bioscan_etl.evaluation.records import Numbers
from bioscan_etl.evaluation.search import Embedded, Vectors, normalised

PENALTIES = (0.003, 0.03, 0.3, 3.0)
"""Penalties that are tried, in mean variances of an input's element."""
_ROWS = 4096

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Things that are known by both kinds of features.

    Attributes:
        inputs: positions in the features to map from, int64.
        outputs: positions in the features to map to, of the same things.
    """

    inputs: Numbers
    outputs: Numbers


@dataclass(frozen=True, slots=True)
class LinearMap:
    """A map from features to features; both are centred first.

    Attributes:
        weights: shape (width of the inputs, width of the outputs).
        input_mean: shape (width of the inputs,).
        output_mean: shape (width of the outputs,).
    """

    weights: Floats
    input_mean: Floats
    output_mean: Floats

    def of(self, inputs: Vectors) -> Floats:
        """Centred outputs that belong to inputs."""
        answers: Floats = (inputs - self.input_mean) @ self.weights
        return answers


@dataclass(frozen=True, slots=True)
class Mapped:
    """Vectors that a map makes of others (`search.Embedded`)."""

    source: Embedded
    map: LinearMap

    def __len__(self) -> int:
        return len(self.source)

    def at(self, positions: Numbers) -> Vectors:
        """As of `search.Embedded`."""
        return normalised(self.map.of(self.source.at(positions)))


@dataclass(frozen=True, slots=True)
class Centred:
    """Vectors less a mean (`search.Embedded`)."""

    source: Embedded
    mean: Floats

    def __len__(self) -> int:
        return len(self.source)

    def at(self, positions: Numbers) -> Vectors:
        """As of `search.Embedded`."""
        return normalised(self.source.at(positions) - self.mean)


def fit(
    inputs: Embedded, outputs: Embedded, pairs: Pairs, penalties: Sequence[float] = PENALTIES
) -> tuple[LinearMap, ...]:
    """Fit a map for each penalty, in one pass over the pairs.

    Args:
        inputs: features to map from.
        outputs: features to map to.
        pairs: at least one.
        penalties: weights of the squared coefficients, each times the mean variance of an element of the inputs.
    """
    n = len(pairs.inputs)
    sums: list[Floats] = [np.zeros(1) for _ in range(4)]
    for start in range(0, n, _ROWS):
        x = inputs.at(pairs.inputs[start : start + _ROWS]).astype(np.float64)
        y = outputs.at(pairs.outputs[start : start + _ROWS]).astype(np.float64)
        for at, part in enumerate((x.sum(axis=0), y.sum(axis=0), x.T @ x, x.T @ y)):
            sums[at] = sums[at] + part
    x_mean, y_mean = sums[0] / n, sums[1] / n
    spread = sums[2] / n - np.outer(x_mean, x_mean)
    common = sums[3] / n - np.outer(x_mean, y_mean)
    # The inputs may span less than their width; the smallest penalty still makes the system regular.
    scale = max(float(np.trace(spread)) / len(spread), np.finfo(np.float64).tiny)
    unit = np.eye(len(spread)) * scale
    solved = [np.asarray(np.linalg.solve(spread + one * unit, common), np.float64) for one in penalties]
    return tuple(LinearMap(weights, x_mean, y_mean) for weights in solved)


def error(inputs: Embedded, outputs: Embedded, pairs: Pairs, linear: LinearMap) -> float:
    """The mean squared error of a map over pairs; NaN without any."""
    n, total = len(pairs.inputs), 0.0
    for start in range(0, n, _ROWS):
        wanted = outputs.at(pairs.outputs[start : start + _ROWS]) - linear.output_mean
        found = linear.of(inputs.at(pairs.inputs[start : start + _ROWS]))
        total += float(np.square(found - wanted).sum())
    return total / n if n else float("nan")


def shuffled(pairs: Pairs, seed: int) -> Pairs:
    """The same things, each paired with one that is drawn: the control of a map."""
    return Pairs(pairs.inputs, np.random.Generator(np.random.PCG64(seed)).permutation(pairs.outputs))


def random_map(fitted: LinearMap, seed: int) -> LinearMap:
    """A map that knows nothing of pairs: independent normal weights, and the means of a fitted one."""
    draws = np.random.Generator(np.random.PCG64(seed))
    return LinearMap(draws.standard_normal(fitted.weights.shape), fitted.input_mean, fitted.output_mean)
