"""Great Expectations on DuckDB, against polars, on real Parquet files."""

import datetime
import json
import socket

import duckdb
import numpy as np
import polars as pl
import pytest

from bioscan_etl import schema, vocabulary
from bioscan_etl.errors import BioscanError, SchemaError
from bioscan_etl.quality import validate as validation
from bioscan_etl.quality.expectations import ExpectationRule, expectation_rules
from bioscan_etl.quality.validate import count_failing, failing_rows, validate

RANKS = dict.fromkeys(vocabulary.RANKS)


def record(number, **values):
    """A sound row of METADATA_EXTENDED, with some values replaced."""
    row = dict.fromkeys(schema.METADATA_EXTENDED.names())
    row |= {
        "processid": f"P{number}",
        "phylum": "Arthropoda",
        "class": "Insecta",
        "order": "Diptera",
        "taxon": "Diptera",
    }
    row |= {"dna_barcode": f"ACGT{'ACGT'[number % 4]}N", "chunk": "a1", "inferred_ranks": 0, "split": "pretrain"}
    row |= {
        "genus_name_type": "NO_NAME",
        "species_name_type": "NO_NAME",
        "flags": [],
        "batch": "b",
        "verification_status": "unverified",
    }
    row |= {f"inferred_{rank}": False for rank in vocabulary.RANKS}
    return row | values


SPECIES = {"family": "Sciaridae", "subfamily": "Sciarinae", "genus": "Bradysia"}

# Each rule with rows that break it, and no other rule.
BROKEN = {
    "PROCESSID_MISSING": [record(1, processid=None)],
    "PROCESSID_OUTSIDE_PATTERN": [record(1, processid="P 1"), record(2, processid="../x"), record(3, processid="P3\n")],
    "PROCESSID_NOT_UNIQUE": [record(7), record(7), record(7)],
    "DNA_BIN_OUTSIDE_PATTERN": [record(1, dna_bin="BOLD:AB1234")],
    "DNA_BARCODE_MISSING": [record(1, dna_barcode=None)],
    "DNA_BARCODE_OUTSIDE_PATTERN": [record(1, dna_barcode="acg-t")],
    "COUNTRY_ISO_OUTSIDE_PATTERN": [record(1, country_iso="no")],
    "COORD_LAT_OUT_OF_RANGE": [
        record(1, **{"coord-lat": 90.5, "coord-lon": 0.0}),
        record(2, **{"coord-lat": float("nan"), "coord-lon": 0.0}),
    ],
    "COORD_LON_OUT_OF_RANGE": [record(1, **{"coord-lat": 0.0, "coord-lon": -180.01})],
    "IMAGE_MEASUREMENT_VALUE_OUT_OF_RANGE": [record(1, image_measurement_value=-1)],
    "AREA_FRACTION_OUT_OF_RANGE": [record(1, area_fraction=1.0001)],
    "SPLIT_OUTSIDE_VOCABULARY": [record(1, split="training")],
    "CHUNK_OUTSIDE_PATTERN": [record(1, chunk="abc")],
    "FLAGS_MISSING": [record(1, flags=None)],
    "GENUS_NAME_TYPE_OUTSIDE_VOCABULARY": [record(1, genus_name_type="scientific")],
    "TAXON_IS_DEEPEST_LABEL": [record(1, taxon="Insecta"), record(2, taxon=None)],
    "INVARIANT_LINEAGE": [
        record(1, genus="Bradysia", taxon="Bradysia"),
        record(2, order="Coleoptera", taxon="Sciaridae", family="Sciaridae"),
        record(3, taxon="Sciaridae", family="Sciaridae"),
    ],
    "INVARIANT_BARCODE_LABELS": [
        record(1, dna_barcode="GGG"),
        record(2, dna_barcode="NGGGNN", family="Sciaridae", taxon="Sciaridae"),
    ],
    "INFERRED_BUT_UNLABELLED": [record(1, inferred_genus=True, inferred_ranks=2)],
    "INFERRED_RANKS_DISAGREE": [record(1, inferred_order=True, inferred_ranks=4)],
    "SPECIES_OUTSIDE_GENUS": [
        record(1, **SPECIES, species="Lycoriella ingenua", taxon="Lycoriella ingenua", species_name_type="SCIENTIFIC")
    ],
    "COORDINATE_WITHOUT_PARTNER": [record(1, **{"coord-lat": 10.0})],
    "BARCODE_IN_TWO_PARTITIONS": [
        record(1, dna_barcode="CCC"),
        record(2, dna_barcode="CCCN", split="other_heldout"),
    ],
    "SPECIES_IN_SEEN_AND_UNSEEN": [
        record(1, **SPECIES, species="Bradysia x", taxon="Bradysia x", dna_barcode="TTT", split="train"),
        record(2, **SPECIES, species="Bradysia x", taxon="Bradysia x", dna_barcode="TTA", split="key_unseen"),
    ],
    "UNSEEN_SPECIES_WITHOUT_KEY": [
        record(1, **SPECIES, species="Bradysia y", taxon="Bradysia y", dna_barcode="TTT", split="val_unseen")
    ],
}


