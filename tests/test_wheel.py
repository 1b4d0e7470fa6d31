"""What is installed is whole, and runs in a folder whose packages have the names of our top-level folders.

The wheel is installed into an environment of its own, which finds the dependencies of the tests but not the checkout.
"""

import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import time
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest
from ui_process import free_port

ROOT = Path(__file__).parents[1]
OURS = ("assets", "sensors", "demo", "training", "tests", "evaluate", "dataset")
LOAD = """
import json, bioscan_etl.definitions as curation, bioscan_etl.definitions.training as training
from bioscan_etl.provenance.code import code_of
from bioscan_etl.stages.registry import STAGES
from importlib.resources import files
print(json.dumps({
    "place": curation.__file__,
    "assets": len(curation.defs.resolve_asset_graph().get_all_asset_keys()),
    "versions": sorted({code_of(name).version for name in STAGES}),
    "instance": (files("bioscan_etl") / "definitions" / "instance.yaml").is_file(),
    "stages": len(STAGES),
}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The folder `bin` of an environment in which nothing of ours is but the wheel."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    # .pth files that lie in this folder are not read, so the editable install of the checkout is out of reach.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--no-index", "--no-deps", "--ignore-installed", wheel]
    subprocess.run(pip, check=True, capture_output=True)
    return folder / "bin"


@pytest.fixture
def hostile(tmp_path) -> Path:
    """A working directory with packages of our folders' names, which end whoever imports them."""
    for name in OURS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise SystemExit('imported {name} of the working directory')\n")
    return tmp_path


def environment(**more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | more


def done(command: list[object], cwd: Path, **more: str) -> str:
    found = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=environment(**more), capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def test_the_wheel_takes_one_name_in_site_packages(wheel):
    names = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"bioscan_etl"}


@pytest.mark.slow
def test_the_wheel_loads_without_the_checkout(installed, hostile):
    found = json.loads(done([installed / "python", "-c", LOAD], hostile, BIOSCAN_OUTPUT="out").splitlines()[-1])
    assert found["place"].startswith(str(installed.parent))
    assert found["assets"] == found["stages"]
    assert found["instance"]
    # A version with a digest behind it is one that nobody recorded: tools/record_stages.py was not run.
    assert not [version for version in found["versions"] if "+" in version]


TRAIN = """
import sys
from pathlib import Path
from bioscan_etl.training.outputs import scripts_digest
from bioscan_etl.training.processes import run_script
print(scripts_digest())
for script in ("dataset", "calibrate"):
    run_script(sys.argv[1], "bioscan_etl.training." + script, ["--help"], Path("work").resolve(), print)
print(Path("work/.python/bioscan_etl").resolve())
"""


@pytest.mark.slow
def test_the_wheel_has_the_scripts_of_the_training_and_another_python_runs_them(installed, hostile):
    from bioscan_etl.training.outputs import scripts_digest

    digest, *lines, package = done([installed / "python", "-c", TRAIN, sys.executable], hostile).splitlines()
    assert digest == scripts_digest()
    assert "usage: dataset.py" in " ".join(lines)
    assert "usage: calibrate.py" in " ".join(lines)
    assert package.startswith(str(installed.parent))


@pytest.mark.slow
def test_the_wheel_runs_beside_packages_of_our_names(installed, hostile):
    command = installed / "bioscan-etl"
    done([command, "demo", "--output", "out", "--specimens", "40"], hostile)
    assert "release v1" in done([command, "run", "--output", "out"], hostile)
    done([command, "check", "out/releases/latest"], hostile)
    port = free_port()
    with (hostile / "ui.txt").open("w") as said:
        ui = subprocess.Popen(
            [command, "ui", "out", "--port", str(port)], cwd=hostile, stdout=said, stderr=subprocess.STDOUT,
            env=environment(PYTHONUNBUFFERED="1"),
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 180
        while "ready" not in (text := (hostile / "ui.txt").read_text()) and ui.poll() is None:
            assert time.monotonic() < deadline, text
            time.sleep(0.2)
        assert ui.poll() is None, text
        query = (
            "{ workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError { __typename } } } } }"
        )
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/graphql",
            json.dumps({"query": query}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            entries = json.load(answer)["data"]["workspaceOrError"]["locationEntries"]
        kinds = {entry["name"]: entry["locationOrLoadError"]["__typename"] for entry in entries}
        assert kinds == dict.fromkeys(("bioscan_etl", "detector_training", "benchmarks"), "RepositoryLocation")
    finally:
        ui.send_signal(signal.SIGINT)
        ui.wait(60)


def test_a_checkout_runs_beside_packages_of_our_names(hostile):
    """Editable, and not installed at all: only the checkout's folder is on the path."""
    code = (
        "import bioscan_etl.assets.curation as one, bioscan_etl.sensors.jobs as two; print(one.__file__, two.__file__)"
    )
    found = done([sys.executable, "-c", code], hostile, PYTHONPATH=str(ROOT))
    places = [re.sub(r"/(assets|sensors)/\w+\.py$", "", place) for place in found.split()]
    assert places == [str(ROOT / "bioscan_etl")] * 2
