"""Measure a detector on annotated images with COCO's own code.

    python -m bioscan_etl.training.evaluate IMAGES ANNOTATIONS.coco.json [--detector trained] [--part validation]
        [--output RESULT.json]

Needs pycocotools. The detector is what the setting `images.detector` takes: `trained`, `segmentation`, a model
`.onnx` or `.pt`, or the folder of a trained detector. The figures are those of what it reports, so an occupied well
that it reports empty has no box.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bioscan_etl.extras import extras_named
from bioscan_etl.images.detect import load_detector
from bioscan_etl.images.detection import Detection, Detector
from bioscan_etl.images.measure import area_fraction, measurement_at_1024, scale_factor, whole_pixels
from bioscan_etl.settings import ImageSettings
from bioscan_etl.training.script import execute, extras_of

with extras_of(__name__):
    import cv2

    from bioscan_etl.images.detect import load_detector
    from bioscan_etl.images.measure import area_fraction, measurement_at_1024, scale_factor, whole_pixels
    from bioscan_etl.training.dataset import PARTS, Annotated, read_annotations, read_pixels

SIZES = {"all": (0.0, 1.0), "small": (0.0, 0.01), "medium": (0.01, 0.05), "large": (0.05, 1.0)}
"""Area of the specimen's box as a share of the image: all specimens, and three groups of them."""


@dataclass
class Result:
    """What `measure` finds.

    Attributes:
        detector: its name.
        part: that was measured.
        occupied: number of images with a specimen.
        empty: number of images without one.
        coco: by group of `SIZES`, the number of specimens, AP at IoU 0.50, 0.75 and 0.50:0.95, AR at 0.50:0.95.
        empty_as_empty: share of empty wells reported empty.
        occupied_as_empty: share of occupied ones reported empty.
        statuses: number of images by status, of occupied and of empty wells.
        sizes: what else is measured, by group of `SIZES`.
        cpu_ms: CPU time per image, in ms.
    """

    detector: str
    part: str
    occupied: int = 0
    empty: int = 0
    coco: dict[str, dict[str, float]] = field(default_factory=dict)
    empty_as_empty: float = 0.0
    occupied_as_empty: float = 0.0
    statuses: dict[str, dict[str, int]] = field(default_factory=dict)
    sizes: dict[str, Sized] = field(default_factory=dict)
    cpu_ms: float = 0.0


@dataclass
class Sized:
    """Figures of the specimens of one size.

    Attributes:
        specimens: their number.
        missed: share of them whose well is reported empty.
        mask_iou: median IoU of mask and outline, over those with a mask.
        errors: median and 90th percentile of the relative error of area fraction, scale factor and organism
            pixels, over boxes that overlap the specimen's by half at least.
    """

    specimens: int
    missed: float
    mask_iou: float | None
    errors: dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Compared:
    """One specimen: the share of the image that its box takes, and what was found of it (`Sized`)."""

    share: float
    missed: bool
    mask_iou: float | None
    errors: dict[str, float]


def measure(images: Path, annotated: list[Annotated], detector: Detector, part: str) -> Result:
    """Run a detector over annotated images and compare."""
    result = Result(detector.name, part)
    statuses: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    detections: list[Detection] = []
    compared: list[Compared] = []
    seconds = 0.0
    for image in annotated:
        pixels = read_pixels(images, image)
        start = time.process_time()
        detection = detector.detect(pixels)
        seconds += time.process_time() - start
        detections.append(detection)
        statuses[image.box is not None][detection.status] += 1
        if image.box is not None:
            compared.append(_compare(image, detection))
    full, bare = statuses[True], statuses[False]
    result.occupied, result.empty = full.total(), bare.total()
    result.empty_as_empty = bare["empty"] / max(bare.total(), 1)
    result.occupied_as_empty = full["empty"] / max(full.total(), 1)
    result.statuses = {"occupied": dict(sorted(full.items())), "empty": dict(sorted(bare.items()))}
    result.sizes = {
        name: _summary(group)
        for name, (low, high) in SIZES.items()
        if (group := [one for one in compared if low <= one.share <= high])
    }
    result.cpu_ms = 1000 * seconds / max(len(annotated), 1)
    result.coco = coco_figures(annotated, detections)
    return result


def coco_figures(annotated: list[Annotated], detections: list[Detection]) -> dict[str, dict[str, float]]:
    """COCO's precision and recall, by size of the specimen's box."""
    truth: dict[str, Any] = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "specimen"}]}
    found = []
    # Every image as large as the largest one, so that one share of an image is one area.
    pixels = max((image.size[0] * image.size[1] for image in annotated), default=1)
    for number, (image, detection) in enumerate(zip(annotated, detections, strict=True), 1):
        width, height = image.size
        scale = (pixels / (width * height)) ** 0.5
        truth["images"].append({"id": number, "width": width * scale, "height": height * scale})
        if image.box is not None:
            x0, y0, x1, y1 = (edge * scale for edge in image.box)
            entry = {"id": number, "image_id": number, "category_id": 1, "iscrowd": 0, "area": share_of(image) * pixels}
            truth["annotations"].append({**entry, "bbox": [x0, y0, x1 - x0, y1 - y0]})
        if detection.box is not None:
            x0, y0, x1, y1 = (edge * scale for edge in detection.box)
            box = [x0, y0, x1 - x0, y1 - y0]
            found.append({"image_id": number, "category_id": 1, "bbox": box, "score": detection.confidence})
    if not found or not truth["annotations"]:
        return {}
    with extras_named():
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(found), "bbox")
        evaluation.params.areaRng = [[low * pixels, high * pixels] for low, high in SIZES.values()]
        evaluation.params.areaRngLbl = list(SIZES)
        evaluation.evaluate()
        evaluation.accumulate()
    # Axes: IoU 0.50 to 0.95 in steps of 0.05, recall, class, group, detections per image (1, 10, 100).
    precision, recall = evaluation.eval["precision"][:, :, 0, :, 2], evaluation.eval["recall"][:, 0, :, 2]
    figures = {}
    for place, (name, (low, high)) in enumerate(SIZES.items()):
        areas = np.array([entry["area"] / pixels for entry in truth["annotations"]])
        count = int(((areas >= low) & (areas <= high)).sum())
        if count:
            figures[name] = {
                "specimens": count,
                "AP50": float(precision[0, :, place].mean()),
                "AP75": float(precision[5, :, place].mean()),
                "AP": float(precision[:, :, place].mean()),
                "AR": float(recall[:, place].mean()),
            }
    return figures


