import gzip

import polars as pl
import pytest

from bioscan_etl.errors import SourceError
from bioscan_etl.taxonomy import listing
from bioscan_etl.taxonomy.listing import list_names


def test_a_text_file_holds_one_name_a_line(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text('\ufeffTipula spec.\r\n\r\nOeneis melissa Norilsk\nTipula "oleracea", L.\n', encoding="utf-8")
    found = list_names(path)
    assert found.names == 3
    assert found.listed["name"].to_list()[:2] == ["Tipula spec.", "Oeneis melissa Norilsk"]
    assert found.listed["normalised"].to_list()[:2] == [None, "Oeneis melissa Norilsk"]
    assert found.listed["rules"].to_list()[:2] == ["NAME_UNDETERMINED", ""]
    assert "no year of an author" in found.listed["reason"][1]
    assert found.false is found.false_per_thousand is None


def test_a_table_names_its_columns_and_false_decisions_are_counted(tmp_path):
    path = tmp_path / "names.csv"
    path.write_text(
        'id,species,expected\n1,"Aus bus (L., 1758)",Aus bus\n2,Aus sp.,\n'
        "3,Aus bus Norilsk,Aus bus\n4,Aus cus,Aus cus\n"
    )
    output = tmp_path / "out.csv"
    found = list_names(path, expected="expected", output=output)
    assert (found.names, found.changed, found.false, found.false_per_thousand) == (4, 2, 1, 250.0)
    assert found.wrong["name"].to_list() == ["Aus bus Norilsk"]
    assert found.types == {"SCIENTIFIC": 2, "INFORMAL": 1, "PLACEHOLDER": 1}
    written = pl.read_csv(output, glob=False)
    assert written["normalised"].to_list() == ["Aus bus", None, "Aus bus Norilsk", "Aus cus"]
    assert written["is_false"].to_list() == [False, False, True, False]


def test_long_lists_are_read_in_parts_and_listed_in_part(tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "_PART", 100)
    path = tmp_path / "names.tsv.gz"
    with gzip.open(path, "wt", encoding="utf-8") as stream:
        stream.write("taxon\n" + "".join(f"Aus bus MAS{number:04}\n" for number in range(2500)))
    seen = []
    output = tmp_path / "out.csv"
    found = list_names(path, output=output, progress=lambda stage, done, total=None: seen.append((stage, done)))
    assert (found.names, found.changed, found.listed.height) == (2500, 0, listing.LISTED)
    assert seen[-1] == ("names", 2500)
    assert pl.read_csv(output, glob=False)["name"].to_list() == [f"Aus bus MAS{number:04}" for number in range(2500)]


def test_an_empty_file_has_no_names(tmp_path):
    (tmp_path / "none.txt").write_text("")
    (tmp_path / "none.csv").write_text("species,expected\n")
    assert list_names(tmp_path / "none.txt").names == 0
    assert list_names(tmp_path / "none.csv", expected="expected").false_per_thousand is None


@pytest.mark.parametrize(
    ("file", "options", "says"),
    [
        ("absent.txt", {}, "cannot be read"),
        ("names.csv", {"column": "taxon"}, "no column 'taxon'; its columns are species"),
        ("names.csv", {"expected": "right"}, "no column 'right'"),
        ("names.txt", {"column": "species"}, "must end in .csv or .tsv"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, file, options, says):
    for name in ("names.csv", "names.txt"):
        (tmp_path / name).write_text("species\nAus bus\n")
    with pytest.raises(SourceError, match=says):
        list_names(tmp_path / file, **options)
