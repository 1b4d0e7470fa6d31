"""Small pictures of figures for Dagster's UI, inline, so that they show without another file or server.

Belongs here: which figures a materialisation shows, and how small. Does not belong here: drawing them
(`bioscan_etl.statistics.figures`).
"""

import base64
import io
from pathlib import Path

from bioscan_etl.release.layout import FIGURES as FOLDER
from bioscan_etl.statistics.titles import FIGURES

SHOWN = ("specimen_sheet", "treemap_order", "site_map", "partition_distribution", "leakage_curve")
"""Figures that are shown, in their order."""
LIMIT = 100_000
"""Bytes of the whole text, which Dagster keeps in its database with every materialisation."""
_WIDTHS = (420, 320, 240, 160)  # px
_COLOURS = 64


def thumbnails(folder: Path) -> str | None:
    """Markdown with the figures of an output, each with its description; None if it has none of them.

    Args:
        folder: of the output of the stage `figures`.
    """
    names = [name for name in SHOWN if (folder / FOLDER / f"{name}.png").is_file()]
    for width in _WIDTHS if names else ():
        shown = [f"![{FIGURES[name]}]({_small(folder / FOLDER / f'{name}.png', width)})" for name in names]
        text = "\n\n".join(shown)
        if len(text) <= LIMIT:
            return text
    return None


def _small(path: Path, width: int) -> str:
    """A picture as a data address of a PNG of few colours."""
    from PIL import Image

    with Image.open(path) as image:
        height = max(1, round(image.height * width / image.width))
        small = image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    small.quantize(_COLOURS, dither=Image.Dither.NONE).save(stream, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
