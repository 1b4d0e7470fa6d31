"""Measure a detector on annotated images with COCO's own code.

    python detector/evaluate_baseline.py IMAGES ANNOTATIONS.coco.json [--detector segmentation] [--half held_out]

Needs pycocotools. Prints AP at IoU 0.50, 0.75 and 0.50:0.95, AR at 0.50:0.95, how many empty images are
reported empty and how many occupied ones are, the statuses, and the CPU time per image.

The weights and `images.empty_confidence` come from the half `fit`. The cuts, the features, the pairwise products
and the trim of the edges were chosen while looking at both halves, so `held_out` flatters the baseline a little.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import time
from collections import Counter
from pathlib import Path

import cv2
from fit_baseline import MAX_PIXELS, half
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from bioscan_etl.images.decode import decode
from bioscan_etl.images.detect import load_detector
from bioscan_etl.settings import ImageSettings


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("images", type=Path)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("--detector", default="segmentation")
    parser.add_argument("--half", choices=("fit", "held_out", "both"), default="held_out")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    detector = load_detector(ImageSettings(detector=arguments.detector))
    truth = json.loads(arguments.annotations.read_text(encoding="utf-8"))
    images = [image for image in truth["images"] if arguments.half in ("both", half(image["file_name"]))]
    occupied = {entry["image_id"] for entry in truth["annotations"]}

    results = []
    statuses: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    seconds = 0.0
    for image in images:
        pixels = decode((arguments.images / image["file_name"]).read_bytes(), MAX_PIXELS)
        start = time.process_time()
        detection = detector.detect(pixels)
        seconds += time.process_time() - start
        statuses[image["id"] in occupied][detection.status] += 1
        if detection.box is not None:
            x0, y0, x1, y1 = detection.box
            box = [x0, y0, x1 - x0, y1 - y0]
            results.append({"image_id": image["id"], "category_id": 1, "bbox": box, "score": detection.confidence})

    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        coco = COCO(str(arguments.annotations))
        evaluation = COCOeval(coco, coco.loadRes(results), "bbox")
        evaluation.params.imgIds = [image["id"] for image in images]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    stats = evaluation.stats
    full, empty = statuses[True], statuses[False]
    print(f"detector          {detector.name}")
    print(f"images            {full.total()} occupied, {empty.total()} empty (half: {arguments.half})")
    print(f"AP 0.50           {stats[1]:.3f}")
    print(f"AP 0.75           {stats[2]:.3f}")
    print(f"AP 0.50:0.95      {stats[0]:.3f}")
    print(f"AR 0.50:0.95      {stats[6]:.3f}")
    print(f"empty as empty    {empty['empty'] / max(empty.total(), 1):.3f}")
    print(f"occupied as empty {full['empty'] / max(full.total(), 1):.3f}")
    print(f"statuses occupied {dict(sorted(full.items()))}")
    print(f"statuses empty    {dict(sorted(empty.items()))}")
    print(f"CPU ms per image  {1000 * seconds / len(images):.1f}")


if __name__ == "__main__":
    main()
