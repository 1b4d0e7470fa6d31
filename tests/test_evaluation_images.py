"""Features of a release's images: by row, whatever is damaged, in any number of threads."""

import numpy as np
import pytest
from evaluation_rows import mean_encoder, plain, records, write_image

from bioscan_etl.evaluation.encoder import ImageEncoder
from bioscan_etl.evaluation.images import ImageVectors, embedded, why_no_images
from bioscan_etl.schema import EVALUATION_UNREAD


@pytest.fixture
def release(tmp_path):
    """Rows 0 to 5: two of test, one damaged, one missing, one without an image, one of a partition nobody asks for."""
    held = records(
        {
            "split": ["test", "test", "test", "train", "train", "pretrain"],
            "area_fraction": [0.1, 0.2, 0.3, 0.4, None, 0.5],
            "chunk": [""] * 6,
        },
        tmp_path,
        ("cropped_256",),
    )
    write_image(tmp_path, "test", "S-0", plain((255, 0, 0), 20, 30))
    write_image(tmp_path, "test", "S-1", plain((0, 0, 255)))
    write_image(tmp_path, "test", "S-2", plain((0, 0, 255))).write_bytes(b"\xff\xd8 no image")
    return held


@pytest.fixture
def encoder(tmp_path):
    return ImageEncoder(mean_encoder(tmp_path / "means.onnx"))


def test_each_row_has_the_features_of_its_image(release, encoder):
    seen = embedded(release, encoder)
    assert seen.known.tolist() == [True, True, False, False, False, False]
    assert seen.raw(np.array([1, 0])) == pytest.approx(np.array([[0, 0, 1], [1, 0, 0]]), abs=0.01)
    assert np.linalg.norm(seen.at(np.array([0])), axis=1) == pytest.approx([1])
    assert seen.sizes.tolist() == [[30, 20], [16, 16]]
    assert seen.colours[0] == pytest.approx([255, 0, 0], abs=2)


def test_damaged_and_missing_images_are_named_and_left_out(release, encoder):
    seen = embedded(release, encoder)
    assert [processid for processid, _ in seen.damaged] == ["S-2", "S-3"]
    assert "is damaged" in seen.damaged[0][1]
    assert "is missing" in seen.damaged[1][1]
    listed = seen.unread()
    assert listed.schema == EVALUATION_UNREAD.schema()
    assert listed.rows() == list(seen.damaged)


def test_rows_without_images_need_no_encoder():
    seen = ImageVectors.none(3)
    assert len(seen) == 3
    assert not seen.known.any()
    assert seen.unread().is_empty()


def test_no_number_depends_on_threads(release, encoder):
    one, three = (embedded(release, encoder, threads=threads) for threads in (1, 3))
    assert np.array_equal(one.features, three.features)
    assert np.array_equal(one.places, three.places)
    assert one.damaged == three.damaged


def test_a_link_out_of_the_release_is_not_followed(release, encoder, tmp_path):
    outside = write_image(tmp_path / "elsewhere", "test", "X", plain((9, 9, 9)))
    path = tmp_path / "bioscan5m" / "images" / "cropped_256" / "test" / "S-1.jpg"
    path.unlink()
    path.symlink_to(outside)
    seen = embedded(release, encoder)
    assert not seen.known[1]
    assert "no plain file" in seen.damaged[0][1]


def test_numbers_that_16_bits_do_not_hold_leave_the_image_out(release, tmp_path):
    seen = embedded(release, ImageEncoder(mean_encoder(tmp_path / "large.onnx", factor=1e6)))
    assert not seen.known.any()
    assert seen.damaged[0] == ("S-0", "means gives numbers for it that are too large")


def test_a_release_without_images_has_no_features(encoder):
    bare = records({"split": ["test"], "area_fraction": [None]}, packages=("cropped_256",))
    assert why_no_images(bare) == "no specimen of the release has an image"
    assert not embedded(bare, encoder).known.any()
    other = records({"split": ["test"], "area_fraction": [0.5]}, packages=("cropped",))
    assert why_no_images(other) == "the release has no image package cropped_256"
    assert len(embedded(other, encoder).features) == 0


def test_progress_ends_at_the_number_of_images(release, encoder):
    told = []
    embedded(release, encoder, progress=lambda *said: told.append(said))
    assert told[-1] == ("images: features", 4, 4)
