"""Reports from users in a run: each is a doubt, unknown process IDs are listed, and no release changes."""

import shutil

import polars as pl
import pytest
from release_corpus import filled

from bioscan_etl.cli import main
from bioscan_etl.decisions.read import read_decisions
from bioscan_etl.decisions.write import save
from bioscan_etl.doubts.state import with_state
from bioscan_etl.lake import Lake
from bioscan_etl.lake.current import get
from bioscan_etl.lake.decisions import REPORTS, Files, find, folder, save_copy
from bioscan_etl.lake.pins import Pin
from bioscan_etl.schema import SPECIMENS
from bioscan_etl.settings import Settings
from bioscan_etl.stages.proposals import build
from bioscan_etl.stages.work import Work

HEADER = "processid,reason,field,value,note,reporter,date\n"


def built(root, texts, unreadable=None):
    """The lines and the finding of the stage, for a corpus with A-1 and A-2."""
    lake = Lake(root)
    with lake.writing("specimens", "1" * 64, made_from={}) as draft:
        filled(SPECIMENS, [{"processid": "A-1", "flags": []}, {"processid": "A-2", "flags": []}]).write_parquet(
            draft.folder / "specimens.parquet"
        )
    digest = save_copy(lake, Files(texts, unreadable or {}))
    outputs = {"specimens": lake.find("specimens", "1" * 64)}
    pin = Pin("", {}, proposals=digest)
    with lake.writing("proposals", "2" * 64, made_from={}) as draft:
        build(Work(lake, Settings(), lambda *_: None, draft, None, pin, outputs, {}, {}, None))
    made = lake.find("proposals", "2" * 64)
    (finding,) = made.findings
    return pl.read_parquet(made.path("proposals.parquet")), finding


def test_lines_about_specimens_of_the_corpus_are_doubts_and_the_others_are_listed(tmp_path):
    text = HEADER + "".join(
        f"{name},{reason},,,,U. Ser,2026-02-01\n"
        for name, reason in (("A-1", "no_insect"), ("Z-9", "broken"), ("A-2", "because"), ("A-2", "broken"))
    )
    lines, finding = built(tmp_path, {"users.csv": text, "wrong.csv": "a\n"}, {"x.csv": "is not UTF-8"})
    assert lines.select("processid", "status").rows() == [
        ("A-1", "doubt"),
        ("Z-9", "unknown"),
        ("A-2", "left_out"),
        ("A-2", "doubt"),
    ]
    assert lines["detail"][1] == "no batch has this process ID"
    assert (finding.check, finding.passed, finding.blocking, finding.count) == ("reports_readable", False, False, 4)
    assert any("users.csv, line 3: no batch has this process ID" in one for one in finding.samples)
    assert any(one.startswith("wrong.csv: line 1: it lacks") for one in finding.samples)


def test_no_reports_are_no_lines_and_good_ones_pass(tmp_path):
    lines, finding = built(tmp_path / "a", {})
    assert (lines.height, finding.passed) == (0, True)
    lines, finding = built(tmp_path / "b", {"u.csv": HEADER + "A-1,broken,,,,U. Ser,2026-02-01\n"})
    assert (lines.height, finding.passed) == (1, True)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_report_is_a_doubt_of_the_next_run_changes_no_release_and_is_settled_by_taking_it_over(decided, tmp_path):
    output = tmp_path / "out"
    shutil.copytree(decided[0], output, symlinks=True)
    lake = Lake(output)
    curated = pl.read_parquet(get(lake, "curated_taxonomy").path("curated.parquet"))
    row = curated.filter(pl.col("genus").is_not_null() & (pl.len().over("dna_barcode") == 1)).to_dicts()[-1]
    given = tmp_path / "users.csv"
    label = f"{row['genus']} reportatus"
    given.write_text(
        HEADER
        + f"{row['processid']},misidentified,species,{label},see the wings,U. Ser,2026-02-01\n"
        + "ZZZ-99,no_insect,,,,U. Ser,2026-02-01\n"
    )
    assert main(["propose", str(given), "--output", str(output)]) == 0
    assert main(["run", "--output", str(output), "--quiet"]) == 0
    assert sorted(path.name for path in (output / "releases").glob("v*")) == ["v1", "v2"]
    doubts = pl.read_parquet(get(lake, "doubts").path("doubts.parquet"))
    (report,) = doubts.filter(kind="report").to_dicts()
    assert (report["processid"], report["proposed"]) == (row["processid"], f"species: {label}")
    assert main(["proposals", "--output", str(output)]) == 1  # of which one is unknown
    # Nothing is due until somebody decides.
    assert main(["run", "--output", str(output), "--quiet"]) == 0
    line = {
        "processid": row["processid"], "action": "relabel", "field": "species", "value": label,
        "reason": "misidentified", "evidence": report["evidence"], "date": "2026-02-03",
    }  # fmt: skip
    save(lake, "E. Stur", [line])
    assert main(["run", "--output", str(output), "--quiet"]) == 0
    assert (output / "releases" / "v3").is_dir()
    after = pl.read_parquet(get(lake, "doubts").path("doubts.parquet"))
    found = read_decisions(find(lake).texts)
    states = with_state(after, found.lines.filter(pl.col("problem").is_null()))
    assert states.filter(kind="report").select("id", "state").rows() == [(report["id"], "decided")]
    # Taking the report away removes the doubt, and nothing else.
    (folder(lake, REPORTS) / "users.csv").unlink()
    assert main(["run", "--output", str(output), "--quiet"]) == 0
    assert not (output / "releases" / "v4").exists()
    assert pl.read_parquet(get(lake, "doubts").path("doubts.parquet")).filter(kind="report").is_empty()
