"""The registry of output forms: a new module is a new form everywhere, and entries that cannot be are refused."""

import ast
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bioscan_etl.errors import InvariantError, SettingsError
from bioscan_etl.provenance.prose import without_looks
from bioscan_etl.release.forms import registry
from bioscan_etl.release.forms.registry import build_form, forms, names, owned, require_name, wanted
from bioscan_etl.release.staging import Staging
from bioscan_etl.settings import ReleaseSettings
from bioscan_etl.stages.registry import STAGES

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "bioscan_etl"

# What a user, and each part of the program, learns of a form whose module alone was added.
KNOWN_EVERYWHERE = """
import json, sys
from pathlib import Path

sys.path.insert(0, sys.argv[2])
folder = Path(sys.argv[1])
import polars as pl
import bioscan_etl
from bioscan_etl import reference
from bioscan_etl.provenance.code import code_of
from bioscan_etl.release.check import check
from bioscan_etl.release.check.settings import VERIFIED
from bioscan_etl.settings import ReleaseSettings, Settings
from bioscan_etl.stages.registry import PARTS, STAGES
from release_corpus import GROWN, corpus

made = corpus(folder / "lake")
forms = ("toy", "croissant", "datapackage")
asked = Settings(splits=GROWN, release=ReleaseSettings(forms=forms, image_packages=(), hdf5_packages=()))
release = made.build(folder / "releases", asked)
without = made.build(folder / "others", Settings(splits=GROWN, release=asked.release.model_copy(update={"forms": ()})))
good = [str(fault) for fault in check(release)]
stray = without / "toy.lengths"
stray.write_bytes((release / "toy.lengths").read_bytes())
unasked = [str(fault) for fault in check(without)]
rows = pl.read_csv(release / "toy.lengths")
text = (release / "toy.lengths").read_text()
(release / "toy.lengths").write_text(text.replace(rows["processid"][0], "ALIEN-1"))
damaged = [str(fault) for fault in check(release)]
stage = STAGES["toy_lengths"]
resources = {one["path"]: one for one in json.loads((release / "datapackage.json").read_text())["resources"]}
objects = json.loads((release / "croissant.json").read_text())["distribution"]
print(json.dumps({
    "package": bioscan_etl.__file__,
    "rows": rows.height,
    "stray": (without / "toy.lengths").is_file(),
    "good": good,
    "unasked": unasked,
    "damaged": damaged,
    "card": (release / "README.md").read_text(),
    "resource": resources["toy.lengths"],
    "object": [one["encodingFormat"] for one in objects if one["@id"] == "toy.lengths"],
    "stage": [stage.module, list(stage.reads), list(stage.settings), stage.about],
    "part": "toy_lengths" in PARTS,
    "manifest_reads": "toy_lengths" in STAGES["release_manifest"].reads,
    "code": code_of("toy_lengths").version,
    "pages": {name: reference.pages()[name] for name in ("reference/forms.md", "reference/stages.md")},
}))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What a copy of the package says in which the toy form is one more file."""
    folder = tmp_path_factory.mktemp("toy")
    copy = folder / "site" / "bioscan_etl"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "*.onnx", "assets", "sensors", "demo"))
    shutil.copyfile(TESTS / "toy_form.py", copy / "release" / "forms" / "toy.py")
    done = subprocess.run(
        [sys.executable, "-c", KNOWN_EVERYWHERE, str(folder), str(TESTS)],
        env=os.environ | {"PYTHONPATH": str(folder / "site")},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["package"] == str(copy / "__init__.py")
    return found


def test_a_new_form_is_built_and_checked(told):
    assert told["rows"] == 32
    assert told["good"] == []
    assert [fault for fault in told["damaged"] if fault.startswith("toy.lengths: ALIEN-1: data does not have it")]


def test_a_new_form_that_nobody_asked_for_is_a_fault(told):
    assert "toy.lengths: is there, though release.forms does not name toy" in told["unasked"]


def test_a_new_form_is_in_the_card_and_the_descriptors(told):
    assert "| `toy.lengths` | process ID and bp of the barcode |" in told["card"]
    assert "Read `toy.lengths` as a CSV." in told["card"]
    assert told["resource"]["mediatype"] == "text/x-toy"
    assert [field["name"] for field in told["resource"]["schema"]["fields"]] == ["processid", "length"]
    assert told["object"] == ["text/x-toy"]


def test_a_new_form_has_a_stage_with_code_of_its_own(told):
    module, reads, settings, about = told["stage"]
    assert module == "bioscan_etl.release.forms.toy"
    assert reads == ["release_metadata"]
    assert settings == ["release.forms", "release.image_packages", "release.rows_per_group"]
    assert about.startswith("The length of each barcode")
    assert told["part"]
    assert told["manifest_reads"]
    assert told["code"].startswith("0+")  # nothing is recorded of it yet


def test_a_new_form_is_in_the_docs(told):
    assert "## toy\n" in told["pages"]["reference/forms.md"]
    assert "## toy_lengths\n" in told["pages"]["reference/stages.md"]


# ---- names


def test_every_module_of_the_package_is_a_form():
    assert set(names()) == set(forms())
    assert {form.stage for form in forms().values() if form.build} <= set(STAGES)
    assert [form.place for form in forms().values()] == sorted({form.place for form in forms().values()})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("jsonl", "there is no form 'jsonl'; did you mean 'jsonld'?"),
        ("data-images", "there is no form 'data-images'; did you mean 'data_images'?"),
        ("registry", "there is no form 'registry'; "),
        ("xyz", "there is no form 'xyz'; there are archives, barcodebert, bbox, "),
    ],
)
def test_an_unknown_name_gets_the_nearest(given, message):
    with pytest.raises(ValueError, match="there is no form") as caught:
        require_name(given)
    assert message in str(caught.value)
    with pytest.raises(ValueError, match="there is no form"):
        ReleaseSettings(forms=(given,))


