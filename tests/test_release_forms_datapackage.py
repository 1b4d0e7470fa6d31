"""datapackage.json as a document; that frictionless takes it is in test_release_clients_descriptors."""

import json

import pytest
from release_everything import everything

from bioscan_etl import schema, vocabulary
from bioscan_etl.release.forms.datapackage import table_schema
from bioscan_etl.release.layout import csv_name
from bioscan_etl.settings import ReleaseSettings


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return everything(tmp_path_factory.mktemp("everything"))


def test_each_resource_has_a_name_of_its_own_its_bytes_and_its_sum(release):
    package = json.loads((release / "datapackage.json").read_text())
    files = {entry["path"]: entry for entry in json.loads((release / "manifest.json").read_text())["files"]}
    resources = package["resources"]
    assert len({one["name"] for one in resources}) == len(resources)
    for one in resources:
        assert (one["bytes"], one["hash"]) == (files[one["path"]]["size"], f"sha256:{files[one['path']]['sha256']}")
    tables = {one["path"]: one["schema"] for one in resources if "schema" in one}
    assert tables[csv_name(ReleaseSettings())] == table_schema(schema.METADATA)
    assert {f"splits/{split}.csv" for split in vocabulary.SPLITS} < set(tables)


def test_a_table_s_types_and_constraints():
    found = table_schema(schema.METADATA)
    fields = {field["name"]: field for field in found["fields"]}
    assert found["primaryKey"] == ["processid"]
    assert found["missingValues"] == [""]
    assert list(fields) == schema.METADATA.names()
    assert fields["processid"]["constraints"] == {
        "required": True,
        "unique": True,
        "pattern": schema.PROCESSID_PATTERN,
    }
    assert fields["split"]["constraints"]["enum"] == list(vocabulary.SPLITS)
    assert fields["coord-lat"]["type"] == "number"
    assert (fields["inferred_ranks"]["type"], fields["inferred_ranks"]["constraints"]["maximum"]) == ("integer", 6)
    # An empty chunk is read as missing.
    assert "required" not in fields["chunk"]["constraints"]