def write(path, rows, table=schema.METADATA_EXTENDED):
    pl.DataFrame(rows, schema=table.schema(), orient="row").write_parquet(path)
    return path


@pytest.fixture(scope="module")
def gx():
    """Great Expectations takes seconds to import; paid once here."""
    import great_expectations

    return great_expectations


@pytest.mark.parametrize("rule", BROKEN)
def test_each_rule_fails_on_its_rows_alone(tmp_path, rule):
    path = write(tmp_path / "metadata.parquet", [*BROKEN[rule], record(100, dna_barcode="ACGTAAAA")])
    listed = failing_rows(path, schema.METADATA_EXTENDED)
    assert set(listed["rule"]) == {rule}
    assert listed.height == len(BROKEN[rule])


def test_what_is_counted_is_listed(gx, tmp_path):
    path = write(tmp_path / "metadata.parquet", [row for rows in BROKEN.values() for row in rows])
    results = validate(path, schema.METADATA_EXTENDED)
    counts = dict(failing_rows(path, schema.METADATA_EXTENDED).group_by("rule").len().iter_rows())
    assert {result.id: result.unexpected_count for result in results if not result.success} == counts
    assert set(counts) == set(BROKEN)
    assert all(counts[rule] >= len(rows) for rule, rows in BROKEN.items())


def test_what_is_counted_is_listed_of_random_rows(gx, tmp_path):
    generator = np.random.default_rng(5)

    def pick(*values):
        return [values[index] for index in generator.integers(0, len(values), 400)]

    columns = {
        "processid": [f"P{n}" for n in generator.integers(0, 300, 400)],
        **{rank: pick(None, "a", "b", "c", "", "é") for rank in vocabulary.RANKS},
        "taxon": pick(None, "a", "b"),
        "dna_barcode": pick("ACGT", "NACGTN", "N", "NN", "", "acgt", "TTTT", "T\n"),
        "dna_bin": pick(None, "BOLD:AAA1234", "BOLD:AAA1234\n", "bold:AAA1234"),
        "coord-lat": pick(None, 0.0, -90.0, 91.0, float("nan"), float("inf"), float("-inf")),
        "coord-lon": pick(None, 180.0, -181.0, float("nan")),
        "scale_factor": pick(None, -0.0, -1.0, float("nan")),
        "inferred_ranks": pick(0, 1, 2, 6, 7, 255),
        "split": pick(*vocabulary.SPLITS, "", "Train"),
        "chunk": pick("", "0", "ff", "fff", "g"),
        "species_name_type": pick("SCIENTIFIC", "OTU"),
        **{f"inferred_{rank}": pick(True, False) for rank in vocabulary.RANKS},
        "flags": pick([], ["A"], None),
    }
    rows = [record(n) | {name: values[n] for name, values in columns.items()} for n in range(400)]
    path = write(tmp_path / "random.parquet", rows)
    results = validate(path, schema.METADATA_EXTENDED)
    counts = dict(failing_rows(path, schema.METADATA_EXTENDED).group_by("rule").len().iter_rows())
    assert {result.id: result.unexpected_count for result in results if result.unexpected_count} == counts
    assert len(counts) >= 18


