"""Do boxes, measurements and image flags of the released specimens agree?

Belongs here: what the columns about an image say about each other. Does not belong here: the sizes that follow from a
box (`forms.bbox`), and pixels (`images`, `pictures`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from bioscan_etl import schema
from bioscan_etl.images.measure import REFERENCE_PIXELS
from bioscan_etl.images.quality import image_flags
from bioscan_etl.release.check.agreement import Rows
from bioscan_etl.release.check.csv import read_fields, typed
from bioscan_etl.release.check.faults import Fault, Listing
from bioscan_etl.release.check.files import is_plain
from bioscan_etl.settings import ImageSettings

_COLUMNS = (
    *("area_fraction", "scale_factor", "image_status", "confidence"),
    *("image_measurement_value", "measurement_source", "flags"),
)
# The mask of every detector is within the box, but for pixels at its edges: at most two along each side of an image.
_WIDER, _EDGES = 1.02, 4 * (1024 + 768)
_EMPTY = "NO_ORGANISM_PIXELS"
# Flags that the status and the box decide.
_FLAGS = ("EMPTY_IMAGE", "FRAGMENT", "TOUCHES_BORDER", "UNREADABLE_IMAGE")


def check(data: Rows) -> Iterator[Fault]:
    """Check the columns about images against each other.

    Args:
        data: the released rows, read in pieces.
    """
    boxed, measured = pl.col("area_fraction").is_not_null(), pl.col("image_measurement_value").is_not_null()
    source, value = pl.col("measurement_source"), pl.col("image_measurement_value")
    several = pl.col("flags").list.contains("SEVERAL_SPECIMENS")
    status = pl.col("image_status")
    wrong = (
        (
            boxed != pl.col("scale_factor").is_not_null(),
            "has area_fraction {area_fraction} and scale_factor {scale_factor}",
        ),
        (boxed & pl.col("confidence").is_null(), "has a box without a confidence"),
        (boxed & status.is_null(), "has a box without an image status"),
        (boxed & status.is_in(["empty", "unreadable"]), "has a box, and the image status {image_status}"),
        ((pl.col("confidence") < 0) | (pl.col("confidence") > 1), "has the confidence {confidence}, which is no share"),
        (
            measured != source.is_not_null(),
            "image_measurement_value is {image_measurement_value}, its source {measurement_source}",
        ),
        (
            (source == "mask") & (value > REFERENCE_PIXELS * pl.col("area_fraction") * _WIDER + _EDGES),
            "has {image_measurement_value} organism pixels, more than its box of area_fraction {area_fraction}",
        ),
        ((status == "multiple") & ~several, "is multiple, and lacks the flag SEVERAL_SPECIMENS"),
        ((status == "detected") & several, "has the flag SEVERAL_SPECIMENS, and is not multiple but detected"),
    )
    listing = Listing()
    for piece in data.pieces(_COLUMNS):
        for condition, message in wrong:
            listing.add(data.name, piece.filter(condition), message)
    yield from listing.faults()


def measured(data: Rows) -> Iterator[Fault]:
    """Check the flag that the number of organism pixels decides.

    Args:
        data: the released rows, read in pieces, of a release whose rules are those of this package.
    """
    empty = (pl.col("image_measurement_value") == 0).fill_null(value=False)
    has = pl.col("flags").list.contains(_EMPTY)
    listing = Listing()
    for piece in data.pieces(("image_measurement_value", "flags")):
        listing.add(data.name, piece.filter(empty & ~has), f"has no organism pixels, and lacks the flag {_EMPTY}")
        message = f"has the flag {_EMPTY}, and {{image_measurement_value}} organism pixels"
        listing.add(data.name, piece.filter(has & ~empty), message)
    yield from listing.faults()


def flagged(root: Path, name: str, data: Rows, settings: ImageSettings) -> Iterator[Fault]:
    """Check the flags that the boxes decide.

    Args:
        root: the release's folder.
        name: the file of the boxes.
        data: the released rows, read in pieces.
        settings: as stated.
    """
    if not is_plain(root, name):
        return
    boxes = [schema.BBOX.empty()]
    # `forms.bbox` reports what is wrong with the file itself.
    boxes += [typed(fields, schema.BBOX) for fields in read_fields(root, name, schema.BBOX.names(), Listing())]
    known = pl.concat(boxes).drop("area_fraction", "scale_factor").unique("processid", keep="first")
    given = {*known.columns, "area_fraction", "status"}
    others = [column for column in schema.BOXES.columns if column.name not in given]
    listing = Listing()
    for piece in data.pieces(("area_fraction", "image_status", "flags")):
        rows = piece.rename({"image_status": "status", "flags": "stated"}).join(known, on="processid", how="inner")
        rows = rows.with_columns(pl.lit(None, column.dtype).alias(column.name) for column in others)
        both = rows.with_columns(raised=image_flags(settings))
        for flag in _FLAGS:
            has, should = (pl.col(column).list.contains(flag) for column in ("stated", "raised"))
            at = "the box {x0} {y0} {x1} {y1} in {width_original} x {height_original} px"
            listing.add(data.name, both.filter(should & ~has), f"lacks the flag {flag}, which {at} gives")
            listing.add(data.name, both.filter(has & ~should), f"has the flag {flag}, which {at} does not give")
    yield from listing.faults()
