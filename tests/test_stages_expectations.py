"""The stages of expectations: a damaged value of each kind is found in each table, and a batch goes on."""

import datetime
import json

import polars as pl
import pytest
import test_definitions as pipeline
from test_definitions import BARCODES, evaluations, ingest, instance, lake, land, record  # noqa: F401 (fixtures)

from bioscan_etl import cli
from bioscan_etl.definitions.running import run_release
from bioscan_etl.lake import Lake
from bioscan_etl.lake.current import get
from bioscan_etl.lake.record import find_record
from bioscan_etl.lake.store import Draft
from bioscan_etl.progress import silent
from bioscan_etl.quality.expectations import expectation_rules
from bioscan_etl.quality.history import history
from bioscan_etl.quality.results import RESULTS, read_results
from bioscan_etl.release.versions import versions
from bioscan_etl.schema import CURATED, METADATA_EXTENDED, QUARANTINE, SPECIMENS, Table
from bioscan_etl.stages.expectations import FAILING, expect
from bioscan_etl.stages.registry import BATCH_TABLES, STAGES, expected

BY_STAGE = {
    "batch_expectations": tuple(table for tables in BATCH_TABLES.values() for table in tables),
    "specimen_expectations": (SPECIMENS, QUARANTINE),
    "curated_expectations": (CURATED,),
    "release_expectations": (METADATA_EXTENDED,),
}
SOUND = {
    "^[0-9a-f]{0,2}$": "a1",
    r"^BOLD:[A-Z]{3,5}[0-9]{4}$": "BOLD:AAA1234",
    "^[A-Z]{2}$": "NO",
    "^[A-Z]{3}$": "NOR",
}


def sound(table: Table, number: int):
    """A row that keeps every promise of the schema."""
    row = {}
    for column in table.columns:
        if column.name == "processid":
            row[column.name] = f"P{number}-24"
        elif column.allowed and not column.nullable:
            row[column.name] = column.allowed[-1]
        elif column.name == "dna_barcode":
            row[column.name] = "C".join("ACGT"[(number >> 2 * place) & 3] for place in range(5))
        elif column.pattern in SOUND:
            row[column.name] = SOUND[column.pattern]
        elif column.name.startswith("coord-"):
            row[column.name] = 0.0
        elif column.nullable:
            row[column.name] = None
        elif isinstance(column.dtype, pl.List):
            row[column.name] = []
        elif column.dtype == pl.Boolean:
            row[column.name] = False
        elif column.dtype.is_numeric():
            row[column.name] = 0
        elif column.dtype == pl.Date:
            row[column.name] = datetime.date(2024, 6, 28)
        else:
            row[column.name] = f"x{number}"
    return row


def damaged(table: Table):
    """A row with one damaged value for each promise of the schema that a value can break, by the expectation."""
    kinds = {rule.id: rule for rule in expectation_rules(table)}
    number = 100
    for rule_id, rule in kinds.items():
        number += 1
        name = rule.columns[0] if rule.columns else ""
        values = {
            "_MISSING": lambda name: None,
            "_OUTSIDE_VOCABULARY": lambda name: "no word of it",
            "_OUTSIDE_PATTERN": lambda name: "§ no such text §",
            "_OUT_OF_RANGE": lambda name: -200 if table[name].minimum is not None else 10**6,
        }
        for ending, value in values.items():
            if rule_id.endswith(ending):
                found = value(name)
                if ending == "_OUT_OF_RANGE" and table[name].dtype.is_unsigned_integer():
                    found = 200
                yield rule_id, sound(table, number) | {name: found}
    if table.key:
        twice = sound(table, 99)
        yield next(rule for rule in kinds if rule.endswith("_NOT_UNIQUE")), twice
        yield next(rule for rule in kinds if rule.endswith("_NOT_UNIQUE")), twice


@pytest.mark.parametrize("stage", BY_STAGE)
def test_a_damaged_value_of_each_kind_is_found_in_each_table(stage, tmp_path):
    tables, planted = [], {}
    for table in BY_STAGE[stage]:
        bad = list(damaged(table))
        rows = [sound(table, number) for number in range(5)] + [row for _, row in bad]
        path = tmp_path / f"{table.name}.parquet"
        pl.DataFrame(rows, schema=table.schema(), orient="row").write_parquet(path)
        tables.append((table, [path]))
        planted[table.name] = bad
    draft = Draft(tmp_path / "out")
    draft.folder.mkdir()
    expect(stage, draft, tables)
    results = {(one.table, one.id): one for one in read_results(draft.folder / RESULTS)}
    failing = pl.read_parquet(draft.folder / FAILING)
    findings = {finding.check: finding for finding in draft.findings}
    assert [finding.check for finding in draft.findings] == [check.id for check in STAGES[stage].checks]
    for check, table, rule in expected(*BY_STAGE[stage]):
        finding, result = findings[check.id], results[table.name, rule.id]
        hit = [row for rule_id, row in planted[table.name] if rule_id == rule.id]
        assert (finding.passed, finding.blocking) == (result.success, rule.severity == "blocking")
        assert finding.count == result.unexpected_count >= len(hit), (table.name, rule.id)
        if hit and "processid" in table.names():
            listed = failing.filter(pl.col("table") == table.name, pl.col("rule") == rule.id)["processid"].to_list()
            assert {row["processid"] for row in hit} <= set(listed)
            shown = [row["processid"] or "–" for row in hit]
            if len(listed) <= len(finding.samples):
                assert all(any(line.startswith(one) for line in finding.samples) for one in shown)
    sane = {f"P{number}-24" for number in range(5)}
    assert not sane & set(failing["processid"].drop_nulls())
    assert {(table, rule) for table, bad in planted.items() for rule, _ in bad} <= {
        key for key, result in results.items() if not result.success
    }


