"""BarcodeBERT CSVs: files, columns, and numbers of labels that hold across all of them."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from release_everything import everything

from bioscan_etl import vocabulary
from bioscan_etl.errors import InvariantError
from bioscan_etl.release.forms import barcodebert

PARTS = {"pre_training": 12, "supervised_train": 8, "supervised_val": 2, "supervised_test": 3, "unseen": 2}


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return everything(tmp_path_factory.mktemp("barcodebert"))


@pytest.fixture(scope="module")
def files(release):
    return {path.stem: pl.read_csv(path) for path in (release / "barcodebert").iterdir()}


def test_the_files_hold_their_partitions(files, release):
    assert {name: frame.height for name, frame in files.items()} == PARTS
    data = pl.concat(pl.read_parquet(path) for path in sorted((release / "data").iterdir()))
    for name, splits in barcodebert.FILES.items():
        listed = files[name]
        expected = data.filter(pl.col("split").is_in(splits))
        assert listed.columns == barcodebert.header()
        both = expected.join(listed, on="processid", how="inner", suffix="_there")
        assert both.height == expected.height == listed.height
        for column in ("nucleotides", "bin_uri"):
            assert both[column].equals(both[{"nucleotides": "dna_barcode", "bin_uri": "dna_bin"}[column]])
        for rank in vocabulary.RANKS:
            assert both[rank].eq_missing(both[f"{rank}_name"]).all()
            assert both[f"{rank}_index"].eq(-1).equals(both[rank].is_null())


def test_species_are_numbered_from_zero_and_minus_one_is_of_pre_training_only(files):
    train = files["supervised_train"]["species_index"]
    assert train.dtype == pl.Int64
    assert sorted(train.unique()) == list(range(train.n_unique()))
    everywhere = pl.concat(frame["species_index"] for frame in files.values()).unique().sort()
    assert everywhere.to_list() == list(range(-1, everywhere.max() + 1))
    assert {name for name, frame in files.items() if frame["species_index"].min() < 0} == {"pre_training"}


def test_a_label_has_one_number_in_all_files(files):
    for rank in vocabulary.RANKS:
        pairs = (
            pl.concat(frame.select(f"{rank}_name", f"{rank}_index") for frame in files.values()).unique().drop_nulls()
        )
        assert pairs[f"{rank}_name"].is_unique().all()
        assert pairs[f"{rank}_index"].is_unique().all()


def test_val_test_and_unseen_are_what_the_recipes_rely_on(files):
    train = files["supervised_train"]
    for name in ("supervised_val", "supervised_test"):
        assert set(files[name]["species_name"]) <= set(train["species_name"])
    assert set(files["unseen"]["genus_name"]) <= set(train["genus_name"])
    assert not set(files["unseen"]["species_name"]) & set(train["species_name"])


def test_only_pre_training_has_specimens_without_a_species(tmp_path):
    rows = [("A-1", "train", "A a"), ("B-1", "train", None), ("C-1", "test", None), ("D-1", "pretrain", None)]
    texts = dict.fromkeys(barcodebert.COLUMNS, pl.String)
    frame = pl.DataFrame(
        [{"processid": processid, "split": split, "species": species} for processid, split, species in rows], texts
    )
    numbers = barcodebert.label_numbers(frame)
    written = barcodebert.write_barcodebert([frame], numbers, tmp_path)
    assert written == {
        "pre_training": 1,
        "supervised_train": 1,
        "supervised_val": 0,
        "supervised_test": 0,
        "unseen": 0,
    }
    assert pl.read_csv(tmp_path / "supervised_train.csv")["processid"].to_list() == ["A-1"]


def labels(**rows):
    """Distinct labels: split to (genus, species)."""
    names = [{"split": split, "genus": genus, "species": species} for split, (genus, species) in rows.items()]
    return pl.DataFrame(names, schema={"split": pl.String, **dict.fromkeys(vocabulary.RANKS, pl.String)})


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"train": ("A", "A a"), "val": ("A", "A b")}, r"1 species labels of val .*\(A b\)"),
        ({"train": ("A", "A a"), "test": ("A", "A b")}, "1 species labels of test"),
        ({"train": ("A", "A a"), "test_unseen": ("B", "B b")}, r"1 genus labels of test_unseen .*\(B\)"),
    ],
)
def test_partitions_that_would_break_a_recipe_are_refused(rows, message):
    with pytest.raises(InvariantError, match=message):
        barcodebert.require_labels(labels(**rows))
    barcodebert.require_labels(
        labels(train=("A", "A a"), val=("A", "A a"), pretrain=("C", None), key_unseen=("D", "D d"))
    )


NAMES = st.none() | st.sampled_from(["A", "B", "C", "D", "É"])


@given(st.lists(st.tuples(st.sampled_from(vocabulary.SPLITS), NAMES), max_size=30))
def test_numbers_are_dense_and_trains_come_first(rows):
    frame = pl.DataFrame(
        [{"split": split, "species": name} for split, name in rows],
        schema={"split": pl.String, **dict.fromkeys(vocabulary.RANKS, pl.String)},
    )
    numbers = barcodebert.label_numbers(frame)["species"]
    used = [split for splits in barcodebert.FILES.values() for split in splits]
    assert set(numbers["label"]) == {name for split, name in rows if name and split in used}
    assert numbers["index"].to_list() == list(range(numbers.height))
    train = sorted({name for split, name in rows if name and split == "train"})
    assert numbers["label"].head(len(train)).to_list() == train
