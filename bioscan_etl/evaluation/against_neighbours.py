"""Labels against neighbours: specimens of which the nearest barcodes all have another label.

Belongs here: finding them, and writing them as reports that curators can decide on. Does not belong here: the desk's
list of doubts, which takes reports from `bioscan-etl propose` (`bioscan_etl.proposals`).

The neighbours of a specimen are the other specimens of its barcode, and those of the nearest other barcodes
(`NEIGHBOURS`) that lie within the distance of its rank (`WITHIN`). A species without another specimen is not in doubt
for that alone, since it has to differ from what is near. It is in doubt if its neighbours are as near as specimens of
one species are. Only the highest rank in doubt is listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import polars as pl

from bioscan_etl.evaluation.budget import Budget, search_seconds
from bioscan_etl.evaluation.images import ImageVectors
from bioscan_etl.evaluation.kmers import BarcodeVectors
from bioscan_etl.evaluation.records import NO_LABEL, Numbers, Records
from bioscan_etl.evaluation.rerank import overlap_distances
from bioscan_etl.evaluation.search import nearest
from bioscan_etl.progress import Progress, silent
from bioscan_etl.proposals.read import proposal_problems
from bioscan_etl.schema import EVALUATION_DOUBTS, PROPOSAL_COLUMNS

WITHIN: Mapping[str, float] = MappingProxyType({"order": 0.12, "family": 0.08, "genus": 0.03, "species": 0.02})
"""Distance of neighbours at most, by rank. Below, the label is nearly always the same (spec: benchmarks, measured)."""
NEIGHBOURS = 5
"""Other barcodes that are asked at most."""
LEAST = 3
"""Specimens among the neighbours that have a label, at least."""
K = 4
"""Bases of the k-mers that find the neighbours, before they are compared on the frame."""
CANDIDATES = 12
IMAGES = 5
"""Nearest images that are asked about a specimen in doubt."""
REPORTER = "bioscan-etl evaluate"
"""Who reports."""


def find(
    records: Records,
    images: ImageVectors | None = None,
    budget: Budget | None = None,
    progress: Progress = silent,
) -> pl.DataFrame:
    """Specimens with a species whose nearest neighbours all have another label.

    Args:
        records: the release.
        images: features of its images; a second opinion about what barcodes say.
        budget: processor time; barcodes that do not fit are not asked.
        progress: reports barcodes.

    Returns:
        `schema.EVALUATION_DOUBTS`, by process ID.
    """
    rows = np.flatnonzero((records.codes("species") != NO_LABEL) & (records.barcode_ids != NO_LABEL))
    if not len(rows):
        return EVALUATION_DOUBTS.empty()
    pairs = _pairs(records, rows, budget, progress)
    held = pl.DataFrame({"row": rows, "barcode": records.barcode_ids[rows]})
    parts: list[pl.DataFrame] = []
    for rank in WITHIN:
        labels = records.rows[rank].gather(rows)
        found = _against(held.with_columns(label=labels).drop_nulls("label"), pairs, WITHIN[rank])
        parts.append(found.with_columns(rank=pl.lit(rank)))
    # The ranks come from the highest down, so the first is the highest.
    first = pl.concat(parts).unique("row", keep="first", maintain_order=True)
    at = first["row"].to_numpy()
    named = first.with_columns(
        processid=records.rows["processid"].gather(at),
        split=records.rows["split"].gather(at),
        **_of_images(records, images, first),
    )
    return EVALUATION_DOUBTS.conform(named.drop("row").sort("processid"))


def _pairs(records: Records, rows: Numbers, budget: Budget | None, progress: Progress) -> pl.DataFrame:
    """Barcodes, their neighbours and how far they are: each is its own neighbour, too."""
    ids = np.unique(records.barcode_ids[rows])
    vectors = BarcodeVectors(records, rows, K)
    asked = ids if budget is None else budget.drawn(ids, search_seconds(1, len(ids), 4**K))
    found, _ = nearest(
        vectors, asked, ids, CANDIDATES + 1, progress=progress, label="labels against neighbours: barcodes"
    )
    others = np.where(found >= 0, ids[np.maximum(found, 0)], NO_LABEL)
    others[others == asked[:, None]] = NO_LABEL
    distance = overlap_distances(records, asked, others)
    nearby = np.argsort(distance, axis=1, kind="stable")[:, :NEIGHBOURS]
    frame = pl.DataFrame(
        {
            "barcode": np.concatenate([asked, np.repeat(asked, nearby.shape[1])]),
            "neighbour": np.concatenate([asked, np.take_along_axis(others, nearby, axis=1).ravel()]),
            "distance": np.concatenate([np.zeros(len(asked)), np.take_along_axis(distance, nearby, axis=1).ravel()]),
        }
    )
    return frame.filter(pl.col("distance").is_finite())


def _against(held: pl.DataFrame, pairs: pl.DataFrame, within: float) -> pl.DataFrame:
    """The specimens against which all neighbours within a distance speak.

    Args:
        held: row, barcode, label; none missing.
        pairs: barcode, neighbour, distance.
        within: distance at most.
    """
    said = held.group_by("barcode", "label").agg(specimens=pl.len().cast(pl.Int64))
    # What the neighbours of a barcode say, the barcode itself among them.
    votes = (
        pairs.filter(pl.col("distance") <= within)
        .join(said.rename({"barcode": "neighbour", "label": "says"}), on="neighbour")
        .group_by("barcode", "says")
        .agg(saying=pl.col("specimens").sum(), distance=pl.col("distance").min())
        .sort("barcode", "saying", "says", descending=[False, True, False])
    )
    judged = held.join(votes, on="barcode")
    other = pl.col("says") != pl.col("label")
    own = pl.col("saying").filter(pl.col("says") == pl.col("label")).sum() - 1  # a specimen is not its own neighbour
    return (
        judged.group_by("row", "label", maintain_order=True)
        .agg(
            own=own,
            neighbours=pl.col("saying").filter(other).sum(),
            neighbours_say=pl.col("says").filter(other).first(),
            saying=pl.col("saying").filter(other).first(),
            distance=pl.col("distance").filter(other).min(),
        )
        .filter(pl.col("own") == 0, pl.col("neighbours") >= LEAST)
        .drop("own")
    )


def _of_images(records: Records, images: ImageVectors | None, found: pl.DataFrame) -> dict[str, pl.Series]:
    """What the nearest images of specimens in doubt say, of all that have features and the label's rank."""
    columns = {name: np.full(found.height, NO_LABEL) for name in ("images", "images_agreeing", "images_saying")}
    if images is not None:
        for rank in found["rank"].unique().sort().to_list():
            at = np.flatnonzero((found["rank"] == rank).to_numpy() & images.known[found["row"].to_numpy()])
            rows = found["row"].to_numpy()[at]
            keys = np.flatnonzero(images.known & (records.codes(rank) != NO_LABEL))
            near, _ = nearest(images, rows, keys, IMAGES, apart=lambda one, other: one[:, None] == other[None, :])
            labels = records.rows[rank].to_numpy()
            says = np.where(near >= 0, labels[keys[np.maximum(near, 0)]], None) if len(keys) else near.astype(object)
            columns["images"][at] = (near >= 0).sum(axis=1)
            for name, column in (("images_agreeing", "label"), ("images_saying", "neighbours_say")):
                columns[name][at] = np.equal(says, found[column].to_numpy()[at][:, None]).sum(axis=1)
    return {name: pl.Series(name, values, pl.Int64).replace(NO_LABEL, None) for name, values in columns.items()}


