"""The released rows, read back in other pieces, and the paths of their images."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from release_corpus import DIGEST, corpus

from bioscan_etl import schema
from bioscan_etl.errors import InvariantError
from bioscan_etl.release.parts import build_metadata
from bioscan_etl.release.rows import released, released_groups, released_rows, with_image, with_path
from bioscan_etl.release.staging import Staging
from bioscan_etl.settings import ReleaseSettings


@pytest.fixture(scope="module")
def staging(tmp_path_factory):
    made = corpus(tmp_path_factory.mktemp("lake"))
    found = Staging(tmp_path_factory.mktemp("releases"), DIGEST)
    small = ReleaseSettings(rows_per_group=3, rows_per_shard=5)
    build_metadata(found, made.curated, made.partitions, made.logs, small)
    return found


def test_all_ways_of_reading_give_the_same_rows(staging):
    names = schema.METADATA_EXTENDED.names()
    whole = released_rows(staging)
    assert whole.height == 32
    pieces = list(released_groups(staging, names))
    assert max(piece.height for piece in pieces) == 3
    assert_frame_equal(pl.concat(pieces), whole)
    assert_frame_equal(released(staging, ["split", "processid"]), whole.select("split", "processid"))
    of_val = pl.concat(released_groups(staging, ["processid"], ["val"]))
    assert of_val.rows() == whole.filter(split="val").select("processid").rows()


def test_what_is_not_built_is_not_read(tmp_path):
    with pytest.raises(InvariantError, match="materialise release_metadata first"):
        released(Staging(tmp_path, DIGEST))
    with pytest.raises(InvariantError, match="materialise release_metadata first"):
        next(released_groups(Staging(tmp_path, DIGEST), ["processid"]))


def test_only_rows_with_an_image_have_a_path():
    rows = pl.DataFrame(
        {"processid": ["A", "B", "C"], "split": "train", "chunk": ["1", "", "2"], "area_fraction": [0.5, 0.5, None]}
    )
    assert with_path(rows)["path"].to_list() == ["train/1/A.jpg", "train/B.jpg", None]
    assert with_image(rows)["path"].to_list() == ["train/1/A.jpg", "train/B.jpg"]
