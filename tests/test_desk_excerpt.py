"""What is found in an excerpt by searching its sorted tables is what a scan of them finds."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.desk.corpus import Corpus
from bioscan_etl.desk.excerpt import Excerpt, _sorted
from bioscan_etl.lake import Lake
from bioscan_etl.settings import Settings

names = st.text("AB1", min_size=1, max_size=3)
# The same barcode in another case, with gaps at its ends, or as U; and none.
letters = st.sampled_from(["ACGT", "acgt", "-ACGT--", "ACGU", "ACGTA", "NNNN", None])


@st.composite
def excerpts(draw):
    rows = draw(st.dictionaries(names, letters, max_size=8))
    held = pl.DataFrame(
        {"processid": list(rows), "dna_barcode": list(rows.values())},
        schema={"processid": pl.String, "dna_barcode": pl.String},
    ).sort("processid")
    labels = held.filter(pl.col("dna_barcode").is_not_null()).select("processid", taxon=pl.lit("Diptera"))
    return Excerpt(Lake("nowhere"), Settings(), "", chosen=pl.DataFrame(), held=held, labels=labels)


@given(excerpts(), st.lists(st.none() | names, max_size=5))
def test_specimens_and_labels_by_process_id(excerpt, wanted):
    for own, scanned in (
        (excerpt.with_ids(wanted), Corpus.with_ids(excerpt, wanted)),
        (excerpt.labels_of(wanted), Corpus.labels_of(excerpt, wanted)),
    ):
        assert own.collect().equals(scanned.collect())


@given(excerpts(), st.lists(names, max_size=4, unique=True))
def test_specimens_with_the_same_barcode(excerpt, wanted):
    found = excerpt.same_barcodes(wanted)
    assert set(found["named"]) <= set(wanted)
    for name in wanted:
        scanned = excerpt.with_barcode_of(name)
        own = found.filter(pl.col("named") == name)["processid"].sort().to_list()
        assert own == ([] if scanned is None else scanned.collect()["processid"].sort().to_list())


def test_an_excerpt_is_sorted():
    frame = pl.DataFrame({"processid": ["B", "A"]})
    assert _sorted(frame.lazy())["processid"].to_list() == ["A", "B"]
