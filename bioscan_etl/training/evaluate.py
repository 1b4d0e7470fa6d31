"""Measure a detector on annotated images, with 95 % intervals.

    python -m bioscan_etl.training.evaluate IMAGES ANNOTATIONS.coco.json [--detector trained] [--part validation]
        [--triage TRIAGE.csv] [--output RESULT.json] [--markdown] [--curve CURVE.csv] [--plot CURVE.png]

Needs pycocotools. The detector is what the setting `images.detector` takes: `trained`, `segmentation`, a model
`.onnx` or `.pt`, or the folder of a trained detector. The figures are those of what it reports, so an occupied well
that it reports empty has no box.

With a triage the figures are those of the images on which triage and outlines agree (`labels`); the disputed ones are
reported apart, and each value of the triage on its own. `--curve` and `--plot` need the presence score of `trained`
(`budget`).
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from itertools import compress
from pathlib import Path

import numpy as np

from bioscan_etl.images.detection import Detection, Detector
from bioscan_etl.settings import ImageSettings
from bioscan_etl.training.intervals import Interval, intervals
from bioscan_etl.training.outcomes import FIGURES, REVIEW, Flags, Outcomes, figures_of_size, outcomes_of
from bioscan_etl.training.script import execute, extras_of

with extras_of(__name__):
    import cv2

    from bioscan_etl.images.detect import load_detector
    from bioscan_etl.training.budget import curve, plot, write_curve
    from bioscan_etl.training.coco_figures import coco_figures
    from bioscan_etl.training.dataset import PARTS, Annotated, read_annotations, read_pixels
    from bioscan_etl.training.derived import Compared, Sized, by_size, compare
    from bioscan_etl.training.report import as_markdown, as_text


@dataclass
class Group:
    """Some of the images.

    Attributes:
        agreed: whether outlines and triage agree on them.
        occupied: number of images with a specimen outlined.
        empty: number of images without one.
        figures: those of `outcomes.FIGURES` and `outcomes.REVIEW` that can be taken.
        statuses: number of images by status, of occupied and of empty wells.
    """

    agreed: bool
    occupied: int
    empty: int
    figures: dict[str, Interval]
    statuses: dict[str, dict[str, int]]


@dataclass
class Result:
    """What `measure` finds; all but `groups` on the images with an agreed label.

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
        intervals: by group of `SIZES`, the figures of `outcomes.FIGURES` that can be taken of its specimens.
        groups: `agreed`, `disputed` if there are any, and each pair of outline and triage, as `specimen, valid`.
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
    intervals: dict[str, dict[str, Interval]] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    cpu_ms: float = 0.0


def measure(images: Path, annotated: list[Annotated], detector: Detector, part: str) -> Result:
    """Run a detector over annotated images and compare."""
    return run(images, annotated, detector, part)[0]


def run(images: Path, annotated: list[Annotated], detector: Detector, part: str) -> tuple[Result, Outcomes]:
    """As `measure`, with the outcomes of the images that have an agreed label."""
    detections: list[Detection] = []
    compared: list[Compared] = []
    seconds = 0.0
    for image in annotated:
        pixels = read_pixels(images, image)
        start = time.process_time()
        detection = detector.detect(pixels)
        seconds += time.process_time() - start
        if image.box is not None and image.agreed:
            compared.append(compare(image, detection))
        detections.append(replace(detection, mask=None))  # masks of a thousand images take a gigabyte
    outcomes = outcomes_of(annotated, detections)
    kept = np.array([image.agreed for image in annotated], np.bool_)
    agreed = outcomes.only(kept)
    head = _group(annotated, detections, outcomes, kept, agreed=True)
    result = Result(detector.name, part, head.occupied, head.empty, statuses=head.statuses)
    result.empty_as_empty = head.statuses["empty"].get("empty", 0) / max(head.empty, 1)
    result.occupied_as_empty = head.statuses["occupied"].get("empty", 0) / max(head.occupied, 1)
    result.coco = coco_figures(list(compress(annotated, kept)), list(compress(detections, kept)))
    result.sizes = by_size(compared)
    result.intervals = {name: _of_size(agreed, name) for name in result.sizes}
    result.groups = {"agreed": head} | _groups(annotated, detections, outcomes)
    result.cpu_ms = 1000 * seconds / max(len(annotated), 1)
    return result, agreed


