"""The files of the models that come with the package, and proof that they are these.

Belongs here: their sums, and the refusal of other bytes. Does not belong here: opening a model (`images.networks`).

A model decides every box, so that a changed byte changes the data without a sign of it. The shipped files are compared
with the sums in this module. Other models are the user's own: their name, which is in every table of boxes, has the
first digits of their sum.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from bioscan_etl.errors import SettingsError
from bioscan_etl.io.paths import real_path

_HOME = Path(__file__).parent

SUMS = {
    "models/calibration.json": "26daa1ef811e9e30708d4e2741bf4ec1b99a0a9322460c5fe55451a03cfdce76",
    "models/coarse.onnx": "3bdfb9bfba471826ae3103c2eb7ade7420890547c87c25aad86c0109bd92c4c8",
    "models/refiner.onnx": "adfa85647e1e0d2d69855b0164d1682809bd57a49ab8d85b1adb5997a4fadbe8",
    "segmentation.json": "490454b4458b0f6ac01a6e9f17bc6d4b50c199637dc7cb6d85c80b076392c42c",
}
"""Sha256 of the shipped files, by path in this package."""


def require_shipped(path: Path, data: bytes) -> None:
    """Compare the bytes of a file of the package with its sum; a file of another folder is the user's own.

    Raises:
        SettingsError: a file of the package has other bytes, or is none that is shipped.
    """
    place, home = real_path(path), real_path(_HOME)
    if not place.is_relative_to(home):
        return
    stated = SUMS.get(place.relative_to(home).as_posix())
    found = hashlib.sha256(data).hexdigest()
    if found != stated:
        raise SettingsError(
            f"images.detector: {path} is not the model that this version ships (sha256 {found}); install bioscan-etl "
            "again, or keep a model of your own in another folder and name it in images.detector"
        )


def require_trust(path: Path, *, allowed: bool) -> None:
    """Refuse a model that can run any code when it is opened, unless the settings allow it.

    Raises:
        SettingsError: `images.allow_pickle` is false.
    """
    if not allowed:
        raise SettingsError(
            f"images.detector: {path} is a pickle, which can run any code when it is opened; if you trust its "
            "source, set images.allow_pickle = true (detect: --trust-pickle), or export it to .onnx"
        )
