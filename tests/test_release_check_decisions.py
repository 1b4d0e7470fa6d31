"""A release that does not follow the decisions that it lists: each contradiction is named."""

import polars as pl
import pytest
from resealed import remade, rows_of

from bioscan_etl.decisions.read import decision_id
from bioscan_etl.decisions.vocabulary import COLUMNS
from bioscan_etl.release.check import check
from bioscan_etl.release.core import DECIDED

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # three runs of a corpus on a machine that may be busy


@pytest.fixture(scope="module")
def release(decided):
    return decided[0] / "releases" / "v2"


@pytest.fixture(scope="module")
def about(release):
    """The listed lines by what tells them apart: action and field, and for `relabel` its target."""
    found = {}
    for row in pl.read_parquet(release / DECIDED).to_dicts():
        key = row["action"] + (f" {row['field']}" if row["action"] in ("accept", "set") and row["field"] else "")
        if row["action"] == "relabel":
            key += " specimen" if row["processid"] else " barcode" if row["group"].startswith("barcode:") else " BIN"
        found.setdefault(key, row)
    return found


def said(faults):
    return [str(fault) for fault in faults]


def test_a_release_that_follows_its_decisions_has_no_fault(release):
    assert said(check(release, images="all")) == []


def test_a_release_made_again_has_no_fault_of_its_values(release, tmp_path):
    # The descriptor lists the stages in the order of the manifest, which `remade` reads back sorted, and the report is
    # that of v2.
    assert {fault.file for fault in check(remade(release, tmp_path))} <= {"croissant.json", "report/index.html"}


@pytest.fixture(scope="module")
def listed_otherwise(release, about, tmp_path_factory):
    """The faults of a release whose list of decisions was changed, one line for each case."""
    gone = {about[key]["id"] for key in ("accept IMAGE_STATUS", "reject", "set province_state", "merge")}
    changed = {
        about["set country"]["id"]: {"value": "Norway"},
        about["box"]["id"]: {"value": "1 2 300 400"},
        about["relabel specimen"]["id"]: {"value": about["relabel specimen"]["value"] + "ensis"},
        about["relabel BIN"]["id"]: {"note": "changed without its id"},
        about["accept"]["id"]: {"status": "no_effect"},
        about["relabel barcode"]["id"]: {"field": "tribe"},
    }

    def change(frame):
        rows = []
        for row in frame.filter(~pl.col("id").is_in(list(gone))).to_dicts():
            new = row | changed.get(row["id"], {})
            if "note" not in changed.get(row["id"], {}):
                new["id"] = decision_id({name: new[name] for name in COLUMNS})
            rows.append(new)
        return pl.DataFrame(rows, schema=frame.schema)

    return said(check(remade(release, tmp_path_factory.mktemp("listed"), logs={DECIDED: change})))


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("accept IMAGE_STATUS", "has the flag CURATOR_ACCEPTED, but no line of decisions.parquet accepts it"),
        ("accept", "has the flag CURATOR_ACCEPTED, but no line of decisions.parquet accepts it"),
        ("reject", "is held by CURATOR_REJECTED, but no line of decisions.parquet rejects it"),
        ("set country", "sets 'country' to 'New Zealand', which no line of decisions.parquet does"),
        ("set province_state", "sets 'province_state' to 'Otago', which no line of decisions.parquet does"),
        ("box", "decisions.parquet draws '1 2 300 400'"),
        ("relabel specimen", "species"),
        ("relabel BIN", "has the id"),
        ("relabel barcode", "but \"unknown field 'tribe'"),
        ("merge", "CURATOR_MERGED"),
    ],
)
def test_a_line_that_was_changed_or_taken_out_is_named(about, listed_otherwise, key, words):
    target = about[key]["processid"]
    named = [
        fault for fault in listed_otherwise if words in fault and (target is None or target in fault or "line" in fault)
    ]
    assert named, "\n".join(listed_otherwise)


@pytest.fixture(scope="module")
def released_otherwise(release, about, tmp_path_factory):
    """The faults of a release whose rows and boxes were changed against its decisions."""

    def rows(frame):
        held, moved, labelled = (about[key]["processid"] for key in ("accept", "set coord", "relabel specimen"))
        one = pl.col("processid")
        return frame.with_columns(
            pl.when(one == held)
            .then(pl.col("flags").list.set_difference(["CURATOR_ACCEPTED"]))
            .otherwise("flags")
            .alias("flags"),
            pl.when(one == moved).then(pl.lit(12.5)).otherwise("coord-lat").alias("coord-lat"),
            pl.when(one == labelled).then(pl.col("genus") + " alter").otherwise("species").alias("species"),
            pl.when(one == labelled).then(pl.col("genus") + " alter").otherwise("taxon").alias("taxon"),
        )

    def boxes(frame):
        hit = pl.col("processid") == about["box"]["processid"]
        return frame.with_columns(pl.when(hit).then(pl.col("x0") + 1).otherwise("x0").alias("x0"))

    folder = tmp_path_factory.mktemp("released")
    return said(check(remade(release, folder, rows=rows, boxes=boxes)))


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("accept", "is accepted, but is not released with the flag CURATOR_ACCEPTED"),
        ("set coord", "coord-lat"),
        ("relabel specimen", "species"),
        ("box", "decisions.parquet draws"),
    ],
)
def test_a_released_value_that_contradicts_a_decision_is_named(about, released_otherwise, key, words):
    named = [fault for fault in released_otherwise if words in fault and about[key]["processid"] in fault]
    assert named, "\n".join(released_otherwise)


def test_a_specimen_that_is_released_in_spite_of_its_rejection_is_named(release, about, tmp_path):
    """The quarantine no longer holds it, and the line is still listed as applied."""
    name = about["reject"]["processid"]
    gone = remade(release, tmp_path, logs={"quarantine.parquet": lambda frame: frame.filter(processid=name).clear()})
    found = said(check(gone))
    assert any(name in fault and "is rejected, but is not held by CURATOR_REJECTED" in fault for fault in found)


def test_a_list_without_lines_accuses_every_trace_of_a_decision(release, about, tmp_path):
    found = said(check(remade(release, tmp_path, logs={DECIDED: lambda frame: frame.clear()})))
    for key in ("accept", "reject", "set country", "box"):
        assert any(about[key]["processid"] in fault for fault in found), key
    assert rows_of(release).filter(pl.col("flags").list.contains("CURATOR_OVERRIDE")).height
    assert any("CURATOR_OVERRIDE" in fault for fault in found)
