"""Multinomial logistic regression, in numpy and scipy.

Belongs here: fitting a linear classifier on vectors. Does not belong here: what the vectors are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bioscan_etl.evaluation.budget import search_seconds
from bioscan_etl.evaluation.records import Numbers
from bioscan_etl.evaluation.search import Vectors

PENALTY = 1e-4
"""Weight of the squared coefficients beside the mean loss."""
STEPS = 30
"""Steps of L-BFGS at most."""
_SCALE = 30.0  # vectors have length 1; coefficients of the usual size then tell them apart
_ROWS = 4096
_OVERHEAD = 1e-6  # seconds of a step for each coefficient


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear classifier.

    Attributes:
        weights: float32, shape (width + 1, classes); the last row is the bias.
    """

    weights: npt.NDArray[np.float32]

    def answers(self, vectors: Vectors) -> Numbers:
        """The class of each vector, int64, shape (rows,); of equal ones, the first."""
        found = [_scores(vectors[start : start + _ROWS], self.weights) for start in range(0, len(vectors), _ROWS)]
        return np.concatenate([np.empty(0, np.int64), *(scores.argmax(axis=1) for scores in found)])


def _scores(vectors: Vectors, weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    scores: npt.NDArray[np.float32] = _SCALE * (vectors @ weights[:-1]) + weights[-1]
    return scores


def seconds(rows: int, classes: int, width: int) -> float:
    """Estimated processor seconds of `fit`."""
    return STEPS * 2 * search_seconds(rows, classes, width) + STEPS * _OVERHEAD * width * classes


def fit(vectors: Vectors, classes: Numbers) -> Linear:
    """Fit a classifier: mean cross-entropy plus `PENALTY` times the squared coefficients, from zeros, by L-BFGS.

    Args:
        vectors: normalised, float32, shape (rows, width), at least one row.
        classes: from 0 without a gap, int64, shape (rows,).

    Returns:
        The same for the same input on the same machine.
    """
    from scipy.optimize import minimize

    count, width = int(classes.max()) + 1, vectors.shape[1]
    rows = len(vectors)

    def loss(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        weights = flat.reshape(width + 1, count).astype(np.float32)
        total = 0.0
        gradient = np.zeros((width + 1, count))
        for start in range(0, rows, _ROWS):
            part, of_part = vectors[start : start + _ROWS], classes[start : start + _ROWS]
            scores = _scores(part, weights)
            scores -= scores.max(axis=1, keepdims=True)
            chances = np.exp(scores)
            sums = chances.sum(axis=1, keepdims=True)
            at = np.arange(len(part))
            total += float((np.log(sums[:, 0]) - scores[at, of_part]).sum(dtype=np.float64))
            chances /= sums
            chances[at, of_part] -= 1
            gradient[:-1] += _SCALE * (part.T @ chances)
            gradient[-1] += chances.sum(axis=0)
        coefficients = weights[:-1]
        gradient /= rows
        gradient[:-1] += 2 * PENALTY * coefficients
        return total / rows + PENALTY * float((coefficients.astype(np.float64) ** 2).sum()), gradient.ravel()

    found = minimize(loss, np.zeros((width + 1) * count), jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    return Linear(found.x.reshape(width + 1, count).astype(np.float32))
