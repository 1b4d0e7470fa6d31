"""`barcodebert/`: barcodes and labels as BarcodeBERT's recipes read them (spec: the release, BarcodeBERT CSVs).

Belongs here: which specimens are in which file, and writing them. Does not belong here: names of files and columns
(`_barcodebert_files`), the indices of the labels, which are those of the release (`release.labels`), and whether the
files are right (`_barcodebert_check`).

The published recipe strips N from the end of each barcode, keeps one row of each over the whole table, and then splits.
So the first specimen of a barcode stands for it, in the order of the release and whatever its partition. A specimen
that may be in no file, because it lacks a species in a labelled partition, stands for none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import polars as pl

from bioscan_etl import schema, vocabulary
from bioscan_etl.errors import InvariantError, name_some
from bioscan_etl.io.write import atomic_file
from bioscan_etl.progress import Progress
from bioscan_etl.release.check.faults import Fault
from bioscan_etl.release.check.view import View
from bioscan_etl.release.forms._barcodebert_check import check_barcodebert
from bioscan_etl.release.forms._barcodebert_files import FILES, FOLDER, NEEDED, WITHOUT_LABELS, header, may_be_in_a_file
from bioscan_etl.release.forms.registry import Card, Form
from bioscan_etl.release.labels import NO_INDEX, Vocabulary, read_labels, with_indices
from bioscan_etl.release.rows import released_groups, require_metadata
from bioscan_etl.release.staging import Staging
from bioscan_etl.settings import ReleaseSettings

COLUMNS = ("processid", "dna_barcode", "dna_bin", *vocabulary.RANKS, "split")
"""Columns of the metadata that the files are made of."""


def build(staging: Staging, settings: ReleaseSettings, _: Progress) -> None:
    """Write the files from the staged metadata, which must be built.

    Raises:
        InvariantError: the metadata is not built yet, or its labels are not what BarcodeBERT's recipes rely on.
    """

    def groups() -> Iterator[pl.DataFrame]:
        return released_groups(staging, COLUMNS)

    require_metadata(staging)
    labels = read_labels(staging.tree)
    write_barcodebert(groups, labels, staging.tree / FOLDER, distinct=settings.barcodebert_rows == "distinct")


def require_labels(labels: pl.DataFrame) -> None:
    """Check the labels of the rows against what the recipes rely on.

    Records of one barcode have one label and are in one partition, so that a row per barcode loses no label of train.

    Args:
        labels: rows of split, genus and species.

    Raises:
        InvariantError: a species of val or test is not in train, or a genus of test_unseen is not in train.
    """
    train = labels.filter(pl.col("split") == "train")
    for split, rank in NEEDED:
        rows = labels.filter(pl.col("split") == split)
        alien = rows.join(train, on=rank, how="anti")[rank].drop_nulls().unique().to_list()
        if alien:
            raise InvariantError(
                f"{len(alien)} {rank} labels of {split} do not occur in train ({name_some(alien)}), as BarcodeBERT "
                'needs; check the partitions, or leave "barcodebert" out of release.forms'
            )


def write_barcodebert(
    groups: Callable[[], Iterable[pl.DataFrame]], labels: Vocabulary, folder: Path, *, distinct: bool = True
) -> dict[str, int]:
    """Write the five files; memory holds a piece, and some numbers for each specimen.

    Args:
        groups: reads the columns of `COLUMNS` of all specimens, in pieces, in the order of the release; called twice.
        labels: the vocabulary of the release.
        folder: where the files go.
        distinct: one row per barcode; False: one per specimen.

    Returns:
        Rows by file.

    Raises:
        InvariantError: labels of the rows are not what BarcodeBERT's recipes rely on; nothing is written.
    """
    chosen = _chosen(groups(), distinct=distinct)
    file_of = {split: name for name, splits in FILES.items() for split in splits}
    written = dict.fromkeys(FILES, 0)
    found = []
    at = 0
    with ExitStack() as stack:
        streams = {name: stack.enter_context(atomic_file(folder / f"{name}.csv")) for name in FILES}
        for stream in streams.values():
            stream.write((",".join(header()) + "\n").encode())
        for piece in groups():
            marked = piece.hstack(chosen.slice(at, piece.height)).filter("kept")
            at += piece.height
            found.append(marked.select("split", "genus", "species").unique())
            for (split,), rows in marked.group_by("split", maintain_order=True):
                name = file_of[str(split)]
                made = _as_written(rows, labels)
                made.write_csv(streams[name], include_header=False, line_terminator="\n", quote_style="necessary")
                written[name] += made.height
        require_labels(pl.concat(found))
    return written


def _chosen(groups: Iterable[pl.DataFrame], *, distinct: bool) -> pl.DataFrame:
    """Which specimens are written, and how many have the same barcode.

    Returns:
        kept (bool) and specimens (int64) for each row, in order.
    """
    rows = pl.concat(
        piece.select(
            pl.col("split").cast(pl.Enum(vocabulary.SPLITS)),
            # Two hashes: barcodes of millions of specimens are not held, and 64 bits may meet.
            first=stripped().hash(1),
            second=stripped().hash(2),
            kept=may_be_in_a_file(),
        )
        for piece in groups
    )
    barcode = ("first", "second")
    rows = rows.with_columns(specimens=pl.len().over(barcode).cast(pl.Int64))
    if distinct:
        rows = rows.with_row_index("place")
        first = pl.when("kept").then("place").min().over(barcode) == pl.col("place")
        rows = rows.with_columns(kept=first.fill_null(value=False))
    in_file = pl.col("split").cast(pl.String).is_in([split for splits in FILES.values() for split in splits])
    return rows.select(pl.col("kept") & in_file, "specimens")


def stripped() -> pl.Expr:
    """A barcode without N at its end."""
    return pl.col("dna_barcode").str.strip_chars_end("N")


def _as_written(rows: pl.DataFrame, labels: Vocabulary) -> pl.DataFrame:
    return (
        with_indices(rows, labels)
        .with_columns(
            nucleotides=stripped(),
            bin_uri="dna_bin",
            **{f"{rank}_name": rank for rank in vocabulary.RANKS},
        )
        .select(header())
    )


def check(view: View) -> Iterator[Fault]:
    """BarcodeBERT's files hold the rows of their partitions, with the indices of `labels/` (spec: the release)."""
    yield from check_barcodebert(view)


