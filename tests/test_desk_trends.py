"""Trends over releases and batches: of small releases written here, one of them damaged."""

import json

import polars as pl
import pytest

from bioscan_etl import schema
from bioscan_etl.desk.corpus import Corpus
from bioscan_etl.desk.tally import Tally
from bioscan_etl.desk.trends import Trends, arrivals, detector, expectations, of_release, shift
from bioscan_etl.errors import SourceError
from bioscan_etl.lake import Lake
from bioscan_etl.quality.history import HISTORY
from bioscan_etl.settings import Settings


def filled(table, rows):
    return pl.DataFrame([{name: row.get(name) for name in table.names()} for row in rows], schema=table.schema())


def publish(lake, version, rows, held=()):
    """A release of a few rows."""
    folder = lake.releases / version
    (folder / "data").mkdir(parents=True)
    head = {
        "format": "bioscan-release",
        "version": version,
        "dataset": "bioscan5m",
        "title": "T",
        "image_packages": [],
        "settings": {"splits": {"protocol": "bioscan-5m"}},
    }
    text = json.dumps(head, indent=1)[:-2] + ',\n "files": [\n ]\n}\n'
    (folder / "manifest.json").write_text(text)
    released = [{"split": "train", "chunk": "a", "flags": []} | row for row in rows]
    filled(schema.METADATA_EXTENDED, released).write_parquet(folder / "data" / "train-00000-of-00001.parquet")
    if held:
        filled(schema.QUARANTINE, list(held)).write_parquet(folder / "quarantine.parquet")
    return folder


def rows_of(*countries):
    return [
        {"processid": f"A-{place}", "dna_barcode": "NNACGT", "country": country, "order": "Diptera"}
        for place, country in enumerate(countries)
    ]


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path)


def test_a_release_counts_what_it_holds_back(lake):
    held = {"processid": "A-9", "gates": ["NO_IMAGE"], "flags": ["BLURRED"]}
    found = of_release(publish(lake, "v1", rows_of("Kenya", "Kenya", None), [held]))
    assert (found.specimens, found.released) == (4, 3)
    assert found.rules == {"BLURRED": 1, "NO_IMAGE": 1}
    assert found.distributions["country"] == {"Kenya": 2, "none": 1}
    assert found.distributions["barcode_length"] == {"below 500 bp": 3}


def test_a_damaged_release_is_named_and_hides_no_other(lake):
    publish(lake, "v1", rows_of("Kenya", "Kenya", "Kenya", "China"))
    (publish(lake, "v2", rows_of("Kenya")) / "manifest.json").write_text("{")
    (publish(lake, "v3", rows_of("Kenya")) / "data" / "train-00000-of-00001.parquet").write_bytes(b"no table")
    publish(lake, "v4", rows_of("Kenya", "China"))
    found = Trends(Corpus(lake, Settings(), "Ada")).read()
    assert found["releases"] == ["v1", "v4"]
    assert [one.split(":")[0] for one in found["problems"]] == [
        "release v2 cannot be read",
        "the rows of release v3 cannot be counted",
    ]
    country = found["release_shifts"][0]
    assert (country["distribution"], country["distance"]) == ("country", 0.25)
    assert [(one["value"], one["before"], one["after"]) for one in country["values"]] == [
        ("China", 0.25, 0.5),
        ("Kenya", 0.75, 0.5),
    ]
    assert found["made_by"]["version"] == "v4"
    assert found["batches"] == []


def test_a_folder_that_is_no_release_is_refused(tmp_path):
    with pytest.raises(SourceError, match="is not a release"):
        of_release(tmp_path)


def heads(*releases):
    return {
        f"v{number}": {"provenance": {"batches": {name: {"delivery": one} for name, one in batches.items()}}}
        for number, batches in enumerate(releases, 1)
    }


def test_a_batch_arrives_with_its_first_release_and_again_with_another_delivery():
    found = arrivals(heads({"a": "d1", "b": "d2"}, {"a": "d1", "b": "d3", "c": "d4"}))
    assert {name: (one["since"], one["again"], one["new"]) for name, one in found.items()} == {
        "a": ("v1", False, False),
        "b": ("v2", True, True),
        "c": ("v2", False, True),
    }


def test_a_delivery_that_comes_back_is_not_new():
    assert arrivals(heads({"a": "d1"}, {"a": "d2"}, {"a": "d1"}))["a"] == {
        "delivery": "d1",
        "since": "v1",
        "again": False,
        "new": False,
    }


def test_releases_without_provenance_say_nothing_of_batches():
    assert arrivals({"v1": {"provenance": None}}) == {}


def test_only_values_that_changed_are_listed():
    found = shift("order", {"Diptera": 2, "Hemiptera": 2}, {"Diptera": 1, "Hemiptera": 1})
    assert found == {"distribution": "order", "distance": 0.0, "values": []}
    assert shift("order", {}, {"Diptera": 1}) is None


def test_shares_of_the_detector_are_of_the_images():
    one = Tally(specimens=9, statuses={"detected": 3, "empty": 1}, detectors=("d1",), means={"exposure": 120.0})
    found = {row["measure"]: row["values"] for row in detector({"a": one, "b": Tally()})}
    assert found["detected"] == [0.75, None]
    assert found["empty"] == [0.25, None]
    assert found["exposure"] == [120.0, None]
    assert found["detector"] == ["d1", ""]


def test_expectations_that_failed_come_first_and_releases_are_in_order_of_their_numbers():
    rows = [
        ("boxes", "SOUND", "release v10", True, 0, 5),
        ("boxes", "SOUND", "release v9", True, 0, 5),
        ("specimens", "UNSOUND", "batch b1", False, 2, 5),
    ]
    found = expectations(pl.DataFrame(rows, schema=HISTORY, orient="row"))
    assert found["where"] == ["release v9", "release v10", "batch b1"]
    assert [(row["expectation"], row["failing"], row["rows"]) for row in found["rows"]] == [
        ("UNSOUND", [None, None, 2], [None, None, 5]),
        ("SOUND", [0, 0, None], [5, 5, None]),
    ]
