"""The rules of partitioning: what must hold in every release, what is counted, and what may move a record.

Belongs here: statement, reason and source of each rule. Does not belong here: the tests of what must hold (`checks`)
and the moves (`stable`).
"""

from bioscan_etl.rules import Rule, Severity

_CHECKS: tuple[Rule, ...] = (
    Rule(
        id="BARCODE_IN_TWO_PARTITIONS",
        statement="All records of one barcode, compared without N at both ends, are in one partition.",
        reason="Otherwise a model is tested on a sequence that it was trained on, and its accuracy means nothing.",
        source="BIOSCAN-5M, partitioning; spec: partitioning, checks",
        severity=Severity.BLOCKING,
        example="fails if ABC001-20 (train) and ABC002-20 (test) have one barcode: the run stops and lists both",
    ),
    Rule(
        id="SPECIES_IN_SEEN_AND_UNSEEN",
        statement="No species has records both in train, val or test and in key_unseen, val_unseen or test_unseen.",
        reason="The unseen partitions measure how a model handles species that it was not trained on.",
        source="BIOSCAN-5M, partitioning; spec: partitioning, checks",
        severity=Severity.BLOCKING,
        example="fails if Megaselia BOLD:ACN5814 is in train and in test_unseen: the run stops",
    ),
    Rule(
        id="UNSEEN_SPECIES_WITHOUT_KEY",
        statement="Every species of val_unseen or test_unseen has a record in key_unseen.",
        reason="A query is answered by its nearest key; without keys no answer can be right.",
        source="BIOSCAN-5M, partitioning; spec: partitioning, checks",
        severity=Severity.BLOCKING,
        example="fails if Camponotus MAS002 has 4 records in test_unseen and none in key_unseen: the run stops",
    ),
    Rule(
        id="NEAR_DUPLICATE_ACROSS_PARTITIONS",
        statement="A barcode of an evaluation partition differs from a barcode of its training or key partition in at "
        "most two bases of those that both have.",
        reason="Two bases are within sequencing error, so such a query is easier than it looks. They are only counted, "
        "because close relatives within a species are natural.",
        source="spec: partitioning, checks",
        severity=Severity.FLAG,
        example="barcodes of a train and a test record that differ in one base: counted, nothing changes",
    ),
    Rule(
        id="UNSEEN_SPECIES_ALSO_HELD_OUT",
        statement="No species of the unseen partitions has records in other_heldout.",
        reason="A species with few records starts in other_heldout, and its first records stay there when it later "
        "becomes unseen. If you train on other_heldout, exclude these species: otherwise they are not unseen.",
        source="spec: partitioning, protocol stable",
        severity=Severity.FLAG,
        example="fails for Aus sp. 1 with 3 records in other_heldout since the first release and 9 later ones in the "
        "unseen partitions",
    ),
)

_STABLE = "spec: partitioning, protocol stable"

MOVES: tuple[Rule, ...] = (
    Rule(
        "MOVED_SPECIES_NAMED",
        "A record got its first species: it moves from pretrain to train, or for a placeholder to other_heldout.",
        "Models were pretrained on it, so it can be trained on with its label, but not tested on.",
        _STABLE,
        Severity.CHANGE,
        example="ABC001-20, species missing -> Aus bus: pretrain -> train",
    ),
    Rule(
        "MOVED_SPECIES_DESCRIBED",
        "A placeholder species was described: its keys and heldout records go to train, its queries to val and test.",
        "A described species is not unseen. No model was trained on its queries, so they stay queries.",
        _STABLE,
        Severity.CHANGE,
        example="Aus sp. 1 -> Aus bus: key_unseen -> train, val_unseen -> val, test_unseen -> test",
    ),
    Rule(
        "MOVED_SPECIES_UNDESCRIBED",
        "A described species became a placeholder: the record moves from train, val or test to other_heldout.",
        "A placeholder cannot be a class to learn, and a species that models were trained on is not unseen.",
        _STABLE,
        Severity.CHANGE,
        example="Aus bus -> Aus sp. 1: test -> other_heldout",
    ),
    Rule(
        "MOVED_SPECIES_CLEARED",
        "A record lost its species, for example because of a label conflict: it moves to pretrain.",
        "Every other partition needs a species to learn or to query.",
        _STABLE,
        Severity.CHANGE,
        example="ABC001-20, Aus bus -> missing: test -> pretrain",
    ),
    Rule(
        "MOVED_BARCODE_CHANGED",
        "A record's barcode was corrected to one of another partition; its records move to the training partition.",
        "Records of one barcode are in one partition, and what was trained on must not be tested on.",
        _STABLE,
        Severity.CHANGE,
        example="ABC001-20 (test) turns out to have the barcode of ABC002-20 (train): test -> train",
    ),
    Rule(
        "MOVED_WITH_BARCODE",
        "A record follows another record of its barcode (or of its BIN, if BINs are kept together) that had to move.",
        "Records of one barcode are in one partition.",
        _STABLE,
        Severity.CHANGE,
        "splits.keep_bins_together",
        example="ABC001-20 (test); ABC002-20 (train) turns out to have its barcode: test -> train",
    ),
    Rule(
        "MOVED_WITH_SPECIES",
        "A record of an unseen species moves to other_heldout because a record of its species is now in train, val or "
        "test, together with another species of the same barcode or BIN.",
        "A species cannot be both seen and unseen.",
        _STABLE,
        Severity.CHANGE,
        "splits.keep_bins_together",
        example="Aus sp. 1: one of its BINs now also holds Aus bus; key_unseen -> other_heldout",
    ),
    Rule(
        "MOVED_AS_REFERENCE",
        "A species of val or test had no record left in train, or an unseen species none in key_unseen: one of its "
        "barcodes moves there, from val rather than from test.",
        "A query that no reference can answer measures nothing.",
        _STABLE,
        Severity.CHANGE,
        example="all key_unseen records of Aus sp. 1 were withdrawn: one barcode val_unseen -> key_unseen",
    ),
)

RULES: tuple[Rule, ...] = (*_CHECKS, *MOVES)
