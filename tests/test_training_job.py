"""Fine-tuning as a job of a real Dagster instance; a stand-in trains, everything else is what users run."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest
import yaml
from PIL import Image, ImageDraw
from training_corpus import annotated_corpus

pytest.importorskip("pycocotools", reason="the package pycocotools is not installed")
onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402 - only where it is there

from bioscan_etl import landing  # noqa: E402
from bioscan_etl.assets.detector import tuned_detector  # noqa: E402
from bioscan_etl.assets.promotion import promoted_detector  # noqa: E402
from bioscan_etl.definitions.running import open_instance, run_batch  # noqa: E402
from bioscan_etl.definitions.training import build_defs  # noqa: E402
from bioscan_etl.images.detect import load_detector  # noqa: E402
from bioscan_etl.images.detection import SHIPPED  # noqa: E402
from bioscan_etl.images.refined import FEATURES  # noqa: E402
from bioscan_etl.images.reviews import read_reviews  # noqa: E402
from bioscan_etl.lake import Lake, Output  # noqa: E402
from bioscan_etl.lake.corpus import read_settings, settings_file  # noqa: E402
from bioscan_etl.lake.current import get  # noqa: E402
from bioscan_etl.progress import silent  # noqa: E402
from bioscan_etl.resources import CorpusResource  # noqa: E402
from bioscan_etl.settings import ImageSettings  # noqa: E402
from bioscan_etl.state import BatchState, survey  # noqa: E402
from bioscan_etl.training import dataset  # noqa: E402
from bioscan_etl.training.processes import PYTHON  # noqa: E402
from bioscan_etl.training.promoted import promoted  # noqa: E402

pytestmark = pytest.mark.slow

IMAGES = 60
# Answers as the training's scripts do, as far as they need torch; `calibrate` itself runs unless there is a result.
STAND_IN = """\
#!{python}
import json, os, shutil, sys
from pathlib import Path

home, arguments = Path({home!r}), sys.argv[1:]
assert arguments.pop(0) == "-P"
if arguments[0] == "-c":
    print("[]")
    sys.exit()
assert arguments.pop(0) == "-m"
script = arguments[0].removeprefix("bioscan_etl.training.")
with (home / "calls.txt").open("a") as calls:
    calls.write(json.dumps([script, *arguments[1:]]) + "\\n")
if script == "train":
    last = Path(arguments[3]) / "coarse" / "weights" / "last.pt"
    last.parent.mkdir(parents=True, exist_ok=True)
    print("complete" if last.exists() else "epoch 36/36")
    last.write_text("coarse weights")
if script == "refine":
    if (home / "power cut").exists():
        (home / "power cut").unlink()
        sys.exit("the power went")
    (Path(arguments[3]) / "refiner.pt").write_text("refiner weights")
if script == "export":
    Path(arguments[2]).mkdir(exist_ok=True)
    for name in ("coarse.onnx", "refiner.onnx"):
        shutil.copy(home / name, arguments[2])
if script == "calibrate":
    if (home / "calibration.json").exists():
        shutil.copy(home / "calibration.json", arguments[3])
    else:
        os.execv({python!r}, [{python!r}, "-P", "-m", *arguments])
