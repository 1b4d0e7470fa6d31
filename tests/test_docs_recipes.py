"""The recipes of docs/how-to are followed literally, on a copy of the package, and their own tests pass."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOW_TO = ROOT / "docs" / "how-to"
BLOCK = re.compile(
    r'(?:In `(?P<file>[^`]+)`:\n\n)?```(?P<kind>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)```', re.S
)


@pytest.fixture
def package(tmp_path):
    """A copy of the package, alone on the path."""
    here = tmp_path / "copy"
    shutil.copytree(ROOT / "bioscan_etl", here / "bioscan_etl", ignore=shutil.ignore_patterns("__pycache__"))
    return here


def fits(shown, line):
    """Whether a line of a listing is a line of the file; an ellipsis stands for the rest."""
    return line.startswith(shown[:-1]) if shown.endswith("…") else line == shown


def patched(text, listing):
    """A text with a listing applied: its lines occur once, those with - go, those with + come."""
    changes = listing.rstrip("\n").split("\n")
    old = [change[1:] for change in changes if change[0] in " -"]
    lines = text.split("\n")
    found = [at for at in range(len(lines)) if all(fits(*pair) for pair in zip(old, lines[at:], strict=False))]
    found = [at for at in found if at + len(old) <= len(lines)]
    assert len(found) == 1, f"{len(found)} places fit:\n{listing}"
    new, at = [], found[0]
    for change in changes:
        if change[0] == "+":
            new.append(change[1:])
        else:
            new += [lines[at]] if change[0] == " " else []
            at += 1
    return "\n".join([*lines[: found[0]], *new, *lines[at:]])


def follow(name, package):
    """Take the steps of a recipe; returns the script that tests it."""
    script = None
    for block in BLOCK.finditer((HOW_TO / f"{name}.md").read_text(encoding="utf-8")):
        if block["kind"] == "diff":
            path = package / block["file"]
            path.write_text(patched(path.read_text(encoding="utf-8"), block["text"]), encoding="utf-8")
        elif block["title"]:
            path = package / block["title"]
            path.write_text(block["text"], encoding="utf-8")
            script = path if path.parent == package else script
    assert script is not None, f"{name} has no test"
    return script


def run(script, package, *arguments):
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "PYTHONPATH": str(package),
        "HOME": str(package),
    }
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        cwd=package,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    where = subprocess.run(
        [sys.executable, "-c", "import bioscan_etl; print(bioscan_etl.__file__)"],
        cwd=package,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.startswith(str(package))


def test_a_flag(package):
    script = follow("add-a-flag", package)
    run(script, package)


def test_a_setting_after_the_flag(package):
    again = follow("add-a-flag", package)
    run(follow("add-a-setting", package), package)
    run(again, package)


def test_a_bold_layout(package):
    run(follow("add-a-bold-layout", package), package)


@pytest.mark.slow
def test_a_stage(package):
    run(follow("add-a-stage", package), package, str(package / "out"))


@pytest.mark.skipif(
    not (ROOT / "bioscan_etl" / "release" / "forms" / "registry.py").exists(), reason="forms have no registry yet"
)
def test_an_output_form(package):
    run(follow("add-an-output-form", package), package)


def test_a_listing_that_fits_nowhere_is_an_error():
    with pytest.raises(AssertionError, match="0 places fit"):
        patched("one\ntwo", " three\n+four")


def test_a_listing_is_applied_where_its_lines_are():
    assert patched("a = 1\nb = 2\nc = 3", " a = …\n-b = 2\n+b = 4") == "a = 1\nb = 4\nc = 3"
    assert patched("a\nb", "+new\n b") == "a\nnew\nb"


def test_every_recipe_is_followed():
    recipes = {path.stem for path in HOW_TO.glob("add-a*.md")}
    text = Path(__file__).read_text(encoding="utf-8")
    assert {name for name in recipes if f'follow("{name}"' in text} == recipes
