"""What the pages state about the code exists: each file, and each name that a page locates in a file."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(page for page in (ROOT / "docs").rglob("*.md") if "reference/rules" not in page.as_posix())
QUESTIONS = (ROOT / "docs" / "questions.md").read_text()


def text_of(page):
    return page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_file_that_a_page_names_exists(page):
    made_up = set(re.findall(r'title="([^"]+)"', text_of(page)))  # a recipe makes these
    for name in re.findall(
        r"`((?:bioscan_etl|assets|sensors|demo|tools|tests|benchmarks|docs)/[\w/.-]*)`", text_of(page)
    ):
        assert name in made_up or (ROOT / name).exists(), f"{page.name} names {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_name_is_in_the_file_that_a_page_gives(page):
    for name, file in re.findall(r"`(\w+)` in\s+`(bioscan_etl/[\w/]+\.py)`", text_of(page)):
        code = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"(?:def|class) {name}\b|^\s*{name}\s*[:=]|\"{name}\"", code, re.M), f"{file} has no {name}"


def test_the_ten_questions_are_each_answered_with_a_place():
    questions = re.split(r"^## ", QUESTIONS, flags=re.M)[1:]
    assert [one.split(".")[0] for one in questions] == [str(number) for number in range(1, 11)]
    for one in questions:
        assert "?" in one.splitlines()[0]
        assert re.search(r"\]\([a-z#0-9/.-]+", one), f"no link: {one.splitlines()[0]}"


def test_the_glossary_lists_each_term_once():
    terms = re.findall(r"^\| ([^|]+) \|", (ROOT / "docs" / "glossary.md").read_text(), re.M)
    terms = [term for term in terms if term not in {"term", "---"}]
    assert len(terms) == len(set(terms))
    assert {"barcode", "pin", "current", "quarantine", "fingerprint", "k-mer", "gate", "batch", "delivery"} <= set(
        terms
    )
