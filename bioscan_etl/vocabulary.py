"""The closed lists that tables, settings and code share: ranks, partitions, image packages.

Belongs here: constants, each typed once. Does not belong here: functions, columns (`bioscan_etl.schema`), and which
barcodes are the same (`bioscan_etl.barcodes.identity`).

A stage counts the constants that it uses one by one, by value, as it counts the entries of the schema
(`bioscan_etl.provenance.closure`). So a change of one list makes only those stages stale that use it.
"""

from __future__ import annotations

from typing import Literal, get_args

Rank = Literal["phylum", "class", "order", "family", "subfamily", "genus", "species"]

RANKS: tuple[str, ...] = get_args(Rank)
"""Taxonomic ranks of a label, the highest first."""

DESCRIBED_RANKS: tuple[Rank, ...] = ("order", "family", "genus", "species")
"""Ranks of the text that describes a specimen to a language model, as CLIBD writes it (spec: benchmarks, CLIBD)."""

SPLITS = (
    "pretrain",
    "train",
    "val",
    "test",
    "key_unseen",
    "val_unseen",
    "test_unseen",
    "other_heldout",
)
"""Partitions, in the order in which a release lists them (spec: partitioning)."""

SEEN = ("train", "val", "test")
"""Partitions of the species that a model is trained on: the closed world."""

UNSEEN_KEY = "key_unseen"
"""Partition of the references of unseen species: a model may look them up, but is not trained on them."""

UNSEEN_QUERIES = ("val_unseen", "test_unseen")
"""Partitions of the records of unseen species that a model is asked about."""

UNSEEN = (UNSEEN_KEY, *UNSEEN_QUERIES)
"""Partitions of the species that no model is trained on: the open world."""

EVALUATED = ("val", "test", *UNSEEN_QUERIES)
"""Partitions that models are measured on. No record moves into one of them from any other partition."""

SEEN_QUERIES = tuple(split for split in EVALUATED if split not in UNSEEN_QUERIES)
"""Partitions of the records of seen species that a model is asked about."""

EVALUATED_PAIRS = tuple(zip(SEEN_QUERIES, UNSEEN_QUERIES, strict=True))
"""Partitions of seen and of unseen species that belong together: those for choices, then those for the score."""

LEAKAGE_PAIRS = (*(("train", queries) for queries in EVALUATED), *((UNSEEN_KEY, queries) for queries in UNSEEN_QUERIES))
"""Pairs of a partition that a model may have seen and an evaluated one that should share nothing with it."""

NOT_EVALUATED = tuple(split for split in SPLITS if split not in EVALUATED)
"""Partitions that a model may be trained on, or has as references."""

LABELLED_ALONE = ("train", "other_heldout")
"""Partitions that a barcode without a species leaves for pretrain, where a model is trained on it, too."""

TRAINING = ("pretrain", "train")
"""Partitions that models are trained on: without labels, and with them."""

ImagePackage = Literal["original_full", "original_256", "cropped", "cropped_256"]

IMAGE_PACKAGES: tuple[ImagePackage, ...] = get_args(ImagePackage)
"""Packages of images that a release can hold."""

ORIGINALS: ImagePackage = "original_full"
"""The package whose files are the imager's own, byte for byte."""

MADE_PACKAGES: tuple[ImagePackage, ...] = tuple(package for package in IMAGE_PACKAGES if package != ORIGINALS)
"""Packages whose images the pipeline makes."""

Benchmark = Literal["barcodebert", "clustering", "retrieval", "shortcuts"]

BENCHMARKS: tuple[Benchmark, ...] = get_args(Benchmark)
"""Benchmarks of a release, in the order in which they run."""

MERGED, RELABELLED = "CURATOR_MERGED", "CURATOR_OVERRIDE"
"""Rules of the change log by which a curator's line changes labels: a spelling merged, a label set."""
