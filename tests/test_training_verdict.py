"""The check of a tuned detector on real outputs of a lake; stand-ins detect."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_training_promoted import write

pytest.importorskip("pycocotools", reason="the package pycocotools is not installed")

from bioscan_etl.assets.detector import SheetConfig
from bioscan_etl.assets.promotion import ValidationConfig
from bioscan_etl.errors import LakeError, SettingsError
from bioscan_etl.images.detection import Detection
from bioscan_etl.lake import Lake
from bioscan_etl.settings import Settings
from bioscan_etl.training import changes, comparison, thresholds, verdict
from bioscan_etl.training.changes_page import MOST
from bioscan_etl.training.promoted import MODELS, promote
from bioscan_etl.training.reviewed import ANNOTATIONS, REVIEWED
from bioscan_etl.training.tuning import FROM_WEIGHTS, TUNED

DOCS = (Path(__file__).parents[1] / "docs" / "how-to" / "fine-tune.md").read_text()
SETTINGS = Settings()
OCCUPIED, EMPTY = 70, 30


def name_of(number):
    return f"P{number:03d}.png"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A hundred small pictures: a dark specimen in the first seventy, and its number as the blue of the ground."""
    folder = tmp_path_factory.mktemp("drawn")
    coco = {"images": [], "annotations": []}
    for number in range(OCCUPIED + EMPTY):
        pixels = np.full((72, 96, 3), 230, np.uint8)
        pixels[..., 2] = 100 + number
        coco["images"].append({"id": number, "file_name": name_of(number), "width": 96, "height": 72})
        if number < OCCUPIED:
            x, y = 8 + number % 40, 6 + number % 30
            pixels[y : y + 24, x : x + 30] = 20
            coco["annotations"].append({"id": number, "image_id": number, "category_id": 1, "bbox": [x, y, 30, 24]})
        Image.fromarray(pixels).save(folder / name_of(number))
    (folder / "truth.json").write_text(json.dumps(coco))
    return folder


class Boxes:
    """Finds what is dark, and misses the pictures whose numbers it was given."""

    def __init__(self, name, *, lost=(), shifted=(), invented=()):
        self.name = name
        self._lost, self._shifted, self._invented = set(lost), set(shifted), set(invented)

    def detect(self, pixels, half=None):
        number = int(np.median(pixels[..., 2])) - 100
        rows, columns = np.nonzero(pixels[..., 0] < 100)
        if number in self._invented:
            return Detection((5.0, 5.0, 25.0, 25.0), 0.4, 1, "low_confidence")
        if not rows.size or number in self._lost:
            return Detection(None, 0.1, 0, "empty")
        by = 12 if number in self._shifted else 0
        box = columns.min() + by, rows.min(), columns.max() + 1 + by, rows.max() + 1
        return Detection(tuple(map(float, box)), 0.9, 1, "detected", np.ones((9, 12)))


@pytest.fixture
def evaluate(tmp_path, drawn, monkeypatch):
    """The output of the check, for a current and a tuned detector."""
    home = Lake(tmp_path)

    def call(current, tuned, part=None, **demands):
        monkeypatch.setattr(
            verdict, "load_detector", lambda settings: current if settings.detector == "trained" else tuned
        )
        monkeypatch.setattr(verdict, "detector_fingerprint", lambda settings: current.name)
        reviewed = write(home, REVIEWED, {ANNOTATIONS: '{"images": [], "annotations": []}'})
        models = {f"detector/{model}": f"{tuned.name} {model}" for model in MODELS}
        made = write(home, TUNED, models, name=tuned.name)
        manifest = json.loads((made.folder / "manifest.json").read_text())
        manifest["made_from"] = {"inputs": {"reviewed_boxes": reviewed.content}}
        (made.folder / "manifest.json").write_text(json.dumps(manifest))
        truth = drawn / "truth.json"
        if part is not None:
            coco = json.loads(truth.read_text())
            truth = tmp_path / "some.json"
            coco["images"] = [image for image in coco["images"] if image["id"] in part]
            coco["annotations"] = [one for one in coco["annotations"] if one["image_id"] in part]
            truth.write_text(json.dumps(coco))
        asked = verdict.Demands(str(truth), str(drawn), "all", **demands)
        return home, verdict.evaluate(home, SETTINGS, asked)

    return call


def changed(output, group):
    return [(one["file_name"], one["what"]) for one in json.loads(output.path("evaluation.json").read_text())[group]]


