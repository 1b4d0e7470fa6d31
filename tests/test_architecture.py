"""The two storeys stay apart: the library runs without Dagster, and slow libraries are imported when needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "bioscan_etl"
MAY_IMPORT_DAGSTER = {"assets", "definitions", "resources.py", "sensors"}
# They define networks of torch, which only the extra `train` installs; the rest of the package runs without it.
NETWORKS = {f"training/{name}.py" for name in ("export", "exported", "refine", "refiner", "teacher", "train")}
MODULES = sorted(path for path in LIBRARY.rglob("*.py"))
BELOW = [path for path in MODULES if path.relative_to(LIBRARY).parts[0] not in MAY_IMPORT_DAGSTER]


def imported(path: Path, *, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_there_are_modules_to_look_at():
    assert len(MODULES) > 40


@pytest.mark.parametrize("path", BELOW, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_library_does_not_know_the_orchestration(path):
    assert not imported(path) & {"dagster"}
    slow = {"great_expectations", "matplotlib", "onnxruntime", "boto3", "ultralytics", "torch"}
    if path.relative_to(LIBRARY).as_posix() not in NETWORKS:
        assert not imported(path, top_level_only=True) & slow


def test_training_is_imported_by_the_orchestration_alone():
    """Who curates, reads or releases needs no training."""
    users = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            if any(name == "bioscan_etl.training" or name.startswith("bioscan_etl.training.") for name in names):
                users.add(path.relative_to(LIBRARY).parts[0])
    assert users <= {"assets", "training"}


def test_a_missing_extra_is_one_line():
    """As a script and as a module; whether torch is there or not, it cannot be imported here."""
    refuse = "import sys, runpy; sys.modules['torch'] = None; "
    for code in (
        "runpy.run_module('bioscan_etl.training.train', run_name='__main__', alter_sys=True)",
        "runpy.run_module('bioscan_etl.training.export', run_name='__main__', alter_sys=True)",
    ):
        done = subprocess.run(
            [sys.executable, "-c", refuse + code], capture_output=True, text=True, check=False, cwd="/"
        )
        assert done.returncode == 1
        [line] = done.stderr.splitlines()
        assert line == "this needs torch, which is not installed: pip install 'bioscan-etl[train]'"


def test_the_library_runs_where_dagster_cannot_be_imported():
    code = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "dagster":
            raise ImportError(f"{name} is not to be imported here")
sys.meta_path.insert(0, Refuse())
import importlib, pkgutil
import bioscan_etl
skipped = ("bioscan_etl.assets", "bioscan_etl.definitions", "bioscan_etl.resources", "bioscan_etl.sensors")
networks = {"bioscan_etl.training." + name for name in ("export", "exported", "refine", "refiner", "teacher", "train")}
for module in pkgutil.walk_packages(bioscan_etl.__path__, "bioscan_etl."):
    if not module.name.startswith(skipped) and module.name not in networks and not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print("all imported")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd="/")
    assert done.stdout.strip() == "all imported", done.stderr


def test_bytes_are_moved_in_one_package_alone():
    """Whatever is read from S3 or the web resumes, and fails in one line, because one package does it."""
    transports = {"aiohttp", "boto3", "botocore", "fsspec", "httpx", "requests", "s3transfer", "urllib3"}
    users = {path.relative_to(LIBRARY).parts[0] for path in MODULES if imported(path) & transports}
    assert users == {"io"}


def test_the_package_that_moves_bytes_knows_nothing_of_them():
    for path in (LIBRARY / "io").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bioscan_etl."):
                assert node.module.startswith(("bioscan_etl.io", "bioscan_etl.errors")), path


def test_locks_are_taken_in_one_module_alone():
    """A lake on an object store will have locks of another kind."""
    users = [path for path in MODULES if "fcntl" in imported(path)]
    assert [path.relative_to(LIBRARY).as_posix() for path in users] == ["lake/locks.py"]


def test_no_folder_of_the_lake_is_renamed():
    """What becomes current does so by replacing one small file: an object store has no folders to rename."""
    calls = []
    for path in sorted((LIBRARY / "lake").glob("*.py")) + sorted((LIBRARY / "stages").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                columns = bool(node.args) and isinstance(node.args[0], ast.Dict)  # a frame's, not a path's
                if node.func.attr in {"rename", "symlink_to"} and not columns:
                    calls.append((path.name, node.func.attr))
    assert calls == []
