"""Boxes that curators drew: their images measured and cropped again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from bioscan_etl import landing, schema
from bioscan_etl.decisions.values import box_of
from bioscan_etl.errors import SourceError, name_some
from bioscan_etl.images.detect import detector_fingerprint
from bioscan_etl.images.detection import CURATOR
from bioscan_etl.images.stage import process_images
from bioscan_etl.io.tables import read_parquet
from bioscan_etl.stages.registry import ON_BOXES
from bioscan_etl.stages.work import Work
from bioscan_etl.vocabulary import MADE_PACKAGES

if TYPE_CHECKING:
    from bioscan_etl.stages.situation import Situation


def extra(situation: Situation) -> dict[str, Any]:
    """The detector, whose mask measures the organism: its name, with the hash of its model."""
    return {"detector": detector_fingerprint(situation.settings.images)}


def build(work: Work) -> None:
    """Write the rows of the images that have a drawn box, and their crops in a folder per batch."""
    out = work.out
    decisions = read_parquet(work.path("decisions", ON_BOXES))
    lines = decisions.filter(pl.col("action") == "box")
    drawn = {row["processid"]: box for row in lines.to_dicts() if (box := box_of(row["value"])) is not None}
    seen = dict(lines.select("processid", "evidence").iter_rows())
    shown = pl.col("processid").replace_strict(seen, default=None, return_dtype=pl.String)
    # The evidence of a box is its image: another one needs another look.
    same = shown.is_null() | (pl.col("sha256").str.slice(0, 16) == shown)
    others: list[pl.DataFrame] = []
    tables = [schema.BOXES.empty()]
    for batch, index in work.by_batch["specimen_images"].items() if drawn else ():
        images = read_parquet(index.path("image_index.parquet"))
        images = images.filter(pl.col("processid").is_in(list(drawn)) & (pl.col("status") == "found"))
        others.append(images.filter(~same.fill_null(value=False)).select("processid"))
        images = images.filter(same)
        if images.is_empty():
            continue
        landed = landing.load(work.lake, batch)
        sources = [landed.locate(entry.location) for entry in landed.images]
        folder = out.folder / batch
        boxes = {name: drawn[name] for name in images["processid"]}
        try:
            process_images(
                images, sources, work.settings.images, MADE_PACKAGES, folder, batch, work.progress, drawn=boxes
            )
        except SourceError as error:
            raise SourceError(
                f"{error}: curators drew boxes in images of batch {batch} ({name_some(list(boxes))}); restore its "
                "images, or take these lines out of the decisions"
            ) from None
        tables.append(read_parquet(folder / "boxes.parquet"))
    found = pl.concat(tables)
    applied = found.filter(pl.col("detector") == CURATOR)
    # A box beyond its image is not applied, and the detector's stays.
    applied.sort("batch", "processid").write_parquet(out.folder / "boxes.parquet", compression="zstd")
    out.counts["boxes"] = applied.height
    out.write(schema.DECISION_EFFECTS, _effects(lines, found, pl.concat([found.select("processid").clear(), *others])))


def _effects(lines: pl.DataFrame, found: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """What became of the lines.

    Args:
        lines: those of the action box.
        found: `schema.BOXES` of the images that they are about.
        others: process IDs of images that are not those that the curator saw.
    """
    by_specimen = found.group_by("processid").agg(
        applied=(pl.col("detector") == CURATOR).any(),
        unreadable=(pl.col("status") == "unreadable").all(),
        size=pl.format("{} x {}", "width_original", "height_original").sort().first(),
    )
    rows = lines.select("id", "processid").join(by_specimen, on="processid", how="left", maintain_order="left")
    absent, applied = pl.col("applied").is_null(), pl.col("applied").fill_null(value=False)
    other = absent & pl.col("processid").is_in(others["processid"].implode())
    return schema.DECISION_EFFECTS.conform(
        rows.select(
            "id",
            status=pl.when(other)
            .then(pl.lit("left_out"))
            .when(absent)
            .then(pl.lit("unknown"))
            .when(applied)
            .then(pl.lit("applied"))
            .otherwise(pl.lit("left_out")),
            specimens=applied.cast(pl.Int64),
            detail=pl.when(other)
            .then(pl.lit("its image is another one than the curator saw; draw the box again"))
            .when(absent)
            .then(pl.lit("no batch has an image of this process ID"))
            .when(pl.col("unreadable"))
            .then(pl.lit("its image cannot be read"))
            .when(~applied)
            .then(pl.format("the box is beyond the image, which has {} px", "size")),
        )
    )
