import pytest
from hypothesis import given
from hypothesis import strategies as st
from taxonomy_corpus import MIDGE, labels, specimens

from bioscan_etl.errors import SettingsError
from bioscan_etl.settings import TaxonomySettings
from bioscan_etl.taxonomy.curate import curate
from bioscan_etl.taxonomy.invariants import check, outcome
from bioscan_etl.taxonomy.overrides import LEFT_OUT, OVERRIDES, read_overrides

HEADER = "processid,rank,name,field,value,reason,curator,date\n"
TAIL = "wing venation,E. Stur,2025-01-31"


CORPUS = specimens(
    [
        {"labels": MIDGE, "barcode": "ACGT", "processid": "A-1"},
        {"labels": MIDGE, "barcode": "ACGT", "processid": "A-2"},
        {"labels": (*MIDGE[:4], None, "Tanytarsus", None), "processid": "A-3"},
    ]
)


@pytest.fixture
def corpus():
    return CORPUS


def written(tmp_path, *lines):
    path = tmp_path / "overrides.csv"
    path.write_text(HEADER + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def curated(tmp_path, corpus, *lines):
    overrides = read_overrides(written(tmp_path, *lines), corpus)
    assert overrides.left_out.is_empty()
    result = curate(corpus, TaxonomySettings(), overrides.lines)
    assert check(result.frame, result.changes, corpus) == []
    assert not result.breaking_override
    return result


def left_out(overrides):
    return overrides.left_out.rows()


def test_a_specimen_is_overridden(tmp_path, corpus):
    result = curated(tmp_path, corpus, f"A-3,,,species,Tanytarsus bus,{TAIL}")
    assert labels(result.frame)[2][6] == "Tanytarsus bus"
    assert result.frame["inferred_species"].to_list() == [False, False, False]
    change = result.changes.filter(rule="CURATOR_OVERRIDE").row(0, named=True)
    assert change["evidence"] == "line 2: wing venation (E. Stur, 2025-01-31)"
    assert result.report["overrides"]["lines"] == result.report["overrides"]["labels"] == 1
    assert "CURATOR_OVERRIDE" in result.frame["flags"][2].to_list()


def test_a_name_is_overridden_for_all_its_records_and_a_filler_replaced(tmp_path, corpus):
    result = curated(
        tmp_path,
        corpus,
        f",species,Chironomus plumosus,species,Chironomus tentans,{TAIL}",
        f",genus,Tanytarsus,subfamily,Chironominae,{TAIL}",
    )
    assert [row[6] for row in labels(result.frame)] == ["Chironomus tentans", "Chironomus tentans", None]
    assert labels(result.frame)[2][4] == "Chironominae"


def test_a_specimen_wins_over_a_name_and_the_deeper_rank_over_the_higher(tmp_path, corpus):
    result = curated(
        tmp_path,
        corpus,
        f",family,Chironomidae,species,,{TAIL}",
        f",genus,Chironomus,species,Chironomus tentans,{TAIL}",
        f"A-3,,,species,Tanytarsus bus,{TAIL}",
    )
    assert [row[6] for row in labels(result.frame)] == ["Chironomus tentans", "Chironomus tentans", "Tanytarsus bus"]
    assert result.report["overrides"]["without_effect"] == [2]


def test_an_empty_value_clears_the_label(tmp_path, corpus):
    result = curated(tmp_path, corpus, f",species,Chironomus plumosus,species,,{TAIL}")
    assert result.frame["taxon"].to_list() == ["Chironomus", "Chironomus", "Tanytarsus"]


@pytest.mark.parametrize(
    ("line", "rule", "samples"),
    [
        (f"A-1,,,species,Chironomus tentans,{TAIL}", "INVARIANT_BARCODE_LABELS", ("A-1", "A-2")),
        (f"A-3,,,family,,{TAIL}", "INVARIANT_LINEAGE", ("A-3",)),
        (f"A-3,,,order,Hymenoptera,{TAIL}", "INVARIANT_LINEAGE", ("A-1",)),
    ],
)
def test_an_override_that_breaks_the_labels_fails_an_invariant_and_is_named(tmp_path, corpus, line, rule, samples):
    overrides = read_overrides(written(tmp_path, f"A-3,,,species,Tanytarsus bus,{TAIL}", line), corpus)
    assert overrides.left_out.is_empty()
    result = curate(corpus, TaxonomySettings(), overrides.lines)
    findings = outcome(check(result.frame, result.changes, corpus), result.breaking_override)
    (failed,) = [finding for finding in findings if not finding.passed]
    assert (failed.check, failed.count, failed.blocking) == (rule, 1, True)
    assert failed.samples[: len(samples)] == samples
    assert "see line 3 of the curators' overrides" in failed.detail


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (f"A-9,,,species,x,{TAIL}", "there is no accepted specimen A-9: the ID is unknown, or a gate holds it"),
        (f"A-1,,,country,x,{TAIL}", "unknown field 'country'"),
        (f",tribe,Tanytarsini,genus,x,{TAIL}", "unknown rank 'tribe'"),
        (f",genus,Nowhere,genus,x,{TAIL}", "no record carries the genus 'Nowhere'"),
        (f"A-1,genus,Chironomus,genus,x,{TAIL}", "give processid, or rank and name, not both"),
        (f",genus,,genus,x,{TAIL}", "give processid, or rank and name"),
        ("A-1,,,species,x,,E. Stur,2025-01-31", "reason is missing"),
        ("A-1,,,species,x,because,E. Stur,31.1.2025", "date '31.1.2025' is not YYYY-MM-DD"),
        ("A-1,,,species,x", "5 fields instead of 8"),
        (f"A-1,,,species,x,{TAIL},more", "9 fields instead of 8"),
        (f"A-3,,,species,Tanytarsus cus,{TAIL}", "contradicts line 2, which sets it to 'Tanytarsus bus' and applies"),
        (f"A-3,,,species,,{TAIL}", "contradicts line 2, which sets it to 'Tanytarsus bus' and applies"),
        ("A-3,,,species,Tanytarsus bus,again,E. Stur,2025-02-01", "repeats line 2, which sets the same label"),
        ('A-1,,,"species', "cannot be read as CSV"),
        ('A-1,,,species,"x"y,because,E. Stur,2025-01-31', "cannot be read as CSV"),
        ('A-1,,,species,x,"because,E. Stur,2025-01-31', "cannot be read as CSV"),
        (f"A-1,,,species,{'x' * 200_000},{TAIL}", "cannot be read as CSV (field larger than field limit"),
    ],
)
def test_a_damaged_line_is_left_out_and_the_others_apply(tmp_path, corpus, line, problem):
    before, after = f"A-3,,,species,Tanytarsus bus,{TAIL}", f"A-2,,,species,Chironomus tentans,{TAIL}"
    overrides = read_overrides(written(tmp_path, before, line, after), corpus)
    assert overrides.lines.schema == OVERRIDES
    assert overrides.lines.select("line", "processid").rows() == [(2, "A-3"), (4, "A-2")]
    assert overrides.left_out.schema == LEFT_OUT
    ((number, text, sentence),) = left_out(overrides)
    assert (number, text) == (3, line)
    assert problem in sentence


