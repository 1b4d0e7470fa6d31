"""`labels/` against the specimens and the release before, and releases that have none."""

import json
import shutil

import polars as pl
import pytest
from release_corpus import DIGEST, GROWN, corpus
from resealed import copied, put, sealed

from bioscan_etl.release import labels, manifest
from bioscan_etl.release.check import check, files, label_indices, strangers, tables
from bioscan_etl.release.check.installed import installed
from bioscan_etl.release.check.origin import Origin
from bioscan_etl.release.check.settings import read_stated
from bioscan_etl.release.check.view import View
from bioscan_etl.release.forms import barcodebert
from bioscan_etl.release.layout import LABELS
from bioscan_etl.settings import ReleaseSettings, Settings
from bioscan_etl.vocabulary import RANKS

PLAIN = Settings(
    release=ReleaseSettings(
        forms=("barcodebert", "bbox", "datapackage"), image_packages=("cropped_256",), hdf5_packages=()
    ),
    splits=GROWN,
)
TRAIN = "barcodebert/supervised_train.csv"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A corpus, two specimens of which have the same barcode but for N at its end."""
    drawn = corpus(tmp_path_factory.mktemp("drawn")).curated
    barcodes, bins = drawn["dna_barcode"].to_list(), drawn["dna_bin"].to_list()
    barcodes[10], bins[10] = f"{barcodes[8]}NN", bins[8]
    delivered = [f"--{barcode}-" for barcode in barcodes]
    return corpus(tmp_path_factory.mktemp("lake"), dna_barcode=barcodes, dna_bin=bins, nuc=delivered)


def of_species(made, before, after):
    """The corpus with a species renamed; genus and lineage stay."""
    curated = made.curated.with_columns(pl.col("species", "taxon").replace(before, after))
    return type(made)(curated, made.partitions, made.logs, made.crops, made.rows_read)


@pytest.fixture(scope="module")
def versions(made, tmp_path_factory):
    """Three releases, each of which continues the one before: a species is renamed, and has its name again."""
    folder = tmp_path_factory.mktemp("versions")
    other = of_species(made, "Apis mellifera", "Apis nova")
    return [one.build(folder, PLAIN, digit * 64) for one, digit in ((made, "0"), (other, "1"), (made, "2"))]


def said(faults):
    return [str(fault) for fault in faults]


@pytest.mark.slow
def test_releases_that_follow_each_other_have_no_fault(versions, tmp_path):
    for release in versions:
        assert said(check(release)) == []
        assert said(check(copied(release, tmp_path))) == [], "without the one before beside it"
    read = [labels.read_labels(release)["species"]["label"].to_list() for release in versions]
    assert read[1] == [*read[0], "Apis nova"]
    assert read[2] == read[1]


def faults_of(root):
    """What the checks of labels/, its folder and BarcodeBERT's files find, without all others."""
    document, _ = files.read(root)
    stated, _ = read_stated(document.settings)
    data, _ = tables.check(root, document)
    origin = Origin.of(document, installed)
    listed = pl.DataFrame(schema={"processid": pl.String, "split": pl.String, "path": pl.String})
    view = View(root, document, files.names(document), origin, stated, data, listed, frozenset())
    return [
        *strangers.check(document),
        *label_indices.check(root, document, stated, data, origin),
        *barcodebert.check(view),
    ]


def edited(root, name, before, after):
    text = (root / name).read_text()
    assert before in text, (name, before)
    put(root / name, text.replace(before, after, 1).encode())


def exchanged(root):
    """Two species exchange their indices in every file that states them."""
    rows = pl.read_csv(root / "labels/species.csv")
    swap = pl.col("index").replace({0: 1, 1: 0})
    put(root / "labels/species.csv", rows.with_columns(swap).sort("index").write_csv().encode())
    for path in sorted((root / "barcodebert").iterdir()):
        file = pl.read_csv(path, infer_schema=False)
        there = file.with_columns(pl.col("species_index").replace({"0": "1", "1": "0"}))
        put(path, there.write_csv().encode())
    put(root / labels.HIERARCHY, labels.hierarchy(labels.read_labels(root)).write_csv().encode())


SPECIES = "labels/species.csv"
CORRUPTED = [
    ("count", lambda root: edited(root, SPECIES, "vexans,0,0,4,", "vexans,0,0,5,"), SPECIES, "of the specimens 4"),
    ("name", lambda root: edited(root, SPECIES, "Aedes vexans", "Aedes alba"), SPECIES, "lacks 'Aedes vexans'"),
    ("parent", lambda root: edited(root, SPECIES, "vexans,0,", "vexans,1,"), SPECIES, "is 1, of the specimens 0"),
    ("order", lambda root: edited(root, SPECIES, "\n1,", "\n7,"), SPECIES, "are not 0 to their number less one"),
    ("alien", lambda root: edited(root, SPECIES, "vexans,0,", "vexans,99,"), SPECIES, "no label of the rank above"),
    ("number", lambda root: edited(root, SPECIES, "vexans,0,0,4", "vexans,0,0,x"), SPECIES, "'x' is no number"),
    ("header", lambda root: edited(root, SPECIES, "parent_index", "parent"), SPECIES, "another header"),
    ("more", lambda root: edited(root, SPECIES, "\n0,", "\n0,Aedes vexans,0,0,0,0,0,0,0,0,0\n1,"), SPECIES, "0 to"),
    ("gone", lambda root: (root / SPECIES).unlink(), SPECIES, "is missing"),
    ("folder", lambda root: shutil.rmtree(root / LABELS), "labels/genus.csv", "is missing"),
    ("chain", lambda root: edited(root, labels.HIERARCHY, "\n0,0,0,", "\n0,0,1,"), labels.HIERARCHY, "the hierarchy"),
    ("stranger", lambda root: put(root / "labels/tribe.csv", b"x\n"), "labels/tribe.csv", "is none of the files"),
    ("indices", exchanged, SPECIES, "in a first release it is 'Aedes vexans'"),
    ("form", lambda root: edited(root, TRAIN, ",0,1\n", ",1,1\n"), TRAIN, "is 1 for 'Aedes vexans', 0 in"),
    ("specimens", lambda root: edited(root, TRAIN, ",0,2\n", ",0,1\n"), TRAIN, "specimens is 1 here, 2 in data"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "change", "file", "words"), CORRUPTED, ids=[case[0] for case in CORRUPTED])