@pytest.mark.parametrize(
    "table",
    [
        pytest.param(table, marks=() if table in (schema.METADATA_EXTENDED, schema.IMAGE_INDEX) else pytest.mark.slow)
        for table in schema.TABLES
    ],
    ids=lambda table: table.name,
)
def test_every_table_can_be_empty_or_null(gx, tmp_path, table):
    empty = tmp_path / "empty.parquet"
    table.empty().write_parquet(empty)
    assert all(result.success for result in validate(empty, table))
    nulls = write(tmp_path / "nulls.parquet", [dict.fromkeys(table.names())] * 2, table)
    failed = {result.id for result in validate(nulls, table) if not result.success}
    assert failed == {rule.id for rule in expectation_rules(table) if rule.id.endswith("_MISSING")}


def test_keys_of_several_columns(gx, tmp_path):
    rows = [{"processid": "A", "field": "species", "step": step, "rule": "R", "ruleset": "1"} for step in (0, 1, 1)]
    path = write(tmp_path / "changes.parquet", rows, schema.CHANGES)
    [failed] = [result for result in validate(path, schema.CHANGES) if not result.success]
    assert (failed.id, failed.unexpected_count) == ("PROCESSID_FIELD_STEP_NOT_UNIQUE", 2)
    assert failed.sample == ("A: processid=A; field=species; step=1",) * 2


def test_missing_and_swapped_columns_fail_and_do_not_raise(gx, tmp_path):
    frame = pl.DataFrame([record(1)], schema=schema.METADATA_EXTENDED.schema())
    frame.select(pl.exclude("sampleid", "split"), "sampleid").write_parquet(tmp_path / "odd.parquet")
    results = validate(tmp_path / "odd.parquet", schema.METADATA_EXTENDED)
    [failed] = [result for result in results if not result.success]
    assert failed.id == "COLUMNS_IN_ORDER"
    assert failed.severity == "blocking"
    assert failed.sample[0] == "column 2: taxon, expected sampleid"
    assert "SPLIT_MISSING" not in {result.id for result in results}


def test_wrong_dtype_is_an_error_that_names_the_column(tmp_path):
    frame = pl.DataFrame([record(1)], schema=schema.METADATA_EXTENDED.schema())
    frame.with_columns(pl.col("inferred_ranks").cast(pl.Int64)).write_parquet(tmp_path / "odd.parquet")
    with pytest.raises(SchemaError, match="inferred_ranks is Int64, not UInt8"):
        validate(tmp_path / "odd.parquet", schema.METADATA_EXTENDED)


def test_an_expectation_that_raises_is_an_error_and_no_bad_data(gx, tmp_path, monkeypatch):
    broken = ExpectationRule("BROKEN", "", ("split",), "blocking", "no_such_column IS NULL")
    monkeypatch.setattr(validation, "expectation_rules", lambda table: (broken,))
    with pytest.raises(BioscanError, match=r"expectation BROKEN on .* could not be evaluated"):
        validate(write(tmp_path / "m.parquet", [record(1)]), schema.METADATA_EXTENDED)


