"""A day at the desk: a real server process and a real browser, then the run that applies what was decided."""

import json
import urllib.error
import urllib.request

import polars as pl
import pytest
from desk_browser import doubts, lines, opened, saved, served
from starlette.requests import Request

from bioscan_etl import landing
from bioscan_etl.cli import main
from bioscan_etl.decisions.read import read_decisions
from bioscan_etl.desk.corpus import open_corpus
from bioscan_etl.desk.server import _named, _Refused
from bioscan_etl.doubts.state import with_state
from bioscan_etl.lake import Lake
from bioscan_etl.lake import decisions as files
from bioscan_etl.lake.current import get
from bioscan_etl.progress import silent
from bioscan_etl.settings import Settings
from bioscan_etl.training.dataset import read_annotations
from bioscan_etl.training.reviewed import ANNOTATIONS, Earlier, collect

pytestmark = [pytest.mark.slow]


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    folder = tmp_path_factory.mktemp("desk")
    assert main(["demo", "--output", str(folder), "--specimens", "300"]) == 0
    assert landing.landed(Lake(folder))
    assert main(["run", "--output", str(folder), "--quiet"]) == 0
    return folder


@pytest.fixture(scope="module")
def address(output):
    with served(output) as found:
        yield found


@pytest.fixture(scope="module")
def page(address):
    with opened(address) as found:
        yield found


def post(address, body, **headers):
    kinds = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    request = urllib.request.Request(f"{address}/decide", json.dumps(body).encode(), kinds)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_browsing_decides_nothing_and_every_page_is_without_errors(page, address, output):
    ids = [doubts(output, kind=kind)[0]["id"] for kind in ("typo", "conflict", "duplicate")]
    specimen = doubts(output, rule="IMAGE_STATUS")[0]["processid"]
    pages = ("doubts", "review", "decisions", *(f"doubt/{one}" for one in ids), f"specimen/{specimen}", "")
    for one in pages:
        page.goto(f"{address}/#/{one}")
        page.wait_for_timeout(700)
        assert page.locator("h1").count() == 1
        assert page.locator("main .wrong").count() == 0, one
    assert page.problems == []
    assert not (output / "decisions").exists()


def test_only_the_desks_own_pages_save(page, address, output):
    token = page.locator('meta[name="desk-token"]').get_attribute("content")
    body = {"lines": [{"processid": "A-1", "action": "reject", "reason": "no_insect"}], "take_away": []}
    assert post(address, body, origin=address) == 403  # without the token
    assert post(address, body, x_desk_token=token) == 403  # from no page
    assert post(address, body, x_desk_token=token, origin="http://evil.example") == 403
    assert post(address, body, x_desk_token=token, origin=address, host="evil.example") == 403  # DNS rebinding
    assert post(address, {"lines": [{"action": 1}], "take_away": []}, x_desk_token=token, origin=address) == 400
    assert post(address, {"lines": [{"action": "x"}], "take_away": []}, x_desk_token=token, origin=address) == 409
    assert not (output / "decisions").exists()
    with urllib.request.urlopen(address, timeout=30) as answer:
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert "unsafe-inline" not in answer.headers["content-security-policy"]


def review_by_keyboard(page, address, output, several):
    """Reject the first image, with an undo on the way, and accept the one with several insects."""
    page.goto(f"{address}/#/review?rule=IMAGE_STATUS&state=open")
    page.locator(".facts h2").wait_for()
    shown = page.locator(".facts h2").inner_text()
    page.keyboard.press("r")
    page.locator(".reasons").wait_for()
    assert lines(output) == []
    saved(page, lambda: page.keyboard.press("1"))
    assert [(one["processid"], one["action"], one["reason"]) for one in lines(output)] == [
        (shown, "reject", "no_insect")
    ]
    saved(page, lambda: page.keyboard.press("u"))
    assert lines(output) == []
    saved(page, lambda: (page.keyboard.press("r"), page.keyboard.press("1")))
    for _ in range(len(doubts(output, rule="IMAGE_STATUS"))):
        if page.locator(".facts h2").inner_text() == several["processid"]:
            break
        page.keyboard.press("j")
        page.wait_for_timeout(100)
    saved(page, lambda: page.keyboard.press("a"))
    accepted = [one for one in lines(output) if one["action"] == "accept"]
    assert [(one["processid"], one["field"], one["evidence"]) for one in accepted] == [
        (several["processid"], "IMAGE_STATUS", several["evidence"])
    ]

    return shown


def draw_box(page, address, output):
    """Draw the box of a specimen by mouse, then move and resize it by keys."""
    page.goto(f"{address}/#/review?rule=FRAGMENT")
    page.locator(".stage img").wait_for()
    while not page.locator(".stage img").evaluate("image => image.complete && image.naturalWidth"):
        page.wait_for_timeout(50)
    page.keyboard.press("b")
    page.locator(".drawing").wait_for()
    area = page.locator(".drawing").bounding_box()
    page.mouse.move(area["x"] + area["width"] * 0.3, area["y"] + area["height"] * 0.3)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] * 0.6, area["y"] + area["height"] * 0.7, steps=4)
    page.mouse.up()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    box = page.locator(".drawing").get_attribute("data-box")
    saved(page, lambda: page.keyboard.press("Enter"))
    assert [one["value"] for one in lines(output) if one["action"] == "box"] == [box]

    return box


