"""Records of a small release for the tests of benchmarks, made of rows."""

from pathlib import Path

import polars as pl

from bioscan_etl import schema
from bioscan_etl.evaluation.records import READ, Records, records_of

DIGEST = "0" * 64


def records(rows: list[dict], **more) -> Records:
    """Records of rows that give some columns of `READ`; processid counts, all others are null."""
    types = {name: schema.METADATA_EXTENDED[name].dtype for name in READ}
    full = [{"processid": f"P-{number:04}", **row} for number, row in enumerate(rows)]
    given = {"root": Path(), "release": "test v1", "digest": DIGEST, **more}
    return records_of(pl.DataFrame(full, schema=types), **given)
