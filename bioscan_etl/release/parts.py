"""The parts that every release has: the metadata with the logs, and the image packages.

Belongs here: what they are made of, and in what order they are written. Does not belong here: how a table or an image
is written (`tables`, `images`), and what is made of these two parts (`release.forms`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from bioscan_etl import schema
from bioscan_etl.errors import InvariantError, name_some
from bioscan_etl.progress import Progress, silent
from bioscan_etl.release import tables
from bioscan_etl.release.core import DECIDED, LOGS, image_paths, metadata_paths
from bioscan_etl.release.forms import bbox
from bioscan_etl.release.images import Drawn, Originals, write_images
from bioscan_etl.release.labels import labels_before, lineages, vocabulary_of, write_labels
from bioscan_etl.release.layout import DATA, csv_name, images_name
from bioscan_etl.release.metadata import BARCODES, append_changes, described, flagged, known_bases, with_barcodes
from bioscan_etl.release.rows import released
from bioscan_etl.release.staging import Staging
from bioscan_etl.release.stream import ROWS, spill, spilled, write_rows
from bioscan_etl.settings import ReleaseSettings

_MADE_HERE = {"split", "chunk", "dna_barcode_verbatim", "verification_status"}
CURATED_COLUMNS = tuple(
    dict.fromkeys(
        name
        for table in (schema.METADATA_EXTENDED, schema.BBOX)
        for name in [*table.names(), "nuc"]
        if name not in _MADE_HERE
    )
)
"""Columns of `schema.CURATED` that the metadata is made of: at millions of rows, all of them are twice as much."""


@dataclass(frozen=True, slots=True)
class Logs:
    """The tables beside the specimens, each with the columns of its `bioscan_etl.schema` table.

    Attributes:
        quarantine: specimens that a gate holds.
        set_aside: rows that another row of their specimen replaces.
        rejects: rows that cannot become records.
        changes: values that curation changed.
        decisions: `schema.DECISION_LOG`.
        ruleset: version of the rules, for the changes that the release adds.
    """

    quarantine: pl.DataFrame
    set_aside: pl.DataFrame
    rejects: pl.DataFrame
    changes: pl.DataFrame
    decisions: pl.DataFrame
    ruleset: str


def build_metadata(
    staging: Staging,
    curated: pl.DataFrame | pl.LazyFrame,
    partitions: pl.DataFrame,
    logs: Logs,
    settings: ReleaseSettings,
    verification: pl.DataFrame | None = None,
) -> None:
    """Write the metadata as CSV and Parquet, the labels, the boxes and the logs.

    The labels continue the last version beside the staging: as the changelog, they follow from it.

    Args:
        staging: the staging to write to.
        curated: `CURATED_COLUMNS` of `schema.CURATED`; of a lazy frame, barcodes are never held all at once.
        partitions: `schema.PARTITIONS` of the same process IDs.
        logs: the tables beside the specimens; the release's own rewrites are added to the changes.
        settings: names, rows of groups and shards.
        verification: `schema.VERIFICATION`; None: all labels are unverified.

    Raises:
        InvariantError: the tables cannot be released together, or a lineage has a gap.
        LakeError: the labels of the release before cannot be read.
        SchemaError: a table does not conform.
        SettingsError: `release.labels_from` is no release.
    """
    with_boxes = bbox.FORM.is_wanted(settings)
    paths = (*metadata_paths(settings), *(bbox.FORM.owns(settings) if with_boxes else ()))
    with staging.building("metadata", paths) as fresh:
        if not fresh:
            return
        rows, rewritten = _write_rows(staging.tree, curated.lazy(), partitions, settings, verification)
        before = labels_before(staging.releases, settings.labels_from)
        write_labels(vocabulary_of(lineages(rows), before), staging.tree)
        if with_boxes:
            bbox.write_bbox(rows, _boxes(curated.lazy()), staging.tree, settings)
        changes = append_changes(logs.changes, rewritten, logs.ruleset)
        frames = (logs.quarantine, logs.set_aside, logs.rejects, changes)
        for (name, table), frame in zip(LOGS.items(), frames, strict=True):
            tables.write_table(frame, table, staging.tree / name, settings.rows_per_group)
        tables.write_table(logs.decisions, schema.DECISION_LOG, staging.tree / DECIDED, settings.rows_per_group)


def _write_rows(
    tree: Path,
    curated: pl.LazyFrame,
    partitions: pl.DataFrame,
    settings: ReleaseSettings,
    verification: pl.DataFrame | None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Write the rows as CSV and in data/; returns them without their barcodes, and what was rewritten."""
    own = [name for name in CURATED_COLUMNS if name in schema.METADATA_EXTENDED.names() and name not in BARCODES]
    # Not named, so that it can go while it is put in order.
    rows, order, changes = described(curated.select(own).collect(engine="streaming"), partitions, verification)
    places = order.arg_sort()
    with TemporaryDirectory(prefix=".barcodes-", dir=tree.parent) as folder:

        def known() -> Iterator[pl.DataFrame]:
            for piece in curated.select("processid", *BARCODES).collect_batches(chunk_size=ROWS, maintain_order=True):
                barcodes, changed = known_bases(piece)
                changes.append(changed)
                yield barcodes

        files = spill(known(), places, Path(folder))
        del order, places
        rows, log = flagged(rows, changes)

        def blocks() -> Iterator[pl.DataFrame]:
            start = 0
            for barcodes in spilled(files):
                yield with_barcodes(rows.slice(start, barcodes.height), barcodes)
                start += barcodes.height

        counts = dict(rows["split"].value_counts().iter_rows())
        write_rows(blocks(), counts, tree / csv_name(settings), tree / DATA, settings)
    return rows, log


def _boxes(curated: pl.LazyFrame) -> pl.DataFrame:
    return curated.select(schema.BBOX.names()).collect(engine="streaming")


def build_images(
    staging: Staging,
    curated: pl.DataFrame,
    crops: Iterable[tuple[str, Path]],
    settings: ReleaseSettings,
    progress: Progress = silent,
    originals: Mapping[str, Originals] | None = None,
    drawn: Mapping[str, Drawn] | None = None,
) -> None:
    """Write the image packages; resumes a killed run by package and batch.

    Args:
        staging: the staging to write to; its metadata must be built.
        curated: processid and image_batch of every released specimen.
        crops: batch and the folder of its crops (see `images.write_images`).
        settings: packages.
        progress: reports each image.
        originals: where the originals of each batch are (see `images.write_images`).
        drawn: images whose box a curator drew (see `images.write_images`).

    Raises:
        InvariantError: an image is missing from the lake.
        SourceError: an original is out of reach, or is not the file that was indexed.
    """
    if not settings.image_packages:
        return
    with staging.building("images", image_paths(settings), resumable=True) as fresh:
        if fresh:
            rows = released(staging).join(
                curated.select("processid", "image_batch"), on="processid", how="left", validate="1:1"
            )
            # The area fraction says in the release itself which rows have an image; `release.check` relies on it.
            odd = rows.filter(pl.col("image_batch").is_null() != pl.col("area_fraction").is_null())
            if odd.height:
                raise InvariantError(
                    f"{odd.height} specimens ({name_some(odd['processid'].to_list())}) have an image without a box, or "
                    "a box without an image; materialise specimens again"
                )
            root = staging.tree / images_name(settings)
            write_images(rows, crops, settings.image_packages, root, progress, originals, drawn)
