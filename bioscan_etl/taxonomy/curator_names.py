"""Is a label that a curator writes a name?

Belongs here: why a label is refused, and what to write instead. Does not belong here: the other cells of a curators'
line (`bioscan_etl.decisions`), and which names exist: curators may add names that no record has.
"""

from __future__ import annotations

import re

from bioscan_etl.taxonomy.nametext import normalise_name

_MARKUP = re.compile(r"[<>]|&#?\w+;")
_NO_TEXT = frozenset({"NAME_UNICODE", "NAME_WHITESPACE"})
# The endings of names of the family group (ICZN 29.2).
_ENDINGS = {"family": "idae", "subfamily": "inae"}
_FORMS = {
    "species": "write genus and epithet, or a placeholder with a code, such as Chironomus sp. 5ES",
    "genus": "write one capitalised word, or a placeholder with a code, such as zygJanzen01",
}
_FORM = "write one capitalised word"


def label_problem(label: str, rank: str) -> str | None:
    """Say what is wrong with a curator's label, and how to mend it; None if nothing is.

    A label is checked like a delivered one: it must have the form of a name of its rank, and normalising must not
    change it.

    Args:
        label: the label, not empty.
        rank: one of `vocabulary.RANKS`.

    >>> label_problem("Tanytarsus bus", "species")
    >>> label_problem("Tanytarsus bus Smith, 1990", "species")
    "value 'Tanytarsus bus Smith, 1990' is not a clean species name (NAME_AUTHORSHIP_DROPPED); write 'Tanytarsus bus'"
    """
    if _MARKUP.search(label):
        return f"value {label!r} contains markup (<, > or &…;); write the plain name"
    result = normalise_name(label, rank)
    if result.name is None:
        return f"value {label!r} means 'not known'; leave the value empty to clear the label"
    if result.steps:
        return _unclean(label, rank, [rule for rule, _ in result.steps], result.name)
    ending = _ENDINGS.get(rank, "")
    if result.type == "DOUBTFUL" or (rank not in _FORMS and result.type != "SCIENTIFIC"):
        return f"value {label!r} has not the form of a {rank} name; {_FORMS.get(rank, _FORM)}"
    if not label.endswith(ending):
        return f"value {label!r} is no {rank} name: these end in -{ending}; check the value and the field"
    return None


def _unclean(label: str, rank: str, rules: list[str], clean: str) -> str:
    if set(rules) <= _NO_TEXT and not (label.isascii() and label.isprintable()):
        return f"value {label!r} contains invisible or decomposed characters; write {clean!r}"
    return f"value {label!r} is not a clean {rank} name ({', '.join(dict.fromkeys(rules))}); write {clean!r}"
