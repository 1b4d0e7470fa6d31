"""What was fitted to the scores of the networks: regressions, thresholds and rules, as `calibration.json` holds them.

Belongs here: reading them and computing probabilities. Does not belong here: fitting (`training.calibrate`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bioscan_etl.errors import SettingsError
from bioscan_etl.images.contrast import CONTRAST
from bioscan_etl.images.detection import Thresholds
from bioscan_etl.images.refined import FEATURES, OUTLINE

EXPERT = tuple(f"expert_{name}" for name in OUTLINE)
"""Features that the expert gives."""


def appeal_features(*, expert: bool) -> tuple[str, ...]:
    """The features that a doubtful candidate is judged by again: also how it stands out, and what the expert says."""
    return (*FEATURES, *(EXPERT if expert else ()), *CONTRAST)


@dataclass(frozen=True, slots=True)
class Regression:
    """A logistic regression: a weight of each of its features, and an offset."""

    weights: Mapping[str, float]
    offset: float

    @classmethod
    def parse(cls, values: Any, features: Sequence[str]) -> Regression:
        """Read from JSON; raises KeyError, TypeError or ValueError if it is something else."""
        return cls({name: float(values["weights"][name]) for name in features}, float(values["offset"]))

    def chance(self, features: Mapping[str, float]) -> float:
        """The probability, 0 to 1."""
        total = math.fsum(weight * features[name] for name, weight in self.weights.items()) + self.offset
        return 1 / (1 + math.exp(-min(max(total, -30.0), 30.0)))


@dataclass(frozen=True, slots=True)
class Scores:
    """The two probabilities of a candidate.

    Attributes:
        confidence: regression for the probability that its box is good.
        presence: regression for the probability that there is a specimen.
    """

    confidence: Regression
    presence: Regression

    @classmethod
    def parse(cls, values: Any, features: Sequence[str]) -> Scores:
        """Read from JSON; raises as `Regression.parse` does."""
        return cls(*(Regression.parse(values[name], features) for name in ("confidence", "presence")))


@dataclass(frozen=True, slots=True)
class Appeal:
    """When candidates are judged again, and by what.

    Attributes:
        below: confidence of the best candidate below which all candidates of the image are.
        scores: over `appeal_features`.
        expert: whether the expert is asked.
    """

    below: float
    scores: Scores
    expert: bool

    @classmethod
    def parse(cls, values: Any) -> Appeal:
        """Read from JSON; raises as `Regression.parse` does."""
        expert = any(name in values["confidence"]["weights"] for name in EXPERT)
        return cls(float(values["below"]), Scores.parse(values, appeal_features(expert=expert)), expert)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was fitted.

    Attributes:
        scores: of the refiner's candidates, over `FEATURES`.
        appeal: of doubtful candidates; None if none is judged again.
        thresholds: between the statuses.
        worth_a_look: lowest confidence of the region proposal network at which a proposal is refined.
        against_best: lowest confidence at which a proposal is refined, as a share of the best proposal's.
        most: number of proposals that are refined at most.
        again: the refiner runs a second time, around its own box, if that box and the proposal have a lower IoU.
    """

    scores: Scores
    appeal: Appeal | None
    thresholds: Thresholds
    worth_a_look: float
    against_best: float
    most: int
    again: float

    @classmethod
    def parse(cls, text: str, path: str) -> Calibration:
        """Read `calibration.json`.

        Raises:
            SettingsError: it is not a calibration.
        """
        try:
            values = json.loads(text)
            appeal = values.get("appeal")
            empty = float(values["empty_confidence"])
            found = cls(
                Scores.parse(values, FEATURES),
                None if appeal is None else Appeal.parse(appeal),
                # A calibration from before there was a doubtful presence has none.
                Thresholds(empty, float(values["min_confidence"]), float(values.get("doubtful_presence", empty))),
                float(values["worth_a_look"]),
                float(values["against_best"]),
                int(values["most"]),
                float(values["again"]),
            )
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise SettingsError(
                f"images.detector: {path} is no calibration ({type(error).__name__}: {error}); "
                "make it with python -m bioscan_etl.training.calibrate"
            ) from None
        return found