def _groups(annotated: list[Annotated], detections: list[Detection], outcomes: Outcomes) -> dict[str, Group]:
    """The disputed images together, and each pair of outline and triage; none without a triage."""
    if all(image.triage is None for image in annotated):
        return {}
    found = {}
    disputed = np.array([not image.agreed for image in annotated], np.bool_)
    if disputed.any():
        found["disputed"] = _group(annotated, detections, outcomes, disputed, agreed=False)
    pairs = [
        ("empty" if image.box is None else "specimen", image.triage or "not sorted again", image.agreed)
        for image in annotated
    ]
    for pair in sorted(set(pairs)):
        kept = np.array([one == pair for one in pairs], np.bool_)
        found[f"{pair[0]}, {pair[1]}"] = _group(annotated, detections, outcomes, kept, agreed=pair[2])
    return found


def _group(
    annotated: list[Annotated],
    detections: list[Detection],
    outcomes: Outcomes,
    kept: Flags,
    *,
    agreed: bool,
) -> Group:
    statuses: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for image, detection in compress(zip(annotated, detections, strict=True), kept):
        statuses[image.box is not None][detection.status] += 1
    full, bare = statuses[True], statuses[False]
    counts = {"occupied": dict(sorted(full.items())), "empty": dict(sorted(bare.items()))}
    return Group(agreed, full.total(), bare.total(), intervals(outcomes.only(kept), FIGURES | REVIEW), counts)


def _of_size(outcomes: Outcomes, size: str) -> dict[str, Interval]:
    lost = {"occupied_as_empty": FIGURES["occupied_as_empty"]}
    return intervals(outcomes, figures_of_size(size)) | intervals(outcomes.only(outcomes.is_of(size)), lost)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("images", type=Path)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("--detector", default="trained")
    parser.add_argument("--part", choices=(*PARTS, "all"), default="validation")
    parser.add_argument("--triage", type=Path, help="CSV of a second triage: figures of the agreed labels")
    parser.add_argument("--empty-confidence", type=float, help="another than the detector's own")
    parser.add_argument("--min-confidence", type=float, help="another than the detector's own")
    parser.add_argument("--output", type=Path, help="write the figures as JSON, too")
    parser.add_argument("--markdown", action="store_true", help="print the tables of the model card")
    parser.add_argument("--curve", type=Path, help="write the review budget as CSV")
    parser.add_argument("--plot", type=Path, help="draw the review budget as PNG")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    part = None if arguments.part == "all" else arguments.part
    annotated = read_annotations(arguments.annotations, part, arguments.triage)
    if not annotated:
        raise SystemExit(f"{arguments.annotations} has no image in the part {arguments.part}")
    settings = ImageSettings(
        detector=arguments.detector,
        empty_confidence="auto" if arguments.empty_confidence is None else arguments.empty_confidence,
        min_confidence="auto" if arguments.min_confidence is None else arguments.min_confidence,
    )
    detector = load_detector(settings)
    result, outcomes = run(arguments.images, annotated, detector, arguments.part)
    figures = asdict(result)
    print(as_markdown(figures) if arguments.markdown else as_text(figures))
    if arguments.output is not None:
        arguments.output.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    if arguments.curve is not None or arguments.plot is not None:
        points = curve(outcomes)
        if arguments.curve is not None:
            write_curve(arguments.curve, points)
        if arguments.plot is not None:
            plot(arguments.plot, points)


if __name__ == "__main__":
    execute(main)
