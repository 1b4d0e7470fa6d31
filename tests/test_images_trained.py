"""The trained detector: the shipped models, and what becomes of their answers."""

import json
import shutil
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from images_drawn import iou
from refined_looks import a_look

from bioscan_etl.demo.images import Studio
from bioscan_etl.errors import SettingsError
from bioscan_etl.images.calibration import appeal_features
from bioscan_etl.images.decode import decode
from bioscan_etl.images.detect import load_detector
from bioscan_etl.images.detection import SHIPPED
from bioscan_etl.images.measure import overlap
from bioscan_etl.images.trained import TrainedDetector, _lit, asked, whole_mask
from bioscan_etl.images.window import Window
from bioscan_etl.settings import ImageSettings

SETTINGS = ImageSettings(detector="trained")

# What the shipped weights reach on images that they have never seen: see docs/explanation/detector.md.
# At their own threshold, and at a higher one that loses more specimens for more empty dishes.
REACHED = [("auto", 0.67, 0.88, 0.03), (0.7, 0.66, 0.9, 0.06)]


@pytest.fixture(scope="module")
def detector() -> TrainedDetector:
    return load_detector(SETTINGS)


@pytest.fixture(scope="module")
def pictures() -> list[tuple[np.ndarray, tuple[int, int, int, int] | None]]:
    """Twelve drawn pictures (RGB) and their boxes; three wells are empty."""
    studio = Studio(5, 4)
    taken = [studio.render(np.random.default_rng(n), "empty_well" if n % 4 == 3 else "") for n in range(12)]
    return [(np.ascontiguousarray(one.pixels[..., ::-1]), one.box) for one in taken]


def test_what_ships_is_small_and_whole() -> None:
    names = {path.name for path in SHIPPED.iterdir()}
    assert names == {"README.md", "coarse.onnx", "refiner.onnx", "calibration.json"}
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 15_000_000


def test_drawn_specimens_are_found_and_outlined(detector: TrainedDetector, pictures) -> None:
    for pixels, box in pictures:
        found = detector.detect(pixels)
        if box is None:
            assert (found.status, found.box, found.specimens, found.mask) == ("empty", None, 0, None)
            continue
        assert found.status in ("detected", "low_confidence")
        assert iou(found.box, box) > 0.6
        assert found.mask.shape == (768, 1024)
        ys, xs = np.nonzero(found.mask)
        x0, y0, x1, y1 = found.box
        assert xs.min() >= x0 - 1
        assert ys.min() >= y0 - 1
        assert xs.max() <= x1 + 1
        assert ys.max() <= y1 + 1
        assert found.mask.sum() > 0.1 * (x1 - x0) * (y1 - y0)


def test_threads_make_no_difference(detector: TrainedDetector, pictures) -> None:
    images = [pixels for pixels, _ in pictures] * 2
    alone = [detector.detect(pixels) for pixels in images]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(detector.detect, images))
    for one, other in zip(alone, together, strict=True):
        assert (one.box, one.confidence, one.status) == (other.box, other.confidence, other.status)
        assert np.array_equal(one.mask, other.mask)


def test_larger_originals_give_the_same_box_larger(detector: TrainedDetector, pictures) -> None:
    pixels, _ = pictures[0]
    small = detector.detect(pixels)
    large = detector.detect(cv2.resize(pixels, (2880, 2160), interpolation=cv2.INTER_CUBIC))
    scale = 2880 / 1024
    assert iou(large.box, tuple(value * scale for value in small.box)) > 0.9
    assert max(large.mask.shape) == 1024
    assert large.mask.mean() == pytest.approx(small.mask.mean(), rel=0.1)


@pytest.mark.parametrize("shape", [(1, 1), (5, 900), (900, 5), (33, 47), (768, 1024)])
def test_pictures_of_nothing_are_empty(detector: TrainedDetector, shape: tuple[int, int]) -> None:
    for value in (0, 200, 255):
        assert detector.detect(np.full((*shape, 3), value, np.uint8)).status == "empty"


def test_a_folder_is_a_detector_and_its_content_names_it(detector: TrainedDetector, tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path / "own")
    own = load_detector(ImageSettings(detector=str(tmp_path / "own")))
    assert own.name == detector.name
    values = json.loads((SHIPPED / "calibration.json").read_text())
    values["presence"]["offset"] += 1
    (tmp_path / "own" / "calibration.json").write_text(json.dumps(values))
    assert load_detector(ImageSettings(detector=str(tmp_path / "own"))).name != detector.name


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("coarse.onnx", None, "cannot be read"),
        ("refiner.onnx", b"text", "no ONNX model"),
        ("arbiter.onnx", b"", "no longer run"),
        ("calibration.json", b"{", "no calibration"),
        ("calibration.json", b'{"weights": {}, "offset": 1}', "no calibration"),
    ],
)
def test_a_folder_that_lacks_something_is_a_one_line_error(tmp_path: Path, file, content, message: str) -> None:
    shutil.copytree(SHIPPED, tmp_path / "own")
    (tmp_path / "own" / file).unlink(missing_ok=True)
    if content is not None:
        (tmp_path / "own" / file).write_bytes(content)
    with pytest.raises(SettingsError, match=message) as raised:
        load_detector(ImageSettings(detector=str(tmp_path / "own")))
    assert "\n" not in str(raised.value)


def test_the_first_network_is_no_second_one(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path / "own")
    shutil.copy(SHIPPED / "coarse.onnx", tmp_path / "own" / "refiner.onnx")
    with pytest.raises(SettingsError, match="no window of 96 px"):
        load_detector(ImageSettings(detector=str(tmp_path / "own")))


