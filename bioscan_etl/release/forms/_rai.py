"""What a user of a release should know before relying on it, in the terms of Croissant RAI 1.0.

Belongs here: sentences that hold for every release, with its numbers. Does not belong here: how the release was made,
step by step (`_prov`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bioscan_etl.release.manifest import Counts
from bioscan_etl.settings import ReleaseSettings
from bioscan_etl.vocabulary import TRAINING, UNSEEN

CONFORMS_TO = "http://mlcommons.org/croissant/RAI/1.0"


def responsible_use(counts: Counts, settings: ReleaseSettings, made: Mapping[str, Any] | None) -> dict[str, Any]:
    """The RAI properties of the data set.

    Args:
        counts: rows and images.
        settings: what is asked of users.
        made: how batches and stages were made (`manifest.Provenance`); None outside the pipeline.
    """
    specimens = sum(counts.splits.values())
    trained, unseen = (sum(counts.splits.get(split, 0) for split in splits) for splits in (TRAINING, UNSEEN))
    tools = sorted(set(_tools(made)))
    return {
        "rai:dataCollection": "Insects and their relatives were collected, sequenced and photographed by the "
        "institutions that submitted them to BOLD. The release is made of their records and of microscope images of "
        "the specimens, as they were delivered, batch by batch.",
        "rai:dataCollectionType": ["Physical data collection", "Secondary Data analysis"],
        "rai:dataCollectionRawData": "Records of BOLD (boldsystems.org) and images, a delivery per batch; "
        "prov:wasDerivedFrom and manifest.json name each file with its sha256.",
        "rai:dataCollectionMissingData": f"{specimens - counts.boxes} of {specimens} specimens have no image. A label "
        "is missing below the rank that is known. A missing value is the empty field of the CSV and null in Parquet. "
        "Rows that are no specimens here are in quarantine.parquet, set_aside.parquet and rejects.parquet, with "
        "reasons.",
        "rai:dataPreprocessingProtocol": [
            "Barcodes: gaps within a sequence and IUPAC codes are N; length, ambiguity, reading frame and low "
            "complexity are checked.",
            "Places: countries are named alike; coordinates are held against the country.",
            "Labels: conflicts between records of one barcode are settled by majority; each name has one parent.",
            "Images: the specimen is detected, and cut out with a margin.",
            "Partitions: all records of one barcode are in one partition.",
        ],
        "rai:dataImputationProtocol": "A missing label is filled only as the rules of taxonomy say, such as from "
        "records with the identical barcode. changes.parquet lists each with its rule.",
        "rai:dataManipulationProtocol": "changes.parquet lists every value that a rule changed, before and after: "
        f"{counts.changes} changes.",
        "rai:dataAnnotationProtocol": "Taxonomic labels are those that the submitters gave to BOLD, curated by rules "
        "and by curators' decisions. Boxes are found by a detector; doubtful ones wait for a curator's review.",
        **({"rai:machineAnnotationTools": tools} if tools else {}),
        "rai:dataBiases": [
            "Species, orders, places and seasons are not sampled evenly: a few orders have most of the specimens.",
            "Labels reach the species for a part of the specimens only, more often for species that are well known.",
            "Images come from the instruments of few institutions.",
        ],
        "rai:dataLimitations": [
            "A label is the identification of the submitter; it can be wrong where no other record contradicts it.",
            "A partition's species are not a sample of nature: compare results within the partitions as published.",
            "Barcode and label are not independent: many labels were given with the barcode's help.",
        ],
        "rai:dataUseCases": [
            f"Training: the partitions {' and '.join(TRAINING)}, {trained} specimens.",
            "Validation and testing on species seen in training: val and test.",
            f"Testing on species not seen in training: {', '.join(UNSEEN)}, {unseen} specimens.",
            "Not recommended: decisions on single specimens without an expert's confirmation.",
        ],
        "rai:personalSensitiveInformation": "The released columns name no person. Places are those that BOLD "
        "publishes.",
        "rai:dataSocialImpact": "Identification of insects from images and barcodes helps to monitor biodiversity. "
        "Places of rare species can be misused.",
        "rai:dataReleaseMaintenancePlan": "A release is a version that is never changed; a later one says in "
        f"changelog.md what changed. Cite it as: {settings.citation}",
    }


def _tools(made: Mapping[str, Any] | None) -> Iterator[str]:
    """Software that annotated: what found the boxes, and with which detector."""
    for batch in (made["batches"] if made else {}).values():
        one = batch["stages"].get("specimen_boxes")
        if one is not None:
            yield f"bioscan-etl, stage specimen_boxes, code {one['code'].get('version', '')}"
