"""`barcodebert/`: barcodes and labels as BarcodeBERT's recipes read them (spec: the release, BarcodeBERT CSVs).

Belongs here: the files, their columns, and the numbers of the labels. A label's number is the same in all files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

import polars as pl

from bioscan_etl import schema
from bioscan_etl.errors import InvariantError
from bioscan_etl.io.write import atomic_file
from bioscan_etl.release.metadata import list_some

FILES = {
    "pre_training": ("pretrain", "other_heldout"),
    "supervised_train": ("train",),
    "supervised_val": ("val",),
    "supervised_test": ("test",),
    "unseen": ("test_unseen",),
}
"""Files, and the partitions of their rows in order."""

COLUMNS = ("processid", "dna_barcode", "dna_bin", *schema.RANKS, "split")
"""Columns of the metadata that the files are made of."""

UNLABELLED = -1


def header() -> list[str]:
    """Column names of the files, in order."""
    names = [f"{rank}_name" for rank in schema.RANKS] + [f"{rank}_index" for rank in schema.RANKS]
    return ["processid", "nucleotides", "bin_uri", "dna_bin", *names]


def label_numbers(labels: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Number the labels of each rank from 0: those of train first, by name, then those of the other files.

    So the species of train are 0 … n - 1, which is what a classifier trained on it counts, and every other label has
    a number of its own.

    Args:
        labels: distinct rows of split and the ranks.

    Returns:
        By rank: label, index.
    """
    order = {split: number for number, split in enumerate(_BY_PRECEDENCE)}
    place = pl.col("split").replace_strict(order, return_dtype=pl.Int8)
    numbers = {}
    for rank in schema.RANKS:
        found = (
            labels.filter(pl.col(rank).is_not_null(), pl.col("split").is_in(_BY_PRECEDENCE))
            .group_by(label=rank)
            .agg(place.min().alias("place"))
            .sort("place", "label")
        )
        numbers[rank] = found.select("label", index=pl.int_range(pl.len(), dtype=pl.Int64))
    return numbers


_BY_PRECEDENCE = ("train", "val", "test", "test_unseen", "other_heldout", "pretrain")


def check_labels(labels: pl.DataFrame) -> None:
    """Hold the labels against what the recipes rely on.

    Args:
        labels: distinct rows of split and the ranks.

    Raises:
        InvariantError: a species of val or test is not in train, a genus of test_unseen is not in train, or a row of
            a supervised file has no species.
    """
    train = labels.filter(pl.col("split") == "train")
    for split, rank in (("val", "species"), ("test", "species"), ("test_unseen", "genus")):
        rows = labels.filter(pl.col("split") == split)
        alien = rows.join(train, on=rank, how="anti")[rank].drop_nulls().unique().to_list()
        if alien:
            raise InvariantError(
                f"{len(alien)} {rank} labels of {split} are not in train ({list_some(alien)}); BarcodeBERT needs them; "
                'check the partitions, or remove "barcodebert" from release.forms'
            )
    supervised = pl.col("split").is_in(("train", "val", "test", "test_unseen"))
    if labels.filter(supervised & pl.col("species").is_null()).height:
        raise InvariantError(
            "specimens without a species are in train, val, test or test_unseen, where BarcodeBERT needs one; "
            'check the partitions, or leave "barcodebert" out of release.forms'
        )


def write_barcodebert(
    groups: Iterable[pl.DataFrame], numbers: Mapping[str, pl.DataFrame], folder: Path
) -> dict[str, int]:
    """Write the five files; memory holds one piece.

    Args:
        groups: the columns of `COLUMNS`, in pieces, sorted; rows of other partitions are passed over.
        numbers: of `label_numbers`.
        folder: where the files go.

    Returns:
        Rows by file.
    """
    file_of = {split: name for name, splits in FILES.items() for split in splits}
    written = dict.fromkeys(FILES, 0)
    with ExitStack() as stack:
        streams = {name: stack.enter_context(atomic_file(folder / f"{name}.csv")) for name in FILES}
        for stream in streams.values():
            stream.write((",".join(header()) + "\n").encode())
        for piece in groups:
            for (split,), rows in piece.group_by("split", maintain_order=True):
                name = file_of.get(str(split))
                if name is not None:
                    made = _numbered(rows, numbers)
                    made.write_csv(streams[name], include_header=False, line_terminator="\n", quote_style="necessary")
                    written[name] += made.height
    return written


def _numbered(rows: pl.DataFrame, numbers: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    for rank, labels in numbers.items():
        rows = rows.join(
            labels.rename({"label": rank, "index": f"{rank}_index"}), on=rank, how="left", maintain_order="left"
        )
    return rows.with_columns(
        *(pl.col(f"{rank}_index").fill_null(UNLABELLED) for rank in schema.RANKS),
        nucleotides="dna_barcode",
        bin_uri="dna_bin",
        **{f"{rank}_name": rank for rank in schema.RANKS},
    ).select(header())
