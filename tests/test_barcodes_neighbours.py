"""Barcodes whose nearest neighbours are of another order."""

import numpy as np
import polars as pl
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl import vocabulary
from bioscan_etl.barcodes import neighbours
from bioscan_etl.barcodes.check import check_barcodes
from bioscan_etl.barcodes.neighbours import MISPLACED, misplaced
from bioscan_etl.barcodes.rules import RULES
from bioscan_etl.demo.sequences import as_text, haplotypes, lineage_tree
from bioscan_etl.settings import BarcodeSettings
from bioscan_etl.taxonomy.names import normalise_names

SETTINGS = BarcodeSettings()
ORDERS = ("Coleoptera", "Diptera", "Hemiptera")


def corpus(seed=0, families=2, barcodes=6):
    """Barcode and order of three orders, with so many barcodes in each of their families' only species."""
    rng = np.random.default_rng(seed)
    order_of_family = np.repeat(np.arange(len(ORDERS)), families)
    count = len(order_of_family)
    consensus = lineage_tree(rng, order_of_family, np.arange(count), np.arange(count))
    cluster = np.repeat(np.arange(count), barcodes)
    texts = as_text(haplotypes(rng, consensus, cluster, np.diff(cluster, prepend=-1) != 0))
    return pl.DataFrame({"barcode": texts, "order": [ORDERS[order_of_family[c]] for c in cluster], "species": cluster})


def relabelled(frame, row, order):
    return frame.with_columns(order=pl.when(pl.int_range(pl.len()) == row).then(pl.lit(order)).otherwise("order"))


def other_than(order):
    return ORDERS[(ORDERS.index(order) + 1) % len(ORDERS)]


def test_a_sound_corpus_has_no_misplaced_barcode():
    found = misplaced(corpus(), SETTINGS)
    assert found.schema == MISPLACED
    assert found.is_empty()


@settings(max_examples=examples(15), deadline=None)
@given(st.integers(0, 35), st.integers(0, 5), st.randoms(use_true_random=False))
def test_a_planted_one_is_found_whatever_the_order_of_the_rows(row, seed, random):
    sound = corpus(seed)
    planted = relabelled(sound, row, other_than(sound["order"][row]))
    found = misplaced(planted, SETTINGS)
    assert found["barcode"].to_list() == [sound["barcode"][row]]
    assert found["neighbours_order"].to_list() == [sound["order"][row]]
    assert found["agreeing"].to_list() == found["neighbours"].to_list() == [5]
    rows = list(range(len(planted)))
    random.shuffle(rows)
    assert misplaced(pl.concat([planted[rows], planted[rows[:7]]]), SETTINGS).equals(found)


def test_the_same_barcode_under_another_order_is_misplaced_there_only():
    sound = corpus()
    twice = pl.concat([sound, sound.head(1).with_columns(order=pl.lit("Hemiptera"))])
    found = misplaced(twice, SETTINGS)
    assert found.select("barcode", "order", "similarity").rows() == [(sound["barcode"][0], "Hemiptera", 1.0)]


def test_fragments_and_unknown_letters_are_laid_over_whole_barcodes():
    sound = corpus()
    barcode = sound["barcode"][0]
    fragment = barcode[150:400] + "N" * 30 + barcode[430:500]
    found = misplaced(pl.concat([sound, pl.DataFrame([[fragment], ["Diptera"], [0]], sound.schema)]), SETTINGS)
    assert found["barcode"].to_list() == [fragment]
    assert found["similarity"].to_list() == [1.0]


def test_the_settings_decide():
    sound = corpus(barcodes=3)
    planted = relabelled(sound, 0, other_than(sound["order"][0]))
    assert misplaced(planted, SETTINGS)["agreeing"].to_list() == [2]
    for name, value in (("neighbour_votes", 3), ("neighbour_similarity", 1.0)):
        assert misplaced(planted, SETTINGS.model_copy(update={name: value})).is_empty()
    # Two of three agree: now the third is the odd one.
    most = relabelled(planted, 1, other_than(sound["order"][0]))
    assert misplaced(most, SETTINGS)["barcode"].to_list() == [sound["barcode"][2]]
    for length in (16, 17, 32):
        assert misplaced(planted, SETTINGS.model_copy(update={"neighbour_kmer": length}))["agreeing"].to_list() == [2]


