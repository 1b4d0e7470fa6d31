"""The check of a release: a good one is good, and each of many corruptions is named.

Mutations marked `sealed` recompute all sums afterwards, as a careless or hostile editor would, so that what
finds them is the check of the content.
"""

import dataclasses
import io
import json
import re
import shutil
from pathlib import Path

import cv2
import h5py
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from release_corpus import GROWN, corpus, picture
from shards import write_shards

from bioscan_etl import schema, vocabulary
from bioscan_etl.release import manifest
from bioscan_etl.release.check import Fault, check, faults
from bioscan_etl.release.check import images as check_images
from bioscan_etl.release.forms import partitioned, splits
from bioscan_etl.release.forms.hdf5 import write_hdf5
from bioscan_etl.release.forms.partitioned import hive_name
from bioscan_etl.release.layout import image_path
from bioscan_etl.release.tables import write_parquet
from bioscan_etl.settings import ImageSettings, ReleaseSettings, Settings

CSV = "bioscan5m/metadata/csv/BIOSCAN_5M_Insect_Dataset_metadata.csv"
BBOX = "BIOSCAN_5M_Insect_bbox.tsv"
TABBED = "BIOSCAN_5M_Insect_bbox.tab.tsv"
IMAGES = "bioscan5m/images"
TRAIN = "data/train-00000-of-00001.parquet"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return corpus(tmp_path_factory.mktemp("corpus")).build(tmp_path_factory.mktemp("releases"), Settings(splits=GROWN))


def seal(root):
    """Recompute md5sums.txt, the card's md5 and the manifest's files."""
    card = root / "README.md"
    if card.exists() and (root / CSV).exists():
        text = re.sub(r'("csv_md5": )"[0-9a-f]*"', rf'\1"{manifest.md5(root / CSV)}"', card.read_text())
        card.write_text(text)
    head = manifest.read_head(root)
    found = manifest.sums(root, sorted(set(manifest.walk(root)) - {"manifest.json", "md5sums.txt"}), "")
    (root / "md5sums.txt").write_text("".join(f"{one.md5}  {one.path}\n" for one in found))
    found += manifest.sums(root, ["md5sums.txt"], "")
    files = [{"path": one.path, "size": one.size, "sha256": one.sha256} for one in sorted(found, key=lambda o: o.path)]
    manifest.write_manifest(root, head, files)


def raw(path):
    return path.read_bytes()


def line(pattern, new):
    """Edit lines of the metadata CSV."""
    return lambda root: (root / CSV).write_text(re.sub(pattern, new, (root / CSV).read_text()))


def edit(name, old, new, count=1):
    """Replace text of a file."""

    def mutate(root):
        data = raw(root / name)
        before, after = (text.encode() if isinstance(text, str) else text for text in (old, new))
        assert before in data
        (root / name).write_bytes(data.replace(before, after, count))

    return mutate


def cell(processid, column, value):
    """Set a field of the metadata CSV, as text."""

    def mutate(root):
        lines = (root / CSV).read_text().split("\n")
        place = lines[0].split(",").index(column)
        for number, line in enumerate(lines):
            fields = line.split(",")
            if fields[0] == processid:
                fields[place] = value
                lines[number] = ",".join(fields)
        (root / CSV).write_text("\n".join(lines))

    return mutate


def both(*mutations):
    def mutate(root):
        for one in mutations:
            one(root)

    return mutate


def parquet(name, change, arrow=None):
    """Rewrite a Parquet file."""

    def mutate(root):
        frame = change(pl.read_parquet(root / name, hive_partitioning=False))
        write_parquet(frame, root / name, arrow or pq.read_schema(root / name), 100_000)

    return mutate


def at(processid, **values):
    """A change of one row's values."""
    return lambda frame: frame.with_columns(
        pl.when(pl.col("processid") == processid).then(pl.lit(value, frame.schema[name])).otherwise(name).alias(name)
        for name, value in values.items()
    )


