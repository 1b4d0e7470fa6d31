"""mlcroissant and frictionless validate and load a release's descriptors, and detect false statements."""

import json
import shutil

import polars as pl
import pytest
from release_everything import everything

from bioscan_etl.schema import METADATA, METADATA_EXTENDED
from bioscan_etl.vocabulary import SPLITS

pytestmark = pytest.mark.clients
CSV = "bioscan5m/metadata/csv/BIOSCAN_5M_Insect_Dataset_metadata.csv"


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return everything(tmp_path_factory.mktemp("descriptors"))


@pytest.fixture
def copy(release, tmp_path):
    shutil.copytree(release, tmp_path / "v1")
    return tmp_path / "v1"


@pytest.fixture(scope="module")
def croissant(release):
    mlc = pytest.importorskip("mlcroissant", reason="needs .venv-clients: mlcroissant is not installed")
    return mlc.Dataset(str(release / "croissant.json"))


def cause(error):
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error)


@pytest.mark.slow
def test_mlcroissant_validates_with_no_word_but_of_the_date(croissant):
    assert not croissant.metadata.ctx.issues.errors
    warnings = list(croissant.metadata.ctx.issues.warnings)
    assert len(warnings) == 1
    assert "datePublished" in str(warnings[0])  # releases hold no dates


@pytest.mark.slow
def test_mlcroissant_loads_the_csv_and_both_parquet_forms(croissant, release):
    expected = pl.read_csv(release / CSV, infer_schema=False).sort("processid")
    rows = [
        {name.removeprefix("specimens/"): value for name, value in row.items()}
        for row in croissant.records("specimens")
    ]
    assert list(rows[0]) == METADATA.names()
    assert sorted(row["processid"].decode() for row in rows) == expected["processid"].to_list()
    for folder, one in (("data", "flags"), ("data_images", "image")):
        loaded = []
        for split in SPLITS:
            name = f"{folder}/{split}"
            part = list(croissant.records(name))
            assert {row[f"{name}/split"] for row in part} == {split.encode()}
            assert all(row[f"{name}/{one}"] is not None for row in part)
            loaded += [row[f"{name}/processid"].decode() for row in part]
        assert sorted(loaded) == expected["processid"].to_list()
    image = next(iter(croissant.records("data_images/val")))["data_images/val/image"]
    assert image.size == (341, 256)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "record_set"),
    [(CSV, "specimens"), ("data/val-00000-of-00001.parquet", "data/val"),
     ("data_images/test-00000-of-00001.parquet", "data_images/test")],
)  # fmt: skip
def test_mlcroissant_catches_another_sum(copy, file, record_set):
    mlc = pytest.importorskip("mlcroissant", reason="needs .venv-clients: mlcroissant is not installed")
    descriptor = copy / "croissant.json"
    document = json.loads(descriptor.read_text())
    entry = next(one for one in document["distribution"] if one.get("contentUrl") == file)
    entry["sha256"] = "0" * 64
    descriptor.write_text(json.dumps(document))
    with pytest.raises(Exception, match=r".") as caught:
        list(mlc.Dataset(str(descriptor)).records(record_set))
    assert "Hash of downloaded file" in cause(caught.value)


@pytest.mark.slow
def test_frictionless_validates_every_resource(release):
    frictionless = pytest.importorskip("frictionless", reason="needs .venv-clients: frictionless is not installed")
    report = frictionless.validate(str(release / "datapackage.json"))
    assert report.flatten(["type", "message"]) == []
    assert report.valid
    assert report.stats["warnings"] == 0
    package = json.loads((release / "datapackage.json").read_text())
    assert report.stats["tasks"] == len(package["resources"])


