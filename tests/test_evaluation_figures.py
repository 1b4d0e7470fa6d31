"""Figures of scores."""

import xml.etree.ElementTree as ET

import pytest
from evaluated_scores import NOT_APPLICABLE, scores
from PIL import Image

from bioscan_etl.evaluation.figures import draw_scores, panels, reach

SVG = "{http://www.w3.org/2000/svg}"
SEEN = {"task": "seen_species", "rank": "species", "queries": "test", "keys": "train"}


def test_a_figure_says_what_it_is_and_is_the_same_each_time(tmp_path):
    table = scores({}, {"model": "5-mers"}, SEEN)
    drawn = draw_scores(table, "barcodebert", tmp_path, "tiny v1")
    assert drawn.path == tmp_path / "barcodebert.svg"
    assert drawn.caption.endswith("Data: tiny v1.")
    root = ET.parse(drawn.path).getroot()
    assert root.find(f"{SVG}title").text == "BarcodeBERT: species and genus from DNA"
    assert root.find(f"{SVG}desc").text == drawn.caption
    with Image.open(drawn.path.with_suffix(".png")) as image:
        assert image.width > 500
    again = draw_scores(table, "barcodebert", tmp_path / "again", "tiny v1")
    for ending in (".svg", ".png"):
        assert again.path.with_suffix(ending).read_bytes() == drawn.path.with_suffix(ending).read_bytes()


@pytest.mark.parametrize("rows", [[], [NOT_APPLICABLE], [{"subset": "rest"}], [{"benchmark": "shortcuts"}]])
def test_without_headline_scores_nothing_is_drawn(tmp_path, rows):
    assert draw_scores(scores(*rows), "barcodebert", tmp_path, "tiny v1") is None
    assert not list(tmp_path.iterdir())


def test_a_panel_is_of_one_task_one_set_of_queries_and_one_rank():
    retrieval = {"benchmark": "retrieval", "task": "dna_to_dna", "keys": "train"}
    found = panels(
        scores(
            {**retrieval, "queries": "test", "rank": "order"},
            {**retrieval, "queries": "test", "rank": "species", "n": 1234},
            {**retrieval, "queries": "test_unseen", "rank": "species"},
            SEEN,
        )
    )
    assert [(panel.title, panel.asked) for panel in found] == [
        ("DNA to DNA", "order; test in train; n = 1,000"),
        ("DNA to DNA", "species; test_unseen in train; n = 1,000"),
        ("Species of a known species", "species; test in train; n = 1,000"),
    ]
    assert [len(panel.rows) for panel in found] == [1, 1, 1]


def test_no_panel_has_more_models_than_one_can_read():
    [panel] = panels(scores(*({"model": f"model {number}"} for number in range(40))))
    assert len(panel.rows) == 14


def test_an_interval_beside_its_score_begins_at_the_score():
    low, high = reach([{"value": 0.5, "low": 0.4, "high": 0.7}, {"value": 0.8, "low": 0.5, "high": 0.75}])
    assert low == pytest.approx([10, 30])
    assert high == pytest.approx([20, 0])


def test_names_of_models_are_never_markup(tmp_path):
    odd = {"model": "$x^2$ <script> & \x1b[2J" + "x" * 200, "shuffled": None, "majority": None}
    path = draw_scores(scores(odd), "barcodebert", tmp_path, "tiny <v1> & more").path
    assert ET.parse(path).getroot().find(f"{SVG}desc").text.endswith("Data: tiny <v1> & more.")
