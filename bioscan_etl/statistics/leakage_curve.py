"""How near each evaluated barcode lies to one that a model may have seen, and whether that one has its label.

The share at distance 0 is what a model can answer by memory. The same labels at a distance say how well the nearest
trained barcode alone answers: a model that learns something does better.

Belongs here: the curve of each pair of partitions. Does not belong here: the search (`barcodes.nearest`), and barcodes
that are the same in another extent (`splits.leakage`).
"""

from __future__ import annotations

import numpy as np
import polars as pl

from bioscan_etl.barcodes.clusters import Clusters, clusters
from bioscan_etl.barcodes.framed import Framed, comparable
from bioscan_etl.barcodes.nearest import nearest
from bioscan_etl.progress import Progress, silent
from bioscan_etl.statistics.definitions import LEAKAGE_CURVE_TABLE
from bioscan_etl.vocabulary import LEAKAGE_PAIRS

WITHIN = (0.0, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 1.0)
"""Distances up to which barcodes are counted."""
_LABELS = ("species", "genus", "family")


def leakage_curve(rows: pl.DataFrame, barcodes: pl.DataFrame, least: int, progress: Progress = silent) -> pl.DataFrame:
    """`definitions.LEAKAGE_CURVE_TABLE`: a row per pair of `vocabulary.LEAKAGE_PAIRS` and entry of `WITHIN`.

    Args:
        rows: barcode_id, split, family, genus and species of each specimen.
        barcodes: `schema.BARCODES`; those whose place is in doubt are compared with none.
        least: columns that two barcodes must share to be compared (setting `barcodes.min_shared_columns`).
        progress: reports the pairs of partitions.
    """
    named = rows.select("barcode_id", "split", *_LABELS).drop_nulls("barcode_id")
    # A barcode has one label at a rank after curation; of several, the first by name.
    labelled = named.group_by("split", "barcode_id").agg(pl.col(_LABELS).drop_nulls().min())
    wanted = sorted({name for pair in LEAKAGE_PAIRS for name in pair})
    used = labelled.filter(pl.col("split").is_in(wanted)).select("barcode_id").unique()
    position, on_frame = comparable(barcodes.join(used, on="barcode_id", how="semi"))
    sides = {
        name: labelled.filter(pl.col("split") == name).join(position, on="barcode_id").sort("species", "at")
        for name in wanted
    }
    held = {name: _in_clusters(on_frame, side) for name, side in sides.items()}
    found = []
    for number, (known, evaluated) in enumerate(LEAKAGE_PAIRS):
        every = labelled.filter(pl.col("split") == evaluated).height
        ours, theirs = (sides[split].sort("at") for split in (evaluated, known))
        p, at = nearest(on_frame, held[evaluated], held[known], least)
        pairs = ours.with_columns(p=pl.Series(p), other=pl.Series(at)).join(
            theirs.select(pl.col("at").cast(pl.Int64).alias("other"), pl.col(_LABELS).name.prefix("known_")),
            on="other", how="left",
        )  # fmt: skip
        same = [(pl.col(label) == pl.col(f"known_{label}")).fill_null(value=False) for label in _LABELS]
        for within in WITHIN:
            near = pairs.filter(pl.col("p") <= within)
            counts = near.select(one.sum() for one in same).row(0) if near.height else (0,) * len(_LABELS)
            found.append((known, evaluated, within, every, near.height, near.height / max(every, 1), *counts))
        progress("leakage curve", number + 1, len(LEAKAGE_PAIRS))
    return pl.DataFrame(found, schema=LEAKAGE_CURVE_TABLE.schema(), orient="row")


def _in_clusters(on_frame: Framed, side: pl.DataFrame) -> Clusters:
    """The barcodes of a partition, by species, in clusters."""
    species = side["species"].rank("dense").fill_null(0).to_numpy().astype(np.int64)
    return clusters(on_frame, side["at"].to_numpy().astype(np.int64), species)
