"""What curators decided at the desk, as reviews that a detector learns from.

Belongs here: which decisions teach, and about which picture. Does not belong here: the curators' sheet
(`bioscan_etl.images.reviews`), and what a decision does to a release.

A drawn box is a box to learn. A specimen that is rejected because its image shows no insect is an empty image. All
other decisions are about labels, places, or whether a release should hold the specimen, and teach nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from bioscan_etl.decisions.read import read_decisions
from bioscan_etl.doubts.fingerprint import DIGITS
from bioscan_etl.images.reviews import REVIEWS
from bioscan_etl.lake import Lake
from bioscan_etl.lake import decisions as files

NO_INSECT = "no_insect"
_EDGES = ("x0", "y0", "x1", "y1")
LEFT_OUT = pl.Schema(dict.fromkeys(("file", "line", "processid", "why"), pl.String()) | {"line": pl.Int64()})


@dataclass(frozen=True, slots=True)
class Decided:
    """Decisions as reviews.

    Attributes:
        reviews: `REVIEWS`, sorted by process ID; `line` is that of the decision's file.
        left_out: `LEFT_OUT`, decisions about images that cannot be learnt from.
    """

    reviews: pl.DataFrame
    left_out: pl.DataFrame


def decided_reviews(home: Lake, boxes: pl.LazyFrame) -> Decided:
    """The decisions of a corpus as they are now, as reviews.

    Args:
        home: the lake.
        boxes: table `boxes` of all batches, to know which images there are.
    """
    now = files.find(home)
    return reviews_of(read_decisions(now.texts, now.unreadable).usable, boxes)


def reviews_of(lines: pl.DataFrame, boxes: pl.LazyFrame) -> Decided:
    """Decisions as reviews.

    Args:
        lines: usable lines of `schema.DECISIONS`.
        boxes: table `boxes` of all batches.
    """
    empty = (pl.col("action") == "reject") & (pl.col("reason") == NO_INSECT)
    teaching = (
        lines.filter((pl.col("action") == "box") | empty)
        .with_columns(verdict=pl.when(pl.col("action") == "box").then(pl.lit("box")).otherwise(pl.lit("empty")))
        .with_columns(_edges())
        .drop("rank", "name", "group", "field", "note", "problem")
    )
    images = (
        boxes.select("batch", "processid", "image_file", "sha256", "width_original", "height_original")
        .join(teaching.select("processid").unique().lazy(), on="processid", how="semi")
        .unique()
        .collect()
        .sort("processid", "batch", "image_file")
    )
    shown = pl.col("evidence").is_null() | (pl.col("sha256").str.head(DIGITS) == pl.col("evidence"))
    # The evidence of a rejected specimen may be that of another doubt; it names a picture only where one has it.
    named = pl.col("evidence").is_in(images["sha256"].str.head(DIGITS).implode()).fill_null(value=False)
    pairs = (
        teaching.join(images, on="processid", how="left", maintain_order="left")
        .with_columns(seen=(shown | ((pl.col("verdict") == "empty") & ~named)).fill_null(value=False))
        .with_columns(pictures=pl.col("sha256").filter("seen").n_unique().over("id"))
    )
    # Batches that deliver the same picture again have one picture.
    chosen = pairs.sort(~pl.col("seen"), "batch", "image_file").unique("id", keep="first", maintain_order=True)
    within = (pl.col("x1") <= pl.col("width_original")) & (pl.col("y1") <= pl.col("height_original"))
    reasons = (
        (pl.col("image_file").is_null(), "no batch has an image of it"),
        (pl.col("sha256").is_null() | pl.col("width_original").is_null(), "its image cannot be read"),
        (~pl.col("seen"), "its image is another one than the curator saw"),
        (pl.col("pictures") > 1, "there are several pictures of it; decide again at the desk, which names the picture"),
        ((pl.col("verdict") == "box") & ~within, "the box is beyond the image"),
    )
    why = pl.lit(None, pl.String)
    for condition, said in reversed(reasons):
        why = pl.when(condition).then(pl.lit(said)).otherwise(why)
    judged = chosen.with_columns(why=why)
    answer = pl.concat_str("verdict", *_EDGES, separator=" ", ignore_nulls=True)
    opposed = pl.col("why").is_null() & (answer.filter(pl.col("why").is_null()).n_unique().over("sha256") > 1)
    judged = judged.with_columns(
        why=pl.when(opposed).then(pl.lit("another decision says otherwise of the same picture")).otherwise("why")
    ).sort("processid", "id")
    right = judged.filter(pl.col("why").is_null()).unique("sha256", keep="first", maintain_order=True)
    return Decided(
        right.rename({"width_original": "width", "height_original": "height"}).select(REVIEWS.names()).cast(REVIEWS),
        judged.filter(pl.col("why").is_not_null()).select(LEFT_OUT.names()).cast(LEFT_OUT),
    )


def _edges() -> list[pl.Expr]:
    """The edges of the value of `box`, which has its form; null for other actions."""
    parts = pl.when(pl.col("action") == "box").then(pl.col("value").str.split(" "))
    return [parts.list.get(place, null_on_oob=True).cast(pl.Float64).alias(edge) for place, edge in enumerate(_EDGES)]


def joined(reviews: pl.DataFrame, decided: pl.DataFrame) -> pl.DataFrame:
    """Reviews of the sheet and decisions of the desk; a line of the sheet, made for the training, wins."""
    others = decided.join(reviews, on="sha256", how="anti").join(reviews, on="processid", how="anti")
    return pl.concat([reviews, others]).sort("processid")
