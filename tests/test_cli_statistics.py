"""The commands `statistics` and `figures`, on a table; on a release they are run by the README's test and the API's."""

import json
import shutil

import drawn_release
import polars as pl
import pytest

from bioscan_etl.cli import main


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rows = drawn_release.rows(30)
    path = tmp_path_factory.mktemp("table") / "table.csv"
    rows.select(name for name, dtype in rows.schema.items() if not isinstance(dtype, pl.List)).write_csv(path)
    return path


def test_the_short_tables_are_printed_and_the_others_are_named(table, capsys):
    assert main(["statistics", str(table), "-q"]) == 0
    said = capsys.readouterr().out
    assert "partitions" in said
    assert "Narnia" in said
    assert "ACGT" * 8 not in said  # a barcode is cut
    assert "--table prints one in full: " in said
    assert "species_audit" in said.splitlines()[-1]


def test_tables_by_name_and_all_of_them_as_files(table, tmp_path, capsys):
    folder = tmp_path / "out"
    command = ["statistics", str(table), "--table", "species_audit", "orders", "--output", str(folder), "--json", "-q"]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["tables"]) == ["species_audit", "orders"]
    assert len(found["tables"]["species_audit"]) == 15
    assert found["stored"] is False
    assert (folder / "distances.csv").is_file()
    assert pl.read_parquet(folder / "orders.parquet")["samples"].sum() == 30


def test_small_numbers_are_not_rounded_away(table, capsys):
    assert main(["statistics", str(table), "--table", "distance_levels", "published", "partition_shift", "-q"]) == 0
    said = capsys.readouterr().out
    (order,) = [line.split() for line in said.splitlines() if line.startswith("  order ")]
    assert 0 < float(order[4]) < 1  # the mean p-distance
    assert "19.78" in said  # a published diversity
    assert "5,150,850" in said


@pytest.mark.skipif(shutil.which("mafft") is None, reason="needs MAFFT: apt-get install mafft")
def test_published_distances_are_made_when_they_are_asked_for(table, tmp_path, capsys):
    folder = tmp_path / "out"
    assert main(["statistics", str(table), "--published", "class", "--output", str(folder), "-q"]) == 0
    assert "published_levels" in capsys.readouterr().out
    found = pl.read_parquet(folder / "published_levels.parquet")
    assert found["aligned_by"].item().startswith("MAFFT v")
    assert (folder / "published_distances.csv").is_file()


def test_published_distances_of_a_rank_that_does_not_exist(table, capsys):
    assert main(["statistics", str(table), "--published", "tribe", "-q"]) == 2
    assert "there is no rank tribe" in capsys.readouterr().err


def test_a_table_that_does_not_exist_is_named_with_those_that_do(table, capsys):
    assert main(["statistics", str(table), "--table", "maps", "-q"]) == 2
    assert "there is no table maps; the tables are attributes, " in capsys.readouterr().err


def test_figures_are_drawn_by_name(table, tmp_path, capsys):
    assert main(["figures", str(table), "--output", str(tmp_path), "--only", "site_map", "barcode_strip", "-q"]) == 0
    drawn = sorted(path.name for path in tmp_path.iterdir())
    assert drawn == ["barcode_strip.png", "barcode_strip.svg", "index.html", "site_map.png", "site_map.svg"]
    assert capsys.readouterr().out.count(".svg") == 2


def test_a_figure_that_does_not_exist_is_an_error(table, tmp_path, capsys):
    assert main(["figures", str(table), "--output", str(tmp_path), "--only", "maps", "-q"]) == 2
    assert "there is no figure maps" in capsys.readouterr().err
