"""Comparing spellings of a name without case, accents and blanks."""

from __future__ import annotations

import polars as pl

# Letters that some languages write as two where the keyboard lacks them.
_DIGRAPHS = {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"}

# Letters that Unicode does not decompose into a base letter and an accent.
_LETTERS = {"ø": "o", "æ": "ae", "œ": "oe", "ß": "ss", "đ": "d", "ð": "d", "ł": "l", "ħ": "h", "ı": "i", "þ": "th"}


def trimmed(name: pl.Expr) -> pl.Expr:
    """Remove outer blanks and repeated inner blanks; null if nothing is left."""
    text = name.str.replace_all(r"\s+", " ").str.strip_chars(" ")
    return pl.when(text != "").then(text)


def folded(name: pl.Expr) -> pl.Expr:
    """Convert to lower case ASCII where possible, with single blanks: equal for accented and plain spellings."""
    plain = name.str.to_lowercase().str.normalize("NFKD").str.replace_all(r"\p{M}", "")
    return trimmed(plain.str.replace_many(list(_LETTERS), list(_LETTERS.values())))


def transliterated(name: pl.Expr) -> pl.Expr:
    """`folded`, with ä, ö, ü, å and ø as two letters: `Koeln` for `Köln`, `Moere` for `Møre`."""
    lower = name.str.to_lowercase().str.normalize("NFC")
    return folded(lower.str.replace_many(list(_DIGRAPHS), list(_DIGRAPHS.values())))


def loose(name: pl.Expr) -> pl.Expr:
    """`folded`, also without punctuation, with "&" as "and", and without a leading "the"."""
    plain = folded(name).str.replace_all("&", " and ", literal=True).str.replace_all(r"[^\p{L}\p{N}]+", " ")
    return trimmed(plain.str.strip_chars(" ").str.replace("^the ", ""))