def test_a_corruption_is_named(versions, tmp_path, kind, change, file, words):
    root = copied(versions[0], tmp_path)
    change(root)
    found = faults_of(sealed(root))
    assert any(fault.file == file and words in fault.fault for fault in found), said(found)


def test_a_label_that_is_new_to_no_specimen_is_named_beside_the_release_before(versions, tmp_path):
    """A later release can have labels without specimens, which the release before must have had."""
    for release in versions[:2]:
        copied(release, tmp_path)
    root = tmp_path / "v2"
    path = root / SPECIES
    rows = path.read_text()
    put(path, f"{rows}{rows.count(chr(10)) - 1},Apis alba,1,0,0,0,0,0,0,0,0\n".encode())
    put(root / labels.HIERARCHY, labels.hierarchy(labels.read_labels(root)).write_csv().encode())
    assert said(faults_of(root)) == [
        f"{SPECIES}: index 5 is 'Apis alba' of parent 1; in what continues v1 it is missing of parent -1"
    ]
    shutil.rmtree(tmp_path / "v1")
    assert said(faults_of(root)) == []


@pytest.mark.parametrize("stated", ["distinct", "all"])
def test_the_rows_are_those_of_the_stated_setting(made, tmp_path, stated):
    settings = PLAIN.model_copy(update={"release": PLAIN.release.model_copy(update={"barcodebert_rows": stated})})
    release = made.build(tmp_path / "r", settings, DIGEST)
    rows = pl.read_csv(release / TRAIN)
    assert rows.filter(specimens=2).height == (2 if stated == "all" else 1)
    assert said(faults_of(release)) == []
    other = {"distinct": "all", "all": "distinct"}[stated]
    head = manifest.read_head(release)
    head["settings"]["release"]["barcodebert_rows"] = other
    listed = json.loads((release / "manifest.json").read_text())["files"]
    manifest.write_manifest(release, head, listed)
    words = "data does not have it" if stated == "all" else "is missing, data has it"
    assert any(fault.file == TRAIN and fault.fault == words for fault in faults_of(release))


def older(release, folder):
    """The release as an earlier version made it: without labels/, with files of the earlier form."""
    root = copied(release, folder)
    data = pl.concat(pl.read_parquet(path) for path in sorted((root / "data").iterdir()))
    whole = data.select("processid", "dna_barcode")
    shutil.rmtree(root / LABELS)
    for path in sorted((root / "barcodebert").iterdir()):
        file = pl.read_csv(path, infer_schema=False).drop("specimens")
        file = file.join(whole, on="processid", maintain_order="left")
        file = file.with_columns(nucleotides="dna_barcode").drop("dna_barcode")
        put(path, file.write_csv().encode())
    document = json.loads((root / "manifest.json").read_text())
    document["files"] = [one for one in document["files"] if not one["path"].startswith(f"{LABELS}/")]
    for name in ("barcodebert_rows", "labels_from"):
        del document["settings"]["release"][name]
    listed = document.pop("files")
    (root / "manifest.json").unlink()
    manifest.write_manifest(root, document, listed)
    described = json.loads((root / "datapackage.json").read_text())
    described["resources"] = [one for one in described["resources"] if not one["path"].startswith(f"{LABELS}/")]
    put(root / "datapackage.json", json.dumps(described).encode())
    return sealed(root)


@pytest.mark.slow
def test_a_release_from_before_there_were_labels_is_checked_as_it_was(made, tmp_path):
    every = PLAIN.model_copy(update={"release": PLAIN.release.model_copy(update={"barcodebert_rows": "all"})})
    root = older(made.build(tmp_path / "r", every, DIGEST), tmp_path)
    # Without provenance, a release is taken for one of the installed code, whose descriptor would be another.
    assert {fault.file for fault in check(root)} <= {"datapackage.json", "README.md"}
    edited(root, TRAIN, ",0\n", ",7\n")
    found = said(faults_of(sealed(root)))
    assert "barcodebert: 'species': label 'Aedes vexans' has several: '0, 7'" in found, found


def test_a_later_release_continues_one_without_labels(made, tmp_path):
    every = PLAIN.model_copy(update={"release": PLAIN.release.model_copy(update={"barcodebert_rows": "all"})})
    first = made.build(tmp_path / "r", every, DIGEST)
    numbers = {rank: labels.read_labels(first)[rank]["label"].to_list() for rank in RANKS}
    older(first, tmp_path / "older")
    shutil.copytree(tmp_path / "older" / "v1", tmp_path / "new" / "v1")
    (tmp_path / "new" / "latest").symlink_to("v1")
    second = of_species(made, "Apis mellifera", "Apis nova").build(tmp_path / "new", PLAIN, "1" * 64)
    assert second.name == "v2"
    assert labels.read_labels(second)["species"]["label"].to_list() == [*numbers["species"], "Apis nova"]
    assert said(faults_of(second)) == []
