"""Results as they are kept."""

import json
from dataclasses import asdict

import pytest

from bioscan_etl.quality.results import RESULTS, ExpectationResult, read_results


def test_results_come_back_as_they_were(tmp_path):
    results = [
        ExpectationResult("A", "`a` is missing.", "a", "blocking", False, 3, 2, 66.666667, ("P1", "P2: x")),
        ExpectationResult("B", "`b` is missing.", "b", "warning", True, 3, 0, 0.0),
    ]
    (tmp_path / RESULTS).write_text(json.dumps([asdict(result) for result in results]))
    assert read_results(tmp_path / RESULTS) == results


def test_results_that_are_not_there_are_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_results(tmp_path / RESULTS)
