"""`toy.csv`: a form that the tests put beside the others, as somebody who adds one would: this file and nothing else.

It lists each specimen's process ID and the length of its barcode.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from bioscan_etl import schema
from bioscan_etl.progress import Progress
from bioscan_etl.release.check.agreement import agreement, held
from bioscan_etl.release.check.faults import Fault
from bioscan_etl.release.check.files import is_plain
from bioscan_etl.release.check.view import View
from bioscan_etl.release.forms.registry import Card, Form
from bioscan_etl.release.rows import released
from bioscan_etl.release.staging import Staging
from bioscan_etl.release.tables import write_csv
from bioscan_etl.settings import ReleaseSettings

FILE = "toy.lengths"
_TABLE = schema.Table(
    "toy",
    "a released specimen",
    ("processid",),
    (schema.METADATA["processid"], schema.Column("length", pl.Int64(), "bp of the barcode", nullable=False)),
)


def build(staging: Staging, settings: ReleaseSettings, _: Progress) -> None:
    """Write the file from the staged metadata."""
    rows = released(staging, ["processid", "dna_barcode"])
    assert settings.rows_per_group
    write_csv(rows.select("processid", length=pl.col("dna_barcode").str.len_bytes()), staging.tree / FILE)


def check(view: View) -> Iterator[Fault]:
    """Every specimen of data/ is listed, and no other."""
    if not is_plain(view.root, FILE):
        yield Fault(FILE, None, "is missing, or no plain file")
        return
    rows = pl.read_csv(view.root / FILE)
    yield from agreement(view.data.form, held(FILE, rows.select("processid")))
    for (processid,) in rows.filter(pl.col("length") < 1).select("processid").iter_rows():
        yield Fault(FILE, processid, "has no barcode")


def _tables(_: ReleaseSettings) -> Mapping[str, schema.Table]:
    return {FILE: _TABLE}


FORM = Form(
    name="toy",
    about="The length of each barcode: `toy.lengths`.\n\nFor tests.",
    place=95,
    stage="toy_lengths",
    owns=lambda _: (FILE,),
    build=build,
    check=check,
    card=lambda _: Card(((f"`{FILE}`", "process ID and bp of the barcode"),), "Read `toy.lengths` as a CSV.\n"),
    settings=("rows_per_group",),
    kinds=("csv",),
    media_types={".lengths": "text/x-toy"},
    tables=_tables,
)
