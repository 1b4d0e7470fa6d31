"""A user's table gets the flags and values that the pipeline gives to the same rows."""

import datetime as dt
import doctest
import subprocess
import sys

import duckdb
import polars as pl
import pytest
from examples import examples
from framed_barcodes import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

import bioscan_etl.table
from bioscan_etl import schema, vocabulary
from bioscan_etl.barcodes.check import check_barcodes
from bioscan_etl.barcodes.placement import place
from bioscan_etl.demo.corpus import write_demo
from bioscan_etl.errors import SourceError
from bioscan_etl.geography.check import check_geography
from bioscan_etl.records.extract import extract
from bioscan_etl.records.sources import RecordsFile
from bioscan_etl.settings import BarcodeSettings, GeographySettings, Settings
from bioscan_etl.specimens.assemble import BatchTables, Specimens, assemble
from bioscan_etl.table import curate_table
from bioscan_etl.taxonomy.names import normalise_names

DATE = dt.date(2024, 6, 21)
REASONS = {
    "no_processid": "NO_PROCESSID",
    "unsafe_processid": "UNSAFE_PROCESSID",
    "other_marker": "OTHER_MARKER",
    "duplicate_marker_row": "DUPLICATE_MARKER_ROW",
}


def through_the_stages(path, folder) -> Specimens:
    """One file through the stages of a batch without images, and assembled."""
    folder.mkdir()
    made = Settings()
    extract([RecordsFile(str(path), DATE)], "b", made.records, folder)
    records = pl.scan_parquet(folder / "records.parquet")
    tables = {
        "barcodes": check_barcodes(records, made.barcodes),
        "geography": check_geography(records, made.geography),
        "names": normalise_names(records),
        "boxes": schema.BOXES.empty(),
    }
    tables["placements"] = place(tables["barcodes"]["barcode"].drop_nulls().unique().sort())
    for name, table in tables.items():
        table.write_parquet(folder / f"{name}.parquet")
    names = ("records", "set_aside", "rejects", *tables)
    return assemble([BatchTables("b", **{name: folder / f"{name}.parquet" for name in names})], made)


def rows_of(path) -> pl.DataFrame:
    """A tab-separated file as a user reads it, with the number of each line; lines that are broken left out."""
    head, *lines = path.read_bytes().split(b"\n")
    names = head.decode().rstrip("\r").split("\t")
    rows = []
    for number, line in enumerate(lines, 2):
        try:
            values = line.decode().split("\t")
        except UnicodeDecodeError:
            continue
        if len(values) == len(names):
            rows.append([str(number), *values])
    return pl.DataFrame(rows, schema=dict.fromkeys(("line", *names), pl.String), orient="row")


@pytest.fixture(scope="module")
def demo_files(tmp_path_factory):
    summary = write_demo(tmp_path_factory.mktemp("demo"), 300, images=False)
    return [path for batch in summary.batches for path in batch.records if path.suffix in {".tsv", ".txt"}]


@pytest.fixture(scope="module")
def real_files(shared_data):
    return sorted((shared_data / "bold").glob("*.tsv"))


def hold_against_the_stages(path, folder):
    frame = rows_of(path)
    checked = curate_table(frame, snapshot_date=DATE)
    assert checked.table.select(frame.columns).equals(frame)
    by_line = checked.table.with_columns(pl.col("line").cast(pl.Int64))
    made = through_the_stages(path, folder)

    specimens = made.specimens.select("source_line", *(c.removeprefix("curated_") for c in checked.table.columns
                                      if c.startswith("curated_") and c != "curated_barcode"), "flags")  # fmt: skip
    both = specimens.join(by_line, left_on="source_line", right_on="line", how="left", maintain_order="left")
    assert both.height == specimens.height > 0
    for name in specimens.columns[1:-1]:
        assert both[f"curated_{name}"].equals(specimens[name].alias(f"curated_{name}")), name
    # The stages look at every text of a record, a table at the fields that it has rules for.
    of_text = pl.lit(["TEXT_INVISIBLE", "TEXT_UNDECODABLE"])
    raised = pl.col("flags_right" if "flags_right" in both.columns else "flags").list.set_difference(of_text)
    expected = specimens.select(pl.col("flags").list.set_difference(of_text))["flags"]
    assert both.select(raised).to_series().to_list() == expected.to_list()

    left_out = pl.concat([made.set_aside.select("source_line", "reason"), made.rejects.select("source_line", "reason")])
    left_out = left_out.filter(pl.col("reason").is_in(list(REASONS)))
    flagged = by_line.filter(pl.col("flags").list.set_intersection(pl.lit(list(REASONS.values()))).list.len() > 0)
    found = {
        line: REASONS[reason] in flags
        for line, reason, flags in left_out.join(flagged, left_on="source_line", right_on="line")
        .select("source_line", "reason", "flags")
        .iter_rows()
    }
    assert found == dict.fromkeys(left_out["source_line"], True)
    assert set(flagged["line"]) == set(left_out["source_line"])

    # The log of values is that of the stage; lines of set-aside rows are beyond it.
    kept = checked.changes.join(by_line.with_row_index("row").select("row", "line"), on="row")
    kept = kept.join(specimens.select(line="source_line"), on="line", how="semi")
    columns = ["processid", "field", "step", "before", "after", "rule", "evidence"]
    values = kept.filter(~pl.col("field").is_in(vocabulary.RANKS)).select(columns).sort(columns[:3])
    assert values.equals(made.changes.select(columns).sort(columns[:3]))
    return checked


