"""Flags by their name, and against the change log."""

import polars as pl

from bioscan_etl import schema
from bioscan_etl.release.check.agreement import held
from bioscan_etl.release.check.flags import check, out_of_scope


def faults(flags, *rules, known=True):
    frame = pl.DataFrame({"processid": ["A-1"], "flags": [flags]}, schema_overrides={"flags": pl.List(pl.String)})
    rows = [("A-1", "species", step, "a", "b", rule, None, "1") for step, rule in enumerate(rules)]
    log = pl.DataFrame(rows, schema=schema.CHANGES.schema(), orient="row")
    return [str(fault) for fault in check(held("data", frame), log, known=known)]


def test_flags_of_changes_and_of_states_have_no_fault():
    assert faults([]) == []
    assert faults(["BARCODE_SHORT", "NAME_CASE"], "NAME_CASE", "NAME_CASE") == []
    # These change a value and leave no flag; this one is proposed and changes nothing.
    assert faults(["PRESUMED_SWAPPED_COORDINATE"], "COUNTRY_NORMALISED", "PROVINCE_UNIFIED") == []


def test_a_contradiction_is_named():
    assert faults(["X_RAY"]) == ["data: A-1: has the flag 'X_RAY', which is no rule"]
    assert faults(["BARCODE_SHORT", "BARCODE_LONG"]) == ["data: A-1: its flags are not sorted, or one is there twice"]
    assert faults([], "NAME_CASE") == [
        "data: A-1: lacks the flag 'NAME_CASE', by which changes.parquet changes a value"
    ]
    assert faults(["NAME_CASE"]) == ["changes.parquet: A-1: has no change by 'NAME_CASE', which data has as a flag"]


def test_other_rules_are_only_held_against_their_order():
    assert faults(["X_RAY"], "NAME_CASE", known=False) == []
    assert len(faults(["X_RAY", "NAME_CASE"], known=False)) == 1


def test_an_unlabelled_specimen_that_shares_its_barcode_with_one_out_of_scope_is_not_released():
    rows = {
        "processid": ["A-1", "B-1", "C-1", "D-1"],
        "phylum": [None, "Arthropoda", None, None],
        "flags": [["BARCODE_OUT_OF_SCOPE"], ["BARCODE_OUT_OF_SCOPE"], ["BARCODE_OUT_OF_SCOPE"], []],
    }
    data = held("data", pl.DataFrame(rows))
    # The label of C-1 was cleared after the gate let it pass.
    cleared = [("C-1", "phylum", 0, "Arthropoda", None, "BARCODE_CONFLICT", None, "1")]
    log = pl.DataFrame(cleared, schema=schema.CHANGES.schema(), orient="row")
    (fault,) = out_of_scope(data, log, {"phylum": ["Arthropoda"]})
    assert (fault.file, fault.processid) == ("data", "A-1")
    assert fault.fault == "has the flag BARCODE_OUT_OF_SCOPE and no phylum, against gates.scope"
    assert list(out_of_scope(data, log, {})) == []
