"""The shared lists: what holds of them, and that no other module types them again."""

import ast
import inspect
from pathlib import Path

import pytest

from bioscan_etl import schema, vocabulary
from bioscan_etl.settings import Settings

ROOT = Path(__file__).parents[1]
# Modules that may type a list again, and why.
MAY = {
    "vocabulary.py": "types it once",
    "release/check": "a check states an invariant a second time, on purpose",
    "training/dataset.py": "folders of Ultralytics, whose parts have the same names as three partitions",
    "release/labels.py": "the precedence of BarcodeBERT's own groups",
}


def sources() -> list[Path]:
    folders = (ROOT / "bioscan_etl", ROOT / "assets", ROOT / "sensors", ROOT / "demo")
    return [
        path
        for folder in folders
        for path in sorted(folder.rglob("*.py"))
        if not any(part.is_symlink() for part in path.parents if part != ROOT and ROOT in part.parents)
    ]


def retyped(tree: ast.AST) -> list[tuple[int, list[str]]]:
    """Line and texts of literal lists that are a part of a list of the vocabulary.

    A run of at least three ranks is one, any two partitions or packages are. Values of a dictionary are not: there a
    format maps its own names to ours.
    """
    of_formats = {id(value) for node in ast.walk(tree) if isinstance(node, ast.Dict) for value in node.values}
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Tuple, ast.List, ast.Set)) or id(node) in of_formats:
            continue
        texts = [each.value for each in node.elts if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        if len(texts) != len(node.elts) or len(set(texts)) < 2:
            continue
        run = ",".join(texts)
        if (
            set(texts) <= {*vocabulary.SPLITS}
            or set(texts) <= {*vocabulary.IMAGE_PACKAGES}
            or (len(texts) > 2 and f",{run}," in f",{','.join(vocabulary.RANKS)},")
        ):
            found.append((node.lineno, texts))
    return found


def test_no_other_module_types_these_lists_again():
    assert len(sources()) > 200
    wrong = []
    for path in sources():
        name = path.relative_to(ROOT / "bioscan_etl" if "bioscan_etl" in path.parts[-4:] else ROOT).as_posix()
        if not any(name == each or name.startswith(f"{each}/") for each in MAY):
            wrong += [(path.relative_to(ROOT).as_posix(), *one) for one in retyped(ast.parse(path.read_text()))]
    assert not wrong, "take the list from bioscan_etl.vocabulary"


@pytest.mark.parametrize(
    ("text", "lists"),
    [
        ("X = ('train', 'val')", 1),
        ("f(['val_unseen', 'test_unseen'])", 1),
        ("X = {'cropped', 'cropped_256'}", 1),
        ("X = ('order', 'family', 'subfamily')", 1),
        ("X = ('genus', 'species')", 0),
        ("X = {'eval': ('val', 'test')}", 0),
        ("X = ('train', 'seen')", 0),
        ("X = ('train',)", 0),
    ],
)
def test_what_counts_as_typed_again(text, lists):
    assert len(retyped(ast.parse(text))) == lists


def test_partitions_are_trained_or_evaluated_and_seen_or_unseen_or_neither():
    assert sorted(vocabulary.NOT_EVALUATED + vocabulary.EVALUATED) == sorted(vocabulary.SPLITS)
    assert not {*vocabulary.SEEN} & {*vocabulary.UNSEEN}
    assert {*vocabulary.SPLITS} - {*vocabulary.SEEN, *vocabulary.UNSEEN} == {"pretrain", "other_heldout"}
    assert {*vocabulary.EVALUATED} < {*vocabulary.SEEN, *vocabulary.UNSEEN}


def test_the_schema_and_the_settings_are_made_of_the_lists():
    assert schema.METADATA["split"].allowed == vocabulary.SPLITS
    assert set(vocabulary.RANKS) < set(schema.CURATED.names())
    assert Settings().release.image_packages == vocabulary.MADE_PACKAGES
    assert {*vocabulary.IMAGE_PACKAGES} - {*vocabulary.MADE_PACKAGES} == {vocabulary.ORIGINALS}


def test_it_holds_constants_alone():
    """Stages count them by value (`bioscan_etl.provenance`); the code of a function would not be counted."""
    own = [name for name, value in vars(vocabulary).items() if inspect.isroutine(value) or inspect.isclass(value)]
    assert own == ["get_args"]
