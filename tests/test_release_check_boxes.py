"""Boxes, measurements and image flags against each other."""

import polars as pl
import pytest

from bioscan_etl import schema
from bioscan_etl.release.check.agreement import held
from bioscan_etl.release.check.boxes import check, flagged, measured
from bioscan_etl.release.tables import write_csv
from bioscan_etl.settings import ImageSettings

TRUE = {
    "processid": "A-1",
    "area_fraction": 0.0712,
    "scale_factor": 0.7812,
    "image_status": "detected",
    "confidence": 0.9,
    "image_measurement_value": 20000,
    "measurement_source": "mask",
    "flags": [],
}
NONE = {**dict.fromkeys(TRUE), "processid": "N-1", "flags": []}


def form(*rows):
    frame = pl.DataFrame(rows, schema={name: schema.METADATA_EXTENDED[name].dtype for name in TRUE}, orient="row")
    return held("data", frame)


def test_true_rows_have_no_fault():
    assert list(check(form(TRUE, NONE, {**TRUE, "measurement_source": "bold", "image_measurement_value": 10**6}))) == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"scale_factor": None}, "and scale_factor missing"),
        ({"confidence": None}, "without a confidence"),
        ({"confidence": 1.5}, "which is no share"),
        ({"image_status": None}, "without an image status"),
        ({"image_status": "empty"}, "and the image status 'empty'"),
        ({"image_status": "multiple"}, "lacks the flag SEVERAL_SPECIMENS"),
        ({"flags": ["SEVERAL_SPECIMENS"]}, "is not multiple but detected"),
        ({"measurement_source": None}, "its source missing"),
        ({"image_measurement_value": 90_000}, "more than its box"),
    ],
)
def test_a_contradiction_is_named(values, words):
    found = list(check(form(TRUE, {**TRUE, "processid": "B-1", **values})))
    assert [fault.processid for fault in found if words in fault.fault] == ["B-1"]


@pytest.mark.parametrize(
    ("left", "flags", "words"),
    [
        (10, [], ""),
        (0, ["TOUCHES_BORDER"], ""),
        (0, [], "lacks the flag TOUCHES_BORDER"),
        (10, ["TOUCHES_BORDER"], "has the flag TOUCHES_BORDER"),
        (10, ["FRAGMENT"], "has the flag FRAGMENT"),
    ],
)
def test_flags_follow_from_the_box(tmp_path, left, flags, words):
    box = {"processid": "A-1", "width_original": 1024, "height_original": 768, "x0": left, "y0": 200, "x1": left + 200}
    box |= {"y1": 480, "scale_factor": 0.7812, "area_fraction": 0.0712}
    write_csv(pl.DataFrame([box], schema=schema.BBOX.schema()), tmp_path / "boxes.tsv")
    found = list(flagged(tmp_path, "boxes.tsv", form({**TRUE, "flags": flags}), ImageSettings()))
    assert [fault.processid for fault in found] == (["A-1"] if words else [])
    assert all(words in fault.fault for fault in found)
    assert list(flagged(tmp_path, "absent.tsv", form(TRUE), ImageSettings())) == []


def test_no_organism_pixels_is_flagged_exactly_where_there_are_none():
    flag = "NO_ORGANISM_PIXELS"
    none = {**TRUE, "image_measurement_value": 0}
    assert list(measured(form(TRUE, NONE, {**none, "processid": "Z-1", "flags": [flag]}))) == []
    lacks, extra = measured(form(none, {**TRUE, "processid": "B-1", "flags": [flag]}))
    assert (lacks.file, lacks.processid) == ("data", "A-1")
    assert lacks.fault == f"has no organism pixels, and lacks the flag {flag}"
    assert (extra.file, extra.processid) == ("data", "B-1")
    assert extra.fault == f"has the flag {flag}, and 20000 organism pixels"
