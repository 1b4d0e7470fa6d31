"""The image encoder of the benchmarks: a pretrained network as an ONNX file, and a sidecar that says what it takes.

Belongs here: opening an encoder, and the way from pixels to features. Does not belong here: whose images (`images`).

The shipped one is EfficientNet-Lite0, trained on ImageNet (`models/ORIGIN.md`). It has never seen the labels of a
release.
A user's own needs the same two files: `NAME.onnx` and `NAME.json` (`Sidecar`).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bioscan_etl.errors import SettingsError, SourceError
from bioscan_etl.images.decode import RGB

SHIPPED = Path(__file__).parent / "models" / "efficientnet_lite0.onnx"
_LARGEST = 1024  # px of a side of an input

Floats = npt.NDArray[np.float32]


class Sidecar(BaseModel):
    """How an image becomes the input of an encoder, as `NAME.json` beside `NAME.onnx` says.

    Attributes:
        name: of the encoder, as the scores name it; ASCII.
        side: height and width of the input, in px.
        shorter: what the shorter side of an image is resized to, in px, before the middle is cut out.
        mean: of each channel, red first, of values from 0 to 1.
        deviation: what the rest is divided by.
        sha256: of the weights; checked if it is there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = Field(min_length=1, max_length=80, pattern="^[ -~]+$")
    side: int = Field(ge=8, le=_LARGEST)
    shorter: int = Field(ge=8, le=_LARGEST)
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    sha256: str | None = None

    @model_validator(mode="after")
    def _possible(self) -> Sidecar:
        if self.shorter < self.side:
            raise ValueError(f"shorter = {self.shorter} is below side = {self.side}")
        if min(self.deviation) <= 0:
            raise ValueError("deviation must be above 0")
        return self


class ImageEncoder:
    """A network that gives an image a vector; `features` may be called from several threads.

    Attributes:
        name: of the network.
        sidecar: what it takes.
        digest: sha256 of its weights.
        width: numbers of a vector.
    """

    def __init__(self, path: Path = SHIPPED) -> None:
        """Open a network.

        Args:
            path: weights, an ONNX file; its sidecar lies beside it.

        Raises:
            SourceError: a file is missing, or is no encoder of images.
        """
        data = _read(path)
        self.sidecar = _sidecar(path.with_suffix(".json"))
        self.name = self.sidecar.name
        self.digest = hashlib.sha256(data).hexdigest()
        if self.sidecar.sha256 is not None and self.digest != self.sidecar.sha256:
            raise SourceError(f"{path} is not the file that its sidecar names (sha256 {self.digest}); fetch it again")
        self._session = _session(data, path)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 4:
            raise SourceError(f"{path} does not take one float image (n, 3, height, width)")
        self._input, self._output = inputs[0].name, outputs[0].name
        side = self.sidecar.side
        try:
            self.width = len(self._answer(np.zeros((1, 3, side, side), np.float32)))
        except Exception as error:  # onnxruntime raises its own kinds, which derive from nothing common
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise SourceError(f"{path} gives no vector for an image of {side} x {side} px: {first}") from None

    def features(self, image: RGB) -> Floats:
        """The features of an image: its middle, after its shorter side was resized to `shorter`; as it was trained.

        Args:
            image: (height, width, 3), uint8, RGB, of any size.

        Returns:
            float32, shape (width,), as they come. One image at a time, so that no sum depends on its neighbours.
        """
        return self._answer(self.input_of(image))

    def input_of(self, image: RGB) -> Floats:
        """The input of the network for an image: float32, shape (1, 3, side, side)."""
        from bioscan_etl.images.resize import resized

        taken = self.sidecar
        height, width = image.shape[:2]
        scale = taken.shorter / min(height, width)
        size = max(taken.shorter, round(width * scale)), max(taken.shorter, round(height * scale))
        whole = resized(image, size)
        top, left = (whole.shape[0] - taken.side) // 2, (whole.shape[1] - taken.side) // 2
        middle = whole[top : top + taken.side, left : left + taken.side].astype(np.float32) / np.float32(255)
        centred = (middle - np.array(taken.mean, np.float32)) / np.array(taken.deviation, np.float32)
        planes: Floats = np.ascontiguousarray(centred.transpose(2, 0, 1)[None])
        return planes

    def _answer(self, planes: Floats) -> Floats:
        answer: Floats = np.asarray(self._session.run([self._output], {self._input: planes})[0], np.float32)
        if answer.ndim != 2 or len(answer) != 1:
            raise ValueError(f"its answer has the shape {answer.shape}, not (1, width)")
        vector: Floats = answer[0]
        return vector


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"the image encoder {path} cannot be read: {error.strerror}; check the path") from None


def _sidecar(path: Path) -> Sidecar:
    try:
        return Sidecar.model_validate_json(_read(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "content"
        raise SourceError(f"{path}: {where}: {first['msg']}; it must hold {', '.join(Sidecar.model_fields)}") from None


def _session(data: bytes, path: Path) -> Any:
    """A session on one thread: other threads work on other images."""
    from bioscan_etl.images.networks import open_session

    try:
        return open_session(data, path)
    except SettingsError as error:
        raise SourceError(str(error).removeprefix("images.detector: ")) from None
