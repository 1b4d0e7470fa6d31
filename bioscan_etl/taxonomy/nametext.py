"""One taxonomic name: its normalised text and its GBIF name type.

Belongs here: plain functions on one string. They run once per distinct name. Does not belong here: tables.

GBIF's own parser (package gbif-name-parser) reads authorships. It is used only if text follows a
plain binomial, because it reads the codes of placeholder names ('Camponotus MAS002') as authors.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

import nameparser

_PLAIN = re.compile(r"[A-Z][a-z]+(?: [a-z]{3,}(?:-[a-z]+)?)?")
_NOT_PLAIN = re.compile(
    r"(unknown|unidentified|undetermined|unclassified|unassigned|unspecified|undefined|undet|indet|none|null|nan|"
    r"missing|species|incertae)\b",
    re.IGNORECASE,
)
_INVISIBLE = re.compile(r"[\u0000-\u0008\u000e-\u001b\u007f\u00ad\u200b-\u200f\u2028-\u202e\u2060\ufeff]")
_BLANKS = re.compile(r"\s+")
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»"}
_NULL_WORDS = {
    "unknown",
    "unidentified",
    "undetermined",
    "unclassified",
    "unassigned",
    "unspecified",
    "undefined",
    "unnamed",
    "undet",
    "unident",
    "indet",
    "none",
    "null",
    "nan",
    "n/a",
    "na",
    "n.a",
    "missing",
    "tbd",
    "sp",
    "spp",
    "species",
    "x",
    "xx",
    "xxx",
    "nil",
    "incertae sedis",
    "insertae sedis",
    "no id",
    "no data",
    "no name",
    "not applicable",
    "not available",
    "not assigned",
    "not determined",
    "not identified",
    "not known",
    "to be determined",
    "gen. sp",
    "gen sp",
    "sp. indet",
    "gen. indet",
    "fam. indet",
}
_NULL_PHRASE = re.compile(
    r"(?:unknown|unidentified|undetermined|unclassified|unassigned|unspecified|undet\.?|unident\.?|indet\.?)"
    r"(?: [^\W\d_]+\.?)?"
    # Our own filler, when a release is read again.
    r"|unassigned .*",
    re.IGNORECASE,
)
_UNDETERMINED = re.compile(
    r"\S+(?: \(\S+\))? (?:spp?|species|indet|undet|unidentified|undetermined|unknown)\.?"
    r"(?: (?:spp?|indet|undet|unknown)\.?)?",
    re.IGNORECASE,
)
_QUALIFIER = re.compile(r"(?<= )(sp|spp|cf|aff|nr|gr)(?= |$)")
_LETTERS = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿ]+(?:-[A-Za-zÀ-ÖØ-öø-ÿ]+)?")
_VOWEL = re.compile(r"[aeiouyàáâäåæèéêëìíîïòóôöøùúûü]", re.IGNORECASE)
_SUBGENUS = re.compile(r"([A-ZÀ-Ö][a-zß-ÿ]+) \([A-ZÀ-Ö][a-zß-ÿ-]+\)( [a-zß-ÿ].*)?")
_WITH_TAIL = re.compile(r"[A-ZÀ-Ö][a-zß-ÿ-]+(?: \([A-ZÀ-Ö][a-zß-ÿ-]+\))? (?:\d+-)?[a-zß-ÿ]{2,}(?:-[a-zß-ÿ]+)?\b.* .*")
_YEAR = re.compile(r"\b1[78]\d\d\b|\b19\d\d\b|\b20\d\d\b")
_CODE = re.compile(r"[A-Za-z]\d|\d[A-Za-z]|_")
_CAPITALS = re.compile(r"\b[A-Z][A-Z]+\b")
# The hand-typed 'Malaise' and its misspellings, as partitioning recognises them.
_MALAISE = re.compile(r"[mM]+[aA]+[lLiI]+[aA]+[iIlL]+[sSzZ]+[eE]+")
_OTU = re.compile(r"BOLD:[A-Z]{3,5}\d{4}\b|\bSH\d{6,}|\bOTU[ _-]?\d+|\bASV[ _-]?\d+", re.IGNORECASE)
_HYBRID = re.compile(r"×|\S x \S")
_DOUBT = re.compile(r"[?/\"“”«»\[\]{}=<>!;\ufffd]|^'|'$")
_INFORMAL = re.compile(
    r"(?:^|\s)(?:n\.?\s?sp|sp|spp|cf|aff|affinis|nr|near|gr|group|agg|aggregate|complex|indet|undet|prox|species)"
    r"(?:\.|\s|$)",
    re.IGNORECASE,
)
_EPITHET = r"(?:\d+-)?[a-zß-ÿ]{2,}(?:-[a-zß-ÿ]+)*|[a-z]-[a-zß-ÿ]+"
_SCIENTIFIC = {
    "genus": re.compile(r"[A-ZÀ-Ö][a-zß-ÿ]+(?:-[A-Za-zß-ÿ]+)?"),
    "species": re.compile(
        rf"[A-ZÀ-Ö][a-zß-ÿ]+(?:-[a-zß-ÿ]+)? (?:{_EPITHET})"
        rf"(?: (?:(?:var|subsp|ssp|f|ab|morph)\.? )?(?:{_EPITHET}))?"
        r"(?: (?:s\. ?l(?:at)?\.|s\. ?s(?:tr)?\.|sensu (?:lato|stricto)|auct\.))?"
    ),
}
_PLACEHOLDER = re.compile(r"\d|_|[A-Z][A-Z]|[a-z][A-Z]")


@dataclass(frozen=True, slots=True)
class Name:
    """A normalised name.

    Attributes:
        name: the text, or None if it means "not known".
        type: GBIF name type (`schema.NAME_TYPES`) of the delivered text.
        steps: the rules that changed it, each with the text after it.
    """

    name: str | None
    type: str
    steps: tuple[tuple[str, str | None], ...]


def normalise_name(text: str, rank: str) -> Name:
    """Normalise one name of a rank; normalising it again changes nothing.

    Placeholder names, which label undescribed species, are not changed.

    Args:
        text: the name as delivered.
        rank: one of `vocabulary.RANKS`.
    """
    binomial = rank == "species"
    plain = _PLAIN.fullmatch(text) and not _NOT_PLAIN.match(text) and (" " in text) == binomial
    if plain and (binomial or not _MALAISE.search(text)):
        return Name(text, "SCIENTIFIC", ())
    steps: list[tuple[str, str | None]] = []
    current = text
    settled = False
    while not settled:
        settled = True
        for rule, change in _CHANGES:
            after = change(current, rank)
            if after == current:
                continue
            steps.append((rule, after))
            if after is None:
                return Name(None, "NO_NAME" if rule == "NAME_IS_NULL_WORD" else "INFORMAL", tuple(steps))
            current, settled = after, False
    return Name(current, name_type(current, rank), tuple(steps))


def name_type(text: str, rank: str) -> str:
    """GBIF's name type of a normalised name (source: GBIF NameType vocabulary).

    OTU names a BIN or another cluster; INFORMAL has open nomenclature (sp., cf., aff., nr., group);
    PLACEHOLDER is a code made up for an undescribed taxon (Wood421, Camponotus MAS002); DOUBTFUL has no
    known form. A formula of two epithets with x is a hybrid: animals have no named hybrids (ICZN 1.3.3).

    Args:
        text: the name, trimmed.
        rank: genus forms are judged at every rank but species.
    """
    kinds: tuple[tuple[str, re.Pattern[str]], ...] = (
        ("OTU", _OTU),
        ("HYBRID_FORMULA", _HYBRID),
        ("DOUBTFUL", _DOUBT),
        ("INFORMAL", _INFORMAL),
    )
    for kind, pattern in kinds:
        if pattern.search(text):
            return kind
    if _MALAISE.search(text) and not _SCIENTIFIC["species"].fullmatch(text):
        return "PLACEHOLDER"
    if _SCIENTIFIC["species" if rank == "species" else "genus"].fullmatch(text):
        return "SCIENTIFIC"
    return "PLACEHOLDER" if _PLACEHOLDER.search(text) else "DOUBTFUL"


def _compose(text: str, rank: str) -> str:
    del rank
    return unicodedata.normalize("NFC", text)


def _single_blanks(text: str, rank: str) -> str:
    del rank
    return _BLANKS.sub(" ", _INVISIBLE.sub("", text)).strip()


def _unquoted(text: str, rank: str) -> str:
    del rank
    if len(text) > 2 and _QUOTES.get(text[0]) == text[-1]:
        inner = text[1:-1]
        if not any(mark in inner for mark in "\"'“”‘’«»"):
            return inner.strip()
    return text


def _no_null_word(text: str, rank: str) -> str | None:
    del rank
    bare = text.strip(" .,;:-_?!*()[]<>{}\"'").casefold()
    if not bare or bare in _NULL_WORDS or _NULL_PHRASE.fullmatch(text.strip(" ()[]<>")):
        return None
    return text


def _dotted(text: str, rank: str) -> str:
    return _QUALIFIER.sub(r"\1.", text) if rank == "species" else text


def _cased(text: str, rank: str) -> str:
    words = text.split(" ")
    if len(words) != (2 if rank == "species" else 1) or not all(_LETTERS.fullmatch(word) for word in words):
        return text
    capital, small = text.isupper(), text.islower()
    half = rank == "species" and words[0].isupper() and words[1].islower()
    # Short words and words without a vowel are codes of collections and people.
    shortest = 4 if capital and len(words) == 1 else 3
    plain = all(len(word) >= shortest and _VOWEL.search(word) for word in words)
    if plain and (capital or small or half):
        return " ".join([words[0].capitalize(), *(word.lower() for word in words[1:])])
    return text


def _without_subgenus(text: str, rank: str) -> str:
    if rank not in {"genus", "species"}:
        return text
    match = _SUBGENUS.fullmatch(text)
    return f"{match[1]}{match[2] or ''}" if match else text


def _without_authorship(text: str, rank: str) -> str:
    if not _may_be_authored(text, rank):
        return text
    try:
        parsed = nameparser.parse(text)
    except nameparser.UnparsableNameError:
        return text
    if not isinstance(parsed, nameparser.ParsedName) or parsed.type != "SCIENTIFIC":
        return text
    authors = (parsed.combination_authorship, parsed.basionym_authorship)
    authored = any(part.authors or part.year for part in authors)
    more = parsed.doubtful or parsed.notho or parsed.phrase or parsed.taxonomic_note or parsed.unparsed
    at_rank = (parsed.specific_epithet is not None) == (rank == "species")
    if not authored or more or not at_rank:
        return text
    last = parsed.infraspecific_epithet or parsed.specific_epithet or parsed.uninomial
    words = text.split(" ")
    kept = next((at for at, word in enumerate(words) if word.rstrip(",") == last), None)
    return text if kept is None else " ".join(words[: kept + 1]).rstrip(",")


def _may_be_authored(text: str, rank: str) -> bool:
    """Whether a tail can be an author. Codes and open nomenclature cannot; capitals only with a year."""
    dated = _YEAR.search(text) is not None
    if " " not in text or _CODE.search(text) or _DOUBT.search(text):
        return False
    if rank != "species":
        return dated
    if not dated and (_CAPITALS.search(text) or _MALAISE.search(text)):
        return False
    return bool(_WITH_TAIL.fullmatch(text)) and not _INFORMAL.search(text) and not _HYBRID.search(text)


def _determined(text: str, rank: str) -> str | None:
    return None if rank == "species" and _UNDETERMINED.fullmatch(text) else text


_CHANGES: tuple[tuple[str, Callable[[str, str], str | None]], ...] = (
    ("NAME_UNICODE", _compose),
    ("NAME_WHITESPACE", _single_blanks),
    ("NAME_QUOTES", _unquoted),
    ("NAME_IS_NULL_WORD", _no_null_word),
    ("NAME_UNDETERMINED", _determined),
    ("NAME_QUALIFIER_DOTTED", _dotted),
    ("NAME_CASE", _cased),
    ("NAME_AUTHORSHIP_DROPPED", _without_authorship),
    ("NAME_SUBGENUS_DROPPED", _without_subgenus),
)
