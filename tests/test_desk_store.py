"""What an open page of the desk knows while others decide, and while a run lists the doubts anew."""

import polars as pl
import pytest
from desk_browser import lines, opened, saved, served, show
from desk_lake import corpus_of

from bioscan_etl.decisions.write import save
from bioscan_etl.lake.current import point
from bioscan_etl.schema import DOUBTS

pytestmark = pytest.mark.slow

ROWS = [
    {"processid": "A-1", "flags": ["COUNTRY_INVALID"]},
    {"processid": "A-2", "flags": ["COUNTRY_INVALID"]},
    {"processid": "A-3", "flags": ["BLURRED"]},
]
RETURN = "document.dispatchEvent(new Event('visibilitychange'))"
REJECT = {"processid": "A-2", "action": "reject", "reason": "broken", "date": "2026-01-31"}


def state(page, name):
    return page.locator(".row", has_text=name).locator(".state").inner_text()


def test_an_open_page_follows_other_curators_and_the_next_run(tmp_path):
    corpus = corpus_of(tmp_path, ROWS)
    with served(tmp_path) as address, opened(f"{address}/#/doubts") as page:
        page.locator(".row").first.wait_for()
        asked = []
        page.on("request", lambda one: asked.append(one.url) if "states.json" in one.url else None)
        row = page.locator(".row", has_text="A-1")
        saved(page, row.get_by_role("button", name="Sound").click)
        assert [one["processid"] for one in lines(tmp_path)] == ["A-1"]
        assert state(page, "A-1").startswith("keep COUNTRY_INVALID by Ada Lovelace")
        # Another curator decides; the page is told the difference, and keeps what it knew.
        save(corpus.lake, "Bert", [REJECT])
        page.evaluate(RETURN)
        page.locator(".row", has_text="A-2").locator(".state.decided", has_text="reject by Bert").wait_for()
        assert state(page, "A-1").startswith("keep COUNTRY_INVALID by Ada Lovelace")
        assert asked[-1].partition("?have=")[2]
        # A run: the doubt about A-1 is no more, so that every row is another one.
        with corpus.lake.writing("doubts", "2" * 64, made_from={}) as draft:
            draft.write(DOUBTS, corpus.doubts().select(DOUBTS.names()).filter(pl.col("processid") != "A-1"))
        point(corpus.lake, "doubts", "2" * 64)
        page.evaluate(RETURN)
        page.locator(".saved", has_text="A run has listed the doubts anew").wait_for()
        page.locator(".summary", has_text="2 of 2 doubts").wait_for()
        assert page.locator(".row", has_text="A-1").count() == 0
        assert state(page, "A-3") == "open"
        assert state(page, "A-2") != "open"
        show(page, "#/specimen/a-3")
        page.get_by_role("link", name="A-3").wait_for()
        assert all("404" in one for one in page.problems)
