"""BarcodeBERT CSVs: files, columns, and which specimens are in them, and indices that hold across all of them."""

from collections import Counter

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from release_everything import everything

from bioscan_etl import vocabulary
from bioscan_etl.errors import InvariantError
from bioscan_etl.release.forms import barcodebert
from bioscan_etl.release.labels import lineages, read_labels, vocabulary_of

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


def rows(*specimens):
    """Rows of `COLUMNS`: process ID, partition, species, barcode; a species has a lineage, others have an order."""
    made = []
    for processid, split, species, barcode in specimens:
        genus = species.split(" ")[0] if species else None
        labelled = ("F", "S", genus, species) if species else (None,) * 4
        made.append((processid, barcode, None, "P", "C", "O", *labelled, split))
    frame = pl.DataFrame(made, schema=dict.fromkeys(barcodebert.COLUMNS, pl.String), orient="row")
    return frame.sort(pl.col("split").cast(pl.Enum(vocabulary.SPLITS)), maintain_order=True)


def written(frame, folder, *, distinct=True, at_once=2):
    """The files made of rows, read in small pieces; and the number of rows of each."""
    made = vocabulary_of(lineages(frame))
    counts = barcodebert.write_barcodebert(lambda: frame.iter_slices(at_once), made, folder, distinct=distinct)
    files = {name: pl.read_csv(folder / f"{name}.csv", infer_schema=False) for name in barcodebert.FILES}
    assert counts == {name: file.height for name, file in files.items()}
    return files


def test_only_pre_training_has_specimens_without_a_species(tmp_path):
    files = written(
        rows(
            ("A-1", "train", "A a", "ACGT"),
            ("B-1", "train", None, "AAAA"),
            ("C-1", "test", None, "CCCC"),
            ("D-1", "pretrain", None, "GGGG"),
        ),
        tmp_path,
    )
    listed = {name: file["processid"].to_list() for name, file in files.items()}
    assert listed == {name: [] for name in PARTS} | {"pre_training": ["D-1"], "supervised_train": ["A-1"]}


def test_the_first_specimen_of_a_barcode_stands_for_all(tmp_path):
    frame = rows(
        ("B-1", "train", None, "ACGTNN"),  # in no file, so that it stands for none; it counts
        ("B-2", "train", "A a", "ACGTN"),
        ("A-1", "train", "A a", "ACGT"),
        ("C-1", "train", "A a", "NACGT"),  # another barcode to the recipe, which strips the end alone
        ("D-1", "other_heldout", "B b", "CCNCC"),
        ("E-1", "pretrain", None, "CCNCCNNN"),
        ("F-1", "key_unseen", "C c", "GGGG"),
        ("G-1", "key_unseen", "C c", "GGGG"),
    )
    files = written(frame, tmp_path)
    shown = {name: file.select("processid", "nucleotides", "specimens").rows() for name, file in files.items()}
    assert shown == {name: [] for name in PARTS} | {
        # Over all partitions: the specimen in pretrain comes first.
        "pre_training": [("E-1", "CCNCC", "2")],
        "supervised_train": [("B-2", "ACGT", "3"), ("C-1", "NACGT", "1")],
    }
    every = written(frame, tmp_path, distinct=False)
    assert every["supervised_train"].select("processid", "specimens").rows() == [
        ("B-2", "3"),
        ("A-1", "3"),
        ("C-1", "1"),
    ]
    assert every["pre_training"]["processid"].to_list() == ["E-1", "D-1"]


BARCODES = st.sampled_from(["ACGT", "ACGTN", "NACGT", "CCCC", "CCCCNN", "GNG", "T"])


@given(
    st.lists(st.tuples(st.sampled_from(vocabulary.SPLITS), st.none() | st.just("A a"), BARCODES), max_size=20),
    st.integers(1, 7),
)
def test_rows_are_those_of_the_recipe_followed_one_by_one(tmp_path_factory, drawn, at_once):
    """Strip, keep the first of each, split: as the published recipe does, over rows that may be in a file."""
    frame = rows(("T-1", "train", "A a", "TTTT"), *((f"P-{n}", *each) for n, each in enumerate(drawn)))
    files = written(frame, tmp_path_factory.mktemp("rows"), at_once=at_once)
    seen, expected, counts = set(), {name: [] for name in PARTS}, Counter()
    specimens = frame.select("processid", "split", "species", "dna_barcode").rows()
    for *_, barcode in specimens:
        counts[barcode.rstrip("N")] += 1
    for processid, split, species, barcode in specimens:
        if (species is None and split not in ("pretrain", "other_heldout")) or barcode.rstrip("N") in seen:
            continue
        seen.add(barcode.rstrip("N"))
        for name, splits in barcodebert.FILES.items():
            if split in splits:
                expected[name].append((processid, barcode.rstrip("N"), str(counts[barcode.rstrip("N")])))
    assert {
        name: file.select("processid", "nucleotides", "specimens").rows() for name, file in files.items()
    } == expected


def test_a_barcode_of_two_species_that_takes_one_from_train_is_refused(tmp_path):
    """Curation gives records of one barcode one label, so that this cannot be; if it is, no recipe could run."""
    frame = rows(("A-1", "train", "A a", "ACGT"), ("B-1", "train", "A b", "ACGT"), ("C-1", "test", "A b", "CCCC"))
    with pytest.raises(InvariantError, match=r"1 species labels of test .*\(A b\)"):
        written(frame, tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert written(frame, tmp_path, distinct=False)["supervised_test"].height == 1


def test_the_indices_are_those_of_the_release(release, files):
    made = read_labels(release)
    for rank in vocabulary.RANKS:
        indices = dict(made[rank].select("label", "index").iter_rows())
        for file in files.values():
            pairs = file.select(f"{rank}_name", f"{rank}_index").drop_nulls().unique()
            assert all(indices[name] == index for name, index in pairs.iter_rows())


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
