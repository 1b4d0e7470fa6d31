"""Fine-tuning of the detector on boxes that curators have reviewed: what it learns from, and the learning.

Not part of curation. Belongs here: what goes into a tuned detector. Does not belong here: the training itself
(`detector/`, run by `assets.training`), and whether the tuned detector may be used (`assets.promotion`).
"""

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
from pydantic import Field

from bioscan_etl import landing, storage
from bioscan_etl.assets.training import annotated, measuring, read_image, require_training, run_script, scripts_digest
from bioscan_etl.assets.training_run import asset, report, run
from bioscan_etl.errors import LakeError, SettingsError, SourceError
from bioscan_etl.images.coco import Outlined, image_name, outline, write_coco
from bioscan_etl.images.decode import UnreadableImage, decode
from bioscan_etl.images.detect import detector_fingerprint, detector_folder, load_detector
from bioscan_etl.images.detection import Detector
from bioscan_etl.images.reviews import propose_reviews, read_reviews
from bioscan_etl.images.sources import DamagedFile, open_sources
from bioscan_etl.lake import Draft, Lake, digest
from bioscan_etl.lake.current import get
from bioscan_etl.lake.record import committed
from bioscan_etl.progress import Progress
from bioscan_etl.resources import CorpusResource
from bioscan_etl.settings import ImageSettings

BOXES = "specimen_boxes"
"""The asset of the curation whose boxes are reviewed."""
ANNOTATIONS = "annotations.coco.json"
NETWORKS = ("coarse", "refiner")
NOTHING = "nothing"
FROM_NOTHING, FROM_WEIGHTS = (130, 480_000, 0.002), (6, 20_000, 0.0005)
"""Epochs of the first network, windows of the second, and learning rate: from nothing, and from what has learnt."""


class SheetConfig(dg.Config):
    """What is proposed for review."""

    batches: list[str] = Field([], description="batches to look through; none: all that are ingested")
    most: int = Field(200, ge=1, description="lines of the sheet")


class ReviewsConfig(dg.Config):
    """Where the reviewed boxes are."""

    reviews: str = Field("", description="path of the reviewed CSV")
    annotations: str = Field("", description="COCO file to learn from as well: what the detector learnt from so far")
    images: str = Field("", description="folder of its images")
    batches: list[str] = Field([], description="batches that the reviewed images are of; none: all that are ingested")


class TuningConfig(dg.Config):
    """How the detector learns."""

    weights: str = Field(
        "",
        description="folder to start from, with coarse and refiner as .pt or .onnx; empty: the detector of the "
        "settings; `nothing`: from nothing",
    )
    epochs: int = Field(0, ge=0, description="of the first network, 2048 scenes each; 0: 6, from nothing 130")
    windows: int = Field(0, ge=0, description="that the second network sees; 0: 20000, from nothing 480000")
    rate: float = Field(0.0, ge=0, description="learning rate; 0: 0.0005, from nothing 0.002")


def _boxes(home: Lake, names: list[str]) -> pl.LazyFrame:
    """The boxes of the named batches, or of all."""
    home.require_format()
    chosen = names or committed(home)
    if not chosen:
        raise LakeError(f"no batch in {home.root} has boxes; materialise specimen_boxes first")
    found = [get(home, BOXES, landing.check_name(name)) for name in chosen]
    return pl.concat([pl.scan_parquet(output.path("boxes.parquet")) for output in found])


@asset(kinds={"csv"}, deps=[BOXES])
def boxes_to_review(config: SheetConfig, corpus: dg.ResourceParam[CorpusResource]) -> dg.MaterializeResult:
    """One row per image that is worth a curator's look: unsure, several and empty ones first, with the box found.

    Key: process ID. Source: specimen_boxes, as shown on the contact sheets. The CSV is to be copied, filled in and
    named to reviewed_boxes; every verdict is `skip` until somebody decides.
    """
    home, settings = corpus.lake(), corpus.settings()
    sheet = propose_reviews(_boxes(home, config.batches), config.most)

    def build(draft: Draft) -> None:
        sheet.write_csv(draft.folder / "boxes_to_review.csv")
        draft.counts["lines"] = sheet.height
        draft.counts["status"] = dict(sheet.group_by("status").len().sort("status").iter_rows())

    result = run(home, settings, "boxes_to_review", inputs={"sheet": digest(sheet.rows())}, build=build)
    path = result[0].folder / "boxes_to_review.csv"
    return report(result, rows="lines", sheet=dg.MetadataValue.path(str(path)))


