"""The words of a decision: actions, the fields that they concern, and reasons.

Belongs here: the closed vocabularies, each word with its meaning. Does not belong here: reading a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import polars as pl

from bioscan_etl.schema import DECISION_COLUMNS
from bioscan_etl.vocabulary import RANKS

COLUMNS = tuple(column.name for column in DECISION_COLUMNS)
"""Columns of a file of decisions."""

REQUIRED = ("action", "reason", "curator", "date")
"""Columns that a file must have, and every line must fill."""

LIFTABLE = ("IMAGE_STATUS", "IMAGE_FLAG", "OUT_OF_SCOPE", "BARCODE_RUN_TOO_SHORT", "NO_BIN")
"""Gates that `accept` can open. A specimen without image or barcode has nothing to release."""

SETTABLE = ("country", "province_state", "coord")
"""Fields that `set` changes; `coord` is latitude and longitude."""

BARCODE_OF = "barcode:"
"""Prefix of a group of one barcode, named by the process ID of one of its specimens."""


SPELLING_RULE = "NAME_TYPO_CANDIDATE"
"""Rule of the doubt whether a name is spelt rightly."""


def keeps_spelling() -> pl.Expr:
    """Whether a line says of a name that its spelling is right: it keeps the name, and names no other rule."""
    of_spelling = pl.col("field").is_null() | (pl.col("field") == SPELLING_RULE)
    return (pl.col("action") == "keep") & pl.col("name").is_not_null() & of_spelling


@dataclass(frozen=True, slots=True)
class Action:
    """An action.

    Attributes:
        meaning: what it does.
        targets: how a line can name what it is about: specimen, name or group.
        fields: what `field` can be; empty: it must be blank.
        blank_field: whether `field` can be blank.
        value: what `value` is: `none` (blank), `some`, or `any` (blank clears).
    """

    meaning: str
    targets: tuple[str, ...]
    fields: tuple[str, ...] = ()
    blank_field: bool = True
    value: str = "none"


ACTIONS: Mapping[str, Action] = MappingProxyType(
    {
        "accept": Action(
            "Release the specimen although it fails this gate; blank: although it fails any gate that can be opened.",
            ("specimen",),
            LIFTABLE,
        ),
        "reject": Action("Keep the specimen out of releases.", ("specimen",)),
        "relabel": Action(
            "Give the label of this rank; blank clears it. It wins over every rule.",
            ("specimen", "name", "group"),
            RANKS,
            blank_field=False,
            value="any",
        ),
        "set": Action(
            "Give the value of this field; blank clears it.",
            ("specimen",),
            SETTABLE,
            blank_field=False,
            value="any",
        ),
        "box": Action(
            "The specimen's box in its image: left, top, right and bottom edge in pixels, right and bottom exclusive.",
            ("specimen",),
            value="some",
        ),
        "merge": Action("The name is a wrong spelling of this one.", ("name",), value="some"),
        # Its fields are ids of rules and gates, which the list of doubts holds.
        "keep": Action(
            "The doubt of this rule is settled: nothing changes. For a name, blank: the spelling is right.",
            ("specimen", "name", "group"),
            ("*",),
        ),
    }
)
"""Actions by name."""

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "no_insect": "The image shows no insect.",
        "not_clearly_visible": "The specimen cannot be seen clearly.",
        "broken": "The specimen is broken, or parts of it are missing.",
        "several_insects": "The image shows several insects.",
        "wrongly_cropped": "The crop misses a part of the specimen, or shows too much around it.",
        "wrong_metadata": "Place, date or another field is wrong.",
        "contested_label": "The label is contested.",
        "deeper_label": "The specimen can be identified to a deeper rank.",
        "misidentified": "The label is wrong.",
        "spelling": "The name is misspelt.",
        "synonym": "The name is a synonym.",
        "contamination": "The barcode is that of another organism.",
        "checked": "The evidence was examined and is sound.",
        "other": "None of these; see the note.",
    }
)
"""Reasons by name."""
