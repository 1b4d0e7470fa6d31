"""What benchmarks will cost, before they start: queries, references, images and processor minutes.

Belongs here: the sizes of each benchmark on a release, and constants that turn them into time. Does not belong here:
which queries fit a budget (`budget`), and measured times (`measured.Clock`).

An estimate is of one core as the constants were measured on; another machine may take twice or half as long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import polars as pl

from bioscan_etl import vocabulary
from bioscan_etl.evaluation import against_neighbours, barcodebert, clustering, retrieval
from bioscan_etl.evaluation.budget import Budget, search_seconds
from bioscan_etl.evaluation.images import SECONDS, pictured
from bioscan_etl.evaluation.records import NO_LABEL, Records

ESTIMATE = pl.Schema(
    {
        "benchmark": pl.String(),
        "queries": pl.Int64(),
        "keys": pl.Int64(),
        "images": pl.Int64(),
        "cpu_minutes": pl.Float64(),
    }
)
"""`READING`, then a row per benchmark: queries and references at most, images to read, and processor minutes."""
READING = "reading"
"""The row of what benchmarks share: reading the release, placing its barcodes, which are its keys, and its images."""
_WITHOUT_IMAGES = ("barcodebert",)
_TRAINED = ("barcodebert", "retrieval")  # benchmarks that train networks, if any are asked for
_PLACING = 1e-3  # seconds of a barcode (measured: 0.5 x 10^-3 on three real files, 1.7 x 10^-3 on a busy machine)
_COUNTING = 2e-4  # seconds of a barcode, for the k-mers of one length
_COMPARING = 4e-4  # seconds of a query whose candidates are compared again, in one way
_BOOTSTRAP = 3e-4  # seconds of a query, for the intervals of one model
_LINKING = 4e-8  # seconds of a pair of records, for Ward linkage
_WIDTH = 4**5  # of the 5-mers that are clustered and retrieved


def estimate(records: Records, benchmarks: Sequence[str], budget: Budget, network_minutes: float = 0.0) -> pl.DataFrame:
    """Estimate what benchmarks cost on a release.

    Args:
        records: the release.
        benchmarks: names.
        budget: of each of them; a benchmark draws as many queries as fit.
        network_minutes: of the networks of each benchmark that trains some; 0 for none.

    Returns:
        `ESTIMATE`: first `READING`, then the benchmarks in their order.
    """
    images = len(pictured(records)) if any(name not in _WITHOUT_IMAGES for name in benchmarks) else 0
    reading = {
        "benchmark": READING,
        "queries": 0,
        "keys": len(records.barcodes),
        "images": images,
        "cpu_minutes": (_PLACING * len(records.barcodes) + SECONDS * images) / 60,
    }
    rows = [{"benchmark": name, "images": 0, **_SIZES[name](records, budget)} for name in benchmarks if name in _SIZES]
    trains = pl.when(pl.col("benchmark").is_in(_TRAINED)).then(network_minutes).otherwise(0.0)
    return pl.DataFrame([reading, *rows], schema=ESTIMATE).with_columns(pl.col("cpu_minutes") + trains)


def in_words(estimated: pl.DataFrame) -> list[str]:
    """A line for each benchmark.

    Args:
        estimated: `ESTIMATE`.
    """
    lines = []
    for row in estimated.iter_rows(named=True):
        minutes = f"about {row['cpu_minutes']:.1f} processor minutes"
        if row["benchmark"] == READING:
            images = f" and {row['images']:,} images" if row["images"] else ""
            lines.append(f"reading {row['keys']:,} distinct barcodes{images}: {minutes}")
            continue
        lines.append(f"{row['benchmark']}: {minutes}, {row['queries']:,} queries, {row['keys']:,} keys")
    lines.append(f"all: about {estimated['cpu_minutes'].sum():.1f} processor minutes")
    return lines


_Size = dict[str, float]


def _barcodebert(records: Records, budget: Budget) -> _Size:
    asked = barcodebert.tasks(records, budget)
    width = sum(4**k for k in barcodebert.KS) + 4**barcodebert.RERANKED
    seconds = _COUNTING * len(records.barcodes) * len(barcodebert.KS)
    for task in asked:
        seconds += search_seconds(len(task.queries), len(task.keys), width)
        seconds += (2 * _COMPARING + (len(barcodebert.KS) + 2) * _BOOTSTRAP) * len(task.queries)
    labels = records.codes("species")[asked.seen_species.keys]
    known = labels[labels != NO_LABEL]
    fitting = barcodebert.classifier_seconds(known)
    seconds += fitting if budget.fits(fitting) else 0.0
    return {
        "queries": sum(len(task.queries) for task in asked),
        "keys": max(len(task.keys) for task in asked),
        "cpu_minutes": seconds / 60,
    }


def _clustering(records: Records, budget: Budget) -> _Size:
    rows = records.of(clustering.QUERIES[-1])
    most = min(len(rows), clustering.LIMIT)
    # Records and distinct barcodes, of each partition and of both, as images, as DNA and as both.
    clusterings = 2 * 2 * 3
    seconds = clusterings * (_LINKING * most**2 + search_seconds(most, most, _WIDTH))
    return _size(len(rows), 0, seconds, budget)


def _retrieval(records: Records, budget: Budget) -> _Size:
    queries, keys = records.of(vocabulary.EVALUATED), records.of(retrieval.KEYS)
    seconds = 3 * search_seconds(len(queries), len(keys), _WIDTH) + _BOOTSTRAP * len(queries)
    return _size(len(queries), len(keys), seconds, budget)


def _shortcuts(records: Records, budget: Budget) -> _Size:
    queries, keys = records.of(("test",)), records.of(("train",))
    labelled = np.flatnonzero((records.codes("species") != NO_LABEL) & (records.barcode_ids != NO_LABEL))
    barcodes = len(np.unique(records.barcode_ids[labelled]))
    seconds = search_seconds(barcodes, barcodes, 4**against_neighbours.K)
    return _size(len(queries), len(keys), seconds, budget)


def _size(queries: int, keys: int, seconds: float, budget: Budget) -> _Size:
    """The size of a benchmark that draws what fits the budget."""
    return {"queries": queries, "keys": keys, "cpu_minutes": min(seconds, budget.seconds) / 60}


_SIZES: Mapping[str, Callable[[Records, Budget], _Size]] = MappingProxyType(
    {
        "barcodebert": _barcodebert,
        "clustering": _clustering,
        "retrieval": _retrieval,
        "shortcuts": _shortcuts,
    }
)
