"""What the page of figures holds for its script."""

import json

import drawn_release
import polars as pl
import pytest

from bioscan_etl.statistics.explored import compared, places, taxa
from bioscan_etl.statistics.looks import look


def rows(*groups):
    names = ("class", "order", "family", "split")
    found = [dict(zip(names, group, strict=False)) for group in groups for _ in range(group[4])]
    return drawn_release.metadata([row | {"processid": f"P{n}"} for n, row in enumerate(found)])


def test_taxa_hold_what_lies_below_them_with_seen_and_unseen_specimens():
    found = taxa(
        rows(
            ("Insecta", "Diptera", "A", "train", 3),
            ("Insecta", "Diptera", "B", "test_unseen", 2),
            ("Insecta", None, None, "pretrain", 4),
            ("Arachnida", "Araneae", None, "val", 1),
            (None, "Diptera", None, "val", 1),
        )
    )
    assert [(one["name"], one["count"], one["seen"], one["unseen"]) for one in found] == [
        ("Insecta", 9, 3, 2), ("Arachnida", 1, 1, 0)
    ]  # fmt: skip
    (flies,) = found[0]["below"]
    assert (flies["name"], flies["count"], flies["colour"]) == ("Diptera", 5, look("Diptera").colour)
    assert [one["name"] for one in flies["below"]] == ["A", "B"]
    assert {one["colour"] for one in flies["below"]} == {flies["colour"]}
    areas = [one["tile"][2] * one["tile"][3] for one in flies["below"]]
    assert areas == pytest.approx([6_000, 4_000], rel=0.01)
    assert flies["below"][0]["below"] == []


def test_of_many_taxa_the_smallest_are_one():
    found = taxa(rows(*((f"C{n:02}", None, None, "train", 1) for n in range(50))))
    assert len(found) == 31
    assert (found[0]["name"], found[0]["count"], found[0]["below"]) == ("20 others", 20, [])


def test_sites_lie_on_the_land_in_whole_units():
    found = places(pl.DataFrame({"coord-lat": [0.0, 0.0, 60.0, None], "coord-lon": [0.0, 0.0, 10.0, 1.0]}))
    assert found["total"] == 2
    assert found["sites"][0] == [0, 0, 2, 0.0, 0.0]
    x, y, size, *_ = found["sites"][1]
    assert x > 0 > y  # north is up
    assert size == 1
    assert found["land"].startswith("M")
    assert len(found["land"]) < 150_000


def test_groups_with_the_most_barcodes_are_compared():
    release = drawn_release.of(drawn_release.rows())
    found = compared(release.tables["distances"])
    assert {"class", "order", "family", "genus", "species"} >= found.keys() >= {"class", "order"}
    table = release.tables["distances"].filter(pl.col("level") == "order").sort("group")
    assert sorted(row[1] for row in found["order"]) == sorted(table["barcodes"])
    assert all(len(row) == 9 and row[4] <= row[6] <= row[8] for row in found["order"])
    assert json.dumps(found)


def test_an_empty_release_has_nothing_to_explore():
    empty = drawn_release.metadata([])
    assert taxa(empty) == []
    assert places(empty)["sites"] == []
    assert compared(drawn_release.of(empty).tables["distances"]) == {}
