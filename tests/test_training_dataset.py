"""Annotated images, their parts, and the Ultralytics data set."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_corpus import annotated_corpus

from bioscan_etl.errors import SettingsError
from bioscan_etl.training import dataset


@given(st.text(min_size=1, max_size=30))
def test_a_name_has_one_part(name: str) -> None:
    assert dataset.part_of(name) in dataset.PARTS
    assert dataset.part_of(name) == dataset.part_of(name)


def test_parts_have_their_shares() -> None:
    parts = [dataset.part_of(f"AAASF{number:05d}-17.1024px.jpg") for number in range(20_000)]
    shares = {part: parts.count(part) / len(parts) for part in dataset.PARTS}
    assert shares == pytest.approx({"training": 0.7, "calibration": 0.1, "validation": 0.2}, abs=0.01)


def test_images_come_by_name_with_their_outlines(tmp_path: Path) -> None:
    images, annotations = annotated_corpus(tmp_path)
    found = dataset.read_annotations(annotations)
    assert [image.file_name for image in found] == sorted(path.name for path in images.iterdir())
    assert sum(image.box is None for image in found) == 4
    for image in found:
        mask = image.mask()
        assert mask.shape == (768, 1024)
        if image.box is None:
            assert not mask.any()
            continue
        x0, y0, x1, y1 = image.box
        ys, xs = np.nonzero(mask)
        assert (xs.min(), ys.min()) == (x0, y0)
        assert abs(int(mask.sum()) - (x1 - x0 + 1) * (y1 - y0 + 1)) <= 1
    parts = [dataset.read_annotations(annotations, part) for part in dataset.PARTS]
    assert sorted(image.number for part in parts for image in part) == [
        image.number for image in sorted(found, key=lambda image: image.number)
    ]


def test_parts_of_an_outline_that_overlap_do_not_cancel_out() -> None:
    square = np.array([[10, 10], [30, 10], [30, 30], [10, 30]], np.float32)
    image = dataset.Annotated(1, "a.jpg", (64, 48), (square, square + 10), (10, 10, 40, 40))
    assert image.mask()[25, 25] == 1


def test_of_several_outlines_the_largest_counts_and_a_box_is_an_outline(tmp_path: Path) -> None:
    images = [{"id": 7, "file_name": "a.jpg", "width": 100, "height": 80}]
    entries = [{"id": n, "image_id": 7, "bbox": [1, 2, 10 * n, 5]} for n in (1, 3, 2)]
    (tmp_path / "c.json").write_text(json.dumps({"images": images, "annotations": entries}))
    (image,) = dataset.read_annotations(tmp_path / "c.json")
    assert image.box == (1, 2, 31, 7)
    assert image.mask().sum() == 31 * 6


@pytest.mark.parametrize(
    ("coco", "message"),
    [
        ([], "no COCO file"),
        ({"images": [], "x": 1}, "no COCO file"),
        ({"images": [{"id": 1, "file_name": "../a.jpg", "width": 1, "height": 1}], "annotations": []}, "one folder"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, coco: object, message: str) -> None:
    (tmp_path / "c.json").write_text(json.dumps(coco))
    with pytest.raises(SettingsError, match=message):
        dataset.read_annotations(tmp_path / "c.json")


def test_an_image_of_another_size_is_refused(tmp_path: Path) -> None:
    images, annotations = annotated_corpus(tmp_path, images=1)
    (image,) = dataset.read_annotations(annotations)
    assert dataset.read_pixels(images, image, (512, 384)).shape == (384, 512, 3)
    other = dataset.Annotated(image.number, image.file_name, (100, 100), (), None)
    with pytest.raises(ValueError, match="annotated are"):
        dataset.read_pixels(images, other)


def test_the_data_set_is_ultralytics_own(tmp_path: Path) -> None:
    images, annotations = annotated_corpus(tmp_path)
    for _ in range(2):  # writing it again changes nothing
        data = dataset.write_dataset(images, annotations, tmp_path / "set")
    assert "test: images/test" in data.read_text()
    for part, folder in zip(dataset.PARTS, ("train", "val", "test"), strict=True):
        wanted = {image.file_name: image for image in dataset.read_annotations(annotations, part)}
        links = {path.name: path for path in (tmp_path / "set" / "images" / folder).iterdir()}
        assert set(links) == set(wanted)
        for name, image in wanted.items():
            assert links[name].read_bytes() == (images / name).read_bytes()
            label = (tmp_path / "set" / "labels" / folder / name).with_suffix(".txt").read_text()
            if image.box is None:
                assert label == ""
            else:
                x, y, width, height = (float(value) for value in label.split()[1:])
                back = ((x - width / 2) * 1024, (y - height / 2) * 768, (x + width / 2) * 1024, (y + height / 2) * 768)
                assert back == pytest.approx(image.box, abs=0.01)


def test_real_annotations(shared_data: Path) -> None:
    found = dataset.read_annotations(shared_data / "annotations.coco.json")
    counts = {part: [0, 0] for part in dataset.PARTS}
    for image in found:
        counts[dataset.part_of(image.file_name)][image.box is None] += 1
    assert counts == {"training": [501, 198], "calibration": [96, 33], "validation": [139, 65]}


def test_annotations_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"annotations .*absent\.json do not exist"):
        dataset.read_annotations(tmp_path / "absent.json")
    for text in ("no json", "[]", '{"images": [{}], "annotations": []}', '{"images": [1], "annotations": []}'):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(SettingsError, match=r"bad\.json are no COCO file") as raised:
            dataset.read_annotations(tmp_path / "bad.json")
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["A.jpg", "..", "\0"])
def test_an_image_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="has no image"):
        dataset.read_annotated_image(tmp_path, name)


def test_disputed_images_can_be_left_out(tmp_path: Path) -> None:
    _, annotations = annotated_corpus(tmp_path)
    every = dataset.read_annotations(annotations)
    full, bare = ([image.file_name for image in every if (image.box is None) == empty] for empty in (False, True))
    lines = ["image_file,annotation,second_triage", f"{full[0]},specimen,unsorted", f"{full[1]},specimen,blurred"]
    triage = tmp_path / "triage.csv"
    triage.write_text("\n".join([*lines, f"{bare[0]},empty,fragment", f"{bare[1]},empty,empty"]))
    found = {image.file_name: image for image in dataset.read_annotations(annotations, triage=triage)}
    assert list(found) == [image.file_name for image in every]
    assert [found[name].triage for name in (*full[:2], *bare[:2], full[2])] == [
        "unsorted",
        "blurred",
        "fragment",
        "empty",
        None,
    ]
    agreed = dataset.read_annotations(annotations, triage=triage, disputed=False)
    assert [image.file_name for image in every if image.file_name not in (full[0], bare[0])] == [
        image.file_name for image in agreed
    ]
    data = dataset.write_dataset(annotations.parent / "images", annotations, tmp_path / "set", triage)
    assert len(list(data.parent.glob("labels/*/*.txt"))) == len(agreed)
    parts = [dataset.read_annotations(annotations, part, triage, disputed=False) for part in dataset.PARTS]
    assert sum(map(len, parts)) == len(agreed)
    assert all(image.agreed for image in every)


def test_a_triage_of_other_annotations_is_refused(tmp_path: Path) -> None:
    _, annotations = annotated_corpus(tmp_path)
    (tmp_path / "triage.csv").write_text("image_file,annotation,second_triage\nother.jpg,empty,empty\n")
    with pytest.raises(SettingsError, match=r"line 2, column image_file: 'other.jpg' is not annotated"):
        dataset.read_annotations(annotations, "validation", tmp_path / "triage.csv")


def test_the_real_labels(shared_data: Path) -> None:
    files = shared_data / "annotations.coco.json", "validation", shared_data / "second_triage.csv"
    every, agreed = dataset.read_annotations(*files), dataset.read_annotations(*files, disputed=False)
    assert (len(every), len(agreed)) == (204, 182)
    assert sum(image.box is None for image in agreed) == 60
