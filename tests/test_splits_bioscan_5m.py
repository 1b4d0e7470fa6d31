import numpy as np
import pandas as pd
import polars as pl
import pytest
import splits_oracle
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.barcodes.identity import barcode_identity
from bioscan_etl.splits.bioscan_5m import assign

TEXT = {"genus": pl.String, "species": pl.String, "dna_barcode": pl.String}


def table_of(rows):
    """Rows of genus, species, barcode, with process IDs in row order."""
    frame = pl.DataFrame(rows, schema=TEXT, orient="row").with_row_index("processid")
    return frame.with_columns(pl.format("P{}-20", "processid").alias("processid"))


def by_the_book(table):
    return splits_oracle.partition(pd.DataFrame(table.to_dict(as_series=False), dtype=object))


def records(genus, species, sizes, prefix):
    """`sizes` records per barcode; the barcodes sort in that order."""
    return [(genus, species, f"{prefix}{chr(65 + i)}") for i, size in enumerate(sizes) for _ in range(size)]


def test_worked_table():
    rows = [
        # n = 8, t = 4: the barcode of 4 goes to test. Four records stay, too few for the long tail.
        *records("Atta", "Atta cephalotes", [1, 3, 4], "C"),
        (None, None, "CC"),  # follows its barcode
        (None, None, "X"),
        ("Atta", "Atta laevigata", "L"),  # the only record of its species
        # 7 records: no target in test. The long tail wants round(0.05 * (1 + 4 + 7)) = 1.
        *records("Atta", "Atta sexdens", [2, 1, 4], "S"),
        *records("Atta", "Atta texana", [1, 3, 3], "T"),  # comes after the tail is full
        # 8 records of a placeholder in a known genus. 4 to test_unseen; of the other [1, 3], t = 0.8, 1 to val_unseen.
        *records("Atta", "Atta sp. 1", [1, 3, 4], "U"),
        *records("Atta", "Atta sp. 2", [3, 4], "V"),  # 7 records are too few
        *records("zygJanzen", "zygJanzen01", [5, 5], "W"),  # no seen species in the genus
        ("zygJanzen", None, "Y"),
    ]
    table = table_of(rows)
    splits = assign(table)
    assert splits.columns == ["processid", "split"]
    assert splits["processid"].to_list() == table["processid"].to_list()
    expected = {
        "CA": "train", "CB": "train", "CC": "test", "X": "pretrain", "L": "train",
        "SA": "train", "SB": "val", "SC": "train", "TA": "train", "TB": "train", "TC": "train",
        "UA": "val_unseen", "UB": "key_unseen", "UC": "test_unseen",
        "VA": "other_heldout", "VB": "other_heldout", "WA": "other_heldout", "WB": "other_heldout", "Y": "pretrain",
    }  # fmt: skip
    assert splits["split"].to_list() == [expected[barcode] for _, _, barcode in rows]
    assert by_the_book(table) == splits["split"].to_list()


def test_a_species_that_is_also_unseen_under_another_genus_is_unseen_as_a_whole():
    rows = [
        *records("Atta", "Atta cephalotes", [2], "A"),
        *records("Atta sp x", "Atta cephalotes", [8], "B"),  # novel by its genus, which no seen row has
        *records("aphis", "Aphis fabae", [4, 4], "C"),
        *records("Aphis", "Aphis fabae", [2], "D"),
        *records("Atta", "Atta laevigata", [1], "E"),
        *records("attaX", "Atta laevigata", [2], "F"),
    ]
    table = table_of(rows)
    splits = dict(zip(table["dna_barcode"], assign(table)["split"], strict=True))
    assert splits["AA"] == "train"
    assert splits["BA"] == "other_heldout"
    assert splits["EA"] == splits["FA"] == "train"  # single among the seen rows, and all rows of the species follow
    assert assign(table)["split"].to_list() == by_the_book(table)


def test_barcodes_shared_between_seen_unseen_and_unlabelled_rows_follow_the_steps():
    rows = [
        *records("Atta", "Atta cephalotes", [1, 3, 4], "C"),
        *records("Atta", "Atta sp. 1", [1, 3, 4], "C"),  # the same three barcodes
        *[(None, None, f"C{letter}") for letter in "ABC"],
    ]
    table = table_of(rows)
    assert assign(table)["split"].to_list() == by_the_book(table)
    taken = assign(table).filter(table["dna_barcode"] == "CC")["split"].unique().to_list()
    assert taken == ["test"]


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [(None, None, None)],
        [(None, None, "ACGT")],
        [("Atta", "Atta cephalotes", None)] * 30,
        [("Atta", "Atta sp. 1", "A")] * 30,
        [("Atta", "Atta cephalotes", "A"), ("Atta", "Atta cephalotes", None)] * 30,
        [("Atta", "Atta cephalotes", b) for b in "ABC"] + [("Atta", "Atta cephalotes", None)] * 40,
        [(None, "cephalotes", "A"), (None, "Cephalotes", "B"), (None, "Atta sp. 1", "C")] * 9,
    ],
)
def test_missing_values(rows):
    table = table_of(rows)
    assert assign(table)["split"].to_list() == by_the_book(table)


