"""Samples of more than 8 bits: how many of their bits are significant, and the 8-bit picture.

Belongs here: the evidence for the number of significant bits. Does not belong here: decoding (`images.decode`).

Cameras of 10, 12 or 14 bits write files of 16-bit samples. Some files hold the camera's values as they are, in the
lower bits. Read as 16 bits, such a picture is nearly black. A dark picture of 16 bits looks the same, so brightness
alone proves nothing.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

Deep = npt.NDArray[np.uint16]

UNCERTAIN = "the significant bits of the 16-bit samples are not known"
"""Beginning of the reason for an image that is held."""

_CAMERAS = (8, 10, 12, 14)  # bits
DARK = 1 << _CAMERAS[-1]
"""Brightest sample from which a picture uses the 16 bits."""

_LIMITS = (281, 341)  # TIFF tags MaxSampleValue and SMaxSampleValue
_NOTES = (270, 51123)  # ImageDescription (holds OME-XML), Micro-Manager's metadata
_STATED = re.compile(r'SignificantBits="(\d{1,2})"|"BitDepth"\s*:\s*"?(\d{1,2})\b')
_PEAK = 10  # times as many samples as the value below it, from which the brightest value is a clipped one


class UncertainBitsError(ValueError):
    """The picture is nearly black as 16 bits, and nothing says that it has fewer; the message says what to do."""


def significant_bits(samples: Deep, stated: int | None, chosen: int | None) -> int:
    """The number of significant bits of a picture's 16-bit samples.

    Args:
        samples: all colour samples of the picture.
        stated: what the file says.
        chosen: the setting `images.significant_bits`; it goes before what the file says, for pictures that fit.

    Raises:
        UncertainBitsError: they use few of the 16 bits, and nothing says how many are significant.
    """
    brightest = int(samples.max(initial=0))
    if brightest >= DARK or brightest == 0:
        return 16
    for bits in (chosen, stated):
        if bits is not None and brightest < 1 << bits:
            return max(bits, 8)
    bits = brightest.bit_length()
    if bits in _CAMERAS and brightest == (1 << bits) - 1:
        clipped = int(np.count_nonzero(samples == brightest))
        if clipped > _PEAK * (1 + int(np.count_nonzero(samples == brightest - 1))):
            return bits  # the light went beyond what the camera can count
    raise UncertainBitsError(
        f"{UNCERTAIN}: the brightest is {brightest} of 65535, so the picture is nearly black or its camera has fewer "
        "bits; state them in images.significant_bits (such as 12), or 16 if it is dark"
    )


def to_bytes(samples: Deep, bits: int) -> npt.NDArray[np.uint8]:
    """The upper 8 of the significant bits."""
    return (samples >> (bits - 8)).astype(np.uint8)


def tiff_bits(tags: Any) -> int | None:
    """The significant bits that the tags of a TIFF file state; None if they state none."""
    for tag in _LIMITS:
        values = tags.get(tag)
        values = values if isinstance(values, tuple) else (values,)
        whole = [int(value) for value in values if isinstance(value, int | float) and value > 0]
        bits = max(whole).bit_length() if whole else 0
        # A limit of another form is the brightest value of this picture, which says nothing about the camera.
        if 8 <= bits < 16 and max(whole) == (1 << bits) - 1:
            return bits
    for tag in _NOTES:
        found = _STATED.search(str(tags.get(tag, "")))
        if found and 8 <= (bits := int(found[1] or found[2])) <= 16:
            return bits
    return None
