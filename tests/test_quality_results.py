"""Results as they are kept."""

from dataclasses import replace

import pytest

from bioscan_etl.quality.results import RESULTS, ExpectationResult, read_results, write_results


def test_results_come_back_as_they_were(tmp_path):
    results = [
        ExpectationResult("records", "A", "`a` is missing.", "a", "blocking", False, 3, 2, 66.666667, ("P1", "P2: x")),
        ExpectationResult("boxes", "B", "`b` is missing.", "b", "warning", True, 3, 0, 0.0),
    ]
    write_results(tmp_path / RESULTS, results)
    assert read_results(tmp_path / RESULTS) == results


def test_results_without_prose_do_not_change_with_their_wording(tmp_path):
    one = ExpectationResult("records", "A", "`a` is never missing.", "a", "blocking", True, 3, 0, 0.0)
    for name, statement in (("first", "`a` is never missing."), ("second", "Every row has an `a`.")):
        write_results(tmp_path / name, [replace(one, statement=statement)], prose=False)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    assert read_results(tmp_path / "first") == [replace(one, statement="")]


def test_results_that_are_not_there_are_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_results(tmp_path / RESULTS)
