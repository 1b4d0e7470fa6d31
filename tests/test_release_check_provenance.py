"""A release whose statement of how it was made contradicts itself is caught."""

import copy

import polars as pl
import pytest

from bioscan_etl.release.check.agreement import held
from bioscan_etl.release.check.provenance import check, check_batches
from bioscan_etl.release.manifest import Manifest
from bioscan_etl.settings import Settings

SHA = "0" * 64
SETTINGS = Settings()
HEAD = {
    "format": "bioscan-release",
    "format_version": 2,
    "version": "v1",
    "inputs_digest": SHA,
    "dataset": "bioscan5m",
    "title": "BIOSCAN_5M_Insect",
    "image_packages": [],
    "hdf5_packages": [],
    "counts": {
        "splits": {}, "images": {}, "boxes": 0, "changes": 0, "quarantined": {}, "set_aside": {}, "rejected": {},
    },
    "ledger": {"rows_read": 0, "specimens": 0, "quarantined": 0, "set_aside": 0, "rejected": 0},
    "settings": SETTINGS.choices(),
    "inputs": [{"batch": "b1", "kind": "records", "name": "a.tsv", "sha256": SHA}],
    "provenance": {
        "batches": {
            "b1": {
                "delivery": SHA,
                "settings": {"images.crop_margin": 0.4, "barcodes.min_length": 500},
                "stages": {"specimen_boxes": {"code": {"version": "1"}, "content": SHA, "extra": {"detector": "d"}}},
                "failed_checks": [],
            }
        },
        "corpus": {"partitions": {"code": {"version": "1"}, "settings": {"splits.seed": 0}}},
        "withdrawn": {"b9": "two plates mixed up"},
        "notes": {},
        "settings_digest": SETTINGS.digest(),
    },
    "files": [],
}  # fmt: skip


def faults(change=lambda head: None):
    head = copy.deepcopy(HEAD)
    change(head)
    return [fault.fault for fault in check(Manifest.model_validate(head))]


def test_a_true_statement_has_no_fault():
    assert faults() == []


def test_format_1_states_nothing_and_format_2_must():
    def old(head):
        head["format_version"] = 1
        del head["provenance"]

    assert faults(old) == []
    assert faults(lambda head: head.pop("provenance")) == ["states no provenance, as format 2 must"]


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("settings", "images", "crop_margin"), 1.0, "made with images.crop_margin 0.4, the settings state 1.0"),
        (("settings", "gates", "require_bin"), True, "its settings are not those of provenance.settings_digest"),
        (("settings", "splits", "seed"), 7, "stage partitions was made with splits.seed 0, the settings state 7"),
        (("settings", "images"), [], "made with images.crop_margin 0.4, the settings state None"),
        (("provenance", "settings_digest"), "1" * 64, "its settings are not those"),
        (("provenance", "withdrawn"), {"b1": "gone"}, "says that batch b1 is withdrawn, and that the release is made"),
        (("inputs",), [{"batch": "b2"}], "names inputs of batch b2, which provenance does not"),
    ],
)
def test_a_contradiction_is_named(place, value, message):
    def change(head):
        inner = head
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = value

    assert any(message in fault for fault in faults(change)), faults(change)


def test_specimens_of_a_batch_that_is_not_named_are_faults():
    rows = held("data", pl.DataFrame({"processid": ["A-1", "A-2"], "batch": ["b1", "b7"]}))
    found = list(check_batches(Manifest.model_validate(HEAD), rows))
    assert [str(fault) for fault in found] == ["data: A-2: is of batch 'b7', which manifest.json does not name"]
