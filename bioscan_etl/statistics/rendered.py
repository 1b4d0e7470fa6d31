"""A drawing of matplotlib as an SVG and a PNG file, small, and the same bytes for the same drawing.

Belongs here: what happens to the files after matplotlib: title and description, the dark ground, photographs, sizes.
Does not belong here: drawing (`canvas`).

Each SVG is drawn on white. Where the page around it is dark (`prefers-color-scheme`), a style sheet in the file swaps
paper, ink and lines; the colours of data stay. Programs that know no such style sheet, such as those for slides, show
it on white. A PNG is always on white.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image

LIMIT = 500_000
"""Bytes that a file should not exceed."""
PHOTOGRAPH = "photograph"
"""Beginning of the `gid` of drawn images that are photographs: an SVG holds them as JPEG, at their own size."""
DARK: Mapping[str, str] = MappingProxyType(
    {
        "#ffffff": "#16201c",  # paper
        "#23302b": "#e4eae7",  # ink
        "#6b7671": "#a3b1aa",  # quiet text
        "#8b9690": "#84928b",  # axes
        "#e3e8e5": "#2c3833",  # grid
        "#c9cfcb": "#4a5751",  # missing, other
        "#edf1ee": "#34453d",  # land
        "#c3ccc7": "#5b6c64",  # coast
    }
)
"""Colours on white ground, in lower case, and what they become on dark ground."""
_RESOLUTIONS = (200, 150, 120, 96, 80, 64)  # dots per inch
_RASTER = 150  # dots per inch of what an SVG holds as pixels
_QUALITIES = (88, 78, 68, 55, 42, 30, 20)  # of JPEG
_COLOURS = 256
_IMAGE = re.compile(r'<image xlink:href="data:image/png;base64,\s*([^"]+)"([^>]*)>')
_IS_PHOTOGRAPH = f'id="{PHOTOGRAPH}'
_PATH = re.compile(r' d="[^"]*"')
_DECIMALS = re.compile(r"(\.\d\d)\d+")


def svg_bytes(figure: Figure, title: str, description: str) -> bytes:
    """The drawing as SVG, with `<title>` and `<desc>`."""
    stream = io.BytesIO()
    words = {"Date": None, "Creator": None, "Title": title}
    figure.savefig(stream, format="svg", dpi=_RASTER, metadata=words)
    text = stream.getvalue().decode()
    # A hundredth of a point cannot be seen, and a map is half as large.
    text = _PATH.sub(lambda found: _DECIMALS.sub(r"\1", found[0]), text)
    inner = f"</title>\n <desc>{escape(description)}</desc>\n <style>{_dark_style()}</style>"
    text = text.replace("</title>", inner, 1)
    smaller = text.encode()
    for quality in _QUALITIES if _IMAGE.search(text) else ():
        smaller = _IMAGE.sub(partial(_smaller, quality), text).encode()
        if len(smaller) <= LIMIT:
            break
    return smaller


def _dark_style() -> str:
    rules = "".join(
        f'[style*="{name}: {light}"]{{{name}:{dark}!important}}'
        for light, dark in DARK.items()
        for name in ("fill", "stroke")
    )
    return f"@media (prefers-color-scheme:dark){{{rules}}}"


def _smaller(quality: int, found: re.Match[str]) -> str:
    """A photograph as JPEG, other pixels, such as thousands of points, as PNG of few colours."""
    import simplejpeg  # type: ignore[import-untyped]
    from PIL import Image

    with Image.open(io.BytesIO(base64.b64decode(found[1]))) as image:
        if _IS_PHOTOGRAPH in found[2]:
            pixels = np.ascontiguousarray(image.convert("RGB"))
            kind, data = "jpeg", simplejpeg.encode_jpeg(pixels, quality, "RGB", "420", fastdct=False)
        else:
            stream = io.BytesIO()
            # Of Pillow's methods only this one keeps transparency.
            colours = max(8, _COLOURS >> _QUALITIES.index(quality))
            few = image.convert("RGBA").quantize(colours, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
            few.save(stream, format="PNG", optimize=True)
            kind, data = "png", stream.getvalue()
    return f'<image xlink:href="data:image/{kind};base64,{base64.b64encode(data).decode()}"{found[2]}>'


def png_bytes(figure: Figure, title: str, description: str) -> bytes:
    """The drawing as PNG: of 256 colours if it is large, and at fewer dots per inch if it is still too large."""
    from PIL import Image

    words = {"Software": None, "Title": title, "Description": description}
    data = b""
    for resolution in _RESOLUTIONS:
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=resolution, metadata=words)
        data = stream.getvalue()
        if len(data) > LIMIT:
            with Image.open(stream) as image:
                data = _of_few_colours(image)
        if len(data) <= LIMIT:
            break
    return data


def _of_few_colours(image: Image) -> bytes:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    words: dict[Any, Any] = dict(image.info)
    for name in ("Title", "Description"):
        info.add_itxt(name, str(words.get(name, "")))
    stream = io.BytesIO()
    few = image.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    few.save(stream, format="PNG", optimize=True, pnginfo=info)
    return stream.getvalue()
