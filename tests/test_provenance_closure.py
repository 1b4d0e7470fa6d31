import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.provenance.closure import PLUMBING, Closure, ProvenanceError, changed, closure
from bioscan_etl.provenance.source import read_source

ROOT = Path(__file__).parents[1]
SOURCES = {path.relative_to(ROOT): path for path in sorted((ROOT / "bioscan_etl").rglob("*.py"))}
ENTRIES = tuple(
    f"bioscan_etl.{name}"
    for name in (
        "images.stage",
        "images.index",
        "records.extract",
        "barcodes.check",
        "geography.check",
        "taxonomy.names",
        "specimens",
        "taxonomy.curate",
        "splits.partition",
        "release.parts",
        "release.forms.jsonld",
        "quality.validate",
    )
)


class Copy:
    """A copy of the package that a test changes; each change gets a root of its own, as closures are kept by root."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.versions = 0
        self.root = ROOT
        self._renew()

    def _renew(self) -> None:
        self.versions += 1
        root = self.folder / str(self.versions)
        for relative in SOURCES:
            (root / relative).parent.mkdir(parents=True, exist_ok=True)
        for path in [*(self.root / "bioscan_etl").rglob("*.py")]:
            (root / path.relative_to(self.root)).symlink_to(path)
        self.root = root

    def closures(self) -> dict[str, Closure]:
        return {entry: closure(entry, root=self.root) for entry in ENTRIES}

    def write(self, name: str, text: str) -> None:
        self._renew()
        path = self.root / "bioscan_etl" / name
        path.unlink(missing_ok=True)
        path.write_text(text, encoding="utf-8")

    def read(self, name: str) -> str:
        return (self.root / "bioscan_etl" / name).read_text(encoding="utf-8")

    def replace(self, name: str, old: str, new: str) -> None:
        text = self.read(name)
        assert text.count(old) == 1, f"{name} holds {old!r} {text.count(old)} times"
        self.write(name, text.replace(old, new))


@pytest.fixture
def package(tmp_path):
    return Copy(tmp_path)


def differing(package: Copy, change) -> dict[str, list[str]]:
    """What a change differs in, by entry."""
    before = package.closures()
    change()
    after = package.closures()
    return {
        entry: changed(before[entry], after[entry])
        for entry in ENTRIES
        if before[entry].digest != after[entry].digest or changed(before[entry], after[entry])
    }


def users(package: Copy, name: str) -> dict[str, list[str]]:
    return {entry: [name] for entry, found in package.closures().items() if name in {**found.modules, **found.values}}


def code(text: str, module: str = "bioscan_etl.barcodes.made_up") -> str:
    return read_source(text, module).digest


# ---- what a closure holds


def test_a_stage_consists_of_what_it_reaches():
    found = closure("bioscan_etl.barcodes.check")
    assert {"bioscan_etl.barcodes", "bioscan_etl.barcodes.check", "bioscan_etl.barcodes.sequences"} <= set(
        found.modules
    )
    assert {"schema.CHECKED_BARCODES", "schema.BIN_PATTERN"} == set(found.values)
    assert {"polars"} <= found.libraries <= {"polars", "numpy"}
    assert list(found.modules) == sorted(found.modules)
    assert list(found.values) == sorted(found.values)
    assert re.fullmatch("[0-9a-f]{64}", found.digest)


def test_no_closure_holds_plumbing_settings_the_schema_or_the_root():
    for entry in ENTRIES:
        for name in closure(entry).modules:
            assert name not in {"bioscan_etl", "bioscan_etl.schema"}
            assert not any(name == place or name.startswith(f"{place}.") for place in PLUMBING)


def test_an_image_stage_knows_nothing_of_names_places_and_releases():
    found = closure("bioscan_etl.images.stage")
    # Files are named by their printable name, which is part of the table.
    assert {name.split(".")[1] for name in found.modules} <= {"images", "flags", "printable"}


def test_a_copy_is_told_as_the_original(package):
    assert {entry: closure(entry).digest for entry in ENTRIES} == {
        entry: found.digest for entry, found in package.closures().items()
    }


def test_nothing_is_imported_to_tell():
    script = (
        "import sys; from bioscan_etl.provenance.closure import closure; before = set(sys.modules);"
        "closure('bioscan_etl.images.stage'); closure('bioscan_etl.barcodes.check');"
        "print(sorted(n for n in set(sys.modules) - before if n.startswith(('bioscan_etl', '_bioscan_etl'))))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() in {"[]", "['bioscan_etl.errors']"}


def test_function_level_imports_and_literal_ones_are_followed(package):
    assert "bioscan_etl.images.trained" in closure("bioscan_etl.images.stage").modules  # within a function of detect
    package.write("barcodes/late.py", "VALUE = 1\n")
    package.write("barcodes/later.py", "from . import late\n")
    tail = "\n\ndef _late():\n    import importlib\n    return importlib.import_module('bioscan_etl.barcodes.later')\n"
    hit = differing(package, lambda: package.write("barcodes/check.py", package.read("barcodes/check.py") + tail))
    assert {"bioscan_etl.barcodes.late", "bioscan_etl.barcodes.later"} <= set(hit["bioscan_etl.barcodes.check"])
    hit = differing(package, lambda: package.write("barcodes/late.py", "VALUE = 2\n"))
    assert hit == users(package, "bioscan_etl.barcodes.late")
    assert "bioscan_etl.barcodes.check" in hit


def test_imports_for_types_only_are_not_followed(package):
    text = package.read("barcodes/check.py")
    added = "\nfrom typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from bioscan_etl.release import manifest\n"
    old = "import polars as pl\n"
    assert differing(package, lambda: package.write("barcodes/check.py", text.replace(old, old + added, 1))) == {}


def test_all_rules_count_where_the_registry_is_asked(package):
    package.write("barcodes/asks.py", "from bioscan_etl.rules import registry\n\nKNOWN = tuple(registry())\n")
    found = closure("bioscan_etl.barcodes.asks", root=package.root)
    assert {"bioscan_etl.rules", "bioscan_etl.barcodes.rules", "bioscan_etl.taxonomy.rules"} <= set(found.modules)
    assert "bioscan_etl.barcodes.rules" not in closure("bioscan_etl.taxonomy.curate", root=package.root).modules


# ---- what is refused


@pytest.mark.parametrize(
    "line",
    [
        "importlib.import_module(NAME)",
        "importlib.import_module(f'bioscan_etl.{NAME}')",
        "importlib.import_module('.check', __package__)",
        "__import__(NAME)",
    ],
)
def test_computed_imports_are_refused(package, line):
    package.write("barcodes/sequences.py", package.read("barcodes/sequences.py") + f"\n\nimport importlib\n{line}\n")
    with pytest.raises(
        ProvenanceError, match=r"bioscan_etl\.barcodes\.sequences, line \d+, imports by a computed name"
    ):
        closure("bioscan_etl.barcodes.check", root=package.root)
    closure("bioscan_etl.images.index", root=package.root)


def test_what_is_not_there_or_not_python_is_named(package):
    with pytest.raises(ProvenanceError, match=r"bioscan_etl\.absent is not below"):
        closure("bioscan_etl.absent", root=package.root)
    with pytest.raises(ProvenanceError, match="'bioscan_etl' is not a module"):
        closure("bioscan_etl", root=package.root)
    package.write("flags.py", "from bioscan_etl import missing_name\nfrom bioscan_etl.missing import thing\n")
    with pytest.raises(ProvenanceError, match=r"bioscan_etl\.missing is not below"):
        closure("bioscan_etl.barcodes.check", root=package.root)
    package.write("flags.py", "def broken(:\n")
    with pytest.raises(ProvenanceError, match=r"bioscan_etl\.flags is not Python"):
        closure("bioscan_etl.barcodes.check", root=package.root)
    package.write("flags.py", "from bioscan_etl.schema import *\n")
    with pytest.raises(ProvenanceError, match="name what it uses"):
        closure("bioscan_etl.barcodes.check", root=package.root)


# ---- what changes nothing


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("flags.py", "import polars as pl\n", "import polars as pl  # expressions\n\n\n\n"),
        ("flags.py", '"""Lists of flags: which of several', '"""Rows with lists of names'),
        ("flags.py", '"""The names of the conditions that hold', '"""All conditions that hold'),
        ("flags.py", "conditions: Mapping[str, pl.Expr]) -> pl.Expr:", "conditions: dict[str, pl.Expr]):"),
        ("flags.py", "names = tuple(conditions)", "names: tuple[str, ...] = tuple(conditions)"),
        ("flags.py", "from collections.abc import", "from typing import"),
        (
            "barcodes/sequences.py",
            "import polars as pl\n",
            "import polars as pl\n\nfrom bioscan_etl.errors import BioscanError\n",
        ),
        ("taxonomy/rules.py", "Two spellings that look the same would count", "Spellings that look alike count"),
        ("taxonomy/rules.py", '_SPEC = "spec: taxonomy"', '_SPEC = "docs/taxonomy.md"'),
        ("splits/rules.py", "Records of one barcode are in one partition, and", "No barcode is split, and"),
        ("settings.py", "bp; flag shorter barcodes", "in base pairs; flag shorter barcodes"),
        ("io/read.py", "_BLOCK = 1 << 20", "_BLOCK = 1 << 21"),
        (
            "schema.py",
            'how the specimen was identified"),\n        ("identification_rank',
            'the way of its identification"),\n        ("identification_rank',
        ),
        ("schema.py", '"a BOLD row of the barcode marker, one per', '"a row of BOLD, one per'),
        ("schema.py", 'unit="1-based", minimum=1', 'unit="from 1", minimum=1'),
        ("__init__.py", '__version__ = "', '__version__ = "9.'),
    ],
)
def test_words_and_layout_change_nothing(package, name, old, new):
    assert differing(package, lambda: package.replace(name, old, new)) == {}


def test_an_unused_table_changes_nothing(package):
    text = package.read("schema.py").replace(
        "\nTABLES = (", '\nNEW = Table("new", "a row", (), (_PROCESSID,))\n\nTABLES = ('
    )
    assert differing(package, lambda: package.write("schema.py", text)) == {}


# ---- what changes the stages that use it, and no other


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("flags.py", "len(names) > 63", "len(names) > 62"),
        ("flags.py", "value=False", "value=True"),
        ("flags.py", "is_elementwise=True", "is_elementwise=False"),
        ("barcodes/check.py", '_INPUT = ("batch",', '_INPUT = ("bundle",'),
        ("images/measure.py", "import numpy as np\n", "import numpy.ma as np\n"),
        ("barcodes/reading_frame.py", "@cache\n", "@lambda function: function\n"),
        ("splits/rules.py", 'id="UNSEEN_SPECIES_WITHOUT_KEY"', 'id="UNSEEN_WITHOUT_KEY"'),
        ("rules.py", 'GATE = "gate"', 'GATE = "door"'),
        ("rules.py", "severity: Severity = Severity.FLAG", "severity: Severity = Severity.CHANGE"),
        ("geography/__init__.py", '"""\n', '"""\nVALUE = 1\n'),
    ],
)
def test_code_changes_the_stages_that_use_it(package, name, old, new):
    module = "bioscan_etl." + name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    expected = users(package, module)
    assert 0 < len(expected) < len(ENTRIES)
    assert differing(package, lambda: package.replace(name, old, new)) == expected


def test_a_severity_counts(package):
    text = package.read("taxonomy/rules.py").replace("Severity.CHANGE,", "Severity.FLAG,", 1)
    expected = users(package, "bioscan_etl.taxonomy.rules")
    assert "bioscan_etl.taxonomy.curate" in expected
    assert differing(package, lambda: package.write("taxonomy/rules.py", text)) == expected


@pytest.mark.parametrize(
    ("table", "old", "new"),
    [
        ("BOXES", 'Column("blur", pl.Float64()', 'Column("blur", pl.Float32()'),
        (
            "IMAGE_INDEX",
            'Column("image_file", _TEXT, "path within the source", nullable=False),\n        Column("status"',
            'Column("image_file", _TEXT, "path within the source"),\n        Column("status"',
        ),
        ("CHECKED_BARCODES", 'unit="0-based", minimum=0, maximum=2)', 'unit="0-based", minimum=0, maximum=3)'),
        ("REJECTS", 'Column("detail", _TEXT, "the reason as text, with numbers"),\n', ""),
    ],
)
def test_a_column_changes_the_stages_that_use_its_table(package, table, old, new):
    expected = users(package, f"schema.{table}")
    assert 0 < len(expected) < len(ENTRIES)
    hit = differing(package, lambda: package.replace("schema.py", old, new))
    assert {entry for entry, names in hit.items() if f"schema.{table}" in names} == set(expected)
    assert all(name.startswith("schema.") for names in hit.values() for name in names)


def test_a_constant_of_the_schema_changes_the_stages_that_use_it(package):
    expected = users(package, "schema.NOT_CLASSIFIED")
    assert 0 < len(expected) < len(ENTRIES)
    hit = differing(package, lambda: package.replace("schema.py", '"not_classified"', '"unclassified"'))
    assert hit == expected


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("from bioscan_etl import schema as s\nX = s.BOXES.names()", {"BOXES"}),
        ("from bioscan_etl.schema import BOXES as b, Column, Table, data_dictionary\nX = b", {"BOXES"}),
        ("import bioscan_etl.schema\nX = bioscan_etl.schema.CROPS.empty()", {"CROPS"}),
        ("import bioscan_etl.schema as s\nX = s.BCDM[0], s.absent", {"BCDM"}),
        ("from .. import schema\nX = schema.TABLES", {"TABLES"}),
        ("from ..schema import DIFF_KINDS", {"DIFF_KINDS"}),
        ("from bioscan_etl import schema\ndef f(table: schema.Table, rank: schema.BCDM): ...", set()),
        ("from bioscan_etl import schema\nX = schema.Table('x', 'y', (), ())", set()),
    ],
)
def test_uses_of_the_schema_are_told(package, text, names):
    package.write("barcodes/uses.py", text)
    found = closure("bioscan_etl.barcodes.uses", root=package.root)
    assert set(found.values) == {f"schema.{name}" for name in names}


def test_a_schema_that_is_handed_around_counts_as_a_whole(package):
    package.write("barcodes/uses.py", "from bioscan_etl import schema\nX = vars(schema)")
    found = closure("bioscan_etl.barcodes.uses", root=package.root).values
    assert {"schema.TABLES", "schema.BOXES", "schema.NOT_CLASSIFIED"} <= set(found)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("from bioscan_etl import vocabulary as v\nX = v.RANKS", {"RANKS"}),
        ("from bioscan_etl.vocabulary import SEEN, UNSEEN as u\nX = u", {"SEEN", "UNSEEN"}),
        ("import bioscan_etl.vocabulary\nX = bioscan_etl.vocabulary.SPLITS", {"SPLITS"}),
        ("from bioscan_etl.vocabulary import ImagePackage\ndef f(package: ImagePackage): ...", set()),
    ],
)
def test_uses_of_the_vocabulary_are_told(package, text, names):
    package.write("barcodes/uses.py", text)
    found = closure("bioscan_etl.barcodes.uses", root=package.root)
    assert set(found.values) == {f"vocabulary.{name}" for name in names}
    assert "bioscan_etl.vocabulary" not in found.modules


def test_a_list_of_the_vocabulary_changes_the_stages_that_use_it(package):
    expected = users(package, "vocabulary.IMAGE_PACKAGES")
    assert expected == {"bioscan_etl.images.stage": ["vocabulary.IMAGE_PACKAGES"]}
    hit = differing(package, lambda: package.replace("vocabulary.py", '"cropped", "cropped_256"]', '"cropped"]'))
    assert set(hit) >= set(expected)
    assert {name for names in hit.values() for name in names} <= {
        "vocabulary.IMAGE_PACKAGES",
        "vocabulary.MADE_PACKAGES",
    }


def test_a_list_of_the_vocabulary_changes_the_tables_that_are_made_of_it(package):
    """The schema below a root is run with the vocabulary below that root, not with the one of this process."""
    expected = users(package, "schema.PARTITIONS")
    hit = differing(package, lambda: package.replace("vocabulary.py", '"other_heldout",', '"held_out",'))
    assert expected
    assert {entry for entry, names in hit.items() if "schema.PARTITIONS" in names} == set(expected)


def test_nothing_may_be_taken_from_the_vocabulary_unnamed(package):
    package.write("barcodes/uses.py", "from bioscan_etl.vocabulary import *")
    with pytest.raises(ProvenanceError, match=r"imports \* from bioscan_etl.vocabulary; name what it uses"):
        closure("bioscan_etl.barcodes.uses", root=package.root)


def test_words_count_for_a_stage_that_prints_them(package):
    package.write(
        "barcodes/shows.py",
        "from bioscan_etl import schema\nfrom bioscan_etl.barcodes import rules\nX = schema.BOXES, rules",
    )
    entry = "bioscan_etl.barcodes.shows"
    plain, printed = closure(entry, root=package.root), closure(entry, root=package.root, prose=True)
    package.replace("schema.py", "mean grey of the crop", "average grey of the crop")
    package.replace("barcodes/rules.py", "A fragment separates species less well", "A fragment says less")
    assert changed(plain, closure(entry, root=package.root)) == []
    assert changed(printed, closure(entry, root=package.root, prose=True)) == [
        "bioscan_etl.barcodes.rules",
        "schema.BOXES",
    ]


# ---- what of a module's text counts


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1_000", "x = 1000  # a thousand"),
        ("x = 'a' 'b'", 'x = "ab"'),
        ("x = f'{y}' 'b'", 'x = f"{y}b"'),
        ("x = (1 +\n 2)", "x = 1 + 2"),
        ("x: int\nx = 1", "x = 1"),
        ("def f(x: int = 1) -> int:\n    'Doc.'\n    y: int = x\n    return y", "def f(x=1):\n    y = x\n    return y"),
        (
            "class A:\n    'Doc.'\n    def f(self, x: int) -> str:\n        ...",
            "class A:\n    def f(self, x):\n        pass",
        ),
        ("from __future__ import annotations\nx = 1", "x = 1"),
        ("from typing import Any\nx: Any = 1", "x = 1"),
        ("import json\nimport re\nx = json, re", "import re, json\nx = json, re"),
        ("import json\ndef f():\n    return json", "def f():\n    import json\n    return json"),
        ("from bioscan_etl.lake import digest\nx = digest", "from bioscan_etl.lake.store import digest\nx = digest"),
    ],
)
def test_the_same_code_has_the_same_digest(before, after):
    assert code(before) == code(after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1", "x = 1.0"),
        ("x = 1", "x = True"),
        ("x = 'a'", "x = b'a'"),
        ("x = f'{y}'", "x = f'{y!r}'"),
        ("x = f'{y}a'", "x = f'a{y}'"),
        ("x = {**y, 'a': z}", "x = {'a': z, **y}"),
        ("x = y[1:]", "x = y[:1]"),
        ("x = not y", "x = y"),
        ("x = a.b.c", "x = a.c.b"),
        ("def f(x=1): return x", "def f(x=2): return x"),
        ("def f(x): return x", "def f(*, x): return x"),
        ("def f(x): return x", "async def f(x): return x"),
        ("@a\ndef f(): return 1", "@b\ndef f(): return 1"),
        ("from json import dumps\nx = dumps", "from pickle import dumps\nx = dumps"),
        ("import json as j\nx = j.dumps", "import pickle as j\nx = j.dumps"),
        ("class A:\n    x: int = 1", "class A:\n    x: str = 1"),
        ("class A(B):\n    x: int", "class A(B):\n    pass"),
        ("@register\ndef f(x: int): return x", "@register\ndef f(x: str): return x"),
        ("if x:\n    y = 1\nz = 2", "if x:\n    y = 1\n    z = 2"),
        ("for x in y:\n    a()\nelse:\n    b()", "for x in y:\n    a()\n    b()"),
    ],
)
def test_other_code_has_another_digest(before, after):
    assert code(before) != code(after)


def test_a_rule_counts_by_id_severity_and_setting():
    module = "bioscan_etl.barcodes.rules"
    places = code("RULES = (Rule('A', 's', 'r', 'o', Severity.GATE, 'a.b', 'e'),)", module)
    assert places == code("RULES = (Rule(id='A', statement='x', setting='a.b', severity=Severity.GATE),)", module)
    assert places != code("RULES = (Rule('B', 's', 'r', 'o', Severity.GATE, 'a.b'),)", module)
    assert places != code("RULES = (Rule('A', 's', 'r', 'o', Severity.FLAG, 'a.b'),)", module)
    assert places != code("RULES = (Rule('A', 's', 'r', 'o', Severity.GATE, 'a.c'),)", module)
    assert places != code("RULES = (Rule('A', 's', 'r', 'o', Severity.GATE, 'a.b', 'e'),)")  # not a module of rules
    assert code("RULES = (Rule(*x),)", module) != code("RULES = (Rule(*y),)", module)
    assert code("A = {'B': x > 1}", module) != code("A = {'B': x > 2}", module)


def test_the_digest_is_that_of_every_python():
    """The same on Python 3.11, 3.12 and 3.13, where trees differ in fields; CI runs them all."""
    text = (
        "import re as r\nclass A(B, k=1):\n    x: int = 1\n    def f(self, *a, y=f'a{x!r:>{w}}b' 'ü', **k) -> None:\n"
        "        match y:\n            case {'k': [1, *_], **rest}: return r.sub(*a, **{**k})\n"
        "        try: del x\n        except* E as e: raise e from None\n        return [i async for i in x if i]\n"
    )
    assert code(text) == "d686ba908d67861bbc7665682f91910334c8363748a87b77e1a38ce509a6ee14"


@cache
def known() -> tuple[tuple[str, str], ...]:
    return tuple((".".join(relative.with_suffix("").parts), path.read_text()) for relative, path in SOURCES.items())


@settings(max_examples=examples(60))
@given(st.data())
def test_another_layout_is_the_same_code(data):
    module, text = data.draw(st.sampled_from(known()))
    lines = text.splitlines()
    tree = ast.parse(text)
    # Between statements of the module, where no text runs over lines.
    gaps = [node.end_lineno for node in tree.body if not isinstance(node, ast.Expr)]
    for gap in sorted(data.draw(st.lists(st.sampled_from(gaps), max_size=5)) if gaps else [], reverse=True):
        lines.insert(gap, data.draw(st.sampled_from(("", "# why", "\n\n", "'a text of no effect'", "pass"))))
    expected = code(text, module)
    assert code("\n".join(lines) + "\n", module) == expected
    assert code(ast.unparse(tree), module) == expected


def test_what_differs_is_named():
    before = Closure({"a": "1", "b": "1"}, {"schema.X": "1"}, frozenset())
    after = Closure({"a": "1", "b": "2", "c": "1"}, {}, frozenset())
    assert changed(before, after) == ["b", "c", "schema.X"]
    assert changed(before, before) == []
    assert before.digest != after.digest
