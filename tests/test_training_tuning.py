"""Where a detector starts to learn from, and for how long."""

import shutil
import sys
from pathlib import Path

import pytest

from bioscan_etl.errors import SettingsError
from bioscan_etl.extras import MissingExtraError
from bioscan_etl.images.detect import SHIPPED
from bioscan_etl.lake import Lake
from bioscan_etl.settings import ImageSettings
from bioscan_etl.training.tuning import (
    FROM_NOTHING,
    FROM_WEIGHTS,
    Plan,
    earlier_calibration,
    expert_beside,
    require_measuring,
    starting_weights,
)


def networks(folder: Path, kind: str) -> Path:
    folder.mkdir(parents=True)
    for name in ("coarse", "refiner"):
        (folder / f"{name}.{kind}").write_text("weights")
    return folder


def test_a_plan_takes_what_is_asked_for():
    assert FROM_WEIGHTS.changed(epochs=0, windows=0, rate=0.0) == FROM_WEIGHTS
    assert FROM_NOTHING.changed(epochs=3, windows=0, rate=0.1) == Plan(3, FROM_NOTHING.windows, 0.1)


def test_it_starts_from_the_detector_of_the_settings(tmp_path):
    home = Lake(tmp_path)
    shipped = starting_weights("", ImageSettings(), home)
    assert shipped == {name: (SHIPPED / f"{name}.onnx").resolve() for name in ("coarse", "refiner")}
    assert starting_weights("nothing", ImageSettings(), home) == {}
    with pytest.raises(SettingsError, match="segmentation, has no two networks to start from"):
        starting_weights("", ImageSettings(detector="segmentation"), home)


def test_a_pickle_is_read_from_the_lake_alone(tmp_path):
    home = Lake(tmp_path / "out")
    elsewhere = networks(tmp_path / "elsewhere", "pt")
    with pytest.raises(SettingsError, match=r"coarse\.onnx do not exist"):
        starting_weights(str(elsewhere), ImageSettings(), home)
    own = networks(home.home / "outputs" / "tuned_detector" / "weights", "pt")
    assert starting_weights(str(own), ImageSettings(), home)["refiner"] == (own / "refiner.pt").resolve()
    # Nor by a link that leads out of the lake.
    link = home.home / "outputs" / "link"
    link.symlink_to(elsewhere)
    with pytest.raises(SettingsError, match=r"coarse\.onnx do not exist"):
        starting_weights(str(link), ImageSettings(), home)
    exported = networks(tmp_path / "exported", "onnx")
    assert starting_weights(str(exported), ImageSettings(), home)["coarse"] == (exported / "coarse.onnx").resolve()


def test_what_measuring_lacks_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    with pytest.raises(MissingExtraError, match=r"this needs pycocotools, .*: pip install 'bioscan-etl\[train\]'"):
        require_measuring()


def test_the_thresholds_before_are_those_of_the_networks_before(tmp_path):
    home = Lake(tmp_path)
    shipped = SHIPPED / "calibration.json"
    assert earlier_calibration(starting_weights("", ImageSettings(), home)).samefile(shipped)
    assert earlier_calibration({}) == shipped
    # Networks without one, those beside theirs, and the weights that an earlier tuning has left.
    bare = networks(tmp_path / "bare", "onnx")
    assert earlier_calibration(starting_weights(str(bare), ImageSettings(), home)) == shipped
    own = shutil.copy(shipped, bare)
    assert earlier_calibration(starting_weights(str(bare), ImageSettings(), home)).samefile(own)
    weights = networks(home.home / "outputs" / "tuned_detector" / "weights", "pt")
    (weights.parent / "detector").mkdir()
    left = shutil.copy(shipped, weights.parent / "detector")
    assert earlier_calibration(starting_weights(str(weights), ImageSettings(), home)).samefile(left)
    Path(own).write_text("{}")
    with pytest.raises(SettingsError, match=r"calibration\.json is no calibration"):
        earlier_calibration(starting_weights(str(bare), ImageSettings(), home))


def test_the_expert_of_the_detector_is_kept(tmp_path):
    home = Lake(tmp_path / "out")
    assert expert_beside({}) is None
    exported = networks(tmp_path / "exported", "onnx")
    assert expert_beside(starting_weights(str(exported), ImageSettings(), home)) is None
    (exported / "expert.onnx").write_text("weights")
    assert expert_beside(starting_weights(str(exported), ImageSettings(), home)) == exported / "expert.onnx"
    own = networks(home.home / "outputs" / "tuned_detector" / "weights", "pt")
    (own.parent / "detector").mkdir()
    (own.parent / "detector" / "expert.onnx").write_text("weights")
    assert expert_beside(starting_weights(str(own), ImageSettings(), home)) == own.parent / "detector" / "expert.onnx"
