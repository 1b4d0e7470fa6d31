"""The page of the figures, in a real browser."""

import shutil

import drawn_release
import pytest

from bioscan_etl.statistics.figures import draw_figures
from bioscan_etl.statistics.gallery import Shown, write_gallery

CHROMIUM = shutil.which("chromium")


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


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is missing: apt-get install chromium")
@pytest.mark.parametrize("width", [1200, 400])
def test_the_page_opens_from_a_disk_and_asks_nobody(tmp_path, release, width):
    from playwright.sync_api import sync_playwright

    names = ["missing_labels", "site_map", "barcode_strip"]
    draw_figures(release, tmp_path, names)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 900})
        asked, said = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.goto((tmp_path / "index.html").as_uri())
        page.wait_for_load_state("networkidle")
        for name in names:
            page.locator(f"#{name}").scroll_into_view_if_needed()
            page.wait_for_function(f"document.querySelector('#{name} img').naturalWidth > 0")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        browser.close()
    assert all(url.startswith("file://") for url in asked)
    assert said == []
