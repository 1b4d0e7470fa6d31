"""Hostile texts wherever the desk shows data: nothing runs, nothing breaks out, and all of it is accessible."""

import csv

import pytest
from decided import csv_of
from desk_browser import browser, faults, served, show, watched
from desk_corpus import HOSTILE, write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

UNKNOWN = ("#/doubt/unknown", "#/specimen/unknown", "#/specimen/%3Cscript%3Ewindow.ran%3D1%3C%2Fscript%3E")


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile") / "<b>corpus"


@pytest.fixture(scope="module")
def found(output):
    found = write(output, 80, HOSTILE, images=6)
    notes = [text[:1900] for text in HOSTILE]
    rows = [
        {"processid": f"DSKAA{number:06d}-26", "action": "reject", "reason": "no_insect", "note": note, "curator": note}
        for number, note in enumerate(notes, 50)
    ]
    folder = output / "decisions"
    folder.mkdir()
    (folder / "a.csv").write_text(csv_of(rows))
    (folder / "<img src=x onerror=alert(1)>.csv").write_text(csv_of(rows[:2]))
    (folder / "refused.csv").write_text("<script>window.ran=1</script>,action\n1,2\n")
    return found


@pytest.fixture(scope="module")
def page(output, found):
    with served(output, curator="Ada <b>Lovelace</b>") as address, browser() as opened:
        page = watched(opened.new_page(viewport={"width": 1400, "height": 900}))
        page.goto(address)
        page.wait_for_selector("body[data-ready]")
        yield page


def pages(found):
    """Every page; of the doubts with a page of their own, those of each kind with different texts."""
    groups = found.filter(found["kind"].is_in(["typo", "conflict", "species", "duplicate"]))
    some = groups.group_by("rule", maintain_order=True).head(20)
    specimens = [f"DSKAA{number:06d}-26" for number in range(20)]
    return [
        *("#/", "#/doubts", "#/doubts?state=open&sort=label_made", "#/review", "#/decisions", *UNKNOWN),
        "#/doubts?q=%3Cb%3E&kind=%22",
        *(f"#/specimen/{one}" for one in specimens),
        *(f"#/doubt/{one}" for one in some["id"]),
    ]


def test_hostile_texts_do_nothing_and_fit(page, found):
    page.set_viewport_size({"width": 600, "height": 900})
    strange = (
        "document.querySelectorAll('main script, main iframe, main bdi *, main b b, main img:not([src*=\".jpg\"])')"
    )
    for one in pages(found):
        page.problems.clear()
        show(page, one)
        # Chromium complains of every answer that is no success.
        assert [said for said in page.problems if one not in UNKNOWN or "404" not in said] == [], one
        assert page.evaluate("window.ran ?? null") is None, one
        assert page.evaluate(f"{strange}.length") == 0, one
        assert page.evaluate("document.documentElement.scrollWidth") <= 600, one
    page.set_viewport_size({"width": 1400, "height": 900})


def test_a_downloaded_list_has_no_formulas(page, found, tmp_path):
    show(page, "#/doubts")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download CSV").click()
    waiting.value.save_as(tmp_path / "doubts.csv")
    rows = list(csv.DictReader((tmp_path / "doubts.csv").read_text().splitlines(keepends=True)))
    assert len(rows) == found.height
    cells = [cell for row in rows for cell in row.values()]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "\t", "\r")) or cell.startswith("-2+3")]
    for text in HOSTILE:
        if text.startswith(("=", "+", "@", "-")):
            assert f"'{text}" in cells


def test_axe_finds_nothing(page, found):
    of_kinds = found.filter(found["kind"].is_in(["typo", "conflict", "species", "duplicate"])).unique(
        "rule", keep="first"
    )
    wanted = ["#/", "#/doubts", "#/review", "#/decisions", "#/specimen/DSKAA000000-26", "#/specimen/DSKAA000010-26",
              *(f"#/doubt/{one}" for one in of_kinds["id"])]  # fmt: skip
    said = {}
    for width in (1400, 600):
        page.set_viewport_size({"width": width, "height": 900})
        for one in wanted:
            show(page, one)
            said[one, width] = faults(page)
    assert {place: one for place, one in said.items() if one} == {}