@asset(kinds={"json"}, deps=[BOXES])
def reviewed_boxes(
    config: ReviewsConfig, corpus: dg.ResourceParam[CorpusResource], progress: dg.ResourceParam[Progress]
) -> dg.MaterializeResult:
    """One COCO entry per image that a curator has decided on, beside those learnt from before; with the images.

    Key: file name. Source: the reviewed CSV, the images of its batches, an earlier COCO file. Rules: a review wins
    over an earlier annotation of the same picture; an outline comes from the current detector's mask where it fills
    the reviewed box, else the box is the outline.
    """
    home, settings = corpus.lake(), corpus.settings()
    if not config.reviews:
        raise SettingsError("no reviews are named; give the CSV's path in ops.reviewed_boxes.config.reviews")
    if bool(config.annotations) != bool(config.images):
        raise SettingsError("ops.reviewed_boxes.config needs annotations and images, or neither")
    scripts_digest()
    reviews = read_reviews(Path(config.reviews), _boxes(home, config.batches)).sort("processid")
    earlier = annotated(config.annotations) if config.annotations else []

    def build(draft: Draft) -> None:
        folder = draft.folder / "images"
        folder.mkdir(exist_ok=True)
        found: dict[str, Outlined] = {}
        names: dict[str, list[str]] = {}  # by sha256
        for image in earlier:
            data = read_image(Path(config.images), image.file_name)
            (folder / image.file_name).write_bytes(data)
            names.setdefault(hashlib.sha256(data).hexdigest(), []).append(image.file_name)
            outlines = [[round(float(value), 2) for value in polygon.ravel()] for polygon in image.polygons]
            found[image.file_name] = Outlined(image.file_name, image.size, image.box, outlines)
        detector = load_detector(settings.images)
        for done, (row, data) in enumerate(_reviewed_images(home, reviews), 1):
            known = names.get(row["sha256"])
            name = image_name(row["processid"], row["image_file"])
            if known is None and name in found:
                raise SettingsError(f"{config.annotations} has another image named {name}; rename that one")
            review = _outlined(name, row, data, detector, settings.images)
            for each in known or [name]:
                (folder / each).write_bytes(data)
                found[each] = replace(review, file_name=each)
            progress("reviewed_boxes", done, reviews.height)
        draft.counts |= write_coco(draft.folder / ANNOTATIONS, found.values())
        draft.counts["images"] = len(found)
        draft.counts["reviewed"] = dict(reviews.group_by("verdict").len().sort("verdict").iter_rows())
        draft.counts["parts"] = _parts(draft.folder / ANNOTATIONS)

    result = run(
        home,
        settings,
        "reviewed_boxes",
        inputs={
            # A reviewed line moved, or another batch ingested, makes nothing anew.
            "reviews": digest(reviews.drop("line").rows()),
            "annotations": storage.sha256(config.annotations) if config.annotations else "",
            "images": digest([[image.file_name, _sha256(config.images, image.file_name)] for image in earlier]),
            "detector": detector_fingerprint(settings.images),
            "scripts": scripts_digest(),
        },
        reads=("images.*",),
        build=build,
    )
    return report(result, rows="images", parts=dg.MetadataValue.json(result[0].counts["parts"]))


def _sha256(images: str, name: str) -> str:
    return hashlib.sha256(read_image(Path(images), name)).hexdigest()