@given(st.lists(st.tuples(st.one_of(st.none(), st.text("ACGTN", max_size=40)), st.sampled_from([None, "a", "b"]))))
@settings(max_examples=examples(40), deadline=None)
def test_short_missing_and_odd_barcodes_are_passed_over(rows):
    frame = pl.DataFrame(rows, schema={"barcode": pl.String, "order": pl.String}, orient="row")
    assert misplaced(frame, SETTINGS).is_empty()


def test_the_rule_is_declared():
    assert "BARCODE_MISPLACED" in {rule.id for rule in RULES}


def test_real_hits_are_all_but_identical_to_another_order_and_without_bin(shared_data):
    frames = []
    for path in sorted((shared_data / "bold").glob("*.tsv")):
        frame = pl.read_csv(path, separator="\t", quote_char=None, infer_schema=False)
        frame = frame.filter(pl.col("marker_code") == "COI-5P").rename({"nucraw": "nuc"}, strict=False)
        if "nuc_basecount" not in frame.columns:
            frame = frame.with_columns(nuc_basecount=pl.lit(None, pl.String))
        text = pl.col("processid", "nuc", "nuc_basecount", "bin_uri", *vocabulary.RANKS).replace("None", None)
        records = frame.select(pl.lit("sample").alias("batch"), text).lazy()
        checked = check_barcodes(records, SETTINGS)
        frames.append(checked.join(normalise_names(records), on="processid"))
    rows = pl.concat(frames).select("processid", "barcode", "dna_bin", "order")
    found = misplaced(rows, SETTINGS)
    hits = rows.join(found, on=["barcode", "order"])
    assert hits["processid"].n_unique() == 13
    assert hits["dna_bin"].null_count() == hits.height
    assert hits["similarity"].min() > 0.99


@pytest.mark.parametrize("column", ["barcode", "order"])
def test_no_column_no_answer(column):
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        misplaced(corpus().drop(column), SETTINGS)


LETTERS = st.text(alphabet="ACGTNR", max_size=60)


def hashed(word):
    """The hash of a k-mer, base by base."""
    codes = ["ACGT".index(letter) for letter in word]
    first, last = (sum(code << 2 * (15 - at) for at, code in enumerate(part)) for part in (codes[:16], codes[-16:]))
    first, last = (part * int(neighbours._MIX) % 2**32 for part in (first, last))
    return first if len(codes) == 16 else ((first ^ first >> 15) + last) % 2**32


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(LETTERS, min_size=1, max_size=5), st.sampled_from([16, 17, 24, 31, 32]))
def test_a_sketch_has_the_k_mers_of_a_low_hash(texts, length):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "_KEPT", np.uint32(1 << 31))  # of short texts, one k-mer in two
        kmers, owners, places = neighbours._sketch(pl.Series(texts), length)
    words = [(text[at : at + length], row, at) for row, text in enumerate(texts) for at in range(len(text))]
    known = [(hashed(word), row, at) for word, row, at in words if len(word) == length and set(word) <= set("ACGT")]
    kept = [one for one in known if one[0] * int(neighbours._MIX) % 2**32 < 1 << 31]
    assert list(zip(kmers.tolist(), owners.tolist(), places.tolist(), strict=True)) == kept


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.text(alphabet="ACGTN", min_size=1, max_size=200), min_size=2, max_size=4), st.integers(-150, 150))
def test_similarity_counts_equal_bases_of_moved_texts(texts, shift):
    count, longest = len(texts), max(map(len, texts))
    shift = shift % longest if shift >= 0 else -(-shift % longest)
    a, b = np.repeat(np.arange(count), count), np.tile(np.arange(count), count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "_OVERLAP", 1)
        found = neighbours._similarity(pl.Series(texts), pl.Series(a), pl.Series(b), pl.Series(np.full(len(a), shift)))
    for one, other, share in zip(a, b, found, strict=True):
        columns = range(max(0, -shift), min(len(texts[one]), len(texts[other]) - shift))
        pairs = [(texts[one][at], texts[other][at + shift]) for at in columns]
        pairs = [pair for pair in pairs if "N" not in pair]
        expected = sum(left == right for left, right in pairs) / len(pairs) if pairs else np.nan
        assert np.array_equal(share, expected, equal_nan=True)
