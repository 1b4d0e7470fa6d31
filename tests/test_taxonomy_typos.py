import polars as pl
from taxonomy_corpus import MIDGE, labels

from bioscan_etl.settings import TaxonomySettings
from bioscan_etl.taxonomy.typos import correct_typos
from bioscan_etl.vocabulary import RANKS

TYPO = (*MIDGE[:6], "Chironomus plumossus")
BIN, OTHER_BIN = "BOLD:AAA0001", "BOLD:AAA0002"


def corrected(rows, bins, groups=None, **choices):
    frame = pl.DataFrame(rows, schema=dict.fromkeys(RANKS, pl.String), orient="row").with_row_index("row")
    frame = frame.with_columns(
        pl.col("row").cast(pl.UInt32), group=pl.Series(groups or [None] * len(rows), dtype=pl.UInt32)
    ).select("row", *RANKS, "group")
    return correct_typos(frame, pl.Series(bins, dtype=pl.String), TaxonomySettings(**choices))


def test_a_rare_spelling_in_the_same_bin_is_mended():
    result = corrected([MIDGE] * 10 + [TYPO], [BIN] * 11)
    assert labels(result.labels) == [MIDGE] * 11
    assert result.log.select("row", "field", "before", "after", "rule").rows() == [
        (10, "species", TYPO[6], MIDGE[6], "NAME_TYPO_FIXED")
    ]
    assert result.typos.select("from", "to", "count", "count_to", "supported", "fixed").rows() == [
        (TYPO[6], MIDGE[6], 1, 10, 1, True)
    ]


def test_a_shared_barcode_is_proof_too():
    result = corrected([MIDGE] * 10 + [TYPO], [None] * 11, groups=[5] * 11)
    assert labels(result.labels) == [MIDGE] * 11


def test_without_proof_it_is_a_candidate_only():
    result = corrected([MIDGE] * 10 + [TYPO], [BIN] * 10 + [OTHER_BIN])
    assert labels(result.labels)[10] == TYPO
    assert result.typos["fixed"].to_list() == [False]


def test_a_curator_may_turn_mending_off():
    result = corrected([MIDGE] * 10 + [TYPO], [BIN] * 11, typo_fix=False)
    assert labels(result.labels)[10] == TYPO
    assert result.typos["fixed"].to_list() == [False]


def test_two_common_names_are_a_pair_of_species():
    result = corrected([MIDGE] * 10 + [TYPO] * 5, [BIN] * 15)
    assert result.log.height == result.typos.height == 0


def test_codes_of_placeholders_are_never_compared():
    first, second = (*MIDGE[:6], "Chironomus sp. 11TE"), (*MIDGE[:6], "Chironomus sp. 12TE")
    result = corrected([first] * 10 + [second], [BIN] * 11)
    assert result.log.height == result.typos.height == 0


def test_names_under_other_parents_are_never_compared():
    other = (*MIDGE[:5], "Tanytarsus", "Chironomus plumossus")
    assert corrected([MIDGE] * 10 + [other], [BIN] * 11).log.height == 0


def test_capitals_alone_need_no_proof():
    shouted = (*MIDGE[:6], "Chironomus Plumosus")
    assert labels(corrected([MIDGE] * 10 + [shouted], [None] * 11).labels) == [MIDGE] * 11


def test_a_genus_is_mended_with_its_species():
    wrong = (*MIDGE[:5], "Chironomous", "Chironomous plumosus")
    result = corrected([MIDGE] * 10 + [wrong], [BIN] * 11)
    assert labels(result.labels) == [MIDGE] * 11
    assert sorted(result.log["field"]) == ["genus", "species"]


def test_a_genus_is_not_mended_where_that_would_make_a_new_species():
    wrong = (*MIDGE[:5], "Chironomous", "Chironomous tentans")
    result = corrected([MIDGE] * 10 + [wrong], [BIN] * 11)
    assert labels(result.labels)[10] == wrong
    assert result.typos["fixed"].to_list() == [False]
