"""The package's metadata: one version, and files that agree with it."""

import re
import tomllib
from importlib.metadata import metadata
from pathlib import Path

import pytest
import yaml

import bioscan_etl

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_version_is_stated_once():
    assert "version" not in PYPROJECT["project"]
    assert PYPROJECT["project"]["dynamic"] == ["version"]
    assert PYPROJECT["tool"]["hatch"]["version"]["path"] == "bioscan_etl/__init__.py"
    written = re.findall(r'^__version__ = "(.+)"$', (ROOT / "bioscan_etl" / "__init__.py").read_text(), re.M)
    assert written == [bioscan_etl.__version__]


def test_the_installed_package_has_this_version():
    assert metadata("bioscan-etl")["Version"] == bioscan_etl.__version__


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == bioscan_etl.__version__
    assert citation["license"] == PYPROJECT["project"]["license"]
    assert {"cff-version", "message", "title", "authors"} <= set(citation)


def test_the_changelog_tells_of_this_version():
    assert f"\n## {bioscan_etl.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_supported_python_has_a_classifier():
    named = {line.rsplit(" ", 1)[1] for line in PYPROJECT["project"]["classifiers"] if ":: Python :: 3." in line}
    assert PYPROJECT["project"]["requires-python"] == ">=3.11,<3.14"
    assert named == {"3.11", "3.12", "3.13"}


@pytest.mark.parametrize(
    "name", ["requirements-uv.lock", "requirements.lock", "pyproject.toml", "README.md", "LICENSE", "bioscan_etl"]
)
def test_the_container_copies_what_exists(name):
    assert (ROOT / name).exists()
    assert name in (ROOT / "Containerfile").read_text(encoding="utf-8")


def test_the_hooks_need_no_network():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [source["repo"] for source in hooks["repos"]] == ["local"]
    for hook in hooks["repos"][0]["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].startswith(".venv/bin/")


@pytest.mark.parametrize("name", ["Makefile", "Containerfile", ".ci/run"])
def test_nothing_is_installed_without_a_hash(name):
    """Only our own wheel and checkout have none, and bring nothing with them."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    for command in re.findall(r"pip install ([^&|\n]*)", text):
        assert "--require-hashes" in command or "--no-deps" in command, command


@pytest.mark.parametrize("path", sorted(ROOT.glob("requirements*.lock")), ids=lambda path: path.name)
def test_every_locked_package_has_a_version_and_a_hash(path):
    packages = re.split(r"\n(?=\S)", re.sub(r"(?m)^#.*\n", "", path.read_text(encoding="utf-8")).strip())
    assert packages
    for package in packages:
        assert re.match(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==\S+", package), package
        assert "--hash=sha256:" in package, package