def _changed(copy, change):
    """Change a CSV and state its new bytes and sum, so that only its values are at fault."""
    import hashlib

    path = copy / CSV
    lines = path.read_text().splitlines()
    fields = [line.split(",") for line in lines]
    change(fields)
    path.write_text("".join(",".join(line) + "\n" for line in fields))
    descriptor = copy / "datapackage.json"
    package = json.loads(descriptor.read_text())
    entry = next(one for one in package["resources"] if one["path"] == CSV)
    entry |= {"bytes": path.stat().st_size, "hash": f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"}
    descriptor.write_text(json.dumps(package))


def _set(name, value):
    def change(fields):
        fields[3][METADATA.names().index(name)] = value

    return change


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (_set("split", "training"), "constraint-error"),
        (_set("dna_bin", "BOLD:1"), "constraint-error"),
        (_set("coord-lat", "91.5"), "constraint-error"),
        (_set("area_fraction", "much"), "type-error"),
        (_set("dna_barcode", ""), "constraint-error"),
        (_set("processid", "a.b"), "constraint-error"),
        (_set("image_measurement_value", "1.5"), "type-error"),
        (_set("chunk", "g0"), "constraint-error"),
        (lambda fields: fields.append(fields[-1]), "primary-key"),
        (lambda fields: fields[4].append("x"), "extra-cell"),
    ],
    ids=["enum", "pattern", "bound", "number", "required", "key pattern", "integer", "chunk", "unique", "extra cell"],
)
def test_frictionless_catches_values_that_are_not_so(copy, change, kind):
    frictionless = pytest.importorskip("frictionless", reason="needs .venv-clients: frictionless is not installed")
    _changed(copy, change)
    report = frictionless.validate(str(copy / "datapackage.json"))
    assert kind in {error[0] for error in report.flatten(["type"])}


@pytest.mark.slow
@pytest.mark.parametrize("file", [CSV, "data/train-00000-of-00002.parquet", "hdf5/clibd.hdf5", "splits/val.csv"])
def test_frictionless_catches_other_bytes(copy, file):
    frictionless = pytest.importorskip("frictionless", reason="needs .venv-clients: frictionless is not installed")
    with (copy / file).open("ab") as stream:
        stream.write(b"\n")
    report = frictionless.validate(str(copy / "datapackage.json"))
    assert {"hash-count", "byte-count"} & {error[0] for error in report.flatten(["type"])}


def test_the_descriptors_list_the_files_with_their_sums_and_nothing_of_the_machine(release):
    stated = {entry["path"]: entry for entry in json.loads((release / "manifest.json").read_text())["files"]}
    croissant = json.loads((release / "croissant.json").read_text())
    files = {one["contentUrl"]: one for one in croissant["distribution"] if one["@type"] == "cr:FileObject"}
    package = json.loads((release / "datapackage.json").read_text())
    resources = {one["path"]: one for one in package["resources"]}
    assert set(files) == set(resources)
    apart = {name for name in stated if name.startswith(("bioscan5m/images/", "report/"))}
    written_last = {"README.md", "md5sums.txt", "croissant.json", "datapackage.json", "changelog.md"}
    assert set(files) == set(stated) - apart - written_last
    for path, entry in stated.items():
        if path in files:
            assert files[path]["sha256"] == entry["sha256"]
            assert resources[path]["hash"] == f"sha256:{entry['sha256']}"
            assert resources[path]["bytes"] == entry["size"]
    assert len({one["name"] for one in package["resources"]}) == len(resources)
    text = (release / "croissant.json").read_text() + (release / "datapackage.json").read_text()
    assert str(release) not in text


def test_the_table_schema_names_every_column(release):
    package = json.loads((release / "datapackage.json").read_text())
    (metadata,) = [one for one in package["resources"] if one["path"] == CSV]
    fields = {field["name"]: field for field in metadata["schema"]["fields"]}
    assert list(fields) == METADATA.names()
    assert metadata["schema"]["missingValues"] == [""]
    assert metadata["schema"]["primaryKey"] == ["processid"]
    assert fields["split"]["constraints"]["enum"] == list(SPLITS)
    assert fields["processid"]["constraints"] == {"required": True, "unique": True, "pattern": "^[A-Za-z0-9-]+$"}
    assert "required" not in fields["chunk"]["constraints"]
    assert fields["image_measurement_value"] | {"description": ""} == {
        "name": "image_measurement_value",
        "type": "integer",
        "description": "",
        "constraints": {"minimum": 0},
    }


def test_the_record_sets_name_every_column(release):
    document = json.loads((release / "croissant.json").read_text())
    sets = {
        one["@id"]: [field["source"]["extract"]["column"] for field in one["field"]] for one in document["recordSet"]
    }
    assert sets["specimens"] == METADATA.names()
    for split in SPLITS:
        assert sets[f"data/{split}"] == METADATA_EXTENDED.names()
        assert sets[f"data_images/{split}"][-1] == "image"