@pytest.mark.parametrize("highest", [30, 100, 256])
def test_a_dark_picture_gets_the_light_that_wells_usually_have(highest: int) -> None:
    pixels = np.random.default_rng(highest).integers(0, highest, (96, 128, 3)).astype(np.uint8)
    brightness = np.median(pixels[::32, ::32])
    lit = _lit(pixels)
    if brightness >= 110:
        assert lit is pixels
    else:
        assert np.array_equal(lit, cv2.convertScaleAbs(pixels, alpha=190 / brightness))
    black = np.zeros((4, 4, 3), np.uint8)
    assert _lit(black) is black


def test_a_narrow_box_is_doubted_more_than_its_edges_spread(detector: TrainedDetector, pictures) -> None:
    looks = [look for pixels, _ in pictures for look in detector.look(pixels)]
    assert len(looks) >= 9  # one of each drawn insect
    for look in looks:
        # Of a square, both say the same but for the scale; the narrower the box, the more counts its shorter side.
        assert look.doubt >= 2 * look.spread * (1 - 1e-6)
    assert a_look(doubt=0.0).features()["doubt"] == pytest.approx(np.log(1e-3))
    assert a_look(doubt=0.5).features()["doubt"] == pytest.approx(np.log(0.5))


def test_the_expert_is_asked_about_what_proposal_and_box_cover_together() -> None:
    assert asked(a_look()) == (28.0, 18.0, 52.0, 62.0)
    assert asked(a_look(rough=(35.0, 10.0, 45.0, 30.0))) == (30.0, 10.0, 50.0, 60.0)


def with_an_appeal(folder: Path, below: float, *, presence: float) -> Path:
    """The shipped networks, with an appeal that gives every candidate one confidence and one presence."""
    shutil.copytree(SHIPPED, folder)
    (folder / "expert.onnx").unlink(missing_ok=True)
    values = json.loads((folder / "calibration.json").read_text())
    weights = dict.fromkeys(appeal_features(expert=False), 0.0)
    values["appeal"] = {
        "below": below,
        "confidence": {"weights": weights, "offset": 0.0},
        "presence": {"weights": weights, "offset": presence},
    }
    values |= {"empty_confidence": 0.3, "min_confidence": 0.2, "doubtful_presence": 0.6}
    (folder / "calibration.json").write_text(json.dumps(values))
    return folder


def test_only_doubtful_images_are_judged_again(pictures, tmp_path: Path) -> None:
    home = with_an_appeal(tmp_path / "never", 0.0, presence=0.0)
    plain = load_detector(ImageSettings(detector=str(home)))
    always = load_detector(ImageSettings(detector=str(with_an_appeal(tmp_path / "always", 1.1, presence=5.0))))
    for pixels, _ in pictures:
        first, second = plain.detect(pixels), always.detect(pixels)
        if plain.look(pixels):
            assert (second.confidence, second.presence) == pytest.approx((0.5, 1 / (1 + np.exp(-5))))
            assert second.status in ("detected", "multiple")
            assert first.confidence != second.confidence
        else:
            assert first.status == second.status == "empty"


@pytest.mark.parametrize(("presence", "status"), [(-2.0, "empty"), (0.0, "low_confidence"), (2.0, "detected")])
def test_a_doubtful_presence_needs_a_look(pictures, tmp_path: Path, presence: float, status: str) -> None:
    detector = load_detector(ImageSettings(detector=str(with_an_appeal(tmp_path / "own", 1.1, presence=presence))))
    pixels = next(pixels for pixels, box in pictures if box is not None)
    found = detector.detect(pixels)
    assert found.status == status
    assert (found.box is None) == (status == "empty")


def test_a_mask_lies_where_its_window_does() -> None:
    mask = whole_mask(a_look(), 100, 80)
    assert mask.shape == (80, 100)
    ys, xs = np.nonzero(mask)
    assert (xs.min(), xs.max() + 1, ys.min(), ys.max() + 1) == (30, 50, 20, 60)
    beyond = whole_mask(a_look(window=Window(-40, -30, 80), box=(0.0, 0.0, 10.0, 30.0)), 100, 80)
    ys, xs = np.nonzero(beyond)
    assert (xs.max() + 1, ys.max() + 1) == (10, 30)
    large = whole_mask(a_look(window=Window(0, 0, 160), box=(60.0, 40.0, 100.0, 120.0)), 4096, 2048)
    assert large.shape == (512, 1024)
    assert large.sum() == pytest.approx(40 * 80 / 16, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(("threshold", "recall", "least_empty", "most_missed"), REACHED)
def test_real_images_that_the_networks_have_never_seen(
    shared_data: Path, threshold: float | str, recall: float, least_empty: float, most_missed: float
) -> None:
    detector = load_detector(ImageSettings(detector="trained", empty_confidence=threshold))
    coco = json.loads((shared_data / "annotations.coco.json").read_text())
    truth = {entry["image_id"]: entry["bbox"] for entry in coco["annotations"]}
    unseen = [image for image in coco["images"] if zlib.crc32(image["file_name"].encode()) % 5 == 0]
    overlaps, empties, missed = [], [], []
    for image in unseen:
        found = detector.detect(decode((shared_data / "images" / image["file_name"]).read_bytes(), 10**7))
        box = truth.get(image["id"])
        if box is None:
            empties.append(found.status == "empty")
            continue
        missed.append(found.status == "empty")
        wanted = box[0], box[1], box[0] + box[2], box[1] + box[3]
        overlaps.append(0.0 if found.box is None else overlap(found.box, wanted))
    assert len(overlaps) == 139
    strict = np.array(overlaps)[:, None] >= np.arange(0.5, 1, 0.05)
    assert strict.mean() >= recall
    assert np.mean(empties) >= least_empty
    assert np.mean(missed) <= most_missed
