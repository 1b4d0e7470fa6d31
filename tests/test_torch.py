"""A release as a PyTorch data set: what a DataLoader and a user of the published loader see."""

import pickle
import re
import subprocess
import sys
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from PIL import Image
from release_everything import everything

from bioscan_etl.errors import SourceError
from bioscan_etl.release.opened import open_release

pytestmark = pytest.mark.clients
torch = pytest.importorskip("torch", reason="needs .venv-clients: torch is not installed")

from bioscan_etl.barcodes.tokens import kmer_tokens  # noqa: E402
from bioscan_etl.torch import GroupSampler, Release  # noqa: E402


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return everything(tmp_path_factory.mktemp("torch"))


@pytest.fixture(scope="module")
def rows(root):
    return open_release(root).rows()


def crop(image):
    return image[:, :200, :200]


def file_of(root, row):
    return root / "bioscan5m/images/cropped_256" / row["split"] / row["chunk"] / f"{row['processid']}.jpg"


def test_the_module_does_not_hide_torch(tmp_path):
    """It has its name: `import torch` in it, and beside it, is PyTorch's."""
    code = "import bioscan_etl.torch, torch; print(torch.__name__, bioscan_etl.torch.torch is torch, torch.tensor([2]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "torch True tensor([2])\n"


def test_a_sample_is_the_modalities_and_the_target(root, rows):
    release = Release(
        root,
        "test_unseen",
        ("image", "dna", "tokens", "attention", "text", "coord-lat"),
        target_type=("order", "species"),
    )
    assert isinstance(release, torch.utils.data.Dataset)
    expected = list(rows.filter(pl.col("split") == "test_unseen").iter_rows(named=True))
    assert len(release) == len(expected) == len(list(release)) == 2
    for (image, dna, tokens, attention, text, latitude, target), row in zip(release, expected, strict=True):
        assert (image.dtype, image.shape[0]) == (torch.uint8, 3)
        assert np.array_equal(image.permute(1, 2, 0).numpy(), np.asarray(Image.open(file_of(root, row))))
        assert dna == row["dna_barcode"][:660]
        slow, padding = kmer_tokens([row["dna_barcode"]])
        assert (tokens.tolist(), attention.tolist()) == (slow[0].tolist(), padding[0].tolist())
        assert tokens.dtype == torch.int64
        assert text == " ".join(row[rank] or "not_classified" for rank in ("order", "family", "genus", "species"))
        assert latitude == row["coord-lat"] or (np.isnan(latitude) and row["coord-lat"] is None)
        names = [release.classes(rank)[number] for rank, number in zip(("order", "species"), target, strict=True)]
        assert names == [row["order"], row["species"]]
    assert release[-1][1] == release[len(release) - 1][1]
    with pytest.raises(IndexError, match="no sample 2 among 2"):
        release[2]
    assert "2 specimens of v1: test_unseen, image, dna" in repr(release)


def test_a_missing_label_is_passed_over_by_a_loss(root, rows):
    release = Release(root, "pretrain+train", "dna", target_type="species")
    targets = torch.tensor([release[place][1] for place in range(len(release))])
    missing = rows.filter(pl.col("split").is_in(["pretrain", "train"]))["species"].is_null()
    assert (targets == -100).tolist() == missing.to_list()
    assert 0 < missing.sum() < len(missing)
    scores = torch.zeros(len(targets), len(release.classes()))
    loss = torch.nn.functional.cross_entropy(scores, targets)
    assert loss.item() == pytest.approx(np.log(len(release.classes())))
    other = Release(root, "pretrain+train", "dna", target_type="species", ignore_index=-1)
    assert [-100 if other[place][1] == -1 else other[place][1] for place in range(len(other))] == targets.tolist()


def test_names_dictionaries_and_transforms(root):
    plain = Release(root, modality="dna", target_type="genus", target_format="text", max_nucleotides=5)
    assert [len(dna) for dna, _ in plain] == [5] * 8
    assert {genus for _, genus in plain} <= {*plain.classes(), ""}
    changed = Release(
        root,
        modality=("image", "dna"),
        target_type="genus",
        output_format="dict",
        transform=crop,
        dna_transform=len,
        target_transform=str,
    )
    sample = changed[0]
    assert list(sample) == ["image", "dna", "genus", "genus_index", "target"]
    assert sample["image"].shape == (3, 200, 200)
    assert isinstance(sample["dna"], int)
    assert sample["target"] == str(sample["genus_index"])
    assert changed.classes()[sample["genus_index"]] == sample["genus"]
    assert Release(root, modality="dna", target_type=())[0][1] is None


def test_weights_are_those_of_balanced_classes(root):
    release = Release(root, "all", "dna", target_type=("order", "species"))
    numbers = [release[place][1][1] for place in range(len(release))]
    counts = np.bincount([number for number in numbers if number >= 0], minlength=len(release.classes("species")))
    weights = release.class_weights("species")
    assert weights.dtype == torch.float32
    assert np.allclose(weights.numpy() * counts, counts.sum() / (counts > 0).sum())
    none = Release(root, "key_unseen", "dna", target_type="species").class_weights()
    assert len(none) == len(weights)
    assert (none == 0).any()
    with pytest.raises(SourceError, match="'genus' is no target type of this data set; it has order, species"):
        release.class_weights("genus")
    with pytest.raises(SourceError, match="None is no target type"):
        release.classes()


