"""A detection model in ONNX, exported by Ultralytics, run by ONNX Runtime on the CPU."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from bioscan_etl.errors import SettingsError
from bioscan_etl.images.decode import RGB
from bioscan_etl.images.detect import Detection, status_of
from bioscan_etl.settings import ImageSettings

_PAD = 114  # grey that Ultralytics letterboxes with in training
_DYNAMIC_SIDE = 640  # side of the input where the export left it open
_OVERLAP = 0.5  # IoU above which two boxes are one specimen
_FLOOR = 0.01  # confidence below which candidates are not even compared
_CANDIDATES = 300


class OnnxDetector:
    """Boxes of an Ultralytics detection export: input (1, 3, h, w), output (1, 4 + classes, candidates)."""

    def __init__(self, path: Path, settings: ImageSettings) -> None:
        import onnxruntime

        try:
            data = path.read_bytes()
        except OSError as error:
            raise SettingsError(
                f"images.detector: model {path} cannot be read: {error.strerror}; check the path"
            ) from None
        options = onnxruntime.SessionOptions()
        # Images are spread over threads already; one thread per image also fixes the order of sums.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session: Any = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises its own kinds, which derive from nothing common
            first = str(error).splitlines()[0]
            raise SettingsError(f"images.detector: {path} is no ONNX model that can be run: {first}") from None
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        shape, out = inputs[0].shape, outputs[0].shape
        if len(inputs) != 1 or len(shape) != 4 or shape[1] != 3 or inputs[0].type != "tensor(float)":
            raise SettingsError(f"images.detector: {path} takes {shape}, not one float image (1, 3, height, width)")
        if len(out) != 3 or (isinstance(out[1], int) and out[1] < 5):
            raise SettingsError(f"images.detector: {path} gives {out}, not (1, 4 + classes, candidates)")
        height, width = (side if isinstance(side, int) else _DYNAMIC_SIDE for side in shape[2:])
        self._height, self._width = height, width
        self._input, self._output = inputs[0].name, outputs[0].name
        self._settings = settings
        self.name = f"{path.stem}-{hashlib.sha256(data).hexdigest()[:12]}"
        answer = self._run(np.full((height, width, 3), _PAD, np.uint8))
        if answer.ndim != 3 or answer.shape[0] != 1 or answer.shape[1] < 5:
            raise SettingsError(f"images.detector: {path} gives {answer.shape}, not (1, 4 + classes, candidates)")

    def detect(self, image: RGB) -> Detection:
        """Find the specimen; the most confident box after non-maximum suppression."""
        letterboxed, scale, left, top = _letterbox(image, self._width, self._height)
        rows = self._run(letterboxed)[0].T
        confidences = rows[:, 4:].max(axis=1)
        order = np.argsort(-confidences, kind="stable")[:_CANDIDATES]
        order = order[confidences[order] >= _FLOOR]
        if order.size == 0:
            return Detection(None, 0.0, 0, "empty")
        boxes = _to_image(rows[order, :4].astype(np.float64), scale, (left, top), image.shape)
        kept = _suppress(boxes)
        best = float(min(max(confidences[order][kept[0]], 0.0), 1.0))
        specimens = int(np.count_nonzero(confidences[order][kept] >= self._settings.min_confidence))
        status = status_of(best, specimens, self._settings)
        if status == "empty":
            return Detection(None, best, 0, status)
        x0, y0, x1, y1 = (float(value) for value in boxes[kept[0]])
        return Detection((x0, y0, x1, y1), best, max(specimens, 1), status)

    def _run(self, image: RGB) -> npt.NDArray[np.float32]:
        planes = np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
        answer: npt.NDArray[np.float32] = self._session.run([self._output], {self._input: planes})[0]
        return answer


def _letterbox(image: RGB, width: int, height: int) -> tuple[RGB, float, int, int]:
    """Fit an image into (height, width) with its aspect kept; also the scale and the padding left and top."""
    scale = min(width / image.shape[1], height / image.shape[0])
    inner_width = max(1, round(image.shape[1] * scale))
    inner_height = max(1, round(image.shape[0] * scale))
    filtering = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    left, top = (width - inner_width) // 2, (height - inner_height) // 2
    canvas = np.full((height, width, 3), _PAD, np.uint8)
    canvas[top : top + inner_height, left : left + inner_width] = cv2.resize(
        image, (inner_width, inner_height), interpolation=filtering
    )
    return canvas, scale, left, top


def _to_image(
    centred: npt.NDArray[np.float64], scale: float, corner: tuple[int, int], shape: tuple[int, ...]
) -> npt.NDArray[np.float64]:
    """(x, y, w, h) around centres in the letterbox to (x0, y0, x1, y1) in the image, clipped to it."""
    half = centred[:, 2:] / 2
    corners = (np.hstack((centred[:, :2] - half, centred[:, :2] + half)) - (*corner, *corner)) / scale
    clipped: npt.NDArray[np.float64] = np.clip(corners, 0, (shape[1], shape[0], shape[1], shape[0]))
    return clipped


def _suppress(boxes: npt.NDArray[np.float64]) -> list[int]:
    """Non-maximum suppression of boxes that are sorted by falling confidence; positions that stay."""
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    left = np.arange(len(boxes))
    kept: list[int] = []
    while left.size:
        first, left = int(left[0]), left[1:]
        kept.append(first)
        shared = np.clip(
            np.minimum(boxes[first, 2:], boxes[left, 2:]) - np.maximum(boxes[first, :2], boxes[left, :2]), 0, None
        ).prod(axis=1)
        union = areas[first] + areas[left] - shared
        left = left[shared <= _OVERLAP * union]
    return kept