def share_of(image: Annotated) -> float:
    """Share of an occupied image that its specimen's box takes."""
    assert image.box is not None
    x0, y0, x1, y1 = image.box
    return (x1 - x0) * (y1 - y0) / (image.size[0] * image.size[1])


def _mask_iou(mask: Any, image: Annotated) -> float:
    resized = cv2.resize(np.asarray(mask > 0, np.uint8), image.size, interpolation=cv2.INTER_NEAREST)
    drawn, wanted = np.asarray(resized, np.bool_), image.mask().astype(np.bool_)
    union = int(np.count_nonzero(drawn | wanted))
    return int(np.count_nonzero(drawn & wanted)) / max(union, 1)


def _compare(image: Annotated, detection: Detection) -> Compared:
    assert image.box is not None
    width, height = image.size
    share = share_of(image)
    if detection.box is None:
        return Compared(share, detection.status == "empty", None, {})
    mask_iou = None if detection.mask is None else _mask_iou(detection.mask, image)
    errors: dict[str, float] = {}
    if box_iou(image.box, detection.box) >= 0.5:
        wanted, got = whole_pixels(image.box, width, height), whole_pixels(detection.box, width, height)
        areas = area_fraction(got, width, height), area_fraction(wanted, width, height)
        errors["area_fraction"] = _relative(*areas)
        errors["scale_factor"] = _relative(scale_factor(got), scale_factor(wanted))
        if detection.mask is not None:
            counted, true = measurement_at_1024(detection.mask), measurement_at_1024(image.mask())
            errors["image_measurement_value"] = _relative(counted, true)
    return Compared(share, detection.status == "empty", mask_iou, errors)


def _summary(group: list[Compared]) -> Sized:
    masks = [one.mask_iou for one in group if one.mask_iou is not None]
    errors = {}
    for name in ("area_fraction", "scale_factor", "image_measurement_value"):
        values = [one.errors[name] for one in group if name in one.errors]
        if values:
            errors[name] = [round(float(np.quantile(values, share)), 4) for share in (0.5, 0.9)]
    missed = sum(one.missed for one in group) / len(group)
    return Sized(len(group), missed, float(np.median(masks)) if masks else None, errors)


def _relative(got: float, wanted: float) -> float:
    return abs(got - wanted) / max(wanted, 1e-4)


def box_iou(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Intersection over union of two boxes."""
    width = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return width * height / max(areas - width * height, 1e-9)


def show(result: Result) -> str:
    """A result as lines of text."""
    lines = [f"detector          {result.detector}"]
    lines.append(f"images            {result.occupied} occupied, {result.empty} empty ({result.part})")
    for name, figures in result.coco.items():
        text = "  ".join(f"{key} {value:.3f}" for key, value in figures.items() if key != "specimens")
        lines.append(f"{name:8}{figures['specimens']:5}     {text}")
    lines.append(f"empty as empty    {result.empty_as_empty:.3f}")
    lines.append(f"occupied as empty {result.occupied_as_empty:.3f}")
    for name, counts in result.statuses.items():
        lines.append(f"statuses {name:9} {counts}")
    for name, sized in result.sizes.items():
        text = f"reported empty {sized.missed:.3f}"
        if sized.mask_iou is not None:
            text += f"  mask IoU {sized.mask_iou:.3f} (median)"
        lines.append(f"{name:8}{sized.specimens:5}     {text}")
        lines += [
            f"    error of {what}: {median:.1%} median, {ninth:.1%} at the 90th percentile"
            for what, (median, ninth) in sized.errors.items()
        ]
    lines.append(f"CPU per image     {result.cpu_ms:.1f} ms")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("images", type=Path)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("--detector", default="trained")
    parser.add_argument("--part", choices=(*PARTS, "all"), default="validation")
    parser.add_argument("--empty-confidence", type=float, help="another than the detector's own")
    parser.add_argument("--min-confidence", type=float, help="another than the detector's own")
    parser.add_argument("--output", type=Path, help="write the figures as JSON, too")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    annotated = read_annotations(arguments.annotations, None if arguments.part == "all" else arguments.part)
    if not annotated:
        raise SystemExit(f"{arguments.annotations} has no image in the part {arguments.part}")
    settings = ImageSettings(
        detector=arguments.detector,
        empty_confidence="auto" if arguments.empty_confidence is None else arguments.empty_confidence,
        min_confidence="auto" if arguments.min_confidence is None else arguments.min_confidence,
    )
    detector = load_detector(settings)
    result = measure(arguments.images, annotated, detector, arguments.part)
    print(show(result))
    if arguments.output is not None:
        arguments.output.write_text(json.dumps(asdict(result), indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    execute(main)
