"""What a detector learns from, where no batch is ingested. With batches: tests/test_training_job.py."""

import hashlib

import pytest
from training_corpus import annotated_corpus

from bioscan_etl.errors import LakeError, SettingsError
from bioscan_etl.lake import Lake
from bioscan_etl.settings import Settings
from bioscan_etl.training.reviewed import Earlier, boxes_of, propose


def test_without_a_batch_there_are_no_boxes(tmp_path):
    with pytest.raises(LakeError, match=r"no batch in .* has boxes; materialise specimen_boxes first"):
        boxes_of(Lake(tmp_path), [])
    with pytest.raises(LakeError, match="no output of specimen_boxes for plate-9"):
        propose(Lake(tmp_path), Settings(), ["plate-9"], 10)


def test_what_was_annotated_before_is_read_with_its_images(tmp_path):
    assert Earlier().read() == []
    images, annotations = annotated_corpus(tmp_path, 3)
    earlier = Earlier(str(annotations), str(images))
    assert [image.file_name for image in earlier.read()] == sorted(path.name for path in images.iterdir())
    path = sorted(images.iterdir())[0]
    assert earlier.sha256(path.name) == hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(SettingsError, match=r"has no image 'absent\.jpg'"):
        earlier.sha256("absent.jpg")