_BINS = ("bin_uri", "dna_bin")


def _tables(_: ReleaseSettings) -> Mapping[str, schema.Table]:
    return {f"{FOLDER}/{name}.csv": _table(name) for name in FILES}


def _table(name: str) -> schema.Table:
    labelled = name != WITHOUT_LABELS
    columns = [
        schema.METADATA["processid"],
        schema.Column(
            "nucleotides", pl.String(), "COI-5P barcode without N at its end", nullable=False, pattern="^[ACGTN]+$"
        ),
        *(schema.Column(bin, pl.String(), "Barcode Index Number", pattern=schema.BIN_PATTERN) for bin in _BINS),
        *(
            schema.Column(f"{rank}_name", pl.String(), rank, nullable=not (labelled and rank == "species"))
            for rank in vocabulary.RANKS
        ),
        *(
            schema.Column(
                f"{rank}_index",
                pl.Int64(),
                f"index of the {rank} in labels/; -1 is unlabelled",
                nullable=False,
                minimum=0 if labelled and rank == "species" else NO_INDEX,
            )
            for rank in vocabulary.RANKS
        ),
        schema.Column("specimens", pl.Int64(), "specimens of the release with this barcode", nullable=False, minimum=1),
    ]
    return schema.Table(name, "a released specimen that stands for its barcode", ("processid",), tuple(columns))


def _card(settings: ReleaseSettings) -> Card:
    each = "the first specimen of each barcode" if settings.barcodebert_rows == "distinct" else "all specimens"
    what = f"{each} with names and indices of the labels, for BarcodeBERT; an unlabelled rank has the index -1"
    return Card((("`barcodebert/*.csv`", what),))


FORM = Form(
    name=FOLDER,
    about="Barcodes with names and indices of their labels, as BarcodeBERT's recipes read them: five CSVs in "
    "`barcodebert/`.\n\nThe first specimen of each barcode in the order of the release, without N at its end, or all "
    "specimens. The indices are those of `labels/`; -1 is unlabelled. Only pre_training holds specimens without a "
    "species. Made when `release.forms` names barcodebert.",
    place=80,
    stage="barcodebert_tables",
    owns=lambda _: (FOLDER,),
    build=build,
    check=check,
    card=_card,
    settings=("barcodebert_rows",),
    verified={"release.barcodebert_rows": "barcodebert/ has these rows"},
    kinds=("csv",),
    tables=_tables,
)
