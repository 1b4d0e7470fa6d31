"""The UI in a real browser, with batches that its sensor ingests."""

import shutil
import time

import pytest
from ui_process import ui

from bioscan_etl.cli import main
from bioscan_etl.lake import Lake
from bioscan_etl.lake.record import find_record
from bioscan_etl.landing import load
from bioscan_etl.stages.registry import BATCH_STAGES, STAGES

CHROMIUM = shutil.which("chromium")
# Chromium's background traffic has nowhere to go in a closed network.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip

pytestmark = [pytest.mark.slow]


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("chromium is missing: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ui")
    assert main(["demo", "--output", str(folder), "--specimens", "40"]) == 0
    return folder


@pytest.fixture(scope="module")
def server(output):
    """`bioscan-etl ui` that ingests the batches and makes no release; yields its port."""
    (output / "settings.toml").write_text("[automation]\nrelease_when_settled = false\n")
    with ui(output) as running:
        yield running.port


def open_page(browser, url, width=1800, height=1100):
    page = browser.new_page(viewport={"width": width, "height": height})
    # The UI asks its vendor's servers for news; there is no network here, and none is wanted.
    page.route(lambda address: "127.0.0.1" not in address, lambda route: route.abort())
    page.goto(url)
    return page


def test_a_batch_is_materialised_and_the_graph_shows_it(browser, output, server):
    lake = Lake(output)
    name = sorted(path.parent.name for path in lake.landing.glob("*/batch.json"))[0]
    deadline = time.monotonic() + 240
    while (record := find_record(lake, name)) is None or record.delivery != load(lake, name).fingerprint:
        assert time.monotonic() < deadline, f"batch {name} is not ingested"
        time.sleep(1)

    page = open_page(browser, f"http://127.0.0.1:{server}/asset-groups", width=3600, height=2000)
    page.get_by_text("extract", exact=True).first.wait_for(timeout=60_000)
    page.wait_for_timeout(1000)
    page.keyboard.press("Alt+e")  # opens all groups
    drawn: list[str] = []
    deadline = time.monotonic() + 60
    while len(drawn) < 10:
        # Where Dagster lays a group differs from time to time, so no asset is sure to be in the view.
        assert time.monotonic() < deadline, f"of the assets, the graph shows only {drawn}"
        page.wait_for_timeout(500)
        drawn = [asset for asset in STAGES if page.get_by_text(asset, exact=True).count()]
    shot = output / "graph.png"
    page.wait_for_timeout(2000)
    page.screenshot(path=shot)
    assert shot.stat().st_size > 50_000, "the screenshot is blank"
    # The graph is larger than a screen, and what lies outside of the view is not in the page. The lists are whole.
    shown = (*BATCH_STAGES, "specimens", "curated_taxonomy", "partitions", "release_manifest", "quality_report")
    for group in dict.fromkeys(STAGES[asset].group for asset in shown):
        page.goto(f"http://127.0.0.1:{server}/locations/bioscan_etl/asset-groups/{group}/list")
        for asset in (asset for asset in shown if STAGES[asset].group == group):
            page.get_by_text(asset, exact=True).first.wait_for(timeout=60_000)

    page.goto(f"http://127.0.0.1:{server}/assets/raw_records")
    page.get_by_text("One row per specimen of the batch", exact=False).first.wait_for(timeout=60_000)
    page.screenshot(path=output / "asset.png")


def test_the_sensors_and_the_schedule_are_there(browser, server):
    page = open_page(browser, f"http://127.0.0.1:{server}/automation")
    page.get_by_text("new_batches", exact=True).first.wait_for(timeout=60_000)
    page.get_by_text("release_when_settled", exact=True).first.wait_for(timeout=60_000)
    page.get_by_text("nightly_release", exact=True).first.wait_for(timeout=60_000)


def test_the_reports_open_offline_and_whole(browser, output):
    assert main(["run", "--output", str(output)]) == 0
    report = output / "releases" / "latest" / "report" / "index.html"
    page = browser.new_page(viewport={"width": 1200, "height": 1600})
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    broken = []
    page.on("requestfailed", lambda request: broken.append(request.url))
    page.goto(report.as_uri())
    assert all(url.startswith(("file:", "data:")) for url in asked), asked
    assert not broken, broken
    assert page.locator("h1").count() == 1
    assert page.locator("table").count() >= 3
    page.screenshot(path=output / "report.png", full_page=True)
