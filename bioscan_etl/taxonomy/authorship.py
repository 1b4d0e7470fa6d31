"""The text after a name: is it the author of the name, and what says so?

Belongs here: the forms of authorships, and the evidence that a text is one. Does not belong here: where the name ends
(`nametext`).

GBIF's parser reads every capitalised tail as an author: 'Oeneis melissa Norilsk' becomes Oeneis melissa. That turns
interim names into described species. Here a tail is an author only on evidence. A text without evidence stays.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

# A year of publication: zoological names begin in 1757 (Clerck, ICZN 3.1). Ranges, letters and doubts occur.
_YEAR = re.compile(
    r"(?P<comma>,?) ?[\[(\"“]?(?P<year>1[78]\d\d|19\d\d|20\d\d)[a-z]?(?: ?\?)?"
    r"(?:[-–/](?:\d{4}|\d\d))?[\])\"”]?(?![\w-])"
)
# Between persons. 'of' is a misprint of 'in' that registers hold; 'non' and 'nec' name another taxon, not an author.
_BETWEEN = re.compile(r", & |,? ?& ?|,? (?:et|and|und|y|e|in|ex|of|apud|bei) |, ?|;")
_JOINED = re.compile(r"&|\b(?:et|and|und|in|ex|apud|al)\b")
_OTHERS = frozenset({"al", "al.", "alii", "coll.", "others"})
_PARTICLES = frozenset(
    re.findall(
        r"\S+",
        "af al am auf d da dal dall dalla das de degli dei del dela della delle dem den der des di do dos du el l la "
        "las le les li lo los o t 't ten ter te the tot v v. vander van vom von z zu zum zur",
    )
)
# Some authors write them with a capital.
_CAPITAL_PARTICLES = frozenset({"De", "Du", "Van", "Von", "Der", "Den", "La", "Le", "Da", "Dal", "Del", "Della", "Di"})
# Particles that no name of a place begins with: 'von Heyden', but 'La Palma'.
_PERSONAL = frozenset({"af", "d", "den", "der", "du", "ten", "ter", "v.", "vander", "van", "vom", "von", "zur"})
_SUFFIX = re.compile(r"(?:jr|jun|junior|sr|sen|senior|fil|filius|f|père|père|bis|II|III)\.?,?", re.IGNORECASE)
_INITIAL = re.compile(r"(?:[^\W\d_](?:h|r|s|e)?\.-?)+(?:[^\W\d_]\.)?")
_SURNAME = re.compile(r"(?:[^\W\d_]{1,2}['’])?[^\W\d_]+(?:(?:-|['’]|-['’])[^\W\d_]+)*\.?")
_INITIALS_JOINED = re.compile(r"(?<=[^\W\d_]\.)(?=[^\W\d_.-])")
_ROMAN = re.compile(r"[IVX]+")
_VOWELS = frozenset("aeiouyàáâãäåæèéêëìíîïòóôõöøùúûüýœ")
# Years from which interim names carry the year of their sample: 'Aus bus JMB 2011', 'Aus bus Norilsk 2009'.
_BARCODING = 1990
_COMPASS = frozenset("CENSW")
_ABBREVIATIONS = frozenset(
    {
        "L.",
        "F.",
        "Cl.",
        "Er.",
        "Ol.",
        "Pz.",
        "Hb.",
        "Hbn.",
        "Hbst.",
        "Thnb.",
        "Schrk.",
        "Wlk.",
        "Lw.",
        "Btl.",
        "Gn.",
        "Frr.",
    }
    | {"Stgr.", "Ev.", "Rtt.", "Rtb.", "Chd.", "Brm.", "Kr.", "Schck.", "Först.", "Deg.", "HS.", "Mg.", "Mgn.", "Ztt."}
)
# Initials that everyone knows: Denis & Schiffermüller, Robineau-Desvoidy, Herrich-Schäffer.
_WELL_KNOWN_INITIALS = frozenset(
    {"D. & S.", "D.& S.", "D.&S.", "Den. & S.", "R.-D.", "R. D.", "H.-S.", "H. S.", "L", "L."}
)
_SHORTEST_PREFIX = 3
_SHORTEST_CAPITALS = 4


@cache
def known_authors() -> frozenset[str]:
    """Surnames of authors of animal names, in lower case: `author_names.txt`, which says where they are from."""
    return _words(Path(__file__).with_name("author_names.txt"))


@cache
def not_authors() -> frozenset[str]:
    """Words that name a place, form or stage, in lower case: without a year they are no author."""
    return _words(Path(__file__).with_name("not_authors.txt"))


def _words(file: Path) -> frozenset[str]:
    lines = file.read_text(encoding="utf-8").splitlines()
    return frozenset(line.strip().casefold() for line in lines if line.strip() and not line.startswith("#"))


@cache
def _stems() -> frozenset[str]:
    """Beginnings of known surnames, which an abbreviation such as 'Meig.' can stand for."""
    return frozenset(name[:end] for name in known_authors() for end in range(_SHORTEST_PREFIX, len(name)))


def surnames(text: str) -> list[str]:
    """The surnames of an authorship, as written; none if the text has not the form of one.

    >>> surnames("(O. F. Müller & van der Wulp, 1874)")
    ['Müller', 'Wulp']
    >>> surnames("MEAM1")
    []
    """
    read = _read(text)
    return [] if read is None else read[0]


def is_authorship(text: str) -> bool:
    """Whether the text has the form of an authorship, and there is evidence that it is one.

    Evidence is: a year in the form of an author's; brackets; a known abbreviation; two persons with a connecting word;
    a surname in `known_authors`; initials; a particle such as 'von'. A year without a comma counts before 1990, or with
    a known author: later ones may be the year of a sample.

    >>> is_authorship("Linnaeus, 1758"), is_authorship("(L.)"), is_authorship("[Denis & Schiffermüller]")
    (True, True, True)
    >>> is_authorship("Norilsk"), is_authorship("JMB 2011"), is_authorship("A"), is_authorship("Type A")
    (False, False, False, False)
    """
    if text.strip("()[]") in _WELL_KNOWN_INITIALS:
        return text != "L"
    read = _read(text)
    if read is None:
        return False
    persons, given, particles = read
    dates = list(_YEAR.finditer(text))
    bracketed = text[0] in "(["
    if any(date["comma"] for date in dates) or (dates and (bracketed or int(dates[0]["year"]) < _BARCODING)):
        return True
    if any(name.casefold().rstrip(".") in not_authors() for name in persons):
        return False
    known = all(_is_known(name) for name in persons)
    joined = len(persons) > 1 and (_JOINED.search(text) is not None or text.count(",") > 1)
    alone = not dates and (particles or given)
    return known or joined or bracketed or alone or bool(_JOINED.search(text) and given)


def agrees(text: str, reference: str) -> bool:
    """Whether a text names the same authors as BOLD's `species_reference` of the record.

    >>> agrees("Norilsk", "Fabricius, 1775"), agrees("Smithson", "(Smithson & Jones, 2011)")
    (False, True)
    """
    there = [name.casefold() for name in surnames(reference)]
    here = [name.casefold() for name in surnames(text)]
    return bool(here) and all(
        any(name == other or (name.endswith(".") and other.startswith(name[:-1])) for other in there) for name in here
    )


def _is_known(name: str) -> bool:
    folded = name.casefold()
    if name in _ABBREVIATIONS or folded in known_authors():
        return True
    if folded.endswith("."):
        return len(folded) > _SHORTEST_PREFIX and folded[:-1] in _stems() | known_authors()
    # 'Herrich-Schäffer' by its parts; 'd'Orchymont' without its particle.
    parts = re.split(r"[-’']", folded)
    return len(parts) > 1 and all(part in known_authors() for part in parts if len(part) > 1)


def _read(text: str) -> tuple[list[str], bool, bool] | None:
    """Surnames; whether initials that are no points of the compass, or a personal particle, precede one; or None."""
    plain = _YEAR.sub(" ", text)
    if any(mark.isdigit() or mark in '_/?=<>{}!#*+:"“”' for mark in plain) or not _balanced(text):
        return None
    plain = " ".join(re.sub(r"[()\[\]]", " ", plain).split()).strip(" ,;")
    if not plain:
        return None
    persons: list[str] = []
    given = particles = False
    for part in _BETWEEN.split(plain):
        found = _person(part.strip(" ,"), bool(persons))
        if found is None:
            return None
        persons += found[0]
        given |= found[1]
        particles |= found[2]
    return (persons, given, particles) if persons else None


def _person(text: str, following: bool) -> tuple[list[str], bool, bool] | None:
    """The surnames of one person, or None if the text has not the form of a person's name."""
    words = _INITIALS_JOINED.sub(" ", text).split(" ")
    names: list[str] = []
    given = particle = False
    for word in words:
        bare = word.rstrip(",").replace("’", "'")
        if bare in _PARTICLES or (bare in _CAPITAL_PARTICLES and bare != words[-1].rstrip(",")):
            particle |= bare in _PERSONAL
        elif (bare in _OTHERS and (following or names)) or (names and _SUFFIX.fullmatch(bare)):
            continue
        elif bare in _ABBREVIATIONS and len(words) == 1:
            names.append(bare)
        elif _INITIAL.fullmatch(bare) and bare[0].isupper():
            given |= bare[0] not in _COMPASS or len(bare) > 2
        elif _is_surname(bare):
            names.append(bare)
            # 'd'Orchymont', but not 'O'Neill', of which the first letter is part of the name.
            particle |= bare.startswith("d'")
        else:
            return None
    if not names:
        # 'Müller, O. F.': the initials follow the comma.
        return ([], given, particle) if following and (given or text in _OTHERS) else None
    return (names, given, particle) if len(names) <= 4 else None


def _is_surname(word: str) -> bool:
    """Capitalised, of two letters or more; in capitals only if it is long enough and can be spoken."""
    if not _SURNAME.fullmatch(word):
        return False
    letters = re.sub(r"^(?:[dDlL]|de)['’]", "", word).rstrip(".")
    if len(letters) < 2 or not letters[0].isupper():
        return False
    if letters.isupper():
        spoken = any(letter in _VOWELS for letter in letters.casefold())
        return len(letters) >= _SHORTEST_CAPITALS and spoken and not _ROMAN.fullmatch(letters)
    return True


def _balanced(text: str) -> bool:
    """Whether the brackets match. 'Aus bus Smith [1775' is cut off, not an authorship."""
    expected: list[str] = []
    for mark in text:
        if mark in "([":
            expected.append(")" if mark == "(" else "]")
        elif mark in ")]" and (not expected or expected.pop() != mark):
            return False
    return not expected
