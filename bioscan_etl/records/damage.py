"""Damage to a records file by a spreadsheet, counted from its columns.

Belongs here: recognising a file that was saved by a spreadsheet. Does not belong here: correcting values;
`bioscan_etl.geography` flags each date that is a serial number. Counts are rows of the file, of all
markers; each kind is declared in `records.rules` (spec: BOLD records).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from bioscan_etl.records.values import number

CELL = 255
"""Characters after which spreadsheets cut a text cell."""

SHEETS = (65_536, 1_048_576)
"""Rows of a spreadsheet, of Excel until 2003 and since; further rows are cut off."""

DATES = (
    "collection_date_start",
    "collection_date_end",
    "processid_minted_date",
    "bin_created_date",
    "sequence_upload_date",
)
IDENTIFIERS = ("sampleid", "fieldid", "museumid", "specimenid", "collection_event_id", "taxid", "insdc_acs")

# Days since 1899-12-30, from 1927 on: five digits, perhaps with an empty fraction.
_SERIAL = r"^[1-9]\d{4}(\.0+)?$"
# 2/28/2020, 28/02/20, 28-Feb-20, Feb-20: display formats. BOLD writes 2020-02-28 and, in 2023, 28-Feb-2020.
_SHOWN = r"^(\d{1,2}/\d{1,2}/(\d{2}|\d{4})|(\d{1,2}-)?[A-Z][a-z]{2}-\d{2})$"
# 1.2E+05: spreadsheets write the sign and two digits or more, identifiers of plates (12E05) do not.
_SCIENTIFIC = r"^-?\d(\.\d+)?E[+-]\d{2,}$"
# 1-Mar, Mar-01, 01-Mar-21: a spreadsheet converts identifiers such as MAR1 or 3-1 to these.
_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_IS_DATE = rf"^(\d{{1,2}}-({_MONTHS})(-\d{{2}}(\d{{2}})?)?|({_MONTHS})-\d{{2}})$"

_FEW = 2
_LENGTH = pl.col("nuc").str.len_bytes().fill_null(0)
_COUNTED = number(pl.col("nuc_basecount").filter(_LENGTH == CELL)).fill_null(0)


def _of_dates(name: str) -> tuple[pl.Expr, ...]:
    """Counts in a column of dates, each named by its kind and the column."""
    return _counts(name, serials=_SERIAL, shown_dates=_SHOWN)


def _of_identifiers(name: str) -> tuple[pl.Expr, ...]:
    """Counts in a column of identifiers, each named by its kind and the column."""
    return _counts(name, scientific=_SCIENTIFIC, dated=_IS_DATE)


def _counts(name: str, **patterns: str) -> tuple[pl.Expr, ...]:
    # Undamaged values, which are nearly all, are searched once for all kinds.
    odd = pl.col(name).filter(pl.col(name).str.contains("|".join(patterns.values())))
    return tuple(odd.str.contains(pattern).sum().alias(f"{kind} {name}") for kind, pattern in patterns.items())


@dataclass(slots=True)
class Damage:
    """Counts of one file, filled block by block."""

    serials: int = 0
    shown_dates: int = 0
    scientific: int = 0
    dated: int = 0
    at_cell: int = 0
    proven: int = 0
    beyond: int = 0
    recoded: int = 0
    form: dict[str, int] = field(default_factory=dict)

    def add(self, rows: pl.DataFrame) -> None:
        """Count in some rows.

        Args:
            rows: canonical columns, those that the file has.
        """
        found = rows.select(
            *(expression for name in DATES if name in rows.columns for expression in _of_dates(name)),
            *(expression for name in IDENTIFIERS if name in rows.columns for expression in _of_identifiers(name)),
            at_cell=(_LENGTH == CELL).sum(),
            beyond=(_LENGTH > CELL).sum(),
            proven=(_COUNTED > CELL).sum() if "nuc_basecount" in rows.columns else pl.lit(0),
            recoded=pl.col("flags").list.contains("TEXT_UNDECODABLE").sum() if "flags" in rows.columns else pl.lit(0),
        ).row(0, named=True)
        for name, count in found.items():
            kind = name.partition(" ")[0]
            setattr(self, kind, getattr(self, kind) + count)

    def found(self, rows_read: int = 0) -> dict[str, int]:
        """Count by kind of damage, without kinds that did not occur.

        `cut_at_255`: sequences of 255 characters whose own base count is greater; or all of that length, if
        the file has several and none that is longer. `cut_at_last_row`: all rows, if with the header they fill a
        spreadsheet.

        Args:
            rows_read: rows of the file.
        """
        cut = self.at_cell if self.at_cell >= _FEW and not self.beyond else self.proven
        counts = {
            "excel_dates": self.serials,
            "shown_dates": self.shown_dates,
            "cut_at_255": cut,
            "scientific_ids": self.scientific,
            "ids_as_dates": self.dated,
            "text_undecodable": self.recoded,
            "cut_at_last_row": rows_read if rows_read + 1 in SHEETS else 0,
            **dict(sorted(self.form.items())),
        }
        return {kind: count for kind, count in counts.items() if count}
