"""Benchmarks are run by hand: what they import from the package must still be there."""

import ast
import importlib
from pathlib import Path

import pytest

from bioscan_etl.extras import MissingExtraError

BENCHMARKS = sorted((Path(__file__).parents[1] / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_what_a_benchmark_imports_is_there(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("bioscan_etl"):
            continue
        try:
            module = importlib.import_module(node.module)
        except MissingExtraError:
            continue  # torch is in another environment
        for one in node.names:
            if not hasattr(module, one.name):
                importlib.import_module(f"{node.module}.{one.name}")
