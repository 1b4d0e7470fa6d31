import pytest
from taxonomy_corpus import MIDGE, labels, specimens

from bioscan_etl.errors import InvariantError, SettingsError
from bioscan_etl.settings import TaxonomySettings
from bioscan_etl.taxonomy.curate import curate
from bioscan_etl.taxonomy.invariants import require
from bioscan_etl.taxonomy.overrides import read_overrides

HEADER = "processid,rank,name,field,value,reason,curator,date\n"
TAIL = "wing venation,E. Stur,2025-01-31"


@pytest.fixture
def corpus():
    return specimens(
        [
            {"labels": MIDGE, "barcode": "ACGT", "processid": "A-1"},
            {"labels": MIDGE, "barcode": "ACGT", "processid": "A-2"},
            {"labels": (*MIDGE[:4], None, "Tanytarsus", None), "processid": "A-3"},
        ]
    )


def written(tmp_path, *lines):
    path = tmp_path / "overrides.csv"
    path.write_text(HEADER + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def curated(tmp_path, corpus, *lines):
    result = curate(corpus, TaxonomySettings(), read_overrides(written(tmp_path, *lines), corpus))
    require(result.frame, result.changes, corpus)
    return result


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
    ("line", "message"),
    [
        (f"A-1,,,species,Chironomus tentans,{TAIL}", "INVARIANT_BARCODE_LABELS"),
        (f"A-3,,,family,,{TAIL}", "INVARIANT_LINEAGE"),
        (f"A-3,,,order,Hymenoptera,{TAIL}", "INVARIANT_LINEAGE"),
    ],
)
def test_an_override_that_breaks_the_labels_stops_the_run_and_is_named(tmp_path, corpus, line, message):
    overrides = read_overrides(written(tmp_path, f"A-3,,,species,Tanytarsus bus,{TAIL}", line), corpus)
    with pytest.raises(InvariantError, match=rf"line 3: .*{message}"):
        curate(corpus, TaxonomySettings(), overrides)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"A-9,,,species,x,{TAIL}", "line 3: there is no accepted specimen A-9"),
        (f"A-1,,,country,x,{TAIL}", "line 3: unknown field 'country'"),
        (f",tribe,Tanytarsini,genus,x,{TAIL}", "line 3: unknown rank 'tribe'"),
        (f",genus,Nowhere,genus,x,{TAIL}", "line 3: no record carries the genus 'Nowhere'"),
        (f"A-1,genus,Chironomus,genus,x,{TAIL}", "line 3: give processid, or rank and name, not both"),
        (f",genus,,genus,x,{TAIL}", "line 3: give processid, or rank and name"),
        ("A-1,,,species,x,,E. Stur,2025-01-31", "line 3: reason is missing"),
        ("A-1,,,species,x,because,E. Stur,31.1.2025", "line 3: date '31.1.2025' is not YYYY-MM-DD"),
        ("A-1,,,species,x", "line 3: 5 fields instead of 8"),
        (f"A-3,,,species,Tanytarsus cus,{TAIL}", "line 3: sets the same label as line 2"),
        ('A-1,,,"species', "line 3"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, corpus, line, message):
    path = written(tmp_path, f"A-3,,,species,Tanytarsus bus,{TAIL}", line)
    with pytest.raises(SettingsError, match=message):
        read_overrides(path, corpus)


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
    overrides = read_overrides(path, corpus)
    assert overrides.select("line", "processid", "rank", "value").rows() == [(2, "A-3", None, "Tanytarsus bus")]
