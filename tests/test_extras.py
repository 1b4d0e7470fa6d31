"""The extras, and the message to a user without one."""

import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from bioscan_etl.extras import MODULES, MissingExtraError, extra_of, extras_named, require_extra

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]


# Distributions whose names are not those of their modules, of extras that the tests' environment lacks.
NAMES = {"sklearn": "scikit-learn", "umap": "umap-learn"}


def distributions(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=;~! ]", line)[0].lower() for line in requirements}


def test_every_module_belongs_to_the_extra_that_installs_it():
    known = packages_distributions()
    for extra, modules in MODULES.items():
        declared = distributions(PROJECT["optional-dependencies"][extra])
        for module in modules:
            # Ultralytics brings torch; what is not installed here has a distribution of nearly its name.
            names = {name.lower().replace("_", "-") for name in known.get(module, [NAMES.get(module, module)])}
            assert names & declared or module == "torch", f"{extra} does not install {module}"


def test_the_base_installs_nothing_that_an_extra_brings():
    base = distributions(PROJECT["dependencies"])
    for extra in MODULES:
        assert not base & distributions(PROJECT["optional-dependencies"][extra])


def test_a_missing_module_names_its_extra():
    assert extra_of("cv2.data") == "images"
    assert extra_of("numpy") is None
    with pytest.raises(MissingExtraError, match=r"needs cv2.*pip install 'bioscan-etl\[images\]'"), extras_named():
        raise ModuleNotFoundError("No module named 'cv2'", name="cv2")


def test_where_several_extras_bring_a_module_the_caller_says_which():
    missing = ModuleNotFoundError("No module named 'torch.utils'", name="torch.utils")
    for named, extra in ((None, "train"), ("bench", "bench")):
        with pytest.raises(MissingExtraError, match=rf"bioscan-etl\[{extra}\]"), extras_named(named):
            raise missing
    with pytest.raises(MissingExtraError, match=r"bioscan-etl\[images\]"), extras_named("bench"):
        raise ModuleNotFoundError("No module named 'cv2'", name="cv2")


def test_other_missing_modules_stay_what_they_are():
    with pytest.raises(ModuleNotFoundError, match="nowhere"), extras_named():
        raise ModuleNotFoundError("No module named 'nowhere'", name="nowhere")


def test_a_run_names_the_extra_that_it_needs_as_a_whole(monkeypatch, tmp_path):
    """Not the first module that happens to be imported: installing that one's extra would not be enough."""
    import bioscan_etl

    monkeypatch.setattr("bioscan_etl.extras.find_spec", lambda name: None if name == "dagster" else object())
    require_extra("images")
    with pytest.raises(MissingExtraError, match=r"needs dagster.*bioscan-etl\[pipeline\]"):
        bioscan_etl.run(tmp_path)
