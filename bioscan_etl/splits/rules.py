"""The rules of partitioning: what must hold of every release, what is counted, and what may move a record.

Belongs here: statement, reason and source of each. How the first are tested is in `checks`, how the last are applied
in `stable`.
"""

from bioscan_etl.rules import Rule, Severity

_CHECKS: tuple[Rule, ...] = (
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
    Rule(
        id="UNSEEN_SPECIES_ALSO_HELD_OUT",
        statement="A species of the unseen partitions also has records in other_heldout, from before it had enough.",
        reason="No record moves because others arrive, so the first ones stay. Who trains on other_heldout should "
        "leave these species out, or they are not unseen.",
        source="spec: partitioning, protocol stable",
        severity=Severity.FLAG,
        example="Aus sp. 1: 3 records in other_heldout since the first release, 9 in the unseen partitions since",
    ),
)

_STABLE = "spec: partitioning, protocol stable"

MOVES: tuple[Rule, ...] = (
    Rule(
        "MOVED_SPECIES_NAMED",
        "A record without a species got one: it leaves pretrain for train, with a placeholder for other_heldout.",
        "Models were pretrained on it, so it can be learned from with its label, but not be tested on.",
        _STABLE,
        Severity.CHANGE,
        example="ABC001-20, species missing -> Aus bus: pretrain -> train",
    ),
    Rule(
        "MOVED_SPECIES_DESCRIBED",
        "A placeholder species was described: its keys and heldout records go to train, its queries to val and test.",
        "A described species is no unseen one. No model was trained on its queries, so they stay queries.",
        _STABLE,
        Severity.CHANGE,
        example="Aus sp. 1 -> Aus bus: key_unseen -> train, val_unseen -> val, test_unseen -> test",
    ),
    Rule(
        "MOVED_SPECIES_UNDESCRIBED",
        "A described species became a placeholder: the record leaves train, val or test for other_heldout.",
        "A placeholder cannot be a class to learn, and a species that models were trained on is no unseen one.",
        _STABLE,
        Severity.CHANGE,
        example="Aus bus -> Aus sp. 1: test -> other_heldout",
    ),
    Rule(
        "MOVED_SPECIES_CLEARED",
        "A record lost its species, as where a conflict of labels was found: it goes to pretrain.",
        "Every other partition needs a species to learn or to ask for.",
        _STABLE,
        Severity.CHANGE,
        example="ABC001-20, Aus bus -> missing: test -> pretrain",
    ),
    Rule(
        "MOVED_BARCODE_CHANGED",
        "A record's barcode was corrected to one that lies elsewhere; all its records meet on the trained side.",
        "Records of one barcode are in one partition, and what was trained on must not be tested on.",
        _STABLE,
        Severity.CHANGE,
        example="ABC001-20 (test) turns out to have the barcode of ABC002-20 (train): test -> train",
    ),
    Rule(
        "MOVED_WITH_BARCODE",
        "A record follows another one of its barcode (or BIN, where those are kept together) that had to move.",
        "Records of one barcode are in one partition.",
        _STABLE,
        Severity.CHANGE,
        "splits.keep_bins_together",
        example="ABC001-20 (test); ABC002-20 (train) turns out to have its barcode: test -> train",
    ),
    Rule(
        "MOVED_WITH_SPECIES",
        "A record of an unseen species goes to other_heldout since a record of its species is now in train, val or "
        "test with its barcode's or BIN's other species.",
        "A species cannot be both seen and unseen.",
        _STABLE,
        Severity.CHANGE,
        "splits.keep_bins_together",
        example="Aus sp. 1: one of its BINs now also holds Aus bus; key_unseen -> other_heldout",
    ),
    Rule(
        "MOVED_AS_REFERENCE",
        "A species was left in val and test without a record in train, or among the unseen without one in "
        "key_unseen: one of its barcodes goes there, from val rather than from test.",
        "A query whose right answer nobody could know measures nothing.",
        _STABLE,
        Severity.CHANGE,
        example="all key_unseen records of Aus sp. 1 were withdrawn: one barcode val_unseen -> key_unseen",
    ),
)

RULES: tuple[Rule, ...] = (*_CHECKS, *MOVES)
