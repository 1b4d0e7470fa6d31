import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.invisible import cleaned, is_found


def clean(text):
    return pl.select(cleaned(pl.lit(text, pl.String))).item()


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("Ma\u200bnaus", "Manaus"),
        ("\ufeffPeru", "Peru"),
        ("So\u00adfia", "Sofia"),
        ("a\u202eb\u2066c\u2069", "abc"),
        ("a\u00a0b\u202fc\td", "a b c d"),
        ("a\nb", "a b"),
        ("a\0b\x1b[31m", "ab[31m"),
        ("a\ufdd0\uffff\U0001fffeb", "ab"),
        # Persian and Malayalam need joiners within words; Latin does not.
        ("می\u200cروم", "می\u200cروم"),
        ("ന്\u200d", "ന്\u200d"),
        ("a\u200db\u200c", "ab"),
        ("Trøndelag – Málaga", "Trøndelag – Málaga"),
        ("東京\u3000都", "東京\u3000都"),
    ],
)
def test_what_nobody_sees_is_removed(text, after):
    assert clean(text) == after
    assert pl.select(is_found(pl.lit(text))).item() >= (text != after)


@given(st.text(max_size=30))
def test_cleaning_again_changes_nothing_and_nothing_visible_is_lost(text):
    once = clean(text)
    assert clean(once) == once
    letters = [letter for letter in text if unicodedata.category(letter)[0] in "LNPS"]
    kept = [letter for letter in once if unicodedata.category(letter)[0] in "LNPS"]
    fillers = set("\u115f\u1160\u3164\uffa0")
    assert kept == [letter for letter in letters if letter not in fillers]
    assert not any(unicodedata.bidirectional(letter) in {"RLO", "LRO", "RLE", "LRE", "PDF"} for letter in once)
