"""The rules of partitioning: what must hold of every release, and what is counted.

Belongs here: statement, reason and source of each. How they are tested is in `checks`.
"""

from bioscan_etl.rules import Rule, Severity

RULES: tuple[Rule, ...] = (
    Rule(
        id="BARCODE_IN_TWO_PARTITIONS",
        statement="Records of one barcode, compared without the N at both ends, lie in more than one partition.",
        reason="A model would be tested on a sequence that it was trained on, and its accuracy would mean nothing.",
        source="BIOSCAN-5M, partitioning; spec: partitioning, checks",
        severity=Severity.BLOCKING,
        example="barcode of ABC001-20 (train) and ABC002-20 (test): the run stops and names both",
    ),
    Rule(
        id="SPECIES_IN_SEEN_AND_UNSEEN",
        statement="A species of train, val or test also has records in key_unseen, val_unseen or test_unseen.",
        reason="The unseen partitions measure what a model does with species it never met; this one it met.",
        source="BIOSCAN-5M, partitioning; spec: partitioning, checks",
        severity=Severity.BLOCKING,
        example="Megaselia BOLD:ACN5814 in train and in test_unseen: the run stops",
    ),
    Rule(
        id="UNSEEN_SPECIES_WITHOUT_KEY",
        statement="A species of val_unseen or test_unseen has no record in key_unseen.",
        reason="Queries are answered by looking up the nearest key; without keys no answer can be right.",
        source="BIOSCAN-5M, partitioning; spec: partitioning, checks",
        severity=Severity.BLOCKING,
        example="Camponotus MAS002 with 4 records in test_unseen and none in key_unseen: the run stops",
    ),
    Rule(
        id="NEAR_DUPLICATE_ACROSS_PARTITIONS",
        statement="A barcode of an evaluation partition lies within two edits of a barcode it is trained or keyed on.",
        reason="Two edits are within reading error: such a test is easier than it looks. The number is reported, "
        "since close relatives within a species are natural.",
        source="spec: partitioning, checks",
        severity=Severity.FLAG,
        example="barcodes of a train and a test record that differ in one base: counted, nothing changes",
    ),
)