def every_form(change):
    """Change all rows and write all their forms anew, consistently (images and boxes stay)."""

    def mutate(root):
        from bioscan_etl.release import tables

        rows = pl.concat(
            pl.read_parquet(path, hive_partitioning=False)
            for split in vocabulary.SPLITS
            for path in sorted((root / "data").glob(f"{split}-*"))
        )
        rows = change(rows)
        settings = ReleaseSettings()
        for folder in ("data", "partitioned"):
            shutil.rmtree(root / folder)
        tables.write_csv(rows.select(schema.METADATA.names()), root / CSV)
        write_shards(rows, root / "data", settings)
        partitioned.write_partitioned([rows], root / "partitioned", settings)
        splits.write_splits(rows, root / "splits")

    return mutate


def head(change):
    """Edit manifest.json as JSON, files included."""

    def mutate(root):
        document = json.loads((root / "manifest.json").read_text())
        change(document)
        files = document.pop("files")
        manifest.write_manifest(root, document, files)

    return mutate


def image(package, path, jpeg):
    """Put other bytes into an image file and, for the package that is in HDF5, into that too."""

    def mutate(root):
        data = jpeg(root / IMAGES / package / path) if callable(jpeg) else jpeg
        (root / IMAGES / package / path).write_bytes(data)
        if package == "cropped_256":
            hdf5(root)

    return mutate


def val(jpeg):
    return image("cropped_256", "val/DEMO016-24.jpg", jpeg)


def hdf5(root):
    rows = pl.concat(pl.read_parquet(path, hive_partitioning=False) for path in (root / "data").glob("*.parquet"))
    rows = rows.with_columns(path=image_path(pl.col("split"), pl.col("chunk"), pl.col("processid")))
    write_hdf5(rows, root / IMAGES, "cropped_256", root / "hdf5/cropped_256.hdf5", ReleaseSettings())


def member(change):
    """Edit the HDF5 file."""

    def mutate(root):
        with h5py.File(root / "hdf5/cropped_256.hdf5", "a") as file:
            change(file["bioscan_dataset"])

    return mutate


def encoded(array=None, *, mode="RGB", size=(341, 256), **options):
    stream = io.BytesIO()
    made = Image.fromarray(array) if array is not None else Image.new(mode, size, 90)
    made.save(stream, "JPEG", **options)
    return stream.getvalue()


def with_exif():
    exif = Image.Exif()
    exif[0x9286] = "taken at home"
    return encoded(np.asarray(Image.open(io.BytesIO(picture(16)["cropped_256"]))), exif=exif)


def swap(*names):
    def mutate(root):
        first, second = (root / name for name in names)
        one, two = first.read_bytes(), second.read_bytes()
        first.write_bytes(two)
        second.write_bytes(one)

    return mutate


def external(group):
    del group["DEMO016-24.jpg"]
    group["DEMO016-24.jpg"] = h5py.ExternalLink("/etc/passwd", "/x")


def stored_outside(group):
    del group["DEMO016-24.jpg"]
    group.create_dataset("DEMO016-24.jpg", shape=(10,), dtype="u1", external=[("/etc/hostname", 0, 10)])


def remove(name):
    return lambda root: (root / name).unlink()


def link(name, target):
    def mutate(root):
        (root / name).unlink()
        (root / name).symlink_to(target)

    return mutate


def flip(name, place):
    def mutate(root):
        data = bytearray((root / name).read_bytes())
        data[place % len(data)] ^= 1
        (root / name).write_bytes(data)

    return mutate


def pq_fields():
    return [f for f in schema.METADATA_EXTENDED.arrow() if f.name not in {"split", "order"}]


def retyped(name, dtype):
    """The schema of data/ with one column of another type, or without it."""
    fields = [f if f.name != name else dtype and f.with_type(dtype) for f in schema.METADATA_EXTENDED.arrow()]
    return pa.schema([f for f in fields if f])