"""


def dark_pixels() -> list:
    """Nodes that give `dark`, 1 where an insect is drawn, and `x0`, `y0`, `x1`, `y1` of all that is dark, int64."""
    make = helper.make_node
    nodes = [
        make("ReduceMean", ["images"], ["grey"], axes=[1]),
        make("Less", ["grey", "bright"], ["darker"]),
        make("Greater", ["grey", "black"], ["lighter"]),
        make("And", ["darker", "lighter"], ["within"]),
        make("Cast", ["within"], ["raw"], to=TensorProto.FLOAT),
        # Where the window leaves the picture, a line of one pixel is half as bright: taken away, given back below.
        make("Sub", ["one", "raw"], ["not"]),
        make("MaxPool", ["not"], ["grown"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        make("Sub", ["one", "grown"], ["core"]),
        make("MaxPool", ["core"], ["dark"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    ]
    for axis, name in ((2, "x"), (3, "y")):
        nodes += [
            make("ReduceMax", ["dark"], [f"any_{name}"], axes=[axis], keepdims=0),
            make("ArgMax", [f"any_{name}"], [f"{name}0_whole"], axis=2, keepdims=0),
            make("ArgMax", [f"any_{name}"], [f"{name}1_whole"], axis=2, keepdims=0, select_last_index=1),
            make("Cast", [f"{name}0_whole"], [f"{name}0"], to=TensorProto.FLOAT),
            make("Cast", [f"{name}1_whole"], [f"{name}1_inner"], to=TensorProto.FLOAT),
            make("Add", [f"{name}1_inner", "one"], [f"{name}1"]),
        ]
    return nodes


def save(path: Path, nodes: list, side: tuple[int, int], answers: dict, constants: dict) -> None:
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, *side])
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in answers.items()]
    values = {"bright": 0.5, "black": 0.06, "one": 1.0, "half": 0.5} | constants
    known = [
        numpy_helper.from_array(np.array(value, np.int64 if name == "last" else np.float32), name)
        for name, value in values.items()
    ]
    graph = helper.make_graph(nodes, "dark", [image], outputs, known)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))


def detector_folder(folder: Path, *, sees: float = 0.9, moved: float = 0.0) -> Path:
    """A detector of drawn insects: how sure it is of one, and by how much of the window it is beside it."""
    folder.mkdir(parents=True)
    make = helper.make_node
    nodes = dark_pixels()
    for name in ("x", "y"):
        nodes += [
            make("Add", [f"{name}0", f"{name}1"], [f"{name}_sum"]),
            make("Mul", [f"{name}_sum", "half"], [f"{name}_middle"]),
            make("Sub", [f"{name}1", f"{name}0"], [f"{name}_size"]),
        ]
    nodes += [
        make("ReduceMax", ["dark"], ["some"], axes=[2, 3], keepdims=0),
        make("Mul", ["some", "sees"], ["score"]),
        make("Concat", ["x_middle", "y_middle", "x_size", "y_size", "score"], ["flat"], axis=1),
        make("Unsqueeze", ["flat", "last"], ["output0"]),
    ]
    save(folder / "coarse.onnx", nodes, (144, 192), {"output0": [1, 5, 1]}, {"sees": sees, "last": [2]})
    nodes = [
        *dark_pixels(),
        make("AveragePool", ["dark"], ["halved"], kernel_shape=[2, 2], strides=[2, 2]),
        make("ReduceMax", ["halved"], ["mask"], axes=[1], keepdims=0),
        make("Concat", ["x0", "y0", "x1", "y1"], ["pixels"], axis=1),
        make("Div", ["pixels", "side"], ["shares"]),
        make("Add", ["shares", "moved"], ["box"]),
        make("Mul", ["box", "nothing"], ["spread"]),
        make("Add", ["nothing", "scores_given"], ["scores"]),
    ]
    answers = {"mask": [1, 48, 48], "box": [1, 4], "spread": [1, 4], "scores": [1, 2]}
    constants = {"side": 96.0, "moved": [[moved, 0, moved, 0]], "nothing": 0.0, "scores_given": [[0.9, 0.9]]}
    save(folder / "refiner.onnx", nodes, (96, 96), answers, constants)
    weights = dict.fromkeys(FEATURES, 0.0) | {"coarse": 1.0}
    regression = {"weights": weights, "offset": 0.0}
    thresholds = {"empty_confidence": 0.26, "min_confidence": 0.67}
    rules = {"worth_a_look": 0.03, "against_best": 0.1, "most": 3, "again": 0.7}
    (folder / "calibration.json").write_text(
        json.dumps({"confidence": regression, "presence": regression, **thresholds, **rules})
    )
    return folder


def stand_in(folder: Path) -> Path:
    """An executable that trains the detector of its folder."""
    program = folder / "python"
    program.write_text(STAND_IN.format(python=sys.executable, home=str(folder)))
    program.chmod(0o755)
    return program


def calls(program: Path) -> list[list[str]]:
    return [json.loads(line) for line in (program.parent / "calls.txt").read_text().splitlines()]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> tuple[Path, dict]:
    """Drawn images and their truth: (x0, y0, x1, y1) by process ID, or None."""
    images, annotations = annotated_corpus(tmp_path_factory.mktemp("corpus"), IMAGES)
    coco = json.loads(annotations.read_text())
    for number, path in enumerate(sorted(images.iterdir())):
        with Image.open(path) as picture:  # empty wells are drawn alike, and a picture counts once
            marked = picture.copy()
        ImageDraw.Draw(marked).rectangle((8 * number, 0, 8 * number + 7, 7), fill="white")
        marked.save(path, quality=90)
    truth = {image["file_name"].split(".")[0]: None for image in coco["images"]}
    names = {image["id"]: image["file_name"].split(".")[0] for image in coco["images"]}
    for entry in coco["annotations"]:
        x, y, width, height = entry["bbox"]
        truth[names[entry["image_id"]]] = (x, y, x + width, y + height)
    return images, truth


def state_of(lake: Lake) -> BatchState:
    """The state of the only batch."""
    [state] = survey(lake, read_settings(lake))
    return state


class House:
    """A lake with an ingested batch, its settings, and the jobs that run on them."""

    def __init__(self, root: Path, images: Path, current: Path) -> None:
        self.root = root
        self.lake = Lake(root / "out")
        self.resource = CorpusResource(str(self.lake.root))
        self.lake.root.mkdir()
        settings_file(self.lake).write_text(f"[images]\ndetector = {json.dumps(str(current))}\n")
        self.current = current
        landing.register(self.lake, "plate-1", [], images=[str(images)])
        self.instance = open_instance(self.lake)
        run_batch(self.lake, state_of(self.lake), instance=self.instance, progress=silent)
        assert state_of(self.lake).is_current

    def get(self, asset: str) -> Output:
        """The current output of an asset of the training."""
        return get(self.lake, asset)

    def run(self, job: str, **ops) -> dg.ExecuteInProcessResult:
        job_def = build_defs(self.resource, silent).resolve_job_def(job)
        config = {"ops": {name: {"config": values} for name, values in ops.items()}}
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        return job_def.execute_in_process(instance=self.instance, run_config=config | quiet, raise_on_error=False)

    def tune(self, reviews: Path, python: Path, *, least: int = 5, **more) -> dg.ExecuteInProcessResult:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(PYTHON, str(python))
            return self.run(
                "fine_tune_detector",
                reviewed_boxes={"reviews": str(reviews), **more.get("reviewed", {})},
                tuned_detector=more.get("tuned", {}),
                tuned_detector_not_worse={"least": least, **more.get("validation", {})},
            )

    def promoted(self) -> list[str]:
        return [output.batch for output in promoted(self.lake)]


def told_line(result: dg.ExecuteInProcessResult) -> str:
    """The line for the settings that a run shows."""
    told = result.asset_materializations_for_node("promoted_detector")[0].metadata["settings"].value
    return next(line.strip() for line in told.splitlines() if "detector = " in line)


@pytest.fixture(scope="module")
def house(tmp_path_factory, corpus) -> House:
    root = tmp_path_factory.mktemp("house")
    return House(root, corpus[0], detector_folder(root / "good"))


@pytest.fixture(scope="module")
def reviews(house, corpus) -> Path:
    return filled_in(house, corpus)


def filled_in(house: House, corpus: tuple[Path, dict]) -> Path:
    """The proposed sheet, filled in with the truth."""
    assert house.run("propose_reviews").success
    sheet = pl.read_csv(house.get("boxes_to_review").path("boxes_to_review.csv"), infer_schema=False)
    assert sheet.height == IMAGES
    edges = [corpus[1][name] for name in sheet["processid"]]
    columns = {
        name: [None if box is None else str(box[n]) for box in edges] for n, name in enumerate(("x0", "y0", "x1", "y1"))
    }
    filled = sheet.with_columns(
        verdict=pl.Series(["empty" if box is None else "box" for box in edges]),
        curator=pl.lit("A. Curator"),
        date=pl.lit("2026-01-31"),
        **{name: pl.Series(values, dtype=pl.String) for name, values in columns.items()},
    )
    filled.write_csv(house.root / "reviews.csv")
    return house.root / "reviews.csv"


def failure(result: dg.ExecuteInProcessResult) -> str:
    """The one line that the failed step says."""
    failed = [event for event in result.all_events if event.is_step_failure]
    assert len(failed) == 1
    text = failed[0].step_failure_data.user_failure_data.description
    assert "\n" not in text
    return text


def check(result: dg.ExecuteInProcessResult):
    return result.get_asset_check_evaluations()[0]


@pytest.fixture(scope="module")
def equal(house, reviews, tmp_path_factory):
    """A run whose tuned detector is as good as the current one, and its stand-in."""
    program = stand_in(detector_folder(tmp_path_factory.mktemp("equal") / "models"))
    (program.parent / "calibration.json").unlink()
    return house.tune(reviews, program), program


def test_an_equal_detector_is_promoted_and_the_settings_take_it(house, equal):
    result, program = equal
    assert result.success
    found = check(result)
    assert found.passed
    assert "| AP(0.75) |" in found.metadata["figures"].value
    assert found.metadata["became_worse"].value.startswith("**0 images became worse, 0 images better**, of ")
    assert "the images are few" in found.description
    assert found.metadata["images"].value["occupied"] >= 5
    name = load_detector(ImageSettings(detector=str(house.get("tuned_detector").folder / "detector"))).name
    assert house.promoted() == [name]
    folder = house.lake.root / tomllib.loads(told_line(result))["detector"]
    assert folder == promoted(house.lake)[0].folder
    assert load_detector(ImageSettings(detector=str(folder))).name == name
    made = calls(program)
    assert [call[0] for call in made] == ["train", "refine", "export", "calibrate"]
    # From the detector of the settings, of which there are only the exported networks.
    assert made[0][4:] == ["--epochs", "6", "--from", str(house.current / "coarse.onnx"), "--rate", "0.0005"]
    assert made[1][4:] == ["--windows", "20000", "--from", str(house.current / "refiner.onnx"), "--rate", "0.0005"]
    messages = [entry.user_message for entry in house.instance.all_logs(result.run_id)]
    assert "train ended with 0:\nepoch 36/36" in messages
    assert json.loads((folder / "calibration.json").read_text())["made_by"] == "bioscan_etl.training.calibrate"
    tuned = house.get("tuned_detector")
    assert set(tuned.files) == {
        *(f"detector/{name}" for name in ("coarse.onnx", "refiner.onnx", "calibration.json")),
        "weights/coarse.pt",
        "weights/refiner.pt",
    }


def test_a_promoted_detector_moves_with_the_corpus_and_makes_the_boxes_stale(house, equal, tmp_path):
    result, _ = equal
    name = house.promoted()[0]
    moved = Lake(tmp_path / "elsewhere" / "moved")
    shutil.copytree(house.lake.root, moved.root, ignore=shutil.ignore_patterns(".dagster"))
    # What a killed run has left, or a broken disk, is no detector, and hides none.
    folder = promoted(moved)[0].folder
    shutil.copytree(folder, folder.with_name("0" * 16), ignore=shutil.ignore_patterns("manifest.json"))
    (damaged := folder.with_name("f" * 16)).mkdir()
    (damaged / "manifest.json").write_text("no manifest")
    [kept] = promoted(moved)
    assert (kept.batch, kept.is_whole) == (name, True)
    assert moved.root in kept.folder.parents
    before = state_of(moved)
    assert "another detector" not in str(before.reasons)
    settings_file(moved).write_text(f"[images]\n{told_line(result)}\n")
    settings = read_settings(moved)
    assert Path(settings.images.detector) == kept.folder
    assert load_detector(settings.images).name == name
    stale = state_of(moved)
    assert stale.status == "stale"
    assert set(stale.reasons) - set(before.reasons) == {"another detector (specimen_boxes)"}


def test_what_is_learnt_from_is_what_curators_said(house, equal, corpus):
    assert equal[0].success
    output = house.get("reviewed_boxes")
    images = dataset.read_annotations(output.path("annotations.coco.json"))
    assert {image.file_name.split(".")[0]: image.box for image in images} == {
        name: None if box is None else pytest.approx(box) for name, box in corpus[1].items()
    }
    assert output.counts["outlined"] == output.counts["occupied"] == sum(box is not None for box in corpus[1].values())
    for image in images:
        assert (output.folder / "images" / image.file_name).read_bytes() == (corpus[0] / image.file_name).read_bytes()
        if image.box is not None:
            # An outline, not the box: the drawn bodies are ellipses with a head.
            assert 0.4 < image.mask().sum() / np.prod(np.subtract(image.box[2:], image.box[:2])) < 0.9


def test_the_same_again_trains_nothing_and_keeps_the_folder(house, reviews, equal):
    before = calls(equal[1])
    folder = promoted(house.lake)[0].folder
    stamp = folder.stat().st_mtime_ns
    again = house.tune(reviews, equal[1])
    assert again.success
    assert calls(equal[1]) == before
    assert folder.stat().st_mtime_ns == stamp


@pytest.mark.parametrize(
    ("built", "reason"),
    [
        ({"sees": 0.0}, "AP(0.75) 0.000 after"),
        ({"moved": 0.12}, "AP(0.75)"),
        ({"sees": 0.0}, "occupied images reported empty 1.000 after"),
    ],
)
def test_a_worse_detector_is_blocked_and_nothing_is_promoted(house, reviews, tmp_path, equal, built, reason):
    kept = house.promoted()
    assert len(kept) == 1
    program = stand_in(detector_folder(tmp_path / "models", **built))
    result = house.tune(reviews, program, tuned={"epochs": 7 + len(reason)})
    assert not result.success
    found = check(result)
    assert not found.passed
    assert found.blocking
    assert reason in found.description
    # Its pictures are in the metadata, and on a page.
    shown = found.metadata["became_worse"].value
    assert re.search(r"!\[D\d{3}.*(reported empty|wrong box) now", shown)
    assert "](data:image/jpeg;base64," in shown
    page = Path(found.metadata["page"].value)
    assert page.parent == house.get("detector_evaluation").folder
    assert "images became worse" in page.read_text()
    assert house.promoted() == kept
    assert not result.asset_materializations_for_node("promoted_detector")
    # Nor can somebody promote it alone, past the check.
    alone = dg.materialize(
        [tuned_detector, promoted_detector],
        selection=[promoted_detector],
        resources={"corpus": house.resource},
        raise_on_error=False,
    )
    assert "the tuned detector is worse" in failure(alone)
    assert house.promoted() == kept


def test_a_better_detector_is_promoted(house, reviews, tmp_path, corpus):
    other = House(tmp_path, corpus[0], detector_folder(tmp_path / "shifted", moved=0.12))
    program = stand_in(detector_folder(tmp_path / "models"))
    result = other.tune(reviews, program)
    assert result.success
    figures = other.get("detector_evaluation").counts["figures"]
    assert figures["tuned"]["AP75"] > figures["current"]["AP75"] + 0.3
    assert len(other.promoted()) == 1


def test_a_killed_training_goes_on_where_it_was(house, reviews, equal, tmp_path):
    program = stand_in(detector_folder(tmp_path / "models"))
    weights = tmp_path / "weights"
    weights.mkdir()
    for name in ("coarse.pt", "refiner.pt"):
        (weights / name).write_text("earlier weights")
    plan = {"tuned": {"epochs": 3, "windows": 640, "weights": str(weights)}}
    # A .pt is a pickle and can run code: a run may name those of the lake alone.
    assert "coarse.onnx do not exist" in failure(house.tune(reviews, program, **plan))
    for name in ("coarse", "refiner"):
        (weights / f"{name}.pt").rename(weights / f"{name}.onnx")
    (program.parent / "power cut").touch()
    stopped = house.tune(reviews, program, **plan)
    assert failure(stopped) == (
        "refine failed with 1: the power went; the log has its last lines, run again to go on with it"
    )
    # What it has left is no output: without a manifest nothing finds it. The one before stays the current one.
    place = house.lake.place("tuned_detector", "corpus")
    [left] = [folder for folder in place.iterdir() if folder.is_dir() and not (folder / "manifest.json").exists()]
    assert (left / "training" / "coarse" / "weights" / "last.pt").read_text() == "coarse weights"
    current = house.get("tuned_detector")
    assert current.is_whole
    assert current.folder != left
    assert house.tune(reviews, program, **plan).success
    done = house.get("tuned_detector")
    assert (done.folder, done.is_whole) == (left, True)
    assert json.loads((left / "manifest.json").read_text())["fingerprint"] == done.fingerprint
    assert [folder for folder in place.iterdir() if folder.is_dir()] == [left]
    assert not (left / "training").exists()
    made = calls(program)
    assert [call[0] for call in made] == ["train", "refine", "train", "refine", "export", "calibrate"]
    assert made[2] == made[0]
    assert made[0][4:] == ["--epochs", "3", "--from", str(weights / "coarse.onnx"), "--rate", "0.0005"]
    assert made[1][4:] == ["--windows", "640", "--from", str(weights / "refiner.onnx"), "--rate", "0.0005"]


@pytest.mark.train
@pytest.mark.skipif(not find_spec("ultralytics"), reason="needs .venv-clients: its package is not installed")
def test_the_scripts_themselves_train_the_shipped_detector_on(tmp_path, corpus, monkeypatch):
    """No stand-in: the environment of the slow tests has the extra `train`."""
    # Great Expectations imports PySpark, which takes a main module without a file for a doctest and ends the process.
    # The workers of pytest have such a one.
    monkeypatch.setattr(sys.modules["__main__"], "__file__", __file__, raising=False)
    other = House(tmp_path, corpus[0], Path("trained"))
    reviews = filled_in(other, corpus)
    result = other.tune(
        reviews,
        Path(sys.executable),
        tuned={"epochs": 1, "windows": 640, "rate": 1e-4},
        validation={"tolerance": 0.2},  # seven images decide
    )
    figures = other.get("detector_evaluation").counts["figures"]
    assert figures["tuned"]["AP50"] > 0.5, figures
    assert result.success, check(result).description
    name = other.promoted()[0]
    tuned = promoted(other.lake)[0].folder
    assert load_detector(ImageSettings(detector=str(tuned))).name == name
    assert name != load_detector(ImageSettings()).name
    for network in ("coarse.onnx", "refiner.onnx"):
        assert (tuned / network).read_bytes() != (SHIPPED / network).read_bytes()
    # Once more, from the weights that this one has left.
    weights = other.get("tuned_detector").folder / "weights"
    plan = {"epochs": 1, "windows": 32, "rate": 1e-6, "weights": str(weights)}
    assert other.tune(reviews, Path(sys.executable), tuned=plan, validation={"tolerance": 0.2}).success
    assert len(other.promoted()) == 2


def test_from_nothing_is_slower_and_has_to_be_asked_for(house, reviews, tmp_path):
    program = stand_in(detector_folder(tmp_path / "models"))
    assert house.tune(reviews, program, tuned={"weights": "nothing"}).success
    assert calls(program)[0][4:] == ["--epochs", "130", "--rate", "0.002"]
    assert calls(program)[1][4:] == ["--windows", "480000", "--rate", "0.002"]


def test_a_detector_without_two_networks_is_nothing_to_start_from(reviews, tmp_path, corpus):
    other = House(tmp_path, corpus[0], Path("segmentation"))
    assert failure(other.tune(reviews, tmp_path / "python")).startswith(
        "the detector of the settings, segmentation, has no two networks to start from: name a folder in "
    )


def test_a_python_that_cannot_train_is_told_in_one_line(house, reviews, tmp_path):
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')  # without any installed package
    bare.chmod(0o755)
    text = failure(house.tune(reviews, bare, tuned={"epochs": 99}))
    assert text.startswith(f"{bare} lacks torch, ultralytics")
    absent = failure(house.tune(reviews, tmp_path / "absent", tuned={"epochs": 99}))
    assert f"{tmp_path / 'absent'} does not run" in absent
    assert "bioscan-etl[train]" in text
    for told in (text, absent):
        assert "BIOSCAN_TRAINING_PYTHON" in told
        assert "--training-python" in told


def test_no_run_names_an_executable(house):
    job = build_defs(house.resource, silent).resolve_job_def("fine_tune_detector")
    config = {"ops": {"tuned_detector": {"config": {"python": "/bin/sh"}}}}
    with pytest.raises(dg.DagsterInvalidConfigError, match="python"):
        job.execute_in_process(instance=house.instance, run_config=config, raise_on_error=False)


def test_what_measuring_lacks_is_told_before_the_training(house, reviews, tmp_path, monkeypatch):
    program = stand_in(detector_folder(tmp_path / "models"))
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    monkeypatch.delitem(sys.modules, "pycocotools.coco", raising=False)
    text = failure(house.tune(reviews, program, tuned={"epochs": 97}))
    assert "pycocotools, which is not installed: pip install 'bioscan-etl[train]'" in text
    assert not (program.parent / "calls.txt").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reviewed": {"reviews": ""}}, r"ops.reviewed_boxes.config.reviews"),
        ({"reviewed": {"annotations": "a.json"}}, "needs annotations and images, or neither"),
        ({"reviewed": {"annotations": "absent.json", "images": "absent"}}, "annotations absent.json do not exist"),
        ({"reviewed": {"annotations": "one.json", "images": "absent"}}, "absent has no image 'A.jpg' that can be read"),
        ({"reviewed": {"batches": ["plate-9"]}}, "no output of specimen_boxes for plate-9"),
        ({"tuned": {"weights": "nowhere"}}, "weights nowhere/coarse.onnx do not exist"),
        ({"least": 500}, "occupied images to measure on, 500 are needed"),
        ({"validation": {"part": "some"}}, "neither validation nor all"),
        ({"validation": {"images": "images"}}, "needs annotations and images, or neither"),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_told_in_one_line(
    house, reviews, equal, tmp_path, monkeypatch, change, message
):
    monkeypatch.chdir(tmp_path)
    image = {"id": 1, "file_name": "A.jpg", "width": 64, "height": 48}
    (tmp_path / "one.json").write_text(json.dumps({"images": [image], "annotations": []}))
    assert message in failure(house.tune(reviews, equal[1], **change))


def test_too_few_reviews_to_learn_from_are_told_before_training(house, reviews, tmp_path):
    few = tmp_path / "few.csv"
    few.write_text("".join(reviews.read_text().splitlines(keepends=True)[:4]))
    assert "both are needed; review more" in failure(house.tune(few, tmp_path / "python"))


def test_reviews_go_before_what_was_learnt_from_earlier(house, reviews, equal, corpus, tmp_path):
    """The earlier file has wrong boxes under other names; a few pictures are reviewed, the others stay as they were."""
    images = tmp_path / "earlier"
    images.mkdir()
    coco = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "specimen"}]}
    for number, path in enumerate(sorted(corpus[0].iterdir()), 1):
        (images / f"old-{path.name}").write_bytes(path.read_bytes())
        coco["images"].append({"id": number, "file_name": f"old-{path.name}", "width": 1024, "height": 768})
        coco["annotations"].append({"id": number, "image_id": number, "category_id": 1, "bbox": [1, 2, 30, 40]})
    (tmp_path / "earlier.json").write_text(json.dumps(coco))
    few = tmp_path / "few.csv"
    few.write_text("".join(reviews.read_text().splitlines(keepends=True)[:11]))
    config = {"annotations": str(tmp_path / "earlier.json"), "images": str(images)}
    house.tune(few, equal[1], reviewed=config)
    output = house.get("reviewed_boxes")
    found = {image.file_name: image.box for image in dataset.read_annotations(output.path("annotations.coco.json"))}
    assert len(found) == IMAGES
    reviewed = pl.read_csv(few, infer_schema=False)["processid"].to_list()
    for name, box in corpus[1].items():
        wanted = box if name in reviewed else (1, 2, 31, 42)
        assert found[f"old-{name}.jpg"] == (None if wanted is None else pytest.approx(wanted))


def test_images_that_were_learnt_are_not_measured_on(house, reviews, equal, corpus, tmp_path):
    coco = {"images": [], "annotations": []}
    for number, (name, box) in enumerate(corpus[1].items(), 1):
        coco["images"].append({"id": number, "file_name": f"{name}.jpg", "width": 1024, "height": 768})
        if box is not None:
            edges = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
            coco["annotations"].append({"id": number, "image_id": number, "category_id": 1, "bbox": edges})
    (tmp_path / "all.json").write_text(json.dumps(coco))
    given = {"annotations": str(tmp_path / "all.json"), "images": str(corpus[0]), "part": "all"}
    result = house.tune(reviews, equal[1], validation=given)
    assert result.success
    held_out = sum(dataset.part_of(f"{name}.jpg") == "validation" for name in corpus[1])
    counted = check(result).metadata["images"].value
    assert counted["left_out"] == IMAGES - held_out
    assert counted["occupied"] + counted["empty"] == held_out


def test_images_that_are_not_the_annotated_ones_are_named(house, reviews, equal, corpus, tmp_path):
    coco = {"images": [{"id": 1, "file_name": "E-1.jpg", "width": 640, "height": 480}], "annotations": []}
    coco["annotations"].append({"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 40]})
    (tmp_path / "small.json").write_text(json.dumps(coco))
    with Image.open(sorted(corpus[0].iterdir())[1]) as picture:
        picture.rotate(180).save(tmp_path / "E-1.jpg")
    given = {"annotations": str(tmp_path / "small.json"), "images": str(tmp_path), "part": "all"}
    text = failure(house.tune(reviews, equal[1], least=1, validation=given))
    assert "E-1.jpg has 1024 x 768 px, annotated are" in text


ROOT = Path(__file__).parents[1]
DOCS = (ROOT / "docs" / "how-to" / "fine-tune.md").read_text()


def block(kind: str) -> str:
    return re.search(rf"```{kind}\n(.*?)```", DOCS, re.S)[1]


def test_the_page_s_reviews_are_read(tmp_path):
    (tmp_path / "reviews.csv").write_text(block(""))
    known = {"batch": "plate-7", "width_original": 1024, "height_original": 768, "status": "empty"}
    rows = [
        known | {"processid": f"AAASF00{n}-17", "image_file": f"plate 7/A0{n}.jpg", "sha256": str(n)} for n in (1, 2, 3)
    ]
    boxes = pl.DataFrame(rows).with_columns(pl.lit(None, pl.Int32).alias(edge) for edge in ("x0", "y0", "x1", "y1"))
    assert read_reviews(tmp_path / "reviews.csv", boxes)["verdict"].to_list() == ["box", "empty"]


def test_the_page_s_commands_and_settings_work(house, reviews, corpus, tmp_path):
    """As they stand, on files under the names that the page uses; the stand-in is the Python with the extra."""
    shutil.copytree(house.lake.root, tmp_path / "out", ignore=shutil.ignore_patterns("promoted_detector", ".dagster"))
    (tmp_path / "reviews.csv").write_text(reviews.read_text())
    (tmp_path / "fine-tune.yaml").write_text(block("yaml"))
    (tmp_path / "annotated").mkdir()
    with Image.open(sorted(corpus[0].iterdir())[0]) as picture:
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "annotated" / "Z-1.jpg")
    entry = {"id": 1, "file_name": "Z-1.jpg", "width": 1024, "height": 768}
    (tmp_path / "annotations.coco.json").write_text(json.dumps({"images": [entry], "annotations": []}))
    program = stand_in(detector_folder(tmp_path / "models", sees=0.95))  # another than the current one
    for folder, link, target in (
        (".venv-train/bin", "python", program),
        (".venv/bin", "dagster", Path(sys.executable).with_name("dagster")),
        (".venv/bin", "python", Path(sys.executable)),
    ):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / link).symlink_to(target)
    for name in (
        "Makefile",
        "dagster.yaml",
        "workspace.yaml",
        "pyproject.toml",
        *(path.name for path in ROOT.glob("requirements*.lock")),
    ):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv" / ".base").touch()  # what the Makefile installs is there
    lines = [line.strip() for line in DOCS.splitlines() if line.startswith("    make job")]
    assert [line.split("JOB=")[1].split()[0] for line in lines] == ["propose_reviews", "fine_tune_detector"]
    environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    environment |= {"DAGSTER_DISABLE_TELEMETRY": "yes"}
    # Seven occupied images are held out of this small corpus, and the page's default asks for twenty.
    config = yaml.safe_load(block("yaml"))
    config["ops"]["tuned_detector_not_worse"] = {"config": {"least": 5}}
    for line, text in zip(lines, (None, yaml.safe_dump(config)), strict=True):
        if text is not None:
            (tmp_path / "fine-tune.yaml").write_text(text)
        done = subprocess.run(
            line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    lake = Lake(tmp_path / "out")
    assert "calibrate ended with 0" in done.stderr
    assert "the tuned detector is no worse" in done.stderr
    # The runs are those of the UI, and say where their results are.
    assert (tmp_path / "out" / ".dagster" / "history").is_dir()
    assert get(lake, "reviewed_boxes").counts["images"] == IMAGES + 1
    assert calls(program)[0][4:] == ["--epochs", "6", "--from", str(house.current / "coarse.onnx"), "--rate", "0.0005"]
    # The page's line of settings names a folder as it is named here.
    [kept] = promoted(lake)
    place = kept.folder.relative_to(lake.root)
    told = Path(tomllib.loads(block("toml"))["images"]["detector"])
    assert [len(part) for part in told.parts] == [len(part) for part in place.parts]
    assert told.parts[:3] == place.parts[:3]
    # Written where the page says, it makes the boxes stale, and the next run makes them anew.
    settings_file(lake).write_text(block("toml").replace(told.as_posix(), place.as_posix()))
    landing.register(lake, "plate-1", [], images=[str(corpus[0])])  # this copy of the lake lies elsewhere
    assert "another detector (specimen_boxes)" in state_of(lake).reasons
    run_batch(lake, state_of(lake), instance=open_instance(lake), progress=silent)
    assert state_of(lake).is_current
    boxes = pl.read_parquet(get(lake, "specimen_boxes", "plate-1").path("boxes.parquet"))
    assert boxes["detector"].unique().to_list() == [kept.batch]