def test_the_checks_of_a_stage_have_names_of_their_own():
    for stage, tables in BY_STAGE.items():
        ids = [check.id for check in STAGES[stage].checks]
        assert len(ids) == len(set(ids)) == sum(len(expectation_rules(table)) for table in tables)


def test_every_table_that_the_stages_of_a_batch_write_is_expected_of():
    written = {table.name for stage in STAGES.values() for table in stage.writes if stage.scope.value == "batch"}
    assert written - {table.name for table in BY_STAGE["batch_expectations"]} == {"crops"}  # they hold bytes alone


def test_further_columns_of_records_are_allowed_and_others_are_not(tmp_path):
    from bioscan_etl import schema

    for name, passed in (("extra:a", True), ("b", False)):
        path = tmp_path / "records.parquet"
        schema.RECORDS.empty().with_columns(pl.lit(None, pl.String).alias(name)).write_parquet(path)
        draft = Draft(tmp_path / name.replace(":", "-"))
        draft.folder.mkdir()
        [check] = [check for check in STAGES["batch_expectations"].checks if check.id == "RECORDS_COLUMNS_IN_ORDER"]
        expect("batch_expectations", draft, [(schema.RECORDS, [path]), (schema.BOXES, [_empty(tmp_path)])])
        assert next(one.passed for one in draft.findings if one.check == check.id) is passed


def _empty(folder):
    from bioscan_etl import schema

    path = folder / "boxes.parquet"
    schema.BOXES.empty().write_parquet(path)
    return path


def test_an_absent_column_is_a_failed_check_and_no_exception(tmp_path):
    path = tmp_path / "curated.parquet"
    CURATED.empty().drop("taxon").write_parquet(path)
    draft = Draft(tmp_path / "out")
    draft.folder.mkdir()
    expect("curated_expectations", draft, [(CURATED, [path])])
    failed = {finding.check: finding.detail for finding in draft.findings if not finding.passed}
    assert failed["TAXON_IS_DEEPEST_LABEL"] == "not evaluated: a column is missing"
    assert set(failed) == {"COLUMNS_IN_ORDER", "TAXON_IS_DEEPEST_LABEL"}


ODD = {"genus": "Aedes", "species": "Culex pipiens", "family": "Culicidae", "order": "Diptera", "class": "Insecta"}


@pytest.mark.slow
def test_a_batch_goes_on_with_a_warning_that_stays_in_its_history(lake, instance, tmp_path):  # noqa: F811
    good = [record(f"A{n}-24", BARCODES[n], phylum="Arthropoda", **ODD | {"species": "Aedes albus"}) for n in range(4)]
    land(lake, tmp_path, "good", good)
    land(lake, tmp_path, "odd", [record("B-24", BARCODES[9], phylum="Arthropoda", **ODD), *good[:1]])
    for name in ("good", "odd"):
        ingest(lake, name, instance)
    assert find_record(lake, "odd").stages["batch_expectations"].failed_checks == (
        "NORMALISED_NAMES_SPECIES_OUTSIDE_GENUS",
    )
    evaluation = evaluations(instance, "batch_expectations")["NORMALISED_NAMES_SPECIES_OUTSIDE_GENUS"]
    assert not evaluation.passed
    assert evaluation.metadata["failing"].value == 1
    assert evaluation.metadata["sample"].data == ["B-24: genus=Aedes; species=Culex pipiens"]
    first = run_release(lake, instance=instance, progress=silent)
    stated = json.loads((first / "manifest.json").read_text())["provenance"]["batches"]
    assert stated["odd"]["failed_checks"] == ["NORMALISED_NAMES_SPECIES_OUTSIDE_GENUS", *_others(stated["odd"])]
    assert _failures(history(lake, [first]), "normalised_names") == [("batch odd", 1), ("release v1", 1)]
    land(lake, tmp_path, "odd", [record("B-24", BARCODES[9], phylum="Arthropoda", **ODD | {"species": "Aedes ater"})])
    ingest(lake, "odd", instance)
    second = run_release(lake, instance=instance, progress=silent)
    assert second != first
    found = history(lake, versions(lake.releases))
    assert _failures(found, "normalised_names") == [("release v1", 1)]
    page = (second / "report" / "index.html").read_text()
    assert "v1: 1 of 6; v2: 0" in page
    assert "█▁" in page
    assert cli.main(["check", str(second)]) == 0
    assert run_release(lake, instance=instance, progress=silent) == second


def _others(batch):
    return [check for check in batch["failed_checks"] if not check.startswith("NORMALISED_NAMES")]


def _failures(found, table):
    rows = found.filter(pl.col("table") == table, pl.col("expectation") == "SPECIES_OUTSIDE_GENUS", ~pl.col("passed"))
    return rows.select("where", "failing").rows()


@pytest.mark.slow
def test_an_unchanged_demo_corpus_passes_all(tmp_path):
    out = tmp_path / "out"
    assert cli.main(["demo", "--output", str(out), "--specimens", "60", "--quiet"]) == 0
    assert cli.main(["run", "--output", str(out), "--quiet"]) == 0
    home = Lake(out)
    found = history(home, versions(home.releases))
    assert found.filter(~pl.col("passed")).rows() == []
    every = {
        (table.name, rule.id) for tables in BY_STAGE.values() for table in tables for rule in expectation_rules(table)
    }
    assert set(found.select("table", "expectation").iter_rows()) == every
    assert get(home, "release_expectations").counts == {
        "expectations": len(expectation_rules(METADATA_EXTENDED)),
        "failed": 0,
    }
    assert pipeline.find_record(home, found.filter(pl.col("where").str.starts_with("batch "))["where"][0][6:])
