"""BOLD records: source files in, one raw table, set-aside rows and rejects out."""

from __future__ import annotations

from bioscan_etl.errors import SourceError
from bioscan_etl.io.read import file_sha256
from bioscan_etl.records.extract import extract
from bioscan_etl.records.sources import RecordsFile
from bioscan_etl.stages.work import Work


def build(work: Work) -> None:
    """Write records, set-aside rows and rejects of a delivery.

    Raises:
        SourceError: a file has changed since the batch landed, is not a records file, or has no row that can be used.
    """
    batch = work.delivery
    for entry in batch.records:
        if file_sha256(batch.locate(entry.location)) != entry.sha256:
            raise SourceError(f"{entry.location} has changed since batch {batch.name} landed; land the batch again")
    files = [RecordsFile(batch.locate(entry.location), entry.snapshot_date) for entry in batch.records]
    counts = extract(files, batch.name, work.settings.records, work.out.folder, work.progress)
    counts.refuse()
    work.out.counts |= counts.as_dict()
