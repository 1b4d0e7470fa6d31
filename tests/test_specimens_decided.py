"""Gates and places that curators decide, on tables of specimens."""

import polars as pl
import pytest
from decided import decisions

from bioscan_etl import schema
from bioscan_etl.specimens.decided import (
    effects,
    gate_decisions,
    open_gates,
    place_changes,
    place_decisions,
    set_places,
    with_accepted_image,
)

PLACE = {"country": "Canada", "country_iso": "CA", "country_iso3": "CAN", "province_state": "Ontario"}


def specimens(*rows):
    lists = {"gates": [], "flags": []}
    frame = pl.DataFrame(
        [PLACE | {"x0": 1, "coord-lat": 43.5, "coord-lon": -80.2} | lists | row for row in rows],
        schema_overrides={"gates": pl.List(pl.String), "flags": pl.List(pl.String), "x0": pl.Int32},
    )
    return frame.sort("processid")


def accept(processid, field=None):
    return {"processid": processid, "action": "accept", "field": field}


def opened(frame, *rows):
    return open_gates(frame, gate_decisions(decisions(*rows)))


@pytest.mark.parametrize(
    ("gates", "field", "left", "flagged"),
    [
        (["IMAGE_STATUS"], None, [], True),
        (["IMAGE_STATUS"], "IMAGE_STATUS", [], True),
        (["IMAGE_STATUS", "NO_BIN"], "NO_BIN", ["IMAGE_STATUS"], True),
        (["NO_BARCODE"], None, ["NO_BARCODE"], False),
        (["NO_IMAGE", "OUT_OF_SCOPE"], None, ["NO_IMAGE"], True),
        ([], None, [], False),
    ],
)
def test_accepting_opens_the_gates_that_can_be_opened(gates, field, left, flagged):
    frame = specimens({"processid": "A-1", "gates": gates, "flags": ["BLURRED", "FRAGMENT"]}, {"processid": "A-2"})
    found = opened(frame, accept("A-1", field))
    assert found["gates"].to_list() == [left, []]
    assert found["flags"].to_list()[0] == ["BLURRED", *(["CURATOR_ACCEPTED"] if flagged else []), "FRAGMENT"]
    assert found.columns == frame.columns


def test_a_specimen_without_a_box_stays_at_its_gate():
    frame = specimens({"processid": "A-1", "gates": ["IMAGE_STATUS"], "x0": None})
    assert opened(frame, accept("A-1"))["gates"].to_list() == [["IMAGE_STATUS"]]


def test_a_rejected_specimen_is_held():
    frame = specimens({"processid": "A-1", "gates": ["NO_BIN"]}, {"processid": "A-2"})
    rows = [{"processid": name, "action": "reject"} for name in ("A-1", "A-2", "A-9")]
    assert opened(frame, *rows)["gates"].to_list() == [["NO_BIN", "CURATOR_REJECTED"], ["CURATOR_REJECTED"]]


def test_images_are_accepted_where_their_gates_are_opened():
    decided = gate_decisions(
        decisions(
            accept("A-1"),
            accept("A-2", "IMAGE_FLAG"),
            accept("A-3", "NO_BIN"),
            {"processid": "A-4", "action": "reject"},
        )
    )
    assert with_accepted_image(decided).to_list() == ["A-1", "A-2"]


def put(field, value, processid="A-1"):
    return {"processid": processid, "action": "set", "field": field, "value": value}


def test_a_place_is_set_with_its_codes_and_changes_are_told():
    frame = specimens({"processid": "A-1", "flags": ["FRAGMENT"]}, {"processid": "A-2"})
    rows = decisions(put("country", "Norway"), put("coord", "60.1, 10.5"), put("province_state", None, "A-2"))
    places = place_decisions(rows)
    found = set_places(frame, places)
    first, second = found.to_dicts()
    assert (first["country"], first["country_iso"], first["country_iso3"]) == ("Norway", "NO", "NOR")
    assert (first["coord-lat"], first["coord-lon"], first["province_state"]) == (60.1, 10.5, "Ontario")
    assert first["flags"] == ["CURATOR_SET", "FRAGMENT"]
    assert (second["province_state"], second["country"]) == (None, "Canada")
    changes = place_changes(frame, places, rows)
    assert changes.select("processid", "field", "before", "after").rows() == [
        ("A-1", "coord-lat", "43.5", "60.1"),
        ("A-1", "coord-lon", "-80.2", "10.5"),
        ("A-1", "country", "Canada", "Norway"),
        ("A-2", "province_state", "Ontario", None),
    ]
    assert set(changes["rule"]) == {"CURATOR_SET"}
    assert set(changes["evidence"]) == {"checked (E. Stur, 2025-01-31)"}


def test_a_value_that_is_there_already_changes_nothing():
    frame = specimens({"processid": "A-1"})
    rows = decisions(put("country", "Canada"), put("coord", "43.5, -80.2"))
    places = place_decisions(rows)
    assert set_places(frame, places).equals(frame)
    assert place_changes(frame, places, rows).is_empty()


def test_each_line_is_told_what_became_of_it():
    frame = specimens(
        {"processid": "A-1"},
        {"processid": "A-2", "gates": ["NO_BARCODE"]},
        {"processid": "A-3", "gates": ["NO_BIN"]},
        {"processid": "A-4", "gates": ["IMAGE_STATUS"], "x0": None},
        {"processid": "A-5"},
    )
    rows = decisions(
        accept("A-1"),
        accept("A-2"),
        accept("A-3"),
        accept("A-4"),
        accept("A-9"),
        {"processid": "A-5", "action": "reject"},
        put("country", "Norway", "A-1"),
        put("country", "Norway", "A-2"),
        put("province_state", "Ontario", "A-1"),
    )
    places = place_decisions(rows)
    changes = place_changes(frame, places, rows)
    after = open_gates(set_places(frame, places), gate_decisions(rows))
    found = effects(rows, after.lazy(), changes)
    assert found.schema == schema.DECISION_EFFECTS.schema()
    told = rows.join(found, on="id").sort("processid", "action", "field")
    assert told.select("processid", "action", "status", "detail").rows() == [
        ("A-1", "accept", "no_effect", "it passes all gates"),
        ("A-1", "set", "applied", None),
        ("A-1", "set", "no_effect", "the field has this value already"),
        ("A-2", "accept", "no_effect", "it still fails NO_BARCODE"),
        ("A-2", "set", "dormant", "the specimen is not accepted at present: NO_BARCODE"),
        ("A-3", "accept", "applied", None),
        (
            "A-4",
            "accept",
            "no_effect",
            "it still fails IMAGE_STATUS: its image has no box; give one with the action box",
        ),
        ("A-5", "reject", "applied", None),
        ("A-9", "accept", "unknown", "no batch has this process ID"),
    ]


def test_no_decisions_change_nothing():
    frame = specimens({"processid": "A-1", "gates": ["NO_BIN"]})
    none = schema.DECISIONS.empty()
    assert open_gates(frame, gate_decisions(none)).equals(frame)
    assert set_places(frame, place_decisions(none)).equals(frame)
    assert place_changes(frame, place_decisions(none), none).is_empty()
    assert effects(none, frame.lazy(), place_changes(frame, place_decisions(none), none)).is_empty()
