import polars as pl
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from bioscan_etl import schema
from bioscan_etl.taxonomy.changes import name_changes
from bioscan_etl.taxonomy.names import name_table, normalise_names
from bioscan_etl.vocabulary import RANKS

NAMES = st.one_of(st.none(), st.text(max_size=12), st.sampled_from(["Aus bus L.", "AUS", "sp.", "Wood421", "n/a"]))


def records(rows):
    full = [{"batch": "b", "processid": f"A{n}-1", **dict.fromkeys(RANKS), **row} for n, row in enumerate(rows)]
    return pl.DataFrame(full, schema={"batch": pl.String, "processid": pl.String, **dict.fromkeys(RANKS, pl.String)})


def test_labels_flags_and_types_of_records():
    frame = normalise_names(
        records(
            [
                {"processid": "B-2", "order": "DIPTERA", "genus": "Chironomus", "species": "Chironomus  plumosus (L.)"},
                {"processid": "A-1", "genus": "Unknown", "species": "Wood421"},
                {"processid": "C-3", "genus": "Aus", "species": "Bus cus?"},
            ]
        ).lazy()
    )
    schema.NORMALISED_NAMES.check(frame)
    assert frame["processid"].to_list() == ["A-1", "B-2", "C-3"]
    assert frame["species"].to_list() == ["Wood421", "Chironomus plumosus", "Bus cus?"]
    assert frame["species_verbatim"].to_list() == ["Wood421", "Chironomus  plumosus (L.)", "Bus cus?"]
    assert frame["genus_name_type"].to_list() == ["NO_NAME", "SCIENTIFIC", "SCIENTIFIC"]
    assert frame["species_name_type"].to_list() == ["PLACEHOLDER", "SCIENTIFIC", "DOUBTFUL"]
    assert frame["flags"].to_list() == [
        ["NAME_IS_NULL_WORD"],
        ["NAME_AUTHORSHIP_DROPPED", "NAME_CASE", "NAME_WHITESPACE"],
        ["NAME_DOUBTFUL", "SPECIES_GENUS_MISMATCH"],
    ]


def test_no_records_give_no_rows():
    assert normalise_names(records([]).lazy()).height == 0


def test_the_table_of_a_rank_lists_each_name_once_with_its_steps():
    table = name_table(pl.Series(["aus  bus", None, "aus  bus", "Aus bus"], dtype=pl.String), "species")
    assert table.to_dicts() == [
        {"before": "Aus bus", "after": "Aus bus", "type": "SCIENTIFIC", "steps": []},
        {
            "before": "aus  bus",
            "after": "Aus bus",
            "type": "SCIENTIFIC",
            "steps": [{"rule": "NAME_WHITESPACE", "after": "aus bus"}, {"rule": "NAME_CASE", "after": "Aus bus"}],
        },
    ]


@given(st.lists(st.fixed_dictionaries(dict.fromkeys(RANKS, NAMES)), max_size=4))
@settings(max_examples=examples(30), deadline=None)
def test_normalised_labels_stay_when_normalised_again(rows):
    once = normalise_names(records(rows).lazy())
    twice = normalise_names(once.select("batch", "processid", *RANKS).lazy())
    assert_frame_equal(once.select(RANKS), twice.select(RANKS))


def test_the_reference_of_a_record_confirms_an_author_without_evidence():
    rows = [
        {"processid": "A-1", "species": "Aus bus Xyzzius", "species_reference": "(Xyzzius, 2011)"},
        {"processid": "A-2", "species": "Aus bus Xyzzius", "species_reference": None},
        {"processid": "A-3", "species": "Aus bus Norilsk", "species_reference": "Fabricius, 1775"},
        {"processid": "A-4", "species": "Aus bus", "species_reference": "Fabricius, 1775"},
    ]
    schema_of = {"batch": pl.String, "processid": pl.String, **dict.fromkeys([*RANKS, "species_reference"], pl.String)}
    given_records = pl.DataFrame([{"batch": "b", **dict.fromkeys(RANKS), **row} for row in rows], schema=schema_of)
    frame = normalise_names(given_records.lazy())
    assert frame["species"].to_list() == ["Aus bus", "Aus bus Xyzzius", "Aus bus Norilsk", "Aus bus"]
    assert frame["species_name_type"].to_list() == ["SCIENTIFIC", "PLACEHOLDER", "PLACEHOLDER", "SCIENTIFIC"]
    assert frame["flags"].to_list() == [["NAME_AUTHORSHIP_DROPPED"], [], [], []]
    (log,) = (part for part in name_changes(frame.with_row_index("row")) if part.height)
    assert log.select("row", "before", "after", "rule").rows() == [
        (0, "Aus bus Xyzzius", "Aus bus", "NAME_AUTHORSHIP_DROPPED")
    ]
