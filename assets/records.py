"""BOLD records: source files in, one raw table, set-aside rows and rejects out."""

import dagster as dg

from assets.batches import specimen_batches
from assets.stage import report, run, stage
from bioscan_etl import batches, schema, storage
from bioscan_etl.errors import SourceError
from bioscan_etl.lake import Draft
from bioscan_etl.progress import Progress
from bioscan_etl.records.extract import extract
from bioscan_etl.records.sources import RecordsFile
from bioscan_etl.resources import LakeResource


@stage(group="extract", kinds={"polars", "parquet"}, table=schema.RECORDS, partitions=specimen_batches, pool="batches")
def raw_records(
    context: dg.AssetExecutionContext, lake: LakeResource, progress: dg.ResourceParam[Progress]
) -> dg.MaterializeResult:
    """One row per specimen of the batch: its record of the barcode marker, every BCDM column as text.

    Key: process ID. Source: the batch's BOLD files, in any known layout. Rows of other markers and earlier
    snapshots are set aside by reason, rows that cannot be read are rejected with their text; read = records +
    set aside + rejected, checked on every run.
    """
    home, settings = lake.lake(), lake.settings()
    batch = batches.load(home, context.partition_key)

    def build(draft: Draft) -> None:
        for entry in batch.records:
            if storage.sha256(batch.locate(entry.location)) != entry.sha256:
                raise SourceError(f"{entry.location} has changed since batch {batch.name} landed; land the batch again")
        files = [RecordsFile(batch.locate(entry.location), entry.snapshot_date) for entry in batch.records]
        counts = extract(files, batch.name, settings.records, draft.folder, progress)
        draft.counts |= counts.as_dict()

    delivered = [(storage.base_name(e.location), e.sha256, str(e.snapshot_date or "")) for e in batch.records]
    result = run(
        home,
        settings,
        "raw_records",
        batch=batch.name,
        delivery=batch.fingerprint,
        inputs={"records": delivered},
        sections=("records",),
        build=build,
    )
    return report(result, rows="records")
