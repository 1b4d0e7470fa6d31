"""Batches whose tables hold given figures, committed to a lake as a run commits them."""

import polars as pl
from lake_corpus import FILES, land

from bioscan_etl import schema
from bioscan_etl.lake import Lake
from bioscan_etl.settings import Settings
from bioscan_etl.stages.commit import commit_if_whole
from bioscan_etl.stages.registry import BATCH_STAGES, STAGES
from bioscan_etl.stages.situation import Situation


def ingest_figures(
    lake: Lake,
    name: str,
    *,
    records=200,
    empty=0.02,
    without_species=0.3,
    countries=None,
    length=658,
    short=0.0,
    grey=150.0,
    settings=None,
):
    """Land and ingest a batch with these figures: shares of records, bp, mean grey, records by country."""
    settings = settings or Settings()
    batch = land(lake, name, f"processid\n{name}\n")
    situation = Situation(lake, settings, batch=batch)
    ids = [f"{name}-{n}" for n in range(records)]
    empties = round(empty * records)
    placed = [iso for iso, number in (countries or {"CR": records}).items() for _ in range(number)]
    lengths = [length // 2 if n < short * records else length for n in range(records)]
    tables = {
        "boxes.parquet": table(
            schema.BOXES,
            processid=ids,
            status=["empty"] * empties + ["detected"] * (records - empties),
            # A detected specimen is as bright as given, give or take; an empty image is white.
            exposure=[250.0] * empties + [grey + n % 5 for n in range(records - empties)],
        ),
        "checked_barcodes.parquet": table(schema.CHECKED_BARCODES, processid=ids, barcode_length=lengths),
        "checked_geography.parquet": table(
            schema.CHECKED_GEOGRAPHY, processid=ids, country_iso=(placed + [None] * records)[:records]
        ),
        "normalised_names.parquet": table(
            schema.NORMALISED_NAMES,
            processid=ids,
            family=["Culicidae"] * records,
            genus=["Aedes"] * records,
            species=[None if n < without_species * records else "Aedes aus" for n in range(records)],
        ),
    }
    counts = {
        "raw_records": {"rows_read": records, "records": records, "set_aside": {}, "rejected": {}},
        "checked_barcodes": {"checked_barcodes": records, "with_barcode": records},
        "specimen_boxes": {"images": records, "detected": records - empties, "empty": empties, "unreadable": 0},
    }
    for stage in BATCH_STAGES:
        entry = STAGES[stage]
        made_from = situation.made_from(entry)
        fingerprint = situation.fingerprint(entry, made_from)
        with lake.writing(stage, fingerprint, name, made_from=made_from) as draft:
            for file in FILES[stage]:
                if file in tables:
                    tables[file].write_parquet(draft.folder / file)
                else:
                    (draft.folder / file).write_text(f"{stage} {batch.fingerprint}")
            draft.counts |= counts.get(stage, {})
    return commit_if_whole(situation)


def table(declared: schema.Table, **columns) -> pl.DataFrame:
    """A frame with all columns of a table; those that are not given are missing."""
    types = {column.name: column.dtype for column in declared.columns}
    rows = len(next(iter(columns.values())))
    return pl.DataFrame({name: columns.get(name, [None] * rows) for name in types}, schema=types)
