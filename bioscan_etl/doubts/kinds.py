"""The kinds of doubts: the rules of each, the facts that it rests on, and the decisions that settle it.

Belongs here: these entries. Does not belong here: finding doubts (`find`) and their state (`state`).

A rule that only informs (a barcode is short, blanks were removed) raises no doubt: nobody has to decide anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from bioscan_etl.vocabulary import RANKS

NO_GAP = "NO_BARCODE_GAP"
"""The rule about a name whose doubts no line answers that says of the name that its spelling is right."""
_PLACE = ("country_verbatim", "province_verbatim", "coord_verbatim")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of doubt.

    Attributes:
        title: its name on the pages.
        rules: ids of its gates and rules.
        facts: columns of `schema.SPECIMENS` that it rests on; empty: the doubt is not about one specimen.
        settled_by: actions that settle it; `accept`, `keep` and `reject` settle doubts of every kind.
    """

    title: str
    rules: tuple[str, ...]
    facts: tuple[str, ...] = ()
    settled_by: tuple[str, ...] = ()


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "report": Kind(
            "Users' reports",
            ("USER_REPORT",),
            # What a user sees of a specimen: another image or label needs another look.
            ("sha256", *RANKS, *_PLACE),
            ("relabel", "set", "box"),
        ),
        "image": Kind(
            "Images",
            (
                *("IMAGE_STATUS", "IMAGE_FLAG", "UNREADABLE_IMAGE", "EMPTY_IMAGE", "SEVERAL_SPECIMENS"),
                *("TOUCHES_BORDER", "FRAGMENT", "BLURRED", "BADLY_EXPOSED", "BRIGHTNESS_OUTLIER"),
                *("NO_ORGANISM_PIXELS", "UNCERTAIN_BIT_DEPTH"),
            ),
            ("sha256",),
            ("box",),
        ),
        "duplicate": Kind("Duplicate images", ("EXACT_DUPLICATE_IMAGE", "NEAR_DUPLICATE_IMAGE"), ("sha256",)),
        "conflict": Kind(
            "Conflicting labels",
            ("BARCODE_CONFLICT", "BIN_CONFLICT_CLEARED", "BIN_CONFLICT"),
            settled_by=("relabel",),
        ),
        "typo": Kind("Possible typos", ("NAME_TYPO_CANDIDATE",), settled_by=("merge", "relabel")),
        "species": Kind(
            "Species without a clear limit", ("BIN_SEVERAL_SPECIES", NO_GAP), settled_by=("merge", "relabel")
        ),
        "misplaced": Kind(
            "Misplaced barcodes", ("BARCODE_MISPLACED",), ("dna_barcode", "order"), settled_by=("relabel",)
        ),
        "label": Kind(
            "Labels",
            (
                *("OUT_OF_SCOPE", "NAME_DOUBTFUL", "SPECIES_GENUS_MISMATCH"),
                *("BARCODE_OUTVOTED", "BIN_OUTVOTED", "CURATOR_REJECTED"),
            ),
            (*RANKS, "dna_barcode"),
            ("relabel",),
        ),
        "place": Kind(
            "Places",
            (
                *("COUNTRY_MISMATCH", "COUNTRY_CODE_MISMATCH", "COUNTRY_FORMER", "COUNTRY_INVALID"),
                *("COUNTRY_COORDINATE_MISMATCH", "PRESUMED_SWAPPED_COORDINATE", "PRESUMED_NEGATED_LATITUDE"),
                *("PRESUMED_NEGATED_LONGITUDE", "COORDINATE_INVALID", "COORDINATE_OUT_OF_RANGE"),
            ),
            _PLACE,
            ("set",),
        ),
        "date": Kind(
            "Dates",
            (
                *("DATE_INVALID", "DATE_BEFORE_EARLIEST", "DATE_IN_FUTURE", "DATE_AFTER_UPLOAD"),
                "DATE_START_AFTER_END",
            ),
            ("collection_date_start", "collection_date_end"),
        ),
        "barcode": Kind(
            "Barcodes",
            (
                *("BARCODE_RUN_TOO_SHORT", "NO_OPEN_READING_FRAME", "REVERSE_COMPLEMENT", "HOMOPOLYMER"),
                *("LOW_COMPLEXITY", "BARCODE_LONG", "BARCODE_AMBIGUOUS", "BARCODE_SEVERAL_BINS"),
                "GAP_BREAKS_FRAME",
            ),
            ("dna_barcode", "dna_bin"),
        ),
        "missing": Kind("Missing parts", ("NO_IMAGE", "NO_BARCODE", "NO_BIN"), ("sha256", "dna_barcode", "dna_bin")),
    }
)
"""All kinds by name, in the order of the pages."""

OF_GROUPS = ("conflict", "typo", "species")
"""Kinds of which a doubt is about several specimens."""
BY_EVIDENCE = ("species",)
"""Kinds of which a doubt is also answered by a line about something else that has its evidence: one specimen of many is
misidentified, or the other one of two names is a synonym."""

IMAGE_STATUS_FLAGS = ("UNREADABLE_IMAGE", "EMPTY_IMAGE", "SEVERAL_SPECIMENS")
PRESUMED = ("PRESUMED_SWAPPED_COORDINATE", "PRESUMED_NEGATED_LATITUDE", "PRESUMED_NEGATED_LONGITUDE")
COVERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "IMAGE_STATUS": IMAGE_STATUS_FLAGS,
        "IMAGE_FLAG": ("BRIGHTNESS_OUTLIER", "NO_ORGANISM_PIXELS"),
        "EXACT_DUPLICATE_IMAGE": ("NEAR_DUPLICATE_IMAGE",),
        **dict.fromkeys(PRESUMED, ("COUNTRY_COORDINATE_MISMATCH",)),
    }
)
"""Rules that a rule says more exactly: a specimen with both has one doubt."""


def kind_of() -> dict[str, str]:
    """The kind of each rule that raises a doubt."""
    return {rule: name for name, kind in KINDS.items() for rule in kind.rules}
