"""Corrections for BOLD: what curators set, specimen by specimen, beside what BOLD delivered.

Belongs here: the list, and its form. Does not belong here: applying decisions to a release.

BOLD takes updates of records as spreadsheets that name each record by its Sample ID and hold the values to change; its
template has a worksheet for taxonomy and one for collection data (BOLD Handbook, chapter Submissions, "Specimen Data
Submission Protocol" and "Update Specimen Data Protocol",
http://uni.boldsystems.org/index.php/resources/handbook?chapter=3_submissions.html). Only people with access to a
project can upload them, and each column needs its own cell. So this list has a row per value, with the worksheet that
it goes into and the field's name in the public data packages of BOLD (BCDM), to be filtered and pasted or sent to the
owner of the record.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import polars as pl

from bioscan_etl.barcodes.identity import barcode_identity
from bioscan_etl.decisions.again import Reader
from bioscan_etl.decisions.standing import standing
from bioscan_etl.decisions.values import coordinates
from bioscan_etl.decisions.vocabulary import BARCODE_OF
from bioscan_etl.io.tables import scan_parquet
from bioscan_etl.io.write import atomic_file
from bioscan_etl.lake.current import get
from bioscan_etl.lake.store import Lake
from bioscan_etl.quality.spreadsheet import escape_formulas
from bioscan_etl.vocabulary import RANKS

TAXONOMY, COLLECTION = "Taxonomy", "Collection Data"
PLACES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "country": ("country/ocean", "country_verbatim"),
        "province_state": ("province/state", "province_verbatim"),
        "coord": ("coord", "coord_verbatim"),
    }
)
"""Of a field of `set`: its name at BOLD, and the column of `schema.SPECIMENS` with what BOLD delivered."""

CORRECTIONS = pl.Schema(
    {
        "processid": pl.String(),
        "sampleid": pl.String(),
        "worksheet": pl.String(),
        "field": pl.String(),
        "delivered": pl.String(),
        "corrected": pl.String(),
        "reason": pl.String(),
        "note": pl.String(),
        "curator": pl.String(),
        "date": pl.String(),
    }
)
"""Columns of the list. `field` is a name of BCDM; a `corrected` that is null clears the value."""

_CORRECTING = ("relabel", "set", "merge")
_IGNORED = ("left_out", "unknown", "repeats")
_WHO = ("reason", "note", "curator", "date")


def corrections(lines: pl.DataFrame, specimens: pl.LazyFrame) -> pl.DataFrame:
    """The values that lines set, specimen by specimen; of several lines about one value, the most specific counts.

    Args:
        lines: of `schema.DECISIONS`, those that apply.
        specimens: `schema.SPECIMENS`.

    Returns:
        `CORRECTIONS`, by process ID and field; what BOLD says already is left out.
    """
    changing = lines.filter(pl.col("action").is_in(_CORRECTING))
    if changing.is_empty():
        return CORRECTIONS.to_frame()
    known = _concerned(changing, specimens)
    is_merge = pl.col("action") == "merge"
    cells = pl.concat([_cells(changing.filter(~is_merge), known), _merged(changing.filter(is_merge), known)])
    chosen = cells.sort("processid", "field", "depth", "date", "id").unique(
        ["processid", "field"], keep="last", maintain_order=True
    )
    return _listed(chosen, known).select(CORRECTIONS.names()).cast(CORRECTIONS)


def _concerned(lines: pl.DataFrame, specimens: pl.LazyFrame) -> pl.DataFrame:
    """The specimens that lines name, by themselves or in a group."""
    group = lines["group"].drop_nulls()
    named = group.filter(group.str.starts_with(BARCODE_OF)).str.strip_prefix(BARCODE_OF)
    identity = barcode_identity(pl.col("dna_barcode"))
    letters = specimens.filter(pl.col("processid").is_in(named.implode())).select(identity).collect()
    which = [
        pl.col("processid").is_in(lines["processid"].drop_nulls().unique().implode()),
        pl.col("dna_bin").is_in(group.unique().implode()),
    ]
    if letters.height:
        which.append(identity.is_in(letters.to_series().drop_nulls().unique().implode()))
    for rank in RANKS:
        names = lines.filter(pl.col("rank") == rank)["name"].unique()
        if len(names):
            which.append(pl.col(rank).is_in(names.implode()))
    columns = ("processid", "sampleid", "dna_bin", *RANKS, *(f"{rank}_verbatim" for rank in RANKS))
    return (
        specimens.filter(pl.any_horizontal(one.fill_null(value=False) for one in which))
        .select(*columns, *(before for _, before in PLACES.values()), barcode=identity)
        .collect(engine="streaming")
    )


def _cells(lines: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """A row per specimen and line about it, with `depth`: the larger, the more specific."""
    columns = ["id", "field", "value", *_WHO]
    found = []
    for depth, rank in enumerate(RANKS):
        of_rank = lines.filter(pl.col("rank") == rank).select(*columns, "name")
        found.append((of_rank.join(known, left_on="name", right_on=rank, how="inner"), depth))
    grouped = lines.filter(pl.col("group").is_not_null()).select(*columns, "group")
    found.append((grouped.join(known, left_on="group", right_on="dna_bin", how="inner"), len(RANKS)))
    members = grouped.with_columns(member=pl.col("group").str.strip_prefix(BARCODE_OF))
    barcodes = members.join(known.select("barcode", member="processid"), on="member", how="inner").drop_nulls("barcode")
    found.append((barcodes.join(known, on="barcode", how="inner"), len(RANKS) + 1))
    own = lines.filter(pl.col("processid").is_not_null()).select(*columns, "processid")
    found.append((own.join(known, on="processid", how="inner"), len(RANKS) + 2))
    return pl.concat(hits.select("processid", *columns, depth=pl.lit(depth)) for hits, depth in found)


def _merged(lines: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The same for lines that merge a spelling, with the species of a merged genus and the genus of a merged species.

    Depth -1: labels are set after spellings are merged.
    """
    after = {(rank, name): value for rank, name, value in lines.select("rank", "name", "value").iter_rows()}
    rows = []
    for line in lines.iter_rows(named=True):
        seen, end = {line["name"]}, line["value"]
        while (following := after.get((line["rank"], end))) and end not in seen:
            seen.add(end)
            end = following
        for one in known.filter(pl.col(line["rank"]) == line["name"]).select("processid", "species").iter_rows():
            rows.append((one[0], line["rank"], end, line))
            if line["rank"] == "genus" and one[1]:
                rows.append((one[0], "species", f"{end} {one[1].partition(' ')[2]}", line))
            elif line["rank"] == "species" and end.partition(" ")[0] != line["name"].partition(" ")[0]:
                rows.append((one[0], "genus", end.partition(" ")[0], line))
    cells = [
        {
            "processid": processid,
            "id": line["id"],
            "field": field,
            "value": value,
            **{name: line[name] for name in _WHO},
        }
        for processid, field, value, line in rows
    ]
    columns = ("processid", "id", "field", "value", *_WHO)
    return pl.DataFrame(cells, schema=dict.fromkeys(columns, pl.String)).with_columns(depth=pl.lit(-1, pl.Int32))


