import polars as pl
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from taxonomy_corpus import MIDGE, corpora, labels, specimens

from bioscan_etl import schema
from bioscan_etl.settings import TaxonomySettings
from bioscan_etl.taxonomy.changes import undo
from bioscan_etl.taxonomy.curate import curate
from bioscan_etl.taxonomy.invariants import check
from bioscan_etl.taxonomy.names import normalise_names
from bioscan_etl.taxonomy.rules import RULES
from bioscan_etl.vocabulary import RANKS

CHOICES = st.builds(
    TaxonomySettings,
    majority_share=st.sampled_from([0.6, 0.9, 1.0]),
    minimum_support=st.sampled_from([1, 2]),
    infer_from_barcode=st.booleans(),
    infer_from_bin=st.booleans(),
    resolve_in_bin=st.booleans(),
)


@given(corpora(), CHOICES)
@settings(max_examples=examples(10), deadline=None)
def test_the_invariants_hold_on_any_corpus(corpus, choice):
    _hold(corpus, choice)


@pytest.mark.slow
@given(corpora(), CHOICES)
@settings(max_examples=examples(50), deadline=None)
def test_the_invariants_hold_on_many_corpora(corpus, choice):
    _hold(corpus, choice)


def _hold(corpus, choice):
    curated = curate(corpus, choice)
    assert check(curated.frame, curated.changes, corpus) == []
    delivered = corpus.sort("processid").select(pl.col(f"{rank}_verbatim").alias(rank) for rank in RANKS)
    assert_frame_equal(undo(curated.frame, curated.changes).select(RANKS), delivered)
    schema.CHANGES.check(curated.changes)
    declared = {rule.id for rule in RULES}
    assert set(curated.changes["rule"]) <= declared
    assert set(curated.frame["flags"].explode().drop_nulls()) <= declared


@pytest.mark.slow
@given(corpora(), st.randoms(use_true_random=False))
@settings(max_examples=examples(5), deadline=None)
def test_the_order_of_the_rows_does_not_matter(corpus, random):
    order = list(range(corpus.height))
    random.shuffle(order)
    first, second = curate(corpus, TaxonomySettings()), curate(corpus[order], TaxonomySettings())
    assert_frame_equal(first.frame, second.frame)
    assert_frame_equal(first.changes, second.changes)
    assert first.report == second.report


@pytest.mark.slow
@given(corpora())
@settings(max_examples=examples(5), deadline=None)
def test_only_missing_labels_count_as_inferred(corpus):
    frame = curate(corpus, TaxonomySettings()).frame
    before = corpus.sort("processid")
    for number, rank in enumerate(reversed(RANKS), start=1):
        inferred = frame[f"inferred_{rank}"]
        own = before[rank].filter(inferred)
        assert (own.is_null() | own.ne_missing(frame[rank].filter(inferred))).all()
        assert not frame[rank].filter(inferred).str.starts_with("unassigned").any()
        if rank != "phylum":
            assert (frame["inferred_ranks"].filter(inferred) >= number).all()


def test_a_whole_corpus_of_one_lineage_stays_as_it_is():
    corpus = specimens([{"labels": MIDGE, "barcode": "ACGT"}, {"labels": MIDGE, "barcode": "ACGT"}, {"labels": MIDGE}])
    curated = curate(corpus, TaxonomySettings())
    assert labels(curated.frame) == [MIDGE] * 3
    assert curated.changes.height == 0
    assert curated.frame["taxon"].to_list() == ["Chironomus plumosus"] * 3
    assert curated.frame["inferred_ranks"].to_list() == [0, 0, 0]
    assert curated.report["labels"]["species"]["delivered"] == 3


def test_an_empty_corpus_gives_an_empty_result():
    curated = curate(schema.SPECIMENS.empty(), TaxonomySettings())
    assert curated.frame.height == 0
    assert curated.report["specimens"] == 0


def test_missing_ranks_are_inferred_and_numbered_from_species_upward():
    corpus = specimens(
        [
            {"labels": MIDGE, "barcode": "ACGT"},
            {"labels": (*MIDGE[:3], None, None, None, None), "barcode": "ACGT"},
            {"genus": "Chironomus", "barcode": "CCCC"},
        ]
    )
    frame = curate(corpus, TaxonomySettings()).frame
    assert labels(frame) == [MIDGE, MIDGE, (*MIDGE[:6], None)]
    assert frame["inferred_ranks"].to_list() == [0, 4, 6]
    assert frame["inferred_species"].to_list() == [False, True, False]
    assert frame["taxon"].to_list() == [MIDGE[6], MIDGE[6], "Chironomus"]


def test_a_gap_gets_a_filler_that_is_not_inferred():
    corpus = specimens([{"labels": (*MIDGE[:4], None, *MIDGE[5:])}])
    frame = curate(corpus, TaxonomySettings()).frame
    assert frame["subfamily"].to_list() == ["unassigned Chironomidae"]
    assert frame["inferred_ranks"].to_list() == [0]
    assert frame["flags"].to_list() == [["UNASSIGNED_FILLER"]]


