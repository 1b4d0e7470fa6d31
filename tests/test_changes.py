"""The change log: stages in order, steps numbered per field."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl import schema
from bioscan_etl.changes import number_changes


def change(processid, field, before, after, rule, **more):
    return {
        "processid": processid, "field": field, "before": before, "after": after, "rule": rule, "evidence": "", **more
    }  # fmt: skip


def test_steps_follow_the_stages_and_restart_per_field():
    first = pl.DataFrame([change("B", "genus", "aus", "Aus", "NAME_CASE"), change("A", "genus", "x", "X", "NAME_CASE")])
    second = pl.DataFrame(
        [
            change("B", "genus", "Bus", "Cus", "LATER", step=1),
            change("B", "genus", "Aus", "Bus", "EARLIER", step=0),
            change("B", "family", None, "Fus", "EARLIER", step=0),
        ]
    )
    log = number_changes([first, second])
    assert log.schema == schema.CHANGES.schema()
    assert log.select("processid", "field", "step", "rule").rows() == [
        ("A", "genus", 0, "NAME_CASE"),
        ("B", "family", 0, "EARLIER"),
        ("B", "genus", 0, "NAME_CASE"),
        ("B", "genus", 1, "EARLIER"),
        ("B", "genus", 2, "LATER"),
    ]


def test_no_changes_is_an_empty_log():
    assert number_changes([]).equals(schema.CHANGES.empty())


@given(
    st.lists(
        st.lists(
            st.tuples(
                st.sampled_from("ABC"), st.sampled_from(["genus", "family"]), st.sampled_from("xy"), st.integers(0, 3)
            ),
            max_size=6,
        ),
        max_size=4,
    )
)
def test_the_log_is_sorted_and_keeps_every_change_in_its_order(stages):
    frames = [
        pl.DataFrame([change(p, f, None, None, rule, step=step) for p, f, rule, step in stage])
        for stage in stages
        if stage
    ]
    log = number_changes(frames)
    expected = sorted(
        (p, f, number, step, rule)
        for number, stage in enumerate([stage for stage in stages if stage])
        for p, f, rule, step in stage
    )
    assert log.select("processid", "field", "rule").rows() == [(p, f, rule) for p, f, _, _, rule in expected]
    seen = {}
    for processid, field, step in log.select("processid", "field", "step").rows():
        assert step == seen.get((processid, field), 0)
        seen[processid, field] = step + 1
