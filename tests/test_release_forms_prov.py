"""The making of a release as PROV-O: every id that is named is stated, once, and says what the manifest says."""

import json

from bioscan_etl.release.forms._prov import provenance_of

CODE = {"version": "3", "libraries": {"polars": "1.35"}, "data": {"images/models/coarse.onnx": "c" * 64}}
OTHER = CODE | {"version": "4"}
INPUTS = [
    {"batch": "a", "kind": "records", "name": "bold.tsv", "sha256": "1" * 64},
    {"batch": "a", "kind": "images", "files": 7, "sha256": "2" * 64},
    {"batch": "b c", "kind": "records", "name": "bold.tsv", "sha256": "1" * 64},
]


def batch(code, content):
    stages = {
        "raw_records": {"code": code, "content": content * 64, "extra": {}},
        "specimen_boxes": {"code": code, "content": "9" * 64, "extra": {"detector": "shipped"}},
    }
    return {"delivery": content * 64, "settings": {"records.marker": "COI-5P"}, "stages": stages, "failed_checks": []}


MADE = {
    "batches": {"a": batch(CODE, "5"), "b c": batch(OTHER, "6")},
    "corpus": {"partitions": {"code": CODE, "settings": {"splits.seed": 0}}},
    "withdrawn": {},
    "notes": {},
    "settings_digest": "0" * 64,
}


def nodes(value):
    """Every node of a document."""
    if isinstance(value, list):
        for each in value:
            yield from nodes(each)
    elif isinstance(value, dict):
        yield value
        for each in value.values():
            yield from nodes(each)


def test_every_node_is_stated_once_and_every_name_leads_to_one():
    found = [node for node in nodes(provenance_of("v3", INPUTS, MADE)) if "@id" in node]
    stated = [node["@id"] for node in found if len(node) > 1]
    assert len(stated) == len(set(stated))
    assert {node["@id"] for node in found if len(node) == 1} <= set(stated)


def test_activities_are_those_of_the_manifest():
    made = provenance_of("v3", INPUTS, MADE)["prov:wasGeneratedBy"]
    assert made["prov:label"] == "release v3"
    labels = [one["prov:label"] for one in made["prov:wasInformedBy"]]
    stages = ("raw_records", "specimen_boxes")
    assert labels == [*(f"{stage} of batch {batch}" for batch in ("a", "b c") for stage in stages), "partitions"]
    first, boxes = made["prov:wasInformedBy"][:2]
    assert first["prov:generated"]["sha256"] == "5" * 64
    assert first["prov:used"] == [{"@id": "#provenance/a/delivery"}]
    assert [one.get("prov:label") for one in boxes["prov:used"]] == [None, "detector"]
    assert {one["@id"] for one in made["prov:used"]} == {
        one["prov:generated"]["@id"] for one in made["prov:wasInformedBy"] if "prov:generated" in one
    }


def test_code_and_settings_are_agent_and_plan():
    made = provenance_of("v3", INPUTS, MADE)["prov:wasGeneratedBy"]["prov:wasInformedBy"]
    association = made[0]["prov:qualifiedAssociation"]
    agent = association["prov:agent"]
    assert (agent["softwareVersion"], agent["softwareRequirements"]) == ("3", ["polars 1.35"])
    assert agent["isBasedOn"] == [{"name": "images/models/coarse.onnx", "sha256": "c" * 64}]
    assert json.loads(association["prov:hadPlan"]["prov:value"]) == {"records.marker": "COI-5P"}
    assert made[2]["prov:qualifiedAssociation"]["prov:agent"]["softwareVersion"] == "4"
    assert made[2]["prov:qualifiedAssociation"]["prov:hadPlan"] == {"@id": association["prov:hadPlan"]["@id"]}


def test_deliveries_hold_their_files():
    first, second = provenance_of("v3", INPUTS, MADE)["prov:wasDerivedFrom"]
    assert first["sha256"] == "5" * 64
    assert [(one["prov:label"], one["sha256"]) for one in first["prov:hadMember"]] == [
        ("bold.tsv", "1" * 64),
        ("7 images", "2" * 64),
    ]
    assert second["@id"] == "#provenance/b%20c/delivery"


def test_outside_the_pipeline_only_the_inputs_are_stated():
    found = provenance_of("v1", [{"name": "bold.tsv", "sha256": "0" * 64}], None)
    assert list(found) == ["prov:wasDerivedFrom"]
    assert found["prov:wasDerivedFrom"][0]["prov:hadMember"][0]["prov:label"] == "bold.tsv"
    assert provenance_of("v1", [], None) == {}
