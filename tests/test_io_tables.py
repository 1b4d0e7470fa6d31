"""Paths are names: no character in one is a pattern, an address or a column."""

import ast
import os
from pathlib import Path

import duckdb
import polars as pl
import pytest

from bioscan_etl.errors import SourceError
from bioscan_etl.io import tables
from bioscan_etl.quality.parquet_views import open_views

ROOT = Path(__file__).parents[1]
MODULES = [path for top in ("bioscan_etl", "assets", "sensors", "demo", "tools") for path in (ROOT / top).rglob("*.py")]
NAMES = [
    *("out[1]", "run #1", "o: x", "a*b", "which?", "a{b,c}", "100%20", "line\nbreak", 'it\'s "quoted"', "Käfer 虫"),
    *("$HOME", "~", "back\\slash", "-dash", "trailing ", "dot.", "s3:", "file:", "http:", "split=train"),
]
FRAME = pl.DataFrame({"processid": ["A", "B"]})
# They read bytes that are in memory already.
READ_BYTES = {
    *("bioscan_etl/images/manifest_file.py", "bioscan_etl/release/check/csv.py"),
    *(f"bioscan_etl/records/{name}.py" for name in ("columnar", "jsonlines", "read")),
}


@pytest.fixture(params=NAMES)
def folder(request, tmp_path, monkeypatch):
    """A folder with this name, as a relative path, beside others that a pattern or an expanded name would find."""
    monkeypatch.chdir(tmp_path)
    Path(request.param).mkdir()
    Path("out1").mkdir()
    return Path(request.param)


def test_a_table_is_read_from_a_folder_of_any_name(folder):
    path = folder / "t.parquet"
    FRAME.write_parquet(path.absolute())
    assert tables.scan_parquet(path).collect().equals(FRAME)
    assert tables.scan_parquet([path, path]).collect().height == 4
    assert tables.read_parquet(path, columns=["processid"]).equals(FRAME)
    assert tables.parquet_schema(path) == FRAME.schema
    assert tables.parquet_metadata(path).num_rows == 2
    with tables.parquet_file(path) as file:
        assert file.read().num_rows == 2
    with open_views({"view": str(path)}) as connection:
        assert connection.execute("SELECT processid FROM view").fetchall() == [("A",), ("B",)]


def test_text_is_read_from_a_folder_of_any_name(folder):
    path = folder / "t.csv"
    FRAME.write_csv(path.absolute())
    assert tables.scan_csv(path).collect().equals(FRAME)
    assert tables.read_csv(path).equals(FRAME)
    assert tables.scan_lines(path).collect().height == 3


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_any_name_is_read(name, tmp_path):
    path = tmp_path / f"{name}.parquet"
    FRAME.write_parquet(path)
    assert tables.read_parquet(path).equals(FRAME)
    with open_views({"view": str(path)}) as connection:
        assert connection.execute("SELECT count(*) FROM view").fetchone() == (2,)


def test_a_pattern_finds_nothing(tmp_path):
    FRAME.write_parquet(tmp_path / "a1.parquet")
    with pytest.raises(FileNotFoundError):
        tables.read_parquet(tmp_path / "a*.parquet")
    with pytest.raises(duckdb.Error):
        open_views({"view": str(tmp_path / "a[1].parquet")})


def test_a_name_that_is_not_utf8_is_refused_in_one_sentence(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/K\xe4fer.parquet"))
    for read in (tables.read_parquet, tables.scan_parquet, tables.parquet_metadata, tables.parquet_file):
        with pytest.raises(SourceError) as caught:
            read(path)
        assert (
            str(caught.value) == f"{tmp_path}/K\\xe4fer.parquet: this name is not UTF-8 text; rename the file or folder"
        )


def reads_of_paths(tree: ast.AST) -> list[str]:
    """Calls that read a table by polars, pyarrow or DuckDB's own functions."""
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [
        ast.unparse(call)
        for call in calls
        if isinstance(call, ast.Attribute)
        and isinstance(call.value, ast.Name)
        and (
            (call.value.id in {"pl", "polars"} and call.attr.startswith(("scan_", "read_")))
            or (call.value.id in {"pq", "parquet"} and call.attr in {"ParquetFile", "ParquetDataset"})
            or (call.value.id in {"pq", "parquet"} and call.attr.startswith("read_"))
            or (call.value.id == "duckdb" and call.attr.startswith("read_"))
        )
    ]


def test_paths_are_read_in_one_module_alone():
    """Elsewhere a path would be read as a pattern."""
    found = {}
    for path in sorted(MODULES):
        if calls := reads_of_paths(ast.parse(path.read_text(encoding="utf-8"))):
            found[path.relative_to(ROOT).as_posix()] = calls
    assert found.pop("bioscan_etl/io/tables.py")
    assert set(found) <= READ_BYTES, "read paths by bioscan_etl.io.tables"


def test_such_calls_are_found():
    source = "pl.scan_parquet(path)\npq.ParquetFile(path)\nduckdb.read_csv(path)\npl.col(name)\ntables.read_csv(path)"
    assert reads_of_paths(ast.parse(source)) == ["pl.scan_parquet", "pq.ParquetFile", "duckdb.read_csv"]
