"""`barcodebert/`: barcodes and labels as BarcodeBERT's recipes read them (spec: the release, BarcodeBERT CSVs).

Belongs here: the files, their columns, and the numbers of the labels. A label's number is the same in all files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import polars as pl

from bioscan_etl import schema, vocabulary
from bioscan_etl.errors import InvariantError, name_some
from bioscan_etl.io.write import atomic_file
from bioscan_etl.progress import Progress
from bioscan_etl.release.check.agreement import Rows, agreement
from bioscan_etl.release.check.csv import check_bytes, read_fields
from bioscan_etl.release.check.faults import Fault, Listing, faulty_rows
from bioscan_etl.release.check.files import is_plain
from bioscan_etl.release.check.view import View
from bioscan_etl.release.forms.registry import Card, Form
from bioscan_etl.release.rows import released, released_groups
from bioscan_etl.release.staging import Staging
from bioscan_etl.settings import ReleaseSettings

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

COLUMNS = ("processid", "dna_barcode", "dna_bin", *vocabulary.RANKS, "split")
"""Columns of the metadata that the files are made of."""

UNLABELLED = -1
FOLDER = "barcodebert"


def build(staging: Staging, _: ReleaseSettings, __: Progress) -> None:
    """Write the files from the staged metadata, which must be built.

    Raises:
        InvariantError: the metadata is not built yet, or its labels are not what BarcodeBERT's recipes rely on.
    """
    labels = _written(released(staging, ["split", *vocabulary.RANKS]).unique())
    require_labels(labels)
    groups = released_groups(staging, COLUMNS, [split for splits in FILES.values() for split in splits])
    write_barcodebert(groups, label_numbers(labels), staging.tree / FOLDER)


def header() -> list[str]:
    """Column names of the files, in order."""
    names = [f"{rank}_name" for rank in vocabulary.RANKS] + [f"{rank}_index" for rank in vocabulary.RANKS]
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
    for rank in vocabulary.RANKS:
        found = (
            labels.filter(pl.col(rank).is_not_null(), pl.col("split").is_in(_BY_PRECEDENCE))
            .group_by(label=rank)
            .agg(place.min().alias("place"))
            .sort("place", "label")
        )
        numbers[rank] = found.select("label", index=pl.int_range(pl.len(), dtype=pl.Int64))
    return numbers


_BY_PRECEDENCE = ("train", "val", "test", "test_unseen", "other_heldout", "pretrain")


def require_labels(labels: pl.DataFrame) -> None:
    """Check the labels against what the recipes rely on.

    Args:
        labels: distinct rows of split and the ranks, of the specimens that are in a file.

    Raises:
        InvariantError: a species of val or test is not in train, or a genus of test_unseen is not in train.
    """
    train = labels.filter(pl.col("split") == "train")
    for split, rank in (("val", "species"), ("test", "species"), ("test_unseen", "genus")):
        rows = labels.filter(pl.col("split") == split)
        alien = rows.join(train, on=rank, how="anti")[rank].drop_nulls().unique().to_list()
        if alien:
            raise InvariantError(
                f"{len(alien)} {rank} labels of {split} do not occur in train ({name_some(alien)}), as BarcodeBERT "
                'needs; check the partitions, or leave "barcodebert" out of release.forms'
            )


def write_barcodebert(
    groups: Iterable[pl.DataFrame], numbers: Mapping[str, pl.DataFrame], folder: Path
) -> dict[str, int]:
    """Write the five files; memory holds one piece.

    A specimen without a species, which follows one of its barcode or BIN into a labelled partition, is in none.

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
                    made = _numbered(rows.filter(_belongs(name)), numbers)
                    made.write_csv(streams[name], include_header=False, line_terminator="\n", quote_style="necessary")
                    written[name] += made.height
    return written


def _written(labels: pl.DataFrame) -> pl.DataFrame:
    """Those of rows of split and the ranks that are in a file."""
    return pl.concat(labels.filter(_belongs(file), pl.col("split").is_in(splits)) for file, splits in FILES.items())


def _belongs(file: str) -> pl.Expr:
    """Which specimens of its partitions a file holds."""
    return pl.lit(value=True) if file == WITHOUT_LABELS else pl.col("species").is_not_null()


