"""A release whose list of expectations says other than its rows and its manifest is caught."""

import copy

import polars as pl
import pytest
from reported import reported

from bioscan_etl.quality.history import STATED
from bioscan_etl.release.check.expectations import check
from bioscan_etl.release.check.installed import installed
from bioscan_etl.release.check.origin import Origin
from bioscan_etl.release.manifest import Manifest, read_head

TABLE = "metadata_extended"


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return reported(tmp_path_factory.mktemp("reported"))


@pytest.fixture
def faults(release):
    """Faults after a change of the list and of the manifest's head; the list is put back."""
    path = release / "report" / "expectations.csv"
    kept = path.read_bytes()

    def found(change=lambda frame: frame, head=lambda head: None):
        # The files of data/ are listed; their sums are another check's matter.
        stated = copy.deepcopy(read_head(release))
        stated["files"] = [
            {"path": one.relative_to(release).as_posix(), "size": 0, "sha256": "0" * 64}
            for one in sorted((release / "data").glob("*.parquet"))
        ]
        head(stated)
        manifest = Manifest.model_validate(stated)
        change(pl.read_csv(path, schema=STATED)).write_csv(path)
        return [fault.fault for fault in check(release, manifest, Origin.of(manifest, installed))]

    yield found
    path.write_bytes(kept)


def test_a_true_list_has_no_fault(faults):
    assert faults() == []


def test_another_number_of_failing_rows_is_found(faults):
    def change(frame):
        hit = pl.col("expectation") == "PROCESSID_NOT_UNIQUE"
        return frame.with_columns(failing=pl.when(hit).then(5).otherwise("failing"))

    assert faults(change) == ["says that 5 rows fail PROCESSID_NOT_UNIQUE; of data/ 0 do"]


def test_an_expectation_that_is_left_out_is_found(faults):
    [fault] = faults(lambda frame: frame.filter(pl.col("expectation") != "SPLIT_MISSING"))
    assert fault == "says that none known rows fail SPLIT_MISSING; of data/ 0 do"


def test_another_number_of_rows_is_found(faults):
    found = faults(lambda frame: frame.with_columns(rows=pl.col("rows") + 1))
    assert "was evaluated on" in found[0]


def with_batch(failed_checks):
    def head(stated):
        batch = stated["provenance"]["batches"]["one"]
        batch["stages"]["batch_expectations"] = {"code": {}, "content": "0" * 64, "extra": {}}
        batch["failed_checks"] = failed_checks

    return head


def row(batch, failing):
    values = ("boxes", "X0_OUT_OF_RANGE", "warning", batch, failing, 9)
    return lambda frame: pl.concat([frame, pl.DataFrame([values], schema=STATED, orient="row")])


def test_the_results_of_a_batch_are_its_failed_checks(faults):
    assert faults(row("one", 2), with_batch(["BOXES_X0_OUT_OF_RANGE", "images_readable"])) == []


@pytest.mark.parametrize(("failing", "failed_checks"), [(2, []), (0, ["BOXES_X0_OUT_OF_RANGE"])])
def test_results_of_a_batch_that_the_manifest_denies_are_found(faults, failing, failed_checks):
    [fault] = faults(row("one", failing), with_batch(failed_checks))
    assert fault == (f"says that {failing} rows of batch one fail BOXES_X0_OUT_OF_RANGE; manifest.json says otherwise")


def test_a_batch_without_results_and_results_without_a_batch_are_found(faults):
    assert faults(lambda frame: frame, with_batch([])) == ["has no results of batch one, which manifest.json names"]
    assert faults(row("elsewhere", 0)) == ["has results of batch elsewhere, of which manifest.json states none"]


@pytest.mark.parametrize("content", [None, b"", b"a,b\n1,2\n", b"\xff\xfe\x00", b"table,expectation\n"])
def test_a_list_that_is_none_is_a_fault_and_no_exception(release, faults, content):
    path = release / "report" / "expectations.csv"
    stated = read_head(release)
    manifest = Manifest.model_validate(stated | {"files": []})
    path.unlink() if content is None else path.write_bytes(content)
    [fault] = check(release, manifest, Origin.of(manifest, installed))
    assert fault.fault == "is missing, or no list of expectations"


def test_a_release_from_before_there_were_expectations_states_none(faults):
    def head(stated):
        del stated["provenance"]["corpus"]["release_expectations"]

    assert faults(row("elsewhere", 3), head) == []
