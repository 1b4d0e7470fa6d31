"""Small CSV files, line by line."""

from pathlib import Path

import pytest

from bioscan_etl.errors import SettingsError
from bioscan_etl.training.lines import read_lines, wrong


def read(path: Path, text: str) -> list:
    (path / "f.csv").write_text(text, encoding="utf-8")
    return read_lines(path / "f.csv", "list", ("a", "b"), ("c",))


def test_lines_have_their_number_and_cells_by_column(tmp_path: Path) -> None:
    assert read(tmp_path, "\ufeffb,a\n1, 2 \n\n,\n3,4\n") == [(2, {"b": "1", "a": "2"}), (5, {"b": "3", "a": "4"})]
    assert read(tmp_path, "a,b,c\n1,2,3\n") == [(2, {"a": "1", "b": "2", "c": "3"})]
    assert read(tmp_path, 'a,b\n"1\n1",2\n3,4\n')[1][0] == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the columns must be a, b and may be c, each once; found are"),
        ("a\n1\n", "line 1: the columns must be"),
        ("a,b,d\n", "line 1: the columns must be"),
        ("a,b,b\n", "line 1: the columns must be"),
        ("a,b\n1,2\n1,2,3\n", "line 3: 3 fields instead of 2; quote names with commas"),
        ('a,b\n"1,2\n', "line 2: .*; save it as CSV with commas"),
    ],
)
def test_what_is_no_such_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=f"list .*f.csv, {message}"):
        read(tmp_path, text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist; check the path"):
        read_lines(tmp_path / "none.csv", "list", ("a",))
    (tmp_path / "latin.csv").write_bytes(b"\xe9")
    for path in (tmp_path / "latin.csv", tmp_path):
        with pytest.raises(SettingsError, match="cannot be read as UTF-8"):
            read_lines(path, "list", ("a",))


def test_an_error_of_a_cell_says_where_it_is() -> None:
    assert str(wrong(Path("f.csv"), "list", 3, "a", "no number")) == "list f.csv, line 3, column a: no number"
