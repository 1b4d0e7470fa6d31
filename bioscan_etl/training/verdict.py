"""Whether a tuned detector may replace the current one: both measured on the same images, and compared.

Belongs here: the images to measure on, and the output with the result. Does not belong here: how one detector is
measured (`evaluate`), when the tuned one is refused (`comparison`), which images changed (`changes`), and where a
detector that may be used is kept (`promoted`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bioscan_etl.errors import LakeError, SettingsError
from bioscan_etl.images.decode import UnreadableImage
from bioscan_etl.images.detect import detector_fingerprint, load_detector
from bioscan_etl.images.detection import Detection
from bioscan_etl.io.read import file_sha256
from bioscan_etl.io.write import write_text
from bioscan_etl.lake import Draft, Lake, Output, digest
from bioscan_etl.lake.current import get
from bioscan_etl.printable import printable
from bioscan_etl.settings import Settings
from bioscan_etl.training.changes import changes, listed
from bioscan_etl.training.changes_page import Verdict, template_digest, write_pages
from bioscan_etl.training.comparison import compare, figures, reasons, remarks, table
from bioscan_etl.training.dataset import Annotated, part_of, read_annotated_image, read_annotations
from bioscan_etl.training.evaluate import measure
from bioscan_etl.training.outputs import make
from bioscan_etl.training.reviewed import ANNOTATIONS, REVIEWED
from bioscan_etl.training.tuning import TUNED
from bioscan_etl.training.views import detect_views, outcomes_of_views

EVALUATION = "detector_evaluation"


@dataclass(frozen=True, slots=True)
class Demands:
    """What detectors are measured on, and what is allowed.

    Attributes:
        annotations: COCO file to measure on; empty: the validation part of the reviewed boxes.
        images: folder of its images.
        part: part of that file, `validation` or `all`.
        tolerance: by which a figure may get worse (`comparison`).
        least: occupied images that a verdict needs.
    """

    annotations: str = ""
    images: str = ""
    part: str = "validation"
    tolerance: float = 0.02
    least: int = 20


def evaluate(home: Lake, settings: Settings, demands: Demands) -> Output:
    """Measure the detector of the settings and the tuned one on images that neither may have learnt from.

    Args:
        home: the lake, with the outputs `reviewed_boxes` and `tuned_detector`.
        settings: of the corpus.
        demands: what is measured on, and what is allowed.

    Returns:
        The output: its counts hold the figures of both, the number of images, under `worse` the reasons against the
        tuned detector, none if it may be used, and under `remarks` what else a curator must know. Its files are
        `evaluation.json`, and the pictures of the images that changed (`changes_page`).

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
        results: dict[str, Any] = {}
        views: dict[str, list[list[Detection]]] = {}
        chosen = {"current": settings.images.detector, "tuned": str(tuned.folder / "detector")}
        try:
            for name, choice in chosen.items():
                detector = load_detector(settings.images.model_copy(update={"detector": choice}))
                results[name] = asdict(measure(images, truth, detector, demands.part))
                del results[name]["cpu_ms"]  # no two runs take the same time
                views[name] = detect_views(images, truth, detector)
            outcomes = {name: outcomes_of_views(truth, found) for name, found in views.items()}
            counts = {"occupied": occupied, "empty": len(truth) - occupied}
            compared = compare(outcomes["current"], outcomes["tuned"], demands.tolerance)
            names = [printable(image.file_name) for image in truth]
            against, said = reasons(compared), remarks(compared, names, counts)
            before, after = ([found[0] for found in views[name]] for name in chosen)  # as they are, not mirrored
            became_worse, became_better = changes(truth, before, after)
            both = results["current"]["detector"], results["tuned"]["detector"]
            shown = Verdict(*both, counts, compared, against, said)
            write_pages(draft.folder, images, shown, became_worse, became_better)
        except (UnreadableImage, ValueError) as error:
            raise SettingsError(f"the detectors cannot be measured on {images}: {error}") from None
        results |= {
            "compared": [asdict(one) | {"image": names[one.image]} for one in compared],
            "became_worse": listed(became_worse),
            "became_better": listed(became_better),
        }
        write_text(draft.folder / "evaluation.json", json.dumps(results, indent=1, sort_keys=True) + "\n")
        draft.counts |= {
            "figures": {name: figures(one) for name, one in outcomes.items()},
            "images": counts | {"left_out": learnt},
            "table": table(compared),
            "changed": {"worse": len(became_worse), "better": len(became_better)},
            "tuned": tuned.content,
            "current": results["current"]["detector"],
            "worse": against,
            "remarks": said,
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
            "page": template_digest(),
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