def test_the_demo_corpus_gets_the_flags_of_the_pipeline(demo_files, tmp_path):
    assert demo_files
    flags: dict[str, int] = {}
    for number, path in enumerate(demo_files):
        flags |= hold_against_the_stages(path, tmp_path / str(number)).flags
    assert {"BARCODE_SHORT", "COUNTRY_MISMATCH", "BARCODE_SEVERAL_SPECIES", "OTHER_MARKER", "NAME_CASE"} <= set(flags)


@pytest.mark.slow
def test_real_records_get_the_flags_of_the_pipeline(real_files, tmp_path):
    for number, path in enumerate(real_files):
        hold_against_the_stages(path, tmp_path / str(number))


def test_name_changes_lead_from_the_input_to_the_value():
    frame = pl.DataFrame(
        {"species": ["  aedes   vexans", "Aedes sp.", "Aedes vexans"], "nuc": ["ACGT-ACGT", "N", None]}
    )
    checked = curate_table(frame)
    steps = checked.changes.filter(pl.col("field") == "species")
    for row, value in enumerate(checked.table["curated_species"]):
        mine = steps.filter(pl.col("row") == row)
        if mine.height:
            assert mine["before"][0] == frame["species"][row]
            assert mine["after"][-1] == value
            assert mine["after"][:-1].to_list() == mine["before"][1:].to_list()
            assert mine["step"].to_list() == list(range(mine.height))
    assert steps["row"].unique().to_list() == [0, 1]
    assert steps["processid"].unique(maintain_order=True).to_list() == ["0", "1"]


def test_what_is_missing_is_said_and_its_rules_raise_nothing():
    checked = curate_table(pl.DataFrame({"bin_uri": ["BOLD:AAA0001", "AAA1"], "note": ["a", "b"]}))
    assert checked.table["flags"].to_list() == [[], ["BIN_INVALID"]]
    assert checked.table.columns == ["bin_uri", "note", "curated_dna_bin", "flags"]
    assert checked.unread == ("note",)
    assert "BIN_WITHOUT_BARCODE" in checked.missing["nuc"]
    assert checked.missing["nuc_basecount"] == ("BASECOUNT_MISMATCH",)
    assert "bin_uri" not in checked.missing
    assert "not checked: " in str(checked)
    assert "BIN_INVALID 1" in str(checked)


def test_rows_that_the_pipeline_would_not_take_stay_with_their_rule():
    frame = pl.DataFrame(
        {
            "processid": ["A-1", "A-1", None, "../x", "B-1"],
            "marker_code": ["COI-5P", "COI-5P", "COI-5P", "COI-5P", "28S"],
            "nuc": ["ACGT" * 150, "ACGT" * 160, "ACGT", "ACGT", "ACGT"],
            "nuc_basecount": [600, 640, 4, 4, 9],
        }
    )
    checked = curate_table(frame)
    reasons = set(REASONS.values())
    assert [sorted(set(flags) & reasons) for flags in checked.table["flags"]] == [
        ["DUPLICATE_MARKER_ROW"],
        [],
        ["NO_PROCESSID"],
        ["UNSAFE_PROCESSID"],
        ["OTHER_MARKER"],
    ]
    assert checked.table["flags"].to_list()[4] == ["OTHER_MARKER"]
    assert checked.table["curated_barcode_length"].to_list() == [600, 640, 4, 4, None]


def test_rows_are_compared_with_one_another_unless_asked_not_to():
    barcode = "ACGTTGCAAC" * 60
    frame = pl.DataFrame(
        {
            "nuc": [barcode, barcode],
            "species": ["Aedes vexans", "Apis mellifera"],
            "country": ["Canada"] * 2,
            "province": ["Québec", "quebec"],
        }
    )
    together, alone = curate_table(frame), curate_table(frame, compare_rows=False)
    assert all("BARCODE_SEVERAL_SPECIES" in flags for flags in together.table["flags"])
    assert not any("BARCODE_SEVERAL_SPECIES" in flags for flags in alone.table["flags"])
    whole = drawn(1)[0]
    shorter = curate_table(frame.with_columns(nuc=pl.Series([whole, whole[90:]]))).table["flags"]
    assert all("BARCODE_SEVERAL_SPECIES" in flags for flags in shorter)
    assert together.table["curated_province_state"].n_unique() == 1
    assert together.changes.filter(pl.col("rule") == "PROVINCE_UNIFIED").height == 1
    assert alone.table["curated_province_state"].to_list() == ["Québec", "quebec"]


