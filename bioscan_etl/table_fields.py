"""Which column of a user's table is which field of a record.

Belongs here: the fields that the checks read, the names that people give to them, and which rule needs which field.
Does not belong here: the checks (`table`), and the layouts of BOLD's own files (`records.layouts`), whose aliases are
used here too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from bioscan_etl.errors import SourceError
from bioscan_etl.records.columnar import as_text
from bioscan_etl.records.layouts import ALIASES, COORD_PAIRS
from bioscan_etl.vocabulary import RANKS

FIELDS = (
    *("processid", "marker_code", "nuc", "nuc_basecount", "bin_uri", *RANKS),
    *("country/ocean", "country_iso", "province/state", "coord", "coord_source"),
    *("collection_date_start", "collection_date_end", "sequence_upload_date"),
)
"""Columns of `schema.RECORDS` that the checks read."""

_HALVES = ("coord-lat", "coord-lon")
_TARGETS = (*FIELDS, *_HALVES)
_EVENT_DATE, _SCIENTIFIC_NAME, _TAXON_RANK = "eventDate", "scientificName", "taxonRank"

_NAMES: tuple[tuple[str, str], ...] = (
    *((field, field) for field in FIELDS),
    *((name, field) for name, field in ALIASES if field in FIELDS),
    # A release of this project.
    ("dna_barcode", "nuc"),
    ("dna_bin", "bin_uri"),
    # Darwin Core and GBIF (rs.tdwg.org/dwc/terms); ranks have BOLD's names there.
    ("countryCode", "country_iso"),
    ("stateProvince", "province/state"),
    # What people write.
    ("sequence", "nuc"),
    ("bin", "bin_uri"),
)
_PAIRS = (*COORD_PAIRS, ("decimalLatitude", "decimalLongitude"), ("latitude", "longitude"))

_COUNTRY = "country/ocean|country_iso"
_DATES = "collection_date_start|collection_date_end"
_ANY_RANK = "|".join(RANKS)

NEEDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("TEXT_INVISIBLE", "TEXT_UNDECODABLE"), ("|".join(FIELDS),)),
    **dict.fromkeys(("NO_PROCESSID", "UNSAFE_PROCESSID", "DUPLICATE_MARKER_ROW"), ("processid",)),
    "OTHER_MARKER": ("marker_code",),
    **dict.fromkeys(
        (
            *("BARCODE_SHORT", "BARCODE_LONG", "BARCODE_AMBIGUOUS", "NO_OPEN_READING_FRAME", "REVERSE_COMPLEMENT"),
            *("HOMOPOLYMER", "LOW_COMPLEXITY", "INVALID_LETTERS", "GAP_REMOVED", "GAP_BREAKS_FRAME"),
        ),
        ("nuc",),
    ),
    "BASECOUNT_MISMATCH": ("nuc", "nuc_basecount"),
    "BIN_INVALID": ("bin_uri",),
    "BIN_WITHOUT_BARCODE": ("bin_uri", "nuc"),
    "BARCODE_SEVERAL_SPECIES": ("nuc", "species"),
    "BARCODE_SEVERAL_BINS": ("nuc", "bin_uri"),
    "BARCODE_MISPLACED": ("nuc", "order"),
    **dict.fromkeys(
        (
            *("NAME_UNICODE", "NAME_WHITESPACE", "NAME_QUOTES", "NAME_IS_NULL_WORD", "NAME_UNDETERMINED", "NAME_CASE"),
            *("NAME_AUTHORSHIP_DROPPED", "NAME_SUBGENUS_DROPPED", "NAME_QUALIFIER_DOTTED", "NAME_NORMALISED"),
        ),
        (_ANY_RANK,),
    ),
    "NAME_DOUBTFUL": ("genus|species",),
    "SPECIES_GENUS_MISMATCH": ("genus", "species"),
    **dict.fromkeys(
        ("COUNTRY_NORMALISED", "COUNTRY_UNRECOVERABLE", "COUNTRY_OCEAN", "COUNTRY_EXCEPTION"), ("country/ocean",)
    ),
    "COUNTRY_FROM_ISO": ("country_iso",),
    "COUNTRY_INVALID": (_COUNTRY,),
    "COUNTRY_MISMATCH": ("country/ocean", "country_iso"),
    "COUNTRY_CODE_MISMATCH": ("country/ocean", "country_iso", "coord"),
    "COUNTRY_TERRITORY": ("country/ocean", "country_iso"),
    "COUNTRY_FORMER": (_COUNTRY,),
    "PROVINCE_TRIMMED": ("province/state",),
    "PROVINCE_UNIFIED": ("province/state", _COUNTRY),
    **dict.fromkeys(
        ("COORDINATE_INVALID", "COORDINATE_OUT_OF_RANGE", "ZERO_COORDINATE", "COORDINATE_ROUNDED"), ("coord",)
    ),
    **dict.fromkeys(
        (
            *("COUNTRY_COORDINATE_MISMATCH", "PRESUMED_SWAPPED_COORDINATE"),
            *("PRESUMED_NEGATED_LATITUDE", "PRESUMED_NEGATED_LONGITUDE"),
        ),
        ("coord", _COUNTRY),
    ),
    "COUNTRY_CENTROID": ("coord", f"{_COUNTRY}|coord_source"),
    "PROVINCE_CENTROID": ("coord", "coord_source"),
    **dict.fromkeys(("DATE_INVALID", "DATE_SPREADSHEET_SERIAL", "DATE_BEFORE_EARLIEST"), (_DATES,)),
    "DATE_IN_FUTURE": (_DATES, "snapshot_date"),
    "DATE_AFTER_UPLOAD": (_DATES, "sequence_upload_date"),
    "DATE_START_AFTER_END": ("collection_date_start", "collection_date_end"),
}
"""The rules that a table is checked against, and the fields that each needs: all of them; of `a|b`, one."""

COMPARING = (
    *("BARCODE_SEVERAL_SPECIES", "BARCODE_SEVERAL_BINS", "BARCODE_MISPLACED"),
    *("PROVINCE_UNIFIED", "DUPLICATE_MARKER_ROW"),
)
"""Rules that compare the rows of the table with one another."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How a table is read.

    Attributes:
        read_as: field by input column; a column that holds two fields names both.
        unread: input columns that are not read.
        given: fields that the table has.
        texts: an expression per field of `FIELDS` that is given, text; `coord-lat` and `coord-lon` in place of `coord`
            if the two are separate.
    """

    read_as: Mapping[str, str]
    unread: tuple[str, ...]
    given: frozenset[str]
    texts: Mapping[str, pl.Expr]


def read_fields(schema: pl.Schema, columns: Mapping[str, str | None] | None = None) -> Reading:
    """Match columns to fields.

    A field takes the column that has its own name, else the first of its other names that is there; then the same
    again with case, blanks and punctuation left out of account. A column is one field at most, except `eventDate`.
    `scientificName` is the species; if there is a column `taxonRank`, only in rows where it says so.

    Args:
        schema: columns of the table.
        columns: field by input column, for names that are not known; None for a column that is not to be read.

    Raises:
        SourceError: `columns` names an unknown column or field, or two columns for one field.
    """
    names = schema.names()
    taken = _asked_for(names, columns or {})
    free = [name for name in names if name not in (columns or {})]
    exact = {name: name for name in reversed(free)}
    loose = {_folded(name): name for name in reversed(free)}
    for known, fold in ((exact, str), (loose, _folded)):
        _take(taken, known, fold)
    special = {}
    if not {"collection_date_start", "collection_date_end"} & set(taken.values()):
        special[_EVENT_DATE] = loose.get(_folded(_EVENT_DATE))
    if "species" not in taken.values():
        special[_SCIENTIFIC_NAME] = loose.get(_folded(_SCIENTIFIC_NAME))
    texts = {field: as_text(name, schema[name]) for name, field in taken.items()}
    read_as = {name: "coord" if field in _HALVES else field for name, field in taken.items()}
    if dates := special.get(_EVENT_DATE):
        # An interval is `start/end`; its bounds may have times.
        parts = as_text(dates, schema[dates]).str.split_exact("/", 1)
        start, end = parts.struct.field("field_0"), parts.struct.field("field_1")
        texts |= {"collection_date_start": start, "collection_date_end": pl.coalesce(end, start)}
        read_as[dates] = "collection_date_start and collection_date_end"
    if name := special.get(_SCIENTIFIC_NAME):
        text = as_text(name, schema[name])
        if rank := loose.get(_folded(_TAXON_RANK)):
            text = pl.when(as_text(rank, schema[rank]).str.strip_chars().str.to_lowercase() == "species").then(text)
            read_as[rank] = "species (which rows have one)"
        texts["species"] = text
        read_as[name] = "species"
    given = frozenset("coord" if field in _HALVES else field for field in texts)
    ordered = {name: read_as[name] for name in names if name in read_as}
    return Reading(ordered, tuple(name for name in names if name not in read_as), given, texts)


def unchecked(given: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Which rules the absence of a field leaves unchecked.

    Args:
        given: the fields that there are.

    Returns:
        Every field of `FIELDS` and `snapshot_date` that is not given, and the ids of rules that need it and that what
        is given does not settle; empty if only its own value is not checked.
    """
    have = set(given)
    absent = [field for field in (*FIELDS, "snapshot_date") if field not in have]
    return {
        field: tuple(
            rule
            for rule, needs in NEEDS.items()
            if any(field in need.split("|") and not have & set(need.split("|")) for need in needs)
        )
        for field in absent
    }


