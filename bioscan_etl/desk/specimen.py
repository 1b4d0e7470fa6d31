"""The page of a specimen: every row read, labels and places before and after, image, barcode, gates, releases.

Belongs here: its JSON. Does not belong here: finding what became of a process ID (`bioscan_etl.explain`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import polars as pl

from bioscan_etl.barcodes.identity import barcode_identity
from bioscan_etl.decisions.vocabulary import BARCODE_OF
from bioscan_etl.desk.aligned import beside
from bioscan_etl.desk.corpus import OF_ROW, Corpus
from bioscan_etl.desk.neighbours import around
from bioscan_etl.explain import explain
from bioscan_etl.vocabulary import RANKS

_PLACES = (
    ("country", "country_verbatim", "country"),
    ("province_state", "province_verbatim", "province_state"),
    ("coord", "coord_verbatim", "coord"),
)
_DATES = ("collection_date_start", "collection_date_end", "snapshot_date")


_NO_BARCODE: dict[str, Any] = {"reference": None, "same": [], "records": 0, "bin": [], "nearest": []}


def specimen(corpus: Corpus, processid: str) -> dict[str, Any] | None:
    """All that is known of a process ID; None if nothing is."""
    known = explain(corpus.lake, corpus.settings, processid)
    if not known.is_known:
        return None
    rows = corpus.specimens().filter(pl.col("processid") == processid).collect().to_dicts()
    row = rows[0] if rows else {}
    final = corpus.curated().filter(pl.col("processid") == processid).select(*RANKS, "taxon", "inferred_ranks")
    curated = (final.collect().to_dicts() or [{}])[0]
    return {
        "processid": processid,
        "sampleid": row.get("sampleid"),
        "batch": row.get("batch"),
        "gates": row.get("gates", []),
        "sha256": row.get("sha256"),
        "genus_name_type": row.get("genus_name_type"),
        "identification_method": row.get("identification_method"),
        "row": {name: row.get(name) for name in OF_ROW},
        "image": {
            name: row.get(name)
            for name in ("confidence", "specimens", "area_fraction", "blur", "exposure", "detector", "sha256")
        },
        "labels": [
            {
                "rank": rank,
                "delivered": row.get(f"{rank}_verbatim"),
                "normalised": row.get(rank),
                "made": curated.get(rank),
            }
            for rank in RANKS
        ],
        "taxon": curated.get("taxon"),
        "places": [
            {"field": name, "delivered": row.get(before), "made": _coord(row) if after == "coord" else row.get(after)}
            for name, before, after in _PLACES
        ],
        "dates": {name: row.get(name) for name in _DATES},
        "barcode": {
            name: row.get(name)
            for name in ("dna_barcode", "barcode_length", "unambiguous_run", "ambiguous_share", "frame", "genetic_code")
        },
        "why": asdict(known),
        "changed": changes_between(known.releases),
        "doubts": doubts_about(corpus.doubts(), processid, {rank: curated.get(rank) for rank in RANKS}),
    }


def doubts_about(doubts: pl.DataFrame, processid: str, labels: Mapping[str, str | None]) -> list[str]:
    """Ids of the doubts about a specimen, about a group that it is in, and about its labels.

    Args:
        doubts: `schema.DOUBTS`.
        processid: of the specimen.
        labels: its final labels by rank.
    """
    named = (
        (pl.col("rank") == rank) & (pl.col("name") == label) for rank, label in labels.items() if label is not None
    )
    about = pl.any_horizontal(
        (pl.col("processid") == processid).fill_null(value=False),
        pl.col("members").list.contains(processid).fill_null(value=False),
        *(one.fill_null(value=False) for one in named),
    )
    return doubts.filter(about)["id"].to_list()


def changes_between(releases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What differs between a release and the one before it: version, before, field, old, new.

    Args:
        releases: `explain.Why.releases`, oldest first.
    """
    found = []
    for earlier, later in pairwise(releases):
        for field in ("place", "split"):
            if earlier[field] != later[field]:
                found.append(_change(earlier, later, field, earlier[field], later[field]))
        # A specimen that is not released has no labels there; that it left says it all.
        if not earlier["labels"] or not later["labels"]:
            continue
        old, new = earlier["verification_status"], later["verification_status"]
        # Earlier releases do not state it.
        if old is not None and old != new:
            found.append(_change(earlier, later, "verification_status", old, new))
        for rank in RANKS:
            old, new = earlier["labels"].get(rank), later["labels"].get(rank)
            if old != new:
                found.append(_change(earlier, later, rank, old, new))
    return found


def _change(earlier: Mapping[str, Any], later: Mapping[str, Any], field: str, old: Any, new: Any) -> dict[str, Any]:
    return {"version": later["version"], "before": earlier["version"], "field": field, "old": old, "new": new}


def _coord(row: dict[str, Any]) -> str | None:
    if row.get("coord-lat") is None or row.get("coord-lon") is None:
        return None
    return f"{row['coord-lat']}, {row['coord-lon']}"


def barcodes(corpus: Corpus, processid: str) -> dict[str, Any]:
    """The barcode of a specimen beside those of its BIN and the nearest of the corpus."""
    labelled = corpus.specimens().select("processid", "dna_barcode", "dna_bin", label=pl.coalesce(reversed(RANKS)))
    own = labelled.filter(pl.col("processid") == processid).collect().to_dicts()
    letters = own[0]["dna_barcode"] if own else None
    if not letters:
        return _NO_BARCODE
    reference = pl.select(barcode_identity(pl.lit(letters))).item()
    if reference is None:
        return _NO_BARCODE
    found = around(labelled, reference, own[0]["dna_bin"])
    return {
        "reference": reference,
        "group": f"{BARCODE_OF}{processid}",
        "dna_bin": own[0]["dna_bin"],
        "same": found.same,
        "records": found.records,
        "bin": beside(reference, found.bin),
        "nearest": beside(reference, found.nearest),
    }
