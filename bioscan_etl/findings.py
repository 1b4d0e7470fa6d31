"""The outcome of a check, in the one shape that all stages share.

Belongs here: what a finding is, and its form in a manifest. Does not belong here: the checks; each stage has its
own (`quality.ledger`, `taxonomy.invariants`, `splits.checks`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

SAMPLES = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check of a stage, kept in the stage's manifest and shown in the UI as an evaluation.

    Attributes:
        check: snake_case id of the check; where it holds the data against a rule, the rule's id, as in
            `rules.registry`.
        passed: whether nothing breaks it.
        count: how many things break it; `detail` or the rule says of what kind.
        statement: what the check is about, one sentence.
        samples: process IDs or names that break it, sorted; of more than ten, the first ten are kept.
        blocking: whether nothing downstream may be made while it fails; False for a warning.
        detail: numbers or advice beyond the count; empty if there is nothing to add.
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
        """Rebuild a finding from `as_dict`, also after a round through JSON.

        Args:
            values: all keys of `as_dict`; those of attributes that have a default may be absent.

        Raises:
            TypeError: a key is unknown, or one without a default is absent.
        """
        return cls(**values)
