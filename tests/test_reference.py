"""The committed reference pages are what the registries print."""

from pathlib import Path

import pytest

from bioscan_etl import reference, rules
from bioscan_etl.settings import Settings

DOCS = Path(__file__).parents[1] / "docs"


PAGES = reference.pages()


@pytest.mark.parametrize("name", PAGES)
def test_the_committed_page_is_up_to_date(name):
    assert (DOCS / name).read_text() == PAGES[name], "run: python -m bioscan_etl.reference docs"


def test_no_page_is_left_of_a_rule_that_is_gone():
    assert {f"rules/{path.name}" for path in (DOCS / "rules").glob("*")} == {n for n in PAGES if n.startswith("rules/")}


def test_the_page_of_the_command_line_lists_every_command_and_its_options():
    page = PAGES["reference/command-line.md"]
    for title in ("run", "land", "status", "why", "withdraw", "ui", "demo", "check", "diff", "publish", "split"):
        assert f"\n## bioscan-etl {title}\n" in page
    for title in ("records", "images"):
        assert f"\n### bioscan-etl fetch {title}\n" in page
    for option in ("--records FILE", "--snapshot-date YYYY-MM-DD", "--name, --batch NAME", "--quiet, -q"):
        assert f"`{option}`" in page
    assert page.count("Exit codes: ") == 1


def test_the_readme_holds_the_columns():
    assert reference.readme_columns() in (DOCS.parent / "README.md").read_text()


def test_every_setting_that_a_rule_names_exists():
    for rule in rules.registry().values():
        if rule.setting:
            section, name = rule.setting.split(".")
            assert hasattr(getattr(Settings(), section), name), f"{rule.id} names {rule.setting}"


def test_every_rule_is_told_to_a_curator():
    for rule in rules.registry().values():
        assert rule.id == rule.id.upper()
        assert rule.statement.endswith("."), rule.id
        assert len(rule.reason) > 20, rule.id
        assert rule.source, rule.id