def test_letters_that_mean_something_to_sql_are_letters_of_a_vocabulary(gx, tmp_path):
    """Quotes, braces (placeholders of Great Expectations), colons (parameters of SQLAlchemy) and others."""
    words = ("it's", "{batch}", "a:b", "a::b", "?", "%s", "back\\slash", "--")
    table = schema.Table(
        "odd", "a word", (), (schema.Column('a "word"', pl.String(), "a word", allowed=words, pattern="^[^{]{1,12}$"),)
    )
    path = write(tmp_path / "odd.parquet", [{'a "word"': word} for word in (*words, "its", None)], table)
    listed = failing_rows(path, table)
    assert listed.rows() == [(None, "A_WORD__OUTSIDE_VOCABULARY", "its"), (None, "A_WORD__OUTSIDE_PATTERN", "{batch}")]
    counts = {result.id: result.unexpected_count for result in validate(path, table)}
    assert counts == {"COLUMNS_IN_ORDER": 0, "A_WORD__OUTSIDE_VOCABULARY": 1, "A_WORD__OUTSIDE_PATTERN": 1}


def test_nan_is_out_of_range_where_no_other_value_is(gx, tmp_path):
    """Parquet's minimum and maximum, which leave NaN out, are not believed."""
    path = write(tmp_path / "m.parquet", [record(1), record(2, **{"coord-lat": float("nan"), "coord-lon": 0.0})])
    listed = failing_rows(path, schema.METADATA_EXTENDED)
    assert listed.rows() == [("P2", "COORD_LAT_OUT_OF_RANGE", "NaN")]
    [failed] = [result for result in validate(path, schema.METADATA_EXTENDED) if not result.success]
    assert (failed.id, failed.unexpected_count) == ("COORD_LAT_OUT_OF_RANGE", 1)


def test_unlabelled_records_are_no_unseen_species_without_a_key(gx, tmp_path):
    """Where key_unseen is empty, a missing species is outside the empty list, to SQL."""
    path = write(tmp_path / "m.parquet", [record(1, split="val_unseen")])
    assert failing_rows(path, schema.METADATA_EXTENDED).is_empty()
    assert all(result.success for result in validate(path, schema.METADATA_EXTENDED))


