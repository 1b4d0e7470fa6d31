"""The drawing of the flow of data shows the stages and what they read."""

import xml.etree.ElementTree as ET

from bioscan_etl import reference_flow
from bioscan_etl.stages.registry import STAGES, Scope, Stage

SVG = "{http://www.w3.org/2000/svg}"


def stage(name, *reads):
    return Stage(name, Scope.BATCH, "", "", (), reads=dict.fromkeys(reads, ()))


def test_a_line_that_a_longer_way_implies_is_left_out():
    stages = [stage("a"), stage("b", "a"), stage("c", "a", "b")]
    assert reference_flow.arrows(stages) == {("a", "b"), ("b", "c")}


def test_every_stage_stands_below_what_it_reads():
    stages = list(STAGES.values())
    lines = reference_flow.arrows(stages)
    level = {item: row for row, items in enumerate(reference_flow.rows(stages, lines)) for item in items}
    assert {name for name in level if isinstance(name, str)} == set(STAGES)
    for one in STAGES.values():
        assert all(level[read] < level[one.name] for read in (*one.reads, *one.after))


def test_a_long_line_passes_through_the_rows_between():
    stages = [stage("a"), stage("b", "a"), stage("c", "b"), stage("x"), stage("d", "c", "x")]
    found = reference_flow.rows(stages, reference_flow.arrows(stages))
    assert [{*items} for items in found] == [{"a", "x"}, {"b", ("x", "d", 1)}, {"c", ("x", "d", 2)}, {"d"}]


def test_the_drawing_names_each_stage_once_and_draws_each_line():
    root = ET.fromstring(reference_flow.flow_svg(STAGES.values()))
    names = [text.text for text in root.iter(f"{SVG}text")]
    assert all(names.count(name) == 1 for name in STAGES)
    paths = [path for path in root.iter(f"{SVG}path") if path.get("marker-end")]
    assert len(paths) == len(reference_flow.arrows(STAGES.values()))


def test_boxes_do_not_overlap():
    root = ET.fromstring(reference_flow.flow_svg(STAGES.values()))
    boxes = [(float(r.get("x")), float(r.get("y"))) for r in root.iter(f"{SVG}rect") if r.get("width") == "154"]
    assert len(boxes) == len(STAGES)
    for number, (x, y) in enumerate(boxes):
        assert all(abs(x - u) >= 154 or abs(y - v) >= 26 for u, v in boxes[number + 1 :])


def test_it_fetches_nothing():
    text = reference_flow.flow_svg(STAGES.values())
    assert text.count("http") == 1  # the name of the format
