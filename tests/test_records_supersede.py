from datetime import date

import polars as pl
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.records.supersede import latest
from bioscan_etl.schema import RECORDS, SET_ASIDE


def records(*rows):
    names = ("processid", "batch", "snapshot_date", "nuc", "record_id")
    frame = pl.DataFrame(
        [
            dict(zip(names, row, strict=True)) | {"source_file": "f.tsv", "source_line": 2, "marker_code": "COI-5P"}
            for row in rows
        ]
    )
    missing = [
        pl.lit(None, column.dtype).alias(column.name) for column in RECORDS.columns if column.name not in frame.columns
    ]
    return frame.with_columns(missing).select(pl.col(n).cast(t) for n, t in RECORDS.schema().items())


OLD, NEW = date(2023, 12, 18), date(2024, 6, 21)


def test_the_later_snapshot_stands_then_the_later_batch():
    kept, aside = latest(
        records(
            ("A-1", "b1", OLD, "ACGTACGT", "A-1.COI-5P"),
            ("A-1", "a1", NEW, "ACGT", "A-1.COI-5P"),
            ("A-2", "a1", NEW, "ACGT", "A-2.COI-5P"),
            ("A-2", "b1", NEW, "AC", "A-2.COI-5P"),
            ("A-3", "a1", OLD, "ACGT", "A-3.COI-5P"),
            ("A-3", "b1", None, "ACGT", "A-3.COI-5P"),
            ("A-4", "a1", None, None, "A-4.COI-5P"),
        )
    )
    assert kept.select("processid", "batch").rows() == [("A-1", "a1"), ("A-2", "b1"), ("A-3", "a1"), ("A-4", "a1")]
    assert kept.schema == RECORDS.schema()
    assert aside.select("processid", "batch", "reason", "kept_batch", "kept_record_id").rows() == [
        ("A-1", "b1", "superseded", "a1", "A-1.COI-5P"),
        ("A-2", "a1", "superseded", "b1", "A-2.COI-5P"),
        ("A-3", "b1", "superseded", "a1", "A-3.COI-5P"),
    ]
    assert aside.schema == SET_ASIDE.schema()


def test_within_a_batch_the_better_sequence_then_the_record_id():
    rows = records(
        ("A-1", "b", NEW, "AC--GTNN", "A-1.c"),
        ("A-1", "b", NEW, "ACGTAC", "A-1.b"),
        ("A-1", "b", NEW, "ACGTAC--", "A-1.a"),
    ).with_columns(source_line=pl.int_range(2, 5))
    kept, aside = latest(rows)
    assert kept["record_id"].to_list() == ["A-1.a"]
    assert aside["kept_record_id"].to_list() == ["A-1.a", "A-1.a"]


def test_a_lazy_frame_stays_lazy_and_keeps_extra_columns():
    rows = records(("A-1", "a", OLD, "A", "r"), ("A-1", "b", NEW, "A", "r")).with_columns(pl.lit("x").alias("extra:y"))
    kept, aside = latest(rows.lazy())
    assert isinstance(kept, pl.LazyFrame)
    assert kept.collect().select("batch", "extra:y").rows() == [("b", "x")]
    assert aside.height == 1


def test_no_rows():
    kept, aside = latest(RECORDS.empty())
    assert kept.height == aside.height == 0


rows_of_batches = st.lists(
    st.tuples(
        st.sampled_from(["A-1", "A-2", "A-3"]),
        st.sampled_from(["a", "b", "c", "d"]),
        st.sampled_from([OLD, NEW, None]),
        st.sampled_from(["ACGT", "AC-T", None]),
        st.sampled_from(["x", "y"]),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda row: row[:2],
)


@settings(deadline=None, max_examples=examples(50))
@given(rows_of_batches, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter_and_no_row_is_lost(rows, random):
    kept, aside = latest(records(*rows))
    shuffled = random.sample(rows, len(rows))
    kept_too, aside_too = latest(records(*shuffled))
    assert kept.equals(kept_too)
    assert aside.equals(aside_too)
    assert kept.height + aside.height == len(rows)
    assert kept["processid"].to_list() == sorted({row[0] for row in rows})
