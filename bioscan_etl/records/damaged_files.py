"""Messages to users about damaged records files: one sentence per file.

Belongs here: the words for each kind of damage. Does not belong here: finding damage (`damage`, `translate`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bioscan_etl.lake.pins import Pin
from bioscan_etl.lake.store import Lake

WORDS: Mapping[str, str] = {
    "excel_dates": "dates have become the serial numbers of a spreadsheet",
    "shown_dates": "dates are in the display format of a spreadsheet",
    "cut_at_255": "sequences are cut at 255 characters",
    "scientific_ids": "identifiers are in scientific notation",
    "ids_as_dates": "identifiers have become dates",
    "text_undecodable": "letters could not be decoded",
    "cut_at_last_row": "the file ends at the last row of a spreadsheet",
    "cr_line_ends": "lines end in a carriage return alone",
    "other_encoding": "the text is not UTF-8",
    "other_separator": "fields are not separated by tabs",
    "quoted_fields": "fields are in quotes",
    "row_names": "rows begin with the row names of R",
}
"""Words for each kind of damage; its rule has the same name in upper case (`records.rules`)."""

_LETTERS = {"text_undecodable", "other_encoding"}


def damaged_files(lake: Lake, pin: Pin) -> dict[str, list[str]]:
    """A sentence for each damaged records file, by batch; batches without one are left out.

    Raises:
        LakeError: the records of a pinned batch are missing from the lake.
    """
    found = {
        name: sentences(record.output(lake, "raw_records").counts["sources"]) for name, record in pin.records.items()
    }
    return {name: said for name, said in found.items() if said}


def sentences(sources: Iterable[Mapping[str, Any]]) -> list[str]:
    """A sentence for each damaged file: what was found, in how many rows, and what to do.

    Args:
        sources: the files as in `Counts.as_dict`; uses `name` and `damage`.
    """
    return [_sentence(source["name"], source["damage"]) for source in sources if source["damage"]]


def _sentence(name: str, damage: Mapping[str, int]) -> str:
    found = ", ".join(
        f"{WORDS[kind]} ({kind.upper()}, {count:,} {'row' if count == 1 else 'rows'})" for kind, count in damage.items()
    )
    encoding = ", or set records.encoding if letters look wrong" if _LETTERS & set(damage) else ""
    return f"{name} is not as BOLD delivers it: {found}; fetch it again from BOLD if you can{encoding}"
