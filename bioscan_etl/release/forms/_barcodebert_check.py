"""Do BarcodeBERT's files follow from the metadata and the labels of the release?

Belongs here: which specimens the files must hold, counted without what wrote them, and their values. Does not belong
here: whether `labels/` is right (`release.check.label_indices`).

A release that was made before there was `labels/` has files of another form: a row for each specimen, no column
`specimens`, N at the ends of barcodes, and numbers of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from bioscan_etl import vocabulary
from bioscan_etl.errors import BioscanError
from bioscan_etl.release.check.agreement import Rows, agreement
from bioscan_etl.release.check.csv import check_bytes, read_fields
from bioscan_etl.release.check.faults import Fault, Listing, faulty_rows
from bioscan_etl.release.check.files import is_plain
from bioscan_etl.release.check.label_indices import has_labels
from bioscan_etl.release.check.view import View
from bioscan_etl.release.forms._barcodebert_files import FILES, FOLDER, NEEDED, WITHOUT_LABELS, header, may_be_in_a_file
from bioscan_etl.release.labels import NO_INDEX, Vocabulary, read_labels, with_indices

_LABELS = tuple(f"{rank}_index" for rank in vocabulary.RANKS)
_FILE_OF = {split: name for name, splits in FILES.items() for split in splits}
_VALUES = ("dna_barcode", "dna_bin", *vocabulary.RANKS)


def check_barcodebert(view: View) -> Iterator[Fault]:
    """What is wrong with the files."""
    earlier = not has_labels(view.root, view.stated)
    columns = header()[:-1] if earlier else header()
    labels = None
    if not earlier:
        try:
            labels = read_labels(view.root)
        except BioscanError:  # a fault of labels/, which its own check names
            labels = None
    kept = _all(view) if earlier else _kept(view)
    numbers: list[pl.DataFrame] = []
    for name in FILES:
        file = f"{FOLDER}/{name}.csv"
        if not is_plain(view.root, file):
            yield Fault(file, None, "is missing, or no plain file")
            continue
        yield from check_bytes(view.root, file)
        listing = Listing()
        for rows in _read(view.root, file, columns, listing):
            _values(rows, name, listing)
            if labels is not None:
                _indices(rows, file, labels, listing)
            for rank in vocabulary.RANKS:
                pairs = rows.select(label=f"{rank}_name", index=f"{rank}_index").unique()
                numbers.append(pairs.with_columns(rank=pl.lit(rank), file=pl.lit(name)))
        yield from listing.faults()
        yield from agreement(_expected(view, name, kept, earlier=earlier), _written(view.root, file, columns))
    if numbers:
        found = pl.concat(numbers).unique()
        yield from _needed(found)
        if earlier:
            yield from _own_numbers(found)


def _values(rows: pl.DataFrame, name: str, listing: Listing) -> None:
    """Both columns of the BIN agree, and a label has an index where there is one."""
    file = f"{FOLDER}/{name}.csv"
    other = pl.col("bin_uri").ne_missing(pl.col("dna_bin"))
    listing.add(file, rows.filter(other), "bin_uri is {bin_uri}, dna_bin {dna_bin}")
    for rank in vocabulary.RANKS:
        shown = rows.select("processid", label=f"{rank}_name", index=f"{rank}_index")
        wrong = pl.col("index").is_null() | ((pl.col("index") == NO_INDEX) != pl.col("label").is_null())
        listing.add(file, shown.filter(wrong), f"{rank}_index is {{index}} for {{label}}")
        if rank == "species" and name != WITHOUT_LABELS:
            unlabelled = shown.filter(pl.col("index") == NO_INDEX)
            listing.add(file, unlabelled, "species_index is -1, as only pre_training may have")


def _indices(rows: pl.DataFrame, file: str, labels: Vocabulary, listing: Listing) -> None:
    """The indices are those of labels/."""
    named = rows.select(
        "processid",
        *(pl.col(f"{rank}_name").alias(rank) for rank in vocabulary.RANKS),
        *(pl.col(index).alias(f"{index}_here") for index in _LABELS),
    )
    numbered = with_indices(named, labels)
    for rank in vocabulary.RANKS:
        here, there = pl.col(f"{rank}_index_here"), pl.col(f"{rank}_index")
        wrong = numbered.filter(here.ne_missing(there)).select("processid", label=rank, here=here, there=there)
        listing.add(file, wrong, f"{rank}_index is {{here}} for {{label}}, {{there}} in labels/")


def _all(view: View) -> pl.DataFrame:
    """Processid and file of every specimen that a file may hold."""
    rows = view.data.rows.select("processid", "split", "species").unique("processid", keep="first", maintain_order=True)
    return _in_files(rows)


def _in_files(rows: pl.DataFrame) -> pl.DataFrame:
    file = pl.col("split").replace_strict(_FILE_OF, default=None, return_dtype=pl.String)
    return rows.with_columns(file=file).filter(may_be_in_a_file())


def _kept(view: View) -> pl.DataFrame:
    """Processid, file and specimens of the rows that the files must hold, by the stated setting."""
    parts = [
        piece.select("processid", "split", "species", barcode=_stripped().hash())
        for piece in view.data.form.pieces(("dna_barcode", "split", "species"))
    ]
    rows = pl.concat(parts).unique("processid", keep="first", maintain_order=True)
    counts = rows.group_by("barcode").agg(specimens=pl.len().cast(pl.Int64))
    rows = _in_files(rows)
    if view.settings.barcodebert_rows == "distinct":
        rows = rows.unique("barcode", keep="first", maintain_order=True)
    return rows.join(counts, on="barcode", how="left").select("processid", "file", "specimens")


def _expected(view: View, name: str, kept: pl.DataFrame, *, earlier: bool) -> Rows:
    """The rows that a file must hold, in the order of data/."""
    wanted = kept.filter(file=name).drop("file", "split", "species", strict=False)

    def pieces(columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        read = [column for column in columns if column != "specimens"]
        for piece in view.data.form.pieces(tuple(dict.fromkeys((*read, "dna_barcode")))):
            rows = piece if earlier else piece.with_columns(dna_barcode=_stripped())
            yield rows.join(wanted, on="processid", how="inner", maintain_order="left").select("processid", *columns)

    return Rows("data", _VALUES if earlier else (*_VALUES, "specimens"), pieces)


def _written(root: Path, file: str, columns: Sequence[str]) -> Rows:
    """A file as rows, with the names of the metadata."""
    names = {f"{rank}_name": rank for rank in vocabulary.RANKS} | {"nucleotides": "dna_barcode"}
    held = (*_VALUES, "specimens") if "specimens" in columns else _VALUES

    def pieces(wanted: Sequence[str]) -> Iterator[pl.DataFrame]:
        for rows in _read(root, file, columns, Listing()):
            yield rows.rename(names).select("processid", *wanted)

    return Rows(file, held, pieces)


def _read(root: Path, file: str, columns: Sequence[str], listing: Listing) -> Iterator[pl.DataFrame]:
    numbers = [name for name in columns if name in {*_LABELS, "specimens"}]
    for fields in read_fields(root, file, list(columns), listing):
        yield fields.with_columns(pl.col(numbers).cast(pl.Int64, strict=False))


def _stripped() -> pl.Expr:
    return pl.col("dna_barcode").str.replace("N+$", "")


def _needed(found: pl.DataFrame) -> Iterator[Fault]:
    """What val, test and unseen need is in train."""
    labelled = found.drop_nulls("label")
    train = labelled.filter(file="supervised_train")
    for split, rank in NEEDED:
        name = _FILE_OF[split]
        alien = labelled.filter(file=name, rank=rank).join(train.filter(rank=rank), on="label", how="anti")
        shown = alien.sort("label").select("label")
        yield from faulty_rows(f"{FOLDER}/{name}.csv", shown, f"{rank} {{label}} is not in supervised_train")


def _own_numbers(found: pl.DataFrame) -> Iterator[Fault]:
    """In files of an earlier form, a label has one number and a number one label, and those of species are dense."""
    labelled = found.drop_nulls("label").select("rank", "label", "index").unique()
    for key, value in (("label", "index"), ("index", "label")):
        several = labelled.group_by("rank", key).agg(pl.col(value).sort())
        wrong = several.filter(pl.col(value).list.len() > 1).sort("rank", key)
        shown = wrong.with_columns(pl.col(value).cast(pl.List(pl.String)).list.join(", "))
        yield from faulty_rows(FOLDER, shown, f"{{rank}}: {key} {{{key}}} has several: {{{value}}}")
    species = labelled.filter(rank="species")["index"].unique().sort()
    if not species.equals(pl.int_range(len(species), eager=True).alias("index")):
        yield Fault(FOLDER, None, "the numbers of species are not 0 to their number less one")
