"""Characters that nobody sees: which they are, and text without them.

Belongs here: the one list of such characters. Does not belong here: which columns are cleaned (`records.blocks`,
`taxonomy`). Source: Unicode 16.0, properties Default_Ignorable_Code_Point, Bidi_Control, White_Space and
Noncharacter_Code_Point.
"""

from __future__ import annotations

import re

import polars as pl

BLANKS = "\t-\r\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f"
"""Blanks other than the space: tabs, line ends, spaces of other widths, spaces that do not break. Become a space."""

JOINERS = "\u200c\u200d"
"""Joiners of letters. Persian and the scripts of India need them within words, other scripts do not."""

REMOVED = (
    "\u0000-\u0008\u000e-\u001f\u007f-\u0084\u0086-\u009f"  # control characters
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    "\ufdd0-\ufdef\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f"
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0x110000, 0x10000))
)
"""Invisible characters, controls of direction and code points that are no characters. Are removed."""

REPLACEMENT = "\ufffd"
"""Stands where bytes could not be decoded, here or earlier."""

_JOINED = (
    *("Arabic", "Syriac", "Mongolian", "Nko", "Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Oriya", "Tamil"),
    *("Telugu", "Kannada", "Malayalam", "Sinhala", "Khmer", "Myanmar", "Tibetan"),
)
_SCRIPTS = "".join(rf"\p{{{script}}}" for script in _JOINED)
_ANY = f"[{BLANKS}{JOINERS}{REMOVED}]"


_OF_NAME = re.compile(f"[{REMOVED}{JOINERS}]+")
_BLANK_OF_NAME = re.compile(f"[ {BLANKS}]+")


def cleaned_name(text: str) -> str:
    """A name without invisible characters and joiners, with single spaces for blanks, and no blank at its ends.

    Names are in Latin letters, so no joiner is needed.
    """
    return _BLANK_OF_NAME.sub(" ", _OF_NAME.sub("", text)).strip(" ")


def is_found(text: pl.Expr) -> pl.Expr:
    """Whether a text has a character that `cleaned` may change."""
    return text.str.contains(_ANY)


def cleaned(text: pl.Expr) -> pl.Expr:
    """Text without invisible characters, and with spaces for other blanks.

    Joiners stay after letters of scripts that use them.
    """
    visible = text.str.replace_all(f"[{REMOVED}]+", "").str.replace_all(f"[{BLANKS}]", " ")
    return visible.str.replace_all(rf"(^|[^{_SCRIPTS}{JOINERS}])[{JOINERS}]+", "$1")
