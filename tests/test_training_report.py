"""The figures of a detector as text and as tables."""

from bioscan_etl.training import report

ONE = {"value": 0.5, "low": 0.25, "high": 0.75}
GROUP = {"occupied": 3, "empty": 1, "statuses": {"occupied": {"detected": 3}, "empty": {}}}
RESULT = {
    "detector": "d",
    "part": "all",
    "occupied": 3,
    "empty": 1,
    "coco": {"all": {"specimens": 3, "AP50": 0.9, "AP75": 0.5, "AP": 0.4, "AR": 0.5}},
    "empty_as_empty": 1.0,
    "occupied_as_empty": 0.0,
    "statuses": {"occupied": {"detected": 3}, "empty": {"empty": 1}},
    "sizes": {
        "all": {"specimens": 3, "missed": 0.0, "mask_iou": 0.8, "errors": {"area_fraction": [0.047, 0.366]}},
        "large": {"specimens": 3, "missed": 0.0, "mask_iou": None, "errors": {}},
    },
    "intervals": {"all": {"AP75": ONE, "AR": ONE, "occupied_as_empty": ONE}},
    "groups": {
        "agreed": {**GROUP, "agreed": True, "figures": {"AP75": ONE, "sent": ONE}},
        "disputed": {**GROUP, "agreed": False, "figures": {}},
        "specimen, unsorted": {**GROUP, "agreed": False, "figures": {"AR": ONE}},
    },
    "cpu_ms": 3.25,
}


def test_text_shows_every_figure() -> None:
    lines = report.as_text(RESULT).splitlines()
    assert "images            3 occupied, 1 empty (all)" in lines
    assert "    AP 0.75                 0.500 [0.250, 0.750]" in lines
    assert "    sent to a person        50.0 % [25.0, 75.0]" in lines
    assert "  specimen, unsorted (disputed): 3 occupied, 1 empty" in lines
    assert "    error of area_fraction: 4.7% median, 36.6% at the 90th percentile" in lines


def test_tables_have_a_row_for_each_group() -> None:
    boxes, values, labels = (table.splitlines() for table in report.as_markdown(RESULT).split("\n\n"))
    assert boxes[2:] == [
        "| all 3 | 0.900 | 0.500 [0.250, 0.750] | 0.400 | 0.500 [0.250, 0.750] | 50.0 % [25.0, 75.0] |"
    ]
    assert values[2:] == ["| all 3 | 0.80 | 4.7 %, 36.6 % |  |  |", "| 3 above 5 % |  |  |  |  |"]
    assert [line.split(" | ")[0] for line in labels[2:]] == [
        "| agreed",
        "| disputed",
        "| specimen, unsorted (disputed)",
    ]
    for table in (boxes, values, labels):
        assert len({line.count("|") for line in table}) == 1


def test_without_a_triage_there_is_one_group() -> None:
    alone = {**RESULT, "groups": {"agreed": RESULT["groups"]["agreed"]}}
    assert len(report.as_markdown(alone).split("\n\n")[2].splitlines()) == 3
