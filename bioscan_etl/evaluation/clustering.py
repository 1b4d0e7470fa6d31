"""Zero-shot clustering: how well clusters of features agree with labels that no encoder has seen.

Belongs here: the records, the features of the base, the clustering (spec: benchmarks, zero-shot clustering). Does not
belong here: encoders (`encoder`, `networks`) and the score (`metrics.ami`).

Clusters are those of Ward's linkage, as many as the records have species. Each set of features is clustered once, and
scored at all ranks. As published, each record is one row. Copies of a barcode make that easy, so one row for each
distinct barcode stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt

from bioscan_etl.evaluation.budget import PRODUCTS, Budget
from bioscan_etl.evaluation.images import LIBRARIES, ImageVectors, why_no_features
from bioscan_etl.evaluation.kmers import BarcodeVectors
from bioscan_etl.evaluation.measured import Clock, Question, Sheet
from bioscan_etl.evaluation.records import LABELLED, NO_LABEL, Flags, Numbers, Records
from bioscan_etl.progress import Progress, silent
from bioscan_etl.vocabulary import EVALUATED_PAIRS

NAME = "clustering"
K = 5
"""Bases of the k-mers (spec: benchmarks, measured)."""
_TESTS = EVALUATED_PAIRS[-1]
QUERIES = (*((split,) for split in _TESTS), _TESTS)
"""Partitions that are clustered."""
RANKS = tuple(rank for rank in LABELLED if rank != "phylum")
"""Ranks that are scored, and the BIN."""
LIMIT = 10_000
"""Records of a clustering at most: twice their number squared, over two, in doubles are 800 MB. Of more, a sample."""
NEIGHBOURS, DIMENSIONS = 30, 50
"""Of UMAP, as published; it has the least distance 0 and is Euclidean."""
_WIDTH = 2304  # numbers of the widest features: 5-mers and those of the shipped encoder
_ROWS = 512  # rows of a block of distances

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Features:
    """Features that records are clustered by.

    Attributes:
        model: their name.
        of: the features of rows, float64, shape (rows, width).
        known: which rows have them, shape (rows of `Records`,).
        seconds: processor time per row to make them.
        libraries: further distributions that they rest on.
    """

    model: str
    of: Callable[[Numbers], Floats]
    known: Flags
    seconds: float = 0.0
    libraries: tuple[str, ...] = ()


def measure(
    records: Records,
    sheet: Sheet,
    progress: Progress = silent,
    budget: Budget | None = None,
    images: ImageVectors | None = None,
    *,
    with_umap: bool = True,
    limit: int = LIMIT,
) -> None:
    """Cluster 5-mers, images, and both.

    Args:
        records: the release.
        sheet: takes the scores.
        progress: reports clusterings.
        budget: processor time; records that do not fit are left out.
        images: features of its images; without, they are not applicable.
        with_umap: also cluster what UMAP makes of the features, if the extra `bench` is installed.
        limit: records of a clustering at most.
    """
    barcodes = kmers(records)
    offered = [barcodes, *_with_images(records, images, barcodes)]
    missing = why_no_features(records, images)
    ways = (False, True) if with_umap else (False,)
    limit = min(limit, _fitting(budget)) if budget else limit
    total, done = len(QUERIES) * 2 * len(ways) * (len(offered) + (2 if missing else 0)), 0
    for queries in QUERIES:
        for task, pick in (("cluster_records", _all), ("cluster_barcodes", _one_per_barcode)):
            for features in offered:
                rows = records.of(queries)
                rows = pick(records, rows[features.known[rows]])
                for reduced in ways:
                    clustered(records, sheet, features, task, queries, rows, reduced=reduced, limit=limit)
                    done += 1
                    progress(NAME, done, total)
            for model in ("images", f"images + {K}-mers") if missing else ():
                for reduced in ways:
                    question = Question(NAME, task, _named(model, reduced=reduced), queries, ())
                    for rank in RANKS:
                        sheet.not_applicable(question, rank, missing, ("ami",))
                    done += 1
    progress(NAME, total, total)


def _fitting(budget: Budget) -> int:
    """Records of which the distances of both features together take no more than an equal part of the time."""
    seconds = budget.part(len(QUERIES) * 2 * 3).seconds
    return max(int((seconds * PRODUCTS / (2 * _WIDTH)) ** 0.5), 2)


def kmers(records: Records, k: int = K) -> Features:
    """Counts of k-mers, as vectors of length 1, so that the length of a barcode does not count."""
    clock = Clock()
    with clock.running():
        vectors = BarcodeVectors(records, records.of(QUERIES[-1]), k)
    ids = records.barcode_ids
    return Features(
        f"{k}-mers",
        lambda rows: vectors.at(ids[rows]).astype(np.float64),
        ids != NO_LABEL,
        clock.seconds / max(vectors.counted, 1),
    )


def joined(one: Features, other: Features) -> Features:
    """Both features side by side, each element as its z-score over the rows that are clustered."""
    return Features(
        f"{one.model} + {other.model}",
        lambda rows: np.hstack([z_scores(one.of(rows)), z_scores(other.of(rows))]),
        one.known & other.known,
        one.seconds + other.seconds,
        (*one.libraries, *other.libraries),
    )


def _with_images(records: Records, images: ImageVectors | None, barcodes: Features) -> Iterator[Features]:
    if images is None or why_no_features(records, images):
        return
    own = Features(
        images.model,
        lambda rows: images.raw(rows).astype(np.float64),
        images.known,
        images.seconds / max(len(images.features), 1),
        LIBRARIES,
    )
    yield own
    yield joined(own, barcodes)


def clustered(
    records: Records,
    sheet: Sheet,
    features: Features,
    task: str,
    queries: tuple[str, ...],
    rows: Numbers,
    *,
    reduced: bool = False,
    limit: int = LIMIT,
) -> None:
    """Cluster rows once, and note the score at all ranks.

    Args:
        records: the release.
        sheet: takes the scores.
        features: of the rows.
        task: name of the task.
        queries: partitions of the rows, as they are called.
        rows: that have these features, int64, ascending.
        reduced: whether UMAP reduces the features first.
        limit: rows at most; of more, as many are drawn.
    """
    drawn = _drawn(rows, limit, sheet.seed)
    species = records.codes("species")[drawn]
    number = len(np.unique(species[species != NO_LABEL]))
    note = f"Ward's linkage, {number} clusters, as many as species"
    if reduced:
        note = f"UMAP to {DIMENSIONS} dimensions, then {note}"
    if len(drawn) < len(rows):
        note += f"; {len(drawn):,} records drawn of {len(rows):,}"
    libraries = (*features.libraries, *(("umap-learn",) if reduced and _has_umap() else ()))
    question = Question(NAME, task, _named(features.model, reduced=reduced), queries, (), note, libraries)
    if reason := _why_not(len(drawn), number, reduced=reduced):
        for rank in RANKS:
            sheet.not_applicable(question, rank, reason, ("ami",))
        return
    clock = Clock(features.seconds * len(drawn))
    with clock.running():
        vectors = features.of(drawn)
        if reduced:
            vectors = _by_umap(vectors, sheet.seed)
        found = ward_clusters(vectors, number)
    for rank in RANKS:
        sheet.clustered(question, rank, records.codes(rank)[drawn], found, seconds=clock.seconds)


def _named(model: str, *, reduced: bool) -> str:
    return f"{model}, UMAP" if reduced else model


def _why_not(rows: int, species: int, *, reduced: bool) -> str:
    if species < 2:
        return f"{rows} records have {species} species; two are needed"
    if reduced and not _has_umap():
        return "umap-learn is not installed (pip install 'bioscan-etl[bench]')"
    if reduced and rows <= DIMENSIONS + 1:
        return f"UMAP to {DIMENSIONS} dimensions needs more than {DIMENSIONS + 1} records; there are {rows}"
    return ""


def _all(records: Records, rows: Numbers) -> Numbers:
    del records
    return rows


def _one_per_barcode(records: Records, rows: Numbers) -> Numbers:
    """The first of these rows of each distinct barcode, ascending; a row without a barcode is left out."""
    ids = records.barcode_ids[rows]
    held = rows[ids != NO_LABEL]
    _, first = np.unique(ids[ids != NO_LABEL], return_index=True)
    return np.sort(held[first])


def _drawn(rows: Numbers, limit: int, seed: int) -> Numbers:
    if len(rows) <= limit:
        return rows
    return np.sort(np.random.Generator(np.random.PCG64(seed)).choice(rows, limit, replace=False))


def z_scores(vectors: Floats) -> Floats:
    """Each element less its mean, over its deviation; 0 for an element that does not vary."""
    centred = vectors - vectors.mean(axis=0)
    deviation = centred.std(axis=0)
    scores: Floats = centred / np.where(deviation > 0, deviation, 1)
    return scores


def ward_clusters(vectors: Floats, number: int) -> Numbers:
    """Clusters by Ward's linkage (Ward 1963, doi:10.1080/01621459.1963.10500845).

    Args:
        vectors: shape (rows, width), at least two rows.
        number: of clusters, from 1 to the number of rows.

    Returns:
        The number of each row's cluster, int64, from 0. There are `number` clusters, although rows may be equal.
    """
    from scipy.cluster.hierarchy import ward
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(vectors)
    # Merge i joins two of the rows and earlier merges into n + i. The first merges, without the last ones, leave the
    # clusters; a cut at a height would leave fewer where merges are equally high.
    joins = ward(distances(vectors))[: n - number, :2].astype(np.int64)
    merged = n + np.repeat(np.arange(len(joins)), 2)
    edges = coo_array((np.ones(len(merged)), (joins.ravel(), merged)), shape=(2 * n, 2 * n))
    _, parts = connected_components(edges, directed=False)
    found: Numbers = np.unique(parts[:n], return_inverse=True)[1].astype(np.int64)
    return found


def distances(vectors: Floats) -> Floats:
    """Euclidean distances of all pairs, in the order (0, 1), (0, 2) … (1, 2) …, by blocks of a matrix product."""
    n = len(vectors)
    centred = vectors - vectors.mean(axis=0)
    squares = np.einsum("ij,ij->i", centred, centred)
    found = np.empty(n * (n - 1) // 2)
    for start in range(0, n, _ROWS):
        block = centred[start : start + _ROWS]
        squared = squares[start : start + _ROWS, None] + squares[None, start:] - 2 * (block @ centred[start:].T)
        apart = np.sqrt(np.maximum(squared, 0))
        for offset in range(len(block)):
            row = start + offset
            at = row * n - row * (row + 1) // 2
            found[at : at + n - row - 1] = apart[offset, offset + 1 :]
    return found


def _has_umap() -> bool:
    return find_spec("umap") is not None


def _by_umap(vectors: Floats, seed: int) -> Floats:
    """Vectors in `DIMENSIONS` dimensions, as published."""
    from umap import UMAP

    reducer = UMAP(
        n_neighbors=min(NEIGHBOURS, len(vectors) - 1),
        n_components=DIMENSIONS,
        min_dist=0.0,
        metric="euclidean",
        random_state=seed,
        n_jobs=1,  # in several threads, the same seed would give other numbers
    )
    return np.asarray(reducer.fit_transform(vectors), np.float64)
