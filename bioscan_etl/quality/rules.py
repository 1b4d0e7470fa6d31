"""The gates that quarantine a specimen, and the invariants of a curated or released table.

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
        reason="A release pairs every barcode with an image. Deliver the image, or an image manifest that lists it, "
        "with any later batch; the specimen is then released.",
        source=_IMAGES,
        severity=Severity.GATE,
        setting="gates.require_image",
        example="AACTA2551-20, for which no source has an image file",
    ),
    Rule(
        id="IMAGE_STATUS",
        statement="The detector's result needs review: no specimen, several specimens, a low confidence, or an "
        "unreadable file.",
        reason="A crop of an empty well or of the wrong insect teaches models a wrong label. Look at the contact "
        "sheets. Then photograph the specimen again, or add the status to the setting.",
        source=_IMAGES,
        severity=Severity.GATE,
        setting="gates.image_statuses",
        example="an image of an empty well: status empty",
    ),
    Rule(
        id="IMAGE_FLAG",
        statement="The image has a flag that the setting names: by default, its brightness is far outside that of its "
        "batch, or no pixel shows the organism.",
        reason="Such a picture teaches models nothing, or a wrong label. Look at it. Then photograph the specimen "
        "again, or remove the flag from the setting.",
        source=_IMAGES,
        severity=Severity.GATE,
        setting="gates.image_flags",
        example="an image with the flag BRIGHTNESS_OUTLIER",
    ),
    Rule(
        id="OUT_OF_SCOPE",
        statement="The specimen's label is none of the taxa that the dataset is about, or it has no label and the "
        "barcode of such a specimen.",
        reason="A delivery can hold other animals: 23 vertebrates, 16 of them bats, were once released as insects. "
        "Correct the label, or add the taxon to the setting.",
        source=_TAXONOMY,
        severity=Severity.GATE,
        setting="gates.scope",
        example="a specimen of the phylum Chordata, where the scope is Arthropoda",
    ),
    Rule(
        id="NO_BARCODE",
        statement="The specimen has no COI-5P barcode.",
        reason="Partitions, label conflicts and inferred labels all need the barcode. Deliver the record again when "
        "the specimen is sequenced.",
        source=_BARCODES,
        severity=Severity.GATE,
        example="a record whose nuc is empty or contains only gaps and N",
    ),
    Rule(
        id="BARCODE_RUN_TOO_SHORT",
        statement="No run of unambiguous bases in the barcode is as long as the set minimum.",
        reason="A shorter run does not distinguish species. Sequence the specimen again, or lower the minimum.",
        source=_BARCODES,
        severity=Severity.GATE,
        setting="gates.min_unambiguous_run",
        example="a barcode of 185 bp, where 200 are needed",
    ),
    Rule(
        id="NO_BIN",
        statement="The record has no Barcode Index Number (BIN).",
        reason="BINs replace species where names are missing. This gate is off by default: 13,409 records of "
        "BIOSCAN-5M have no BIN.",
        source=_BARCODES,
        severity=Severity.GATE,
        setting="gates.require_bin",
        example="a record whose bin_uri is empty",
    ),
)

INVARIANTS: tuple[Rule, ...] = (
    Rule(
        id="TAXON_IS_DEEPEST_LABEL",
        statement="`taxon` equals the label of the deepest labelled rank.",
        reason="Users read `taxon` as the most specific label of a specimen.",
        source=f"{_TAXONOMY}, ranks",
        severity=Severity.BLOCKING,
        example="fails for taxon Sciaridae with genus Bradysia",
    ),
    Rule(
        id="INFERRED_BUT_UNLABELLED",
        statement="Every rank that is marked as inferred has a label.",
        reason="`inferred_ranks` shows users which labels the pipeline inferred, so these labels must exist.",
        source=f"{_TAXONOMY}, inference",
        severity=Severity.BLOCKING,
        example="fails for inferred_genus true with an empty genus",
    ),
    Rule(
        id="INFERRED_RANKS_DISAGREE",
        statement="`inferred_ranks` equals the highest rank that is marked as inferred.",
        reason="Users filter by either column, so both must agree.",
        source=f"{_TAXONOMY}, inference",
        severity=Severity.BLOCKING,
        example="fails for inferred_ranks 1 (species) with inferred_genus true",
    ),
    Rule(
        id="SPECIES_OUTSIDE_GENUS",
        statement="Every scientific species name begins with its genus.",
        reason="The first word of a binomial is the genus; a difference is a typo or an outdated combination.",
        source=f"{_TAXONOMY}, ranks",
        example="fails for genus Lycoriella with species Bradysia ocellaris",
    ),
    Rule(
        id="COORDINATE_WITHOUT_PARTNER",
        statement="Latitude and longitude are both present or both missing.",
        reason="Maps and site counts need both.",
        source="spec: geography",
        severity=Severity.BLOCKING,
        example="fails for coord-lat 51.4 without coord-lon",
    ),
    Rule(
        id="BOX_OUTSIDE_IMAGE",
        statement="The specimen's box is inside its image and not empty.",
        reason="Sizes and crops are computed from the box in whole pixels, clipped to the image.",
        source=f"{_IMAGES}, sizes",
        severity=Severity.BLOCKING,
        example="fails for x1 1025 in an image 1024 px wide",
    ),
)

RULES: tuple[Rule, ...] = (*GATES, *INVARIANTS)
