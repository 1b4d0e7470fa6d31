"""The published loader, Hugging Face datasets, WebDataset and h5py open the images of a release as they are."""

import io
import os
import re
import subprocess
import sys

import cv2
import h5py
import numpy as np
import pandas as pd
import polars as pl
import pytest
from PIL import Image
from release_everything import everything

from bioscan_etl import schema, vocabulary
from bioscan_etl.release.forms.clibd import COLUMNS, GROUPS

pytestmark = pytest.mark.clients
CSV = "bioscan5m/metadata/csv/BIOSCAN_5M_Insect_Dataset_metadata.csv"


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return everything(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def rows(release):
    frames = [pl.read_parquet(path) for path in sorted((release / "data").iterdir())]
    return pl.concat(frames).sort("processid")


def jpeg_of(release, row, package="cropped_256"):
    path = release / "bioscan5m/images" / package / row["split"] / row["chunk"] / f"{row['processid']}.jpg"
    return path.read_bytes()


@pytest.fixture(scope="module")
def loader(release):
    """The subclass that the release's README shows."""
    pytest.importorskip("bioscan_dataset", reason="needs .venv-clients: bioscan-dataset is not installed")
    text = (release / "README.md").read_text()
    code = next(block for block in re.findall(r"```python\n(.*?)```", text, re.S) if "BIOSCAN5M" in block)
    scope = {}
    exec(code.split("\n\n\ndataset = ")[0], scope)
    return scope["Release"]


@pytest.mark.slow
@pytest.mark.parametrize("split", [*vocabulary.SPLITS, "all", "seen", "unseen", "pretrain+train"])
def test_the_published_loader_reads_every_split(loader, release, rows, split):
    dataset = loader(str(release), split=split, modality=("image", "dna"), target_type="species", target_format="text")
    assert len(dataset) == {"all": 32, "seen": 13, "unseen": 7, "pretrain+train": 16}.get(
        split, (rows["split"] == split).sum()
    )
    by_processid = {row["processid"]: row for row in rows.iter_rows(named=True)}
    for number in range(len(dataset)):
        image, dna, species = dataset[number]
        row = by_processid[dataset.metadata.iloc[number]["processid"]]
        assert dna == row["dna_barcode"][:660]
        assert (None if pd.isna(species) else species) == row["species"]
        assert np.array_equal(np.asarray(image), np.asarray(Image.open(io.BytesIO(jpeg_of(release, row)))))


@pytest.mark.slow
@pytest.mark.parametrize("package", ["original_256", "cropped", "cropped_256"])
def test_the_published_loader_reads_every_package_and_target_through_its_readmes_transforms(loader, release, package):
    import torch
    import torchvision
    from bioscan_dataset.bioscan5m import RGB_MEAN, RGB_STDEV
    from torchvision.transforms import v2

    transform = v2.Compose(
        [
            v2.CenterCrop(256),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(mean=RGB_MEAN, std=RGB_STDEV),
        ]
    )
    letters = "ACGT"
    targets = [*vocabulary.RANKS, "dna_bin"]
    dataset = loader(
        str(release),
        split="train",
        image_package=package,
        modality=("image", "dna", "coord-lat"),
        target_type=targets,
        transform=transform,
        dna_transform=lambda dna: torch.tensor([letters.find(base) for base in dna.ljust(660, "N")]),
        target_transform=torch.tensor,
    )
    batch = next(iter(torch.utils.data.DataLoader(dataset, batch_size=8)))
    assert batch[0].shape == (8, 3, 256, 256)
    assert batch[1].shape == (8, 660)
    assert batch[3].shape == (8, len(targets))
    assert (batch[3] >= 0).all()
    assert torchvision.__version__


@pytest.mark.slow
def test_the_published_loader_refuses_a_changed_csv(loader, release, tmp_path):
    import shutil

    shutil.copytree(release / "bioscan5m", tmp_path / "bioscan5m")
    with (tmp_path / CSV).open("a") as file:
        file.write("\n")
    with pytest.raises(OSError, match="not found, incomplete, or corrupted"):
        loader(str(tmp_path), split="train")


# In a process of its own: datasets reads at its import whether it may use the network.
_HUGGING_FACE = """
import hashlib, json, os
from datasets import load_dataset
found = {}
for name in ("default", "images"):
    parts = load_dataset(os.getcwd(), name)
    found[name] = {
        split: [[row["processid"], row["species"], row["image"].size if name == "images" else None] for row in rows]
        for split, rows in parts.items()
    }
first = load_dataset("parquet", data_files={"train": "data_images/train-*.parquet"}, split="train")
found["kind"] = type(first.features["image"]).__name__
print(json.dumps(found))
"""


@pytest.mark.slow
def test_hugging_face_reads_both_forms_offline_with_eight_splits_and_decoded_images(release, rows, tmp_path):
    import json

    pytest.importorskip("datasets", reason="needs .venv-clients: datasets is not installed")
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(tmp_path), "TQDM_DISABLE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _HUGGING_FACE],
        cwd=release,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | offline,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["kind"] == "Image"
    for name in ("default", "images"):
        assert list(found[name]) == list(vocabulary.SPLITS)
        listed = {row[0]: (split, row[1]) for split, part in found[name].items() for row in part}
        assert listed == {
            p: (split, species) for p, split, species in rows["processid", "split", "species"].iter_rows()
        }
    sizes = {row[0]: tuple(row[2]) for part in found["images"].values() for row in part}
    for row in rows.iter_rows(named=True):
        height, width = cv2.imdecode(np.frombuffer(jpeg_of(release, row), np.uint8), cv2.IMREAD_COLOR).shape[:2]
        assert sizes[row["processid"]] == (width, height)


def test_web_dataset_reads_the_shards(release, rows):
    wds = pytest.importorskip("webdataset", reason="needs .venv-clients: webdataset is not installed")
    by_processid = {row["processid"]: row for row in rows.iter_rows(named=True)}
    for split in vocabulary.SPLITS:
        shards = sorted(str(path) for path in (release / "packages").glob(f"*_cropped_256_{split}-[0-9]*.tar"))
        samples = list(wds.WebDataset(shards, shardshuffle=False).decode("pil").to_tuple("__key__", "jpg", "json"))
        assert {sample[0] for sample in samples} == set(rows.filter(pl.col("split") == split)["processid"])
        for key, image, row in samples:
            assert row == {name: by_processid[key][name] for name in schema.METADATA.names()}
            assert np.array_equal(
                np.asarray(image), np.asarray(Image.open(io.BytesIO(jpeg_of(release, by_processid[key]))))
            )


def test_open_clips_pipeline_yields_every_image_with_its_text(release, rows):
    """As open_clip does: samples without image or text are left out, then both are renamed and paired."""
    wds = pytest.importorskip("webdataset", reason="needs .venv-clients: webdataset is not installed")
    shards = sorted(str(path) for path in (release / "packages").glob("*_cropped_256_*-[0-9]*.tar"))
    pairs = list(
        wds.WebDataset(shards, shardshuffle=False)
        .select(lambda sample: "txt" in sample and {"png", "jpg", "jpeg", "webp"} & set(sample))
        .decode("pilrgb")
        .rename(image="jpg;png;jpeg;webp", text="txt", key="__key__")
        .to_tuple("key", "image", "text")
    )
    texts = {key: text for key, _, text in pairs}
    assert all(image.mode == "RGB" for _, image, _ in pairs)
    assert len(pairs) == rows.height
    for row in rows.iter_rows(named=True):
        names = [row[rank] or "not_classified" for rank in ("order", "family", "genus", "species")]
        assert texts[row["processid"]] == " ".join(names)


@pytest.mark.slow
def test_hugging_face_streams_every_image_with_barcode_and_labels(release, rows, tmp_path):
    import json

    pytest.importorskip("datasets", reason="needs .venv-clients: datasets is not installed")
    code = """
import json, os
from datasets import load_dataset
wanted = ["processid", "image", "dna_barcode", "order", "species"]
samples = load_dataset(os.getcwd(), "images", split="test_unseen", streaming=True, columns=wanted)
print(json.dumps([[*(row[name] for name in wanted if name != "image"), row["image"].size] for row in samples]))
"""
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(tmp_path), "TQDM_DISABLE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=release, capture_output=True, text=True, check=False, env=os.environ | offline
    )
    assert done.returncode == 0, done.stderr
    expected = rows.filter(pl.col("split") == "test_unseen").select("processid", "dna_barcode", "order", "species")
    found = json.loads(done.stdout.splitlines()[-1])
    assert sorted(row[:4] for row in found) == [list(row) for row in expected.iter_rows()]
    assert all(min(row[4]) == 256 for row in found)
    assert not list(tmp_path.rglob("*.arrow"))


