"""Contradictions between records of one barcode."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.barcodes.corpus import corpus_flags
from bioscan_etl.demo.sequences import as_text, haplotypes, lineage_tree
from bioscan_etl.settings import BarcodeSettings

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
    assert corpus_flags(specimens).rows() == [
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
    found = corpus_flags(pl.DataFrame(schema=SCHEMA))
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
    for (barcode, _, _), found in zip(rows, corpus_flags(specimens)["flags"], strict=True):
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
    found = corpus_flags(specimens, BarcodeSettings())
    assert found.filter(pl.col("flags").list.len() > 0).rows() == [("P3", ["BARCODE_MISPLACED"])]
    assert corpus_flags(specimens)["flags"].list.len().sum() == 0
