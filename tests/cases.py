"""Run a case of `../shared/cases` as its README says, for the test files `test_cases_*.py`.

Belongs here: the run and the opened release of one case. Does not belong here: what a case expects.
"""

from pathlib import Path

import bioscan_etl
from bioscan_etl import Release


def release_of(cases: Path, name: str, output: Path, file: str = "records.tsv") -> Release:
    """Run `bioscan-etl run --records` on one file of a case, with the settings beside the cases."""
    return run_records(cases / name / file, output, cases / "settings.toml")


def run_records(records: Path, output: Path, settings: Path) -> Release:
    """Run a records file into a release and open it."""
    outcome = bioscan_etl.run(output, records=[records], settings=settings)
    assert outcome.release is not None, outcome
    return bioscan_etl.open_release(output)
