"""What of a form's module is code of its stage: what builds it, not how it is checked and described."""

import ast
from pathlib import Path

import pytest

from bioscan_etl.provenance.prose import without_looks
from bioscan_etl.provenance.source import read_source
from bioscan_etl.release.forms.registry import forms

FORMS = Path(__file__).parents[1] / "bioscan_etl" / "release" / "forms"
MODULE = "bioscan_etl.release.forms.jsonld"
SOURCE = (FORMS / "jsonld.py").read_text()


def digest(source, *, prose=False):
    return read_source(source, MODULE, prose=prose).digest


def changed(old, new):
    assert SOURCE.count(old) >= 1
    return SOURCE.replace(old, new, 1)


@pytest.mark.parametrize(
    ("old", "new", "builds", "described"),
    [
        ("is not the context of the 23 columns", "is another context", False, False),
        ("its terms are in", "the terms are in", False, True),
        ("application/ld+json", "application/json", False, True),
        ("a node per specimen at", "one node per specimen at", False, True),
        ('separator = b",\\n"', 'separator = b", \\n"', True, True),
        ('"@version": 1.1', '"@version": 1.2', True, True),
        ("_Dataset_metadata.jsonld", "_metadata.jsonld", True, True),
    ],
)
def test_a_change_counts_where_it_decides_bytes(old, new, builds, described):
    assert (digest(changed(old, new)) != digest(SOURCE)) == builds
    assert (digest(changed(old, new), prose=True) != digest(SOURCE, prose=True)) == described


@pytest.mark.parametrize("name", forms())
def test_what_builds_is_left(name):
    path = FORMS / f"{name}.py"
    tree = without_looks(ast.parse(path.read_text()), prose=False)
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert names & {"build", "describe", "write_bbox"}
    assert not [name for name in names if name.startswith("check")]
    compile(ast.unparse(tree), path.name, "exec")


def test_what_building_uses_is_kept_though_a_check_uses_it_too():
    tree = ast.parse(
        "_SHARED = 1\n_LOOKED = 2\n_DEEP = 3\n"
        "def build():\n    return _SHARED\n"
        "def _helps():\n    return _DEEP\n"
        "def check():\n    return _SHARED + _LOOKED + _helps()\n"
    )
    assert ast.unparse(without_looks(tree, prose=False)).split("\n\n")[0] == "_SHARED = 1"
    assert "_LOOKED" not in ast.unparse(tree)
    assert "_DEEP" not in ast.unparse(tree)


def test_a_check_that_building_calls_counts():
    tree = ast.parse("def check_labels():\n    return 1\ndef build():\n    return check_labels()\n")
    assert "def check_labels" in ast.unparse(without_looks(tree, prose=False))