def test_the_first_of_several_lines_for_one_label_applies_and_a_damaged_one_is_none_of_them(tmp_path, corpus):
    overrides = read_overrides(
        written(
            tmp_path,
            "A-3,,,species,Tanytarsus aus,,E. Stur,2025-01-31",
            f"A-3,,,species,Tanytarsus bus,{TAIL}",
            f"A-3,,,species,,{TAIL}",
            f"A-3,,,species,Tanytarsus bus,{TAIL}",
            f"A-3,,,genus,Tanytarsus,{TAIL}",
        ),
        corpus,
    )
    assert overrides.lines["line"].to_list() == [3, 6]
    assert [(line, problem.split(",")[0]) for line, _, problem in left_out(overrides)] == [
        (2, "reason is missing"),
        (4, "contradicts line 3"),
        (5, "repeats line 3"),
    ]


def test_a_line_of_a_quarantined_specimen_applies_once_it_is_accepted(tmp_path, corpus):
    path = written(tmp_path, f"A-3,,,species,Tanytarsus bus,{TAIL}", f"A-1,,,species,,{TAIL}")
    held = read_overrides(path, corpus.filter(corpus["processid"] != "A-3"))
    assert (held.lines["processid"].to_list(), held.left_out["line"].to_list()) == (["A-1"], [2])
    assert read_overrides(path, corpus).lines["processid"].to_list() == ["A-3", "A-1"]


