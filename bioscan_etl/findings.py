"""The result of a check, in the form that all stages share.

Belongs here: the definition of a finding and its JSON form. Does not belong here: the checks; each stage has its
own (`quality.ledger`, `taxonomy.invariants`, `splits.checks`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

SAMPLES = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check of a stage, stored in the stage's manifest and shown in the UI as an evaluation.

    Attributes:
        check: snake_case id of the check, or the id of the rule that it checks, as in `rules.registry`.
        passed: whether the check holds.
        count: number of violations; `detail` or the rule states what is counted.
        statement: one sentence that says what holds if it passes.
        samples: process IDs or names that violate it, sorted; the first ten are kept.
        blocking: whether a failure stops all later stages; False for a warning.
        detail: numbers or advice in addition to the count, or empty.
    """

    check: str
    passed: bool
    count: int
    statement: str
    samples: tuple[str, ...] = ()
    blocking: bool = True
    detail: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "samples", tuple(self.samples)[:SAMPLES])

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: samples become a list."""
        return asdict(self) | {"samples": list(self.samples)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Rebuild a finding from the values of `as_dict`, also after storing them as JSON.

        Args:
            values: the keys of `as_dict`; keys of attributes with a default may be missing.

        Raises:
            TypeError: a key is unknown, or one without a default is missing.
        """
        return cls(**values)
