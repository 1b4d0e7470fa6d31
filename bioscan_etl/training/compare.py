"""Compare two detectors on the same images, with 95 % intervals of the differences.

    python -m bioscan_etl.training.compare IMAGES ANNOTATIONS.coco.json AFTER [--before trained] [--part validation]
        [--triage TRIAGE.csv] [--views 4] [--output RESULT.json] [--changes IMAGES.csv]

AFTER and BEFORE are values of `images.detector`. Both see the same pictures, so that hard images count for both alike.
With `--views 4` each image is also seen mirrored and turned (`views`); the views of an image are drawn together. With a
triage, agreed and disputed labels and each kind of image are compared apart.

`--changes` lists the images, in their first view, that became worse or better (`changes`).
"""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bioscan_etl.io.write import write_text
from bioscan_etl.settings import ImageSettings
from bioscan_etl.training.intervals import Interval, intervals, paired
from bioscan_etl.training.outcomes import Flags, Outcomes
from bioscan_etl.training.script import execute, extras_of

with extras_of(__name__):
    import cv2

    from bioscan_etl.images.detect import load_detector
    from bioscan_etl.training.changes import Change, changes
    from bioscan_etl.training.dataset import PARTS, Annotated, read_annotations
    from bioscan_etl.training.views import VIEWS, detect_views, outcomes_of_views


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of both detectors, and its difference.

    Attributes:
        before: of the first detector.
        after: of the second.
        difference: after minus before, on the same draws.
    """

    before: Interval
    after: Interval
    difference: Interval


def groups_of(annotated: Sequence[Annotated]) -> dict[str, Flags]:
    """The images of each group (images,): agreed, disputed, and with a triage each of its kinds among the agreed."""
    agreed = np.array([image.agreed for image in annotated], np.bool_)
    found = {"agreed": agreed, "disputed": ~agreed}
    for triage in sorted({image.triage for image in annotated if image.triage is not None and image.agreed}):
        found[triage] = agreed & np.array([image.triage == triage for image in annotated], np.bool_)
    return {name: kept for name, kept in found.items() if kept.any()}


def differences(before: Outcomes, after: Outcomes, groups: Mapping[str, Flags]) -> dict[str, dict[str, Difference]]:
    """The figures of both detectors by group, and their differences."""
    found = {}
    for name, kept in groups.items():
        pictures = kept[before.image]
        first, second = before.only(pictures), after.only(pictures)
        both, apart = (intervals(first), intervals(second)), paired(first, second)
        found[name] = {key: Difference(both[0][key], both[1][key], one) for key, one in apart.items()}
    return found


def as_text(found: Mapping[str, Mapping[str, Difference]]) -> str:
    """The differences as lines of text; a star marks those whose interval does not hold 0."""
    lines = []
    for name, figures in found.items():
        lines.append(name)
        for key, one in figures.items():
            sure = one.difference.low > 0 or one.difference.high < 0
            change = f"{one.difference.value:+.3f} [{one.difference.low:+.3f}, {one.difference.high:+.3f}]"
            lines.append(f"  {key:18} {one.before.value:.3f} -> {one.after.value:.3f}  {change}{' *' if sure else ''}")
    return "\n".join(lines)


def write_changes(path: Path, worse: Sequence[Change], better: Sequence[Change]) -> None:
    """Write the images that changed as CSV, the worse ones first."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image_file", "change", "status_before", "status_after", "iou_before", "iou_after"])
    for one in (*worse, *better):
        ious = ["" if found.iou is None else round(found.iou, 4) for found in (one.before, one.after)]
        writer.writerow([one.image.file_name, one.what, one.before.status, one.after.status, *ious])
    write_text(path, text.getvalue())


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("images", type=Path)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("after", help="the new detector")
    parser.add_argument("--before", default="trained", help="the one it is compared with")
    parser.add_argument("--part", choices=(*PARTS, "all"), default="validation")
    parser.add_argument("--triage", type=Path, help="CSV of a second triage")
    parser.add_argument("--views", type=int, choices=(1, VIEWS), default=1)
    parser.add_argument("--output", type=Path, help="write the differences as JSON, too")
    parser.add_argument("--changes", type=Path, help="list the images that became better or worse as CSV")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    part = None if arguments.part == "all" else arguments.part
    annotated = read_annotations(arguments.annotations, part, arguments.triage)
    if not annotated:
        raise SystemExit(f"{arguments.annotations} has no image in the part {arguments.part}")
    detectors = [load_detector(ImageSettings(detector=name)) for name in (arguments.before, arguments.after)]
    seen = [detect_views(arguments.images, annotated, detector, arguments.views) for detector in detectors]
    before, after = (outcomes_of_views(annotated, one) for one in seen)
    found = differences(before, after, groups_of(annotated))
    print(f"{detectors[0].name} -> {detectors[1].name}, {len(annotated)} images, {arguments.views} views")
    print(as_text(found))
    if arguments.output is not None:
        values = {name: {key: asdict(one) for key, one in figures.items()} for name, figures in found.items()}
        write_text(arguments.output, json.dumps(values, indent=1, sort_keys=True) + "\n")
    if arguments.changes is not None:
        write_changes(arguments.changes, *changes(annotated, *([one[0] for one in found] for found in seen)))


if __name__ == "__main__":
    execute(main)
