"""The detector interface, the classical baseline, and models in ONNX."""

import io
from pathlib import Path

import numpy as np
import pytest
from images_drawn import insect, iou, well

from bioscan_etl.errors import SettingsError
from bioscan_etl.images.detect import detector_fingerprint, load_detector
from bioscan_etl.settings import ImageSettings

BASELINE = ImageSettings(detector="segmentation")


@pytest.mark.parametrize(("centre", "length"), [((500, 380), 150), ((300, 250), 80), ((650, 500), 300)])
def test_segmentation_finds_a_drawn_insect(centre, length) -> None:
    image = well()
    wanted = insect(image, centre, length)
    detection = load_detector(BASELINE).detect(image)
    assert detection.status == "detected"
    assert detection.specimens == 1
    assert iou(detection.box, wanted) > 0.8
    share = np.count_nonzero(detection.mask) / detection.mask.size
    drawn = np.all(image == (70, 50, 35), axis=2).mean()
    assert 0.7 < share / drawn < 1.4


def test_segmentation_works_at_the_scale_of_the_image() -> None:
    image = well(2048, 1536)
    wanted = insect(image, (1000, 760), 300)
    assert iou(load_detector(BASELINE).detect(image).box, wanted) > 0.8


def test_segmentation_says_empty() -> None:
    detector = load_detector(BASELINE)
    for image in (well(), np.full((768, 1024, 3), 200, np.uint8), np.zeros((5, 900, 3), np.uint8)):
        detection = detector.detect(image)
        assert (detection.status, detection.box, detection.specimens) == ("empty", None, 0)


def test_segmentation_counts_two_insects() -> None:
    image = well()
    insect(image, (380, 300), 150)
    insect(image, (650, 480), 150)
    detection = load_detector(BASELINE).detect(image)
    assert (detection.status, detection.specimens) == ("multiple", 2)


def constant_model(path: Path, rows: np.ndarray, side: int = 64) -> ImageSettings:
    """A model in ONNX whose answer is `rows`, whatever the image, plus the image's mean times nothing."""
    onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")
    from onnx import TensorProto, helper, numpy_helper

    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, side, side])
    answer = helper.make_tensor_value_info("output0", TensorProto.FLOAT, list(rows.shape))
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["rows", "nothing"], ["output0"]),
    ]
    constants = [
        numpy_helper.from_array(rows.astype(np.float32), "rows"),
        numpy_helper.from_array(np.array(0, np.float32), "zero"),
    ]
    graph = helper.make_graph(nodes, "constant", [image], [answer], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    stream = io.BytesIO()
    onnx.save(model, stream)
    path.write_bytes(stream.getvalue())
    return ImageSettings(detector=str(path))


def test_onnx_boxes_come_back_through_the_letterbox(tmp_path: Path) -> None:
    # 128 x 96 in 64 x 64: scale 0.5, 8 px of padding above and below.
    candidates = [(32, 32, 20, 10, 0.9), (33, 32, 20, 10, 0.8), (10, 20, 8, 8, 0.7), (50, 50, 4, 4, 0.1)]
    rows = np.array(candidates, np.float32).T[None]
    settings = constant_model(tmp_path / "model.onnx", rows)
    detection = load_detector(settings).detect(np.zeros((96, 128, 3), np.uint8))
    assert detection.box == pytest.approx((44, 38, 84, 58))
    assert detection.confidence == pytest.approx(0.9)
    assert (detection.status, detection.specimens) == ("multiple", 2)  # the second box is the first one's shadow
    low = load_detector(constant_model(tmp_path / "low.onnx", rows[:, :, 3:])).detect(np.zeros((96, 128, 3), np.uint8))
    assert (low.status, low.box, low.specimens) == ("empty", None, 0)
    assert low.confidence == pytest.approx(0.1)


def test_a_models_name_follows_its_content_not_its_place(tmp_path: Path) -> None:
    rows = np.zeros((1, 5, 4), np.float32)
    (tmp_path / "sub").mkdir()
    names = [
        detector_fingerprint(constant_model(path, rows)) for path in (tmp_path / "m.onnx", tmp_path / "sub" / "m.onnx")
    ]
    assert names[0] == names[1] != detector_fingerprint(constant_model(tmp_path / "m.onnx", rows + 1))


def test_models_that_cannot_serve_are_one_line_errors(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no model")
    for name in ("nonsense", str(tmp_path / "absent.onnx"), str(tmp_path / "text.onnx"), str(tmp_path / "absent.pt")):
        with pytest.raises(SettingsError, match=r"images\.detector") as raised:
            load_detector(ImageSettings(detector=name))
        assert "\n" not in str(raised.value)
    with pytest.raises(SettingsError, match="not \\(1, 4 \\+ classes"):
        load_detector(constant_model(tmp_path / "shape.onnx", np.zeros((1, 3, 4), np.float32)))


def test_baseline_on_some_real_images(shared_data: Path) -> None:
    import json

    from bioscan_etl.images.decode import decode

    coco = json.loads((shared_data / "annotations.coco.json").read_text())
    truth = {entry["image_id"]: entry["bbox"] for entry in coco["annotations"]}
    detector = load_detector(BASELINE)
    hits, empties, sizes = 0, 0, [0, 0]
    for image in coco["images"][::8]:
        pixels = decode((shared_data / "images" / image["file_name"]).read_bytes(), 10**7)
        detection = detector.detect(pixels)
        box = truth.get(image["id"])
        sizes[box is None] += 1
        if box is None:
            empties += detection.box is None
        elif detection.box is not None:
            hits += iou(detection.box, (box[0], box[1], box[0] + box[2], box[1] + box[3])) > 0.5
    assert hits / sizes[0] > 0.6
    assert empties / sizes[1] > 0.7