def test_a_reader_of_the_per_image_hdf5(release, rows):
    with h5py.File(release / "hdf5/cropped_256.hdf5") as file:
        group = file["bioscan_dataset"]
        assert set(group) == {f"{processid}.jpg" for processid in rows["processid"]}
        for row in rows.iter_rows(named=True):
            assert group[f"{row['processid']}.jpg"][()].tobytes() == jpeg_of(release, row)


def test_a_reader_of_the_packed_hdf5_reads_any_row_and_all_columns(release, rows):
    with h5py.File(release / "hdf5/cropped_256.packed.hdf5") as file:
        offsets, jpeg, columns = file["offsets"], file["jpeg"], file["metadata"]
        assert jpeg.chunks is not None
        assert list(columns) == sorted(schema.METADATA.names())
        processids = [name.decode() for name in columns["processid"][:]]
        assert sorted(processids) == rows["processid"].to_list()
        by_processid = {row["processid"]: row for row in rows.iter_rows(named=True)}
        for number in (31, 0, 17, *range(32)):
            row = by_processid[processids[number]]
            start, stop = offsets[number], offsets[number + 1]
            assert jpeg[start:stop].tobytes() == jpeg_of(release, row)
            for column in schema.METADATA.columns:
                value = columns[column.name][number]
                if isinstance(value, bytes):
                    assert value.decode() == (row[column.name] or "")
                elif row[column.name] is None:
                    assert np.isnan(value) or value == columns[column.name].attrs["missing"] == -1
                else:
                    assert value == row[column.name]


