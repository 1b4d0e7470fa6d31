"""The committed reference pages are what the registries print, and every citation of the specification leads there."""

import re
import subprocess
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
    folder = DOCS / reference.FOLDER / "rules"
    assert {f"{reference.FOLDER}/rules/{path.name}" for path in folder.glob("*")} == {
        n for n in PAGES if "/rules/" in n
    }


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


SPECIFICATION = DOCS / "specification"


def targets():
    """Each page and heading of the specification, as a link names it."""
    found = set()
    for path in SPECIFICATION.glob("*.md"):
        text = re.sub(r"```.*?```", "", path.read_text(), flags=re.S)
        found |= {path.name, *(f"{path.name}#{reference.anchor(h)}" for h in re.findall(r"^#+ (.+)$", text, re.M))}
    return found


def test_the_pages_of_the_specification_are_known_by_their_titles():
    titles = {
        path.read_text().split("\n")[0].removeprefix("# ").lower(): path.name for path in SPECIFICATION.glob("*.md")
    }
    assert titles == {**reference.SPECIFICATION, "specification": "index.md"}


def test_every_rule_cites_what_exists():
    known, citing = targets(), 0
    for rule in rules.registry().values():
        assert "shared/" not in rule.source, rule.id
        assert "specification of" not in rule.source, rule.id
        for citation, target in reference.cited(rule.source):
            citing += 1
            assert target in known, f"{rule.id} cites {citation!r}: there is no {target}"
    assert citing >= 0.9 * len(rules.registry())


def sources():
    names = subprocess.run(
        ["git", "ls-files", "*.py", "*.yaml"], cwd=DOCS.parent, capture_output=True, text=True, check=True
    )
    return [DOCS.parent / name for name in names.stdout.splitlines() if (DOCS.parent / name).is_file()]


def test_every_citation_in_code_leads_to_a_page_and_heading():
    """In docstrings and comments: (spec: PAGE), (spec: PAGE, HEADING)."""
    known, citing = targets(), 0
    for path in sources():
        if path.name in {"reference.py", "test_reference.py"}:
            continue
        text = re.sub(r"\n\s*#?\s*", " ", path.read_text())
        for found in re.findall(r"\((spec: [^)]*)\)", text):
            for citation, target in reference.cited(found):
                citing += 1
                assert target in known, f"{path.name} cites {citation!r}: there is no {target}"
    assert citing > 40


def test_a_citation_of_an_unknown_page_is_an_error():
    with pytest.raises(ValueError, match="names no page"):
        list(reference.cited("spec: taxonomic labels"))


def test_every_page_that_code_names_exists():
    for path in sources():
        for name in re.findall(r"\bdocs/[a-z/-]+\.md", path.read_text()):
            if path.name not in {"test_provenance_closure.py", "test_reference.py"}:  # the first has a made-up one
                assert (DOCS.parent / name).exists(), f"{path.name} names {name}"
