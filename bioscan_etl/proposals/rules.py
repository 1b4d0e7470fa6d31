"""The rule by which a report of a user shows in the list of doubts.

Belongs here: its entry. Does not belong here: reading reports (`read`).
"""

from __future__ import annotations

from bioscan_etl.rules import Rule

USER_REPORT = "USER_REPORT"

RULES: tuple[Rule, ...] = (
    Rule(
        id=USER_REPORT,
        statement="A user of the published data reports an error.",
        reason="Nothing has changed: a curator takes over what is suggested, decides otherwise, or keeps it.",
        source="spec: decisions of curators",
        example="no_insect: the image shows a label",
    ),
)