def test_a_reader_of_clibd_walks_its_groups(release, rows):
    """As CLIBD does: the names of the root are splits, rows are cut to their length and decoded, texts are bytes."""
    with h5py.File(release / "hdf5/clibd.hdf5") as file:
        assert set(file) == set(GROUPS)
        for name, splits in GROUPS.items():
            group = file[name]
            expected = pl.concat(rows.filter(pl.col("split") == split) for split in splits)
            assert set(group) == {"image", "image_mask", *COLUMNS}
            assert group["image"].dtype == np.uint8
            assert group["image"].chunks == (1, group["image"].shape[1])
            assert group["image_mask"].dtype.kind == "i"
            listed = [text.decode() for text in group["processid"][:]]
            assert sorted(listed) == sorted(expected["processid"])
            by_processid = {row["processid"]: row for row in expected.iter_rows(named=True)}
            for number, processid in enumerate(listed):
                row = by_processid[processid]
                length = group["image_mask"][number]
                image = group["image"][number].astype(np.uint8)
                assert image[:length].tobytes() == jpeg_of(release, row)
                assert not image[length:].any()
                assert group["image_file"][number].decode() == f"{processid}.jpg"
                for target in ("order", "family", "genus", "species", "dna_bin", "sampleid"):
                    assert group[target][number].decode() == (row[target] or "not_classified")
                assert group["barcode"][number].decode() == row["dna_barcode"]
