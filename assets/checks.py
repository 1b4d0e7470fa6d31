"""What a record says, checked: its barcode, its place and dates, its names."""

from collections.abc import Callable

import dagster as dg
import polars as pl

from assets.batches import specimen_batches
from assets.records import raw_records
from assets.stage import report, run, stage
from bioscan_etl import batches, schema
from bioscan_etl.barcodes.check import check_barcodes
from bioscan_etl.geography.check import check_geography
from bioscan_etl.lake import Draft
from bioscan_etl.resources import LakeResource
from bioscan_etl.settings import Settings
from bioscan_etl.taxonomy.names import normalise_names

_PLACE = {"group": "curate", "kinds": {"polars", "parquet"}, "deps": [raw_records], "partitions": specimen_batches}


def _checked(
    context: dg.AssetExecutionContext,
    lake: LakeResource,
    table: schema.Table,
    sections: tuple[str, ...],
    check: Callable[[pl.LazyFrame, Settings], pl.DataFrame],
) -> dg.MaterializeResult:
    home, settings = lake.lake(), lake.settings()
    batch = batches.load(home, context.partition_key)
    records = home.get("raw_records", batch.name)

    def build(draft: Draft) -> None:
        frame = check(pl.scan_parquet(records.path("records.parquet")), settings)
        draft.write(table, frame)
        hits = frame["flags"].explode().drop_nulls().value_counts().sort("flags")
        draft.counts["flags"] = dict(zip(hits["flags"], hits["count"], strict=True))

    result = run(
        home,
        settings,
        table.name,
        batch=batch.name,
        delivery=batch.fingerprint,
        inputs={"raw_records": records.files["records.parquet"]},
        sections=sections,
        build=build,
    )
    return report(result, rows=table.name)


@stage(**_PLACE, table=schema.CHECKED_BARCODES)
def checked_barcodes(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
    """One row per record: its barcode cleaned, its identity, its reading frame, and the rules that hit.

    Key: process ID. Source: raw_records. Rules: length, ambiguity, reading frame under the lineage's genetic
    code, reverse complement, truncation, low complexity, BIN format. No rule drops a record.
    """
    return _checked(context, lake, schema.CHECKED_BARCODES, ("barcodes",), lambda r, s: check_barcodes(r, s.barcodes))


@stage(**_PLACE, table=schema.CHECKED_GEOGRAPHY)
def checked_geography(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
    """One row per record: canonical country and ISO codes, coordinates, dates, and the rules that hit.

    Key: process ID. Source: raw_records. Rules: GBIF's flags for places, country against point, dates. A fix
    of coordinates is proposed, not applied, unless the setting says so.
    """
    return _checked(
        context, lake, schema.CHECKED_GEOGRAPHY, ("geography",), lambda r, s: check_geography(r, s.geography)
    )


@stage(**_PLACE, table=schema.NORMALISED_NAMES)
def normalised_names(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
    """One row per record: its seven labels as delivered and normalised, with GBIF name types.

    Key: process ID. Source: raw_records. Rules: blanks, Unicode, case, authorship, words that mean nothing.
    Placeholder names survive unchanged: they label species that nobody has described yet.
    """
    return _checked(context, lake, schema.NORMALISED_NAMES, (), lambda r, _: normalise_names(r))
