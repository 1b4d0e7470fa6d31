"""The public face: lazy names, and every example of a docstring, run unchanged."""

import ast
import contextlib
import doctest
import importlib
import importlib.util
import inspect
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from bold_server import record, serving
from decided import csv_of
from images_drawn import insect, well

import bioscan_etl
from bioscan_etl import api
from bioscan_etl.errors import SourceError
from bioscan_etl.schema import BCDM

PACKAGE = Path(bioscan_etl.__file__).parent
SLOW = ("write_demo", "run", "check", "describe", "diff", "draw_figures", "evaluate", "publish")
# Examples that go on from one another; each is run in a folder of its own, after those that it needs.
AFTER = {
    "decide": ("land",),
    "list_decisions": ("land", "decide"),
    "propose": ("land",),
    "list_proposals": ("land", "propose"),
    "open_alerts": ("land",),
    "send_alerts": ("land",),
    "status": ("land",),
    "why": ("land",),
    "withdraw": ("land",),
    "restore": ("land", "withdraw"),
    "run": ("write_demo",),
    "write_corrections": ("land",),
}


def examples(module):
    """The examples of a module's docstrings, by name of what they belong to."""
    found = doctest.DocTestFinder(exclude_empty=True).find(module, module.__name__)
    return {one.name.removeprefix(f"{module.__name__}."): one for one in found if one.examples}


def follow(module, name):
    """Run an example as it stands."""
    said = []
    outcome = doctest.DocTestRunner(verbose=False).run(examples(module)[name], out=said.append)
    assert outcome.attempted > 0
    assert not outcome.failed, "".join(said)


def modules_with_examples():
    for found in pkgutil.walk_packages([str(PACKAGE)], "bioscan_etl."):
        spec = importlib.util.find_spec(found.name)
        if found.name != api.__name__ and spec is not None and spec.origin and ">>> " in Path(spec.origin).read_text():
            yield found.name


FUNCTIONS = [name for name, one in vars(api).items() if inspect.isfunction(one) and one.__module__ == api.__name__]
PUBLIC = [name for name in FUNCTIONS if not name.startswith("_")]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = {"processid": "AAASF001-17", "action": "reject", "reason": "no_insect"}
    (tmp_path / "reviewed.csv").write_text(csv_of([line]))
    report = "AAASF001-17,no_insect,U. Ser,2026-02-01"
    (tmp_path / "from_users.csv").write_text(f"processid,reason,reporter,date\n{report}\n")
    return tmp_path


@pytest.fixture
def bold(place, monkeypatch):
    """A server that plays BOLD, and settings that lead to it."""
    import cv2

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as server:
        empty = dict.fromkeys(column.name for column in BCDM)
        ids = [f"AAASF{number:03}-17" for number in range(4)]
        server.records["tax:family:Culicidae;geo:country/ocean:Canada"] = [empty | record(one) for one in ids]
        image = well()
        insect(image, (400, 380), 200)
        photo = cv2.imencode(".jpg", image[:, :, ::-1])[1].tobytes()
        server.images = {one: {f"{number}.jpg": photo} for number, one in enumerate(ids)}
        settings = server.settings(attempts=2)
        lines = [f"{name} = {json.dumps(getattr(settings, name))}" for name in settings.model_fields_set]
        (place / "bold.toml").write_text("\n".join(["[bold]", *lines]) + "\n")
        yield server


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """The folder in which the examples of a demo corpus and its run were followed."""
    folder = tmp_path_factory.mktemp("released")
    with contextlib.chdir(folder):
        for name in ("write_demo", "run"):
            follow(api, name)
    return folder


@pytest.mark.parametrize("name", [name for name in PUBLIC if name not in SLOW and not name.startswith("fetch")])
def test_the_example_of_a_function_runs(place, name):
    for earlier in AFTER.get(name, ()):
        follow(api, earlier)
    follow(api, name)


@pytest.mark.parametrize("name", [name for name in PUBLIC if name.startswith("fetch")])
def test_the_example_of_a_download_runs(bold, name):
    follow(api, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["check", "describe", "diff", "draw_figures", "evaluate"])
def test_the_example_of_a_release_runs(released, monkeypatch, name):
    monkeypatch.chdir(released)
    follow(api, name)