VAL = f"{IMAGES}/cropped_256/val/DEMO016-24.jpg"

D8, D16 = "DEMO008-24", "DEMO016-24"
H5, MANIFEST, CHANGES = "hdf5/cropped_256.hdf5", "manifest.json", "changes.parquet"
HIVE = "partitioned/split=val/order=Diptera/part-00000.parquet"
VAL_2 = f"{IMAGES}/cropped_256/val/DEMO017-24.jpg"

# name, mutation, file of a fault, process ID of that fault, words of that fault
UNSEALED = [
    ("flipped byte of an image", flip(VAL, 900), VAL, None, "sha256"),
    ("flipped byte of a shard", flip(TRAIN, -9), TRAIN, None, "sha256"),
    ("flipped byte of the CSV", flip(CSV, 3000), CSV, None, "md5"),
    ("flipped byte of a log", flip("rejects.parquet", 40), "rejects.parquet", None, "sha256"),
    ("appended byte", edit("splits/all.csv", "split\n", "split\n\n"), "splits/all.csv", None, "bytes"),
    ("deleted image", remove(VAL), VAL, None, "missing"),
    ("deleted CSV", remove(CSV), CSV, None, "missing"),
    ("deleted log", remove(CHANGES), CHANGES, None, "missing"),
    ("deleted card", remove("README.md"), "README.md", None, "missing"),
    ("deleted md5sums", remove("md5sums.txt"), "md5sums.txt", None, "missing"),
    ("deleted manifest", remove(MANIFEST), MANIFEST, None, "missing"),
    ("added file", lambda r: (r / "data/x.txt").write_text("x"), "data/x.txt", None, "not in manifest"),
    ("added hidden file", lambda r: (r / ".x").write_text("x"), ".x", None, "not in manifest"),
    ("manifest no JSON", lambda r: (r / MANIFEST).write_text("{"), MANIFEST, None, "no valid"),
    ("manifest no UTF-8", lambda r: (r / MANIFEST).write_bytes(b"\xff\xfe{}"), MANIFEST, None, "no valid"),
    ("manifest a list", lambda r: (r / MANIFEST).write_text("[]"), MANIFEST, None, "no valid"),
    ("manifest nested deeply", lambda r: (r / MANIFEST).write_text("[" * 99_999), MANIFEST, None, "no valid"),
    ("manifest a link", link(MANIFEST, "/etc/passwd"), MANIFEST, None, "no plain file"),
    ("manifest other dataset", head(lambda d: d.update(dataset="../x")), MANIFEST, None, "dataset"),
    ("manifest count a text", head(lambda d: d["ledger"].update(specimens="32")), MANIFEST, None, "ledger"),
    ("manifest without a key", head(lambda d: d.pop("counts")), MANIFEST, None, "counts"),
    ("manifest unknown package", head(lambda d: d.update(image_packages=["../../x"])), MANIFEST, None, "image_pack"),
    ("manifest path leads out", head(lambda d: d["files"][0].update(path="../../etc/passwd")), MANIFEST, None,
     "'../../etc/passwd', which is no path within"),
    ("manifest path absolute", head(lambda d: d["files"][0].update(path="/etc/passwd")), MANIFEST, None, "no path"),
    ("manifest path not normal", head(lambda d: d["files"][0].update(path="data/./x")), MANIFEST, None, "no path"),
    ("manifest names a file twice", head(lambda d: d["files"].append(d["files"][0])), MANIFEST, None, "twice"),
    ("manifest other sha256", head(lambda d: d["files"][5].update(sha256="0" * 64)), None, None, "sha256"),
    ("manifest other size", head(lambda d: d["files"][5].update(size=1)), None, None, "1"),
    ("md5sums other sum", edit("md5sums.txt", "  README.md", "x  README.md"), "md5sums.txt", None, "no md5"),
    ("card names another md5", edit("README.md", '"csv_md5": "', '"csv_md5": "0'), "README.md", None,
     "published loader"),
    ("image a link", link(VAL, "/etc/passwd"), VAL, None, "link"),
    ("folder a link", lambda r: (shutil.rmtree(r / "splits"), (r / "splits").symlink_to("/etc")), "splits",
     None, "link"),
]  # fmt: skip

