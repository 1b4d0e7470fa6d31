"""The rules by which cases of the audit show in the list of doubts.

Belongs here: their entries. Does not belong here: finding the cases (`cases`).
"""

from __future__ import annotations

from bioscan_etl.rules import Rule

RULES: tuple[Rule, ...] = (
    Rule(
        id="BIN_SEVERAL_SPECIES",
        statement="The BIN holds specimens of several species of one genus.",
        reason="A specimen is misidentified, two names stand for one species, or the barcode does not tell these "
        "species apart. Nothing has changed: a curator decides.",
        source="spec: statistics and figures, cases for curators",
        example="BOLD:AAU4445 with Tanytarsus longitarsis and Tanytarsus telmaticus",
    ),
    Rule(
        id="NO_BARCODE_GAP",
        statement="A barcode of another species lies no farther away than two barcodes of the species lie apart.",
        reason="A specimen is misidentified, the name stands for several species, or two names stand for one. Nothing "
        "has changed: a curator decides.",
        source="spec: statistics and figures, cases for curators",
        example="two barcodes of a species differ in 4.9 %, and one of another species in 2.3 %",
    ),
)
