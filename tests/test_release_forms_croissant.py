"""croissant.json as a document; that mlcroissant takes it is in test_release_clients_descriptors."""

import json

import pytest
from release_everything import everything

from bioscan_etl import schema, vocabulary
from bioscan_etl.release.manifest import read_head


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return everything(tmp_path_factory.mktemp("everything"))


@pytest.fixture(scope="module")
def document(release):
    return json.loads((release / "croissant.json").read_text())


def test_every_file_object_has_a_relative_path_and_the_sum_of_the_manifest(release, document):
    sums = {entry["path"]: entry["sha256"] for entry in json.loads((release / "manifest.json").read_text())["files"]}
    objects = [entry for entry in document["distribution"] if entry["@type"] == "cr:FileObject"]
    assert len(objects) > 30
    assert {entry["contentUrl"]: entry["sha256"] for entry in objects}.items() <= sums.items()
    assert not any(entry["contentUrl"].startswith("/") or ".." in entry["contentUrl"] for entry in objects)


def test_record_sets_have_the_columns_of_their_tables(document):
    fields = {
        one["@id"]: [field["source"]["extract"]["column"] for field in one["field"]] for one in document["recordSet"]
    }
    assert fields["specimens"] == schema.METADATA.names()
    assert fields["data/train"] == schema.METADATA_EXTENDED.names()
    assert fields["data_images/train"][-1] == "image"
    assert {name.split("/")[1] for name in fields if name.startswith("data/")} == set(vocabulary.SPLITS)


def test_several_shards_are_one_file_set(document):
    train = next(one for one in document["recordSet"] if one["@id"] == "data/train")
    [source] = {json.dumps(field["source"].get("fileSet")) for field in train["field"]}
    assert json.loads(source) == {"@id": "data/train-files"}
    assert any(entry["@id"] == "data/train-files" for entry in document["distribution"])


def test_version_and_licence(release, document):
    assert document["version"] == f"{read_head(release)['version'][1:]}.0.0"
    assert document["license"] == "https://creativecommons.org/licenses/by/3.0/"


def test_it_says_which_specifications_it_follows(document):
    assert document["conformsTo"] == ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
    assert document["@context"]["prov"] == "http://www.w3.org/ns/prov#"


def test_lists_are_arrays_of_one_dimension(document):
    [flags] = [field for one in document["recordSet"] for field in one["field"] if field["@id"] == "data/val/flags"]
    assert (flags["isArray"], flags["arrayShape"]) == (True, "-1")


def test_it_says_what_the_release_was_made_from_and_no_time(document):
    [delivery] = document["prov:wasDerivedFrom"]
    assert [(one["prov:label"], one["sha256"]) for one in delivery["prov:hadMember"]] == [("bold.tsv", "0" * 64)]
    assert document["rai:dataCollectionMissingData"].startswith("0 of 32 specimens have no image")
    assert not {"datePublished", "prov:endedAtTime", "dateCreated"} & set(json.dumps(document).split('"'))