def test_a_quoted_cell_may_hold_line_breaks_and_quotes(tmp_path, corpus):
    path = written(
        tmp_path,
        'A-3,,,species,Tanytarsus bus,"wing venation,',
        "",
        'and ""genitalia""",E. Stur,2025-01-31',
        f"A-2,,,species,,{TAIL}",
    )
    overrides = read_overrides(path, corpus)
    assert overrides.left_out.is_empty()
    assert overrides.lines["line"].to_list() == [2, 5]
    assert overrides.lines["reason"][0] == 'wing venation,\n\nand "genitalia"'


def test_a_quote_left_open_does_not_swallow_the_lines_up_to_the_next_one(tmp_path, corpus):
    path = written(
        tmp_path,
        'A-3,,,genus,x,"because,E. Stur,2025-01-31',
        f"A-2,,,species,,{TAIL}",
        'A-3,,,family,x,because",E. Stur,2025-01-31',
        '"A-1",,,species,,because,E. Stur,2025-01-31',
    )
    overrides = read_overrides(path, corpus)
    # The third is CSV: a quote within a cell that does not begin with one is a letter.
    assert overrides.lines["line"].to_list() == [3, 4, 5]
    assert overrides.left_out["line"].to_list() == [2]


def test_a_damaged_record_of_several_lines_is_left_out_whole(tmp_path, corpus):
    path = written(tmp_path, 'A-1,,,species,"x', 'y",too few', f"A-2,,,species,,{TAIL}")
    overrides = read_overrides(path, corpus)
    assert left_out(overrides) == [(2, 'A-1,,,species,"x\ny",too few', "6 fields instead of 8")]
    assert overrides.lines["line"].to_list() == [4]


GOOD = (
    f"A-1,,,species,Chironomus tentans,{TAIL}",
    f"A-3,,,species,Tanytarsus bus,{TAIL}",
    '"A-2",,,species,"Chironomus, tentans","wing ""venation""",E. Stur,2025-01-31',
    f",genus,Tanytarsus,subfamily,Chironominae,{TAIL}",
)
PIECES = st.sampled_from(['"', '""', '",', ',"', ",", "A-1", "A-9", "species", "genus", "x", " ", "2025-01-31", TAIL])
DAMAGED = st.one_of(st.lists(PIECES, max_size=12).map("".join), st.text()).map(
    lambda text: text.replace("\r", " ").replace("\n", " ")
)


@given(st.lists(DAMAGED, max_size=12), st.permutations(GOOD), st.randoms(use_true_random=False))
def test_no_line_hides_a_good_one(tmp_path_factory, damaged, good, random):
    lines = [*damaged, *good]
    random.shuffle(lines)
    overrides = read_overrides(written(tmp_path_factory.getbasetemp(), *lines), CORPUS)
    expected = {number: line for number, line in enumerate(lines, start=2) if line in GOOD}
    accepted = overrides.lines["line"].to_list()
    # A damaged line may by chance set the same label before a good one does, which then repeats or contradicts it.
    later = {line for line, _, problem in left_out(overrides) if problem.startswith(("repeats", "contradicts"))}
    assert set(expected) <= {*accepted, *later}
    assert len(accepted) >= len(GOOD)
    if set(accepted) == set(expected):
        reported = {line + more for line, text, _ in left_out(overrides) for more in range(text.count("\n") + 1)}
        written_on = {number for number, line in enumerate(lines, start=2) if any(map(str.isalnum, line))}
        assert written_on <= {*accepted, *reported}


def test_a_wrong_header_or_file_is_an_error(tmp_path, corpus):
    path = tmp_path / "overrides.csv"
    with pytest.raises(SettingsError, match="does not exist"):
        read_overrides(path, corpus)
    path.write_text("processid,label\n")
    with pytest.raises(SettingsError, match="line 1: the columns must be"):
        read_overrides(path, corpus)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="UTF-8"):
        read_overrides(path, corpus)


def test_columns_may_stand_in_any_order_and_a_spreadsheet_mark_is_passed_over(tmp_path, corpus):
    path = tmp_path / "overrides.csv"
    path.write_text(
        "\ufefffield,value,processid,rank,name,curator,date,reason\n"
        "species,Tanytarsus bus,A-3,,,E. Stur,2025-01-31,why\n\n",
        encoding="utf-8",
    )
    lines = read_overrides(path, corpus).lines
    assert lines.select("line", "processid", "rank", "value").rows() == [(2, "A-3", None, "Tanytarsus bus")]
