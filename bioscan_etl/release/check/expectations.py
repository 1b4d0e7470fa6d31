"""Does the release state of its expectations what its rows and its manifest say?

Belongs here: `report/expectations.csv`, whose results of earlier releases are the history that curators see. The
results on the released rows are counted again; those of batches are compared with the failed checks that the manifest
states. Results on tables that a release does not hold (specimens, curated) have nothing to be compared with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import polars as pl

from bioscan_etl import schema
from bioscan_etl.quality.history import LIST, read_stated
from bioscan_etl.quality.validate import count_failing
from bioscan_etl.release.check.faults import Fault, capped
from bioscan_etl.release.check.files import is_plain
from bioscan_etl.release.check.origin import Origin
from bioscan_etl.release.check.strangers import REPORT
from bioscan_etl.release.layout import DATA
from bioscan_etl.release.manifest import MANIFEST, Manifest

_LIST = f"{REPORT}/{LIST}"
_STAGE, _OF_BATCHES = "release_expectations", "batch_expectations"


def check(root: Path, manifest: Manifest, origin: Origin) -> Iterator[Fault]:
    """Compare the list with the release; a release from before there was one states nothing."""
    made = manifest.provenance
    if made is None or _STAGE not in made.corpus:
        return
    found = read_stated(root) if is_plain(root, _LIST) else None
    if found is None:
        yield Fault(_LIST, None, "is missing, or no list of expectations")
        return
    yield from capped(Fault(_LIST, None, message) for message in (*_batches(found, manifest),))
    if origin.computes(_STAGE):
        yield from capped(Fault(_LIST, None, message) for message in _rows(root, manifest, found))


def _batches(found: pl.DataFrame, manifest: Manifest) -> Iterator[str]:
    """Each batch has results, and its failed checks are those that the manifest states."""
    made = manifest.provenance
    assert made is not None
    of_batches = found.filter(pl.col("batch").is_not_null())
    known = {name for name, batch in made.batches.items() if _OF_BATCHES in batch.stages}
    listed = set(of_batches["batch"].to_list())
    for name in sorted(known - listed):
        yield f"has no results of batch {name}, which {MANIFEST} names"
    for name in sorted(listed - known):
        yield f"has results of batch {name}, of which {MANIFEST} states none"
    ids = of_batches.with_columns(check=pl.col("table").str.to_uppercase() + "_" + pl.col("expectation"))
    for name in sorted(known & listed):
        rows = ids.filter(pl.col("batch") == name)
        stated = set(made.batches[name].failed_checks)
        for check_id, failing in rows.select("check", "failing").iter_rows():
            if (failing > 0) != (check_id in stated):
                yield f"says that {failing} rows of batch {name} fail {check_id}; {MANIFEST} says otherwise"


def _rows(root: Path, manifest: Manifest, found: pl.DataFrame) -> Iterator[str]:
    """The results on the released rows are those of `data/`."""
    table = schema.METADATA_EXTENDED
    rows = found.filter(pl.col("batch").is_null(), pl.col("table") == table.name)
    ours = _counted([root / entry.path for entry in manifest.files if _is_data(root, entry.path)], table)
    if ours is None:
        return
    theirs = dict(rows.filter(pl.col("expectation").is_in(list(ours))).select("expectation", "failing").iter_rows())
    for rule in (rule for rule in ours if ours[rule] != theirs.get(rule)):
        yield f"says that {theirs.get(rule, 'none known')} rows fail {rule}; of {DATA}/ {ours[rule]} do"
    for rule, of in rows.filter(pl.col("expectation").is_in(list(ours))).select("expectation", "rows").iter_rows():
        if of != manifest.ledger.specimens:
            yield f"says that {rule} was evaluated on {of} rows; {MANIFEST} says {manifest.ledger.specimens} specimens"


def _is_data(root: Path, path: str) -> bool:
    return path.startswith(f"{DATA}/") and path.endswith(".parquet") and is_plain(root, path)


def _counted(files: Sequence[Path], table: schema.Table) -> dict[str, int] | None:
    """Failing rows by expectation; None if the files cannot be read, which the check of the tables reports."""
    if not files:
        return None
    try:
        return count_failing(files, table)
    except (duckdb.Error, pl.exceptions.PolarsError, OSError):
        return None
