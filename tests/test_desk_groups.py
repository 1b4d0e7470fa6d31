"""Groups that are looked up at once are those that are looked up one by one."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.decisions.vocabulary import BARCODE_OF
from bioscan_etl.desk.excerpt import Excerpt
from bioscan_etl.desk.groups import group, groups
from bioscan_etl.lake import Lake
from bioscan_etl.settings import Settings
from bioscan_etl.vocabulary import RANKS

BINS = ("BOLD:AAA0001", "BOLD:AAA0002")
NAMES = (*BINS, "BOLD:AAA0003", "no BIN", *(f"{BARCODE_OF}A-{number}" for number in range(8)))

rows = st.lists(
    st.fixed_dictionaries(
        {
            "dna_bin": st.none() | st.sampled_from(BINS),
            "dna_barcode": st.sampled_from(["ACGT", "NACGT-", "acgt", "ACCT", "NN", None]),
            "gates": st.lists(st.just("NO_BIN"), max_size=1),
            "genus": st.none() | st.sampled_from(["Aedes", "Culex"]),
            "species": st.none() | st.just("Aedes vexans"),
        }
    ),
    max_size=6,
)


def corpus_with(found):
    schema = {"processid": pl.String, "dna_bin": pl.String, "dna_barcode": pl.String, "gates": pl.List(pl.String)}
    held = pl.DataFrame(
        [{"processid": f"A-{number}"} | row for number, row in enumerate(found)],
        schema=schema | dict.fromkeys(RANKS, pl.String),
    )
    return Excerpt(Lake("nowhere"), Settings(), "", chosen=pl.DataFrame(), held=held)


def one_by_one(corpus, name):
    is_barcode = name.startswith(BARCODE_OF)
    return group(corpus, "barcode" if is_barcode else "bin", name.removeprefix(BARCODE_OF))


@given(rows, st.lists(st.sampled_from(NAMES), unique=True), st.integers(0, 3))
def test_groups_at_once_and_one_by_one(found, names, most):
    corpus = corpus_with(found)
    same = corpus.same_barcodes([name.removeprefix(BARCODE_OF) for name in names if name.startswith(BARCODE_OF)])
    at_once = groups(corpus, names, same, most)
    for name in names:
        expected = one_by_one(corpus, name)
        if expected is not None:
            expected["processids"] = expected["processids"][:most]
        assert at_once.get(name) == expected


@pytest.mark.parametrize("kind", ["bin", "barcode", "nothing"])
def test_there_is_no_such_group(kind):
    assert group(corpus_with([]), kind, "A-1") is None


def test_labels_are_counted_the_most_frequent_first():
    found = [
        {"dna_bin": BINS[0], "dna_barcode": None, "gates": gates, "genus": genus, "species": None}
        for gates, genus in (([], "Culex"), ([], "Aedes"), (["NO_BIN"], "Culex"), ([], None))
    ]
    counted = group(corpus_with(found), "bin", BINS[0])
    assert (counted["count"], counted["released"], counted["held"]) == (4, 3, 1)
    assert (counted["labels"], counted["all_labels"]) == ([["Culex", 2], ["Aedes", 1]], 2)
    assert counted["processids"] == ["A-0", "A-1", "A-2", "A-3"]
