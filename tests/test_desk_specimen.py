"""What changed of a specimen from release to release."""

from release_corpus import filled

from bioscan_etl.desk.specimen import changes_between, doubts_about
from bioscan_etl.schema import DOUBTS


def release(version, place="released", split="train", status="unverified", **labels):
    return {"version": version, "place": place, "split": split, "labels": labels, "verification_status": status}


def test_place_partition_and_labels_are_compared_with_the_release_before():
    found = changes_between(
        [
            release("v1", genus="Aedes", species=None),
            release("v2", genus="Aedes", species="Aedes aegypti"),
            release("v3", split="test", genus="Aedes", species="Aedes aegypti"),
        ]
    )
    assert [(one["before"], one["version"], one["field"], one["old"], one["new"]) for one in found] == [
        ("v1", "v2", "species", None, "Aedes aegypti"),
        ("v2", "v3", "split", "train", "test"),
    ]


def test_a_specimen_that_leaves_has_lost_its_place_not_its_labels():
    gone = {"version": "v2", "place": "quarantined:NO_IMAGE", "split": None, "labels": {}, "verification_status": None}
    found = changes_between([release("v1", genus="Aedes"), gone])
    assert [(one["field"], one["new"]) for one in found] == [("place", "quarantined:NO_IMAGE"), ("split", None)]


def test_one_release_has_nothing_to_be_compared_with():
    assert changes_between([release("v1")]) == []


def test_a_label_that_a_curator_verified_is_a_change_and_an_earlier_release_without_the_column_is_none():
    releases = [
        release("v1", status=None, genus="Aedes"),
        release("v2", genus="Aedes"),
        release("v3", status="verified", genus="Aedes"),
    ]
    assert [(one["version"], one["field"], one["new"]) for one in changes_between(releases)] == [
        ("v3", "verification_status", "verified")
    ]


def test_the_doubts_of_a_specimen_are_those_about_it_its_groups_and_its_names():
    doubts = filled(
        DOUBTS,
        [
            {"id": "0" * 16, "processid": "A-1", "group": None, "members": None, "rank": None, "name": None},
            {"id": "1" * 16, "processid": "A-2"},
            {"id": "2" * 16, "group": "barcode:A-2", "members": ["A-1", "A-2"]},
            {"id": "3" * 16, "group": "BOLD:AAA0001", "members": ["A-2", "A-3"]},
            {"id": "4" * 16, "rank": "genus", "name": "Aedess"},
            {"id": "5" * 16, "rank": "family", "name": "Aedess"},
        ],
    )
    assert doubts_about(doubts, "A-1", {"genus": "Aedess", "species": None}) == ["0" * 16, "2" * 16, "4" * 16]
    assert doubts_about(doubts, "A-9", {}) == []
