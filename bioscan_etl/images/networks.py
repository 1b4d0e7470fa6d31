"""Neural networks of a detector: ONNX models on the CPU, Ultralytics models on a GPU or CPU.

Belongs here: loading, the check that a model can be used, and the way from pixels to boxes. Does not belong here: what
is made of the boxes (`images.one_stage`, `images.trained`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from bioscan_etl.errors import SettingsError
from bioscan_etl.images.decode import RGB
from bioscan_etl.images.resize import resized
from bioscan_etl.images.vouched import require_shipped, require_trust

Floats = npt.NDArray[np.float32]
Boxes = npt.NDArray[np.float64]

_PAD = 114  # grey that Ultralytics letterboxes with in training
_DYNAMIC_SIDE = 640  # side of the input where an export left it open
_OVERLAP = 0.5  # IoU above which non-maximum suppression takes two boxes for one specimen
_FLOOR = 0.01  # candidates of lower confidence are dropped before non-maximum suppression
_CANDIDATES = 300
_MOST = 8  # boxes kept after non-maximum suppression


@dataclass(frozen=True, slots=True)
class Candidates:
    """Boxes of different objects, the most confident first.

    Attributes:
        boxes: (n, 4) x0, y0, x1, y1 in pixels of the image, within it.
        confidences: (n,) 0 to 1.
        best: confidence of the most confident box, even if no box was kept.
    """

    boxes: Boxes
    confidences: npt.NDArray[np.float64]
    best: float


class BoxNetwork(Protocol):
    """A network that proposes boxes; `propose` may be called from several threads."""

    digest: str

    def propose(self, image: RGB, half: RGB | None = None) -> Candidates:
        """Candidates in an image (height, width, 3), RGB, uint8; `half` is `resize.halved` of it, if at hand."""


def read_model(path: Path) -> bytes:
    """The bytes of a model.

    Raises:
        SettingsError: it cannot be read, or is a shipped model with other bytes.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"images.detector: model {path} cannot be read: {error.strerror}; check the path") from None
    require_shipped(path, data)
    return data


