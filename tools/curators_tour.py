"""Make the screenshots of docs/curators.md: a tour of the desk on the demo corpus, in a real browser.

    python tools/curators_tour.py                  makes the demo corpus and runs it first: some minutes
    python tools/curators_tour.py --corpus OUT     on a fresh demo corpus of 300 specimens that was run once

It does what the page says, step by step, and takes a picture at the end of each step. `tests/test_docs_curators.py`
compares the steps with the page. Run it after a change of the desk, and look at the pictures. It needs the dev
dependencies and Debian's chromium.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

FOLDER = ROOT / "docs" / "images" / "curators"
SPECIMENS = 300
CURATOR = "Ada Lovelace"
WINDOW = {"width": 1200, "height": 760}
_COLOURS = 160


@dataclass(slots=True)
class Tour:
    """What the steps need.

    Attributes:
        output: folder of the corpus.
        page: of the browser.
    """

    output: Path
    page: Any

    def show(self, hash_: str) -> None:
        """Go to a page."""
        from desk_browser import show

        show(self.page, hash_)

    def doubt(self, **wanted: str) -> dict[str, Any]:
        """The first doubt of a kind or rule."""
        from desk_browser import doubts

        return doubts(self.output, **wanted)[0]

    def saved(self, act: Callable[[], Any]) -> None:
        """Do something that saves, and wait until the page says so."""
        self.page.evaluate("document.querySelector('.saved').textContent = ''")
        act()
        self.page.locator(".saved:not(:empty):not(.wrong)").wait_for()

    def seen(self) -> None:
        """Wait until the images in view are there."""
        self.page.wait_for_function(
            "() => [...document.images].every((one) => one.complete && one.naturalWidth)"
            " && [...document.querySelectorAll('.thumb')].every((one) => one.hasChildNodes())"
            " && !document.querySelector('main').innerText.includes('Loading')"
        )


def _start(tour: Tour) -> None:
    tour.show("#/")


def _list(tour: Tour) -> None:
    tour.show("#/doubts?kind=image&state=open")


def _review(tour: Tour) -> None:
    tour.show("#/review?rule=IMAGE_STATUS&state=open")
    facts = tour.page.locator(".facts")
    for _ in range(SPECIMENS):
        if "multiple" in facts.inner_text():
            return
        tour.page.keyboard.press("j")
    raise SystemExit("no held image shows several insects")


def _reject(tour: Tour) -> None:
    tour.page.keyboard.press("r")
    tour.page.locator(".reasons").wait_for()


def _undo(tour: Tour) -> None:
    tour.saved(lambda: tour.page.keyboard.press("4"))
    tour.saved(lambda: tour.page.keyboard.press("u"))


def _conflict(tour: Tour) -> None:
    tour.saved(lambda: (tour.page.keyboard.press("r"), tour.page.keyboard.press("4")))
    tour.show(f"#/doubt/{tour.doubt(rule='BARCODE_CONFLICT')['id']}")
    tour.saved(tour.page.get_by_role("button", name="All are species").first.click)


def _typo(tour: Tour) -> None:
    tour.show(f"#/doubt/{tour.doubt(kind='typo')['id']}")
    tour.saved(tour.page.get_by_role("button", name="It is a typo").click)


def _country(tour: Tour) -> None:
    tour.show(f"#/specimen/{tour.doubt(rule='COUNTRY_INVALID')['processid']}")
    form = tour.page.locator("form.decide", has_text="Set the place")
    form.get_by_label("Value").fill("China")
    tour.saved(form.get_by_role("button").click)
    form.scroll_into_view_if_needed()


def _decisions(tour: Tour) -> None:
    tour.show("#/decisions")


def _run(tour: Tour) -> None:
    from bioscan_etl.cli import main

    assert main(["run", "--output", str(tour.output), "--quiet"]) == 0
    tour.page.reload()
    tour.page.wait_for_selector("body[data-ready]")
    tour.show("#/")
    tour.seen()
    tour.page.get_by_role("heading", name="Decisions").scroll_into_view_if_needed()
    tour.page.evaluate("window.scrollBy(0, 420)")


def _away(tour: Tour) -> None:
    tour.show("#/decisions")
    tour.saved(tour.page.get_by_role("row", name="China").get_by_role("button", name="Take away").click)


STEPS: dict[str, tuple[str, Callable[[Tour], None]]] = {
    "1-start": ("Open the desk", _start),
    "2-list": ("See what waits", _list),
    "3-review": ("Review images by keyboard", _review),
    "4-reject": ("Accept or reject", _reject),
    "5-undo": ("Undo", _undo),
    "6-conflict": ("Settle a conflict", _conflict),
    "7-typo": ("Settle a typo", _typo),
    "8-country": ("Correct a country", _country),
    "9-decisions": ("See what you decided", _decisions),
    "10-run": ("Run", _run),
    "11-away": ("Take a decision back", _away),
}
"""Steps of the tour: name of the picture, heading on the page, what is done."""


def small(png: bytes) -> bytes:
    """A PNG with a palette: a third of the size, and nobody sees it."""
    image = (
        Image.open(io.BytesIO(png))
        .convert("RGB")
        .quantize(_COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    )
    made = io.BytesIO()
    image.save(made, "PNG", optimize=True)
    return made.getvalue()


def take(output: Path) -> None:
    """Do all steps on a corpus that was run once, and write the pictures."""
    from desk_browser import browser, served

    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.png"):
        old.unlink()
    with served(output, CURATOR) as address, browser() as opened:
        page = opened.new_page(viewport=WINDOW)
        page.goto(address)
        page.wait_for_selector("body[data-ready]")
        tour = Tour(output, page)
        for name, (title, act) in STEPS.items():
            act(tour)
            tour.seen()
            (FOLDER / f"{name}.png").write_bytes(small(page.screenshot()))
            print(f"{name}: {title}")


def main() -> None:
    """Make the corpus, unless one is given, and the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path)
    given = parser.parse_args()
    if given.corpus is not None:
        take(given.corpus)
        return
    from bioscan_etl.cli import main as command

    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "out"
        assert command(["demo", "--output", str(output), "--specimens", str(SPECIMENS), "--quiet"]) == 0
        assert command(["run", "--output", str(output), "--quiet"]) == 0
        take(output)


if __name__ == "__main__":
    main()