def test_methods_that_derive_the_label_from_the_data_are_flagged_and_counted():
    methods = [
        "BIN Taxonomy Match (Jun 2020)",
        "BOLD ID Engine: top hits",
        "Morphology",
        None,
        "Image classifier model",
    ]
    corpus = specimens([{"labels": MIDGE, "identification_method": method} for method in methods])
    curated = curate(corpus, TaxonomySettings())
    assert curated.report["circular"]["records"] == 3
    assert curated.report["circular"]["share"] == 0.6
    assert curated.frame["flags"].list.len().cast(bool).to_list() == [True, True, False, False, True]


def test_a_bin_with_two_genera_is_flagged_and_nothing_changed():
    other = (*MIDGE[:5], "Tanytarsus", None)
    corpus = specimens(
        [{"labels": MIDGE, "dna_bin": "BOLD:AAA0001"}, {"labels": other, "dna_bin": "BOLD:AAA0001"}, {"labels": MIDGE}]
    )
    curated = curate(corpus, TaxonomySettings())
    assert labels(curated.frame) == [MIDGE, other, MIDGE]
    assert curated.frame["flags"].to_list() == [["BIN_CONFLICT"], ["BIN_CONFLICT"], []]
    assert curated.report["bin_conflicts"]["by_rank"] == {"class": 0, "order": 0, "family": 0, "genus": 1}


def test_a_bin_is_settled_where_a_curator_asks_for_it():
    other = (*MIDGE[:5], "Tanytarsus", "Tanytarsus aus")
    rows = [{"labels": MIDGE, "dna_bin": "BOLD:AAA0001"}] * 9 + [{"labels": other, "dna_bin": "BOLD:AAA0001"}]
    curated = curate(specimens(rows), TaxonomySettings(resolve_in_bin=True))
    assert labels(curated.frame) == [*[MIDGE] * 9, (*MIDGE[:6], None)]
    assert set(curated.frame["flags"][9]) == {"BIN_MAJORITY", "BIN_OUTVOTED"}
    curated = curate(specimens(rows[-2:]), TaxonomySettings(resolve_in_bin=True))
    assert labels(curated.frame) == [(*MIDGE[:5], None, None)] * 2
    assert curated.conflicts.select("within", "rank", "processids").rows() == [
        ("BIN", "genus", curated.frame["processid"].to_list())
    ]


@pytest.fixture(scope="module")
def real(shared_data) -> pl.DataFrame:
    parts = []
    for path in sorted((shared_data / "bold").glob("*.tsv")):
        raw = pl.read_csv(path, separator="\t", quote_char=None, infer_schema=False)
        raw = raw.rename({"nucraw": "nuc"} if "nucraw" in raw.columns else {})
        text = pl.all().str.strip_chars()
        parts.append(
            raw.filter(pl.col("marker_code") == "COI-5P")
            .select("processid", "nuc", "identification_method", *RANKS, dna_bin="bin_uri")
            .with_columns(pl.when(~text.is_in(["None", ""])).then(text).name.keep())
        )
    records = pl.concat(parts).unique("processid", keep="last", maintain_order=True).with_columns(batch=pl.lit("b"))
    clean = pl.col("nuc").str.strip_chars("-").str.replace_all("-", "N").str.strip_chars("N")
    rest = records.select("processid", "identification_method", "dna_bin", dna_barcode=clean).with_columns(
        record_id="processid",
        source_line=pl.lit(2, pl.Int64),
        source_file=pl.lit("f"),
        gates=pl.lit([], pl.List(pl.String)),
    )
    names = normalise_names(records.lazy())
    return pl.concat([schema.SPECIMENS.empty(), names.join(rest, on="processid")], how="diagonal_relaxed")


def test_real_records_keep_their_species_and_meet_the_invariants(real):
    curated = curate(real, TaxonomySettings())
    assert check(curated.frame, curated.changes, real) == []
    assert curated.frame.height == 3121
    # Every species name of the three files is well formed and undisputed: none may be lost or renamed.
    assert curated.frame["species"].eq_missing(real.sort("processid")["species_verbatim"]).all()
    assert curated.report["conflicts"]["list"] == [
        {
            "rank": "order",
            "labels": "Diptera (1); Hemiptera (1)",
            "records": 2,
            "processids": ["AACTA1658-20", "AACTA2025-20"],
        }
    ]
    changed = set(curated.changes["rule"])
    assert changed == {"BARCODE_CONFLICT", "INFERRED_FROM_LINEAGE", "UNASSIGNED_FILLER"}
    assert 0.4 < curated.report["circular"]["share"] < 0.5


def test_lazy_specimens_are_curated_as_those_in_memory(tmp_path):
    corpus = specimens([{"labels": MIDGE, "barcode": "ACGT"}, {"barcode": "ACGT"}, {"genus": "chironomus"}])
    corpus.write_parquet(tmp_path / "specimens.parquet")
    lazy = curate(pl.scan_parquet(tmp_path / "specimens.parquet"), TaxonomySettings())
    curated = curate(corpus, TaxonomySettings())
    assert_frame_equal(lazy.frame, curated.frame)
    assert_frame_equal(lazy.changes, curated.changes)
    assert lazy.labels["processid"].to_list() == lazy.frame["processid"].to_list()
    assert check(lazy.lazy(), lazy.changes, pl.scan_parquet(tmp_path / "specimens.parquet")) == []
