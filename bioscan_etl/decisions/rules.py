"""The rules by which curators' decisions show on a specimen; those on labels are `taxonomy.rules`.

Belongs here: their entries. Does not belong here: applying them (`specimens.decided`).
"""

from __future__ import annotations

from bioscan_etl.rules import Rule, Severity

_SPEC = "spec: decisions of curators"

RULES: tuple[Rule, ...] = (
    Rule(
        id="CURATOR_ACCEPTED",
        statement="A curator released the specimen although it fails a gate.",
        reason="A person has looked at the evidence. Leave the specimen out if your work needs what the gate asks for.",
        source=_SPEC,
        example="an image of the status low_confidence, whose box is right",
    ),
    Rule(
        id="CURATOR_BOX",
        statement="A curator drew the specimen's box.",
        reason="The detector's box was wrong or missing. Crop and sizes are those of the curator's box.",
        source=_SPEC,
        example="a box that had missed the wings",
    ),
    Rule(
        id="CURATOR_REJECTED",
        statement="A curator keeps the specimen out.",
        reason="The decision names the reason. Take its line away to release the specimen again.",
        source=_SPEC,
        severity=Severity.GATE,
        example="an image that shows no insect",
    ),
    Rule(
        id="CURATOR_SET",
        statement="A curator set the country, the province or the coordinates.",
        reason="The delivered place was wrong or missing. The change log has the place as delivered. Flags of the "
        "place are still those of the delivered one.",
        source=_SPEC,
        severity=Severity.CHANGE,
        example="country Canada -> Costa Rica",
    ),
)