def _asked_for(names: Sequence[str], columns: Mapping[str, str | None]) -> dict[str, str]:
    """The field by column that the caller names."""
    taken: dict[str, str] = {}
    for name, field in columns.items():
        if name not in names:
            raise SourceError(f"the table has no column {name!r}; it has {', '.join(names)}")
        if field is None:
            continue
        if field not in _TARGETS:
            raise SourceError(f"{field!r}, asked for of column {name!r}, is no field; use {', '.join(_TARGETS)}")
        if field in taken.values():
            raise SourceError(f"two columns are asked to be {field}: {name!r} is the second")
        taken[name] = field
    halves = set(_HALVES) & set(taken.values())
    if len(halves) == 1 or (halves and "coord" in taken.values()):
        raise SourceError("give coord, or both coord-lat and coord-lon")
    return taken


def _take(taken: dict[str, str], known: Mapping[str, str], fold: Callable[[str], str]) -> None:
    """Add what is known by name, folded."""
    for name, field in _NAMES:
        column = known.get(fold(name))
        if column is not None and column not in taken and field not in taken.values():
            taken[column] = field
    if not {"coord", *_HALVES} & set(taken.values()):
        for pair in _PAIRS:
            halves = [known.get(fold(name)) for name in pair]
            if all(half is not None and half not in taken for half in halves):
                taken |= {str(half): target for half, target in zip(halves, _HALVES, strict=True)}
                break


def _folded(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())
