"""The sheet that curators fill in, and what is refused in it."""

import csv
import io
from pathlib import Path

import polars as pl
import pytest
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bioscan_etl.errors import SettingsError
from bioscan_etl.images.reviews import REVIEWS, SHEET, propose_reviews, read_reviews
from bioscan_etl.schema import BOXES

WHO = "A. Curator,2026-01-31"
HEADER = "processid,image_file,batch,verdict,x0,y0,x1,y1,curator,date\n"
EDGES = ("x0", "y0", "x1", "y1")


def box_row(processid: str, status: str = "detected", confidence: float | None = 0.9, **given) -> dict:
    edges = dict.fromkeys(EDGES) if status in ("empty", "unreadable") else {"x0": 10, "y0": 20, "x1": 110, "y1": 90}
    values = {
        "batch": "plate-1",
        "processid": processid,
        "image_file": f"{processid}.jpg",
        "width_original": 1024,
        "height_original": 768,
        "confidence": confidence,
        "status": status,
        "sha256": f"hash of {processid}",
        "detector": "trained",
        "flags": [],
        **edges,
    }
    return {column.name: None for column in BOXES.columns} | values | given


def table(*rows: dict) -> pl.DataFrame:
    """Boxes of several batches, one under the other, as the assets read them."""
    frame = pl.DataFrame(list(rows), schema={column.name: column.dtype for column in BOXES.columns})
    return pl.concat([BOXES.conform(part) for part in frame.partition_by("batch", maintain_order=True)])


BATCH = table(
    box_row("A-1"),
    box_row("A-2", "low_confidence", 0.3),
    box_row("A-3", "empty", 0.1),
    box_row("A-4", "unreadable", None, width_original=None, height_original=None),
    box_row("A-5", "multiple", 0.8, image_file="wells/A05.png"),
    box_row("A-6", batch="plate-2", sha256="hash of A-1"),
    box_row("A-7", batch="plate-1"),
    box_row("A-7", batch="plate-2", sha256="another"),
)


