"""What made a release, out of two heads of manifests."""

import re

from bioscan_etl.desk.made_by import commit, made_by


def head(version, settings, stages, batch_code="1"):
    code = {"version": batch_code, "libraries": {"polars": "2.1.0"}, "data": {}}
    return {
        "version": version,
        "settings": settings,
        "provenance": {
            "batches": {"b1": {"stages": {"raw_records": {"code": code}}}},
            "corpus": {
                name: {"code": {"version": said, "libraries": {"polars": "2.0.0"}, "data": {}}}
                for name, said in stages.items()
            },
        },
    }


def test_settings_and_code_that_differ_are_named():
    before = head("v1", {"splits": {"seed": 0}, "barcodes": {"min_length": 500}}, {"specimens": "3"})
    after = head("v2", {"splits": {"seed": 7}, "barcodes": {"min_length": 500}}, {"specimens": "4", "doubts": "1"})
    found = made_by(after, before)
    assert (found["version"], found["before"]) == ("v2", "v1")
    assert found["settings"] == [{"name": "splits.seed", "default": "0", "value": "7"}]
    assert found["changed"] == [{"name": "splits.seed", "default": "0", "value": "7"}]
    assert found["stages"] == [
        {"stage": "doubts", "code": "1", "before": None},
        {"stage": "specimens", "code": "4", "before": "3"},
        {"stage": "raw_records", "code": "1", "before": "1"},
    ]
    assert found["libraries"] == [{"name": "polars", "versions": "2.0.0, 2.1.0"}]


def test_the_first_release_is_compared_with_the_defaults_alone():
    found = made_by(head("v1", {"splits": {"seed": 0}}, {}), None)
    assert (found["before"], found["settings"], found["changed"]) == (None, [], [])
    assert [one["before"] for one in found["stages"]] == ["1"]


def test_a_release_of_a_version_without_provenance_has_no_stages():
    found = made_by({"version": "v1", "settings": {}}, None)
    assert (found["stages"], found["libraries"]) == ([], [])


def test_the_commit_of_a_checkout_is_named():
    found = commit()
    assert found is None or re.fullmatch("[0-9a-f]{40}", found)
