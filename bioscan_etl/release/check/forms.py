"""Do the forms that only some clients read say what data/ says: JSON-LD, BarcodeBERT's CSVs, images in Parquet?

Belongs here: forms of text and Parquet. Does not belong here: HDF5 (`check_hdf5`), archives (`check_archives`), and
the forms that everybody reads (`check_tables`).
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.json as pa_json

from bioscan_etl import schema, vocabulary
from bioscan_etl.release.check.agreement import Form, agreement
from bioscan_etl.release.check.csv import check_bytes, read_fields, whole_lines
from bioscan_etl.release.check.faults import Fault, Listing, faulty_rows
from bioscan_etl.release.check.files import is_plain
from bioscan_etl.release.check.tables import UNREADABLE, Data, parquet_form, row_groups, shards_of, unreadable
from bioscan_etl.release.forms import barcodebert
from bioscan_etl.release.forms.data_images import images_schema
from bioscan_etl.release.forms.jsonld import CONTEXT, context

_NODE = pa.schema([pa.field("@context", pa.string()), *schema.METADATA.arrow()])


def check_jsonld(root: Path, name: str, data: Data) -> Iterator[Fault]:
    """The JSON-LD is an array of one object a line, with the values of data/; its context is ours."""
    beside = f"{name.rsplit('/', 1)[0]}/{CONTEXT}"
    for file in (name, beside):
        if not is_plain(root, file):
            yield Fault(file, None, "is missing, or no plain file")
            return
    try:
        if json.loads((root / beside).read_bytes()) != context():
            yield Fault(beside, None, "is not the context of the 23 columns")
    except ValueError as error:
        yield Fault(beside, None, f"is no JSON: {error}")
    faults: list[Fault] = []
    for _ in _objects(root / name, name, faults):
        pass
    yield from faults

    def pieces(columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        for rows in _objects(root / name, name, []):
            yield rows.select("processid", *columns)

    yield from agreement(data.form, Form(name, tuple(schema.METADATA.names()[1:]), pieces))


def _objects(path: Path, name: str, faults: list[Fault]) -> Iterator[pl.DataFrame]:
    """Rows of the document; what cannot be read ends it, and is a fault."""
    ended = False
    first = True
    for block in whole_lines(path):
        lines = block.split(b"\n")
        start, first = (1 if first and lines[0] in {b"[", b"[]"} else 0), False
        body = b"\n".join(line.removesuffix(b",") for line in lines[start:] if line not in {b"]", b""})
        ended = lines[-2:] == [b"]", b""] or block == b"[]\n"
        if not body:
            continue
        try:
            rows = read_objects(body, _NODE)
        except pa.ArrowInvalid as error:
            faults.append(Fault(name, None, f"cannot be read as JSON, an object a line: {str(error).splitlines()[0]}"))
            return
        if rows.filter(pl.col("@context").ne_missing(CONTEXT)).height:
            faults.append(Fault(name, None, f"has objects that do not name the context {CONTEXT}"))
        yield rows.drop("@context")
    if not ended:
        faults.append(Fault(name, None, "is no whole JSON array: it does not end with ]"))


def read_objects(lines: bytes, fields: pa.Schema) -> pl.DataFrame:
    """JSON objects, one a line, as rows; arrow's reader refuses where polars' panics.

    Raises:
        ArrowInvalid: it is no JSON, or has other fields or types than these.
    """
    options = pa_json.ParseOptions(explicit_schema=fields, unexpected_field_behavior="error")
    # A block holds all: a row longer than a block would be an error.
    block = pa_json.ReadOptions(use_threads=False, block_size=len(lines) + 1)
    frame = pl.from_arrow(pa_json.read_json(io.BytesIO(lines), block, options))
    assert isinstance(frame, pl.DataFrame)
    return frame.select(fields.names)


def check_data_images(root: Path, data: Data, images: Mapping[str, Path]) -> Iterator[Fault]:
    """Each row of data_images/ has the values of data/, and the bytes of its image file.

    Args:
        root: the release's folder.
        data: what data/ says.
        images: file of each specimen that has an image.
    """
    faults: list[Fault] = []
    shards = shards_of(root, "data_images", images_schema(), faults)
    yield from faults
    if shards is None:
        return
    listing = Listing()
    for name, split in shards:
        try:
            for piece in row_groups(root, name, ["processid", "split", "image"]):
                listing.add(name, piece.filter(pl.col("split") != split), "is of split {split}")
                for rows, message in _pictures(piece, images):
                    listing.add(name, rows, message)
        except UNREADABLE as error:
            yield unreadable(name, error)
            return
    yield from listing.faults()
    form = parquet_form(root, "data_images", [name for name, _ in shards], schema.METADATA_EXTENDED.names())
    yield from agreement(data.form, form)


def _pictures(piece: pl.DataFrame, images: Mapping[str, Path]) -> Iterator[tuple[pl.DataFrame, str]]:
    found = piece.select(
        "processid",
        name=pl.col("image").struct.field("path"),
        jpeg=pl.col("image").struct.field("bytes"),
        expected=pl.concat_str("processid", pl.lit(".jpg")),
    )
    has = found["processid"].is_in(list(images))
    yield found.filter(has & found["jpeg"].is_null()).select("processid"), "the image is missing"
    yield found.filter(~has & found["jpeg"].is_not_null()).select("processid"), "no specimen of data has an image here"
    named = found.filter(pl.col("jpeg").is_not_null())
    wrong = named.filter(pl.col("name").ne_missing(pl.col("expected")))
    yield wrong.select("processid", "name"), "its image is named {name}"
    same = [
        processid not in images or not images[processid].is_file() or images[processid].read_bytes() == jpeg
        for processid, jpeg in named.select("processid", "jpeg").iter_rows()
    ]
    yield named.filter(~pl.Series(same, dtype=pl.Boolean)).select("processid"), "differs from the image file"


def check_barcodebert(root: Path, data: Data) -> Iterator[Fault]:
    """BarcodeBERT's files hold the rows of their partitions, and number each label alike (spec: the release)."""
    numbers: list[pl.DataFrame] = []
    for name, splits in barcodebert.FILES.items():
        file = f"barcodebert/{name}.csv"
        if not is_plain(root, file):
            yield Fault(file, None, "is missing, or no plain file")
            continue
        yield from check_bytes(root, file)
        listing = Listing()
        for rows in _numbered(root, file, listing):
            other = pl.col("bin_uri").ne_missing(pl.col("dna_bin"))
            listing.add(file, rows.filter(other), "bin_uri is {bin_uri}, dna_bin {dna_bin}")
            for rank in vocabulary.RANKS:
                label, index = pl.col(f"{rank}_name"), pl.col(f"{rank}_index")
                shown = rows.select("processid", label=label, index=index)
                wrong = pl.col("index").is_null() | ((pl.col("index") == -1) != pl.col("label").is_null())
                listing.add(file, shown.filter(wrong), f"{rank}_index is {{index}} for {{label}}")
                if rank == "species" and name != "pre_training":
                    unlabelled = shown.filter(pl.col("index") == -1)
                    listing.add(file, unlabelled, "species_index is -1, as only pre_training may have")
                numbers.append(shown.select("label", "index", rank=pl.lit(rank), file=pl.lit(name)).unique())
        yield from listing.faults()

        def pieces(columns: Sequence[str], file: str = file) -> Iterator[pl.DataFrame]:
            for rows in _numbered(root, file, Listing()):
                names = {f"{rank}_name": rank for rank in vocabulary.RANKS} | {"nucleotides": "dna_barcode"}
                yield rows.rename(names).select("processid", *columns)

        columns = tuple(column for column in barcodebert.COLUMNS if column not in {"processid", "split"})
        yield from agreement(data.of(pl.col("split").is_in(splits)), Form(file, columns, pieces))
    if numbers:
        yield from _numbers(pl.concat(numbers).unique())