def _listed(cells: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    names = {**{rank: rank for rank in RANKS}, **{field: name for field, (name, _) in PLACES.items()}}
    delivered = {**{rank: f"{rank}_verbatim" for rank in RANKS}, **{field: at for field, (_, at) in PLACES.items()}}
    before: pl.Expr = pl.lit(None, pl.String)
    for field, column in delivered.items():
        before = pl.when(pl.col("field") == field).then(column).otherwise(before)
    is_coord = pl.col("field") == "coord"
    value = (
        pl.when(is_coord).then(pl.col("value").map_elements(_as_delivered, return_dtype=pl.String)).otherwise("value")
    )
    rows = cells.join(known, on="processid", how="left", maintain_order="left").with_columns(
        delivered=before,
        corrected=value,
        worksheet=pl.when(pl.col("field").is_in(RANKS)).then(pl.lit(TAXONOMY)).otherwise(pl.lit(COLLECTION)),
    )
    order = {field: place for place, field in enumerate(names)}
    return (
        rows.filter(pl.col("delivered").ne_missing(pl.col("corrected")))
        .sort("processid", pl.col("field").replace_strict(order, return_dtype=pl.Int32))
        .with_columns(field=pl.col("field").replace_strict(names, return_dtype=pl.String))
    )


def _as_delivered(value: str) -> str:
    """Coordinates in the notation of the public data packages.

    >>> _as_delivered("9.93, -84.08")
    '[9.93, -84.08]'
    """
    both = coordinates(value)
    return value if both is None else f"[{both[0]}, {both[1]}]"


def corrections_of(lake: Lake, reader: Reader | None = None) -> pl.DataFrame:
    """The corrections of a corpus, by the decisions as they are now and the specimens of the last run.

    Args:
        lake: the corpus.
        reader: what has read the decisions before; None: all are read.

    Raises:
        LakeError: there are corrections, but no run has listed specimens yet.
    """
    lines = standing(lake, reader).lines.filter(~pl.col("status").is_in(_IGNORED), pl.col("action").is_in(_CORRECTING))
    if lines.is_empty():
        return CORRECTIONS.to_frame()
    return corrections(lines, scan_parquet(get(lake, "specimens").path("specimens.parquet")))


def as_csv(found: pl.DataFrame) -> bytes:
    """`CORRECTIONS` as CSV (UTF-8, LF) that a spreadsheet does not run."""
    return escape_formulas(found).write_csv().encode()


def write_corrections(lake: Lake, path: Path) -> int:
    """Write the corrections of a corpus as CSV, atomically; returns the number of rows.

    Raises:
        LakeError: there are corrections, but no run has listed specimens yet.
    """
    found = corrections_of(lake)
    with atomic_file(path) as stream:
        stream.write(as_csv(found))
    return found.height
