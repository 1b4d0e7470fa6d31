"""What a detector learns from: images that curators have reviewed, beside those annotated before.

Belongs here: the boxes of the corpus's batches, and one COCO file with its images out of reviews and an earlier file.
Does not belong here: how a review is written (`bioscan_etl.images.reviews`), and the learning (`tuning`).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from bioscan_etl import landing
from bioscan_etl.errors import LakeError, SettingsError, SourceError
from bioscan_etl.images.coco import Outlined, image_name, outline, write_coco
from bioscan_etl.images.decode import UnreadableImage, decode
from bioscan_etl.images.detect import detector_fingerprint, load_detector
from bioscan_etl.images.detection import Detector
from bioscan_etl.images.reviews import propose_reviews, read_reviews
from bioscan_etl.images.sources import DamagedFile, open_sources
from bioscan_etl.io.read import file_sha256
from bioscan_etl.io.tables import scan_parquet
from bioscan_etl.lake import Draft, Lake, Output, digest
from bioscan_etl.lake.current import get
from bioscan_etl.lake.record import committed
from bioscan_etl.progress import Progress
from bioscan_etl.settings import ImageSettings, Settings
from bioscan_etl.training.dataset import PARTS, Annotated, part_of, read_annotated_image, read_annotations
from bioscan_etl.training.decided import decided_reviews, joined
from bioscan_etl.training.outputs import make

BOXES = "specimen_boxes"
"""The stage of the curation whose boxes are reviewed."""
PROPOSED = "boxes_to_review"
REVIEWED = "reviewed_boxes"
ANNOTATIONS = "annotations.coco.json"


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was annotated before: a COCO file and the folder of its images; no paths if there is none."""

    annotations: str = ""
    images: str = ""

    def read(self) -> list[Annotated]:
        """The annotated images.

        Raises:
            SettingsError: the file cannot be read.
        """
        return read_annotations(Path(self.annotations)) if self.annotations else []

    def sha256(self, name: str) -> str:
        """Hex sha256 of one of the images."""
        return hashlib.sha256(read_annotated_image(Path(self.images), name)).hexdigest()


def boxes_of(home: Lake, batches: Sequence[str]) -> pl.LazyFrame:
    """The boxes of the named batches; of all ingested batches where none is named.

    Raises:
        LakeError: no batch has boxes, or a named one has none.
    """
    home.require_format()
    chosen = batches or committed(home)
    if not chosen:
        raise LakeError(f"no batch in {home.root} has boxes; materialise specimen_boxes first")
    found = [get(home, BOXES, landing.check_name(name)) for name in chosen]
    return pl.concat([scan_parquet(output.path("boxes.parquet")) for output in found])


def propose(home: Lake, settings: Settings, batches: Sequence[str], most: int) -> tuple[Output, bool]:
    """Write the sheet of images that are worth a curator's look, `boxes_to_review.csv`.

    Args:
        home: the lake.
        settings: of the corpus.
        batches: to look through; all ingested ones where none is named.
        most: lines of the sheet at most.

    Returns:
        The output, and whether it was made now.
    """
    boxes = boxes_of(home, batches)
    # What was decided at the desk is reviewed already.
    done = decided_reviews(home, boxes).reviews.select("sha256")
    sheet = propose_reviews(boxes.join(done.lazy(), on="sha256", how="anti"), most)

    def build(draft: Draft) -> None:
        sheet.write_csv(draft.folder / "boxes_to_review.csv")
        draft.counts["lines"] = sheet.height
        draft.counts["status"] = dict(sheet.group_by("status").len().sort("status").iter_rows())

    return make(home, settings, PROPOSED, code="reviewed", inputs={"sheet": digest(sheet.rows())}, build=build)