def _numbered(root: Path, file: str, listing: Listing) -> Iterator[pl.DataFrame]:
    for fields in read_fields(root, file, barcodebert.header(), listing):
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


def check_descriptor(root: Path, name: str, listed: Mapping[str, str]) -> Iterator[Fault]:
    """A descriptor names files of the release only, each with its sha256.

    Args:
        root: the release's folder.
        name: croissant.json or datapackage.json.
        listed: sha256 of the files that it has to describe, by path.
    """
    if not is_plain(root, name):
        yield Fault(name, None, "is missing, or no plain file")
        return
    try:
        found = dict(_described(json.loads((root / name).read_bytes())))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        yield Fault(name, None, f"is no descriptor: {error!r}")
        return
    for path in sorted(set(found) ^ set(listed)):
        yield Fault(name, None, f"{'names' if path in found else 'does not name'} {path!r}")
    for path in sorted(set(found) & set(listed)):
        if found[path] != listed[path]:
            yield Fault(name, None, f"states another sha256 of {path!r} than manifest.json")


def _described(document: dict[str, list[dict[str, str]]]) -> Iterator[tuple[str, str]]:
    for entry in document.get("resources", []):
        yield entry["path"], entry["hash"].removeprefix("sha256:")
    for entry in document.get("distribution", []):
        if entry["@type"] == "cr:FileObject":
            yield entry["contentUrl"], entry["sha256"]
