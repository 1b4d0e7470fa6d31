"""Which scores say most of a release, and how tasks and metrics are called.

Belongs here: the choice of headline numbers, and words. Does not belong here: measuring.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import polars as pl

FEW_QUERIES, FEW_CLASSES = 100, 10
"""Barcodes and genera of unseen species below which species left out are the headline (spec: benchmarks)."""

TITLES: Mapping[str, str] = MappingProxyType(
    {
        "left_out_species": "Genus of a species that is left out",
        "unseen_genus": "Genus of an unseen species",
        "seen_species": "Species of a known species",
        "cluster_records": "Clusters of records",
        "cluster_barcodes": "Clusters of distinct barcodes",
        "dna_to_dna": "DNA to DNA",
        "image_to_image": "Image to image",
        "image_to_dna": "Image to DNA",
        "image_to_text": "Image to text",
        "dna_to_text": "DNA to text",
        "shortcuts": "Without DNA and image",
    }
)
"""Names of tasks for people; a task without one shows its own."""
BENCHMARK_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "barcodebert": "BarcodeBERT: species and genus from DNA",
        "clustering": "Zero-shot clustering",
        "retrieval": "CLIBD: retrieval across image and DNA",
        "shortcuts": "Shortcuts: what a model could cheat with",
    }
)
RANKS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "barcodebert": ("species", "genus"),
        "clustering": ("species", "genus", "order"),
        "retrieval": ("order", "species"),
        "shortcuts": ("species", "genus"),
    }
)
"""Ranks of the headline scores; a figure shows the first that has scores."""
METRICS: Mapping[str, str] = MappingProxyType(
    {
        **{f"top{k}_{average}": f"top-{k}, {average}" for k in (1, 3, 5) for average in ("micro", "macro")},
        "ami": "AMI",
    }
)
_ONE_SET = frozenset({"left_out_species", "unseen_genus", "seen_species"})  # tasks that are asked of one set of queries


def title(task: str) -> str:
    """A task's name for people."""
    return TITLES.get(task, task.replace("_", " ").capitalize())


def headline(scores: pl.DataFrame) -> pl.DataFrame:
    """The rows that a page shows first and that are followed over releases.

    They are micro averages and AMI of all queries, at the `RANKS` of a benchmark. Queries of val serve the choice of
    models, and harmonic means follow from others: both are left out.

    The open world of a release with few unseen barcodes or genera is that of species left out.

    Args:
        scores: `schema.EVALUATION`.

    Returns:
        Some of its rows, in their order: those with a score, of the first answer and of all queries.
    """
    is_first = pl.any_horizontal(
        (pl.col("benchmark") == name) & pl.col("rank").is_in(list(ranks)) for name, ranks in RANKS.items()
    )
    shown = scores.filter(
        pl.col("subset") == "all",
        pl.col("metric").is_in(["top1_micro", "ami"]),
        pl.col("value").is_not_null(),
        is_first,
        ~pl.col("queries").str.contains(r"\bval(_unseen)?\b|^harmonic"),
    )
    few = pl.col("task").eq("unseen_genus") & (pl.col("n").lt(FEW_QUERIES) | pl.col("classes").lt(FEW_CLASSES))
    return shown.filter(~few)


def score_name(row: Mapping[str, Any]) -> str:
    """A name of a headline score that is the same for each release: what Dagster plots it under.

    It has the task, the model, the rank and, where a task is asked of several sets, the queries and keys.

    Args:
        row: of `schema.EVALUATION`.

    Example:
        >>> of_genus = {"task": "left_out_species", "model": "6-mers", "rank": "genus", "queries": "labelled"}
        >>> score_name(of_genus | {"keys": "labelled"})
        'left_out_species_6mers_genus'
        >>> score_name({"task": "dna_to_dna", "model": "5-mers", "rank": "order", "queries": "val", "keys": "train"})
        'dna_to_dna_5mers_order_val_in_train'
    """
    parts = [row["task"], row["model"].replace("-mers", "mers"), row["rank"]]
    if row["task"] not in _ONE_SET:
        parts += [f"{row['queries']} in {row['keys']}" if row["keys"] else row["queries"]]
    return re.sub(r"[^a-z0-9]+", "_", " ".join(parts).lower()).strip("_")
