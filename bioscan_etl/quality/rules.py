"""The gates that hold a specimen back, and what must be true of a curated or released table.

The invariants of labels and partitions are declared by their stages (`bioscan_etl.taxonomy.rules`,
`bioscan_etl.splits.rules`); the expectations on tables take them from there.
"""

from __future__ import annotations

from bioscan_etl.rules import Rule, Severity

_IMAGES = "spec: specimen images"
_BARCODES = "spec: DNA barcodes"
_TAXONOMY = "spec: taxonomy"

GATES: tuple[Rule, ...] = (
    Rule(
        id="NO_IMAGE",
        statement="The specimen has no image.",
        reason="A release pairs every barcode with an image; a record without one has nothing to show. "
        "Deliver the image, or an image manifest that names it, with any later batch: the specimen then goes on.",
        source=_IMAGES,
        severity=Severity.GATE,
        setting="gates.require_image",
        example="AACTA2551-20, of which no source holds an image file",
    ),
    Rule(
        id="IMAGE_STATUS",
        statement="The detector does not vouch for the image: it found no specimen, several, an unsure one, or could "
        "not read the file.",
        reason="A crop of an empty well or of the wrong insect teaches a wrong label. Look at the contact sheets; "
        "photograph the specimen again, or let a status pass.",
        source=_IMAGES,
        severity=Severity.GATE,
        setting="gates.image_statuses",
        example="an image of an empty well: status empty",
    ),
    Rule(
        id="NO_BARCODE",
        statement="The specimen has no COI-5P barcode.",
        reason="Partitions, conflicts and inferred labels all rest on the barcode. Deliver the record again once the "
        "specimen is sequenced.",
        source=_BARCODES,
        severity=Severity.GATE,
        example="a record whose nuc is empty or holds only gaps and N",
    ),
    Rule(
        id="BARCODE_RUN_TOO_SHORT",
        statement="No stretch of unambiguous bases in the barcode is as long as the set minimum.",
        reason="A shorter stretch does not tell species apart. Sequence the specimen again, or lower the minimum.",
        source=_BARCODES,
        severity=Severity.GATE,
        setting="gates.min_unambiguous_run",
        example="a barcode of 185 bp, where 200 are needed",
    ),
    Rule(
        id="NO_BIN",
        statement="The record belongs to no Barcode Index Number.",
        reason="BINs stand in for species where names are missing. Off unless set: 13,409 records of BIOSCAN-5M have "
        "none.",
        source=_BARCODES,
        severity=Severity.GATE,
        setting="gates.require_bin",
        example="a record whose bin_uri is empty",
    ),
)

INVARIANTS: tuple[Rule, ...] = (
    Rule(
        id="TAXON_IS_DEEPEST_LABEL",
        statement="`taxon` differs from the label of the deepest labelled rank.",
        reason="Users read `taxon` as the finest label that a specimen has.",
        source=f"{_TAXONOMY}, ranks",
        severity=Severity.BLOCKING,
        example="taxon Sciaridae beside genus Bradysia",
    ),
    Rule(
        id="INFERRED_BUT_UNLABELLED",
        statement="A rank is marked as inferred but holds no label.",
        reason="`inferred_ranks` tells users which labels are ours; it must speak of labels that exist.",
        source=f"{_TAXONOMY}, inference",
        severity=Severity.BLOCKING,
        example="inferred_genus true beside an empty genus",
    ),
    Rule(
        id="INFERRED_RANKS_DISAGREE",
        statement="`inferred_ranks` differs from the highest rank that is marked as inferred.",
        reason="Both tell the same thing; users filter by either.",
        source=f"{_TAXONOMY}, inference",
        severity=Severity.BLOCKING,
        example="inferred_ranks 1 (species) beside inferred_genus true",
    ),
    Rule(
        id="SPECIES_OUTSIDE_GENUS",
        statement="A scientific species name begins with another word than its genus.",
        reason="The first word of a binomial is its genus; a difference is a typo or an old combination.",
        source=f"{_TAXONOMY}, ranks",
        example="genus Lycoriella beside species Bradysia ocellaris",
    ),
    Rule(
        id="COORDINATE_WITHOUT_PARTNER",
        statement="One of latitude and longitude is missing.",
        reason="Half a point is no place; maps and site counts need both.",
        source="spec: geography",
        severity=Severity.BLOCKING,
        example="coord-lat 51.4 without coord-lon",
    ),
    Rule(
        id="BOX_OUTSIDE_IMAGE",
        statement="The specimen's box is empty or reaches beyond its image.",
        reason="Sizes and crops are computed from the box in whole pixels, clipped to the image.",
        source=f"{_IMAGES}, sizes",
        severity=Severity.BLOCKING,
        example="x1 1025 in an image 1024 px wide",
    ),
)

RULES: tuple[Rule, ...] = (*GATES, *INVARIANTS)
