"""Contradictions between records of one barcode."""

import numpy as np
import polars as pl
import pytest
from framed_barcodes import drawn
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.barcodes.corpus import corpus_flags
from bioscan_etl.barcodes.placement import place
from bioscan_etl.demo.sequences import as_text, haplotypes, lineage_tree
from bioscan_etl.schema import PLACEMENTS
from bioscan_etl.settings import BarcodeSettings

NOT_PLACED = PLACEMENTS.empty().lazy()
SCHEMA = {"processid": pl.String, "barcode": pl.String, "species": pl.String, "dna_bin": pl.String}


def test_barcodes_under_several_species_or_bins_are_flagged():
    specimens = pl.DataFrame(
        [
            ("P5", "ACGT", "Aus bus", "BOLD:AAA0001"),
            ("P4", "ACGT", "Aus cus", None),
            ("P3", "ACGT", None, "BOLD:AAA0002"),
            ("P2", "TTTT", "Aus bus", "BOLD:AAA0001"),
            ("P1", "TTTT", "Aus bus", "BOLD:AAA0002"),
            ("P0", "CCCC", "Aus bus", "BOLD:AAA0003"),
            ("N1", None, "Aus bus", None),
            ("N2", None, "Aus cus", None),
        ],
        schema=SCHEMA,
        orient="row",
    )
    both = ["BARCODE_SEVERAL_BINS", "BARCODE_SEVERAL_SPECIES"]
    assert corpus_flags(specimens, NOT_PLACED).rows() == [
        ("N1", []),
        ("N2", []),
        ("P0", []),
        ("P1", ["BARCODE_SEVERAL_BINS"]),
        ("P2", ["BARCODE_SEVERAL_BINS"]),
        ("P3", both),
        ("P4", both),
        ("P5", both),
    ]


def test_no_specimens_no_rows():
    found = corpus_flags(pl.DataFrame(schema=SCHEMA), NOT_PLACED)
    assert found.schema == {"processid": pl.String, "flags": pl.List(pl.String)}
    assert found.is_empty()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["A", "C", None]), st.sampled_from(["x", "y", None]), st.sampled_from(["1", "2", None])
        ),
        max_size=12,
    )
)
def test_flags_follow_from_the_sets_of_labels(rows):
    specimens = pl.DataFrame([(f"P{n:02d}", *row) for n, row in enumerate(rows)], schema=SCHEMA, orient="row")
    for (barcode, _, _), found in zip(rows, corpus_flags(specimens, NOT_PLACED)["flags"], strict=True):
        same = [row for row in rows if barcode is not None and row[0] == barcode]
        expected = ["BARCODE_SEVERAL_BINS"] * (len({row[2] for row in same} - {None}) > 1)
        expected += ["BARCODE_SEVERAL_SPECIES"] * (len({row[1] for row in same} - {None}) > 1)
        assert found.to_list() == expected


def test_misplaced_barcodes_are_flagged_where_they_are_looked_for():
    rng = np.random.default_rng(1)
    two = np.arange(2)
    cluster = np.repeat(two, 4)
    texts = as_text(haplotypes(rng, lineage_tree(rng, two, two, two), cluster, cluster < 0))
    orders = ["Diptera"] * 3 + ["Hymenoptera"] * 5
    specimens = pl.DataFrame(
        {"processid": [f"P{n}" for n in range(8)], "barcode": texts, "order": orders}
    ).with_columns(species=pl.lit(None, pl.String), dna_bin=pl.lit(None, pl.String))
    found = corpus_flags(specimens, NOT_PLACED, BarcodeSettings())
    assert found.filter(pl.col("flags").list.len() > 0).rows() == [("P3", ["BARCODE_MISPLACED"])]
    assert corpus_flags(specimens, NOT_PLACED)["flags"].list.len().sum() == 0


WHOLE, OTHER = drawn(2)
FRAGMENT = WHOLE[100:500]
MUTATED = WHOLE[:600] + ("A" if WHOLE[600] != "A" else "C") + WHOLE[601:]  # outside the fragment


def several_species(*rows, **settings):
    """Positions of the rows (barcode, species) that are flagged, with every barcode placed."""
    given = [(f"P{n:02}", *row, None, None) for n, row in enumerate(rows)]
    specimens = pl.DataFrame(given, schema=SCHEMA | {"order": pl.String}, orient="row")
    placements = place(specimens["barcode"].drop_nulls().unique().sort()).lazy()
    found = corpus_flags(specimens, placements, BarcodeSettings(**settings))["flags"].to_list()
    return [row for row, flags in enumerate(found) if "BARCODE_SEVERAL_SPECIES" in flags]


@pytest.mark.parametrize(
    ("rows", "flagged"),
    [
        ([(WHOLE, "Aus bus"), (FRAGMENT, "Aus cus"), (OTHER, "Aus dus")], [0, 1]),
        ([(WHOLE, "Aus bus"), (FRAGMENT, "Aus bus"), (OTHER, "Aus dus")], []),
        ([(WHOLE[:450], "Aus bus"), (WHOLE[100:], "Aus cus")], [0, 1]),
        ([(WHOLE, "Aus bus"), (MUTATED, "Aus cus")], []),
        # A fragment without a species is the same as both, which differ.
        ([(WHOLE, "Aus bus"), (MUTATED, "Aus cus"), (FRAGMENT, None)], []),
        ([(WHOLE, "Aus bus"), (MUTATED, "Aus cus"), (FRAGMENT, "Aus bus")], [1, 2]),
        # A specimen without a species has the flag of its barcode.
        ([(WHOLE, "Aus bus"), (WHOLE, None), (FRAGMENT, "Aus cus")], [0, 1, 2]),
        ([(WHOLE, "Aus bus"), (WHOLE, "Aus cus"), (FRAGMENT, "Aus bus"), (FRAGMENT, None)], [0, 1, 2, 3]),
        ([(WHOLE, "Aus bus"), (WHOLE[:200], "Aus cus")], []),
        ([(WHOLE, None), (FRAGMENT, None), (None, "Aus bus"), (None, "Aus cus")], []),
    ],
)
def test_a_barcode_sequenced_shorter_is_the_same_one(rows, flagged):
    assert several_species(*rows) == flagged
    mirrored = several_species(*rows[::-1])
    assert sorted(len(rows) - 1 - row for row in mirrored) == flagged


def test_barcodes_must_share_as_many_columns_as_the_setting_says():
    rows = [(WHOLE, "Aus bus"), (FRAGMENT, "Aus cus")]
    assert several_species(*rows, min_shared_columns=400) == [0, 1]
    assert several_species(*rows, min_shared_columns=401) == []


def test_a_barcode_without_a_place_is_compared_as_a_whole():
    specimens = pl.DataFrame(
        [("A", WHOLE, "Aus bus", None), ("B", WHOLE, "Aus cus", None), ("C", FRAGMENT, "Aus dus", None)],
        schema=SCHEMA,
        orient="row",
    )
    assert corpus_flags(specimens, NOT_PLACED)["flags"].list.len().to_list() == [1, 1, 0]
    # A barcode of two batches is placed in both.
    twice = place(pl.Series([FRAGMENT, WHOLE]))
    assert corpus_flags(specimens, pl.concat([twice, twice]).lazy())["flags"].list.len().to_list() == [1, 1, 1]
