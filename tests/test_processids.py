import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl import schema
from bioscan_etl.processids import DEVICES, LONGEST, reason_unfit, unfit
from bioscan_etl.release.check.corpus import row_findings


@pytest.mark.parametrize("processid", ["AAA001-20", "a", "0", "CON-1", "COM10", "A" * LONGEST])
def test_usable(processid):
    assert reason_unfit(processid) == ""


@pytest.mark.parametrize(
    ("processid", "why"),
    [
        ("A" * 260, "more than 64 characters"),
        ("--help", "begins with -"),
        ("-", "begins with -"),
        ("CON", "device"),
        ("com1", "device"),
        ("NaN", "missing"),
        ("", "other characters"),
        *((text, "other characters") for text in ("a/b", "a\\b", ".a", "a.", "a ", "a\n", "a\u202eb", "a\u200b", "ä")),
    ],
)
def test_unusable(processid, why):
    assert why in reason_unfit(processid)


@given(st.lists(st.one_of(st.text(max_size=70), st.sampled_from([*DEVICES, "NA", "A-1", "-x", "A" * 65])), max_size=8))
def test_one_rule_for_one_and_for_many(texts):
    found = pl.DataFrame({"processid": texts}, {"processid": pl.String}).select(unfit(pl.col("processid"))).to_series()
    assert [reason or "" for reason in found] == [reason_unfit(text) for text in texts]


def test_a_missing_one_is_not_unfit():
    assert pl.select(unfit(pl.lit(None, pl.String))).item() is None


@pytest.mark.parametrize(
    ("processid", "fault"),
    [("CON", "device"), ("A" * 65, "more than 64"), ("-x", "begins with -"), ("nan", "missing"), ("", "characters")],
)
def test_a_release_with_an_unusable_one_is_not_sound(processid, fault):
    columns = {column.name: column.dtype for column in schema.METADATA_EXTENDED.columns}
    rows = pl.DataFrame([{"processid": processid, "split": "train"}], columns)
    reasons = [row.get("reason") for wrong, _ in row_findings(rows) for row in wrong.iter_rows(named=True)]
    assert [reason for reason in reasons if reason and fault in reason]
    assert len([reason for reason in reasons if reason]) == 1
