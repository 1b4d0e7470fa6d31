"""The documentation site: built strictly, complete, and it fetches nothing from other hosts."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ZENSICAL = Path(sys.executable).with_name("zensical")
CHROMIUM = shutil.which("chromium")
CONFIG = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")


def test_every_page_is_in_the_menu():
    listed = set(re.findall(r"([\w/-]+\.md)$", CONFIG.split("\nnav:\n", 1)[1], re.M))
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    assert listed == {page for page in pages if not page.startswith("reference/rules/")}


def test_the_build_is_strict():
    assert "\nstrict: true\n" in CONFIG
    assert "--strict" in (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "make docs" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def build(folder, **pages):
    """Build the site of a copy of the docs, with some pages replaced; returns the outcome."""
    shutil.copytree(ROOT / "docs", folder / "docs")
    shutil.copy(ROOT / "mkdocs.yml", folder)
    (folder / "bioscan_etl").symlink_to(ROOT / "bioscan_etl")
    for name, text in pages.items():
        (folder / "docs" / f"{name}.md").write_text(text)
    command = [ZENSICAL, "build", "--strict", "--clean", "--config-file", folder / "mkdocs.yml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def require_zensical():
    if not ZENSICAL.exists():
        if os.environ.get("BIOSCAN_REQUIRE_BROWSER"):
            pytest.fail("zensical is missing in CI: make docs installs it")
        pytest.skip("zensical is missing: make docs installs it")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    require_zensical()
    folder = tmp_path_factory.mktemp("site")
    done = build(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "build" / "site"


@pytest.mark.slow
def test_each_page_is_built(site):
    for page in (ROOT / "docs").rglob("*.md"):
        assert (site / page.relative_to(ROOT / "docs").with_suffix(".html")).is_file()


@pytest.mark.slow
def test_no_page_asks_another_host_for_anything(site):
    fetched = re.compile(r"<(?:script|img|iframe|link)\b[^>]*?(?:src|href)=[\"']?(https?:|//)[^>]*>")
    for page in site.rglob("*.html"):
        found = [
            one[0] for one in fetched.finditer(page.read_text(encoding="utf-8")) if 'rel="canonical"' not in one[0]
        ]
        assert found == [], page.name


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["[x](nowhere.md)", "[x](glossary.md#nowhere)"])
def test_a_broken_link_fails_the_build(tmp_path, broken):
    require_zensical()
    done = build(tmp_path, questions=f"# Questions\n\n{broken}\n")
    assert done.returncode != 0, done.stdout


@pytest.fixture
def browser():
    if CHROMIUM is None:
        if os.environ.get("BIOSCAN_REQUIRE_BROWSER"):
            pytest.fail("chromium is missing in CI")
        pytest.skip("chromium is missing: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.mark.slow
@pytest.mark.parametrize("width", [1400, 420])
def test_pages_fit_and_fetch_nothing(site, web_folder, browser, width):
    home = web_folder(site)
    page = browser.new_page(viewport={"width": width, "height": 900})
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    for name in ("index", "reference/stages", "reference/settings", "reference/api", "specification/splits"):
        page.goto(f"{home}/{name}.html")
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), name
    assert [url for url in asked if not url.startswith((home, "data:", "blob:"))] == []


@pytest.mark.slow
def test_the_search_finds_a_page_without_network(site, web_folder, browser):
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto(f"{web_folder(site)}/index.html")
    page.wait_for_load_state("networkidle")
    page.keyboard.press("Control+k")
    page.keyboard.type("crop margin")
    page.get_by_text(re.compile("crop", re.I)).nth(1).wait_for(timeout=20_000)
    assert "Search is unavailable" not in page.content()
