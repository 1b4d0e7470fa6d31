import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from bioscan_etl.changes import number_changes
from bioscan_etl.errors import InvariantError
from bioscan_etl.taxonomy.changes import change_log, name_changes, overlaid, undo
from bioscan_etl.vocabulary import RANKS


def changes(*rows):
    columns = ("processid", "field", "before", "after")
    frame = pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")
    stages = [frame.filter(pl.int_range(pl.len()) == row) for row in range(frame.height)]
    return number_changes([stage.with_columns(rule=pl.lit("R"), evidence=pl.lit(None, pl.String)) for stage in stages])


FRAME = pl.DataFrame({"processid": ["B-1", "A-1"], **{rank: [None, "x"] for rank in RANKS}}).cast(pl.String)


def test_steps_are_undone_from_the_last_to_the_first():
    log = changes(("A-1", "genus", "a", None), ("A-1", "genus", None, "x"), ("B-1", "species", "y", None))
    before = undo(FRAME, log)
    assert before["genus"].to_list() == [None, "a"]
    assert before["species"].to_list() == ["y", "x"]
    assert_frame_equal(before.drop("genus", "species"), FRAME.drop("genus", "species"))


def test_a_change_from_a_missing_value_is_undone():
    assert undo(FRAME, changes(("A-1", "genus", None, "x")))["genus"].to_list() == [None, None]


def test_changes_of_other_fields_are_passed_over():
    assert_frame_equal(undo(FRAME, changes(("A-1", "country", "a", "b"))), FRAME)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("A-1", "genus", "a", "b"), ("A-1", "genus", "c", "x")], "step 1 of genus of A-1 does not start"),
        ([("A-1", "genus", "a", "b")], "does not leave the value of the table, 'x'"),
        ([("C-1", "genus", "a", "b")], "belongs to no specimen"),
    ],
)
def test_a_log_that_does_not_fit_is_an_error(rows, message):
    with pytest.raises(InvariantError, match=message):
        undo(FRAME, changes(*rows))


def test_names_are_logged_step_by_step_and_foreign_values_in_one():
    frame = pl.DataFrame(
        {
            "row": pl.Series([0, 1], dtype=pl.UInt32),
            **{f"{rank}_verbatim": pl.Series([None, None], dtype=pl.String) for rank in RANKS},
            **{rank: pl.Series([None, None], dtype=pl.String) for rank in RANKS},
        }
    ).with_columns(species_verbatim=pl.Series(["aus  bus", "aus  bus"]), species=pl.Series(["Aus bus", "Zus bus"]))
    log = change_log(name_changes(frame), pl.Series(["A-1", "B-1"]))
    assert log.select("processid", "step", "before", "after", "rule").rows() == [
        ("A-1", 0, "aus  bus", "aus bus", "NAME_WHITESPACE"),
        ("A-1", 1, "aus bus", "Aus bus", "NAME_CASE"),
        ("B-1", 0, "aus  bus", "Zus bus", "NAME_NORMALISED"),
    ]


@given(st.lists(st.sampled_from([None, 1, 2, 3]), max_size=8), st.sets(st.sampled_from([1, 2, 3])))
def test_labels_are_overlaid_by_key(keys, replaced):
    labels = pl.DataFrame(
        {"group": keys, **{rank: [f"old {at}" for at in range(len(keys))] for rank in RANKS}},
        schema={"group": pl.UInt32, **dict.fromkeys(RANKS, pl.String)},
    )
    given_keys = sorted(replaced, reverse=True)
    new = pl.DataFrame(
        {"group": given_keys, **{rank: [None if key == 1 else f"new {key}" for key in given_keys] for rank in RANKS}},
        schema=labels.schema,
    )
    after = {key: None if key == 1 else f"new {key}" for key in replaced}
    expected = [after.get(key, f"old {at}") for at, key in enumerate(keys)]
    found = overlaid(labels, new, "group")
    assert found["group"].to_list() == keys
    assert all(found[rank].to_list() == expected for rank in RANKS)
