"""The checks of the output forms: each corruption is named, though all sums are right."""

import io
import json
import re
import shutil
import tarfile
import zipfile

import h5py
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from release_everything import everything
from test_release_check import assert_named, edit, remove, seal

from bioscan_etl.release.check import check
from bioscan_etl.release.check.agreement import agreement, held
from bioscan_etl.release.check.jsonlines import read_objects

JSONLD = "bioscan5m/metadata/jsonld/BIOSCAN_5M_Insect_Dataset_metadata.jsonld"
CONTEXT = "bioscan5m/metadata/jsonld/context.jsonld"
CLIBD = "hdf5/clibd.hdf5"
PACKED = "hdf5/cropped_256.packed.hdf5"
TRAIN = "barcodebert/supervised_train.csv"
UNSEEN = "barcodebert/unseen.csv"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return everything(tmp_path_factory.mktemp("everything"))


def first(root, folder, pattern):
    return sorted((root / folder).glob(pattern))[0]


def hdf5(name, change):
    def mutate(root):
        with h5py.File(root / name, "r+") as file:
            change(file)

    return mutate


def other_value(path, value):
    """Set the first value of a data set."""

    def change(file):
        file[path][0] = value

    return change


def elsewhere(path):
    """Turn a data set into a link to another file."""

    def change(file):
        del file[path]
        file[path] = h5py.ExternalLink("/etc/hostname", "/x")

    return change


def images(change):
    """Rewrite the first shard of train in data_images/ as a table of arrow."""

    def mutate(root):
        path = first(root, "data_images", "train-*")
        table = pq.read_table(path)
        pq.write_table(change(table), path)

    return mutate


def image(position, part, value):
    def change(table):
        rows = table.column("image").to_pylist()
        if part is None:
            rows[position] = None
        else:
            rows[position] = {**rows[position], part: value}
        field = table.schema.field("image")
        return table.set_column(table.schema.get_field_index("image"), field, pa.array(rows, field.type))

    return change


def other_ids(table):
    field = table.schema.field("processid")
    return table.set_column(0, field, pa.array(["X-1"] * len(table), field.type))


def zipped(change):
    """Write the first zip anew from name and bytes of its members."""

    def mutate(root):
        path = first(root, "packages", "*.zip")
        with zipfile.ZipFile(path) as archive:
            members = [(member.filename, archive.read(member)) for member in archive.infolist()]
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in change(members):
                archive.writestr(name, data)

    return mutate


def tarred(change):
    def mutate(root):
        path = first(root, "packages", "*.tar")
        with tarfile.open(path) as archive:
            members = [(member.name, archive.extractfile(member).read()) for member in archive]
        path.unlink()
        with tarfile.open(path, "w") as archive:
            for name, data in change(members):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))

    return mutate


def descriptor(name, change):
    def mutate(root):
        document = json.loads((root / name).read_text())
        change(document)
        (root / name).write_text(json.dumps(document))

    return mutate


def croissant(change):
    return descriptor("croissant.json", change)


def datapackage(change):
    return descriptor("datapackage.json", change)


def line_of(name, pattern, new, count=1):
    def mutate(root):
        text = (root / name).read_text()
        assert re.search(pattern, text)
        (root / name).write_text(re.sub(pattern, new, text, count=count))

    return mutate