SEALED = [
    ("ledger does not balance", head(lambda d: d["ledger"].update(rows_read=99)), MANIFEST, None, "balance"),
    ("ledger balances falsely", head(lambda d: d["ledger"].update(rows_read=37, specimens=33)), MANIFEST, None, "33"),
    ("counts of splits", head(lambda d: d["counts"]["splits"].update(val=3, test=2)), "data", None, "2 rows of val"),
    ("counts of images", head(lambda d: d["counts"]["images"].update(cropped=31)), MANIFEST, None, "images"),
    ("counts of boxes", head(lambda d: d["counts"].update(boxes=31)), "data", None, "32 rows have an image"),
    ("counts of reasons", head(lambda d: d["counts"].update(rejected={"truncated_file": 2})),
     "rejects.parquet", None, "says"),
    ("counts of changes", head(lambda d: d["counts"].update(changes=2)), CHANGES, None, "says 2"),
    ("other version", head(lambda d: d.update(version="v9")), MANIFEST, None, "v9"),
    # The CSV as text
    ("comma in a value", cell(D8, "country", "Canada,x"), CSV, D8, "24 fields"),
    ("quoted value", cell(D8, "country", '"Canada"'), CSV, None, "double quote"),
    ("CRLF", edit(CSV, "\n", "\r\n", -1), CSV, None, "carriage return"),
    ("byte order mark", edit(CSV, "processid", "\ufeffprocessid"), CSV, None, "byte order mark"),
    ("no UTF-8", edit(CSV, b"Canada", b"Canad\xff"), CSV, None, "UTF-8"),
    ("blank line", edit(CSV, "\nDEMO008", "\n\nDEMO008"), CSV, None, "fields"),
    ("empty CSV", lambda r: (r / CSV).write_bytes(b""), CSV, None, "it is empty"),
    ("cut CSV", lambda r: (r / CSV).write_bytes((r / CSV).read_bytes()[:-5]), CSV, None, "line end"),
    ("other header", edit(CSV, ",family,", ",Family,"), CSV, None, "header"),
    ("columns in another order", edit(CSV, "phylum,class", "class,phylum"), CSV, None, "header"),
    ("reads as missing", cell(D8, "province_state", "NaN"), CSV, D8, "reads as missing"),
    ("outer blank", cell(D8, "province_state", "Ontario "), CSV, D8, "outer blanks"),
    ("formula", cell(D8, "sampleid", "=1+1"), CSV, D8, "formula"),
    ("tab in a value", cell(D8, "sampleid", "a\tb"), CSV, D8, "control"),
    ("IUPAC code", cell(D8, "dna_barcode", "ACRT"), CSV, D8, "other letters"),
    ("barcode missing", cell(D8, "dna_barcode", ""), CSV, D8, "dna_barcode is missing"),
    ("BIN of no pattern", cell(D8, "dna_bin", "BOLD:1"), CSV, D8, "does not match"),
    ("unknown split", cell(D8, "split", "training"), CSV, D8, "vocabulary"),
    ("latitude no number", cell(D8, "coord-lat", "north"), CSV, D8, "no number"),
    ("latitude infinite", cell(D8, "coord-lat", "inf"), CSV, D8, "no number"),
    ("latitude beyond", cell(D8, "coord-lat", "91.0"), CSV, D8, "above 90"),
    ("ranks beyond", cell(D8, "inferred_ranks", "7"), CSV, D8, "above 6"),
    ("ranks missing", cell(D8, "inferred_ranks", ""), CSV, D8, "missing"),
    ("index a float", cell(D8, "index_bioscan_1M_insect", "3.5"), CSV, D8, "no number"),
    # One form against the others
    ("split moved in the CSV", cell(D8, "split", "val"), CSV, D8, "split is 'val' here"),
    ("chunk changed in the CSV", cell(D8, "chunk", "0"), CSV, D8, "chunk is '0' here"),
    ("label changed in the CSV", cell(D8, "family", "Apidae"), CSV, D8, "family is"),
    ("label lost in the CSV", cell(D8, "family", ""), CSV, D8, "family is missing here"),
    ("coordinate changed in the CSV", cell(D8, "coord-lat", "44.51"), CSV, D8, "coord-lat is 44.51"),
    ("row lost in the CSV", line("DEMO008.*\n", ""), CSV,
     D8, "is missing, data has it"),
    ("process ID twice in the CSV", line("(DEMO008.*\n)", r"\1\1"),
     CSV, D8, "occurs 2 times"),
    ("process ID renamed in the CSV", cell(D8, "processid", "OTHER-24"), CSV, "OTHER-24", "data does not have it"),
    ("process ID unsafe in the CSV", cell(D8, "processid", "../x"), CSV, "../x", "does not match"),
    ("label changed in a shard", parquet(TRAIN, at(D8, family="Apidae")), CSV, D8, "family is"),
    ("row twice in a shard", parquet(TRAIN, lambda f: pl.concat([f, f.tail(1)])), "data", "DEMO015-24",
     "occurs 2 times"),
    ("row lost in a shard", parquet(TRAIN, lambda f: f.head(7)), "data", None, "7 rows of train"),
    ("row of another split in a shard", parquet(TRAIN, at(D8, split="val")), TRAIN, D8, "is of split"),
    ("shard not sorted", parquet(TRAIN, lambda f: f.reverse()), "data", None, "not sorted"),
    ("flags changed in a partition", parquet("partitioned/split=train/order=Diptera/part-00000.parquet",
     lambda f: f.with_columns(flags=pl.lit(["X"]))), "partitioned", D8, "flags"),
    ("order renamed in a folder", lambda r: (r / "partitioned/split=train/order=Diptera").rename(
        r / "partitioned/split=train/order=Dipt"), "partitioned", D8, "order is 'Dipt'"),
    ("folder of no key", lambda r: (r / "partitioned/split=val").rename(r / "partitioned/val"),
     "partitioned/val/order=Diptera/part-00000.parquet", None, "no file of"),
    ("partition keys stored", parquet(HIVE,
     lambda f: f.with_columns(split=pl.lit("val")), pa.schema([*pq_fields(), pa.field("split", pa.large_string())])),
     HIVE, None, "schema"),
    ("split changed in a list", edit("splits/all.csv", "DEMO008-24,train", "DEMO008-24,val"), "splits/all.csv", D8,
     "split is 'val'"),
    ("row lost in a list", edit("splits/val.csv", "DEMO016-24,val\n", ""), "splits/val.csv", D16, "is missing"),
    ("list lost", remove("splits/val.csv"), "splits/val.csv", None, "missing"),
    ("shard lost", remove(TRAIN), "data", None, "shards of train"),
    ("shard misnumbered", lambda r: (r / TRAIN).rename(r / "data/train-00001-of-00002.parquet"), "data", None,
     "not complete"),
    ("shard no Parquet", lambda r: (r / TRAIN).write_text("PAR1 no"), TRAIN, None, "Parquet"),
    ("shard cut", lambda r: (r / TRAIN).write_bytes((r / TRAIN).read_bytes()[:-100]), TRAIN, None, "Parquet"),
    ("shard's page damaged", flip(TRAIN, 200), TRAIN, None, "Parquet"),
    ("column of another type", parquet(TRAIN, lambda f: f.with_columns(pl.col("coord-lat").cast(pl.Float32)),
     retyped("coord-lat", pa.float32())), TRAIN, None, "coord-lat is float"),
    ("column missing", parquet(TRAIN, lambda f: f.drop("flags"), retyped("flags", None)), TRAIN, None, "flags"),
    ("log of another schema", parquet(CHANGES, lambda f: f.drop("rule"), pa.schema([
        f for f in schema.CHANGES.arrow() if f.name != "rule"])), CHANGES, None, "rule"),
    ("label changed in the memory", parquet("partition_memory.parquet", at(D8, genus="Apis")),
     "partition_memory.parquet", D8, "has the genus 'Apis', data has 'Aedes'"),
    ("barcode changed in the memory", parquet("partition_memory.parquet", at(D8, dna_barcode="ACGT")),
     "partition_memory.parquet", D8, "has another barcode than data"),
    ("box changed", edit(BBOX, "DEMO016-24,1024,768,316", "DEMO016-24,1024,768,300"), BBOX, D16, "area_fraction"),
    ("box outside", edit(BBOX, "516,480,", "5160,480,"), BBOX, D16, "leads out"),
    ("box sizes changed", edit(BBOX, "DEMO016-24,1024,768,316,200,516,480,0.7812",
     "DEMO016-24,1024,768,316,200,516,480,0.7"),
     BBOX, D16, "scale_factor is 0.7 here"),
    ("box lost", edit(BBOX, "DEMO016-24,1024,768,316,200,516,480,0.7812,0.0712\n", ""), BBOX, D16, "is missing"),
    ("box of true tabs under the comma name", lambda r: shutil.copy(r / TABBED, r / BBOX), BBOX, None, "header"),
    ("twin changed", edit(TABBED, "516\t480", "515\t480"), TABBED, D16, "x1 is 515"),
    # All forms alike, but wrong
    ("wrong chunk in all forms", every_form(at(D8, chunk="0")), "data", D8, "its md5 says '7'"),
    ("taxon not the deepest label", every_form(at(D8, taxon="Aedes")), "data", D8, "deepest label"),
    ("one barcode in two partitions", every_form(lambda f: f.with_columns(
        dna_barcode=pl.when(pl.col("processid").is_in([D8, D16])).then(pl.lit("NACGTN"))
        .otherwise("dna_barcode"))), "data", D16, "several partitions"),
    ("one barcode with two labels", every_form(lambda f: f.with_columns(
        dna_barcode=pl.when(pl.col("processid").is_in([D8, "DEMO009-24"])).then(pl.lit("ACGT"))
        .otherwise("dna_barcode"))), "data", "DEMO009-24", "several labels"),
    ("seen species in unseen", every_form(at("DEMO021-24", species="Aedes vexans", taxon="Aedes vexans")), "data",
     "DEMO021-24", "in a seen partition too"),
    ("unseen species without keys", every_form(lambda f: f.with_columns(
        pl.when(pl.col("split") == "test_unseen").then(pl.lit("Apis sp. 9")).otherwise(n).alias(n)
        for n in ("species", "taxon"))), "data", "DEMO026-24", "no record of 'Apis sp. 9' is in key_unseen"),
    ("species in pretrain", every_form(at("DEMO001-24", species="Zz zz", taxon="Zz zz")), "data", "DEMO001-24",
     "pretrain"),
    ("no species in train", every_form(at(D8, species=None, taxon="Aedes")), "data", D8, "no species"),
    ("vocabulary of an extra column", every_form(at(D8, species_name_type="NICE")), "data", D8, "NICE"),
    # Images
    ("image lost", remove(VAL), VAL, D16, "missing"),
    ("image too many", lambda r: shutil.copy(r / VAL, r / IMAGES / "cropped_256/val/MORE-24.jpg"),
     f"{IMAGES}/cropped_256/val/MORE-24.jpg", None, "no specimen"),
    ("image in another folder", lambda r: (r / VAL).rename(r / IMAGES / "cropped_256/test/DEMO016-24.jpg"), VAL, D16,
     "missing"),
    ("image cut", val(lambda p: raw(p)[:-600]), VAL, D16, "decoded"),
    ("image without end", val(lambda p: raw(p) + b"x"), VAL, D16, "end"),
    ("image a text", val(b"hello"), VAL, D16, "no JPEG"),
    ("image a PNG", val(cv2.imencode(".png", np.zeros((256, 341, 3), np.uint8))[1]
     .tobytes()), VAL, D16, "no JPEG"),
    ("image of another size", val(encoded(size=(340, 255))), VAL, D16, "255"),
    ("image grey", val(encoded(mode="L")), VAL, D16, "not RGB"),
    ("image progressive", val(encoded(progressive=True)), VAL, D16, "progressive"),
    ("image with EXIF", val(with_exif()), VAL, D16, "EXIF"),
    ("images swapped", both(swap(VAL, VAL_2), hdf5), VAL, D16, "not the picture"),
    ("images swapped in one form", swap(VAL, VAL_2), H5,
     D16, "differs"),
    ("HDF5 member lost", member(lambda g: g.pop("DEMO016-24.jpg")), H5, D16, "missing"),
    ("HDF5 member too many", member(lambda g: g.create_dataset("MORE-24.jpg", data=np.zeros(9, "u1"))),
     H5, "MORE-24", "no specimen"),
    ("HDF5 byte changed", member(lambda g: g["DEMO016-24.jpg"].__setitem__(700, 1 ^ g["DEMO016-24.jpg"][700])),
     H5, D16, "differs"),
    ("HDF5 member outside", member(external), H5, D16, "link"),
    ("HDF5 bytes outside", member(stored_outside), H5, D16, "another file"),
    ("HDF5 without attribute", member(lambda g: g.attrs.pop("License")), H5, None, "License"),
    ("HDF5 of another group", member(lambda g: g.file.move("bioscan_dataset", "x")), H5, None, "group"),
    ("HDF5 no HDF5", lambda r: (r / H5).write_text("x"), H5, None, "HDF5"),
    ("HDF5 lost", remove(H5), H5, None, "missing"),
]  # fmt: skip


