"""Batches in a lake without the work of making them: outputs of a few bytes, committed as a run commits them."""

from pathlib import Path

from bioscan_etl import landing
from bioscan_etl.lake import Lake
from bioscan_etl.lake.record import Record
from bioscan_etl.settings import Settings
from bioscan_etl.stages.commit import commit_if_whole
from bioscan_etl.stages.registry import BATCH_STAGES, STAGES
from bioscan_etl.stages.situation import Situation

# What the checks of the stages look at.
COUNTS = {
    "raw_records": {"rows_read": 1, "records": 1, "set_aside": {}, "rejected": {}},
    "checked_barcodes": {"checked_barcodes": 1, "with_barcode": 1},
    "specimen_boxes": {"images": 1, "detected": 1},
}
FILES = {
    "raw_records": ("records.parquet", "set_aside.parquet", "rejects.parquet"),
    "specimen_images": ("image_index.parquet",),
    "specimen_boxes": ("boxes.parquet",),
    "contact_sheet": ("contact_sheet.jpg",),
    "checked_barcodes": ("checked_barcodes.parquet", "distinct_barcodes.parquet"),
    "placed_barcodes": ("placements.parquet",),
    "checked_geography": ("checked_geography.parquet",),
    "normalised_names": ("normalised_names.parquet",),
    "batch_expectations": ("results.json", "failing.parquet"),
}


def land(lake: Lake, name: str, text: str = "processid\nA-1\n") -> landing.Batch:
    """Land a batch of one records file that lies beside the landing folder."""
    path = lake.root / "deliveries" / f"{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return landing.register(lake, name, [str(path)])


def make_output(lake: Lake, situation: Situation, stage: str, counts: dict | None = None) -> None:
    """An output of a batch stage, made of nothing but its name and delivery."""
    entry = STAGES[stage]
    made_from = situation.made_from(entry)
    fingerprint = situation.fingerprint(entry, made_from)
    with lake.writing(stage, fingerprint, situation.name, made_from=made_from) as draft:
        for name in FILES[stage]:
            (draft.folder / name).write_text(f"{stage} {situation.batch.fingerprint}")
        draft.counts |= counts or COUNTS.get(stage, {})


def ingest(lake: Lake, batch: landing.Batch, settings: Settings | None = None, **counts: dict) -> Record | None:
    """Make and commit all outputs of a batch; counts by stage where they are to be others."""
    situation = Situation(lake, settings or Settings(), batch=batch)
    for stage in BATCH_STAGES:
        if situation.find(stage) is None:
            make_output(lake, situation, stage, counts.get(stage))
    return commit_if_whole(situation)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, for comparisons."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
