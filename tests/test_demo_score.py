"""Detection: every planted fact is found, nothing is reported for clean specimens, and a miss is counted as one."""

import shutil
from pathlib import Path

import polars as pl
import pytest

from bioscan_etl.cli import main
from bioscan_etl.demo.kinds import KINDS
from bioscan_etl.demo.score import NOT_PLANTED, SCORE, VALUES, score, summed
from bioscan_etl.errors import LakeError, SourceError
from bioscan_etl.lake import Lake
from bioscan_etl.lake.current import get

SEED = 0


def _run(folder: Path, specimens: int) -> Path:
    assert main(["demo", "--output", str(folder), "--specimens", str(specimens), "--seed", str(SEED)]) == 0
    assert main(["run", "--output", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    return _run(tmp_path_factory.mktemp("small"), 40)


def _with(small: Path, tmp_path: Path, table: str, asset: str, change) -> pl.DataFrame:
    """The score of a copy of the run in which one corpus table reads otherwise."""
    copy = tmp_path / "copy"
    shutil.copytree(small / "lake", copy / "lake")
    shutil.copytree(small / "truth", copy / "truth")
    shutil.copytree(small / "landing", copy / "landing")
    path = get(Lake(copy), asset).path(table)
    change(pl.read_parquet(path)).write_parquet(path)
    return score(copy)


@pytest.mark.slow
def test_every_planted_fact_is_found_and_clean_specimens_are_left_alone(tmp_path):
    result = score(_run(tmp_path, 300))
    assert result.schema == SCORE
    assert result["kind"].to_list()[: len(KINDS)] == list(KINDS)
    missed = result.filter(pl.col("missed") > 0).select("kind", "expected", "missed_at")
    assert missed.is_empty(), missed.to_dicts()
    false = result.filter(pl.col("false_alarms") > 0).select("kind", "expected", "false_alarms_at")
    assert false.is_empty(), false.to_dicts()
    kinds = result.head(len(KINDS))
    assert (kinds["planted"] > 0).all()
    assert (kinds["planted"] == kinds["found"] + kinds["not_scored"]).all()
    # Of every kind something was really looked at.
    assert (kinds["found"] > 0).all()
    assert (kinds["recall"] == 1).all()
    assert (kinds["precision"] == 1).all()


@pytest.mark.slow
def test_a_small_corpus_runs_and_its_facts_are_found(small):
    result = score(small)
    assert result["missed"].sum() == 0
    assert result["false_alarms"].sum() == 0
    held = pl.read_parquet(get(Lake(small), "specimens").path("quarantine.parquet")).height
    assert 40 - held >= 20


@pytest.mark.slow
def test_a_flag_that_is_lost_is_a_miss_with_its_process_id(small, tmp_path):
    truth = pl.read_parquet(small / "truth" / "truth.parquet").filter(pl.col("kind") == "blurred")

    def lose(specimens: pl.DataFrame) -> pl.DataFrame:
        kept = pl.col("flags").list.eval(pl.element().filter(pl.element() != "BLURRED"))
        return specimens.with_columns(flags=kept)

    copy = _with(small, tmp_path, "specimens.parquet", "specimens", lose)
    # The curated table, which is read for accepted specimens, still says it.
    assert copy.filter(pl.col("kind") == "blurred")["found"].to_list() == [1]
    shutil.rmtree(tmp_path / "copy")
    copy = _with(small, tmp_path, "curated.parquet", "curated_taxonomy", lose)
    row = copy.filter(pl.col("kind") == "blurred").to_dicts()[0]
    assert (row["found"], row["missed"], row["recall"]) == (0, 1, 0.0)
    assert row["missed_at"] == truth["processid"].to_list()


@pytest.mark.slow
def test_a_flag_on_a_clean_specimen_is_a_false_alarm(small, tmp_path):
    clean = pl.read_parquet(small / "truth" / "clean.parquet")["processid"]
    curated = pl.read_parquet(get(Lake(small), "curated_taxonomy").path("curated.parquet"))
    victim = curated.filter(pl.col("processid").is_in(clean.implode()))["processid"][0]
    for flag, kind in (("BLURRED", "blurred"), ("SPECIES_GENUS_MISMATCH", NOT_PLANTED)):

        def add(frame: pl.DataFrame, flag: str = flag) -> pl.DataFrame:
            added = (
                pl.when(pl.col("processid") == victim)
                .then(pl.col("flags").list.concat(pl.lit([flag])))
                .otherwise("flags")
            )
            return frame.with_columns(flags=added)

        row = _with(small, tmp_path, "curated.parquet", "curated_taxonomy", add)
        row = row.filter((pl.col("kind") == kind) & (pl.col("expected") == flag)).to_dicts()[0]
        assert row["false_alarms_at"] == [victim]
        assert row["precision"] == (0.5 if row["planted"] else 0.0)
        shutil.rmtree(tmp_path / "copy")


@pytest.mark.slow
def test_a_sound_value_that_changed_is_a_false_alarm(small, tmp_path):
    facts = pl.read_parquet(small / "truth" / "truth.parquet")["processid"].drop_nulls()
    clean = pl.read_parquet(small / "truth" / "clean.parquet")["processid"]
    victim = clean.filter(~clean.is_in(facts.implode()))[0]

    def move(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(
            country=pl.when(pl.col("processid") == victim).then(pl.lit("Freedonia")).otherwise("country")
        )

    row = _with(small, tmp_path, "specimens.parquet", "specimens", move).filter(pl.col("kind") == VALUES).to_dicts()[0]
    assert row["false_alarms_at"] == [f"{victim} country/ocean"]


@pytest.mark.slow
def test_scores_of_several_corpora_add_up(small):
    one = score(small)
    two = summed(pl.concat([one, one]))
    assert two["planted"].sum() == 2 * one["planted"].sum()
    assert two["recall"].equals(one["recall"])


def test_without_a_truth_or_a_run_the_error_says_what_to_do(tmp_path):
    with pytest.raises(SourceError, match="bioscan-etl demo"):
        score(tmp_path)
    (tmp_path / "truth").mkdir()
    pl.DataFrame({"kind": []}).write_parquet(tmp_path / "truth" / "truth.parquet")
    with pytest.raises(LakeError):
        score(tmp_path)
