"""The page of the figures, in a real browser."""

import io
import shutil
from importlib import resources

import drawn_release
import pytest
from PIL import Image

from bioscan_etl.statistics.figures import draw_figures
from bioscan_etl.statistics.gallery import Shown, write_gallery

CHROMIUM = shutil.which("chromium")
NAMES = ["missing_labels", "treemap_class", "site_map", "barcode_strip", "distances_class"]


@pytest.fixture(scope="module")
def release():
    return drawn_release.of(drawn_release.rows(20))


def test_the_page_links_to_the_figures_and_in_a_release_to_the_numbers(tmp_path, release):
    text = write_gallery(
        tmp_path, [Shown("site_map", "a < b"), Shown("barcode_gap", "c", "species_audit")], release, tables=True
    ).read_text()
    assert "20 specimens" in text
    assert "a &lt; b" in text
    assert text.count("<figure") == 2
    assert 'href="../statistics/species_audit.csv"' in text
    alone = write_gallery(tmp_path, [Shown("barcode_gap", "c", "species_audit")], release, tables=False).read_text()
    assert "../statistics" not in alone


@pytest.fixture(scope="module")
def chromium():
    if CHROMIUM is None:
        pytest.skip("chromium is missing: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, release):
    drawn = tmp_path_factory.mktemp("figures")
    draw_figures(release, drawn, NAMES)
    return drawn


@pytest.fixture
def opened(chromium, folder):
    """Opens the page; asserts at the end that it asked nobody, and that its script and policy made no error."""
    pages, asked, said = [], [], []

    def open_page(width=1200, scheme="light"):
        page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        pages.append(page)
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto((folder / "index.html").as_uri())
        return page

    yield open_page
    for page in pages:
        page.close()
    assert all(url.startswith("file://") for url in asked)
    assert said == []


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (375, "dark")])
def test_the_page_opens_from_a_disk_and_asks_nobody(opened, width, scheme):
    page = opened(width, scheme)
    for name in NAMES:
        image = page.locator(f"#{name} img")
        image.scroll_into_view_if_needed()
        image.evaluate("one => one.decode()")  # fails if it cannot be shown
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    # Letters of 10 points are drawn at 8 pixels at least: of six inches, 72 points each.
    assert page.locator("#missing_labels img").bounding_box()["width"] * 10 / (6 * 72) > 7.5


def test_a_figure_is_dark_on_a_dark_page(opened):
    corner = {}
    for scheme in ("light", "dark"):
        image = opened(1200, scheme).locator("#missing_labels img")
        image.scroll_into_view_if_needed()
        image.evaluate("one => one.decode()")
        with Image.open(io.BytesIO(image.screenshot())) as shot:
            corner[scheme] = shot.convert("L").getpixel((6, 6))
    assert corner["light"] > 240
    assert corner["dark"] < 40


def test_taxa_are_opened_and_left_by_keyboard(opened):
    page = opened()
    tiles = page.locator("#explore-taxa .tile")
    assert [tiles.nth(n).inner_text() for n in range(tiles.count())] == ["Insecta 20"]
    tiles.first.focus()
    page.keyboard.press("Enter")
    names = [tiles.nth(n).get_attribute("aria-label") for n in range(tiles.count())]
    assert names[0].startswith("$x^2$ <script>: 7 specimens (35.0 % of those shown); ")
    page.keyboard.press("ArrowRight")
    assert "Diptera: 7 specimens" in page.locator("#explore-taxa [aria-live]").inner_text()
    page.keyboard.press("Escape")
    assert tiles.count() == 1
    assert page.evaluate("document.activeElement.className").startswith("tile")


def test_the_map_moves_by_keyboard_and_tells_the_sites_in_view(opened):
    page = opened()
    map_ = page.locator("#explore-places svg")
    whole = map_.get_attribute("viewBox")
    said = page.locator("#explore-places [aria-live]")
    assert said.inner_text().startswith("20 sites in view")
    map_.focus()
    for _ in range(3):
        page.keyboard.press("+")
    page.keyboard.press("ArrowLeft")
    assert map_.get_attribute("viewBox") != whole
    assert not said.inner_text().startswith("20 sites")
    page.keyboard.press("0")
    assert map_.get_attribute("viewBox") == whole
    assert page.locator("#explore-places li").count() == 10


def test_distances_are_sorted_and_searched(opened):
    page = opened()
    rows = page.locator("#explore-distances tr th[scope=row]")
    page.locator("#explore-distances select").first.select_option("order")
    assert rows.all_inner_texts() == sorted(drawn_release.ODD)
    page.locator("#explore-distances select").nth(1).select_option("mean distance")
    means = page.locator("#explore-distances tr td:nth-child(3)").all_inner_texts()
    assert means == sorted(means, reverse=True)
    page.locator("#explore-distances input").fill("dip")
    assert rows.all_inner_texts() == ["Diptera"]


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (375, "dark")])
def test_the_page_has_no_fault_that_axe_finds(opened, width, scheme):
    page = opened(width, scheme)
    script = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
    page.evaluate(f"() => {{ {script} }}")
    found = page.evaluate(
        """async () => (await axe.run({ resultTypes: ["violations"] })).violations
        .map((one) => `${one.id}: ${one.nodes[0].html.slice(0, 200)}`)"""
    )
    assert found == []


def test_a_page_without_what_can_be_explored_has_no_script(tmp_path, release):
    text = write_gallery(tmp_path, [Shown("missing_labels", "c", "missing")], release, tables=False).read_text()
    assert "<script" not in text


def test_data_of_the_page_are_no_markup(folder):
    text = (folder / "index.html").read_text()
    assert text.count("<script") == text.count("</script>") == 2
    assert "$x^2$ \\u003cscript\\u003e" in text
