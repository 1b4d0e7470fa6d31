"""Pairs of an image and a barcode that are not of one specimen, as mix-ups on the bench leave them, and what they cost.

Belongs here: exchanging pictures and barcodes between sound specimens, and how right an ideal classifier can then be.
Does not belong here: defects that a rule reports (the `…_defects` modules). No rule can see a wrong pair for sure, so
none may report it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl

from bioscan_etl.demo.draft import Draft, Mask
from bioscan_etl.demo.sequences import Indices, as_text
from bioscan_etl.vocabulary import DESCRIBED_RANKS

_IMAGES, _BARCODES = 0.015, 0.0075
"""Pairs of specimens that exchange their pictures, or their barcodes, per specimen: 3 % and 1.5 % wrong pairs."""


def exchanged_pictures(draft: Draft, faulty: Iterable[int]) -> dict[int, int]:
    """Choose specimens of two orders that exchange their pictures.

    Args:
        draft: the corpus; what is planted stays as it is.
        faulty: specimens that have a picture of their own kind, or none.

    Returns:
        The specimen that a picture shows, by specimen that it is filed under; both ways.
    """
    (rng,) = draft.rng.spawn(1)
    candidates = np.setdiff1d(np.arange(len(draft.cluster)), np.fromiter(faulty, np.int64))
    order = draft.taxonomy.order_of_family[draft.taxonomy.family_of_genus[draft.taxonomy.genus_of_cluster]]
    shown: dict[int, int] = {}
    for one, other in _pairs(rng, candidates, order[draft.cluster], round(_IMAGES * len(draft.cluster))):
        shown |= {one: other, other: one}
    return shown


def plant_barcodes_of_others(draft: Draft) -> None:
    """Exchange barcodes, with their BINs, between specimens that nothing was planted in.

    Half of them are of two species of one genus, so that each BIN then holds two species. The others have no species
    and are of two orders. Each is alone with its barcode, so no barcode gets two labels.
    """
    (rng,) = draft.rng.spawn(1)
    labels = draft.taxonomy
    order = labels.order_of_family[labels.family_of_genus[labels.genus_of_cluster]][draft.cluster]
    wanted = round(_BARCODES * len(draft.cluster))
    named = np.flatnonzero(draft.free & draft.role("seen") & draft.own_barcode)
    # Within one genus, species differ; `_pairs` wants two groups.
    genus = labels.genus_of_cluster[draft.cluster]
    pairs = []
    for of_genus in rng.permutation(np.unique(genus[named])):
        members = named[genus[named] == of_genus]
        pairs += list(_pairs(rng, members, draft.cluster, 1))
    pairs = pairs[: (wanted + 1) // 2]
    pairs += _pairs(rng, np.flatnonzero(draft.free & draft.alone), order, wanted - len(pairs))
    bins = draft.specimens["bin_uri"].to_list()
    for one, other in pairs:
        draft.free[[one, other]] = False
        draft.haplotype[[one, other]] = draft.haplotype[[other, one]]
        bins[one], bins[other] = bins[other], bins[one]
        for specimen, owner in ((one, other), (other, one)):
            draft.barcode_of[specimen] = owner
            carried = as_text(draft.barcodes[draft.haplotype[specimen]][None, :])[0]
            draft.note("wrong_barcode", specimen, "nuc", carried, carried)
    draft.specimens = draft.specimens.with_columns(pl.Series("bin_uri", bins))


def _pairs(rng: np.random.Generator, candidates: Indices, group: Indices, count: int) -> list[tuple[int, int]]:
    """Up to `count` pairs of candidates of two groups, nobody in two pairs."""
    found: list[tuple[int, int]] = []
    left = rng.permutation(candidates)
    while len(found) < count and len(left) > 1:
        one, rest = left[0], left[1:]
        others: Mask = group[rest] != group[one]
        if others.any():
            other = rest[int(np.argmax(others))]
            found.append((int(one), int(other)))
            rest = rest[rest != other]
        left = rest
    return found


def wrong_pairs(draft: Draft) -> pl.DataFrame:
    """processid, part (image or barcode), of: the process ID that the image or the barcode belongs to."""
    processids = draft.specimens["processid"].to_list()
    rows = [
        (processids[specimen], part, processids[owner])
        for part, owners in (("barcode", draft.barcode_of), ("image", draft.picture_of))
        for specimen, owner in owners.items()
    ]
    schema = dict.fromkeys(("processid", "part", "of"), pl.String)
    return pl.DataFrame(rows, schema=schema, orient="row").sort("part", "processid")


def ideal_scores(draft: Draft) -> pl.DataFrame:
    """How right a classifier can be that knows how everything was drawn.

    It recognises the species-like cluster that a barcode is of, and the order that a picture shows, and answers with
    the label of that. So it errs on wrong pairs only. Labels are the sound ones.

    Returns:
        query (dna, image, or image_to_dna: from a picture to the barcode of the specimen that it is filed under),
        rank, specimens with that label, right, share.
    """
    shown, carried = (np.arange(len(draft.cluster)) for _ in range(2))
    for at, owners in ((shown, draft.picture_of), (carried, draft.barcode_of)):
        at[list(owners)] = list(owners.values())
    clusters = draft.taxonomy.clusters
    own = clusters[draft.cluster]
    rows = []
    for query, source, other, ranks in (
        ("dna", carried, None, DESCRIBED_RANKS),
        ("image", shown, None, DESCRIBED_RANKS[:1]),
        ("image_to_dna", shown, carried, DESCRIBED_RANKS[:1]),
    ):
        answer = clusters[draft.cluster[source]]
        truth = own if other is None else clusters[draft.cluster[other]]
        for rank in ranks:
            labelled = own[rank].is_not_null() & truth[rank].is_not_null()
            right = int((answer[rank] == truth[rank]).filter(labelled).sum())
            rows.append((query, rank, int(labelled.sum()), right, right / labelled.sum() if labelled.any() else None))
    schema = {"query": pl.String, "rank": pl.String, "specimens": pl.Int64, "right": pl.Int64, "share": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")
