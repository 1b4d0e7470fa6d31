import polars as pl
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.cli import main
from bioscan_etl.records.compare import CHANGES, compare, compare_files, same
from bioscan_etl.schema import RECORDS
from bioscan_etl.settings import RecordSettings


def records(**by_id):
    rows = [{"processid": processid, **values} for processid, values in by_id.items()]
    frame = pl.DataFrame(rows, RECORDS.schema()) if rows else RECORDS.empty()
    return frame.select(RECORDS.names())


def normal(field, value):
    return pl.DataFrame({field: [value]}, {field: pl.String}).select(same(field)).item()


@pytest.mark.parametrize(
    ("field", "spellings"),
    [
        ("coord", ["(19.3786,-88.1892)", "[19.3786, -88.1892]", "19.3786,-88.1892", " 19.37860 , -88.1892"]),
        ("collection_date_end", ["2020-02-28", "28-Feb-2020", " 2020-02-28"]),
        ("bold_recordset_code_arr", ["['B', 'A-1']", '["A-1","B"]', "[A-1, B]"]),
        ("elev", ["10", "10.0", "10.00"]),
        ("nuc", ["ACGT", "--ac-gt--"]),
        ("notes", ["a b", " a b "]),
    ],
)
def test_spellings_of_one_value(field, spellings):
    assert len({normal(field, spelling) for spelling in spellings}) == 1


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("coord", "[19.3786, -88.1892]", "[19.3786, 88.1892]"),
        ("coord", "(1,2)", "(1,2"[:-1]),
        ("collection_date_end", "2020-02-28", "28-Feb-2021"),
        ("collection_date_end", "0202-10-08", "2020-10-08"),
        ("bold_recordset_code_arr", "['A']", "['A', 'B']"),
        ("elev", "10", "10 m"),
        ("nuc", "ACGT", "ACGN"),
        ("genus", "Apis", "apis"),
        ("sex", "M", None),
    ],
)
def test_values_that_differ(field, one, other):
    assert normal(field, one) != normal(field, other)


def test_changes_by_record_and_field():
    earlier = records(
        C={"genus": "Apis"}, A={"genus": "Apis", "sex": "M", "coord": "(1.50,2)"}, B={"sex": "F"}, old={"genus": "x"}
    )
    later = records(
        A={"genus": "Bombus", "coord": "[1.5, 2.0]"}, B={"sex": "F", "elev": "3"}, new={}, C={"genus": "Apis"}
    )
    found = compare(earlier, later)
    assert found.changes.rows() == [
        ("A", "genus", "Apis", "Bombus"),
        ("A", "sex", "M", None),
        ("B", "elev", None, "3"),
    ]
    assert found.fields.head(3).rows() == [("genus", 1, 0, 0), ("sex", 1, 0, 1), ("elev", 1, 1, 0)]
    assert found.membership.rows() == [("new", "added"), ("old", "removed")]
    assert (found.shared, found.changed, found.uncompared) == (3, 2, ())


def test_only_the_fields_that_are_asked_for():
    found = compare(records(A={"genus": "x", "sex": "M"}), records(A={"genus": "y"}), ["genus"])
    assert found.changes["field"].to_list() == ["genus"]
    assert "sex" in found.uncompared
    assert found.fields["field"].to_list() == ["genus"]


def test_nothing_shared():
    found = compare(records(), records(A={}))
    assert found.changes.schema == pl.Schema(CHANGES)
    assert (found.shared, found.changed) == (0, 0)


some_records = st.dictionaries(
    st.sampled_from("ABCD"),
    st.fixed_dictionaries(
        {"genus": st.sampled_from(["x", "y", None]), "coord": st.sampled_from(["(1,2)", "[1.0, 2]", "?", None])}
    ),
)


@settings(max_examples=examples(40))
@given(some_records, some_records)
def test_backwards_is_the_same_with_before_and_after_swapped(one, two):
    there, back = compare(records(**one), records(**two)), compare(records(**two), records(**one))
    swapped = back.changes.rename({"before": "after", "after": "before"}).select(CHANGES.keys())
    assert there.changes.equals(swapped)
    assert there.shared == back.shared == len(one.keys() & two.keys())
    assert compare(records(**one), records(**one)).changes.height == 0
    assert there.membership.height == len(one.keys() ^ two.keys())


NAMES = ("BOLD_Public.18-Dec-2023.head.tsv", "BOLD_Public.21-Jun-2024.NL.tsv")


def test_the_real_snapshots(shared_data):
    """Both packages hold 41 records; dates, coordinates and lists are spelled otherwise in each and are no change."""
    earlier, later = ([str(shared_data / "bold" / name)] for name in NAMES)
    found = compare_files(earlier, later, RecordSettings())
    assert (found.shared, found.changed) == (41, 41)
    assert found.fields.filter(pl.col("changed") > 0).rows() == [
        # The package of June 2024 left these two empty and has the name in taxon_name and taxon_rank.
        ("identification", 41, 0, 41),
        ("identification_rank", 41, 0, 41),
        ("country_iso", 41, 41, 0),
        ("species_reference", 29, 29, 0),
        ("bold_recordset_code_arr", 5, 0, 0),
        ("sequence_upload_date", 1, 0, 0),
    ]
    assert found.membership["status"].value_counts().sort("status").rows() == [("added", 474), ("removed", 958)]
    assert {"tribe", "geoid", "collection_date_start"} <= set(found.uncompared)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_command(tmp_path, capsys, suffix):
    columns = ["processid", "marker_code", "nuc", "bin_uri", "phylum", "class", "order", "family", "subfamily"]
    columns += ["genus", "species", "notes"]
    for name, notes in (("one.tsv", "fine"), ("two.tsv", "=HYPERLINK(1)")):
        row = ["A-1", "COI-5P", "ACGT", *["x"] * 8, notes]
        (tmp_path / name).write_text("\t".join(columns) + "\n" + "\t".join(row) + f"\n{name[0]}-2" + "\tx" * 11 + "\n")
    output = tmp_path / f"changes{suffix}"
    assert main(["compare", str(tmp_path / "one.tsv"), str(tmp_path / "two.tsv"), "--output", str(output)]) == 0
    told = capsys.readouterr().out
    assert "1 records in both, 1 of them changed; 0 added, 0 removed" in told
    read = pl.read_csv if suffix == ".csv" else pl.read_parquet
    after = "'=HYPERLINK(1)" if suffix == ".csv" else "=HYPERLINK(1)"
    assert read(output).rows() == [("A-1", "notes", "fine", after)]
    assert (tmp_path / f"changes-records{suffix}").exists()


def test_the_command_names_what_it_cannot_use(tmp_path, capsys):
    assert main(["compare", "a.tsv", "b.tsv", "--output", str(tmp_path / "x.txt")]) == 2
    assert "must end in .csv or .parquet" in capsys.readouterr().err
