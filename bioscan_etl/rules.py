"""The definition of a curation rule, and the registry of all rules.

Belongs here: the shape of a rule and the collection of all rules from the packages. Does not belong here:
the rules themselves; each package keeps its own in a module `rules` (for example
`bioscan_etl.barcodes.rules`), so the expression, the expectation, the docs page and the report are made
from one entry.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

_STAGES = (
    *("records", "barcodes", "geography", "taxonomy", "images", "splits", "release", "quality", "decisions"),
    *("proposals", "statistics"),
)


class Severity(StrEnum):
    """What happens when a rule applies."""

    FLAG = "flag"  # listed in the column `flags`; nothing changes
    CHANGE = "change"  # the value changes, with a row in the change log
    GATE = "gate"  # the specimen is quarantined
    REJECT = "reject"  # the row never becomes a specimen
    BLOCKING = "blocking"  # a check: the run stops if it fails


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of curation.

    Attributes:
        id: the flag, in the style of GBIF's vocabulary (upper case, underscores).
        statement: one sentence. For a check: what holds if it passes. For any other rule: what is true of the values
            that it applies to.
        reason: why a curator should care.
        source: where the rule comes from.
        severity: what it does.
        setting: dotted name of the setting that adjusts it, or None.
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
        ValueError: two rules have the same id.
    """
    found: dict[str, Rule] = {}
    for stage in _STAGES:
        module = importlib.import_module(f"bioscan_etl.{stage}.rules")
        for rule in module.RULES:
            if rule.id in found:
                raise ValueError(f"rule id {rule.id} is declared twice; make ids unique over all packages")
            found[rule.id] = rule
    return MappingProxyType(found)
