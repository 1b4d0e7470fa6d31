"""What kinds of values settings have, and which values of a kind can never work.

Belongs here: types of settings, their bounds, and the checks of texts and schedules. Does not belong here: the settings
themselves (`bioscan_etl.settings`).

Every number has two bounds and is finite, so that no setting turns a check off, asks for more than a computer has, or
meets a library with a number that it cannot hold. Texts are printable and not blank: they reach README.md, messages and
attributes of files.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from bioscan_etl.printable import printable

MOST_LETTERS = 1_000
MOST_ROWS = 100_000_000
MOST_BASES = 100_000
"""bp; no barcode of a marker gene is longer."""


class Section(BaseModel):
    """A table of settings: no unknown names, no conversion of one type to another, no infinite number."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _lists_are_tuples(cls, values: Any) -> Any:
        return _as_tuples(values)


def _as_tuples(value: Any) -> Any:
    """Lists as tuples, also those in lists and tables; anything else as it is."""
    if isinstance(value, dict):
        return {name: _as_tuples(one) for name, one in value.items()}
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value


def _visible(text: str) -> str:
    if printable(text) != text:
        raise ValueError(
            f"it has a line break, or a character that cannot be seen ({printable(text)[:80]}); write it without"
        )
    return text


def _worded(text: str) -> str:
    if not text.strip():
        raise ValueError("it is empty; write the text, or leave the setting out to take its default")
    return text


Line = Annotated[str, Field(max_length=MOST_LETTERS), AfterValidator(_visible)]
"""A text of one line, perhaps empty."""
Text = Annotated[Line, AfterValidator(_worded)]
"""A text of one line that says something."""


def _whole(value: Any) -> Any:
    # To pydantic, true is the literal 1, and it cannot compare a literal with an integer beyond 64 bits.
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) >= 1 << 63):
        return json.dumps(value)
    return value


GeneticCode = Annotated[Literal[1, 2, 5, 9, 13], BeforeValidator(_whole)]
"""Number of a genetic code at the NCBI."""
Share = Annotated[float, Field(ge=0, le=1)]
Byte = Annotated[int, Field(ge=0, le=255)]
Kilometres = Annotated[float, Field(ge=0, le=20_040)]
"""km; the upper bound is half the way around the Earth."""
Bases = Annotated[int, Field(ge=1, le=MOST_BASES)]
Rows = Annotated[int, Field(ge=1, le=MOST_ROWS)]
Minutes = Annotated[float, Field(ge=0, le=527_040)]
"""The upper bound is a year."""
Seconds = Annotated[float, Field(ge=0, le=86_400)]
"""The upper bound is a day."""
Days = Annotated[int, Field(ge=1, le=36_500)]
"""The upper bound is a century."""
WebAddress = Annotated[Line, Field(pattern=r"^https?://[^\s/?#]+(/[^\s?#]+)*$")]

OptionalAddress = Annotated[Line, Field(pattern=r"^(https?://[^\s/?#@]+(/[^\s/?#]+)*/?)?$")]
"""A web address without a name, a password or a query, or nothing."""
MailAddress = Annotated[
    Line,
    Field(pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$"),
]
"""A plain mail address, in the form that browsers accept in a form (WHATWG HTML)."""

# First and last value of each field of a cron schedule, and the names that stand for values.
_CRON = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_PART = re.compile(r"(\*|([a-z0-9]+)(?:-([a-z0-9]+))?)(?:/(\d{1,2}))?", re.IGNORECASE)


def _schedule(text: str) -> str:
    fields = text.split(" ")
    if text and not (len(fields) == len(_CRON) and all(map(_is_cron, fields, range(len(_CRON))))):
        raise ValueError(
            "it is no cron schedule: write minute, hour, day of the month, month and day of the week, such as "
            "0 2 * * * for each night at two; leave it empty for none"
        )
    return text


def _is_cron(field: str, place: int) -> bool:
    low, high = _CRON[place]
    for part in field.split(","):
        found = _PART.fullmatch(part)
        if found is None or found[4] == "0" * len(found[4] or "x"):
            return False
        ends = [_number(end, place) for end in found.group(2, 3) if end is not None]
        if not all(low <= end <= high for end in ends) or ends != sorted(ends):
            return False
    return True


def _number(text: str, place: int) -> int:
    """A value of a field of a schedule; -1 if it is none."""
    names = {3: _MONTHS, 4: _DAYS}.get(place, ())
    if text.lower() in names:
        return names.index(text.lower()) + (place == 3)
    return int(text) if text.isdecimal() and text.isascii() and len(text) <= 2 else -1


Cron = Annotated[Line, AfterValidator(_schedule)]
"""A cron schedule of five fields, or nothing."""

_DATABASE = "postgresql+psycopg2://user@host:5432/name"
_DRIVERS = ("postgresql", "postgresql+psycopg2")


def _without_password(text: Any) -> Any:
    """Refuse an address of a database that cannot work or may hold a password; the messages never quote it."""
    if not isinstance(text, str):
        raise ValueError("it must be a text")
    if not text:
        return text
    wrong = f"it is no address of a PostgreSQL database: write {_DATABASE}, without a password"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(wrong) from None
    options = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    if parts.password is not None or options & {"password", "sslpassword"}:
        raise ValueError(
            "it holds a password, and settings are read by others: leave it out here, and put it into ~/.pgpass of the "
            "user that runs bioscan-etl; docs/deploy.md says how"
        )
    # What stands in a wrong place, such as a / or # of a password, is not taken for another part of the address.
    misplaced = parts.fragment or "@" in parts.path + parts.query or printable(text) != text or port == 0
    if misplaced or parts.scheme not in _DRIVERS or not re.fullmatch(r"/[A-Za-z0-9_.-]+", parts.path):
        raise ValueError(wrong)
    return text


Database = Annotated[str, Field(max_length=MOST_LETTERS), BeforeValidator(_without_password)]
"""The address of a PostgreSQL database without a password, or nothing."""


def require_order(low: Any, high: Any, names: tuple[str, str]) -> None:
    """Check that a minimum is not above its maximum.

    Raises:
        ValueError: it is; pydantic names the section.
    """
    if low > high:
        raise ValueError(
            f"{names[0]} ({low}) is above {names[1]} ({high}), so that no value passes; exchange or change them"
        )
