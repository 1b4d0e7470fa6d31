"""docs/guide/use-the-release.md is true: each snippet runs in a release's folder and prints what the page says."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from release_everything import EVERYTHING, everything

PAGE = (Path(__file__).parents[1] / "docs" / "guide" / "use-the-release.md").read_text()
SECTIONS = re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?^```python\n(.*?)^```\n\n```text\n(.*?)^```", PAGE, re.S | re.M)
NEEDS = {
    "PySpark": "pyspark",
    "Hugging Face datasets": "datasets",
    "Hugging Face datasets, streamed": "datasets",
    "PyTorch": "torch",
    "bioscan-dataset": "bioscan_dataset",
    "WebDataset": "webdataset",
    "Croissant": "mlcroissant",
    "Frictionless": "frictionless",
}
CLIENTS = (pytest.mark.clients, pytest.mark.slow)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return everything(tmp_path_factory.mktemp("docs"))


def test_the_page_has_a_section_for_every_client():
    assert set(NEEDS) < {title for title, _, _ in SECTIONS}
    assert len(SECTIONS) == len(re.findall(r"^```python$", PAGE, re.M))


def test_the_settings_of_the_page_are_those_of_the_release_that_is_shown():
    import tomllib

    from bioscan_etl.settings import ReleaseSettings

    asked = ReleaseSettings.model_validate(tomllib.loads(re.search(r"```toml\n(.*?)```", PAGE, re.S)[1])["release"])
    for name in ("hdf5_packages", "packed_packages", "zip_packages", "webdataset_packages"):
        assert getattr(asked, name) == getattr(EVERYTHING, name)
    assert set(asked.forms) == set(EVERYTHING.forms)


@pytest.mark.parametrize(
    ("title", "code", "output"),
    [
        # What the base install runs is in the fast suite, so that a page out of date is seen before CI.
        pytest.param(*section, id=section[0], marks=CLIENTS if section[0] in NEEDS else ())
        for section in SECTIONS
    ],
)
def test_the_snippet_prints_what_the_page_says(release, title, code, output, tmp_path):
    """Each in a process of its own, as a user would."""
    module = NEEDS.get(title)
    if module and importlib.util.find_spec(module) is None:
        pytest.skip(f"needs .venv-clients: {module} is not installed")
    if title == "PySpark" and shutil.which("java") is None:
        pytest.skip("Java is not installed: apt-get install default-jre-headless")
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(tmp_path), "TQDM_DISABLE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=release, capture_output=True, text=True, check=False, env=os.environ | offline
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == output