def _reviewed_images(home: Lake, reviews: pl.DataFrame) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Each review with the bytes of its image, which are those that the batch was read from."""
    for (name,), part in reviews.group_by("batch", maintain_order=True):
        batch = landing.load(home, str(name))
        with open_sources([batch.locate(entry.location) for entry in batch.images]) as sources:
            for row in part.iter_rows(named=True):
                try:
                    data = sources.read(row["image_file"])
                except DamagedFile as error:
                    raise SourceError(f"{row['image_file']} of batch {name} cannot be read: {error}") from None
                if hashlib.sha256(data).hexdigest() != row["sha256"]:
                    raise SourceError(f"{row['image_file']} has changed since batch {name} landed; land it again")
                yield row, data


def _outlined(name: str, row: dict[str, Any], data: bytes, detector: Detector, settings: ImageSettings) -> Outlined:
    size = row["width"], row["height"]
    if row["verdict"] == "empty":
        return Outlined(name, size)
    try:
        pixels = decode(data, settings.max_pixels)
    except UnreadableImage as error:
        raise SourceError(f"{row['image_file']} cannot be read: {error}; its verdict can only be skip") from None
    box = row["x0"], row["y0"], row["x1"], row["y1"]
    return Outlined(name, size, box, outline(detector.detect(pixels).mask, box, size))


def _parts(annotations: Path) -> dict[str, dict[str, int]]:
    """Occupied and empty images by the part that they are used for."""
    dataset = measuring("dataset")
    counts = {part: Counter({"occupied": 0, "empty": 0}) for part in dataset.PARTS}
    for image in dataset.read_annotations(annotations):
        counts[dataset.part_of(image.file_name)]["empty" if image.box is None else "occupied"] += 1
    return {part: dict(count) for part, count in counts.items()}


@asset(kinds={"pytorch", "onnx"}, deps=[reviewed_boxes])
def tuned_detector(
    context: dg.AssetExecutionContext, config: TuningConfig, corpus: dg.ResourceParam[CorpusResource]
) -> dg.MaterializeResult:
    """One detector that has learnt from reviewed_boxes: the two networks, their calibration, the weights.

    Key: none, there is one. Source: the training and calibration parts of reviewed_boxes. The scripts of `detector/`
    do the work, in a Python that has the extra `train`; a run that was killed goes on where it stopped.
    """
    home, settings = corpus.lake(), corpus.settings()
    reviewed = get(home, "reviewed_boxes")
    for part in ("training", "calibration"):
        counts = reviewed.counts["parts"][part]
        if 0 in counts.values():
            raise SettingsError(
                f"reviewed_boxes has {counts['occupied']} occupied and {counts['empty']} empty images for {part}, both "
                "are needed; review more, or name what the detector learnt from so far in "
                "ops.reviewed_boxes.config.annotations and images"
            )
    starts = _weights(config.weights, settings.images, home)
    usual = FROM_WEIGHTS if starts else FROM_NOTHING
    epochs, windows, rate = (
        asked or default for asked, default in zip((config.epochs, config.windows, config.rate), usual, strict=True)
    )

    def build(draft: Draft) -> None:
        python = require_training()
        measuring("evaluate")  # not_worse needs it: better told now than after the training
        work, folder, weights = (draft.folder / name for name in ("training", "detector", "weights"))
        data = [str(reviewed.folder / "images"), str(reviewed.path(ANNOTATIONS))]
        rates = ["--rate", str(rate)]
        starting = {name: ["--from", str(starts[name])] if starts else [] for name in NETWORKS}
        log = context.log.info
        steps = {
            "train.py": [*data, str(work), "--epochs", str(epochs), *starting["coarse"], *rates],
            "refine.py": [*data, str(work), "--windows", str(windows), *starting["refiner"], *rates],
            "export.py": [str(work), str(folder)],
            "calibrate.py": [*data, str(folder)],
        }
        for name, arguments in steps.items():
            said = run_script(python, name, arguments, work, log)
        draft.counts["calibration"] = said  # what the last one has found
        weights.mkdir(exist_ok=True)
        shutil.move(work / "coarse" / "weights" / "last.pt", weights / "coarse.pt")
        shutil.move(work / "refiner.pt", weights / "refiner.pt")
        shutil.rmtree(work)
        draft.counts["name"] = load_detector(settings.images.model_copy(update={"detector": str(folder)})).name

    result = run(
        home,
        settings,
        "tuned_detector",
        inputs={
            "reviewed_boxes": reviewed.content,
            "scripts": scripts_digest(),
            "weights": {name: storage.sha256(str(path)) for name, path in starts.items()},
            "plan": [epochs, windows, rate],
        },
        build=build,
        resumable=True,
    )
    said = "\n".join(f"    {line}" for line in result[0].counts["calibration"])
    return report(result, detector=result[0].counts["name"], calibration=dg.MetadataValue.md(said))


def _weights(asked: str, settings: ImageSettings, home: Lake) -> dict[str, Path]:
    """Where each network starts from; nothing where it starts from nothing.

    A `.pt` is a pickle and can run code, so a run may name those of this lake alone; elsewhere only `.onnx` counts.
    """
    if asked == NOTHING:
        return {}
    folder = Path(asked) if asked else detector_folder(settings.detector)
    if folder is None:
        raise SettingsError(
            f"the detector of the settings, {settings.detector}, has no two networks to start from: name a folder in "
            f"ops.tuned_detector.config.weights, or {NOTHING!r}"
        )
    own = folder.resolve().is_relative_to(home.home.resolve())
    starts = {}
    for name in NETWORKS:
        kinds = ("pt", "onnx") if own or not asked else ("onnx",)
        found = [path for kind in kinds if (path := folder / f"{name}.{kind}").is_file()]
        if not found:
            raise SettingsError(
                f"weights {folder / name}.onnx do not exist (in {home.home} .pt counts, too); name a folder of both "
                f"networks, or {NOTHING!r}"
            )
        starts[name] = found[0].resolve()
    return starts