def test_a_day(page, address, output):
    held = doubts(output, rule="IMAGE_STATUS")
    (several,) = [one for one in held if (one["why"] or "").startswith("multiple")]
    shown = review_by_keyboard(page, address, output, several)
    (fragment,) = doubts(output, rule="FRAGMENT")
    box = draw_box(page, address, output)

    # A typo and a conflict, each by one of its buttons.
    (typo,) = doubts(output, kind="typo")
    page.goto(f"{address}/#/doubt/{typo['id']}")
    saved(page, page.get_by_role("button", name="It is a typo").click)
    (conflict,) = doubts(output, rule="BARCODE_CONFLICT")
    page.goto(f"{address}/#/doubt/{conflict['id']}")
    saved(page, page.get_by_role("button", name="All are species").first.click)

    # A country.
    (place,) = doubts(output, rule="COUNTRY_INVALID")
    page.goto(f"{address}/#/specimen/{place['processid']}")
    form = page.locator("form.decide", has_text="Set the place")
    form.get_by_label("Value").fill("China")
    saved(page, form.get_by_role("button").click)
    assert page.problems == []

    wanted = {
        ("reject", shown, ""),
        ("accept", several["processid"], ""),
        ("box", fragment["processid"], box),
        ("set", place["processid"], "China"),
        ("merge", typo["name"], typo["proposed"]),
    }
    found = {(one["action"], one["processid"] or one["name"], one["value"]) for one in lines(output)}
    assert found >= wanted
    assert len(lines(output)) == len(wanted) + 1  # and the label of the conflict
    assert all(one["curator"] == "Ada Lovelace" for one in lines(output))

    # The next run applies exactly these, and the doubts are decided.
    assert main(["run", "--output", str(output), "--quiet"]) == 0
    lake = Lake(output)
    effects = pl.concat(
        pl.read_parquet(get(lake, stage).path("decision_effects.parquet"))
        for stage in ("drawn_boxes", "specimens", "curated_taxonomy")
    )
    assert effects["status"].to_list() == ["applied"] * 6
    decided = [one["id"] for one in (several, typo, conflict, place)] + [
        one["id"] for one in held if one["processid"] == shown
    ]
    now = pl.read_parquet(get(lake, "doubts").path("doubts.parquet"))
    read = read_decisions(files.find(lake).texts).lines
    states = with_state(now, read.filter(pl.col("problem").is_null()))
    assert set(states.filter(pl.col("id").is_in(decided))["state"]) == {"decided"}
    assert states.filter(pl.col("id").is_in(decided)).height == len(decided)
    assert states.filter(processid=fragment["processid"], kind="image")["state"].unique().to_list() == ["decided"]

    # The detector's training learns the drawn box to the pixel, and a readable image without an insect as an empty one.
    # The image of the first rejected specimen cannot be read; the counts say so.
    (bare,) = [one for one in held if (one["why"] or "").startswith("empty")]
    line = {"processid": bare["processid"], "action": "reject", "reason": "no_insect", "evidence": bare["evidence"]}
    token = page.locator('meta[name="desk-token"]').get_attribute("content")
    assert post(address, {"lines": [line], "take_away": []}, x_desk_token=token, origin=address) == 200
    made, _ = collect(lake, Settings(), None, [], Earlier(), silent)
    assert made.counts["reviewed"] == {"box": 1, "empty": 1}
    assert [(one["processid"], one["why"]) for one in made.counts["decisions_left_out"]] == [
        (shown, "its image cannot be read")
    ]
    learnt = read_annotations(made.path(ANNOTATIONS))
    edges = [None if image.box is None else " ".join(str(round(edge)) for edge in image.box) for image in learnt]
    for processid, wanted_edges in ((fragment["processid"], box), (bare["processid"], None)):
        (place,) = [place for place, image in enumerate(learnt) if processid in image.file_name]
        assert edges[place] == wanted_edges
        assert (made.folder / "images" / learnt[place].file_name).stat().st_size > 0

    # Taking all lines away opens them again.
    open_again = with_state(now, read.clear())
    assert set(open_again["state"]) == {"open"}


def request(**headers):
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": pairs})


def test_the_curator_is_whom_the_proxy_names(tmp_path):
    corpus = open_corpus(tmp_path, "Ada")
    assert _named(corpus, request(remote_user=" Zoé Ångström "), "Remote-User") == "Zoé Ångström"
    for wrong in ("", "  ", "💥", "a" * 3_000, "a\u202eb"):
        with pytest.raises(_Refused) as refused:
            _named(corpus, request(remote_user=wrong, curator="Ada"), "Remote-User")
        assert refused.value.status == 403
    with pytest.raises(_Refused, match="no header Remote-User"):
        _named(corpus, request(x_remote_user="Ada"), "Remote-User")


def test_one_curator_or_a_header_and_not_both(tmp_path, capsys):
    assert main(["desk", str(tmp_path), "--curator", "Ada", "--curator-header", "Remote-User"]) == 2
    assert "give one of the two" in capsys.readouterr().err