def test_nothing_leaves_the_machine_and_nothing_is_written(gx, tmp_path, monkeypatch, capfd):
    def refuse(*arguments):
        raise AssertionError(f"a connection was opened: {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(work)
    path = write(tmp_path / "m.parquet", [record(1)])
    assert all(result.success for result in validate(path, schema.METADATA_EXTENDED))
    assert list(work.iterdir()) == []
    assert list(home.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_a_folder_gets_the_results_and_the_complete_list(gx, tmp_path):
    rows = [record(n, split="=cmd|'/c calc'!A1") for n in range(300)]
    results = validate(write(tmp_path / "m.parquet", rows), schema.METADATA_EXTENDED, tmp_path / "out")
    written = json.loads((tmp_path / "out" / "expectations.json").read_text())
    assert [entry["id"] for entry in written] == [result.id for result in results]
    listed = pl.read_csv(tmp_path / "out" / "failing_rows.csv").filter(pl.col("rule") == "SPLIT_OUTSIDE_VOCABULARY")
    assert listed.height == 300
    assert set(listed["value"]) == {"'=cmd|'/c calc'!A1"}
    [failed] = [result for result in results if result.id == "SPLIT_OUTSIDE_VOCABULARY"]
    assert failed.sample[0] == "P0: =cmd|'/c calc'!A1"
    assert failed.unexpected_percent == 100
    assert not next(tmp_path.joinpath("out").glob(".*"), None)


def test_curated_table_with_a_box_outside_its_image(gx, tmp_path):
    row = dict.fromkeys(schema.CURATED.names())
    row |= {
        "processid": "A",
        "record_id": "A.COI-5P",
        "batch": "b",
        "source_file": "f",
        "inferred_ranks": 0,
        "flags": [],
    }
    row |= {"snapshot_date": datetime.date(2024, 6, 21), "genus_name_type": "NO_NAME", "species_name_type": "NO_NAME"}
    row |= {f"inferred_{rank}": False for rank in vocabulary.RANKS}
    row |= {"x0": 10, "y0": 10, "x1": 1025, "y1": 20, "width_original": 1024, "height_original": 768}
    path = write(tmp_path / "c.parquet", [row, row | {"processid": "B", "x1": 1024}], schema.CURATED)
    [failed] = [result for result in validate(path, schema.CURATED) if not result.success]
    assert (failed.id, failed.unexpected_count) == ("BOX_OUTSIDE_IMAGE", 1)


def test_a_path_is_never_a_pattern_or_a_variable(gx, tmp_path):
    folder = tmp_path / "split=train" / "a'b$HOME"
    folder.mkdir(parents=True)
    write(folder / "m[1]*.parquet", [record(1)])
    write(folder / "m1.parquet", [record(2)])
    results = validate(folder / "m[1]*.parquet", schema.METADATA_EXTENDED)
    assert all(result.success for result in results)
    assert results[1].element_count == 1


def test_barcodes_that_duckdbs_hash_confuses_are_two_barcodes(gx, tmp_path):
    """Of 5.15 million barcodes 93 were said to have two labels, which would have stopped the release."""
    one = (
        "ACTTATTGGAGCTCCATTTCTAGCAGGTGGTCCAACATACAGATTACCTATTGTTTCTATAACATTATGAACAGTATATCCACCATCAAGCTTATTCTTCACCATTC"
        "TTGTATTTTTCGTCGTTGGTTATGCTTGAGTATTATGTGGTGTTTTCATCACAAAAGTCATGCAAAAATATTTTTTACAAATATT"
    )
    other = one[:15] + "T" + one[16:159] + "T" + one[160:]
    with duckdb.connect() as connection:  # a result left open on the shared connection would fail other tests
        assert connection.execute("SELECT hash(?) = hash(?)", [one, other]).fetchall() == [(True,)]
    family = {"family": "Sciaridae", "taxon": "Sciaridae"}
    rows = [record(1, dna_barcode=one), record(2, dna_barcode=other, split="other_heldout", **family)]
    path = write(tmp_path / "m.parquet", rows)
    assert all(result.success for result in validate(path, schema.METADATA_EXTENDED))
    rows += [record(3, dna_barcode=f"NN{one}N", split="other_heldout", **family)]
    path = write(tmp_path / "m.parquet", rows)
    listed = failing_rows(path, schema.METADATA_EXTENDED)
    assert listed.select("processid", "rule").rows() == [
        (processid, rule)
        for rule in ("BARCODE_IN_TWO_PARTITIONS", "INVARIANT_BARCODE_LABELS")
        for processid in ("P1", "P3")
    ]


def test_rows_that_share_a_process_id_with_a_failing_row_fail_only_if_they_do(tmp_path):
    rows = [
        record(1, dna_barcode="CCC", split="train"),
        record(2, dna_barcode="NCCC", split="val"),
        record(1, dna_barcode="GGG"),
        record(3, processid=None, dna_barcode="CCC", split="train"),
        record(4, dna_barcode="AAA"),
    ]
    path = write(tmp_path / "shared.parquet", rows)
    listed = failing_rows(path, schema.METADATA_EXTENDED).filter(rule="BARCODE_IN_TWO_PARTITIONS")
    assert listed["processid"].to_list() == [rows[0]["processid"], rows[1]["processid"], None]
    assert count_failing(path, schema.METADATA_EXTENDED)["BARCODE_IN_TWO_PARTITIONS"] == 3


def test_a_file_without_process_ids_still_has_its_barcodes_checked(tmp_path):
    frame = pl.DataFrame([record(1, dna_barcode="acg-t")], schema=schema.METADATA_EXTENDED.schema(), orient="row")
    frame.drop("processid").write_parquet(tmp_path / "odd.parquet")
    counts = count_failing(tmp_path / "odd.parquet", schema.METADATA_EXTENDED)
    assert counts["DNA_BARCODE_OUTSIDE_PATTERN"] == 1
    assert "BARCODE_IN_TWO_PARTITIONS" not in counts