def random_table(seed, species, mean, conflicts):
    """Species of geometric sizes, barcodes from one pool so that species share some, and defects where wanted."""
    r = np.random.default_rng(seed)
    genera = ["Atta", "Aphis", "Culex", *(["zygJanzen01", None, "unassigned Formicidae"] if conflicts else [])]
    pool = ["".join(r.choice(list("ACGT"), 7)) for _ in range(int(r.integers(5, 900)))]
    rows = []
    for number in range(species):
        genus = genera[r.integers(len(genera))]
        placeholder = r.random() < 0.4
        name = f"{genus} sp{number}" if placeholder else f"{genus} {chr(97 + number // 26)}{chr(97 + number % 26)}us"
        size = int(r.geometric(1 / (mean * (10 if r.random() < 0.1 else 1))))
        own = [pool[i] for i in r.integers(0, len(pool), int(r.integers(1, max(2, size))))]
        if not conflicts:
            own = [f"{barcode}{number}" for barcode in own]
        for _ in range(size):
            barcode = own[int(r.integers(0, len(own)) * r.random() ** r.integers(0, 3))]
            label, rank = name, genus
            if conflicts and r.random() < 0.03:
                label, rank, barcode = [
                    (None, genus, barcode), (name, genera[r.integers(len(genera))], barcode),
                    (name, genus, None), (name, genus, pool[0]), (None, None, barcode),
                ][r.integers(5)]  # fmt: skip
            rows.append((rank, label, barcode))
    r.shuffle(rows)
    return table_of([tuple(row) for row in rows])


@pytest.mark.parametrize("mean", [4, 12, 40])
@pytest.mark.parametrize("conflicts", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_every_record_goes_where_the_book_puts_it(seed, conflicts, mean):
    table = random_table(seed, 60, mean, conflicts)
    assert assign(table)["split"].to_list() == by_the_book(table)


SPECIES = st.sampled_from(
    [None, "Atta a", "Atta b", "Atta c", "Aphis d", "Atta sp. 1", "Atta sp. 2", "Aphis X", "b sp. 3"]
)
GROUP = st.tuples(
    st.sampled_from(["Atta", "Aphis", "zyg", None]),
    SPECIES,
    st.sampled_from([*"ABCDEFGHIJKLM", None]),
    st.integers(1, 25),
)


@settings(max_examples=examples(80), deadline=None)
@given(st.lists(GROUP, max_size=25), st.randoms(use_true_random=False))
def test_any_table_goes_by_the_book(groups, random):
    rows = [(genus, species, barcode) for genus, species, barcode, size in groups for _ in range(size)]
    random.shuffle(rows)
    table = table_of(rows)
    assert assign(table)["split"].to_list() == by_the_book(table)


def test_the_order_of_rows_changes_nothing():
    table = random_table(11, 60, 20, conflicts=True)
    expected = assign(table).sort("processid")
    assert assign(table.reverse()).sort("processid").equals(expected)
    assert assign(table.sample(fraction=1, shuffle=True, seed=3)).sort("processid").equals(expected)


def test_columns_may_be_categorical():
    table = random_table(12, 30, 20, conflicts=False)
    categorical = table.with_columns(pl.col("genus", "species").cast(pl.Categorical))
    assert assign(categorical).equals(assign(table))


@pytest.mark.parametrize("name", ["chironominae_norway_2025.tsv", "BOLD_Public.21-Jun-2024.NL.tsv"])
def test_real_records_go_by_the_book(shared_data, name):
    raw = pl.read_csv(
        shared_data / "bold" / name, separator="\t", quote_char=None, infer_schema=False, null_values=["None", ""]
    )
    barcodes = raw.filter(pl.col("marker_code") == "COI-5P").select(
        "processid", "genus", "species", dna_barcode=barcode_identity(pl.col("nuc"))
    )
    assert len(barcodes) > 500
    assert assign(barcodes)["split"].to_list() == by_the_book(barcodes)
