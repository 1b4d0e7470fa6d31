"""Barcode checks: letters, gaps, strands and BINs, and the results on real files."""

import random
import re
from functools import reduce
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl import schema
from bioscan_etl.barcodes.check import barcode_changes, check_barcodes, may_have_changed
from bioscan_etl.barcodes.rules import RULES
from bioscan_etl.settings import BarcodeSettings, Settings

SETTINGS = BarcodeSettings()
COMPLEMENT = str.maketrans("ACGTRYSWKMBDHVN", "TGCAYRSWMKVHDBN")


def reverse_complement(sequence: str) -> str:
    return sequence[::-1].translate(COMPLEMENT)


def open_sequence(codons: int, seed: int = 0) -> str:
    """A sequence that code 5 reads in frame 0 only, and that no frame of the other strand reads."""
    chooser = random.Random(seed)
    start = "CTAACTATTAACGTTACCGGTTAC"  # TAA in the frames 1 and 2, and backwards in all three
    codons_ = ("GCA", "TTA", "CTA", "TTT", "GGA", "AAC", "TCA", "ACT")
    return start + "".join(chooser.choice(codons_) for _ in range(codons - len(start) // 3))


def records(*rows: dict[str, object]) -> pl.LazyFrame:
    base = {"batch": "b", "phylum": "Arthropoda", "class": "Insecta"}
    full = [{"processid": f"P{number:03d}", **base, **row} for number, row in enumerate(rows)]
    columns = ("batch", "processid", "nuc", "nuc_basecount", "bin_uri", "phylum", "class")
    return pl.LazyFrame(full, schema=dict.fromkeys(columns, pl.String))


def check(*rows: dict[str, object], settings: BarcodeSettings = SETTINGS) -> pl.DataFrame:
    return check_barcodes(records(*rows), settings)


def flags(row: dict[str, object], settings: BarcodeSettings = SETTINGS) -> list[str]:
    return check(row, settings=settings)["flags"][0].to_list()


GOOD = open_sequence(200)


def test_a_sound_barcode_has_no_flag_and_keeps_its_letters():
    row = check({"nuc": GOOD, "bin_uri": "BOLD:AAA1234", "nuc_basecount": "600"}).row(0, named=True)
    assert row["flags"] == []
    assert row["dna_barcode"] == row["barcode"] == GOOD
    assert (row["barcode_length"], row["unambiguous_run"], row["internal_gaps"]) == (600, 600, 0)
    assert (row["dna_bin"], row["genetic_code"], row["frame"], row["ambiguous_share"]) == ("BOLD:AAA1234", 5, 0, 0.0)


def test_gaps_are_removed_and_n_stays():
    row = check({"nuc": f"--NN{GOOD[:6].lower()}---{GOOD[6:300]}NNN{GOOD[303:]}N-"}).row(0, named=True)
    assert row["dna_barcode"] == f"NN{GOOD[:300]}NNN{GOOD[303:]}N"
    assert row["barcode"] == f"{GOOD[:300]}NNN{GOOD[303:]}"
    assert row["internal_gaps"] == 3
    assert row["barcode_length"] == 600
    assert row["unambiguous_run"] == 300
    assert row["frame"] == 2, "the offset counts from the first letter of dna_barcode"
    assert row["flags"] == ["GAP_REMOVED"]


def test_an_aligned_barcode_is_that_without_gaps():
    """The same animal's barcode, delivered with and without BOLD's alignment."""
    rows = check({"nuc": GOOD}, {"nuc": f"{GOOD[:90]}---{GOOD[90:240]}------{GOOD[240:]}"})
    assert rows["barcode"].n_unique() == 1
    assert rows["internal_gaps"].to_list() == [0, 9]


@pytest.mark.parametrize("gap", ["-", "--", "----"])
def test_a_gap_that_is_no_whole_codon_is_flagged(gap):
    assert flags({"nuc": f"{GOOD[:90]}{gap}{GOOD[90:]}"}) == ["GAP_BREAKS_FRAME", "GAP_REMOVED"]


def test_a_barcode_that_is_open_only_with_its_gaps_is_flagged_and_not_turned_round():
    # Read with its gaps: TAN NNG; without: TAG, a stop codon.
    row = check({"nuc": f"{GOOD[:198]}TA---G{GOOD[201:]}"}).row(0, named=True)
    assert row["dna_barcode"] == f"{GOOD[:198]}TAG{GOOD[201:]}"
    assert row["flags"] == ["GAP_BREAKS_FRAME", "GAP_REMOVED", "NO_OPEN_READING_FRAME"]
    pseudogene = f"{GOOD[:90]}---{GOOD[93:200]}{GOOD[201:]}"
    assert flags({"nuc": pseudogene}) == ["GAP_REMOVED", "NO_OPEN_READING_FRAME"], "its gap does not explain it"


def test_gaps_of_the_other_strand_do_not_keep_a_barcode_from_being_turned_round():
    backwards = reverse_complement(GOOD)
    source = records({"nuc": f"{backwards[:90]}---{backwards[90:]}"})
    checked = check_barcodes(source, SETTINGS)
    assert checked["flags"].to_list() == [["GAP_REMOVED", "REVERSE_COMPLEMENT"]]
    assert checked["dna_barcode"].to_list() == [GOOD]
    changes = barcode_changes(source, checked)
    assert changes["rule"].to_list() == ["GAP_REMOVED", "REVERSE_COMPLEMENT"]
    assert changes["evidence"][0] == "columns without a base: 3, in runs: 1"
    assert changes["after"][0] == changes["before"][1] == backwards


def test_changes_are_of_rows_that_may_have_changed():
    backwards = reverse_complement(GOOD)
    gapped = f"{GOOD[:90]}---{GOOD[90:]}"
    source = records({"nuc": GOOD}, {"nuc": gapped}, {"nuc": backwards}, {"nuc": f"{GOOD}!"}, {"bin_uri": "none"}, {})
    checked = check_barcodes(source, SETTINGS)
    changes = barcode_changes(source, checked)
    assert changes["rule"].n_unique() == 4
    some = checked.filter(may_have_changed())
    assert barcode_changes(source, some).equals(changes)
    assert set(some["processid"]) == set(changes["processid"])


@pytest.mark.parametrize("nuc", [None, "----", "-"])
def test_no_letters_are_no_barcode(nuc):
    row = check({"nuc": nuc}).row(0, named=True)
    assert row["dna_barcode"] is None
    assert row["barcode"] is None
    assert row["barcode_length"] is None
    assert row["flags"] == []


def test_only_n_is_a_sequence_without_identity():
    row = check({"nuc": "NNNN"}).row(0, named=True)
    assert (row["dna_barcode"], row["barcode"], row["frame"], row["flags"]) == ("NNNN", None, None, [])


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"nuc": open_sequence(166)}, "BARCODE_SHORT"),
        ({"nuc": open_sequence(221)}, "BARCODE_LONG"),
        ({"nuc": GOOD[:300] + "N" * 7 + GOOD[307:]}, "BARCODE_AMBIGUOUS"),
        ({"nuc": GOOD, "nuc_basecount": "658"}, "BASECOUNT_MISMATCH"),
        ({"nuc": None, "nuc_basecount": "658"}, "BASECOUNT_MISMATCH"),
        ({"nuc": GOOD[:300] + "G" * 21 + GOOD[321:]}, "HOMOPOLYMER"),
        ({"nuc": "GCT" * 170 + GOOD[510:]}, "LOW_COMPLEXITY"),
        ({"nuc": GOOD[:300] + "7" + GOOD[301:]}, "INVALID_LETTERS"),
        ({"nuc": GOOD, "bin_uri": "BOLD:AA1234"}, "BIN_INVALID"),
        ({"nuc": None, "bin_uri": "BOLD:AAA1234"}, "BIN_WITHOUT_BARCODE"),
    ],
)
def test_each_defect_has_its_flag_and_no_other(row, expected):
    assert flags(row) == [expected]