def collect(
    home: Lake, settings: Settings, reviews: Path | None, batches: Sequence[str], earlier: Earlier, progress: Progress
) -> tuple[Output, bool]:
    """Join reviews, decisions of the desk and an earlier COCO file into one, with its images.

    Boxes that curators drew at the desk are reviews, and so are specimens that they rejected because the image shows no
    insect; a line of the reviewed CSV about the same picture wins. A review wins over an earlier annotation of the same
    picture. An outline comes from the current detector's mask if the mask fills the reviewed box; else the box is the
    outline.

    Args:
        home: the lake.
        settings: of the corpus.
        reviews: the reviewed CSV; None: the decisions of the desk are all there is.
        batches: that the reviewed images are of; all ingested ones where none is named.
        earlier: what was annotated before.
        progress: is called with the number of reviews done.

    Returns:
        The output, and whether it was made now.

    Raises:
        SettingsError: the reviews or the earlier file cannot be used, or there is no review at all.
        SourceError: a reviewed image cannot be read.
    """
    boxes = boxes_of(home, batches)
    decided = decided_reviews(home, boxes)
    sheet = read_reviews(reviews, boxes) if reviews is not None else decided.reviews.clear()
    found = joined(sheet, decided.reviews)
    if reviews is None and found.is_empty():
        raise SettingsError(
            "no reviews are named, and no decision at the desk draws a box or rejects an image without an insect; give "
            "the CSV's path in ops.reviewed_boxes.config.reviews"
        )
    known = earlier.read()

    def build(draft: Draft) -> None:
        _write(draft, home, settings.images, found, earlier, known, progress)
        draft.counts["decisions_left_out"] = decided.left_out.to_dicts()

    inputs = {
        # Moving a line of the reviews, or ingesting another batch, must not make the output again.
        "reviews": digest(found.drop("line").rows()),
        "left_out": digest(decided.left_out.rows()),
        "annotations": file_sha256(earlier.annotations) if earlier.annotations else "",
        "images": digest([[image.file_name, earlier.sha256(image.file_name)] for image in known]),
        "detector": detector_fingerprint(settings.images),
    }
    return make(home, settings, REVIEWED, code="reviewed", inputs=inputs, reads=("images.*",), build=build)


def _write(
    draft: Draft,
    home: Lake,
    settings: ImageSettings,
    reviews: pl.DataFrame,
    earlier: Earlier,
    annotated: list[Annotated],
    progress: Progress,
) -> None:
    folder = draft.folder / "images"
    folder.mkdir(exist_ok=True)
    found: dict[str, Outlined] = {}
    names: dict[str, list[str]] = {}  # by sha256
    for image in annotated:
        data = read_annotated_image(Path(earlier.images), image.file_name)
        (folder / image.file_name).write_bytes(data)
        names.setdefault(hashlib.sha256(data).hexdigest(), []).append(image.file_name)
        outlines = [[round(float(value), 2) for value in polygon.ravel()] for polygon in image.polygons]
        found[image.file_name] = Outlined(image.file_name, image.size, image.box, outlines)
    detector = load_detector(settings)
    for done, (row, data) in enumerate(_reviewed_images(home, reviews), 1):
        known = names.get(row["sha256"])
        name = image_name(row["processid"], row["image_file"])
        if known is None and name in found:
            raise SettingsError(f"{earlier.annotations} has another image named {name}; rename that one")
        review = _outlined(name, row, data, detector, settings)
        for each in known or [name]:
            (folder / each).write_bytes(data)
            found[each] = replace(review, file_name=each)
        progress(REVIEWED, done, reviews.height)
    draft.counts |= write_coco(draft.folder / ANNOTATIONS, found.values())
    draft.counts["images"] = len(found)
    draft.counts["reviewed"] = dict(reviews.group_by("verdict").len().sort("verdict").iter_rows())
    draft.counts["parts"] = _parts(draft.folder / ANNOTATIONS)


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
        pixels = decode(data, settings.max_pixels, settings.bits)
    except UnreadableImage as error:
        raise SourceError(f"{row['image_file']} cannot be read: {error}; its verdict can only be skip") from None
    box = row["x0"], row["y0"], row["x1"], row["y1"]
    return Outlined(name, size, box, outline(detector.detect(pixels).mask, box, size))


def _parts(annotations: Path) -> dict[str, dict[str, int]]:
    """Occupied and empty images by the part that they are used for."""
    counts = {part: Counter({"occupied": 0, "empty": 0}) for part in PARTS}
    for image in read_annotations(annotations):
        counts[part_of(image.file_name)]["empty" if image.box is None else "occupied"] += 1
    return {part: dict(count) for part, count in counts.items()}