def written(tmp_path: Path, *lines: str, header: str = HEADER) -> Path:
    path = tmp_path / "reviews.csv"
    path.write_text(header + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_lines_say_what_is_in_the_images(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        f"A-1,,,box,5,6.5,100,200,{WHO}",
        "",
        f",wells/A05.png,,empty,,,,,{WHO}",
        "A-2,A-2.jpg,plate-1,skip,not,read,at,all,,",
        f"A-7,,plate-2,box,0,0,1024,768,{WHO}",
    )
    found = read_reviews(path, BATCH)
    assert found.schema == REVIEWS
    assert found.select("line", "processid", "image_file", "batch", "verdict").rows() == [
        (2, "A-1", "A-1.jpg", "plate-1", "box"),
        (4, "A-5", "wells/A05.png", "plate-1", "empty"),
        (6, "A-7", "A-7.jpg", "plate-2", "box"),
    ]
    assert found.select(EDGES).rows() == [(5, 6.5, 100, 200), (None,) * 4, (0, 0, 1024, 768)]
    assert found.select("width", "height", "sha256").row(0) == (1024, 768, "hash of A-1")


def test_an_empty_dish_may_keep_the_box_that_the_detector_saw(tmp_path: Path) -> None:
    assert read_reviews(written(tmp_path, f"A-1,,,empty,10,20,110,90,{WHO}"), BATCH)["x0"].to_list() == [None]


def test_columns_come_in_any_order_and_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text("\ufeffdate,curator,y1,x1,y0,x0,verdict,image_file\n2026-01-31,B,9,8,2,1,box,A-1.jpg\n")
    assert read_reviews(path, BATCH).select(EDGES).row(0) == (1, 2, 8, 9)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"B-1,,,box,1,2,3,4,{WHO}", "no batch has an image of processid B-1"),
        (f"A-1,A-2.jpg,,box,1,2,3,4,{WHO}", "no batch has an image of processid A-1, image_file A-2.jpg"),
        (f"A-1,,plate-9,box,1,2,3,4,{WHO}", "no batch has an image of processid A-1, batch plate-9"),
        (f"A-7,,,box,1,2,3,4,{WHO}", r"2 images are of processid A-7 \(batches plate-1, plate-2\)"),
        (f",,,box,1,2,3,4,{WHO}", "give processid or image_file"),
        (f"A-1,,,maybe,1,2,3,4,{WHO}", "verdict 'maybe' is none of box, empty, skip"),
        (f"A-1,,,,1,2,3,4,{WHO}", "verdict '' is none of"),
        (f"A-1,,,box,1,2,3,,{WHO}", "y1 '' is no number of pixels"),
        (f'A-1,,,box,"1,5",2,3,4,{WHO}', "x0 '1,5' is no number"),
        (f"A-1,,,box,nan,2,3,4,{WHO}", "x0 'nan' is no number"),
        (f"A-1,,,box,1_0,2,30,4,{WHO}", "x0 '1_0' is no number"),
        (f"A-1,,,box,3,2,1,4,{WHO}", "is no box within the 1024 x 768 px of A-1.jpg"),
        (f"A-1,,,box,1,2,1.5,4,{WHO}", "at least one px wide"),
        (f"A-1,,,box,-1,2,3,4,{WHO}", "is no box within"),
        (f"A-1,,,box,1,2,1025,4,{WHO}", "is no box within"),
        (f"A-1,,,box,1,2,3,769,{WHO}", "is no box within"),
        (f"A-1,,,empty,1,2,3,4,{WHO}", "the verdict is empty, but there is a box"),
        (f"A-3,,,empty,1,2,3,4,{WHO}", "the verdict is empty, but there is a box"),
        (f"A-1,,,empty,1,,,,{WHO}", "needs blank edges"),
        (f"A-4,,,empty,,,,,{WHO}", "A-4.jpg is unreadable"),
        ("A-1,,,box,1,2,3,4,,2026-01-31", "curator is missing"),
        ("A-1,,,box,1,2,3,4,B,", "date is missing"),
        ("A-1,,,box,1,2,3,4,B,31.1.2026", "date '31.1.2026' is not YYYY-MM-DD"),
        ("A-1,,,box,1,2,3,4,B", "9 fields instead of 10"),
        ('A-1,"x"y,,box,1,2,3,4,B,2026-01-31', "line 3: "),
    ],
)
def test_a_line_that_cannot_be_meant_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = written(tmp_path, f"A-2,,,box,1,2,30,40,{WHO}", line)
    with pytest.raises(SettingsError, match=message) as raised:
        read_reviews(path, BATCH)
    assert str(raised.value).startswith(f"reviews {path}, line 3: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            [f"A-1,,,box,1,2,30,40,{WHO}", f",A-1.jpg,,empty,,,,,{WHO}"],
            "line 3: decides on the same process ID as line 2",
        ),
        ([f"A-1,,,box,1,2,30,40,{WHO}", f"A-6,,,box,1,2,30,40,{WHO}"], "line 3: decides on the same picture as line 2"),
        (
            [f"A-7,,plate-1,box,1,2,30,40,{WHO}", f"A-7,,plate-2,box,1,2,30,40,{WHO}"],
            "line 3: decides on the same process ID as line 2",
        ),
    ],
)
def test_lines_do_not_contradict_each_other(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read_reviews(written(tmp_path, *lines), BATCH)
    skipped = lines[0].replace(",box,", ",skip,")
    assert read_reviews(written(tmp_path, skipped, lines[1]), BATCH).height == 1


@pytest.mark.parametrize(
    "header",
    [
        "",
        "processid,verdict,x0,y0,x1,y1,curator",
        "verdict,x0,y0,x1,y1,curator,date",
        "processid,processid,verdict,x0,y0,x1,y1,curator,date",
        "processid,colour,verdict,x0,y0,x1,y1,curator,date",
    ],
)
def test_columns_that_lack_or_are_strange_are_named(tmp_path: Path, header: str) -> None:
    with pytest.raises(SettingsError, match="line 1: the columns must be verdict, x0"):
        read_reviews(written(tmp_path, header=header + "\n"), BATCH)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="do not exist"):
        read_reviews(tmp_path / "absent.csv", BATCH)
    (tmp_path / "latin.csv").write_bytes(HEADER.encode() + b"\xe9")
    with pytest.raises(SettingsError, match="cannot be read as UTF-8"):
        read_reviews(tmp_path / "latin.csv", BATCH)
    with pytest.raises(SettingsError, match="cannot be read"):
        read_reviews(tmp_path, BATCH)


