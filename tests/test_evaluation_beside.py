"""Where evaluations lie, and those before one."""

from pathlib import Path

import pytest
from evaluated_scores import scores

from bioscan_etl.evaluation.beside import NONE_BEFORE, beside, earlier, read_scores


@pytest.mark.parametrize(
    ("release", "folder"),
    [("/out/releases/v3", "/out/evaluations/v3"), ("/downloads/bioscan", "/downloads/bioscan-evaluation")],
)
def test_an_evaluation_lies_beside_its_release(release, folder):
    assert beside(Path(release)) == Path(folder)


def test_earlier_evaluations_are_in_order_and_what_cannot_be_read_is_named(tmp_path):
    for version in ("v1", "v2", "v9", "v10", "v11"):
        (tmp_path / "evaluations" / version).mkdir(parents=True)
    for version in ("v1", "v9", "v11"):
        scores({"release": f"tiny {version}"}).write_parquet(tmp_path / "evaluations" / version / "scores.parquet")
    (tmp_path / "evaluations" / "v2" / "scores.parquet").write_bytes(b"PAR1 no")
    found = earlier(tmp_path / "evaluations" / "v10")
    assert list(found.scores) == ["v1", "v9"]
    assert found.scores["v9"]["release"].to_list() == ["tiny v9"]
    assert found.damaged == ("v2",)


def test_a_folder_elsewhere_has_none_before_it(tmp_path):
    assert earlier(tmp_path / "mine") == NONE_BEFORE
    assert earlier(tmp_path / "evaluations" / "mine") == NONE_BEFORE
    assert earlier(tmp_path / "evaluations" / "v1") == NONE_BEFORE


def test_scores_of_other_columns_cannot_be_read(tmp_path):
    scores({}).drop("shuffled").write_parquet(tmp_path / "scores.parquet")
    assert read_scores(tmp_path) is None
    assert read_scores(tmp_path / "absent") is None
