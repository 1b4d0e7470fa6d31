"""The two layers stay separate: the library runs without Dagster, and slow libraries are imported when needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "bioscan_etl"
MAY_IMPORT_DAGSTER = {"assets", "definitions", "resources.py", "sensors"}
# They need torch at once, which only the extras `train` and `bench` install; the rest of the package runs without it.
NETWORKS = {
    "torch.py",
    *(
        f"training/{name}.py"
        for name in ("architectures", "export", "exported", "refine", "refiner", "teacher", "train")
    ),
    *(
        f"evaluation/networks/{name}.py"
        for name in ("alignment", "checkpoints", "classify", "encoder", "pretraining", "training")
    ),
}
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
    networks = {f"bioscan_etl.{name.removesuffix('.py').replace('/', '.')}" for name in NETWORKS}
    code = (
        f"networks = {networks!r}"
        + """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "dagster":
            raise ImportError(f"{name} is not to be imported here")
sys.meta_path.insert(0, Refuse())
import importlib, pkgutil
import bioscan_etl
skipped = ("bioscan_etl.assets", "bioscan_etl.definitions", "bioscan_etl.resources", "bioscan_etl.sensors")
for module in pkgutil.walk_packages(bioscan_etl.__path__, "bioscan_etl."):
    if not module.name.startswith(skipped) and module.name not in networks and not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print("all imported")
"""
    )
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


def modules_that(module: str, known: set[str]) -> set[str]:
    """The modules of the package that a module imports, at the top or in a function, but for type checking."""
    path = ROOT.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])
            base = base if node.level else node.module or ""
            names = {f"{base}.{alias.name}" for alias in node.names}
            found |= {name for name in names if name in known} | ({base} if names - known else set())
        waiting += ast.iter_child_nodes(node)
    return {name for name in found & known if not module.startswith(f"{name}.")} - {module}


def circles(graph: dict[str, set[str]]) -> list[str]:
    """What is left of a graph when modules are taken away that import nothing of what is left, or nothing imports."""
    left = {module: set(targets) for module, targets in graph.items()}
    while True:
        wanted = set().union(*left.values())
        ends = {module for module, targets in left.items() if not targets & left.keys() or module not in wanted}
        if not ends:
            return sorted(left)
        left = {module: targets - ends for module, targets in left.items() if module not in ends}


def test_no_modules_import_each_other_in_a_circle():
    """Neither at the top nor within functions: whoever reads a module reads the ones below it, and none twice."""
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in MODULES}
    graph = {module: modules_that(module, names) for module in names}
    assert "bioscan_etl.images.trained" in graph["bioscan_etl.images.detect"]  # within a function
    assert len(set().union(*graph.values())) > 100
    assert circles(graph) == []


@pytest.mark.parametrize(
    ("graph", "left"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"c"}}, ["b", "c"]),
    ],
)
def test_a_circle_is_found(graph, left):
    assert circles(graph) == left
