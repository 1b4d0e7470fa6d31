"""Check a user's table of records: barcodes, names, places and dates, without a lake.

Belongs here: from any table to its checked values and flags beside it. Does not belong here: the checks, which are the
functions that the pipeline's stages call, and the names of columns (`table_fields`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from bioscan_etl.barcodes.check import barcode_changes, check_barcodes
from bioscan_etl.barcodes.corpus import corpus_flags
from bioscan_etl.barcodes.placement import place
from bioscan_etl.changes import number_changes
from bioscan_etl.errors import SourceError
from bioscan_etl.flags import count_flags, flags_from
from bioscan_etl.geography.changes import geography_changes
from bioscan_etl.geography.check import check_geography
from bioscan_etl.geography.provinces import unify_provinces
from bioscan_etl.records.blocks import canonical, part_unfit
from bioscan_etl.records.changes import text_changes
from bioscan_etl.records.choose import MEASURES, prefer
from bioscan_etl.records.layouts import Layout
from bioscan_etl.schema import CHANGES
from bioscan_etl.settings import RecordSettings, Settings, load_settings
from bioscan_etl.table_fields import COMPARING, FIELDS, NEEDS, Reading, read_fields, unchecked
from bioscan_etl.taxonomy.changes import change_log, name_changes
from bioscan_etl.taxonomy.names import normalise_names
from bioscan_etl.vocabulary import RANKS

_COUNTRY = ("country/ocean", "country_iso")
_VALUES: Mapping[str, tuple[str, ...]] = {
    "nuc": (
        *("dna_barcode", "barcode", "barcode_length", "unambiguous_run", "ambiguous_share"),
        *("internal_gaps", "genetic_code", "frame"),
    ),
    "bin_uri": ("dna_bin",),
    **{rank: (rank,) for rank in RANKS if rank not in {"genus", "species"}},
    "genus": ("genus", "genus_name_type"),
    "species": ("species", "species_name_type"),
    **dict.fromkeys(_COUNTRY, ("country", "country_iso", "country_iso3")),
    "province/state": ("province_state",),
    "coord": ("coord-lat", "coord-lon", "proposed-lat", "proposed-lon"),
    "collection_date_start": ("collection_date_start",),
    "collection_date_end": ("collection_date_end",),
}
"""Checked values by the field that they are made of; `docs/reference/tables.md` gives their types and meanings."""


@dataclass(frozen=True, slots=True)
class CuratedTable:
    """A checked table.

    Attributes:
        table: the input's columns, unchanged and in its order of rows; then the checked values, each named
            `<prefix><column>` (`schema.CHECKED_BARCODES`, `NORMALISED_NAMES` and `CHECKED_GEOGRAPHY` give types and
            units); then `flags` (List[String], never null): ids of the rules that hit the row, sorted.
        changes: what the checks changed, a row per step: `row` (0-based, UInt32), then the columns of
            `schema.CHANGES`, sorted by row, field and step. `processid` is the row's identifier, or the row number
            if the table has none. Upper case and gaps at the ends of a barcode are not logged as changes.
        read_as: the field that each input column was read as.
        unread: input columns that no check reads.
        missing: fields that the table does not have, each with the ids of the rules that were not checked for lack of
            it; none if only the field's own value is not checked.
    """

    table: pl.DataFrame
    changes: pl.DataFrame
    read_as: Mapping[str, str]
    unread: tuple[str, ...]
    missing: Mapping[str, tuple[str, ...]]

    @property
    def flags(self) -> dict[str, int]:
        """Number of rows by rule that hits some, sorted by id."""
        return count_flags(self.table)

    def __str__(self) -> str:
        """What was read, what is missing, and what was found, in a few lines."""
        lines = [f"{self.table.height:,} rows"]
        read = (name if name == field else f"{name} as {field}" for name, field in self.read_as.items())
        lines.append(f"read: {', '.join(read) or 'nothing'}")
        if self.unread:
            lines.append(f"not read: {', '.join(self.unread)}")
        if self.missing:
            lines.append(f"missing: {', '.join(self.missing)}")
        if rules := sorted({rule for rules in self.missing.values() for rule in rules}):
            lines.append(f"not checked: {', '.join(rules)}")
        lines.append(f"flags: {', '.join(f'{rule} {rows:,}' for rule, rows in self.flags.items()) or 'none'}")
        lines.append(f"changes: {self.changes.height:,}")
        return "\n".join(lines)


def curate_table(
    frame: Any,
    settings: Settings | str | Path | None = None,
    *,
    columns: Mapping[str, str | None] | None = None,
    snapshot_date: date | None = None,
    compare_rows: bool = True,
    prefix: str = "curated_",
) -> CuratedTable:
    """Check the barcodes, names, places and dates of a table, and put values and flags beside it.

    No column is required. A field that the table does not have is not checked, and the result says so. Columns are
    known by BOLD's names (BCDM of any year), and by those of a release and of Darwin Core; `CuratedTable.read_as` says
    which column was read as what. Values are read as from a Parquet file of records: each as text, with
    `records.null_markers` as missing.

    The rules are those of the pipeline, and a row gets the flags that a record gets there. A row that the pipeline
    would not take as a record stays in the table, with the rule that says why: NO_PROCESSID, UNSAFE_PROCESSID,
    OTHER_MARKER or DUPLICATE_MARKER_ROW. It is not compared with other rows. The sequence of another marker is not
    checked. Without a phylum and class, reading frames are checked with `barcodes.genetic_code`.

    Labels are normalised one by one. Only the pipeline resolves conflicts between records and infers missing labels,
    because both need a whole corpus.

    Args:
        frame: a polars, pandas or pyarrow table, or any object with an Arrow stream (DuckDB's relations do).
        settings: `Settings` or a TOML file, of which the sections records, barcodes and geography are read; None for
            the defaults.
        columns: field by input column, if a name is not known or means something else; None: do not read it.
        snapshot_date: date of the table. A collection date after it is in the future; without it that is not checked.
        compare_rows: compare rows with one another: one barcode under several species or BINs, barcodes whose
            neighbours are of another order, spellings of a province, rows of one process ID.
        prefix: of the names of the checked values.

    Returns:
        The table with what was found; see `CuratedTable`.

    Raises:
        SettingsError: the settings cannot be used.
        SourceError: the frame is not a table or has a column that cannot be read as text, `columns` names a column or
            field that there is not, or the input already has a column of the result's names.

    Example:
        >>> import polars as pl
        >>> frame = pl.DataFrame({"processid": ["A-1"], "species": ["aedes vexans"], "Country": ["USA"]})
        >>> checked = curate_table(frame)
        >>> checked.table.select("curated_species", "curated_country", "flags").row(0)
        ('Aedes vexans', 'United States', ['NAME_CASE'])
        >>> checked.read_as["Country"], checked.missing["nuc_basecount"]
        ('country/ocean', ('BASECOUNT_MISMATCH',))
    """
    settings = settings if isinstance(settings, Settings) else load_settings(Path(settings) if settings else None)
    given = _as_polars(frame)
    reading = read_fields(given.schema, columns)
    records = _records(given, reading, settings.records).with_columns(snapshot_date=pl.lit(snapshot_date, pl.Date))
    left_out = _left_out(records, settings.records, reading.given, compare=compare_rows)
    # The sequence of another gene is not a barcode.
    other = left_out["OTHER_MARKER"]
    records = records.with_columns(
        pl.when(~other).then(name).alias(name) for name in ("nuc", "nuc_basecount", "bin_uri")
    )
    # Row numbers are the keys: the identifiers of a table may be missing or occur twice.
    keyed = records.with_columns(processid="key", batch=pl.lit("table")).lazy()
    barcodes = check_barcodes(keyed, settings.barcodes)
    places = check_geography(keyed, settings.geography)
    names = normalise_names(keyed)
    changes = [text_changes(keyed), barcode_changes(keyed, barcodes), geography_changes(places)]
    raised = [
        records["flags"],
        barcodes["flags"],
        places["flags"],
        names["flags"],
        left_out.select(flags=_named(left_out)).to_series(),
    ]
    if compare_rows:
        is_record = ~left_out.select(pl.any_horizontal(pl.all())).to_series()
        specimens = barcodes.select("processid", "barcode", "dna_bin").hstack(names.select("species", "order"))
        compared_rows = specimens.filter(is_record)
        named = compared_rows.filter(pl.col("species").is_not_null())["barcode"]
        placements = place(named.drop_nulls().unique().sort()).lazy()
        compared = corpus_flags(compared_rows, placements, settings.barcodes)
        raised.append(specimens.join(compared, on="processid", how="left", maintain_order="left")["flags"])
        unified, of_provinces = unify_provinces(places.filter(is_record))
        places = pl.concat([unified, places.filter(~is_record)]).sort("processid")
        changes.append(of_provinces)

    have = reading.given | ({"snapshot_date"} if snapshot_date else set())
    missing = unchecked(have)
    checked = set(NEEDS) - {rule for rules in missing.values() for rule in rules}
    values = names.hstack(barcodes.select(pl.exclude("processid", "batch", "flags"))).hstack(
        places.select(pl.exclude("processid", "batch", "flags"))
    )
    wanted = dict.fromkeys(name for field, made in _VALUES.items() if field in have for name in made)
    flags = _together(raised, checked if compare_rows else checked - set(COMPARING))
    added = pl.DataFrame([*(values[name].alias(f"{prefix}{name}") for name in wanted), flags])
    if taken := [name for name in added.columns if name in given.columns]:
        raise SourceError(
            f"the table already has the columns {', '.join(taken)}; drop or rename them, or choose another prefix than "
            f"{prefix!r}"
        )
    return CuratedTable(
        table=given.hstack(added),
        changes=_change_log(changes, names, records),
        read_as=reading.read_as,
        unread=reading.unread,
        missing=missing,
    )


def _as_polars(frame: Any) -> pl.DataFrame:
    """A table of any of the known kinds.

    Raises:
        SourceError: it is of another kind, or cannot be converted.
    """
    try:
        if isinstance(frame, pl.LazyFrame):
            return frame.collect()
        if isinstance(frame, pl.DataFrame):
            return frame
        if type(frame).__module__.partition(".")[0] == "pandas":
            # By way of polars' own reading of pandas: NaN is what pandas has for missing.
            return pl.DataFrame(pl.from_pandas(frame))
        if hasattr(frame, "__arrow_c_stream__"):
            return pl.DataFrame(frame)
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise SourceError(f"the table cannot be read: {reason}") from None
    raise SourceError(
        f"{type(frame).__name__} is no table; give a polars, pandas or pyarrow table, such as "
        "polars.read_csv(path, infer_schema=False)"
    )


def _records(frame: pl.DataFrame, reading: Reading, settings: RecordSettings) -> pl.DataFrame:
    """The fields of the table as a reader of records gives them, all text, `key` by row, missing fields null."""
    split = "coord-lat" in reading.texts
    targets = [field for field in FIELDS if not (split and field == "coord")]
    targets += ["coord-lat", "coord-lon"] if split else []
    nothing = pl.lit(None, pl.String)
    try:
        texts = frame.select(reading.texts.get(field, nothing).alias(field) for field in targets)
    except pl.exceptions.PolarsError as error:
        reason = str(error).strip().splitlines()[0]
        raise SourceError(f"the table has a column that cannot be read as text: {reason}; write it as text") from None
    if not reading.texts:
        texts = pl.DataFrame(schema=dict.fromkeys(targets, pl.String)).clear(frame.height)
    layout = Layout("a table", tuple(targets), tuple(targets), {}, (), {}, ())
    rows = canonical(texts, layout, settings)
    width = max(len(str(rows.height)), 1)
    return rows.with_row_index("row").with_columns(key=pl.col("row").cast(pl.String).str.zfill(width))


def _left_out(records: pl.DataFrame, settings: RecordSettings, given: Iterable[str], *, compare: bool) -> pl.DataFrame:
    """Which rows the pipeline would not take as records: a bool column per rule."""
    given = set(given)
    none = pl.repeat(value=False, n=records.height, dtype=pl.Boolean, eager=True)
    found = dict.fromkeys(("DUPLICATE_MARKER_ROW", "NO_PROCESSID", "OTHER_MARKER", "UNSAFE_PROCESSID"), none)
    if "marker_code" in given:
        found["OTHER_MARKER"] = (records["marker_code"] != settings.marker).fill_null(value=True)
    if "processid" in given:
        _, unfit = part_unfit(records.select("processid", source_line="row"))
        for rule, reason in (("NO_PROCESSID", "no_processid"), ("UNSAFE_PROCESSID", "unsafe_processid")):
            rows = unfit.filter(pl.col("reason") == reason)["source_line"]
            found[rule] = records["row"].is_in(rows.implode())
        if compare:
            usable = records.filter(~(found["OTHER_MARKER"] | found["NO_PROCESSID"] | found["UNSAFE_PROCESSID"]))
            ordered = prefer(usable.with_columns(MEASURES), after=("row",))
            found["DUPLICATE_MARKER_ROW"] = records["row"].is_in(ordered.filter(~pl.col("selected"))["row"].implode())
    return pl.DataFrame(found)


def _named(conditions: pl.DataFrame) -> pl.Expr:
    return flags_from({name: pl.col(name) for name in conditions.columns})


def _together(raised: Iterable[pl.Series], checked: Iterable[str]) -> pl.Series:
    """`flags`: what was raised for a row by a rule that could be checked, once each, sorted."""
    none = pl.lit([], dtype=pl.List(pl.String))
    lists = pl.DataFrame([flags.alias(str(number)) for number, flags in enumerate(raised)])
    known = pl.element().filter(pl.element().is_in(sorted(checked)))
    every = pl.concat_list(pl.all().fill_null(none)).list.eval(known)
    return lists.select(flags=every.list.unique().list.sort()).to_series()


def _change_log(values: Iterable[pl.DataFrame], names: pl.DataFrame, records: pl.DataFrame) -> pl.DataFrame:
    """The changes of values, then those of names, numbered as the pipeline does; with the table's identifiers."""
    of_names = change_log(name_changes(names.with_row_index("row")), names["processid"])
    of_values = pl.concat(values).with_columns(step=pl.int_range(pl.len(), dtype=pl.Int32).over("processid", "field"))
    log = number_changes([of_values, of_names]).rename({"processid": "key"})
    identifier = pl.coalesce("processid", pl.col("row").cast(pl.String))
    keys = records.select("key", "row", processid=identifier)
    return log.join(keys, on="key", how="left", maintain_order="left").select("row", *CHANGES.names())
