"""The boxes of the specimens as two CSVs: separated by commas, as their published readers expect, and by tabs.

Belongs here: the files. They are written with the metadata, for the boxes are in no released row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl

from bioscan_etl import schema
from bioscan_etl.release.check.agreement import agreement, held
from bioscan_etl.release.check.faults import Fault, faulty_rows
from bioscan_etl.release.check.files import is_plain
from bioscan_etl.release.check.tables import check_csv, check_csv_alone, csv_rows
from bioscan_etl.release.check.view import View
from bioscan_etl.release.forms.registry import METADATA_STAGE, Card, Form
from bioscan_etl.release.tables import write_csv
from bioscan_etl.settings import ReleaseSettings


def paths(settings: ReleaseSettings) -> tuple[str, str]:
    """Paths of both files within the release: commas, tabs."""
    return f"{settings.title}_bbox.tsv", f"{settings.title}_bbox.tab.tsv"


def write_bbox(rows: pl.DataFrame, curated: pl.DataFrame, root: Path, settings: ReleaseSettings) -> None:
    """Write both files.

    Args:
        rows: processid of the released specimens, in their order.
        curated: `schema.BBOX` of each; no box, no row.
        root: the release's folder.
        settings: first part of the names.

    Raises:
        SchemaError: a box is not complete.
    """
    boxes = rows.select("processid").join(
        curated.select(schema.BBOX.names()).filter(pl.col("x0").is_not_null()),
        on="processid",
        how="inner",
        maintain_order="left",
    )
    boxes = schema.BBOX.conform(boxes)
    for path, separator in zip(paths(settings), (",", "\t"), strict=True):
        write_csv(boxes, root / path, separator)


# Sizes are stated with 4 decimals (spec: specimen images, sizes).
_ROUNDED = 0.5e-4 + 1e-9


def check(view: View) -> Iterator[Fault]:
    """Both files hold the same boxes, which are within their images and have the sizes that data/ states."""
    root, data = view.root, view.data
    name, twin = paths(view.settings)
    yield from check_csv_alone(root, name, schema.BBOX)
    if not is_plain(root, name):
        return
    boxes = pl.concat([schema.BBOX.empty(), *csv_rows(root, name, schema.BBOX).pieces(schema.BBOX.names()[1:])])
    yield from check_csv(root, twin, schema.BBOX, held(name, boxes), "\t")
    sizes = boxes.select("processid", "scale_factor", "area_fraction")
    yield from agreement(data.of(pl.col("area_fraction").is_not_null()), held(name, sizes))
    width, height = (pl.col(f"{end}1") - pl.col(f"{end}0") for end in "xy")
    computed = boxes.with_columns(
        area=width * height / (pl.col("width_original").cast(pl.Float64) * pl.col("height_original")),
        scale=pl.min_horizontal(width, height) / 256,
    )
    outside = (
        (width <= 0)
        | (height <= 0)
        | (pl.col("x1") > pl.col("width_original"))
        | (pl.col("y1") > pl.col("height_original"))
    )
    for wrong, message in (
        (outside, "the box {x0} {y0} {x1} {y1} is empty or leads out of the image"),
        ((pl.col("area") - pl.col("area_fraction")).abs() > _ROUNDED, "area_fraction {area_fraction} is not {area}"),
        ((pl.col("scale") - pl.col("scale_factor")).abs() > _ROUNDED, "scale_factor {scale_factor} is not {scale}"),
        (pl.any_horizontal(pl.all().is_null()), "the box is not complete"),
    ):
        yield from faulty_rows(name, computed.filter(wrong.fill_null(value=False)), message)


def _card(settings: ReleaseSettings) -> Card:
    commas, tabs = paths(settings)
    what = "the specimens' boxes. **Separated by commas** in spite of its name: its published readers split on commas"
    return Card(((f"`{commas}`", what), (f"`{tabs}`", "the same, separated by tabs")))


def _tables(settings: ReleaseSettings) -> Mapping[str, schema.Table]:
    return dict.fromkeys(paths(settings), schema.BBOX)


FORM = Form(
    name="bbox",
    about="The specimens' boxes in pixels of the original image: `<title>_bbox.tsv`, separated by commas, and "
    "`<title>_bbox.tab.tsv`, separated by tabs.\n\nWritten with the metadata.",
    place=110,
    stage=METADATA_STAGE,
    owns=paths,
    check=check,
    card=_card,
    settings=("title",),
    kinds=("csv",),
    # In spite of its name (spec: the release, rule 6).
    media_types={"_bbox.tsv": "text/csv", "_bbox.tab.tsv": "text/tab-separated-values"},
    tables=_tables,
)