def copy(good, tmp_path):
    root = tmp_path / "v1"
    shutil.copytree(good, root, symlinks=True)
    return root


def assert_named(found, file, processid, words):
    assert any(
        words in fault.fault and file in {None, fault.file} and processid in {None, fault.processid} for fault in found
    ), "\n".join(map(str, found)) or "nothing was found"


def test_a_good_release_has_no_fault(good, tmp_path):
    assert check(good) == []
    assert check(good, images="all") == []
    assert check(good.parent / "latest") == []
    root = copy(good, tmp_path)
    seal(root)
    assert check(root, images="all") == []
    assert (root / "manifest.json").read_bytes() == (good / "manifest.json").read_bytes()


@pytest.mark.parametrize("damage", UNSEALED, ids=lambda damage: damage[0])
def test_a_damage_is_named(good, tmp_path, damage):
    _, mutate, file, processid, words = damage
    root = copy(good, tmp_path)
    mutate(root)
    assert_named(check(root), file, processid, words)


@pytest.mark.slow
@pytest.mark.parametrize("damage", SEALED, ids=lambda damage: damage[0])
def test_a_damage_with_right_sums_is_named(good, tmp_path, damage):
    _, mutate, file, processid, words = damage
    root = copy(good, tmp_path)
    mutate(root)
    seal(root)
    assert_named(check(root, images="all"), file, processid, words)