@pytest.mark.parametrize(
    "row",
    [
        {"nuc": open_sequence(167)},
        {"nuc": open_sequence(220)},
        {"nuc": GOOD[:300] + "NNNNNN" + GOOD[306:]},
        {"nuc": GOOD, "nuc_basecount": "600.0"},
        {"nuc": GOOD, "nuc_basecount": "unknown"},
        {"nuc": GOOD, "bin_uri": "BOLD:AAAAA1234"},
        {"nuc": f" {GOOD}\t"},
    ],
)
def test_the_thresholds_themselves_pass(row):
    assert flags(row) == []


def test_thresholds_are_settings():
    row = {"nuc": GOOD[:300] + "N" + GOOD[301:]}
    found = flags(row, BarcodeSettings(min_length=601, max_ambiguous_share=0.0, min_homopolymer=2))
    assert found == ["BARCODE_AMBIGUOUS", "BARCODE_SHORT", "HOMOPOLYMER"]
    assert flags(row, BarcodeSettings(max_length=599)) == ["BARCODE_LONG"]


def test_a_barcode_of_the_other_strand_is_turned_round_and_logged():
    source = records({"nuc": reverse_complement(GOOD)})
    checked = check_barcodes(source, SETTINGS)
    row = checked.row(0, named=True)
    assert row["flags"] == ["REVERSE_COMPLEMENT"]
    assert row["dna_barcode"] == row["barcode"] == GOOD
    assert row["nuc"] == reverse_complement(GOOD)
    assert row["frame"] == 0
    change = barcode_changes(source, checked).row(0, named=True)
    assert (change["field"], change["rule"]) == ("dna_barcode", "REVERSE_COMPLEMENT")
    assert (change["before"], change["after"]) == (reverse_complement(GOOD), GOOD)


