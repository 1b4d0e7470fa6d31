"""Corrections in the form of BOLD's template for specimen data: a table per worksheet, a row per Sample ID.

Belongs here: the headings, and the values under them. Does not belong here: which values curators corrected
(`for_bold`).

BOLD gives the template to people who submit, and prints its headings nowhere. They are known from programs that fill
it, independently of each other and with the same headings: zygoballus/inat2bold (`inat2bold.php`) and
fmichonneau/labmanager (`R/prepare_bold_data.R`). EOL's connector for MarineGEO (`MarineGEOAPI.php`, "BOLD 3.1") has
`Lat` and `Lon` instead of the last two, and the other headings the same.

Only headings are written of which the release knows what BOLD has, so that no cell is blank that is not blank at BOLD.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import polars as pl

from bioscan_etl.decisions.again import Reader
from bioscan_etl.decisions.for_bold import COLLECTION, PLACES, TAXONOMY, corrections_of
from bioscan_etl.io.tables import scan_parquet
from bioscan_etl.io.write import atomic_file
from bioscan_etl.lake.current import get
from bioscan_etl.lake.store import Lake
from bioscan_etl.quality.spreadsheet import escape_formulas
from bioscan_etl.vocabulary import RANKS

SAMPLE = "Sample ID"
TEMPLATE: Mapping[str, pl.Schema] = MappingProxyType(
    {
        TAXONOMY: pl.Schema(dict.fromkeys((SAMPLE, *(rank.capitalize() for rank in RANKS)), pl.String())),
        COLLECTION: pl.Schema(
            {
                **dict.fromkeys((SAMPLE, "Country/Ocean", "State/Province"), pl.String()),
                **dict.fromkeys(("Latitude", "Longitude"), pl.Float64()),
            }
        ),
    }
)
"""Headings of each worksheet."""

_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can state: the same corrections give the same bytes
# As the public data packages of BOLD write them, however many digits.
_COORD = r"^\[\s*(?<lat>-?\d+(?:\.\d+)?)\s*,\s*(?<lon>-?\d+(?:\.\d+)?)\s*\]$"
_PLACE_HEADINGS = {"country": "Country/Ocean", "province_state": "State/Province", "coord": "coord"}


def template(found: pl.DataFrame, specimens: pl.LazyFrame) -> dict[str, pl.DataFrame]:
    """The rows of each worksheet: what curators corrected, and beside it what BOLD has.

    Args:
        found: `for_bold.CORRECTIONS`.
        specimens: `schema.SPECIMENS`.

    Returns:
        By worksheet, the columns of `TEMPLATE`, by Sample ID. A record without a Sample ID is left out.
    """
    columns = {f"{rank}_verbatim": rank for rank in RANKS} | {at: field for field, (_, at) in PLACES.items()}
    has = (
        specimens.filter(pl.col("processid").is_in(found["processid"].unique().implode()))
        .select("processid", *(pl.col(at).alias(field) for at, field in columns.items()))
        .collect(engine="streaming")
    )
    return {sheet: _sheet(sheet, found.filter(pl.col("worksheet") == sheet), has) for sheet in TEMPLATE}


def _sheet(sheet: str, found: pl.DataFrame, has: pl.DataFrame) -> pl.DataFrame:
    """The rows of a worksheet."""
    names = (
        {rank: rank for rank in RANKS} if sheet == TAXONOMY else {field: name for field, (name, _) in PLACES.items()}
    )
    rows = found.select("processid", "sampleid").unique().drop_nulls("sampleid")
    rows = rows.join(has, on="processid", how="left")
    for field, name in names.items():
        given = found.filter(pl.col("field") == name).select("processid", "corrected", is_given=pl.lit(value=True))
        rows = rows.join(given, on="processid", how="left").with_columns(
            pl.when("is_given").then("corrected").otherwise(field).alias(field)
        )
        rows = rows.drop("corrected", "is_given")
    headed = rows.rename({"sampleid": SAMPLE, **{rank: rank.capitalize() for rank in RANKS}, **_PLACE_HEADINGS})
    if sheet == COLLECTION:
        parts = pl.col("coord").str.extract_groups(_COORD)
        headed = headed.with_columns(
            parts.struct.field(name).cast(pl.Float64()).alias(heading)
            for name, heading in (("lat", "Latitude"), ("lon", "Longitude"))
        )
    return headed.select(TEMPLATE[sheet].names()).cast(TEMPLATE[sheet]).sort(SAMPLE)


def as_zip(sheets: Mapping[str, pl.DataFrame]) -> bytes:
    """The worksheets as CSV (UTF-8, LF) that a spreadsheet does not run, in a zip with the same bytes each time."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for sheet, frame in sheets.items():
            archive.writestr(zipfile.ZipInfo(f"{sheet}.csv", _DATE), escape_formulas(frame).write_csv())
    return made.getvalue()


def template_of(lake: Lake, reader: Reader | None = None) -> tuple[bytes, int]:
    """The zip of a corpus, and the number of corrections in `for_bold`'s list.

    Args:
        lake: the corpus.
        reader: what has read the decisions before; None: all are read.

    Raises:
        LakeError: there are corrections, but no run has listed specimens yet.
    """
    found = corrections_of(lake, reader)
    if found.is_empty():
        return as_zip({sheet: schema.to_frame() for sheet, schema in TEMPLATE.items()}), 0
    specimens = scan_parquet(get(lake, "specimens").path("specimens.parquet"))
    return as_zip(template(found, specimens)), found.height


def write_template(lake: Lake, path: Path) -> int:
    """Write the zip of a corpus, atomically; returns the number of corrections.

    Raises:
        LakeError: there are corrections, but no run has listed specimens yet.
    """
    made, count = template_of(lake)
    with atomic_file(path) as stream:
        stream.write(made)
    return count
