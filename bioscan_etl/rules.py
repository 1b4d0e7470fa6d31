"""What a rule of curation is, and the registry of all of them.

Belongs here: the shape of a rule and the walk over the packages that declare some. Does not belong here:
the rules themselves; each stage keeps its own in a module `rules` (for example
`bioscan_etl.barcodes.rules`), so the expression, the expectation, the docs page and the report are made
from one entry.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

_STAGES = ("records", "barcodes", "geography", "taxonomy", "images", "splits", "release", "quality")


class Severity(StrEnum):
    """What a rule does with a specimen it hits."""

    FLAG = "flag"  # noted beside the value, nothing changes
    CHANGE = "change"  # the value changes, with a row in the change log
    GATE = "gate"  # the specimen is quarantined
    REJECT = "reject"  # the row never becomes a specimen
    BLOCKING = "blocking"  # the run stops


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of curation.

    Attributes:
        id: the flag, in the style of GBIF's vocabulary (upper case, underscores).
        statement: one sentence, what the rule says of a value it hits.
        reason: why a curator should care.
        source: where the rule comes from.
        severity: what it does.
        setting: dotted name of the setting that tunes it, or None.
        example: a value before and, where the rule changes it, after.
    """

    id: str
    statement: str
    reason: str
    source: str
    severity: Severity = Severity.FLAG
    setting: str | None = None
    example: str = ""


def registry() -> Mapping[str, Rule]:
    """All rules by id, in the order of the stages.

    Raises:
        ValueError: two rules carry one id.
    """
    found: dict[str, Rule] = {}
    for stage in _STAGES:
        module = importlib.import_module(f"bioscan_etl.{stage}.rules")
        for rule in module.RULES:
            if rule.id in found:
                raise ValueError(f"rule id {rule.id} is declared twice; ids are unique over all stages")
            found[rule.id] = rule
    return MappingProxyType(found)
