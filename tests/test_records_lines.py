import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.records import lines
from bioscan_etl.records.sources import DamagedError


def pieces(data, size, damage=None):
    for at in range(0, len(data), size):
        yield data[at : at + size]
    if damage:
        raise DamagedError(damage)


@given(st.text("ab\r\n", max_size=60), st.integers(1, 20), st.integers(1, 20))
def test_blocks_are_whole_lines_and_nothing_is_lost(text, piece, size):
    data = text.encode()
    parts = list(lines.blocks(pieces(data, piece), size))
    assert all(isinstance(part, lines.Lines) for part in parts)
    assert b"".join(part.data for part in parts) == data
    assert all(part.data.endswith(b"\n") for part in parts[:-1])


def test_blocks_have_about_the_size_that_is_asked_for():
    sizes = [len(part.data) for part in lines.blocks(pieces(b"abcdefghi\n" * 1000, 64), 500)]
    assert all(440 < size < 620 for size in sizes[:-1])


def test_damage_ends_in_what_is_left_of_the_line():
    parts = list(lines.blocks(pieces(b"one\ntwo\nthr", 4, "the tape broke"), 1000))
    assert parts == [lines.Lines(b"one\ntwo\n"), lines.Rest(b"thr", "the tape broke")]
    assert list(lines.blocks(pieces(b"one\n", 4, "x"), 1000)) == [lines.Lines(b"one\n"), lines.Rest(b"", "x")]


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_a_line_that_is_too_long_is_told_by_its_start_and_length(monkeypatch, piece):
    monkeypatch.setattr(lines, "LONGEST_LINE", 50)
    data = b"a\n" + b"x" * 200 + b"\nb\n"
    parts = list(lines.blocks(pieces(data, piece), 20))
    told = [part for part in parts if isinstance(part, lines.LongLine)]
    whole = b"".join(part.data for part in parts if isinstance(part, lines.Lines))
    if told:
        assert told[0].length == 200
        assert told[0].start == b"x" * 50
        assert whole == b"a\nb\n"
    else:
        assert whole == data


def test_spans_leave_line_ends_out():
    data = b"one\r\n\n\r\nfour\n"
    found = lines.spans(data)
    assert [data[start:stop] for start, stop in zip(found.starts, found.stops, strict=True)] == [
        b"one",
        b"",
        b"",
        b"four",
    ]
    assert found.ends.tolist() == [4, 5, 7, 12]


@given(st.lists(st.sampled_from([b"", b"\r", b"a\tb", b"\t\xe9\t\r", b"\x08\x0b\t"]), min_size=1, max_size=9))
def test_fields_end_at_tabs_and_line_feeds(given_lines):
    data = b"".join(line + b"\n" for line in given_lines)
    found = lines.fields(data)
    assert found.counts.tolist() == [line.count(b"\t") + 1 for line in given_lines]
    assert found.ends.tolist() == [at for at, octet in enumerate(data) if octet in b"\t\n"]
    whole = lines.spans(data)
    for name in ("starts", "stops", "ends"):
        assert getattr(found.spans, name).tolist() == getattr(whole, name).tolist()
    kept = found.of(found.counts == 3, 3)
    assert kept.shape == (sum(line.count(b"\t") == 2 for line in given_lines), 3)
    assert all(data[end] == ord("\n") for end in kept[:, 2])


def test_feeds_are_counted_over_any_length(monkeypatch):
    monkeypatch.setattr(lines, "_CACHED", 4)
    assert lines.feeds(b"a\n\nbcd\nefghi\n\n") == 5


@given(st.lists(st.tuples(st.sampled_from([b"", b"a", b"bc\r", b"\xff"]), st.booleans()), min_size=1, max_size=12))
def test_only_the_lines_that_are_kept(given_lines):
    data = b"".join(line + b"\n" for line, _ in given_lines)
    keep = np.array([kept for _, kept in given_lines])
    assert lines.spans(data).only(data, keep) == b"".join(line + b"\n" for line, kept in given_lines if kept)


@given(st.lists(st.sampled_from([b"a", "é".encode(), b"\xe9", b"\xff\xfe", "\u2028".encode()]), min_size=1, max_size=8))
def test_lines_that_are_no_utf8(given_lines):
    data = b"".join(line + b"\n" for line in given_lines)
    expected = [line in (b"\xe9", b"\xff\xfe") for line in given_lines]
    assert lines.is_utf8(data) == (not any(expected))
    fixed = lines.repaired(data).split(b"\n")[:-1]
    assert [b"\xef\xbf\xbd" in line for line in fixed] == expected


def test_raw_text_is_escaped_and_cut(monkeypatch):
    monkeypatch.setattr(lines, "LONGEST_LINE", 10)
    monkeypatch.setattr(lines, "SHOWN", 4)
    data = b"Qu\xe9\r\nabcdefghijklmnop\nkept\n"
    texts = lines.raw_texts(data, lines.spans(data), np.array([1, 0]))
    assert texts.to_list() == ["abcd", "Qu\\xe9"]
