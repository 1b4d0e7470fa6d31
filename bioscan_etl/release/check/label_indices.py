"""Is the class vocabulary of a release, `labels/`, that of its specimens, and does it continue the release before?

Belongs here: the files of `labels/` against each other, the metadata and, where it lies beside, the release before.
Does not belong here: indices in the output forms, which each form's check holds against these files.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from itertools import pairwise
from pathlib import Path

import polars as pl

from bioscan_etl import schema, vocabulary
from bioscan_etl.errors import BioscanError
from bioscan_etl.release.check.csv import check_bytes, check_values, read_fields, typed
from bioscan_etl.release.check.faults import Fault, Listing, faulty_rows
from bioscan_etl.release.check.files import is_plain
from bioscan_etl.release.check.origin import Origin
from bioscan_etl.release.check.settings_stated import Stated
from bioscan_etl.release.check.tables import Data
from bioscan_etl.release.labels import (
    HIERARCHY,
    NO_INDEX,
    hierarchy,
    label_tables,
    labels_of,
    lineages,
    path_of,
    sound,
    vocabulary_of,
    with_order,
)
from bioscan_etl.release.layout import LABELS
from bioscan_etl.release.manifest import Manifest

_SINCE = "release.barcodebert_rows"
_FROM = "release.labels_from"
_VERSION = re.compile(r"^v([1-9][0-9]*)$")
_UPPER = {lower: upper for upper, lower in pairwise(vocabulary.RANKS)}


def has_labels(root: Path, stated: Stated) -> bool:
    """Whether a release has `labels/`, or must: versions that made none do not state the setting that came with it."""
    return _SINCE in stated or (root / LABELS).exists()


def check(root: Path, manifest: Manifest, stated: Stated, data: Data, origin: Origin) -> Iterator[Fault]:
    """What is wrong with `labels/`; a release that was made before there was one has none.

    Args:
        root: the release's folder.
        manifest: its manifest.
        stated: the settings that it states.
        data: the released rows.
        origin: which code made the release.
    """
    if not has_labels(root, stated):
        return
    read: dict[str, pl.DataFrame] = {}
    for name, table in label_tables().items():
        frame = yield from _read(root, name, table)
        if frame is not None:
            read[name] = frame
    if len(read) < len(label_tables()):
        return
    labels = {rank: read[path_of(rank)] for rank in vocabulary.RANKS}
    damaged = [
        rank for rank, frame in labels.items() if not sound(frame, labels[_UPPER[rank]] if rank in _UPPER else None)
    ]
    for rank in damaged:
        message = "its indices are not 0 to their number less one, in order, or a parent is no label of the rank above"
        yield Fault(path_of(rank), None, message)
    if damaged:
        return
    if not read[HIERARCHY].equals(hierarchy(labels)):
        yield Fault(HIERARCHY, None, "is not the hierarchy of the labels beside it")
    found = lineages(data.rows)
    yield from _against_data(labels, found)
    if origin.computes("release_metadata"):
        yield from _against_earlier(root, manifest, stated, labels, found)


def _read(root: Path, name: str, table: schema.Table) -> Generator[Fault, None, pl.DataFrame | None]:
    """Yields faults of a file, and returns its rows; None if they cannot be compared."""
    if not is_plain(root, name):
        yield Fault(name, None, "is missing, or no plain file")
        return None
    yield from check_bytes(root, name)
    listing = Listing()
    parts = [table.empty()]
    for fields in read_fields(root, name, table.names(), listing):
        check_values(fields.with_columns(processid=pl.lit(None, pl.String)), name, table, listing)
        parts.append(typed(fields, table))
    faults = list(listing.faults())
    yield from faults
    return None if faults else pl.concat(parts)


def _against_data(labels: dict[str, pl.DataFrame], found: pl.DataFrame) -> Iterator[Fault]:
    """Each label of the metadata is there once, with its specimens and parent; any other has no specimens."""
    ordered = with_order(labels)
    try:
        expected = vocabulary_of(found, ordered)
    except BioscanError as error:
        # Of a lineage with a gap, the specimens are named by the check of labels; its classes have no place here.
        yield Fault(LABELS, None, f"do not fit the rows: {error}")
        return
    for rank, stated in ordered.items():
        name, number = path_of(rank), stated.height
        new = expected[rank].filter(pl.col("index") >= number)
        yield from faulty_rows(name, new.select("label"), "lacks {label}, which specimens have")
        both = stated.join(expected[rank], on="index", how="inner", suffix="_data")
        for column in ("parent_index", *vocabulary.SPLITS):
            wrong = both.filter(pl.col(column) != pl.col(f"{column}_data"))
            shown = wrong.select("label", here=column, there=f"{column}_data")
            yield from faulty_rows(name, shown, f"{column} of {{label}} is {{here}}, of the specimens {{there}}")
        twice = stated.filter(pl.struct("label", "order").is_duplicated(), pl.sum_horizontal(vocabulary.SPLITS) > 0)
        yield from faulty_rows(name, twice.select("label").unique().sort("label"), "has {label} twice")


def _against_earlier(
    root: Path, manifest: Manifest, stated: Stated, labels: dict[str, pl.DataFrame], found: pl.DataFrame
) -> Iterator[Fault]:
    """A first release begins anew, and a later one continues the one before, index by index."""
    match = _VERSION.match(manifest.version)
    number = int(match[1]) if match else 0
    before = root.parent / f"v{number - 1}"
    try:
        if number == 1:
            # Where it continues a release that is elsewhere, only its own files say what it has.
            if _FROM not in stated or stated[_FROM]:
                return
            expected, what = vocabulary_of(found), "a first release"
        elif before.is_dir() and not before.is_symlink():
            expected, what = vocabulary_of(found, labels_of(before)), f"what continues {before.name}"
        else:
            return
    except BioscanError:  # a fault of the release before, or one that is named already
        return
    for rank, frame in labels.items():
        pairs = [each.select("index", "label", "parent_index") for each in (frame, expected[rank])]
        both = pairs[0].join(pairs[1], on="index", how="full", suffix="_then", coalesce=True).sort("index")
        wrong = both.filter(
            pl.col("label").ne_missing(pl.col("label_then"))
            | pl.col("parent_index").ne_missing(pl.col("parent_index_then"))
        )
        shown = wrong.with_columns(pl.col("parent_index", "parent_index_then").fill_null(NO_INDEX))
        message = f"index {{index}} is {{label}} of parent {{parent_index}}; in {what} it is {{label_then}} of parent "
        yield from faulty_rows(path_of(rank), shown, message + "{parent_index_then}")
