"""The lists of process IDs by partition."""

import polars as pl
import pytest
from release_corpus import corpus

from bioscan_etl import vocabulary
from bioscan_etl.release.forms import splits
from bioscan_etl.release.metadata import metadata


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    made = corpus(tmp_path_factory.mktemp("corpus"), order=["Dip/tera 100%", None])
    return metadata(made.curated, made.partitions)[0]


def test_splits_list_every_specimen_once(rows, tmp_path):
    splits.write_splits(rows, tmp_path)
    listed = {split: pl.read_csv(tmp_path / f"{split}.csv") for split in (*vocabulary.SPLITS, "all")}
    assert listed["all"].rows() == rows.select("processid", "split").rows()
    assert pl.concat(listed[split] for split in vocabulary.SPLITS).rows() == listed["all"].rows()
