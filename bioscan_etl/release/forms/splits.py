"""`splits/`: the process IDs of each partition as CSV, and of all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl

from bioscan_etl import schema, vocabulary
from bioscan_etl.progress import Progress
from bioscan_etl.release.check.faults import Fault
from bioscan_etl.release.check.tables import check_csv
from bioscan_etl.release.check.view import View
from bioscan_etl.release.forms.registry import Card, Form
from bioscan_etl.release.rows import released
from bioscan_etl.release.staging import Staging
from bioscan_etl.release.tables import write_csv
from bioscan_etl.settings import ReleaseSettings

FOLDER = "splits"
_ALL = "all"


def build(staging: Staging, _: ReleaseSettings, __: Progress) -> None:
    """Write the lists from the staged metadata, which must be built."""
    write_splits(released(staging), staging.tree / FOLDER)


def write_splits(metadata: pl.DataFrame, folder: Path) -> None:
    """Write `<split>.csv` for each split and `all.csv`: columns processid, split; order as in the metadata."""
    rows = metadata.select("processid", "split")
    for split in vocabulary.SPLITS:
        write_csv(rows.filter(pl.col("split") == split), folder / f"{split}.csv")
    write_csv(rows, folder / f"{_ALL}.csv")


_ROWS = schema.Table(
    "splits", "a released specimen", ("processid",), (schema.METADATA["processid"], schema.METADATA["split"])
)


def check(view: View) -> Iterator[Fault]:
    """Each list holds the process IDs that data/ has of its partition."""
    for split in (_ALL, *vocabulary.SPLITS):
        where = None if split == _ALL else pl.col("split") == split
        yield from check_csv(view.root, f"{FOLDER}/{split}.csv", _ROWS, view.data.of(where))


def _tables(_: ReleaseSettings) -> Mapping[str, schema.Table]:
    return {f"{FOLDER}/{name}.csv": _ROWS for name in (_ALL, *vocabulary.SPLITS)}


FORM = Form(
    name=FOLDER,
    about="One CSV of process IDs per partition, and one over all: `splits/<split>.csv`, `splits/all.csv`.",
    place=100,
    stage="split_manifests",
    owns=lambda _: (FOLDER,),
    build=build,
    check=check,
    card=lambda _: Card((("`splits/<split>.csv`, `splits/all.csv`", "processid, split"),)),
    kinds=("csv",),
    tables=_tables,
)
