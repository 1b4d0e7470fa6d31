"""Fine-tuning of the detector on boxes that curators have reviewed: what it learns from, and the learning.

Not part of curation. Belongs here: the assets and their configuration. Does not belong here: the work itself
(`bioscan_etl.training`), and whether the tuned detector may be used (`assets.promotion`).
"""

from pathlib import Path

import dagster as dg
from pydantic import Field

from bioscan_etl.assets.training import (
    asset,
    report,
)
from bioscan_etl.errors import SettingsError
from bioscan_etl.printable import printable
from bioscan_etl.progress import Progress
from bioscan_etl.resources import CorpusResource
from bioscan_etl.training import reviewed, tuning


class SheetConfig(dg.Config):
    """What is proposed for review."""

    batches: list[str] = Field([], description="batches to look through; none: all that are ingested")
    most: int = Field(200, ge=1, description="lines of the sheet")


class ReviewsConfig(dg.Config):
    """Where the reviewed boxes are."""

    reviews: str = Field("", description="path of the reviewed CSV; empty: the decisions of the desk alone")
    annotations: str = Field("", description="COCO file to learn from as well: what the detector learnt from so far")
    images: str = Field("", description="folder of its images")
    batches: list[str] = Field([], description="batches that the reviewed images are of; none: all that are ingested")


class TuningConfig(dg.Config):
    """How the detector learns."""

    weights: str = Field(
        "",
        description="folder to start from, with coarse and refiner as .pt or .onnx; empty: the detector of the "
        "settings; `nothing`: from random weights",
    )
    epochs: int = Field(
        0, ge=0, description="of the region proposal network, 2048 scenes each; 0: 6, from random weights 130"
    )
    windows: int = Field(0, ge=0, description="that the refiner sees; 0: 20000, from random weights 480000")
    rate: float = Field(0.0, ge=0, description="learning rate; 0: 0.0005, from random weights 0.002")


@asset(kinds={"csv"}, deps=[reviewed.BOXES])
def boxes_to_review(config: SheetConfig, corpus: dg.ResourceParam[CorpusResource]) -> dg.MaterializeResult:
    """One row per image that is worth a curator's look: unsure, several and empty ones first, with the box found.

    Key: process ID. Source: specimen_boxes, as shown on the contact sheets. Copy the CSV, fill it in, and name the copy
    to reviewed_boxes. Every verdict is `skip` until somebody decides.
    """
    result = reviewed.propose(corpus.lake(), corpus.settings(), config.batches, config.most)
    path = result[0].folder / "boxes_to_review.csv"
    return report(result, rows="lines", sheet=dg.MetadataValue.path(str(path)))


@asset(kinds={"json"}, deps=[reviewed.BOXES])
def reviewed_boxes(
    config: ReviewsConfig, corpus: dg.ResourceParam[CorpusResource], progress: dg.ResourceParam[Progress]
) -> dg.MaterializeResult:
    """One COCO entry per image that a curator has decided on, and per image annotated before; with the images.

    Key: file name. Source: the reviewed CSV, the boxes drawn and images rejected as without insect at the desk, the
    images of its batches, an earlier COCO file. Rules: a line of the CSV wins over a decision; a review wins
    over an earlier annotation of the same picture; an outline comes from the current detector's mask where it fills
    the reviewed box, else the box is the outline.
    """
    if bool(config.annotations) != bool(config.images):
        raise SettingsError("ops.reviewed_boxes.config needs annotations and images, or neither")
    earlier = reviewed.Earlier(config.annotations, config.images)
    sheet = Path(config.reviews) if config.reviews else None
    result = reviewed.collect(corpus.lake(), corpus.settings(), sheet, config.batches, earlier, progress)
    return report(result, rows="images", parts=dg.MetadataValue.json(result[0].counts["parts"]))


@asset(kinds={"pytorch", "onnx"}, deps=[reviewed_boxes])
def tuned_detector(
    context: dg.AssetExecutionContext, config: TuningConfig, corpus: dg.ResourceParam[CorpusResource]
) -> dg.MaterializeResult:
    """One detector that has learnt from reviewed_boxes: the two networks, their calibration, the weights.

    Key: none, there is one. Source: the training and calibration parts of reviewed_boxes. The scripts of
    `bioscan_etl.training` run in a Python that has the extra `train`. A run that was killed goes on where it stopped.
    """
    result = tuning.tune(
        corpus.lake(),
        corpus.settings(),
        config.weights,
        # The last lines of a process are one message.
        lambda lines: context.log.info("\n".join(map(printable, lines.splitlines()))),
        epochs=config.epochs,
        windows=config.windows,
        rate=config.rate,
    )
    lines = "\n".join(f"    {line}" for line in result[0].counts["calibration"])
    return report(result, detector=result[0].counts["name"], calibration=dg.MetadataValue.md(lines))
