"""Composed training scenes."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from training_corpus import annotated_corpus

from bioscan_etl.training import compose, dataset


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> compose.Material:
    images, annotations = annotated_corpus(tmp_path_factory.mktemp("corpus"))
    return compose.load_material(images, annotations, 512, parts=dataset.PARTS)


def test_material_is_what_the_images_hold(material: compose.Material) -> None:
    assert (len(material.photos), len(material.empty), len(material.cut_outs)) == (12, 4, 8)
    assert len(material.dishes) >= 4
    assert all(dish.shape == (384, 512, 3) for dish in material.dishes)
    # An emptied dish no longer shows the insect's dark brown.
    assert all(np.all(dish < 100, axis=2).mean() < 0.001 for dish in material.dishes)


@pytest.mark.slow
def test_only_the_parts_that_are_asked_for_are_learnt(tmp_path: Path) -> None:
    images, annotations = annotated_corpus(tmp_path, 24)
    known = {part: dataset.read_annotations(annotations, part) for part in dataset.PARTS}
    assert all(known.values())
    for parts in (["training"], ["training", "calibration"]):
        photos = compose.load_material(images, annotations, 128, parts).photos
        expected = [dataset.read_pixels(images, image, (128, 96)) for part in parts for image in known[part]]
        assert all(np.array_equal(one.pixels, other) for one, other in zip(photos, expected, strict=True))


def test_a_scene_is_its_seed(material: compose.Material) -> None:
    for seed in range(20):
        one, other = (material.scene(np.random.default_rng(seed)) for _ in range(2))
        assert np.array_equal(one.pixels, other.pixels)
        assert [list(found.outline.ravel()) for found in one.objects] == [
            list(found.outline.ravel()) for found in other.objects
        ]


def test_boxes_are_those_of_the_masks(material: compose.Material) -> None:
    checked = apart = 0
    for seed in range(150):
        scene = (material.composed if seed % 3 else material.drawn)(np.random.default_rng(seed))
        for found in scene.objects:
            box = compose.box_of(found.outline, material.size)
            if box is None or len(scene.objects) > 1:
                continue
            ys, xs = np.nonzero(found.mask)
            seen = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
            cut_off = (seen[:2] == 0).any() or (seen[2:] == material.size).any()
            difference = np.abs(box - seen).max()
            # The soft edge of a cut-out that is laid three times as large is some pixels wide: one in a hundred scenes.
            assert difference <= 10, seed
            apart += difference > (6 if cut_off else 3)
            assert (box[:2] >= 0).all()
            assert (box[2:] <= material.size).all()
            checked += 1
    assert checked > 80
    assert apart <= 0.02 * checked


def test_wings_are_cut_off_and_bodies_are_not() -> None:
    pixels = np.full((384, 512, 3), 200, np.uint8)
    body, wing = np.zeros((2, 384, 512), np.uint8)
    cv2.ellipse(body, (200, 200), (40, 14), 0, 0, 360, 1, -1)
    cv2.ellipse(wing, (265, 170), (36, 16), -20, 0, 360, 1, -1)
    pixels[wing > 0] = 188
    cv2.ellipse(pixels, (265, 170), (36, 16), -20, 0, 360, (140, 140, 140), 1)
    pixels[body > 0] = 60
    found = compose.Object(np.zeros((1, 2), np.float32), body | wing)
    (cut,) = compose._wings(pixels, found)
    wider = cv2.dilate(wing, np.ones((3, 3), np.uint8))  # as every cut-out, by a pixel
    assert 0.6 * wing.sum() < (cut.opacity > 0.5).sum() <= wider.sum()
    assert cut.pixels[cut.opacity > 0.9].min() > 100
    # What is all sheer has no wing to lose, and what is all dark neither.
    assert not compose._wings(pixels, compose.Object(found.outline, wing))
    assert not compose._wings(pixels, compose.Object(found.outline, body))


def test_parts_alone_are_no_specimen(material: compose.Material) -> None:
    material.wings.append(material.cut_outs[0])
    try:
        dish = compose.Scene(material.dishes[0], [])
        littered = [material._littered(np.random.default_rng(seed), dish) for seed in range(8)]
    finally:
        material.wings.pop()
    assert all(not one.objects for one in littered)
    assert sum(not np.array_equal(one.pixels, dish.pixels) for one in littered) >= 6


def test_the_material_stays_as_it_is(material: compose.Material) -> None:
    before = [dish.copy() for dish in material.dishes]
    for seed in range(60):
        scene = material.scene(np.random.default_rng(seed))
        compose.relit(np.random.default_rng(seed), scene.pixels.copy())
    assert all(np.array_equal(one, other) for one, other in zip(before, material.dishes, strict=True))


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_a_look_never_reaches_beyond_the_scene(seed: int) -> None:
    size, target = (512, 384), (256, 192)
    matrix = compose.look(np.random.default_rng(seed), size, target)
    turn = matrix[:, :2]
    corners = np.array([[0, 0], [256, 0], [256, 192], [0, 192]])
    back = (corners - matrix[:, 2]) @ np.linalg.inv(turn).T
    assert (back >= -0.01).all()
    assert (back <= np.array(size) + 0.01).all()
    there = compose.seen(back.astype(np.float32), matrix)
    assert np.allclose(there, corners, atol=0.01)


def test_mostly_hidden_outlines_have_no_box() -> None:
    square = np.array([[0, 0], [30, 0], [30, 30], [0, 30]], np.float32)
    assert compose.box_of(square, (100, 100)) == pytest.approx([0, 0, 30, 30])
    assert compose.box_of(square - 25, (100, 100)) is None
    assert compose.box_of(square + np.array([85, 0], np.float32), (100, 100)) == pytest.approx([85, 0, 100, 30])


def test_light_keeps_the_picture(material: compose.Material) -> None:
    pixels = material.photos[1].pixels
    lit = [compose.relit(np.random.default_rng(seed), pixels.copy()) for seed in range(12)]
    assert all(one.shape == pixels.shape and one.dtype == np.uint8 for one in lit)
    correlations = [np.corrcoef(one.ravel(), pixels.ravel())[0, 1] for one in lit]
    assert min(correlations) > 0.3
    assert not all(np.array_equal(one, pixels) for one in lit)


def test_limbs_are_drawn_and_belong_to_the_specimen() -> None:
    grown = 0
    for seed in range(20):
        canvas = np.full((384, 512, 3), 200, np.uint8)
        mask = np.zeros((384, 512), np.uint8)
        cv2.ellipse(mask, (256, 192), (60, 25), 0, 0, 360, 1, -1)
        canvas[mask > 0] = (90, 70, 60)
        outline = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0][0].reshape(-1, 2)
        before = compose.Object(outline.astype(np.float32), mask)
        found = compose.limbed(np.random.default_rng(seed), canvas, before)
        assert (found.mask >= mask).all()
        drawn = found.mask > mask
        assert (canvas[drawn].max(axis=1) < 195).mean() > 0.95  # they are seen
        assert (canvas[(cv2.dilate(found.mask, np.ones((9, 9), np.uint8)) == 0)] == 200).all()  # and nothing else
        assert cv2.connectedComponents(found.mask)[0] == 2  # they are attached
        box = compose.box_of(found.outline, (512, 384))
        ys, xs = np.nonzero(found.mask)
        assert np.abs(box - [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]).max() < 6
        grown += found.mask.sum() > mask.sum()
    assert grown == 20
