"""One taxonomic name: its normalised text and its GBIF name type.

Belongs here: plain functions on one string. They run once per distinct name. Does not belong here: tables, the forms of
authorships (`authorship`) and of names (`nametypes`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

import nameparser

from bioscan_etl.invisible import cleaned_name
from bioscan_etl.taxonomy.authorship import is_authorship, known_authors, surnames
from bioscan_etl.taxonomy.nametypes import (
    CONCEPT,
    DOUBT,
    EPITHET,
    HYBRID,
    INFORMAL,
    LOWER,
    MALAISE,
    OTU,
    QUALIFIER,
    STAGE,
    UPPER,
    is_undetermined,
    name_type,
)

__all__ = ["Name", "name_type", "normalise_name"]

# The common case: a capitalised word, or a binomial, without a word that may have another meaning.
_PLAIN = {False: re.compile(r"[A-Z][a-z]+"), True: re.compile(r"[A-Z][a-z]+ [a-z]{3,}")}
_NOT_PLAIN = re.compile(
    r"\b(?:unknown|unidentified|undetermined|unclassified|unassigned|unspecified|undefined|undescribed|unnamed|unident|"
    r"undet|indet|none|null|nan|missing|species|incertae|spp|spec|specs|prox|prope|near|form|type|ined|nov|"
    r"group|grps?|agg|aggr|aggregate|complex|cplx|cpx|sensu|auct|conf|cfr|aff|gen|van|von|der|den|del|var|ssp|subsp|"
    r"nom|non|nec|"
    rf"{STAGE})\b",
    re.IGNORECASE,
)
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»"}
_NULL_WORDS = {
    "unknown",
    "unidentified",
    "undetermined",
    "unclassified",
    "unassigned",
    "unspecified",
    "undefined",
    "undescribed",
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
_QUALIFIER = re.compile(r"(?<= )(sp|spp|cf|cfr|aff|nr|gr|grp|agg|prox)(?= |$)")
_LETTERS = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿ]+(?:-[A-Za-zÀ-ÖØ-öø-ÿ]+)?")
_VOWEL = re.compile(r"[aeiouyàáâäåæèéêëìíîïòóôöøùúûü]", re.IGNORECASE)
_SUBGENUS = re.compile(rf"([{UPPER}][{LOWER}]+) \([{UPPER}][{LOWER}-]+\)( ×?[{LOWER}\d].*)?")
_GENUS = rf"[{UPPER}][{LOWER}]+(?:-[{LOWER}]+)?(?: \([{UPPER}][{LOWER}-]+\))?"
# A word after the epithet that begins with a small letter and belongs to the author, or to no name at all.
_NO_EPITHET = (
    r"(?!(?:de|da|do|du|van|von|der|den|del|della|di|dos|la|le|zur|zum|ter|ten|af|al|d|v|in|ex|et|and|y|non|nec|nom|"
    r"auct|auctt|sensu|s|sp|spp|spec|cf|cfr|aff|nr|near|prope|form|type|morph|group|grp|gr|agg|aggr|complex|cplx|var|f|"
    r"ab|subsp|ssp|larva|larvae|juv)\b)"
)
_MARKER = r"(?:var|subsp|ssp|f|ab|morph)\.?"
# Genus and epithet, with what may stand between them; then the subspecies; then the text in question.
_HEAD = re.compile(
    rf"(?P<name>{_GENUS}(?: (?:{QUALIFIER}))?\??(?: |,)×?(?:{EPITHET})(?![\w-])"
    rf"(?: (?:{_MARKER} (?:{EPITHET})|{QUALIFIER} (?:{EPITHET})|{_NO_EPITHET}(?:{EPITHET}))(?![\w.'’-]))?)"
    r"(?P<tail>,? ?[\w\W]*)"
)
_CONCEPT = re.compile(rf"(?P<tail>.*?)(?P<concept> {CONCEPT})")
# An author between the species' epithet and that of the subspecies: 'Aus bus L. var. cus'.
_WITHIN = re.compile(
    rf"(?P<author>\S.*?)(?P<lower> (?:{_MARKER} |(?<=[\d)] )){_NO_EPITHET}(?:{EPITHET})(?![\w.'’-]))(?P<tail>.*)"
)
_YEAR = re.compile(r"\b1[78]\d\d\b|\b19\d\d\b|\b20\d\d\b")
# A year after a comma or in brackets, at the end.
_DATED_AT_END = re.compile(r"(?:, ?\d{4}|\([^()]*\d{4})[a-z]?[\])]?\.?$")
_ABOVE_SPECIES = re.compile(rf"(?P<name>[{UPPER}][{LOWER}]+(?:-[{LOWER}]+)?),? (?P<tail>.+)")
_CODE = re.compile(r"[A-Za-z]\d|\d[A-Za-z]|_")


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


def normalise_name(text: str, rank: str, *, confirmed: bool = False) -> Name:
    """Normalise one name of a rank; normalising it again changes nothing.

    Placeholder names, which label undescribed species, are not changed.

    Args:
        text: the name as delivered.
        rank: one of `vocabulary.RANKS`.
        confirmed: another source says that the text after a species name is its author (`confirmable`).
    """
    binomial = rank == "species"
    if _PLAIN[binomial].fullmatch(text) and not _NOT_PLAIN.search(text) and (binomial or not MALAISE.search(text)):
        return Name(text, "SCIENTIFIC", ())
    steps: list[tuple[str, str | None]] = []
    current = text
    settled = False
    while not settled:
        settled = True
        for rule, change in _CHANGES:
            after = change(current, rank)
            if after == current and confirmed and change is _without_authorship:
                after = _confirmed(current, rank)
            if after == current:
                continue
            steps.append((rule, after))
            if after is None:
                return Name(None, "NO_NAME" if rule == "NAME_IS_NULL_WORD" else "INFORMAL", tuple(steps))
            current, settled = after, False
    return Name(current, name_type(current, rank), tuple(steps))


def confirmable(text: str) -> str:
    """The text after a species name that has the form of an authorship without evidence; empty if there is none.

    >>> confirmable("Aus bus Norilsk"), confirmable("Aus bus Linnaeus, 1758"), confirmable("Aus bus Type A")
    ('Norilsk', '', '')
    """
    name = normalise_name(text, "species").name
    match = _HEAD.fullmatch(name) if name else None
    tail = match["tail"].strip(" ,") if match else ""
    return tail if tail and surnames(tail) else ""


def _compose(text: str, rank: str) -> str:
    del rank
    return unicodedata.normalize("NFC", text)


def _single_blanks(text: str, rank: str) -> str:
    del rank
    return cleaned_name(text)


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
    length = 2 if rank == "species" else 1
    if len(words) > length and rank == "species":
        return _cased_before_author(words, text)
    if len(words) != length or not all(_LETTERS.fullmatch(word) for word in words):
        return text
    capital, small = text.isupper(), text.islower()
    half = rank == "species" and words[0].isupper() and words[1].islower()
    # Short words and words without a vowel are codes of collections and people.
    shortest = 4 if capital and len(words) == 1 else 3
    plain = all(len(word) >= shortest and _VOWEL.search(word) for word in words)
    if plain and (capital or small or half):
        return " ".join([words[0].capitalize(), *(word.lower() for word in words[1:])])
    return text


def _cased_before_author(words: list[str], text: str) -> str:
    """Correct the case of a binomial whose author proves that it is one: 'AUS BUS LINNAEUS, 1758'."""
    if len(words) == 2 or (words[0].istitle() and words[1].islower()):
        return text
    binomial = _cased(" ".join(words[:2]), "species")
    tail = " ".join(words[2:])
    known = _HEAD.fullmatch(f"{binomial} {tail}")
    return f"{binomial} {tail}" if known and _dropped(known["name"], known["tail"].strip(" ,")) else text


def _without_subgenus(text: str, rank: str) -> str:
    if rank not in {"genus", "species"}:
        return text
    match = _SUBGENUS.fullmatch(text)
    return f"{match[1]}{match[2] or ''}" if match else text


def _without_authorship(text: str, rank: str) -> str:
    if " " not in text or OTU.search(text):
        return text
    if rank != "species":
        match = _ABOVE_SPECIES.fullmatch(text)
        return match["name"] if match and _YEAR.search(text) and is_authorship(match["tail"]) else text
    match = _HEAD.fullmatch(text)
    tail = match["tail"].strip(" ,") if match else ""
    if match is None or not tail:
        return text
    bare = _dropped(match["name"], tail)
    if bare is None and _confirmed_by_parser(text, tail):
        bare = match["name"]
    return text if bare is None else bare


def _dropped(name: str, tail: str) -> str | None:
    """The name without the authorship that follows it; None if the text after it is none.

    A note on the sense of the name, and the epithet of a subspecies, remain.
    """
    # Some registers repeat the name before the author.
    tail = tail.removeprefix(f"{name} ")
    if is_authorship(tail):
        return name
    concept = _CONCEPT.fullmatch(tail)
    if concept and concept["tail"]:
        bare = _dropped(name, concept["tail"].strip(" ,"))
        return None if bare is None else f"{bare}{concept['concept']}"
    within = _WITHIN.fullmatch(tail)
    if within and is_authorship(within["author"].strip(" ,")):
        whole, rest = name + within["lower"], within["tail"].strip(" ,")
        return whole if not rest else _dropped(whole, rest)
    # 'aus bus linnaeus, 1758': the author in small letters was taken for the epithet of a subspecies.
    species, _, last = name.rpartition(" ")
    if _YEAR.fullmatch(tail) and species.count(" ") and last in known_authors():
        return species
    return None


def _confirmed(text: str, rank: str) -> str:
    """The name without an authorship that another source confirms."""
    match = _HEAD.fullmatch(text) if rank == "species" else None
    return match["name"] if match and surnames(match["tail"].strip(" ,") or "-") else text


def _confirmed_by_parser(text: str, tail: str) -> bool:
    """Whether GBIF's parser finds an authorship that ends with a year, in a form that `authorship` does not know."""
    if not _DATED_AT_END.search(tail) or any(bad.search(text) for bad in (_CODE, DOUBT, HYBRID, INFORMAL, MALAISE)):
        return False
    try:
        parsed = nameparser.parse(text)
    except nameparser.UnparsableNameError:
        return False
    if not isinstance(parsed, nameparser.ParsedName) or parsed.type != "SCIENTIFIC":
        return False
    more = parsed.doubtful or parsed.notho or parsed.phrase or parsed.taxonomic_note or parsed.unparsed
    authors = (parsed.combination_authorship, parsed.basionym_authorship)
    return not more and any(part.authors and part.year for part in authors)


def _determined(text: str, rank: str) -> str | None:
    return None if rank == "species" and is_undetermined(text) else text


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