def test_a_worse_detector_is_refused_and_its_pictures_are_listed(evaluate, monkeypatch):
    home, output = evaluate(Boxes("a", lost=[60]), Boxes("b", lost=range(8), shifted=range(20, 32), invented=[80]))
    text = " ".join(output.counts["worse"])
    for name in ("AP(0.75)", "AR", "occupied images reported empty"):
        assert f"{name} 0." in text
    assert "empty images reported empty" not in text.replace("occupied images reported empty", "")
    assert "chance" not in text
    worse, better = changed(output, "became_worse"), changed(output, "became_better")
    assert worse == [
        *((name_of(number), "right box before, reported empty now") for number in range(8)),
        *((name_of(number), "right box before, wrong box now") for number in range(20, 32)),
        (name_of(80), "empty before, not reported empty now"),
    ]
    assert better == [(name_of(60), "reported empty before, right box now")]
    assert output.counts["changed"] == {"worse": 21, "better": 1}
    page = output.path("became_worse.html").read_text()
    assert page.count("<img ") == 22
    assert all(name in page for name, _ in worse)
    assert "21 images became worse" in output.path("became_worse.md").read_text()
    monkeypatch.setattr("bioscan_etl.training.promoted.detector_fingerprint", lambda settings: "a")
    with pytest.raises(LakeError, match=r"the tuned detector is worse: AP\(0\.75\)"):
        promote(home, SETTINGS)


def test_the_same_detector_has_no_difference_and_is_promoted(evaluate, monkeypatch):
    home, output = evaluate(Boxes("a", lost=[3], shifted=[5]), Boxes("b", lost=[3], shifted=[5]))
    assert (output.counts["worse"], output.counts["changed"]) == ([], {"worse": 0, "better": 0})
    rows = output.counts["table"].splitlines()[2:]
    assert len(rows) == 4
    assert all("+0.000 [+0.000, +0.000] | no difference that these images can show |" in row for row in rows)
    monkeypatch.setattr("bioscan_etl.training.promoted.detector_fingerprint", lambda settings: "a")
    assert promote(home, SETTINGS)[1]


@pytest.mark.parametrize("flipped", [{"lost": [7]}, {"shifted": [7]}, {"invented": [90]}])
def test_one_image_of_a_hundred_refuses_nothing_but_is_told(evaluate, flipped):
    _, output = evaluate(Boxes("a"), Boxes("b", **flipped))
    assert output.counts["worse"] == []
    [number] = next(iter(flipped.values()))
    assert [name for name, _ in changed(output, "became_worse")] == [name_of(number)]
    assert f"not without {name_of(number)}: look at that image" in " ".join(output.counts["remarks"])


def test_few_images_say_so_and_too_few_are_no_verdict(evaluate):
    _, output = evaluate(Boxes("a"), Boxes("b"), part=[*range(24), 80, 81])
    [said] = output.counts["remarks"]
    assert said.startswith("the images are few (24 occupied and 2 empty), so that only large differences can be seen")
    with pytest.raises(SettingsError, match="there are 24 occupied images to measure on, 25 are needed"):
        evaluate(Boxes("a"), Boxes("b"), part=[*range(24), 80, 81], least=25)


def test_without_empty_images_the_others_count(evaluate):
    _, output = evaluate(Boxes("a"), Boxes("b", lost=range(9)), part=range(60))
    assert "empty_as_empty" not in output.counts["figures"]["tuned"]
    assert any(text.startswith("occupied images reported empty 0.150") for text in output.counts["worse"])


def test_the_same_again_is_the_same_to_the_byte(evaluate):
    _, first = evaluate(Boxes("a"), Boxes("b", lost=[1, 2, 3]))
    files = {name: first.path(name).read_bytes() for name in first.files}
    first.path("evaluation.json").unlink()
    _, again = evaluate(Boxes("a"), Boxes("b", lost=[1, 2, 3]))
    assert {name: again.path(name).read_bytes() for name in again.files} == files
    assert set(files) == {"evaluation.json", "became_worse.html", "became_worse.md"}


def test_what_the_page_says_are_the_defaults():
    defaults = ValidationConfig()
    assert f"`tolerance` ({defaults.tolerance})" in DOCS
    assert f"`least` ({defaults.least})" in DOCS
    assert f"{SheetConfig().most} images" in DOCS
    plan = FROM_WEIGHTS
    assert f"{plan.epochs} epochs, {plan.windows:,} windows, a learning rate of {plan.rate}" in DOCS
    few, needed = comparison.FEW, thresholds.FEWEST
    assert f"fewer than {few} occupied or {few} empty ones" in DOCS
    assert f"Fewer than {needed['occupied']} occupied or {needed['empty']} empty images choose nothing" in DOCS
    assert f"shows {MOST['worse']} of the first kind and {MOST['better']} of the second" in DOCS
    assert f"(IoU below {changes.RIGHT})" in DOCS