TAMPERED = b"\xff\xd8tampered\xff\xd9"
DAMAGES = [
    ("JSON-LD value", line_of(JSONLD, '"country":"[^"]*"', '"country":"Elsewhere"'), JSONLD, "country is 'Elsewhere'"),
    ("JSON-LD row lost", line_of(JSONLD, r"\n\{.*\},\n", "\n"), JSONLD, "is missing, data has it"),
    ("JSON-LD cut", lambda r: (r / JSONLD).write_text((r / JSONLD).read_text()[:-200]), JSONLD, "JSON"),
    ("JSON-LD field", line_of(JSONLD, '"country"', '"land"'), JSONLD, "cannot be read as JSON"),
    ("JSON-LD other context", line_of(JSONLD, '"context.jsonld"', '"x.jsonld"'), JSONLD, "do not name the context"),
    ("JSON-LD lost", remove(JSONLD), JSONLD, "missing"),
    ("context changed", edit(CONTEXT, "dwc:country", "dwc:island"), CONTEXT, "is not the context"),
    ("context no JSON", lambda r: (r / CONTEXT).write_text("{"), CONTEXT, "is no JSON"),
    ("images shard lost", lambda r: first(r, "data_images", "test-*").unlink(), "data_images", "not complete"),
    ("images other bytes", images(image(0, "bytes", TAMPERED)), None, "differs from the image file"),
    ("images other name", images(image(0, "path", "../x.jpg")), None, "its image is named '../x.jpg'"),
    ("images none", images(image(0, None, None)), None, "the image is missing"),
    ("images without features", images(lambda t: t.replace_schema_metadata({})), None, "metadata huggingface"),
    ("images value", images(other_ids), None, "occurs "),
    ("BarcodeBERT sequence", line_of(TRAIN, r"\n([^,]+),[ACGTN]+,", r"\n\1,ACGT,"), TRAIN, "dna_barcode is 'ACGT'"),
    ("BarcodeBERT BIN", line_of(TRAIN, r",BOLD:[A-Z]+[0-9]+,(BOLD)", r",BOLD:ZZZ9999,\1"), TRAIN, "bin_uri is"),
    ("BarcodeBERT number", line_of(TRAIN, r",\d+,(\d+)\n", r",77,\1\n"), TRAIN, "species_index is 77 for"),
    ("BarcodeBERT unlabelled", line_of(TRAIN, r",\d+,(\d+)\n", r",-1,\1\n"), TRAIN, "species_index is -1"),
    ("BarcodeBERT specimens", line_of(TRAIN, r",(\d+)\n", ",77\n"), TRAIN, "specimens is 77 here"),
    ("BarcodeBERT alien", line_of(TRAIN, r"(?s)\n.*", "\n"), UNSEEN, "is not in supervised_train"),
    ("BarcodeBERT header", line_of(TRAIN, "processid", "sampleid"), TRAIN, "another header"),
    ("BarcodeBERT lost", remove(UNSEEN), UNSEEN, "missing"),
    ("CLIBD label", hdf5(CLIBD, other_value("seen_keys/genus", b"Xus")), f"{CLIBD}#seen_keys", "genus is 'Xus'"),
    ("CLIBD null", hdf5(CLIBD, other_value("seen_keys/order", b"")), f"{CLIBD}#seen_keys", "order is ''"),
    ("CLIBD image", hdf5(CLIBD, other_value("val_seen/image", 7)), f"{CLIBD}#val_seen", "differs from the image"),
    ("CLIBD length", hdf5(CLIBD, other_value("val_seen/image_mask", 7)), f"{CLIBD}#val_seen", "differs from"),
    ("CLIBD file name", hdf5(CLIBD, other_value("val_seen/image_file", b"x")), f"{CLIBD}#val_seen", "image_file is"),
    ("CLIBD group", hdf5(CLIBD, lambda f: f.create_group("x")), CLIBD, "not the groups"),
    ("CLIBD link", hdf5(CLIBD, elsewhere("val_seen/species")), f"{CLIBD}#val_seen", "lacks data sets"),
    ("CLIBD no HDF5", lambda r: (r / CLIBD).write_text("x"), CLIBD, "cannot be read as HDF5"),
    ("packed value", hdf5(PACKED, other_value("metadata/country", b"Oz")), PACKED, "country is 'Oz'"),
    ("packed number", hdf5(PACKED, other_value("metadata/area_fraction", 0.5)), PACKED, "area_fraction is 0.5"),
    ("packed bytes", hdf5(PACKED, other_value("jpeg", 7)), PACKED, "differs from the image file"),
    ("packed offsets", hdf5(PACKED, other_value("offsets", 7)), PACKED, "offsets do not lead"),
    ("packed link", hdf5(PACKED, elsewhere("jpeg")), PACKED, "its root does not hold"),
    ("packed column lost", hdf5(PACKED, lambda f: f["metadata"].pop("species")), PACKED, "23 columns"),
    ("zip bytes", zipped(lambda m: [(m[0][0], TAMPERED), *m[1:]]), None, "differs from the image file"),
    ("zip member more", zipped(lambda m: [*m, ("../../evil", b"x")]), None, "holds '../../evil'"),
    ("zip member less", zipped(lambda m: m[1:]), None, "lacks 'bioscan5m/images/cropped_256/"),
    ("zip no zip", lambda r: first(r, "packages", "*.zip").write_text("x"), None, "cannot be read as zip"),
    ("zip lost", lambda r: first(r, "packages", "*.zip").unlink(), None, "is missing"),
    ("tar bytes", tarred(lambda m: [(m[0][0], TAMPERED), *m[1:]]), None, "differs from the image file"),
    ("tar value", tarred(lambda m: [m[0], (m[1][0], m[1][1].replace(b'"taxon":"', b'"taxon":"X')), *m[2:]]), None, "X"),
    ("tar sample less", tarred(lambda m: m[3:]), None, "members, not 3 for each"),
    ("tar member more", tarred(lambda m: [*m, ("/etc/evil", b"x")]), None, "holds '/etc/evil'"),
    ("tar cut", lambda r: first(r, "packages", "*.tar").write_bytes(b"x" * 700), None, "cannot be read as tar"),
    ("Croissant sum", croissant(lambda d: d["distribution"][0].update(sha256="0" * 64)), None, "another sha256"),
    ("Croissant path", croissant(lambda d: d["distribution"][0].update(contentUrl="/etc/x")), None, "/etc/x"),
    ("Croissant no JSON", lambda r: (r / "croissant.json").write_text("["), "croissant.json", "is no descriptor"),
    ("datapackage sum", datapackage(lambda d: d["resources"][0].update(hash="sha256:0")), None, "another sha256"),
    ("datapackage file less", datapackage(lambda d: d["resources"].pop()), None, "does not name"),
    ("datapackage lost", remove("datapackage.json"), "datapackage.json", "missing"),
]  # fmt: skip