def test_settings_and_the_date_of_the_table_count(tmp_path):
    frame = pl.DataFrame(
        {"nuc": ["ACGT" * 30], "collection_date_start": [dt.date(2025, 1, 1)], "lat": [1.25], "lon": [2]}
    )
    assert "BARCODE_SHORT" in curate_table(frame).table["flags"][0]
    lenient = Settings(barcodes=BarcodeSettings(min_length=100), geography=GeographySettings(rounded_decimals=6))
    flags = curate_table(frame, lenient, snapshot_date=dt.date(2024, 1, 1)).table["flags"].to_list()[0]
    assert "BARCODE_SHORT" not in flags
    assert {"DATE_IN_FUTURE", "COORDINATE_ROUNDED"} <= set(flags)
    (tmp_path / "s.toml").write_text("[barcodes]\nmin_length = 100\n")
    assert "BARCODE_SHORT" not in curate_table(frame, tmp_path / "s.toml").table["flags"][0]


def test_any_kind_of_table_gives_the_same():
    frame = pl.DataFrame({"species": ["aedes vexans", None], "lat": [60.5, None], "lon": [10.25, None]})
    expected = curate_table(frame).table.drop(frame.columns)
    with duckdb.connect() as connection:
        relation = connection.from_arrow(frame.to_arrow())
        for other in (frame.lazy(), frame.to_arrow(), frame.to_pandas(), relation):
            assert curate_table(other).table.drop(frame.columns).equals(expected), type(other)


def test_typed_and_empty_columns_are_read_as_text():
    frame = pl.DataFrame(
        {
            "species": pl.Series(["Aedes vexans"], dtype=pl.Categorical),
            "genus": pl.Series([None], dtype=pl.Null),
            "collection_date_start": [dt.datetime(2020, 5, 1, 12, 30)],
            "nuc_basecount": [658.0],
        }
    )
    row = curate_table(frame).table.row(0, named=True)
    assert (row["curated_species"], row["curated_genus"]) == ("Aedes vexans", None)
    assert row["curated_collection_date_start"] == dt.date(2020, 5, 1)


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_tables_without_rows_or_known_columns_are_tables(rows):
    frame = pl.DataFrame({"x": range(rows)})
    checked = curate_table(frame)
    assert checked.table.to_dict(as_series=False) == {"x": list(range(rows)), "flags": [[]] * rows}
    named = pl.DataFrame({"processid": ["A"] * rows, "nuc": ["ACGT"] * rows})
    assert curate_table(named).table.height == rows


def test_what_is_no_table_is_one_line():
    for wrong in ("records.csv", 3, [1, 2]):
        with pytest.raises(SourceError, match="is no table; give a polars") as caught:
            curate_table(wrong)
        assert "\n" not in str(caught.value)
    with pytest.raises(SourceError, match="already has the columns flags"):
        curate_table(pl.DataFrame({"species": ["Aus bus"], "flags": ["x"]}))
    with pytest.raises(SourceError, match="cannot be read as text"):
        curate_table(pl.DataFrame({"species": pl.Series([object()], dtype=pl.Object)}))
    assert "p_species" in curate_table(pl.DataFrame({"species": ["Aus bus"]}), prefix="p_").table.columns


TEXT = st.one_of(st.none(), st.text(max_size=12), st.sampled_from(["", "None", "Canada", "ACGT-N", "1,2", "BOLD:AAA1"]))


@settings(max_examples=examples(30))
@given(st.lists(st.tuples(*[TEXT] * 6), max_size=6))
def test_any_text_is_data_and_the_input_stays_as_it_is(rows):
    names = ("processid", "nuc", "species", "country", "coord", "collection_date_end")
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    checked = curate_table(frame)
    assert checked.table.select(names).equals(frame)
    assert checked.table["flags"].null_count() == 0
    assert set(checked.changes["row"]) <= set(range(len(rows)))
    again = curate_table(frame.reverse()).table.reverse()
    assert again.drop("flags").equals(checked.table.drop("flags"))


def test_checking_needs_the_base_package_alone():
    code = """
import sys
for name in ("cv2", "onnxruntime", "dagster", "torch", "pandas", "matplotlib", "great_expectations"):
    sys.modules[name] = None
import polars as pl
from bioscan_etl.table import curate_table
print(curate_table(pl.DataFrame({"species": ["aedes vexans"]})).flags)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "{'NAME_CASE': 1}", done.stderr


def test_the_examples_of_the_docstrings_run():
    found = doctest.testmod(bioscan_etl.table)
    assert found.attempted > 3
    assert not found.failed
