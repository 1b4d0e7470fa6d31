"""The image encoder: what it takes, what it gives, and files that are none."""

import json

import cv2
import numpy as np
import pytest
from evaluation_rows import mean_encoder, plain
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.errors import SourceError
from bioscan_etl.evaluation.encoder import SHIPPED, ImageEncoder
from bioscan_etl.evaluation.search import Stored, nearest
from bioscan_etl.images.decode import decode
from bioscan_etl.images.resize import resized


def test_features_are_those_of_the_middle(tmp_path):
    encoder = ImageEncoder(mean_encoder(tmp_path / "means.onnx"))
    image = plain((0, 0, 0), 8, 16)
    image[:, 4:12] = (255, 0, 51)  # the middle; what is beside it is cut off
    assert (encoder.name, encoder.width) == ("means", 3)
    assert encoder.features(image) == pytest.approx([1, 0, 0.2])


def test_the_shorter_side_is_resized_before_the_middle_is_cut_out(tmp_path):
    encoder = ImageEncoder(mean_encoder(tmp_path / "means.onnx"))
    image = plain((0, 0, 0), 16, 32)
    image[:, 8:24] = (255, 0, 51)
    assert encoder.input_of(image).shape == (1, 3, 8, 8)
    assert encoder.features(image) == pytest.approx([1, 0, 0.2], abs=0.02)


def test_an_input_is_normalised_as_the_sidecar_says(tmp_path):
    path = mean_encoder(tmp_path / "means.onnx")
    said = json.loads(path.with_suffix(".json").read_text()) | {"mean": [0.5, 0, 0], "deviation": [0.25, 1, 2]}
    path.with_suffix(".json").write_text(json.dumps(said))
    assert ImageEncoder(path).features(plain((255, 255, 255))) == pytest.approx([2, 1, 0.5])


@pytest.fixture(scope="module")
def means(tmp_path_factory):
    return ImageEncoder(mean_encoder(tmp_path_factory.mktemp("encoder") / "means.onnx"))


@given(st.integers(1, 40), st.integers(1, 40))
def test_an_image_of_any_size_becomes_an_input(means, height, width):
    assert means.features(plain((255, 0, 0), height, width)) == pytest.approx([1, 0, 0])


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"side": 16}, "shorter = 8 is below side = 16"),
        ({"deviation": [1, 0, 1]}, "deviation must be above 0"),
        ({"side": 9, "shorter": 9}, "gives no vector for an image of 9 x 9 px"),
        ({"sha256": "0" * 64}, "is not the file that its sidecar names"),
        ({"mean": [0, 0]}, "mean"),
        ({"mean": [0, 0, float("nan")]}, "mean"),
        ({"name": "\u202e"}, "name"),
        ({"side": 100_000}, "side"),
    ],
)
def test_a_sidecar_that_does_not_fit_is_refused(tmp_path, said, message):
    path = mean_encoder(tmp_path / "means.onnx")
    whole = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(whole | said))
    with pytest.raises(SourceError, match=message):
        ImageEncoder(path)


def test_a_file_that_is_no_network_is_refused(tmp_path):
    path = mean_encoder(tmp_path / "means.onnx")
    path.write_text("no model")
    with pytest.raises(SourceError, match=r"means\.onnx is no ONNX model"):
        ImageEncoder(path)
    with pytest.raises(SourceError, match=r"absent\.onnx cannot be read"):
        ImageEncoder(tmp_path / "absent.onnx")
    path.with_suffix(".json").unlink()
    with pytest.raises(SourceError, match="cannot be read"):
        ImageEncoder(path)


def test_the_shipped_encoder_is_the_file_that_is_described():
    encoder = ImageEncoder()
    assert encoder.width == 1280
    assert encoder.digest == encoder.sidecar.sha256
    origin = SHIPPED.with_name("ORIGIN.md").read_text()
    assert SHIPPED.name in origin
    assert "Apache License 2.0" in origin
    assert "Apache License" in SHIPPED.with_name("LICENSE-Apache-2.0.txt").read_text()


@pytest.mark.slow
def test_the_shipped_encoder_finds_the_same_real_specimen_turned_and_shifted(shared_data):
    encoder = ImageEncoder()
    files = sorted((shared_data / "images").rglob("*.jpg"))[::20]
    before, after = [], []
    for file in files:
        image = resized(decode(file.read_bytes(), 10**8), (341, 256))
        turn = cv2.getRotationMatrix2D((170, 128), 15, 1)
        turn[:, 2] += (6, -4)
        before.append(encoder.features(image))
        turned = cv2.warpAffine(image, turn, (341, 256), borderMode=cv2.BORDER_REPLICATE)
        after.append(encoder.features(np.asarray(turned)))
    n = len(files)
    found, _ = nearest(Stored(np.array(before + after)), np.arange(n, 2 * n), np.arange(n), 1)
    assert n > 40
    assert (found[:, 0] == np.arange(n)).mean() > 0.9
