"""What makes a tuned detector worse than the current one, and how both are shown."""

from pathlib import Path

from bioscan_etl.assets.detector import SheetConfig
from bioscan_etl.assets.promotion import ValidationConfig
from bioscan_etl.training.tuning import FROM_WEIGHTS
from bioscan_etl.training.verdict import figures, table, worse

DOCS = (Path(__file__).parents[1] / "docs" / "how-to" / "fine-tune.md").read_text()


def test_the_verdict_allows_the_tolerance_and_no_more_confusion():
    same = {"AP75": 0.7, "AR": 0.7, "empty dishes not reported empty": 2, "occupied dishes reported empty": 1}
    assert worse(same, same, 0.02) == []
    assert worse(same, same | {"AP75": 0.681, "AR": 0.9}, 0.02) == []
    assert worse(same, same | {"AR": 0.67}, 0.02) == ["AR 0.670 after 0.700, allowed is a fall of 0.02"]
    for name in ("empty dishes not reported empty", "occupied dishes reported empty"):
        assert worse(same, same | {name: 3, "AP75": 1.0}, 0.02) == [f"3 {name} after {same[name]}"]
        assert worse(same, same | {name: 0}, 0.02) == []


def test_figures_count_what_is_confused_and_a_detector_without_boxes_has_none():
    statuses = {"occupied": {"detected": 6, "empty": 2}, "empty": {"empty": 3, "multiple": 1}}
    measured = {"occupied": 8, "empty": 4, "statuses": statuses, "coco": {}}
    found = figures(measured)
    assert found == {
        **dict.fromkeys(("AP50", "AP75", "AP", "AR"), 0.0),
        "empty dishes not reported empty": 1,
        "occupied dishes reported empty": 2,
    }
    sure = figures(measured | {"coco": {"all": {"AP50": 1.0, "AP75": 0.91237, "AP": 0.8, "AR": 0.85}}})
    assert sure["AP75"] == 0.9124
    text = table({"current": found, "tuned": sure})
    assert "| AP75 | 0.0 | 0.9124 |" in text
    assert "| occupied dishes reported empty | 2 | 2 |" in text


def test_what_the_page_says_are_the_defaults():
    defaults = ValidationConfig()
    assert f"`tolerance` ({defaults.tolerance})" in DOCS
    assert f"`least` ({defaults.least})" in DOCS
    assert f"{SheetConfig().most} images" in DOCS
    plan = FROM_WEIGHTS
    assert f"{plan.epochs} epochs, {plan.windows:,} windows, a learning rate of {plan.rate}" in DOCS