def test_a_barcode_that_shows_the_coi_motif_forwards_is_never_turned_round():
    closed = reverse_complement(GOOD)
    with_motif = closed[:300] + "TGAACAGTTTATCCTCCT" + closed[318:]
    row = check({"nuc": with_motif}).row(0, named=True)
    assert row["dna_barcode"] == with_motif
    assert row["flags"] == ["NO_OPEN_READING_FRAME"]


def test_closed_on_both_strands_is_flagged():
    stops = "TAACTAACTAACTTAGTTAGTTAG"
    row = check({"nuc": GOOD[:300] + stops + GOOD[324:]}).row(0, named=True)
    assert row["flags"] == ["NO_OPEN_READING_FRAME"]
    assert row["frame"] is None


def test_changes_undo_to_what_was_delivered():
    invalid = reverse_complement(GOOD)[:5] + "7" + reverse_complement(GOOD)[6:]
    source = records({"nuc": invalid, "bin_uri": "bold-1"}, {"nuc": GOOD, "bin_uri": "BOLD:AAA1234"})
    checked = check_barcodes(source, SETTINGS)
    changes = barcode_changes(source, checked)
    assert changes.columns == [name for name in schema.CHANGES.names() if name not in {"step", "ruleset"}]
    assert changes.select("processid", "field", "rule").rows() == [
        ("P000", "dna_barcode", "INVALID_LETTERS"),
        ("P000", "dna_barcode", "REVERSE_COMPLEMENT"),
        ("P000", "dna_bin", "BIN_INVALID"),
    ]
    assert changes["before"].to_list() == [invalid, invalid.replace("7", "N"), "bold-1"]
    assert changes["after"].to_list() == [invalid.replace("7", "N"), checked["dna_barcode"][0], None]


