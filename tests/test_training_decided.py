"""Decisions of the desk as what a detector learns from."""

import json
import shutil

import polars as pl
import pytest
from decided import csv_of, decisions
from release_corpus import filled

from bioscan_etl.images.reviews import REVIEWS
from bioscan_etl.lake import Lake
from bioscan_etl.lake.current import get
from bioscan_etl.lake.decisions import folder
from bioscan_etl.progress import silent
from bioscan_etl.schema import BOXES
from bioscan_etl.settings import Settings
from bioscan_etl.training.decided import LEFT_OUT, decided_reviews, joined, reviews_of
from bioscan_etl.training.reviewed import ANNOTATIONS, Earlier, boxes_of, collect, propose

IMAGE = {"batch": "one", "width_original": 320, "height_original": 240, "status": "detected", "flags": []}
DRAW = {"action": "box", "value": "10 20 110 220"}
EMPTY = {"action": "reject", "reason": "no_insect"}


def boxes(*rows):
    """Table `boxes`: `name` and the letter that its hash is made of."""
    given = [
        IMAGE | {"processid": name, "image_file": f"{name}.jpg", "sha256": letter * 64} | (more[0] if more else {})
        for name, letter, *more in rows
    ]
    # Each batch has a table; a specimen can be in several.
    return pl.concat([filled(BOXES, [row]) for row in given]).lazy()


def of(table, *rows):
    found = reviews_of(decisions(*rows), table)
    assert found.reviews.schema == REVIEWS
    assert found.left_out.schema == LEFT_OUT
    return found


def reviews(found):
    return found.reviews.select("batch", "processid", "verdict", "x0", "y0", "x1", "y1").rows()


def reasons(found):
    return dict(found.left_out.select("processid", "why").iter_rows())


def test_a_drawn_box_and_an_image_without_an_insect_teach():
    found = of(
        boxes(("A-1", "a"), ("A-2", "b")),
        {"processid": "A-1", **DRAW, "evidence": "a" * 16},
        {"processid": "A-2", **EMPTY, "evidence": "b" * 16},
    )
    assert reviews(found) == [("one", "A-1", "box", 10, 20, 110, 220), ("one", "A-2", "empty", *[None] * 4)]
    (first, _) = found.reviews.to_dicts()
    assert (first["width"], first["height"], first["sha256"], first["image_file"]) == (320, 240, "a" * 64, "A-1.jpg")
    assert (first["curator"], first["date"]) == ("E. Stur", "2025-01-31")
    assert found.left_out.is_empty()


@pytest.mark.parametrize(
    "row",
    [
        {"action": "reject", "reason": "broken"},
        {"action": "reject", "reason": "several_insects"},
        {"action": "accept", "field": "IMAGE_STATUS"},
        {"action": "keep", "reason": "no_insect"},
        {"action": "relabel", "field": "species", "value": "Aedes vexans"},
        {"action": "set", "field": "country", "value": "Norway"},
    ],
)
def test_other_decisions_teach_nothing(row):
    found = of(boxes(("A-1", "a")), {"processid": "A-1", **row})
    assert (found.reviews.height, found.left_out.height) == (0, 0)


@pytest.mark.parametrize(
    ("table", "row", "why"),
    [
        ([("A-1", "a")], {"processid": "Z-9", **DRAW}, "no batch has an image of it"),
        ([("A-1", "a")], {**DRAW, "evidence": "b" * 16}, "its image is another one than the curator saw"),
        ([("A-1", "a")], {**DRAW, "value": "0 0 321 240"}, "the box is beyond the image"),
        ([("A-1", "a")], {**DRAW, "value": "0 0 320 241"}, "the box is beyond the image"),
        ([("A-1", "a", {"width_original": None})], DRAW, "its image cannot be read"),
        ([("A-1", "a"), ("A-1", "b", {"batch": "two"})], DRAW, "there are several pictures of it"),
        ([("A-1", "a"), ("A-1", "b", {"batch": "two"})], EMPTY, "there are several pictures of it"),
    ],
)
def test_a_decision_that_cannot_be_learnt_from_is_left_out_and_says_why(table, row, why):
    given = {"processid": "A-1", **row}
    found = of(boxes(*table), given)
    assert found.reviews.is_empty()
    assert reasons(found)[given["processid"]].startswith(why)


def test_the_evidence_names_one_of_several_pictures_and_the_same_picture_counts_once():
    table = boxes(("A-1", "a"), ("A-1", "b", {"batch": "two"}), ("A-2", "c"), ("A-2", "c", {"batch": "two"}))
    found = of(table, {"processid": "A-1", **DRAW, "evidence": "b" * 16}, {"processid": "A-2", **DRAW})
    assert [row[:2] for row in reviews(found)] == [("two", "A-1"), ("one", "A-2")]