def test_a_path_that_leads_out_is_not_read(good, tmp_path, monkeypatch):
    root = copy(good, tmp_path)
    (tmp_path / "secret").write_text("x")
    head(lambda d: d["files"].append({"path": "../secret", "size": 1, "sha256": "0" * 64}))(root)
    real, opened = Path.open, []
    monkeypatch.setattr(Path, "open", lambda path, *a, **k: opened.append(path) or real(path, *a, **k))
    assert_named(check(root), "manifest.json", None, "'../secret'")
    assert opened
    assert all(path.resolve().is_relative_to(root) for path in opened)


def test_no_folder_is_a_fault(tmp_path):
    assert check(tmp_path / "none") == [Fault("none", None, "there is no such folder")]
    assert [fault.file for fault in check(tmp_path)] == ["manifest.json"]
    (tmp_path / "file").write_text("x")
    assert [fault.fault for fault in check(tmp_path / "file")] == ["there is no such folder"]


def test_many_faults_of_one_kind_are_counted(good, tmp_path):
    root = copy(good, tmp_path)
    edit(CSV, ",Ontario,", ",Ontario ,", -1)(root)
    seal(root)
    found = [f for f in check(root) if "outer blanks" in f.fault or "of the same kind" in f.fault]
    assert len([f for f in found if "outer" in f.fault]) == faults.LISTED
    assert "and 12 more of the same kind" in {f.fault for f in found}


