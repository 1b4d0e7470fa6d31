"""Alerts: which are of the same event, and that their texts are safe to show."""

from bioscan_etl.alerts.event import alert, event_id

HOSTILE = "a\r\nBcc: x@y\x1b[31m\u202e\x00"


def test_neither_title_nor_details_make_another_event():
    one = alert("batch_failed", "batch b", ("key", "stage"), "it failed", ("after 3 s",))
    assert one.id == alert("batch_failed", "batch b", ("key", "stage"), "again", ()).id
    assert one.id == event_id("batch_failed", "batch b", ("key", "stage"))
    assert len(one.id) == 16


def test_kind_subject_and_event_do():
    ids = {
        alert("batch_failed", "batch b", ("key",), "t").id,
        alert("run_failed", "batch b", ("key",), "t").id,
        alert("batch_failed", "batch c", ("key",), "t").id,
        alert("batch_failed", "batch b", ("key", ""), "t").id,
        alert("batch_failed", "batch b", (), "t").id,
    }
    assert len(ids) == 5


def test_texts_are_printable_lines_of_a_limited_length():
    one = alert("batch_failed", HOSTILE, (), HOSTILE, (HOSTILE, "x" * 10_000, *["y"] * 100))
    for text in (one.subject, one.title, *one.lines):
        assert text.isprintable()
        assert len(text) <= 501
    assert one.title.startswith("a\\r\\nBcc: x@y\\x1b[31m\\u202e")
    assert len(one.lines) == 21
    assert one.lines[-1] == "and 82 more"
