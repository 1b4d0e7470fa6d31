"""The specimens of a release at random: chosen, in order, with their values; without PyTorch."""

import shutil

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from release_everything import everything

from bioscan_etl import vocabulary
from bioscan_etl.errors import SourceError
from bioscan_etl.release.classes import IGNORED
from bioscan_etl.release.opened import open_release
from bioscan_etl.release.samples import TEXT, Chosen, open_samples, partitions, rgb_statistics

FOLDER = "bioscan5m/images/cropped_256"
SPLITS = vocabulary.SPLITS


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return everything(tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def rows(good):
    return open_release(good).rows()


@given(st.lists(st.sampled_from(SPLITS), min_size=1))
def test_partitions_come_in_the_order_of_the_release(names):
    expected = tuple(name for name in SPLITS if name in names)
    assert partitions(names) == partitions("+".join(names)) == partitions(" + ".join(names)) == expected


def test_groups_of_partitions_are_those_of_the_published_loader():
    assert partitions("all") == SPLITS
    assert partitions("seen") == vocabulary.SEEN
    assert partitions("pretrain+unseen") == ("pretrain", *vocabulary.UNSEEN)
    assert partitions("validation") == ("val",)
    with pytest.raises(SourceError, match="no partition 'trian'; use pretrain, train"):
        partitions("train+trian")


@pytest.mark.parametrize("source", ["auto", "packed", "files", "archives"])
def test_images_and_values_are_those_of_the_rows(good, rows, source):
    columns = ("processid", "dna_barcode", "coord-lat", "index_bioscan_1M_insect", "inferred_ranks", TEXT)
    chosen = Chosen(("train", "test_unseen"), columns, ("order", "species"), "cropped_256", source)
    samples = open_samples(good.parent.parent, chosen)
    expected = rows.filter(pl.col("split").is_in(["train", "test_unseen"]))
    assert samples.count == expected.height == 10
    assert (samples.root, samples.version) == (good, "v1")
    for place, row in enumerate(expected.iter_rows(named=True)):
        assert samples.value("processid", place) == row["processid"]
        assert samples.value("dna_barcode", place) == row["dna_barcode"]
        assert samples.value("inferred_ranks", place) == row["inferred_ranks"]
        for column in ("coord-lat", "index_bioscan_1M_insect"):
            found = samples.value(column, place)
            assert isinstance(found, float)
            assert found == row[column] or (row[column] is None and np.isnan(found))
        names = [row[rank] or "not_classified" for rank in ("order", "family", "genus", "species")]
        assert samples.value(TEXT, place) == " ".join(names)
        for rank, classes in samples.classes.items():
            number = classes.numbers[place]
            assert (None if number == IGNORED else classes.labels[number]) == row[rank]
        path = good / FOLDER / row["split"] / row["chunk"] / f"{row['processid']}.jpg"
        assert np.array_equal(samples.pixels(place), np.asarray(Image.open(path)))


def test_a_class_has_one_number_in_all_partitions(good):
    found = [open_samples(good, Chosen((split,), (), ("species", "dna_bin"))).classes for split in SPLITS]
    assert len({classes["species"].labels for classes in found}) == 1
    assert len({classes["dna_bin"].labels for classes in found}) == 1


def test_one_specimen_per_barcode_the_first_of_the_release(good, rows, tmp_path):
    root = tmp_path / "v1"
    shutil.copytree(good, root)
    earlier = rows.filter(pl.col("split") == "pretrain")["dna_barcode"][0]
    # The first of train has a barcode of pretrain, but for N at its end; the others have one barcode.
    barcodes = pl.when(pl.col("processid") == "DEMO008-24").then(pl.lit(f"{earlier}NN")).otherwise(pl.lit("ACGT"))
    for path in (root / "data").glob("train-*.parquet"):
        pl.read_parquet(path).with_columns(dna_barcode=barcodes).write_parquet(path)
    samples = open_samples(root, Chosen(("train", "val"), ("processid", "split"), distinct=True))
    kept = [(samples.value("processid", place), samples.value("split", place)) for place in range(samples.count)]
    train = rows.filter(pl.col("split") == "train")["processid"].to_list()
    assert train[0] == "DEMO008-24"
    assert kept == [(train[1], "train"), ("DEMO016-24", "val"), ("DEMO017-24", "val")]


def test_without_files_of_images_the_archives_serve_and_damage_is_named(good, tmp_path):
    root = tmp_path / "v1"
    shutil.copytree(good, root)
    chosen = Chosen(("train",), package="cropped_256")
    (root / "hdf5/cropped_256.packed.hdf5").unlink()
    expected = open_samples(root, chosen).pixels(2)
    for path in (root / FOLDER / "train").rglob("*.jpg"):
        path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(SourceError, match=r"specimen 2 in .* is damaged"):
        open_samples(root, chosen).pixels(2)
    shutil.rmtree(root / "bioscan5m/images")
    assert np.array_equal(open_samples(root, chosen).pixels(2), expected)


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        (Chosen(("train",), ("nothing",)), "no column nothing"),
        (Chosen(("train",), ("flags",)), "flags is List.*neither text nor number"),
        (Chosen(("train",), (), ("tribe",)), "no classes of tribe; use phylum"),
        (Chosen(("train",), package="original"), "no image package 'original'"),
        (Chosen(("train",), package="cropped_256", source="tape"), "'tape' is no source"),
        (Chosen(("train",), package="original_256", source="packed"), "packed.hdf5 is missing"),
    ],
)
def test_what_a_release_does_not_have_is_named(good, chosen, words):
    with pytest.raises(SourceError, match=words):
        open_samples(good, chosen)


def test_the_mean_and_deviation_are_those_of_the_pixels(good):
    samples = open_samples(good, Chosen(("train",), package="cropped_256"))
    found = rgb_statistics(samples, 0, 3)
    pixels = np.concatenate([samples.pixels(place).reshape(-1, 3) for place in range(samples.count)]) / 255
    assert found.images == samples.count == 8
    assert found.mean == pytest.approx(pixels.mean(axis=0).tolist())
    assert found.deviation == pytest.approx(pixels.std(axis=0).tolist())
    some = rgb_statistics(samples, 3, 3)
    assert some.images == 3
    assert some == rgb_statistics(samples, 3, 3)
    assert some != rgb_statistics(samples, 3, 4)


def test_a_partition_without_images_has_no_mean(good, tmp_path):
    root = tmp_path / "v1"
    shutil.copytree(good, root)
    for path in (root / "data").glob("train-*.parquet"):
        pl.read_parquet(path).with_columns(area_fraction=pl.lit(None, pl.Float64)).write_parquet(path)
    samples = open_samples(root, Chosen(("train",), package="cropped_256"))
    assert samples.count == 0
    with pytest.raises(SourceError, match="no image to take the mean of"):
        rgb_statistics(samples, 10, 0)
