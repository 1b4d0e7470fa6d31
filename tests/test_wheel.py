"""What is installed is whole: the wheel holds the data files, and its stages have the versions that are recorded."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
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


@pytest.mark.slow
def test_the_wheel_loads_without_the_checkout(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "installed"), "BIOSCAN_OUTPUT": str(tmp_path / "out")}
    done = subprocess.run(
        [sys.executable, "-c", LOAD], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    import json

    found = json.loads(done.stdout.splitlines()[-1])
    assert found["place"].startswith(str(tmp_path / "installed"))
    assert found["assets"] == found["stages"]
    assert found["instance"]
    # A version with a digest behind it is one that nobody recorded: tools/record_stages.py was not run.
    assert not [version for version in found["versions"] if "+" in version]
