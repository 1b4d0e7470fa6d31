"""The second triage of annotated images, and where it agrees with the outlines."""

import csv
import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.errors import SettingsError
from bioscan_etl.training import labels

HEADER = "image_file,annotation,second_triage"
OCCUPIED = {"a.jpg": True, "b.jpg": False, "c.jpg": True}


def read(path: Path, *lines: str, header: str = HEADER) -> dict[str, str]:
    """Write a triage and read it."""
    path.mkdir(exist_ok=True)
    (path / "t.csv").write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
    return labels.read_triage(path / "t.csv", OCCUPIED)


def test_the_table_of_the_rule() -> None:
    agreed = {(outline, one) for outline in (True, False) for one in labels.TRIAGES if labels.is_agreed(outline, one)}
    assert agreed == {(True, "valid"), (True, "blurred"), (True, "fragment"), (False, "empty")}
    assert labels.is_agreed(True, None)
    assert labels.is_agreed(False, None)


def test_a_triage_is_read_by_name(tmp_path: Path) -> None:
    assert read(tmp_path, "a.jpg,specimen,unsorted", "", "b.jpg,empty,fragment") == {
        "a.jpg": "unsorted",
        "b.jpg": "fragment",
    }
    assert read(tmp_path, "valid, a.jpg ,specimen", header="second_triage,image_file,annotation") == {"a.jpg": "valid"}
    assert read(tmp_path, "a.jpg,specimen,valid", "a.jpg,specimen,valid") == {"a.jpg": "valid"}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a.jpg,specimen,valid", "d.jpg,empty,empty"], r"line 3, column image_file: 'd.jpg' is not annotated; remove"),
        (["a.jpg,insect,valid"], r"line 2, column annotation: 'insect' is unknown; write one of specimen, empty"),
        (["a.jpg,specimen,Valid"], r"line 2, column second_triage: 'Valid' is unknown; write one of valid, blurred"),
        (["a.jpg,specimen,"], r"line 2, column second_triage: '' is unknown"),
        (["b.jpg,specimen,valid"], r"line 2, column annotation: 'specimen' contradicts the COCO file, by which"),
        (
            ["a.jpg,specimen,valid", "b.jpg,empty,empty", "a.jpg,specimen,empty"],
            r"line 4, column second_triage: 'empty' contradicts 'valid' of line 2, for the same image 'a.jpg'; keep",
        ),
        (["a.jpg,specimen"], r"line 2: 2 fields instead of 3"),
        (['a.jpg,"specimen,valid'], r"line 2: .*; save it as CSV"),
    ],
)
def test_an_error_names_line_column_and_the_way_out(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read(tmp_path, *lines)


def test_a_file_that_is_no_triage(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist; check the path"):
        labels.read_triage(tmp_path / "none.csv", OCCUPIED)
    with pytest.raises(SettingsError, match="line 1: the columns must be image_file, annotation, second_triage"):
        read(tmp_path, header="image_file,second_triage")
    (tmp_path / "latin.csv").write_bytes(b"\xe9")
    with pytest.raises(SettingsError, match="cannot be read as UTF-8"):
        labels.read_triage(tmp_path / "latin.csv", OCCUPIED)


_NAMES = st.text(st.characters(exclude_characters='"', exclude_categories=("C", "Z")), min_size=1, max_size=12)


@settings(deadline=None)
@given(st.dictionaries(_NAMES, st.tuples(st.booleans(), st.sampled_from([*labels.TRIAGES, None]))))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, images: dict) -> None:
    path = tmp_path_factory.mktemp("triage") / "t.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(labels.COLUMNS)
        for name, (occupied, triage) in images.items():
            if triage is not None:
                writer.writerow([name, "specimen" if occupied else "empty", triage])
    found = labels.read_triage(path, {name: occupied for name, (occupied, _) in images.items()})
    assert found == {name: triage for name, (_, triage) in images.items() if triage is not None}


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_in_one_line(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("triage") / "t.csv"
    path.write_text(f"{HEADER}\n{text}", encoding="utf-8")
    try:
        said = labels.read_triage(path, OCCUPIED)
    except SettingsError as error:
        said = str(error)
    assert "\n" not in said if isinstance(said, str) else set(said) <= set(OCCUPIED)


def test_the_real_triage(shared_data: Path) -> None:
    coco = json.loads((shared_data / "annotations.coco.json").read_text())
    outlined = {entry["image_id"] for entry in coco["annotations"]}
    occupied = {image["file_name"]: image["id"] in outlined for image in coco["images"]}
    found = labels.read_triage(shared_data / "second_triage.csv", occupied)
    assert found.keys() == occupied.keys()
    disputed = Counter(
        (occupied[name], triage) for name, triage in found.items() if not labels.is_agreed(occupied[name], triage)
    )
    assert disputed == {(False, "fragment"): 16, (True, "empty"): 4, (True, "unsorted"): 59}
