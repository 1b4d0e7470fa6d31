"""Image packages: exactly one file per released specimen and package, at its place."""

import polars as pl
import pytest
from release_corpus import corpus, picture

from bioscan_etl import schema
from bioscan_etl.errors import InvariantError
from bioscan_etl.release import images
from bioscan_etl.release.images import write_images
from bioscan_etl.release.manifest import walk
from bioscan_etl.release.metadata import metadata

PACKAGES = ("original_256", "cropped", "cropped_256")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def rows(made):
    rows, _ = metadata(made.curated, made.partitions)
    return rows.select("processid", "split", "chunk").join(
        made.curated.select("processid", "image_batch"), on="processid"
    )


def expected_paths(rows, packages=PACKAGES):
    return {
        "/".join(part for part in (package, split, chunk, f"{processid}.jpg") if part)
        for package in packages
        for processid, split, chunk in rows.select("processid", "split", "chunk").iter_rows()
    }


def test_every_released_image_is_written_and_no_other(made, rows, tmp_path):
    seen = []
    counts = write_images(rows, made.crops, PACKAGES, tmp_path / "images", lambda *report: seen.append(report))
    assert counts == dict.fromkeys(PACKAGES, 32)
    assert set(walk(tmp_path / "images")) == expected_paths(rows)
    assert seen[0][1:] == (0, 96)
    assert seen[-1][1:] == (96, 96)
    assert (tmp_path / "images/cropped/val/DEMO016-24.jpg").read_bytes() == picture(16)["cropped"]


def test_only_the_asked_packages_stay(made, rows, tmp_path):
    write_images(rows, made.crops, PACKAGES, tmp_path, lambda *_: None)
    write_images(rows, made.crops, ("cropped",), tmp_path)
    assert set(walk(tmp_path)) == expected_paths(rows, ("cropped",))


def test_specimens_without_image_have_no_file(made, rows, tmp_path):
    without = rows.with_columns(image_batch=pl.when(pl.col("processid") != "DEMO003-24").then("image_batch"))
    assert write_images(without, made.crops, ("cropped",), tmp_path) == {"cropped": 31}
    assert not list(tmp_path.rglob("DEMO003-24.jpg"))


def test_a_missing_image_is_named(made, rows, tmp_path):
    more = pl.concat([rows, pl.DataFrame([("GONE-24", "val", "", "one")], schema=rows.schema, orient="row")])
    with pytest.raises(InvariantError, match=r"no original_256 image of 1 released specimens \(GONE-24\)"):
        write_images(more, made.crops, PACKAGES, tmp_path)


def test_a_missing_batch_is_named(made, rows, tmp_path):
    with pytest.raises(InvariantError, match="no crops of batches two"):
        write_images(rows, made.crops[:1], PACKAGES, tmp_path)


def test_two_images_of_one_specimen_are_refused(made, rows, tmp_path):
    crops = tmp_path / "crops"
    crops.mkdir()
    frame = pl.DataFrame([("DEMO000-24", b"a")], schema=schema.CROPS.schema(), orient="row")
    for shard in range(2):
        frame.write_parquet(crops / f"cropped-0000{shard}.parquet")
    one = rows.filter(pl.col("processid") == "DEMO000-24").with_columns(image_batch=pl.lit("b"))
    with pytest.raises(InvariantError, match="two cropped images of DEMO000-24"):
        write_images(one, [("b", tmp_path)], ("cropped",), tmp_path / "images")


def test_a_killed_run_goes_on_where_it_stopped(made, rows, tmp_path, monkeypatch):
    write_images(rows, made.crops, PACKAGES, tmp_path / "whole")
    real = images._write_batch
    calls = []

    def dies(source, batch, package, *rest):
        calls.append((batch, package))
        if len(calls) == 3:
            (tmp_path / "images" / package / "pretrain").mkdir(parents=True)
            raise KeyboardInterrupt
        yield from real(source, batch, package, *rest)

    monkeypatch.setattr(images, "_write_batch", dies)
    with pytest.raises(KeyboardInterrupt):
        write_images(rows, made.crops, PACKAGES, tmp_path / "images")
    write_images(rows, made.crops, PACKAGES, tmp_path / "images")
    assert len(calls) == len(set(calls)) + 1 == 7
    for name in expected_paths(rows):
        assert (tmp_path / "images" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert set(walk(tmp_path / "images")) == expected_paths(rows)
