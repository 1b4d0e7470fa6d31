r"""Novel species names: placeholders for species that are not described yet.

The regular expressions are those of the protocol "bioscan-5m" (spec: partitioning), in Python's syntax: polars'
regex engine interprets `[\b]` and `\w` differently, so they are matched in Python, once per distinct name.
"""

from __future__ import annotations

import re

import polars as pl

from bioscan_etl.taxonomy.nametypes import name_type

_MALAISE = re.compile(r"[mM]+[aA]+[lLiI]+[aA]+[iIlL]+[sSzZ]+[eE]+")
_LOWER_CASE = re.compile(r"^[a-z]")
_IN_SPECIES = (
    _MALAISE,
    _LOWER_CASE,
    re.compile(r"[0-9]"),
    re.compile(r"[A-Z][A-Z]"),
    re.compile(r"[_?]"),
    re.compile(r"[^$][A-Z]"),
    re.compile(r"\."),
)
_IN_EITHER = (
    re.compile(r"\baff\b"),
    re.compile(r"\bn[\b\.\s]+sp\b"),  # within brackets \b is the backspace character, as published
    re.compile(r"\bsp[\b\s]+ex\b"),
    re.compile(r"\bgen\b"),
    re.compile(r"\bsp\b\.?[\s\w\d]+"),
    re.compile(r"affinis\s+[0-9A-Z]+"),
)
_LOWER_CASE_FILLERS = ("unclassified", "unassigned")


def _any(patterns: tuple[re.Pattern[str], ...], name: str | None) -> bool:
    return name is not None and any(pattern.search(name) for pattern in patterns)


def is_novel_genus(genus: str | None) -> bool:
    """Whether a genus is a placeholder; `unclassified …` and `unassigned …` are fillers and are not.

    >>> is_novel_genus("zygJanzen01"), is_novel_genus("unassigned Tachinidae"), is_novel_genus("Atta")
    (True, False, False)
    """
    if genus is None:
        return False
    if _MALAISE.search(genus):
        return True
    return bool(_LOWER_CASE.search(genus)) and not genus.startswith(_LOWER_CASE_FILLERS)


def is_novel(genus: str | None, species: str | None) -> bool:
    """Whether a record with these labels is novel.

    A novel genus makes the record novel even without a species.

    >>> is_novel("Megaselia", "Megaselia BOLD:ACN5814"), is_novel("Atta", "Atta cephalotes")
    (True, False)
    """
    return _any(_IN_SPECIES, species) or _any(_IN_EITHER, species) or _any(_IN_EITHER, genus) or is_novel_genus(genus)


def _is_open(species: str) -> bool:
    return name_type(species, "species") in {"INFORMAL", "OTU", "PLACEHOLDER"}


def novel(names: pl.DataFrame, *, open_nomenclature: bool = False) -> pl.Series:
    """Which rows have a novel name, in row order.

    Args:
        names: columns genus and species, text; other columns are ignored.
        open_nomenclature: a species name of the types INFORMAL, OTU and PLACEHOLDER is novel too. The published
            expressions miss 'Chironomus plumosus-group' and 'Tipula prope oleracea'.

    Returns:
        Boolean series `novel` without nulls, as long as `names`.
    """
    pairs = names.select("genus", "species").unique()
    judged = pairs.with_columns(
        pl.Series(
            "novel",
            [
                is_novel(genus, species) or (open_nomenclature and species is not None and _is_open(species))
                for genus, species in pairs.iter_rows()
            ],
            dtype=pl.Boolean,
        )
    )
    return (
        names.select("genus", "species")
        .join(judged, on=["genus", "species"], how="left", nulls_equal=True, maintain_order="left")
        .get_column("novel")
    )
