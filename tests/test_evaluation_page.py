"""The page of an evaluation, as text and in a real browser."""

import pytest
from desk_browser import browser
from evaluated_scores import NOT_APPLICABLE, scores

from bioscan_etl.evaluation import page as pages
from bioscan_etl.evaluation.beside import Earlier
from bioscan_etl.evaluation.page import percent, write_page
from bioscan_etl.extras import MissingExtraError

SEEN = {"task": "seen_species", "rank": "species", "queries": "test", "keys": "train"}
ODD = {"model": "<b>&\x1b[2J", "task": "unseen_genus", "queries": "test_unseen", "keys": "train"}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A corpus with a release, an evaluation of it and one before."""
    output = tmp_path_factory.mktemp("a corpus")
    release = output / "releases" / "v2"
    for name in ("report", "figures"):
        (release / name).mkdir(parents=True)
        (release / name / "index.html").write_text(f"<title>{name}</title>")
    folder = output / "evaluations" / "v2"
    folder.mkdir(parents=True)
    table = scores({}, {"model": "5-mers"}, SEEN, ODD, {**SEEN, "subset": "copies", **NOT_APPLICABLE})
    (folder / "scores.csv").write_text("benchmark\n")
    write_page(
        folder, table, "tiny v2", root=release, before=Earlier({"v1": scores({"value": 0.4, "low": 0.3})}, ("v0",))
    )
    return output


@pytest.fixture(scope="module")
def chromium():
    with browser() as opened:
        yield opened


@pytest.fixture
def opened(chromium, corpus):
    """Opens the page; asserts at the end that it asked nobody, and that nothing on it made an error."""
    held, asked, said = [], [], []

    def open_page(width=1200, scheme="light"):
        shown = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        held.append(shown)
        shown.on("request", lambda request: asked.append(request.url))
        shown.on("console", lambda message: said.append(message.text))
        shown.on("pageerror", lambda error: said.append(str(error)))
        shown.goto((corpus / "evaluations" / "v2" / "index.html").as_uri())
        return shown

    yield open_page
    for shown in held:
        shown.close()
    assert asked
    assert all(url.startswith("file://") for url in asked)
    assert said == []


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (375, "dark")])
def test_the_page_opens_from_a_disk_and_shows_its_figures(opened, width, scheme):
    shown = opened(width, scheme)
    assert shown.title() == "Benchmarks of tiny v2"
    images = shown.locator("figure img")
    assert images.count() == 2
    for number in range(2):
        images.nth(number).scroll_into_view_if_needed()
        images.nth(number).evaluate("one => one.decode()")  # fails if it cannot be shown
    assert shown.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_headline_numbers_stand_first_and_all_others_can_be_opened(opened):
    shown = opened()
    rows = shown.locator("table").first.locator("tbody tr")
    assert rows.count() == 4
    assert rows.nth(0).inner_text().split("\t")[5:7] == ["60.0", "55.0 – 65.0"]
    details = shown.locator("details")
    assert details.count() == 3
    note = shown.get_by_text("not applicable, because there is no query with a label")
    assert not note.is_visible()
    details.nth(1).locator("summary").click()
    assert note.is_visible()


@pytest.mark.parametrize(("link", "title"), [("quality report", "report"), ("figures", "figures")])
def test_the_page_leads_to_the_report_and_the_gallery_of_its_release(opened, link, title):
    shown = opened()
    shown.get_by_role("link", name=link, exact=True).click()
    shown.wait_for_load_state()
    assert shown.title() == title


def test_earlier_releases_are_named_and_those_that_cannot_be_read(opened):
    shown = opened()
    assert shown.get_by_role("link", name="v1", exact=True).get_attribute("href") == "../v1/index.html"
    assert "These evaluations cannot be read and are left out: v0." in shown.locator("main").inner_text()


def test_names_are_never_markup(opened):
    shown = opened()
    assert shown.locator("td b").count() == 0
    assert r"<b>&\x1b[2J" in shown.locator("table").first.inner_text()


def test_a_page_apart_from_its_release_leads_nowhere(tmp_path):
    write_page(tmp_path, scores({}), "tiny v1")
    text = (tmp_path / "index.html").read_text()
    assert "Of the release" not in text
    assert "over-releases" not in text
    assert text.count("<a href") == 2  # the numbers, and the figure


def test_only_pages_that_the_release_has_are_linked(tmp_path):
    release = tmp_path / "releases" / "v 1"
    (release / "figures").mkdir(parents=True)
    (release / "figures" / "index.html").touch()
    folder = tmp_path / "evaluations" / "v 1"
    folder.mkdir(parents=True)
    write_page(folder, scores({}), "tiny v1", root=release)
    text = (folder / "index.html").read_text()
    assert 'href="../../releases/v%201/figures/index.html"' in text
    assert "quality report" not in text


def test_a_release_that_nothing_can_be_asked_of_has_a_page(tmp_path):
    assert [path.name for path in write_page(tmp_path, scores(NOT_APPLICABLE), "tiny v1")] == ["index.html"]
    assert "no query that a benchmark can ask" in (tmp_path / "index.html").read_text()
    write_page(tmp_path, scores(), "tiny v1")
    assert "no query that a benchmark can ask" in (tmp_path / "index.html").read_text()


def test_without_matplotlib_the_page_has_no_figures(tmp_path, monkeypatch):
    def missing(_):
        raise MissingExtraError("this needs matplotlib")

    monkeypatch.setattr(pages, "require_extra", missing)
    assert [path.name for path in write_page(tmp_path, scores({}), "tiny v1")] == ["index.html"]
    text = (tmp_path / "index.html").read_text()
    assert "<figure" not in text
    assert "60.0" in text


def test_a_score_is_shown_of_a_hundred():
    assert [percent(value) for value in (0.65344, 0.0, 1.0, -0.012, None)] == ["65.3", "0.0", "100.0", "-1.2", ""]