def test_rules_are_unique_and_name_existing_settings():
    assert len({rule.id for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.setting is None or reduce(getattr, rule.setting.split("."), Settings()) is not None


@given(
    st.lists(st.one_of(st.none(), st.text(max_size=40), st.text("ACGTNRYacgt-7 ", max_size=60)), min_size=1, max_size=8)
)
def test_any_text_becomes_a_row_without_an_error(nucs):
    checked = check(*({"nuc": nuc, "bin_uri": nuc, "nuc_basecount": nuc} for nuc in nucs))
    schema.CHECKED_BARCODES.check(checked)
    ids = {rule.id for rule in RULES}
    for nuc, row in zip(nucs, checked.iter_rows(named=True), strict=True):
        assert row["nuc"] == nuc
        assert set(row["flags"]) <= ids
        assert row["flags"] == sorted(row["flags"])
        if row["dna_barcode"] is not None:
            assert set(row["dna_barcode"]) <= set("ACGTRYSWKMBDHVN")
            # polars keeps the four separators U+001C to U+001F, which Python's strip() takes for blanks.
            letters = pl.select(pl.lit(nuc).str.strip_chars()).item().strip("-")
            assert len(row["dna_barcode"]) == len(letters.replace("-", "")) == len(letters) - row["internal_gaps"]
            assert re.sub("[^ACGTN]", "N", row["dna_barcode"]).strip("N") == (row["barcode"] or "")


@given(st.permutations(range(6)))
def test_the_order_of_the_records_does_not_matter(order):
    rows = [
        {"nuc": GOOD},
        {"nuc": reverse_complement(GOOD)},
        {"nuc": None},
        {"nuc": "ACGT"},
        {"nuc": GOOD},
        {"nuc": "N"},
    ]
    rows = [{"processid": f"Q{number}", **row} for number, row in enumerate(rows)]
    assert check(*(rows[number] for number in order)).equals(check(*rows))


def read_sample(folder: Path, name: str) -> pl.LazyFrame:
    frame = pl.read_csv(folder / "bold" / name, separator="\t", quote_char=None, infer_schema=False)
    frame = frame.filter(pl.col("marker_code") == "COI-5P").rename({"nucraw": "nuc"}, strict=False)
    if "nuc_basecount" not in frame.columns:
        frame = frame.with_columns(nuc_basecount=pl.lit(None, pl.String))
    text = pl.col("processid", "nuc", "nuc_basecount", "bin_uri", "phylum", "class")
    return frame.select(pl.lit("sample").alias("batch"), text.replace("None", None)).lazy()


def real_barcodes(folder: Path) -> pl.Series:
    """The distinct barcodes of all records files of a folder, in lexical order."""
    names = sorted(path.name for path in folder.joinpath("bold").glob("*.tsv"))
    checked = pl.concat(check_barcodes(read_sample(folder, name), SETTINGS) for name in names)
    return checked["barcode"].drop_nulls().unique().sort()


@pytest.mark.parametrize(
    ("name", "records_", "closed"),
    [
        ("BOLD_Public.18-Dec-2023.head.tsv", 999, 58),
        ("BOLD_Public.21-Jun-2024.NL.tsv", 515, 0),
        ("chironominae_norway_2025.tsv", 1648, 0),
    ],
)
def test_reading_frames_of_real_records(shared_data, name, records_, closed):
    checked = check_barcodes(read_sample(shared_data, name), SETTINGS)
    hit = checked.filter(pl.col("flags").list.contains("NO_OPEN_READING_FRAME"))
    assert checked.height == records_
    assert hit.height == closed
    assert hit["dna_bin"].null_count() == closed, "no record without an open frame has a BIN"
    others = {
        "REVERSE_COMPLEMENT",
        "GAP_BREAKS_FRAME",
        "BASECOUNT_MISMATCH",
        "INVALID_LETTERS",
        "BIN_INVALID",
        "BIN_WITHOUT_BARCODE",
    }
    assert not others & set(checked["flags"].explode().drop_nulls())


def test_gaps_removed_from_real_barcodes_make_them_those_of_their_relatives(shared_data):
    """The measured numbers of the specification; with gaps as N, both are 0."""
    checked = check_barcodes(read_sample(shared_data, "chironominae_norway_2025.tsv"), SETTINGS)
    gapped = checked.filter(pl.col("internal_gaps") > 0)
    plain = checked.filter(pl.col("internal_gaps") == 0)["barcode"].drop_nulls().unique().to_list()
    assert (gapped.height, gapped["internal_gaps"].sum()) == (105, 3 * 506)
    assert not gapped["flags"].list.contains("GAP_BREAKS_FRAME").any()
    assert gapped["barcode"].is_in(plain).sum() == 43
    assert sum(any(one in other or other in one for other in plain) for one in gapped["barcode"]) == 84


def test_with_the_standard_code_every_norwegian_record_would_fail(shared_data):
    norway = read_sample(shared_data, "chironominae_norway_2025.tsv")
    checked = check_barcodes(norway, BarcodeSettings(genetic_code=1))
    assert checked["flags"].list.contains("NO_OPEN_READING_FRAME").sum() == 1648


def test_chordates_among_real_records_are_read_with_code_2(shared_data):
    checked = check_barcodes(read_sample(shared_data, "BOLD_Public.21-Jun-2024.NL.tsv"), SETTINGS)
    assert sorted(checked["genetic_code"].value_counts().rows()) == [(2, 128), (5, 387)]
