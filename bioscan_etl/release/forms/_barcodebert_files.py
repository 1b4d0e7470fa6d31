"""BarcodeBERT's files: their names, partitions and columns (spec: the release, BarcodeBERT CSVs).

Belongs here: what writing and checking them share, and what measures a release by the same rows. Does not belong here:
the files.
"""

from __future__ import annotations

import polars as pl

from bioscan_etl import vocabulary

FOLDER = "barcodebert"
FILES = {
    "pre_training": ("pretrain", "other_heldout"),
    "supervised_train": ("train",),
    "supervised_val": ("val",),
    "supervised_test": ("test",),
    "unseen": ("test_unseen",),
}
"""Files, and the partitions of their rows in order."""
WITHOUT_LABELS = "pre_training"
"""The file whose rows may lack a species."""
NEEDED = (("val", "species"), ("test", "species"), ("test_unseen", "genus"))
"""Partitions, and the rank at which each label of theirs occurs in train."""


def may_be_in_a_file() -> pl.Expr:
    """Whether a specimen may be in a file, and so be the row of its barcode: it has a species, or needs none there."""
    return pl.col("species").is_not_null() | pl.col("split").is_in(FILES[WITHOUT_LABELS])


def header() -> list[str]:
    """Column names of the files, in order."""
    names = [f"{rank}_name" for rank in vocabulary.RANKS] + [f"{rank}_index" for rank in vocabulary.RANKS]
    return ["processid", "nucleotides", "bin_uri", "dna_bin", *names, "specimens"]