def test_faults_are_one_line_each(good, tmp_path):
    root = copy(good, tmp_path)
    cell("DEMO008-24", "province_state", "x" * 500 + " ")(root)
    for fault in check(root):
        assert "\n" not in str(fault)
        assert len(str(fault)) < 400
    assert str(Fault("a", "P-1", "is b")) == "a: P-1: is b"


def test_barcodes_that_are_alike_as_released_are_one_barcode(good, tmp_path):
    """ACRT and ACKT were two sequences; users only see ACNT, and must not find it with two labels."""
    root = copy(good, tmp_path)
    rows = pl.read_csv(root / CSV, columns=["processid", "split"])
    other = rows.filter(pl.col("split") != rows.filter(pl.col("processid") == D8)["split"][0])["processid"][0]
    every_form(
        lambda f: f.with_columns(
            dna_barcode=pl.when(pl.col("processid").is_in([D8, other])).then(pl.lit("ACNT")).otherwise("dna_barcode")
        )
    )(root)
    seal(root)
    found = check(root)
    assert any("its barcode 'ACNT' has several" in fault.fault for fault in found), found


def test_the_sample_of_images_is_spread_and_fixed():
    paths = [f"{n:05d}" for n in range(5000)]
    chosen = check_images.sample(paths)
    assert len(chosen) == len(set(chosen)) == check_images.SAMPLE
    assert (chosen[0], chosen[-1]) == (paths[0], paths[-1])
    assert chosen == sorted(chosen) == check_images.sample(paths)
    assert check_images.sample(paths[:7]) == paths[:7]


def test_a_decompression_bomb_is_a_fault():
    bomb = bytearray(encoded(size=(16, 16)))
    place = bomb.index(b"\xff\xc0") + 5
    bomb[place : place + 4] = b"\xff\xff\xff\xff"
    assert check_images.decode(bytes(bomb), "cropped", ImageSettings())[1].startswith("cannot be decoded")


def test_progress_is_told(good):
    seen = []
    check(good, "all", lambda *report: seen.append(report))
    assert {"checksums", "check images"} == {stage for stage, *_ in seen}
    assert seen[-1] == ("check images", 32, 32)


def test_faults_are_plain_values(good):
    assert [field.name for field in dataclasses.fields(Fault)] == ["file", "processid", "fault"]
    assert hive_name("Diptera") == "Diptera"


def test_an_original_may_be_of_any_kind_that_the_image_stage_reads():
    stream = io.BytesIO()
    Image.new("L", (300, 200), 90).save(stream, "PNG")
    assert check_images.decode(stream.getvalue(), "original_full", ImageSettings())[1] == ""
    assert check_images.decode(stream.getvalue(), "cropped", ImageSettings())[1] == "is no JPEG image"
    assert check_images.decode(b"GIF89a", "original_full", ImageSettings())[1] == "is no image"