def test_the_unsure_ones_come_first_each_status_alike() -> None:
    rows = [box_row(f"L-{n}", "low_confidence", 0.2 + n / 100) for n in range(30)]
    rows += [box_row(f"M-{n}", "multiple", 0.6 + n / 100) for n in range(3)]
    rows += [box_row(f"E-{n}", "empty", n / 200) for n in range(30)]
    rows += [box_row(f"D-{n}", "detected", 0.5 + n / 100) for n in range(30)]
    rows += [box_row("U-1", "unreadable", None, sha256=None)]
    sheet = propose_reviews(table(*rows), 13)
    assert sheet.columns == list(SHEET)
    assert sheet["processid"].to_list() == [f"L-{n}" for n in range(5)] + ["M-0", "M-1", "M-2"] + [
        f"E-{n}" for n in (29, 28, 27, 26, 25)
    ]
    assert set(sheet["verdict"]) == {"skip"}
    everything = propose_reviews(table(*rows), 500)
    assert everything.height == 93
    assert (
        everything["status"].to_list()
        == ["low_confidence"] * 30 + ["multiple"] * 3 + ["empty"] * 30 + ["detected"] * 30
    )
    assert propose_reviews(table(*rows[::-1]), 13).equals(sheet)


def test_a_picture_is_proposed_once() -> None:
    assert propose_reviews(BATCH).filter(pl.col("processid").is_in(["A-1", "A-6"])).height == 1
    assert propose_reviews(BATCH.head(0)).height == 0


def test_a_proposed_sheet_is_read_and_nothing_is_decided(tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"
    propose_reviews(BATCH).write_csv(path)
    assert read_reviews(path, BATCH).height == 0
    # The shortest way to agree: the verdict, the name and the date.
    agreed = propose_reviews(BATCH).with_columns(
        verdict=pl.when(pl.col("status") == "empty").then(pl.lit("empty")).otherwise(pl.lit("box")),
        curator=pl.lit("B"),
        date=pl.lit("2026-01-31"),
    )
    agreed.filter(pl.col("processid") != "A-7").write_csv(path)
    found = read_reviews(path, BATCH)
    assert dict(found.select("processid", "verdict").rows()) == {
        "A-1": "box",
        "A-2": "box",
        "A-3": "empty",
        "A-5": "box",
    }
    assert found.filter(processid="A-2").select(EDGES).row(0) == (10, 20, 110, 90)


numbers = st.one_of(st.integers(-2000, 2000), st.floats(-2000, 2000).map(lambda value: round(value, 2)))


@settings(max_examples=examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(box=st.tuples(numbers, numbers, numbers, numbers))
def test_a_box_is_taken_exactly_where_it_lies_in_its_image(tmp_path: Path, box: tuple) -> None:
    path = written(tmp_path, f"A-1,,,box,{','.join(f'{value:.2f}' for value in box)},{WHO}")
    x0, y0, x1, y1 = box
    within = x0 >= 0 and y0 >= 0 and x1 <= 1024 and y1 <= 768
    if within and x1 - x0 >= 1 and y1 - y0 >= 1:
        assert read_reviews(path, BATCH).select(EDGES).row(0) == pytest.approx(box)
    elif not within or x1 <= x0 or y1 <= y0:
        with pytest.raises(SettingsError, match="line 2: box"):
            read_reviews(path, BATCH)


cells = st.one_of(
    st.sampled_from(
        ["", "A-1", "A-1.jpg", "A-5", "wells/A05.png", "plate-1", "box", "empty", "skip", "5", "99", "2026-01-31"]
    ),
    st.text(max_size=8),
)


@settings(max_examples=examples(300), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(st.lists(cells, min_size=8, max_size=11), max_size=4),
    order=st.permutations(HEADER.strip().split(",")),
)
def test_whatever_stands_in_the_file_is_read_or_refused_in_one_line(tmp_path: Path, lines: list, order: list) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([order, *lines])
    path = tmp_path / "reviews.csv"
    path.write_bytes(text.getvalue().encode("utf-8", "surrogatepass"))
    refusal, found = None, pl.DataFrame(schema=REVIEWS)
    try:
        found = read_reviews(path, BATCH)
    except SettingsError as error:
        refusal = str(error)
    if refusal is not None:
        assert refusal.startswith(f"reviews {path}")
        assert len(refusal.splitlines()) == 1
    else:
        assert found["verdict"].is_in(["box", "empty"]).all()
        assert found["processid"].is_unique().all()
        assert found.filter(verdict="box").select(EDGES).null_count().sum_horizontal().item() == 0