def test_the_evidence_of_a_rejection_may_be_that_of_another_doubt():
    found = of(boxes(("A-1", "a")), {"processid": "A-1", **EMPTY, "evidence": "0" * 16})
    assert [row[2] for row in reviews(found)] == ["empty"]


def test_two_decisions_that_say_otherwise_of_one_picture_are_both_left_out():
    table = boxes(("A-1", "a"), ("A-2", "a"), ("A-3", "b"), ("A-4", "b"))
    same = {**DRAW, "evidence": "b" * 16}
    found = of(
        table,
        {"processid": "A-1", **DRAW},
        {"processid": "A-2", **EMPTY},
        {"processid": "A-3", **same},
        {"processid": "A-4", **same},
    )
    assert [row[1] for row in reviews(found)] == ["A-3"]
    assert set(reasons(found)) == {"A-1", "A-2"}
    assert set(reasons(found).values()) == {"another decision says otherwise of the same picture"}
    # A box and the rejection of one specimen are such a case, too.
    both = of(boxes(("A-1", "a")), {"processid": "A-1", **DRAW}, {"processid": "A-1", **EMPTY})
    assert (both.reviews.height, both.left_out.height) == (0, 2)


def test_a_line_of_the_sheet_about_the_same_picture_wins():
    table = boxes(("A-1", "a"), ("A-2", "b"))
    decided = of(table, {"processid": "A-1", **DRAW}, {"processid": "A-2", **DRAW}).reviews
    sheet = of(table, {"processid": "A-1", **EMPTY}).reviews
    assert joined(sheet, decided).select("processid", "verdict").rows() == [("A-1", "empty"), ("A-2", "box")]
    assert joined(sheet.clear(), decided).equals(decided)


def test_the_files_are_read_as_a_run_reads_them(tmp_path):
    lake = Lake(tmp_path / "out")
    folder(lake).mkdir(parents=True)
    draw = {"processid": "A-1", **DRAW}
    (folder(lake) / "anna.csv").write_text(csv_of([draw, {"processid": "A-2", **DRAW}, {"processid": "A-3", **DRAW}]))
    (folder(lake) / "bert.csv").write_text(csv_of([{"processid": "A-2", **DRAW, "value": "1 2 3 4", "curator": "B"}]))
    (folder(lake) / "wrong.csv").write_text("a,b\n")
    found = decided_reviews(lake, boxes(("A-1", "a"), ("A-2", "b"), ("A-3", "c")))
    # Lines that contradict each other do not count, and a refused file hides none.
    assert found.reviews["processid"].to_list() == ["A-1", "A-3"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_boxes_of_the_desk_are_in_the_set_that_a_detector_learns_from(decided, tmp_path):
    output = tmp_path / "out"
    shutil.copytree(decided[0], output, symlinks=True)
    lake = Lake(output)
    specimens = pl.read_parquet(get(lake, "specimens").path("specimens.parquet"))
    (drawn,) = [row for row in decided[1] if row["action"] == "box"]
    others = specimens.filter(pl.col("x0").is_not_null() & (pl.col("processid") != drawn["processid"]))
    named = {row["processid"] for row in decided[1] if "processid" in row}
    blank = others.filter(~pl.col("processid").is_in(list(named))).to_dicts()[0]
    line = {"processid": blank["processid"], **EMPTY, "evidence": blank["sha256"][:16], "curator": "Bert"}
    (folder(lake) / "bert.csv").write_text(csv_of([line]))
    before, _ = propose(lake, Settings(), [], 500)
    made, built = collect(lake, Settings(), None, [], Earlier(), silent)
    assert built
    coco = json.loads(made.path(ANNOTATIONS).read_text())
    files = {image["id"]: image["file_name"] for image in coco["images"]}
    assert made.counts["reviewed"] == {"box": 1, "empty": 1}
    (annotation,) = coco["annotations"]
    x0, y0, x1, y1 = map(int, drawn["value"].split())
    assert drawn["processid"] in files[annotation["image_id"]]
    assert annotation["bbox"] == [x0, y0, x1 - x0, y1 - y0]
    assert any(blank["processid"] in name for name in files.values())
    assert len(list((made.path(ANNOTATIONS).parent / "images").iterdir())) == 2
    assert collect(lake, Settings(), None, [], Earlier(), silent)[1] is False
    # What was decided is not proposed for review again.
    sheet = pl.read_csv(before.path("boxes_to_review.csv"), infer_schema=False)
    assert not {drawn["processid"], blank["processid"]} & set(sheet["processid"])
    assert sheet.height > 0
    assert boxes_of(lake, []).collect().height > 0