def test_a_form_of_packages_is_not_asked_for_by_name():
    with pytest.raises(ValueError, match="forms names hdf5, which is asked for with hdf5_packages or packed_packages"):
        ReleaseSettings(forms=("hdf5",))


def test_parts_follow_the_settings():
    settings = ReleaseSettings(forms=("splits", "bbox", "croissant"), image_packages=(), hdf5_packages=())
    assert [form.name for form in wanted(settings)] == ["splits", "bbox", "croissant"]
    assert set(owned(settings)) == {"metadata", "splits"}
    assert "BIOSCAN_5M_Insect_bbox.tsv" in owned(settings)["metadata"]


# ---- entries


def test_a_form_that_is_not_wanted_is_not_asked(tmp_path):
    def refuses(*_):
        raise AssertionError("asked")

    form = replace(forms()["splits"], build=refuses, owns=refuses)
    build_form(form, Staging(tmp_path, "0" * 64), ReleaseSettings(forms=()))


def test_a_library_that_is_missing_is_named(tmp_path, monkeypatch):
    staging = Staging(tmp_path, "0" * 64)
    monkeypatch.setattr(Staging, "is_complete", lambda self, part: part == "metadata")
    form = replace(forms()["splits"], libraries=("no-such-library",))
    with pytest.raises(SettingsError, match=r"splits needs no-such-library, .*take the form out of release.forms"):
        build_form(form, staging, ReleaseSettings(forms=("splits",)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no FORM named 'odd'"),
        ("from bioscan_etl.release.forms.splits import FORM\n", "has no FORM named 'odd'"),
        (
            "from dataclasses import replace\nfrom bioscan_etl.release.forms.splits import FORM as other\n"
            "FORM = replace(other, name='odd')\n",
            "several forms have the stage split_manifests",
        ),
        (
            "from dataclasses import replace\nfrom bioscan_etl.release.forms.splits import FORM as other\n"
            "FORM = replace(other, name='odd', build=None)\n",
            "form odd needs a stage of its own and `build`",
        ),
    ],
)
def test_a_module_that_is_no_form_is_named(tmp_path, monkeypatch, text, message):
    (tmp_path / "odd.py").write_text(text)
    package = sys.modules["bioscan_etl.release.forms"]
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "bioscan_etl.release.forms.odd", raising=False)
    monkeypatch.delattr(package, "odd", raising=False)
    assert "odd" in names()
    with pytest.raises(InvariantError) as caught:
        registry.forms()
    assert message in str(caught.value)
    sys.modules.pop("bioscan_etl.release.forms.odd", None)


# ---- what of a form's module is code of its stage


def test_what_other_modules_take_from_a_form_counts():
    """`check` and the card are left out of the code of a form's stage; what is built with must not be among them."""
    taken = {
        (node.module, each.name): path.name
        for path in PACKAGE.rglob("*.py")
        if "check" not in path.relative_to(PACKAGE).parts and "release.forms." in (text := path.read_text())
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom)
        for each in node.names
        if not each.name.startswith("check")
    }
    lost = {}
    for path in sorted((PACKAGE / "release" / "forms").glob("*.py")):
        kept = without_looks(ast.parse(path.read_text()), prose=False) if path.stem != "registry" else None
        defined = ast.unparse(kept) if kept else ""
        module = f"bioscan_etl.release.forms.{path.stem}"
        lost |= {key: user for key, user in taken.items() if kept and key[0] == module and key[1] not in defined}
    assert len(taken) > 100
    assert lost == {}
