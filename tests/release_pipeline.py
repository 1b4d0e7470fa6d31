"""Releases as the pipeline makes them, without Dagster: deliveries are ingested, curated, partitioned and published."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from bioscan_etl import schema
from bioscan_etl.barcodes.check import check_barcodes
from bioscan_etl.barcodes.identity import barcode_identity
from bioscan_etl.barcodes.placement import place
from bioscan_etl.changes import RULESET, number_changes
from bioscan_etl.demo.corpus import DemoBatch
from bioscan_etl.geography.check import check_geography
from bioscan_etl.images.index import index_images
from bioscan_etl.images.stage import process_images
from bioscan_etl.records.extract import extract
from bioscan_etl.records.sources import RecordsFile
from bioscan_etl.release.build import build_parts
from bioscan_etl.release.images import Originals
from bioscan_etl.release.parts import Logs
from bioscan_etl.release.ship.version import publish
from bioscan_etl.release.staging import Staging
from bioscan_etl.settings import Settings
from bioscan_etl.specimens.accepted import accepted
from bioscan_etl.specimens.assemble import BatchTables, assemble, quarantine
from bioscan_etl.splits.partition import partition_onward
from bioscan_etl.taxonomy.curate import curate
from bioscan_etl.taxonomy.names import normalise_names

PACKAGES = ("original_256", "cropped", "cropped_256")


@dataclass(frozen=True)
class Ingested:
    """Batches as the stages leave them, the rows that were read, and where the original images are."""

    batches: list[BatchTables]
    rows_read: int
    originals: dict[str, Originals]


def ingest(batch: DemoBatch, folder: Path, settings: Settings) -> tuple[BatchTables, int]:
    """Take one delivery through the stages of a batch."""
    folder.mkdir(parents=True)
    read = extract([RecordsFile(str(path)) for path in batch.records], batch.name, settings.records, folder)
    records = pl.scan_parquet(folder / "records.parquet")
    for name, table in (
        ("barcodes", check_barcodes(records, settings.barcodes)),
        ("geography", check_geography(records, settings.geography)),
        ("names", normalise_names(records)),
    ):
        table.write_parquet(folder / f"{name}.parquet")
    barcodes = pl.read_parquet(folder / "barcodes.parquet")["barcode"]
    place(barcodes.drop_nulls().unique().sort()).write_parquet(folder / "placements.parquet")
    processids = records.select("processid").collect()["processid"]
    sources = [str(batch.images)]
    promised = str(batch.image_manifest) if batch.image_manifest else None
    index = index_images(sources, promised, processids, batch.name, settings.images)
    process_images(index, sources, settings.images, PACKAGES, folder, batch.name)
    files = {name: folder / f"{name}.parquet" for name in ("records", "set_aside", "rejects", "barcodes", "geography")}
    files |= {name: folder / f"{name}.parquet" for name in ("names", "boxes", "placements")}
    return BatchTables(batch.name, **files), read.rows_read


def ingest_all(deliveries: tuple[DemoBatch, ...], folder: Path, settings: Settings) -> Ingested:
    """Take several deliveries through the stages of a batch."""
    stages = [ingest(batch, folder / batch.name, settings) for batch in deliveries]
    originals = {
        batch.name: Originals(folder / batch.name / "boxes.parquet", (str(batch.images),)) for batch in deliveries
    }
    return Ingested([tables for tables, _ in stages], sum(rows for _, rows in stages), originals)


def released(ingested: Ingested, folder: Path, settings: Settings, edit=lambda frame: frame) -> Path:
    """Make a release of the corpus below `folder`, as the pipeline does; `edit` changes the specimens before."""
    tables = assemble(ingested.batches, settings)
    specimens = edit(tables.specimens)
    curated = curate(accepted(specimens), settings.taxonomy)
    values = tables.changes.join(curated.labels, on="processid", how="semi")
    frame = curated.frame
    rows = frame.select("processid", "genus", "species", barcode_identity(pl.col("dna_barcode")), "dna_bin")
    assigned = partition_onward(rows, settings.splits, None)
    logs = Logs(
        quarantine(specimens),
        tables.set_aside,
        tables.rejects,
        number_changes([values, curated.changes]),
        schema.DECISION_LOG.empty(),
        RULESET,
    )
    staging = Staging(folder / "releases", "0" * 64)
    crops = [(batch.batch, batch.boxes.parent) for batch in ingested.batches]
    build_parts(staging, frame, assigned.partitions, logs, crops, settings.release, originals=ingested.originals)
    extra = {}
    if settings.splits.protocol == "stable":
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in (("partition_memory", assigned.memory), ("partition_moves", assigned.moves)):
            extra[f"{name}.parquet"] = folder / f"{name}.parquet"
            table.write_parquet(extra[f"{name}.parquet"])
    return publish(staging, settings, rows_read=ingested.rows_read, inputs=[], extra=extra)
