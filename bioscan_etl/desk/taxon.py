"""The specimens of one taxon, the odd ones first.

Belongs here: what makes a specimen odd among those of its label, and the JSON of the page. Does not belong here: rules
that hold a specimen back (`images.rules`, `barcodes`), for nothing is decided here.

A wrong image or label stands out among its like. Four measures are compared with the taxon's median: the log of the
box's share of the image, the log of the box's longer over its shorter side (specimens lie in any direction), the mean
grey of the crop, and the distance of the barcode from the taxon's most frequent one. Each difference is divided by the
usual one: the median absolute difference times 1.4826, which for normally distributed values is their standard
deviation, or `_LEAST` where nearly all are alike. The largest of the four is the oddness. A barcode can only be too
far.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import polars as pl
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

from bioscan_etl.barcodes.identity import barcode_identity
from bioscan_etl.desk.corpus import Corpus
from bioscan_etl.doubts.fingerprint import DIGITS
from bioscan_etl.vocabulary import RANKS

MOST = 20_000
"""Specimens of a taxon that are compared, the first ones by process ID."""
ANY = "any"
"""Instead of a rank: the deepest one at which the name occurs."""

_TO_SIGMA = 1.4826  # 1 / the third quartile of the standard normal distribution
_LEAST: Mapping[str, float] = MappingProxyType({"area": 0.1, "aspect": 0.05, "brightness": 5.0, "barcode": 0.01})
_SHOWN = ("processid", "dna_bin", "batch", "gates", "country", "image_file", "image_status", "width_original",
          "height_original", "x0", "y0", "x1", "y1", "sha256")  # fmt: skip


def oddness(rows: pl.DataFrame) -> pl.DataFrame:
    """How far each specimen is from the others.

    Args:
        rows: area_fraction, exposure, x0, y0, x1, y1, barcode (the identity), all nullable.

    Returns:
        The rows, with the four measures `area`, `aspect`, `brightness` and `barcode_distance`; `odd_area`,
        `odd_aspect`, `odd_brightness` and `odd_barcode`, how many usual differences they are off; and `oddness`, the
        largest of these, 0 if none is known.
    """
    width, height = pl.col("x1") - pl.col("x0"), pl.col("y1") - pl.col("y0")
    longer, shorter = pl.max_horizontal(width, height), pl.min_horizontal(width, height)
    measured = rows.with_columns(
        area="area_fraction",
        aspect=pl.when(shorter > 0).then(longer / shorter),
        brightness="exposure",
        barcode_distance=_distances(rows["barcode"]),
    )
    compared = {
        "area": pl.when(pl.col("area") > 0).then(pl.col("area").log()),
        "aspect": pl.col("aspect").log(),
        "brightness": pl.col("brightness"),
        "barcode": pl.col("barcode_distance"),
    }
    odd = []
    for name, value in compared.items():
        off = value - value.median()
        usual = pl.max_horizontal(_TO_SIGMA * off.abs().median(), _LEAST[name])
        odd.append(((off.clip(lower_bound=0) if name == "barcode" else off.abs()) / usual).alias(f"odd_{name}"))
    added = measured.with_columns(odd)
    return added.with_columns(oddness=pl.max_horizontal(f"odd_{name}" for name in compared).fill_null(0.0))


def _distances(barcodes: pl.Series) -> pl.Series:
    """1 - similarity to the most frequent barcode, the first by name of equally frequent ones."""
    known = barcodes.drop_nulls()
    if known.is_empty():
        return pl.Series("barcode_distance", [None] * len(barcodes), pl.Float64)
    counts = known.value_counts().sort("count", barcodes.name, descending=[True, False])
    letters = counts[barcodes.name].to_list()
    far = cdist([letters[0]], letters, scorer=Levenshtein.normalized_distance)[0]
    return barcodes.replace_strict(letters, pl.Series(far.astype("float64")), default=None, return_dtype=pl.Float64)


def members(corpus: Corpus, rank: str, name: str) -> pl.LazyFrame:
    """The specimens of a taxon: `schema.SPECIMENS` with the labels as in the release, else as normalised."""
    is_named = pl.col(rank) == name
    released, normalised = (
        set(frame.filter(is_named).select("processid").collect(engine="streaming")["processid"])
        for frame in (corpus.curated(), corpus.specimens())
    )
    others = normalised - released
    relabelled = corpus.labels_of(list(others)).select("processid").collect(engine="streaming")["processid"]
    own = released | (others - set(relabelled))
    final = corpus.labels_of(list(own)).select("processid", **{f"made_{one}": one for one in RANKS})
    return (
        corpus.with_ids(list(own))
        .join(final, on="processid", how="left")
        .with_columns(
            pl.when(pl.col("gates").list.len() == 0).then(f"made_{one}").otherwise(one).alias(one) for one in RANKS
        )
    )


def taxon(corpus: Corpus, rank: str, name: str) -> dict[str, Any] | None:
    """The specimens of a taxon with their oddness, the oddest first; None if there is none.

    Args:
        corpus: the corpus.
        rank: one of `vocabulary.RANKS`, or `ANY`.
        name: the label, as in the release; of a specimen that is not released, as normalised.
    """
    if rank not in (*RANKS, ANY):
        return None
    if rank == ANY:
        occurs = [(pl.col(one) == name).any() for one in RANKS]
        found = [
            frame.select(occurs).collect(engine="streaming").row(0) for frame in (corpus.curated(), corpus.specimens())
        ]
        rank = next((one for one in reversed(RANKS) if any(row[RANKS.index(one)] for row in found)), "")
        if not rank:
            return None
    own = members(corpus, rank, name)
    rows = (
        own.select(
            *_SHOWN,
            "area_fraction",
            "exposure",
            barcode=barcode_identity(pl.col("dna_barcode")),
            label=pl.coalesce(reversed(RANKS)),
        )
        .sort("processid")
        .head(MOST)
        .collect(engine="streaming")
    )
    if rows.is_empty():
        return None
    odd = oddness(rows).sort("oddness", "processid", descending=[True, False])
    measures = ("area", "aspect", "brightness", "barcode_distance")
    shown = odd.select(
        *(one for one in _SHOWN if one != "sha256"),
        "label",
        *(pl.col(one).round(4) for one in measures),
        *(pl.col(f"odd_{one}").round(2) for one in _LEAST),
        pl.col("oddness").round(2),
        evidence=pl.col("sha256").str.head(DIGITS),
    )
    parents = [pl.col(one).drop_nulls().mode().sort().first() for one in RANKS[: RANKS.index(rank)]]
    whole = own.select(*parents, pl.len().alias("count")).collect(engine="streaming").row(0, named=True)
    return {
        "rank": rank,
        "name": name,
        "count": whole.pop("count"),
        "lineage": whole,
        "medians": {one: odd[one].median() for one in measures},
        "columns": shown.to_dict(as_series=False),
    }
