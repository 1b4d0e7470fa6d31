"""The benchmark of the whole way, small: it runs the product, and its tables say what happened."""

import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

ROOT = Path(__file__).parents[1]
RECORDS = 2_500


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_three_runs_are_measured_stage_by_stage(tmp_path):
    command = [sys.executable, ROOT / "benchmarks" / "whole_way.py", "--records", str(RECORDS), "--keep", tmp_path]
    done = subprocess.run(
        [*command, "--markdown", tmp_path / "tables.md"], capture_output=True, text=True, check=True, timeout=800
    )
    for run in ("first release", "after a delivery", "nothing new"):
        assert f"\n{run}, {RECORDS:,} records\n" in done.stdout
    path = re.search(r"^critical path: [\d.]+ s by (.*)$", done.stdout, re.MULTILINE)
    assert "figures" in path[1]
    text = (tmp_path / "tables.md").read_text()
    runs = re.findall(r"^\| 2,500 \| ([a-z ]+) \| (\d+) \| \d+ \| \d+ \| [\d.]+ \| ([\d.]+) \|$", text, re.MULTILINE)
    built = {run: int(count) for run, count, _ in runs}
    # After a delivery, some stages find what they made before; without one, all do.
    assert built["first release"] > built["after a delivery"] > built["nothing new"] == 0
    assert all(float(peak) > 0.1 for _, _, peak in runs)
    stages = dict(re.findall(r"^\| (\w+) \| ([\d.]+) \| ", text, re.MULTILINE))
    assert {"batch_expectations", "figures"} <= set(stages)

    # The package is what the docstring says: another marker for one row in ten, and rows in no order.
    package = pl.read_csv(next(tmp_path.glob("package-*.tsv")), separator="\t", infer_schema=False, quote_char=None)
    markers = dict(package["marker_code"].value_counts().iter_rows())
    assert markers == {"COI-5P": RECORDS, "28S": RECORDS // 10}
    assert not package["processid"].is_sorted()
    later = pl.read_csv(next(tmp_path.glob("later-*.tsv")), separator="\t", infer_schema=False, quote_char=None)
    assert later["processid"].is_in(package["processid"].implode()).all()