def as_reports(records: Records, doubts: pl.DataFrame) -> pl.DataFrame:
    """Doubts as a file of reports, which `bioscan-etl propose FILE` adds to a corpus.

    A label is suggested if all neighbours have one and a curator could give it. The date is that of the latest records
    of the release, so that the same release gives the same file.

    Args:
        records: the release.
        doubts: `schema.EVALUATION_DOUBTS`.

    Returns:
        Columns of `schema.PROPOSAL_COLUMNS`, text, by process ID; no rows if the release states no date.
    """
    names = [column.name for column in PROPOSAL_COLUMNS]
    latest = records.rows["snapshot_date"].max()
    agreed = pl.col("saying") == pl.col("neighbours")
    seen = pl.when(pl.col("images") > 0).then(
        pl.format("; of {} nearest images, {} say {}", "images", "images_agreeing", "label")
    )
    note = pl.format(
        "{} {}: {} of {} nearest specimens say {}, the nearest barcode differs in {} %",
        *("rank", "label", "saying", "neighbours", "neighbours_say"),
        (pl.col("distance") * 100).round(1),
    )
    lines = doubts.select(
        "processid",
        reason=pl.lit("misidentified"),
        field=pl.when(agreed).then("rank"),
        value=pl.when(agreed).then("neighbours_say"),
        note=note + pl.coalesce(seen, pl.lit("")),
        reporter=pl.lit(REPORTER),
        date=pl.lit(None if latest is None else str(latest), pl.String),
    ).select(names)
    if latest is None:
        return lines.clear()
    # A suggestion that a curator could not give is left to the note.
    wrong = [problem is not None for problem in proposal_problems(lines.to_dicts())]
    bad = pl.Series("bad", wrong, pl.Boolean)
    return lines.with_columns(
        pl.when(bad).then(None).otherwise(pl.col(name)).alias(name) for name in ("field", "value")
    )
