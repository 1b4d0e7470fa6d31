"""data_images/: shards, row groups, the image column, resumption."""

import polars as pl
import pyarrow.parquet as pq
import pytest
from release_corpus import DIGEST, corpus
from release_everything import EVERYTHING, made

from bioscan_etl.errors import InvariantError
from bioscan_etl.release.forms import data_images
from bioscan_etl.release.forms.registry import build_form
from bioscan_etl.release.parts import build_images, build_metadata
from bioscan_etl.release.rows import Pieces
from bioscan_etl.release.staging import Staging
from bioscan_etl.schema import METADATA_EXTENDED
from bioscan_etl.vocabulary import SPLITS


def stage(folder, settings=EVERYTHING, without=()):
    corpus_of = made(folder)
    gone = ("image_batch", "x0", "y0", "x1", "y1", "area_fraction", "scale_factor")
    lost = pl.col("processid").is_in(list(without))
    curated = corpus_of.curated.with_columns(pl.when(~lost).then(pl.col(name)).alias(name) for name in gone)
    staging = Staging(folder / "releases", DIGEST)
    build_metadata(staging, curated, corpus_of.partitions, corpus_of.logs, settings)
    build_images(staging, curated, corpus_of.crops, settings)
    return staging


def test_shards_and_row_groups_hold_the_rows_of_data_in_order(tmp_path):
    staging = stage(tmp_path, without=("DEMO003-24",))
    build_form(data_images.FORM, staging, EVERYTHING)
    names = METADATA_EXTENDED.names()
    for split in SPLITS:
        files = sorted((staging.tree / "data_images").glob(f"{split}-*.parquet"))
        data = pl.concat(pl.read_parquet(path) for path in sorted((staging.tree / "data").glob(f"{split}-*.parquet")))
        rows = pl.concat(pl.read_parquet(path) for path in files)
        assert rows.select(names).equals(data.select(names))
        assert [path.name for path in files] == [
            f"{split}-{n:05d}-of-{len(files):05d}.parquet" for n in range(len(files))
        ]
        for path in files:
            with pq.ParquetFile(path) as file:
                sizes = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
                assert set(sizes[:-1]) <= {2}
                assert sum(sizes) <= 5
                group = file.metadata.row_group(0)
                codecs = {group.column(n).path_in_schema: group.column(n).compression for n in range(group.num_columns)}
                assert codecs.pop("image.bytes") == "UNCOMPRESSED"
                assert set(codecs.values()) == {"ZSTD"}
        without = rows.filter(pl.col("image").struct.field("bytes").is_null())
        assert without["processid"].to_list() == (["DEMO003-24"] if split == "pretrain" else [])
        for row in rows.filter(pl.col("area_fraction").is_not_null()).iter_rows(named=True):
            place = staging.tree / "bioscan5m/images/cropped_256" / split / row["chunk"] / row["image"]["path"]
            assert row["image"]["path"] == f"{row['processid']}.jpg"
            assert row["image"]["bytes"] == place.read_bytes()


def test_a_split_without_specimens_has_a_file(tmp_path):
    corpus_of = corpus(tmp_path / "lake")
    kept = corpus_of.partitions.filter(pl.col("split") != "val")
    curated = corpus_of.curated.join(kept, on="processid", how="semi", maintain_order="left")
    staging = Staging(tmp_path / "r", DIGEST)
    build_metadata(staging, curated, kept, corpus_of.logs, EVERYTHING)
    build_images(staging, curated, corpus_of.crops, EVERYTHING)
    build_form(data_images.FORM, staging, EVERYTHING)
    empty = pq.read_table(staging.tree / "data_images/val-00000-of-00001.parquet")
    assert (empty.num_rows, empty.schema.equals(data_images.images_schema())) == (0, True)


@pytest.mark.parametrize("dies_at", [1, 2, 5])
def test_a_killed_run_goes_on_at_the_shard_it_was_at(tmp_path, monkeypatch, dies_at):
    whole = stage(tmp_path / "whole")
    build_form(data_images.FORM, whole, EVERYTHING)
    staging = stage(tmp_path / "killed")
    real, calls = data_images._with_images, []

    def dies(*arguments):
        calls.append(arguments)
        if len(calls) == dies_at:
            raise KeyboardInterrupt
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(data_images, "_with_images", dies)
        with pytest.raises(KeyboardInterrupt):
            build_form(data_images.FORM, staging, EVERYTHING)
    kept = {path: path.stat().st_mtime_ns for path in (staging.tree / "data_images").glob("[!.]*")}
    assert len(kept) == dies_at // 3  # shards of three row groups
    build_form(data_images.FORM, staging, EVERYTHING)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    left, right = (
        {path.name: path.read_bytes() for path in (one.tree / "data_images").iterdir()} for one in (staging, whole)
    )
    assert left == right


def test_it_needs_the_images_and_the_package(tmp_path):
    with pytest.raises(InvariantError, match="materialise image_packages"):
        build_form(data_images.FORM, Staging(tmp_path, DIGEST), EVERYTHING)
    other = type(EVERYTHING)(image_packages=("cropped",), hdf5_packages=())
    assert not other.wants("data_images")
    build_form(data_images.FORM, Staging(tmp_path, DIGEST), other)
    assert not (tmp_path / "data_images").exists()


@pytest.mark.parametrize("pieces", [[3, 3, 1], [7], [1] * 7])
def test_rows_are_handed_out_in_other_pieces(pieces):
    frame = pl.DataFrame({"n": range(7)})
    starts = [sum(pieces[:n]) for n in range(len(pieces))]
    rows = Pieces(frame.slice(start, size) for start, size in zip(starts, pieces, strict=True))
    taken = [[part["n"].to_list() for part in rows.take(size, 2)] for size in (3, 4)]
    assert taken == [[[0, 1], [2]], [[3, 4], [5, 6]]]