def test_a_good_release_of_every_form_has_no_fault(good):
    assert check(good) == []
    assert check(good, images="all") == []


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage[0])
def test_a_damage_is_named(good, tmp_path, damage):
    _, mutate, file, words = damage
    root = tmp_path / "v1"
    shutil.copytree(good, root)
    mutate(root)
    seal(root)
    found = check(root, images="all")
    undescribed = [fault for fault in found if fault.file not in {"croissant.json", "datapackage.json"}]
    wanted = found if file is None or file.endswith(".json") else undescribed
    assert_named(wanted, file, None, words)


def test_rows_that_differ_are_read_in_full_and_named():
    left = pl.DataFrame({"processid": ["A", "B", "C"], "x": [1.0, None, 3.0], "flags": [["a"], [], ["b", "c"]]})
    assert [str(fault) for fault in agreement(held("data", left), held("csv", left.reverse()))] == [
        "csv: C: is row 1 here, where data has A: the rows are in another order"
    ]
    right = pl.DataFrame({"processid": ["B", "A", "D", "D"], "x": [0.0, 1.0, 1.0, 1.0], "flags": [[], ["b"], [], []]})
    assert [str(fault) for fault in agreement(held("data", left), held("csv", right))] == [
        "csv: D: occurs 2 times",
        "csv: C: is missing, data has it",
        "csv: D: data does not have it",
        "csv: B: x is 0.0 here, missing in data",
        "csv: A: flags is ['b'] here, ['a'] in data",
    ]


def test_more_rows_than_can_be_listed_are_counted():
    left = pl.DataFrame({"processid": [f"P{n:05d}" for n in range(1500)], "x": 1})
    found = [str(fault) for fault in agreement(held("data", left), held("csv", left.with_columns(x=2)))]
    assert found[-2:] == ["csv: and 980 more of the same kind", "csv: 500 more rows differ from data"]


def test_an_object_of_another_form_is_refused():
    fields = pa.schema([("processid", pa.string()), ("n", pa.uint8())])
    assert read_objects(b'{"processid":"A","n":3}\n{"processid":null,"n":null}', fields).rows() == [
        ("A", 3),
        (None, None),
    ]
    for line in (b'{"processid":"A","n":"3"}', b'{"processid":"A","m":3}', b'{"processid":', b"[1]", b'{"n":300}'):
        with pytest.raises(pa.ArrowInvalid):
            read_objects(line, fields)
