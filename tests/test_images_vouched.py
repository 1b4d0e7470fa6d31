"""The models that come with the package are these, and no others open by themselves."""

import hashlib
from pathlib import Path

import pytest

from bioscan_etl.errors import SettingsError
from bioscan_etl.images import vouched
from bioscan_etl.images.detect import load_detector
from bioscan_etl.images.detection import SHIPPED
from bioscan_etl.settings import ImageSettings


def test_every_shipped_model_has_its_sum() -> None:
    home = SHIPPED.parent
    files = [*SHIPPED.glob("*.onnx"), *SHIPPED.glob("*.json"), *home.glob("*.json")]
    assert {path.relative_to(home).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files} == (
        vouched.SUMS
    )


@pytest.mark.parametrize("name", ["coarse.onnx", "refiner.onnx", "calibration.json"])
def test_a_changed_byte_of_a_shipped_model_is_refused(name: str, tmp_path: Path, monkeypatch) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for path in SHIPPED.iterdir():
        (models / path.name).write_bytes(path.read_bytes())
    data = bytearray((models / name).read_bytes())
    data[len(data) // 2] ^= 1
    (models / name).write_bytes(data)
    monkeypatch.setattr(vouched, "_HOME", tmp_path)
    monkeypatch.setattr("bioscan_etl.images.detect.SHIPPED", models)
    with pytest.raises(SettingsError, match=f"{name} is not the model that this version ships"):
        load_detector(ImageSettings())


def test_a_model_of_ones_own_has_another_name(tmp_path: Path) -> None:
    for path in SHIPPED.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    same = load_detector(ImageSettings(detector=str(tmp_path))).name
    (tmp_path / "calibration.json").write_bytes((SHIPPED / "calibration.json").read_bytes() + b"\n")
    assert load_detector(ImageSettings(detector=str(tmp_path))).name != same == load_detector(ImageSettings()).name


def test_a_pickle_is_not_opened_unasked(tmp_path: Path) -> None:
    model = tmp_path / "m.pt"
    model.write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path / "ran").encode() + b"'\ntR.")
    with pytest.raises(SettingsError, match=r"pickle, which can run any code.*images\.allow_pickle"):
        load_detector(ImageSettings(detector=str(model)))
    assert not (tmp_path / "ran").exists()
