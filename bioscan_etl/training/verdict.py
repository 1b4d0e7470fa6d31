"""Whether a tuned detector may replace the current one: both measured on the same images, and compared.

Belongs here: the images to measure on, the figures that count, and in what a detector is worse. Does not belong here:
how one detector is measured (`evaluate`), and where a detector that may be used is kept (`promoted`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bioscan_etl.errors import LakeError, SettingsError
from bioscan_etl.images.decode import UnreadableImage
from bioscan_etl.images.detect import detector_fingerprint, load_detector
from bioscan_etl.io.read import file_sha256
from bioscan_etl.io.write import write_text
from bioscan_etl.lake import Draft, Lake, Output, digest
from bioscan_etl.lake.current import get
from bioscan_etl.settings import Settings
from bioscan_etl.training.dataset import Annotated, part_of, read_annotated_image, read_annotations
from bioscan_etl.training.evaluate import measure
from bioscan_etl.training.outputs import make
from bioscan_etl.training.reviewed import ANNOTATIONS, REVIEWED
from bioscan_etl.training.tuning import TUNED

EVALUATION = "detector_evaluation"

Figures = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Demands:
    """What detectors are measured on, and what is allowed.

    Attributes:
        annotations: COCO file to measure on; empty: the validation part of the reviewed boxes.
        images: folder of its images.
        part: part of that file, `validation` or `all`.
        tolerance: by which AP(0.75) and AR may fall.
        least: occupied images that a verdict needs.
    """

    annotations: str = ""
    images: str = ""
    part: str = "validation"
    tolerance: float = 0.01
    least: int = 20


def evaluate(home: Lake, settings: Settings, demands: Demands) -> Output:
    """Measure the detector of the settings and the tuned one on images that neither may have learnt from.

    Args:
        home: the lake, with the outputs `reviewed_boxes` and `tuned_detector`.
        settings: of the corpus.
        demands: what is measured on, and what is allowed.

    Returns:
        The output: its counts hold the figures of both, the number of images, and under `worse` the reasons against the
        tuned detector, none if it may be used.

    Raises:
        SettingsError: too few images, or images that cannot be measured on.
        LakeError: the tuned detector was made from other reviews.
    """
    tuned, reviewed = get(home, TUNED), get(home, REVIEWED)
    if tuned.made_from["inputs"]["reviewed_boxes"] != reviewed.content:
        raise LakeError("reviewed_boxes have changed since tuned_detector was made; materialise tuned_detector again")
    images, truth, learnt = _images(demands, reviewed)
    occupied = sum(image.box is not None for image in truth)
    if occupied < demands.least:
        raise SettingsError(
            f"there are {occupied} occupied images to measure on, {demands.least} are needed; review more, or name "
            "annotated images in ops.tuned_detector_not_worse.config.annotations and images"
        )

    def build(draft: Draft) -> None:
        results = {}
        for name, choice in (("current", settings.images.detector), ("tuned", str(tuned.folder / "detector"))):
            detector = load_detector(settings.images.model_copy(update={"detector": choice}))
            try:
                results[name] = asdict(measure(images, truth, detector, demands.part))
            except (UnreadableImage, ValueError) as error:
                raise SettingsError(f"the detectors cannot be measured on {images}: {error}") from None
            del results[name]["cpu_ms"]  # no two runs take the same time
        write_text(draft.folder / "evaluation.json", json.dumps(results, indent=1, sort_keys=True) + "\n")
        both = {name: figures(result) for name, result in results.items()}
        draft.counts |= {
            "figures": both,
            "images": {"occupied": occupied, "empty": len(truth) - occupied, "left_out": learnt},
            "tuned": tuned.content,
            "current": results["current"]["detector"],
            "worse": worse(both["current"], both["tuned"], demands.tolerance),
        }

    content = [[image.file_name, file_sha256(str(images / image.file_name)), image.box] for image in truth]
    output, _ = make(
        home,
        settings,
        EVALUATION,
        code="verdict",
        inputs={
            "tuned": tuned.content,
            "current": detector_fingerprint(settings.images),
            "validation": digest([demands.part, content]),
            "tolerance": demands.tolerance,
        },
        reads=("images.*",),
        build=build,
    )
    return output


def _images(demands: Demands, reviewed: Output) -> tuple[Path, list[Annotated], int]:
    """Folder and images to measure on, and the number of images left out because the tuned detector learnt them."""
    if demands.part not in ("validation", "all"):
        raise SettingsError(f"ops.tuned_detector_not_worse.config.part {demands.part!r} is neither validation nor all")
    if bool(demands.annotations) != bool(demands.images):
        raise SettingsError("ops.tuned_detector_not_worse.config needs annotations and images, or neither")
    if not demands.annotations:
        return reviewed.folder / "images", read_annotations(reviewed.path(ANNOTATIONS), "validation"), 0
    learnt = {
        sha256
        for name, sha256 in reviewed.files.items()
        if name.startswith("images/") and part_of(name.removeprefix("images/")) != "validation"
    }
    folder = Path(demands.images)
    given = read_annotations(Path(demands.annotations), None if demands.part == "all" else "validation")
    kept = [
        image
        for image in given
        if hashlib.sha256(read_annotated_image(folder, image.file_name)).hexdigest() not in learnt
    ]
    return folder, kept, len(given) - len(kept)


def figures(result: Mapping[str, Any]) -> dict[str, float]:
    """The figures of a measurement that count (`evaluate.Result` as a dictionary); without any box AP and AR are 0."""
    coco = result["coco"].get("all", {})
    bare, full = result["statuses"]["empty"], result["statuses"]["occupied"]
    return {
        **{name: round(coco.get(name, 0.0), 4) for name in ("AP50", "AP75", "AP", "AR")},
        "empty dishes not reported empty": result["empty"] - bare.get("empty", 0),
        "occupied dishes reported empty": full.get("empty", 0),
    }


def worse(current: Figures, tuned: Figures, tolerance: float) -> list[str]:
    """The figures in which the tuned detector is worse; empty if it may replace the current one.

    Args:
        current: figures of the detector of the settings.
        tuned: figures of the tuned detector.
        tolerance: by which AP(0.75) and AR may fall.
    """
    reasons = [
        f"{name} {tuned[name]:.3f} after {current[name]:.3f}, allowed is a fall of {tolerance:g}"
        for name in ("AP75", "AR")
        if tuned[name] < current[name] - tolerance
    ]
    confused = ("empty dishes not reported empty", "occupied dishes reported empty")
    return reasons + [f"{tuned[name]} {name} after {current[name]}" for name in confused if tuned[name] > current[name]]


def table(both: Mapping[str, Figures]) -> str:
    """The figures of both detectors as a Markdown table."""
    lines = ["| | current | tuned |", "|---|---|---|"]
    return "\n".join(
        [*lines, *(f"| {name} | {value} | {both['tuned'][name]} |" for name, value in both["current"].items())]
    )