def test_mean_and_deviation_are_of_train_whatever_the_partition(root):
    found = Release(root, "test", modality="dna").rgb()
    assert found.images == 8
    assert found == Release(root, "train").rgb(0)
    assert all(0 < value < 1 for value in (*found.mean, *found.deviation))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "workers", "method"),
    [("packed", 0, None), *((source, 2, "fork") for source in ("packed", "files", "archives")), ("packed", 2, "spawn")],
)
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning", "ignore:.*fork:RuntimeWarning")
def test_a_loader_reads_the_same_with_any_workers(root, source, workers, method):
    release = Release(root, "all", ("image", "processid"), transform=crop, images_from=source)
    alone = {release[place][1]: release[place][0] for place in range(len(release))}
    loader = torch.utils.data.DataLoader(
        release, batch_size=5, sampler=release.sampler(7, group=4), num_workers=workers, multiprocessing_context=method
    )
    order = []
    for images, names, targets in loader:
        assert targets.dtype == torch.int64
        for image, name in zip(images, names, strict=True):
            assert torch.equal(image, alone[name])
        order += names
    assert len(order) == len(release) == 32
    processids = [release[place][1] for place in range(len(release))]
    assert order == [processids[place] for place in release.sampler(7, group=4)]


def test_a_pickled_data_set_goes_on(root):
    release = Release(root)
    expected = release.__getitems__([3, 0, -1])
    found = pickle.loads(pickle.dumps(release)).__getitems__([3, 0, -1])
    for (image, *rest), (other, *others) in zip(expected, found, strict=True):
        assert torch.equal(image, other)
        assert rest == others


@pytest.mark.parametrize(("count", "group", "held"), [(1000, 64, 4), (7, 10, 1), (0, 5, 2), (100, 1, 100)])
def test_the_order_has_each_sample_once_and_depends_on_seed_and_epoch(count, group, held):
    sampler = GroupSampler(count, 3, group=group, held=held)
    first = list(sampler)
    assert sorted(first) == list(range(count))
    assert len(sampler) == count
    assert list(sampler) == list(GroupSampler(count, 3, group=group, held=held)) == first
    sampler.set_epoch(1)
    if count > 50:
        assert list(sampler) != first
        assert list(GroupSampler(count, 4, group=group, held=held)) != first


def test_the_order_stays_within_some_groups_at_a_time():
    order = np.array(list(GroupSampler(1024, 0, group=64, held=4)))
    for at in range(0, 1024, 256):
        assert len({int(place) // 64 for place in order[at : at + 256]}) == 4
    assert not any(second == first + 1 for first, second in pairwise(order[:20]))


@pytest.mark.parametrize("count", [100, 101, 103])
def test_processes_that_train_together_share_the_samples(count):
    parts = [list(GroupSampler(count, 1, group=8, held=2, rank=rank, replicas=4)) for rank in range(4)]
    assert {len(part) for part in parts} == {25}
    assert len({place for part in parts for place in part}) == 100
    assert len(GroupSampler(count, 1, rank=1, replicas=4)) == 25


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"group": 0}, {"held": 0}, {"rank": 2, "replicas": 2}, {"rank": -1}])
def test_an_order_that_cannot_be_made_is_refused(wrong):
    with pytest.raises(SourceError, match="groups of at least 1"):
        GroupSampler(10, **{"seed": 0} | wrong)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"target_format": "number"}, "use index or text"),
        ({"modality": "smell"}, "no column smell"),
        ({"split": "trian"}, "no partition 'trian'"),
        ({"target_type": "tribe"}, "no classes of tribe"),
        ({"version": "v9"}, "not v9"),
    ],
)
def test_what_cannot_be_opened_is_one_line(root, arguments, words):
    with pytest.raises(SourceError, match=words) as caught:
        Release(root, **arguments)
    assert "\n" not in str(caught.value)


def test_a_length_of_k_mers_that_is_none_is_refused(root):
    with pytest.raises(ValueError, match="k=0"):
        Release(root, modality="tokens", k=0)


@pytest.mark.slow
def test_the_published_loader_and_ours_agree(root):
    """Same release, same arguments: the same barcodes, names and pictures, in the order of either."""
    pytest.importorskip("bioscan_dataset", reason="needs .venv-clients: bioscan-dataset is not installed")
    text = (root / "README.md").read_text()
    code = next(block for block in re.findall(r"```python\n(.*?)```", text, re.S) if "BIOSCAN5M" in block)
    scope = {}
    exec(code.split("\n\n\ndataset = ")[0], scope)
    arguments = {"split": "seen", "modality": ("image", "dna", "processid"), "target_type": ("family", "species")}
    theirs = scope["Release"](str(root), target_format="text", **arguments)
    ours = Release(root, target_format="text", **arguments)
    found = {processid: (np.asarray(image), dna, target) for image, dna, processid, target in theirs}
    assert len(ours) == len(theirs) == len(found) == 13
    for image, dna, processid, target in ours:
        picture, barcode, names = found[processid]
        assert np.array_equal(image.permute(1, 2, 0).numpy(), picture)
        assert dna == barcode
        assert target == tuple(name if isinstance(name, str) else "" for name in names)
