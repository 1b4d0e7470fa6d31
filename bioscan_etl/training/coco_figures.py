"""Precision and recall of detections by COCO's own code (pycocotools).

Belongs here: the call of pycocotools. Does not belong here: the same figures with weights, which intervals need
(`outcomes`).
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from bioscan_etl.extras import extras_named
from bioscan_etl.images.detection import Detection
from bioscan_etl.training.dataset import Annotated
from bioscan_etl.training.outcomes import SIZES, share_of


def coco_figures(annotated: Sequence[Annotated], detections: Sequence[Detection]) -> dict[str, dict[str, float]]:
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
