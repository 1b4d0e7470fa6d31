"""The figure of scores over releases."""

import xml.etree.ElementTree as ET

from evaluated_scores import NOT_APPLICABLE, scores

from bioscan_etl.evaluation.over_releases import draw_over_releases

SVG = "{http://www.w3.org/2000/svg}"


def test_scores_of_two_releases_are_drawn(tmp_path):
    versions = {"v1": scores({}), "v2": scores({"value": 0.7, "high": 0.75}, {"model": "5-mers"})}
    drawn = draw_over_releases(versions, tmp_path, "tiny")
    assert drawn.path == tmp_path / "over_releases.svg"
    assert drawn.caption.endswith("Data: tiny, v1, v2.")
    root = ET.parse(drawn.path).getroot()
    assert root.find(f"{SVG}title").text == "Headline scores over the releases"
    again = draw_over_releases(versions, tmp_path / "again", "tiny")
    assert again.path.read_bytes() == drawn.path.read_bytes()


def test_a_model_of_one_release_alone_is_not_drawn(tmp_path):
    """Its line would have one point."""
    both = {"v1": scores({}), "v2": scores({})}
    more = {"v1": scores({}), "v2": scores({}, {"model": "5-mers"})}
    one = draw_over_releases(both, tmp_path / "one", "tiny").path.read_bytes()
    assert draw_over_releases(more, tmp_path / "two", "tiny").path.read_bytes() == one


def test_nothing_is_drawn_unless_two_releases_share_a_score(tmp_path):
    assert draw_over_releases({"v1": scores({})}, tmp_path, "tiny") is None
    assert draw_over_releases({"v1": scores({}), "v2": scores({"model": "5-mers"})}, tmp_path, "tiny") is None
    assert draw_over_releases({"v1": scores({}), "v2": scores(NOT_APPLICABLE)}, tmp_path, "tiny") is None
    assert draw_over_releases({"v1": scores(), "v2": scores()}, tmp_path, "tiny") is None
    assert not list(tmp_path.iterdir())


def test_the_last_releases_and_the_best_models_are_drawn(tmp_path):
    rows = [{"model": f"model {number}", "value": number / 20, "low": 0.0, "high": 1.0} for number in range(12)]
    versions = {f"v{number}": scores(*rows) for number in range(1, 12)}
    caption = draw_over_releases(versions, tmp_path / "all", "tiny").caption
    assert caption.endswith("Data: tiny, v4, v5, v6, v7, v8, v9, v10, v11.")
    best = {version: frame[-5:] for version, frame in versions.items()}
    shown = [draw_over_releases(each, tmp_path / name, "tiny").path for name, each in (("a", versions), ("b", best))]
    assert shown[0].read_bytes() == shown[1].read_bytes()
