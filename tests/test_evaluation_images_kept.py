"""Features on disk: made once, for exactly what they follow from."""

from dataclasses import replace

import numpy as np
import pytest
from evaluation_rows import mean_encoder, plain, records, write_image

from bioscan_etl.evaluation import images_kept
from bioscan_etl.evaluation.images_kept import FOLDER, kept_images

DIGESTS = ("0" * 64, "1" * 64)


@pytest.fixture
def release(tmp_path):
    """Two rows of test with an image, and one whose image is damaged."""
    root = tmp_path / "release"
    held = records({"split": ["test"] * 3, "area_fraction": [0.1, 0.2, 0.3]}, root, ("cropped_256",))
    write_image(root, "test", "S-0", plain((255, 0, 0)))
    write_image(root, "test", "S-1", plain((0, 0, 255)))
    write_image(root, "test", "S-2", plain((0, 0, 255))).write_bytes(b"damaged")
    return held


@pytest.fixture
def made(monkeypatch):
    """How often features are made."""
    calls = []
    own = images_kept.embedded

    def counted(*arguments, **named):
        calls.append(arguments)
        return own(*arguments, **named)

    monkeypatch.setattr(images_kept, "embedded", counted)
    return calls


def same(one, other):
    arrays = ("places", "features", "colours", "sizes")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays) and (
        (one.model, one.damaged, one.seconds) == (other.model, other.damaged, other.seconds)
    )


def files(folder):
    return sorted((folder / FOLDER).iterdir())


def test_features_are_made_once_and_read_as_they_were(release, tmp_path, made):
    weights = mean_encoder(tmp_path / "means.onnx")
    first, again = (kept_images(release, tmp_path / "scores", weights) for _ in range(2))
    assert len(made) == 1
    assert same(first, again)
    assert [processid for processid, _ in again.damaged] == ["S-2"]
    assert len(files(tmp_path / "scores")) == 1


def test_another_release_or_encoder_has_features_of_its_own(release, tmp_path, made):
    folder = tmp_path / "scores"
    weights, others = (mean_encoder(tmp_path / f"means{factor}.onnx", factor=factor) for factor in (1.0, 2.0))
    kept = [kept_images(replace(release, digest=digest), folder, weights) for digest in DIGESTS]
    assert len(made) == 2
    doubled = kept_images(replace(release, digest=DIGESTS[1]), folder, others)
    assert len(made) == 3
    assert not same(kept[1], doubled)
    assert len(files(folder)) == 1  # those before are removed


def test_another_sidecar_has_features_of_its_own(release, tmp_path, made):
    weights = mean_encoder(tmp_path / "means.onnx")
    kept_images(release, tmp_path / "scores", weights)
    sidecar = weights.with_suffix(".json")
    sidecar.write_text(sidecar.read_text().replace('"mean": [0, 0, 0]', '"mean": [0.5, 0, 0]'))
    kept_images(release, tmp_path / "scores", weights)
    assert len(made) == 2


@pytest.mark.parametrize("damage", [b"", b"PK damaged", None])
def test_a_damaged_file_is_made_again(release, tmp_path, made, damage):
    weights = mean_encoder(tmp_path / "means.onnx")
    first = kept_images(release, tmp_path / "scores", weights)
    [path] = files(tmp_path / "scores")
    if damage is None:
        with np.load(path) as held:
            arrays = {name: held[name] for name in held.files}
        np.savez(path, **(arrays | {"places": arrays["places"][:2]}))
    else:
        path.write_bytes(damage)
    again = kept_images(release, tmp_path / "scores", weights)
    assert len(made) == 2
    assert np.array_equal(first.features, again.features)


def test_a_file_of_pickles_is_not_opened(release, tmp_path, made):
    weights = mean_encoder(tmp_path / "means.onnx")
    kept_images(release, tmp_path / "scores", weights)
    [path] = files(tmp_path / "scores")
    np.savez(path, **dict.fromkeys(images_kept._ARRAYS, np.array([object()], dtype=object)))
    kept_images(release, tmp_path / "scores", weights)
    assert len(made) == 2


def test_a_release_without_images_opens_no_encoder_and_writes_nothing(release, tmp_path, monkeypatch):
    monkeypatch.setattr(images_kept, "ImageEncoder", lambda *_: pytest.fail("opened"))
    seen = kept_images(replace(release, packages=()), tmp_path / "scores")
    assert not seen.known.any()
    assert not (tmp_path / "scores").exists()