def open_session(data: bytes, path: Path) -> Any:
    """A session of ONNX Runtime on one thread of the CPU.

    Other threads work on other images already. One thread per image also keeps the order of sums the same.

    Raises:
        SettingsError: the bytes are not a model that can be run.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # its errors are exceptions; it also writes them on stderr, in colour
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own kinds, which derive from nothing common
        first = str(error).splitlines()[0]
        raise SettingsError(f"images.detector: {path} is no ONNX model that can be run: {first}") from None


def planes(image: RGB) -> Floats:
    """(1, 3, height, width) from 0 to 1, as the networks take it."""
    scaled: Floats = np.divide(cv2.split(image), np.float32(255), dtype=np.float32)
    return scaled[None]


class OnnxBoxes:
    """An Ultralytics detection export: input (1, 3, h, w), output (1, 4 + classes, candidates)."""

    def __init__(self, path: Path) -> None:
        data = read_model(path)
        self._session = open_session(data, path)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        shape, out = inputs[0].shape, outputs[0].shape
        if len(inputs) != 1 or len(shape) != 4 or shape[1] != 3 or inputs[0].type != "tensor(float)":
            raise SettingsError(f"images.detector: {path} takes {shape}, not one float image (1, 3, height, width)")
        if len(out) != 3 or (isinstance(out[1], int) and out[1] < 5):
            raise SettingsError(f"images.detector: {path} gives {out}, not (1, 4 + classes, candidates)")
        self._height, self._width = (side if isinstance(side, int) else _DYNAMIC_SIDE for side in shape[2:])
        self._input, self._output = inputs[0].name, outputs[0].name
        self.digest = hashlib.sha256(data).hexdigest()
        answer = self._run(np.full((self._height, self._width, 3), _PAD, np.uint8))
        if answer.ndim != 3 or answer.shape[0] != 1 or answer.shape[1] < 5:
            raise SettingsError(f"images.detector: {path} gives {answer.shape}, not (1, 4 + classes, candidates)")

    def propose(self, image: RGB, half: RGB | None = None) -> Candidates:
        """Candidates in an image; see `BoxNetwork`."""
        letterboxed, scale, left, top = letterbox(image, self._width, self._height, half)
        return _chosen(self._run(letterboxed)[0], scale, (left, top), image.shape)

    def _run(self, image: RGB) -> Floats:
        answer: Floats = self._session.run([self._output], {self._input: planes(image)})[0]
        return answer


class UltralyticsBoxes:
    """A detection model `.pt` of Ultralytics, on CUDA if there is a device, else on the CPU.

    Its input is the one that Ultralytics itself would make: the longer side at the training size, the other side padded
    to a multiple of the network's largest stride. A `.pt` file can run code when it is opened: `trusted` says that it
    may.
    """

    def __init__(self, path: Path, *, trusted: bool) -> None:
        data = read_model(path)
        require_trust(path, allowed=trusted)
        try:
            torch = import_module("torch")  # not in the base install, and untyped if it is missing
            from ultralytics import YOLO
        except ImportError:
            raise SettingsError(
                f"images.detector: {path} needs Ultralytics: pip install 'bioscan-etl[train]', "
                "or export the model to ONNX with python -m bioscan_etl.training.export"
            ) from None
        try:
            model = YOLO(str(path), task="detect").model
            self._side = int(model.args.get("imgsz", _DYNAMIC_SIDE))
            self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
            self._stride = int(model.stride.max())
            self._model = model.float().fuse(verbose=False).eval().to(self._device)
        except Exception as error:  # Ultralytics and pickle raise many kinds of errors for a wrong file
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise SettingsError(f"images.detector: {path} is no detection model of Ultralytics: {first}") from None
        self._torch = torch
        self.digest = hashlib.sha256(data).hexdigest()

    def propose(self, image: RGB, half: RGB | None = None) -> Candidates:
        """Candidates in an image; see `BoxNetwork`."""
        scale = self._side / max(image.shape[:2])
        step = self._stride
        height, width = (max(1, -(-round(side * scale) // step)) * step for side in image.shape[:2])
        letterboxed, scale, left, top = letterbox(image, width, height, half)
        with self._torch.inference_mode():
            answer = self._model(self._torch.from_numpy(planes(letterboxed)).to(self._device))
        rows = answer[0] if isinstance(answer, (list, tuple)) else answer
        return _chosen(rows[0].float().cpu().numpy(), scale, (left, top), image.shape)


def letterbox(image: RGB, width: int, height: int, half: RGB | None = None) -> tuple[RGB, float, int, int]:
    """Fit an image into (height, width) with its aspect kept; also the scale and the padding left and top."""
    scale = min(width / image.shape[1], height / image.shape[0])
    inner_width = max(1, round(image.shape[1] * scale))
    inner_height = max(1, round(image.shape[0] * scale))
    inner = resized(image, (inner_width, inner_height), last=cv2.INTER_LINEAR, half=half)
    left, top = (width - inner_width) // 2, (height - inner_height) // 2
    if (inner_width, inner_height) == (width, height):
        return inner, scale, 0, 0
    canvas = np.full((height, width, 3), _PAD, np.uint8)
    canvas[top : top + inner_height, left : left + inner_width] = inner
    return canvas, scale, left, top


def _chosen(answer: Floats, scale: float, corner: tuple[int, int], shape: tuple[int, ...]) -> Candidates:
    """A network's output, (4 + classes, n), as boxes in the image after non-maximum suppression."""
    classes = answer[4:]
    confidences = np.clip(classes[0] if len(classes) == 1 else classes.max(axis=0), 0, 1).astype(np.float64)
    best = float(confidences.max()) if confidences.size else 0.0
    order = np.flatnonzero(confidences >= _FLOOR)
    order = order[np.argsort(-confidences[order], kind="stable")][:_CANDIDATES]
    boxes = _to_image(answer[:4, order].T.astype(np.float64), scale, corner, shape)
    sized: Any = np.hstack((boxes[:, :2], boxes[:, 2:] - boxes[:, :2]))
    scores: Any = confidences[order].astype(np.float32)
    suppressed = cv2.dnn.NMSBoxes(sized, scores, 0.0, _OVERLAP)
    kept = np.asarray(suppressed, np.int64).ravel()[:_MOST]
    return Candidates(boxes[kept], confidences[order][kept], best)


def _to_image(centred: Boxes, scale: float, corner: tuple[int, int], shape: tuple[int, ...]) -> Boxes:
    """(x, y, w, h) around centres in the letterbox to (x0, y0, x1, y1) in the image, clipped to it."""
    half = centred[:, 2:] / 2
    corners = (np.hstack((centred[:, :2] - half, centred[:, :2] + half)) - (*corner, *corner)) / scale
    clipped: Boxes = np.clip(corners, 0, (shape[1], shape[0], shape[1], shape[0]))
    return clipped