def _numbered(rows: pl.DataFrame, numbers: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    for rank, labels in numbers.items():
        rows = rows.join(
            labels.rename({"label": rank, "index": f"{rank}_index"}), on=rank, how="left", maintain_order="left"
        )
    return rows.with_columns(
        *(pl.col(f"{rank}_index").fill_null(UNLABELLED) for rank in vocabulary.RANKS),
        nucleotides="dna_barcode",
        bin_uri="dna_bin",
        **{f"{rank}_name": rank for rank in vocabulary.RANKS},
    ).select(header())


def check(view: View) -> Iterator[Fault]:
    """BarcodeBERT's files hold the rows of their partitions, and number each label alike (spec: the release)."""
    root, data = view.root, view.data
    numbers: list[pl.DataFrame] = []
    for name, splits in FILES.items():
        file = f"barcodebert/{name}.csv"
        if not is_plain(root, file):
            yield Fault(file, None, "is missing, or no plain file")
            continue
        yield from check_bytes(root, file)
        listing = Listing()
        for rows in _read(root, file, listing):
            other = pl.col("bin_uri").ne_missing(pl.col("dna_bin"))
            listing.add(file, rows.filter(other), "bin_uri is {bin_uri}, dna_bin {dna_bin}")
            for rank in vocabulary.RANKS:
                label, index = pl.col(f"{rank}_name"), pl.col(f"{rank}_index")
                shown = rows.select("processid", label=label, index=index)
                wrong = pl.col("index").is_null() | ((pl.col("index") == -1) != pl.col("label").is_null())
                listing.add(file, shown.filter(wrong), f"{rank}_index is {{index}} for {{label}}")
                if rank == "species" and name != WITHOUT_LABELS:
                    unlabelled = shown.filter(pl.col("index") == -1)
                    listing.add(file, unlabelled, "species_index is -1, as only pre_training may have")
                numbers.append(shown.select("label", "index", rank=pl.lit(rank), file=pl.lit(name)).unique())
        yield from listing.faults()

        def pieces(columns: Sequence[str], file: str = file) -> Iterator[pl.DataFrame]:
            for rows in _read(root, file, Listing()):
                names = {f"{rank}_name": rank for rank in vocabulary.RANKS} | {"nucleotides": "dna_barcode"}
                yield rows.rename(names).select("processid", *columns)

        columns = tuple(column for column in COLUMNS if column not in {"processid", "split"})
        yield from agreement(data.of(pl.col("split").is_in(splits) & _belongs(name)), Rows(file, columns, pieces))
    if numbers:
        yield from _numbers(pl.concat(numbers).unique())


def _read(root: Path, file: str, listing: Listing) -> Iterator[pl.DataFrame]:
    for fields in read_fields(root, file, header(), listing):
        yield fields.with_columns(pl.col(f"{rank}_index").cast(pl.Int64, strict=False) for rank in vocabulary.RANKS)


def _numbers(found: pl.DataFrame) -> Iterator[Fault]:
    """A label has one number and a number one label over all files; what val, test and unseen need is in train."""
    labelled = found.drop_nulls("label")
    for key, value in (("label", "index"), ("index", "label")):
        several = labelled.select("rank", "label", "index").unique().group_by("rank", key).agg(pl.col(value).sort())
        wrong = several.filter(pl.col(value).list.len() > 1).sort("rank", key)
        shown = wrong.with_columns(pl.col(value).cast(pl.List(pl.String)).list.join(", "))
        yield from faulty_rows("barcodebert", shown, f"{{rank}}: {key} {{{key}}} has several: {{{value}}}")
    species = labelled.filter(rank="species")["index"].unique().sort()
    if not species.equals(pl.int_range(len(species), eager=True).alias("index")):
        yield Fault("barcodebert", None, "the numbers of species are not 0 to their number less one")
    train = labelled.filter(file="supervised_train")
    for name, rank in (("supervised_val", "species"), ("supervised_test", "species"), ("unseen", "genus")):
        alien = labelled.filter(file=name, rank=rank).join(train.filter(rank=rank), on="label", how="anti")
        shown = alien.sort("label").select("label")
        yield from faulty_rows(f"barcodebert/{name}.csv", shown, f"{rank} {{label}} is not in supervised_train")


_BINS = ("bin_uri", "dna_bin")


def _tables(_: ReleaseSettings) -> Mapping[str, schema.Table]:
    return {f"{FOLDER}/{name}.csv": _table(name) for name in FILES}


def _table(name: str) -> schema.Table:
    labelled = name != WITHOUT_LABELS
    columns = [
        schema.METADATA["processid"],
        schema.Column("nucleotides", pl.String(), "COI-5P barcode", nullable=False, pattern="^[ACGTN]+$"),
        *(schema.Column(bin, pl.String(), "Barcode Index Number", pattern=schema.BIN_PATTERN) for bin in _BINS),
        *(
            schema.Column(f"{rank}_name", pl.String(), rank, nullable=not (labelled and rank == "species"))
            for rank in vocabulary.RANKS
        ),
        *(
            schema.Column(
                f"{rank}_index",
                pl.Int64(),
                f"number of the {rank}; -1 is unlabelled",
                nullable=False,
                minimum=0 if labelled and rank == "species" else UNLABELLED,
            )
            for rank in vocabulary.RANKS
        ),
    ]
    return schema.Table(name, "a released specimen", ("processid",), tuple(columns))


def _card(_: ReleaseSettings) -> Card:
    what = "barcodes with names and numbers of their labels, for BarcodeBERT; an unlabelled rank has the number -1"
    return Card((("`barcodebert/*.csv`", what),))


FORM = Form(
    name=FOLDER,
    about="Barcodes with names and numbers of their labels, as BarcodeBERT's recipes read them: five CSVs in "
    "`barcodebert/`.\n\nA label has the same number in all five; -1 is unlabelled. Only pre_training holds specimens "
    "without a species. Made when `release.forms` names "
    "barcodebert.",
    place=80,
    stage="barcodebert_tables",
    owns=lambda _: (FOLDER,),
    build=build,
    check=check,
    card=_card,
    kinds=("csv",),
    tables=_tables,
    libraries=("polars",),
)
