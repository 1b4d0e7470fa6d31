"""Open nomenclature, and the GBIF name type of a name.

Belongs here: the words that authors and laboratories put into names of unidentified and undescribed taxa, and what they
mean. Does not belong here: changing a name (`nametext`).

The words are those of Sigovini, Keppel & Tagliapietra (2016), Open Nomenclature in the biodiversity era, and of GBIF's
vocabulary NameType, with the spellings that BOLD's records have.
"""

from __future__ import annotations

import re

LOWER = "a-zß-öø-ÿœšžč"
UPPER = "A-ZÀ-ÖØ-ÞŒŠŽČ"

# Between genus and epithet, or before a whole name: the identification is uncertain or the taxon only similar.
QUALIFIER = r"(?:cf|cfr|conf|aff|nr|near|prope|prox|gr|grp|cfr|sp)\.?"
# After an epithet: more than one species, or a species in a wider or narrower sense.
_SEVERAL = r"(?:gr|grp|grps|group|agg|aggr|aggregate|complex|cplx|cpx)"
IN_A_SENSE = (
    r"(?:s\. ?l(?:at(?:o|iss)?)?\.?|s\. ?(?:s|str|stricto)\.?|sensu (?:lato|stricto)|sens\. ?(?:lat|str)\.|"
    r"sensu auctt?\.|auctt?\.)"
)
CONCEPT = rf"(?:(?:species )?{_SEVERAL}\.?|{IN_A_SENSE})"

# Stages, sexes and their remains. The Latin words pupa and imago are epithets too, as in Mastus pupa.
STAGE = (
    r"larvae?|larval|pupae|pupal|nymphs?|nymphal|juvs?|juveniles?|immatures?|imm|adults?|females?|males?|eggs?|instars?|"
    r"exuviae?|puparium|puparia|cocoons?|subimago"
)
_CORE = (
    rf"spp?|spec|specs|species|indet|undet|undetermined|unidentified|unknown|unident|undescribed|unnamed|unspecified|"
    rf"ined|{STAGE}"
)
_BESIDE = r"n|nov|nova|novum|gen|et|pupa|imago|inc|incertae|sedis|det|det\.?|or|and|stage|new"
_UNDETERMINED = re.compile(
    rf"\S+(?: \(\S+\))?(?:(?= (?:.* )?(?:{_CORE})\b)(?: (?:{_CORE}|{_BESIDE})\.?(?=$| )| [♀♂?()]+)+| [♀♂?]+)",
    re.IGNORECASE,
)
OTU = re.compile(r"BOLD:[A-Z]{3,5}\d{4}\b|\bSH\d{6,}|\bOTU[ _-]?\d+|\bASV[ _-]?\d+", re.IGNORECASE)
# A sign before an epithet without a blank is a named hybrid, not a formula of two parents.
HYBRID = re.compile(r"^×|×(?= |$)|\S×|\S x \S|×\S+ [×x] ")
DOUBT = re.compile(r"[?/\"“”«»\[\]{}=<>!;\ufffd♀♂]|^'|'$")
INFORMAL = re.compile(
    r"(?:^|\s)(?:n\.?\s?sp|sp|spp|spec|cf|cfr|conf|aff|nr|near|prope|prox|indet|undet|ined|species|undescribed|"
    rf"{_SEVERAL})(?:\.|\s|$)"
    rf"|[{LOWER}]-{_SEVERAL}(?:\.|\s|$)"
    r"|\s(?:ssp|subsp)\.?(?=$|\s(?-i:[A-Z0-9]))"
    # As a qualifier 'affinis' precedes a name or a code. After a genus alone it is an epithet, as in 'affinis affinis'.
    rf"|^\S+ affinis (?:to |(?-i:[A-Z]*\d|[A-Z]{{2,}}\b|(?!affinis$)[{LOWER}]{{3,}}(?:\s|$)))"
    r"|\bin litt\b|\bi\. ?l\.|\s(?:MS|ms)\.?$|\bnom(?:en|\.) ?(?:nud|dub)",
    re.IGNORECASE,
)
# The hand-typed 'Malaise' and its misspellings, as partitioning recognises them.
MALAISE = re.compile(r"[mM]+[aA]+[lLiI]+[aA]+[iIlL]+[sSzZ]+[eE]+")
EPITHET = rf"(?:\d+-)?[{LOWER}]{{2,}}(?:-[{LOWER}]+)*|[{LOWER}]-[{LOWER}]+(?:-[{LOWER}]+)*"
SCIENTIFIC = {
    "genus": re.compile(rf"[{UPPER}][{LOWER}]+(?:-[A-Za-zß-ÿ]+)?"),
    "species": re.compile(
        rf"[{UPPER}][{LOWER}]+(?:-[{LOWER}]+)? ×?(?:{EPITHET})"
        rf"(?: (?:(?:var|subsp|ssp|f|ab|morph)\.? )?(?:{EPITHET}))?(?: {IN_A_SENSE})?"
    ),
}
# Words after a binomial that are no epithet of a subspecies.
_NO_SUBSPECIES = re.compile(
    rf"\S+ (?:{EPITHET}) (?:.* )?(?:(?:{STAGE}|pupa|imago|"
    r"form|type|morph|variant|clade|lineage|biotype|race|strain|haplotype|population|colou?r|and|or|et|in|"
    r"ex|de|von|van|der|to|hybrid|unknown|unidentified|new|cryptic)(?:\.?$| )|(?:var|ab|ssp|subsp|f)\.?(?:$| [A-Z\d]))"
    r".*"
)
_PLACEHOLDER = re.compile(r"\d|_|[A-Z][A-Z]|[a-z][A-Z]")
# A binomial and a word with a capital that is no author: a place, a person, a letter.
_TAGGED = re.compile(rf"[{UPPER}][{LOWER}-]+ (?:{EPITHET})(?: .*)? \(?[{UPPER}].*")


def is_undetermined(text: str) -> bool:
    """Whether a species name only says that the species of its genus is not known.

    >>> is_undetermined("Tipula sp."), is_undetermined("Tipula n.sp."), is_undetermined("Tipula sp. 5ES")
    (True, True, False)
    """
    return bool(_UNDETERMINED.fullmatch(" ".join(text.replace(".", ". ").split())))


def name_type(text: str, rank: str) -> str:
    """GBIF's name type of a normalised name (source: GBIF NameType vocabulary).

    OTU names a BIN or another cluster; INFORMAL has open nomenclature (sp., cf., aff., nr., group); PLACEHOLDER has a
    code, letter, place or person made up for an undescribed taxon (Wood421, Oeneis melissa Norilsk); DOUBTFUL has no
    known form. A formula of two epithets with x is a hybrid.

    Args:
        text: the name, trimmed.
        rank: genus forms are judged at every rank but species.
    """
    kinds = (("OTU", OTU), ("HYBRID_FORMULA", HYBRID), ("DOUBTFUL", DOUBT), ("INFORMAL", INFORMAL))
    for kind, pattern in kinds:
        if pattern.search(text):
            return kind
    if MALAISE.search(text) and not SCIENTIFIC["species"].fullmatch(text):
        return "PLACEHOLDER"
    if rank == "species" and _NO_SUBSPECIES.fullmatch(text):
        return "INFORMAL"
    if SCIENTIFIC["species" if rank == "species" else "genus"].fullmatch(text):
        return "SCIENTIFIC"
    if _PLACEHOLDER.search(text) or (rank == "species" and _TAGGED.fullmatch(text)):
        return "PLACEHOLDER"
    return "DOUBTFUL"
