"""Text that is safe to show: every character visible, in one line, and any output can encode it."""

import unicodedata

import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.printable import printable

ANY_TEXT = st.text(st.characters(codec=None, categories=None))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Müller – 25 °C, 蜂", "Müller – 25 °C, 蜂"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("one\ntwo\r\x85\u2028", r"one\ntwo\r\x85\u2028"),
        ("abc\u202etsv.exe", r"abc\u202etsv.exe"),
        ("a\u200bb\ufeff", r"a\u200bb\ufeff"),
        ("a\u3164b\u2800\ufe0f", r"a\u3164b\u2800\ufe0f"),
        ("no\x00thing", r"no\x00thing"),
        ("not-utf8-\udcff", r"not-utf8-\udcff"),
        ("a\u00a0b", r"a\xa0b"),
        (12, "12"),
    ],
)
def test_what_cannot_be_seen_is_escaped(text, shown):
    assert printable(text) == shown


@settings(max_examples=examples(200))
@given(ANY_TEXT)
def test_the_result_is_one_visible_line_that_any_output_can_encode(text):
    shown = printable(text)
    assert shown.isprintable()
    assert printable(shown) == shown
    assert not {unicodedata.category(one) for one in shown} & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    shown.encode("utf-8")
    visible = "".join(one for one in text if printable(one) == one)
    assert printable(visible) == visible
