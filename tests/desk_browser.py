"""The desk's server and a browser, for tests and the tour's script."""

import contextlib
import csv
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from bioscan_etl.lake import Lake
from bioscan_etl.lake.current import get

CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
_AXE = """async () => (await axe.run({ preload: false, resultTypes: ["violations"] })).violations.map((one) =>
  `${one.id}: ${one.nodes.slice(0, 3).map((node) => node.html.slice(0, 200)).join(" | ")}`)"""
_LOADED = """hash => document.body.dataset.shown === hash
  && !/Loading …|Looking for its BIN/.test(document.querySelector("main").textContent)"""


@contextlib.contextmanager
def served(output: Path, curator: str = "Ada Lovelace") -> Iterator[str]:
    """`bioscan-etl desk` on a free port; yields its address. It listens before it says so."""
    command = [sys.executable, "-m", "bioscan_etl.cli", "desk", str(output), "--curator", curator, "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout
    try:
        said = process.stdout.readline()
        assert " is on http://127.0.0.1:" in said, said + process.stdout.read()
        yield said.split(" is on ")[1].split(",")[0]
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stdout.close()


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """Debian's Chromium; skips the test where it is missing."""
    if CHROMIUM is None:
        pytest.skip("chromium is missing: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


def watched(page: Any) -> Any:
    """The page, with everything that it complains of in `problems`."""
    page.problems = []
    page.on("console", lambda one: page.problems.append(one.text) if one.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    return page


@contextlib.contextmanager
def opened(address: str) -> Iterator[Any]:
    """The desk in a browser, with everything that it complains of in `problems`."""
    with browser() as chromium:
        page = watched(chromium.new_page(viewport={"width": 1400, "height": 900}))
        page.goto(address)
        page.wait_for_selector("body[data-ready]")
        yield page


def show(page: Any, hash_: str) -> None:
    """Go to a page of an open desk, and wait until all of it is there."""
    page.evaluate("hash => { location.hash = hash; }", hash_)
    page.wait_for_function(_LOADED, arg=hash_, timeout=60_000)


def faults(page: Any) -> list[str]:
    """What axe-core finds on a page: rule and elements."""
    page.evaluate(f"() => {{ {resources.files('axe_playwright_python').joinpath('axe.min.js').read_text('utf-8')} }}")
    found: list[str] = page.evaluate(_AXE)
    return found


def doubts(output: Path, **wanted: Any) -> list[dict[str, Any]]:
    """Doubts of the last run."""
    frame = pl.read_parquet(get(Lake(output), "doubts").path("doubts.parquet"))
    return frame.filter(**wanted).to_dicts()


def lines(output: Path, name: str = "ada-lovelace") -> list[dict[str, str]]:
    """Lines of a curator's file."""
    path = output / "decisions" / f"{name}.csv"
    return list(csv.DictReader(path.read_text().splitlines())) if path.exists() else []


def saved(page: Any, act: Callable[[], Any]) -> None:
    """Do something that saves, and wait until the page says so."""
    page.evaluate("document.querySelector('.saved').textContent = ''")
    act()
    page.locator(".saved:not(:empty)").wait_for()
    said = page.locator(".saved").inner_text()
    assert said.startswith(("Saved", "Undone", "Taken away")), said