@pytest.mark.slow
def test_the_example_of_a_mirror_runs(released, s3, monkeypatch):
    monkeypatch.chdir(released)
    follow(api, "publish")


def test_every_function_has_an_example():
    assert set(PUBLIC) == set(examples(api))


# The examples of `release.opened` need a release, which its own test makes.
@pytest.mark.parametrize("name", sorted(set(modules_with_examples()) - {"bioscan_etl.release.opened"}))
def test_the_examples_of_the_library_run(place, name):
    module = importlib.import_module(name)
    for one in examples(module):
        follow(module, one)


def test_every_public_name_is_found_where_it_is_said_to_be():
    assert sorted(bioscan_etl._HOME) == sorted(bioscan_etl.__all__)
    assert set(bioscan_etl.__all__) <= set(dir(bioscan_etl))
    assert {name for name, home in bioscan_etl._HOME.items() if home == api.__name__} == set(PUBLIC) - {
        "records_beside"
    }
    for name, home in bioscan_etl._HOME.items():
        if importlib.util.find_spec(home) is not None:
            assert getattr(bioscan_etl, name) is getattr(importlib.import_module(home), name)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = bioscan_etl.nothing


def test_editors_and_type_checkers_see_the_names_that_are_imported_lazily():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    seen = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == {name: home for name, home in bioscan_etl._HOME.items() if importlib.util.find_spec(home)}


def test_no_public_name_is_that_of_a_module():
    """Importing the module would put it in the place of the function."""
    modules = {found.name for found in pkgutil.iter_modules([str(PACKAGE)])}
    assert not modules & set(bioscan_etl.__all__)


@pytest.mark.parametrize("code", ["import bioscan_etl", "import bioscan_etl.api", "from bioscan_etl import run, split"])
def test_an_import_brings_no_heavy_library(code):
    heavy = "{'polars', 'dagster', 'numpy', 'pydantic', 'boto3', 'pyarrow', 'cv2', 'rich', 'cyclopts'}"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; sys.exit(str({heavy} & set(sys.modules) or ''))"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.strip() == ""


def test_one_image_is_a_file_or_pixels(place):
    image = well()
    insect(image, (500, 380), 300)
    import cv2

    cv2.imwrite("AAASF001-17.png", image[:, :, ::-1])
    of_pixels = api.detect(image, model="segmentation")
    of_file = api.detect("AAASF001-17.png", model="segmentation")
    assert of_pixels.drop("image_file").equals(of_file.drop("image_file"))
    assert of_file["image_file"].to_list() == ["AAASF001-17.png"]
    of_folder = api.detect(place, model="segmentation")
    assert of_folder["processid"].to_list() == ["AAASF001-17"]
    assert of_folder.drop("processid").equals(of_file.drop("processid"))
    with pytest.raises(SourceError, match="is no image; give"):
        api.detect(np.zeros((4, 4), np.uint8))


def test_what_is_given_twice_or_not_at_all_is_one_line(place):
    with pytest.raises(SourceError, match="give either process IDs or records"):
        api.fetch_images(output="x")
    with pytest.raises(SourceError, match="give either process IDs or records"):
        api.fetch_images(["A-1"], "x", records="list.tsv")
    with pytest.raises(SourceError, match="there is no folder"):
        api.status("nowhere")
    with pytest.raises(SourceError, match="nothing to run"):
        api.run("out")
    with pytest.raises(SourceError, match="the table has no column genus, species, dna_barcode"):
        api.split(pl.DataFrame({"processid": ["A-1"]}))
    with pytest.raises(SourceError, match="must end in"):
        api.compare("a.tsv", "b.tsv", output="changes.txt")


def test_a_place_is_a_text_or_a_path_and_one_may_stand_for_several(place, capsys):
    follow(api, "land")
    landed = api.land(place / "out", Path("plate-7.tsv"), "b1")
    assert (landed.batch, landed.records) == ("b1", (str(place / "plate-7.tsv"),))
    assert api.land("out", ["plate-7.tsv"], "b2").batch == "b2"
    assert [one.batch for one in api.status("out").batches] == ["b1", "b2"]
    assert capsys.readouterr() == ("", "")
