"""From batches to specimens: one row per process ID, accepted or held at a gate.

Belongs here: joining the per-batch tables, choosing the record and the image that stand for a specimen, and
the gates. Does not belong here: the checks themselves; their flags arrive with the batch tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from bioscan_etl import schema
from bioscan_etl.barcodes.check import barcode_changes
from bioscan_etl.barcodes.corpus import corpus_flags
from bioscan_etl.geography.changes import geography_changes
from bioscan_etl.geography.provinces import unify_provinces
from bioscan_etl.images.quality import duplicate_flags
from bioscan_etl.records.supersede import latest
from bioscan_etl.settings import Settings


@dataclass(frozen=True, slots=True)
class BatchTables:
    """The Parquet files of one batch that a corpus run reads."""

    batch: str
    records: Path
    set_aside: Path
    rejects: Path
    barcodes: Path
    geography: Path
    names: Path
    boxes: Path


@dataclass(frozen=True, slots=True)
class Specimens:
    """What `assemble` makes.

    Attributes:
        specimens: `schema.SPECIMENS`, sorted by process ID.
        set_aside: `schema.SET_ASIDE` of all batches, superseded rows included.
        rejects: `schema.REJECTS` of all batches.
        changes: columns of `schema.CHANGES` without `ruleset`: what the barcode and geography rules changed.
    """

    specimens: pl.DataFrame
    set_aside: pl.DataFrame
    rejects: pl.DataFrame
    changes: pl.DataFrame


def _concat(paths: Sequence[Path], table: schema.Table) -> pl.DataFrame:
    frames = [pl.scan_parquet(path).select(table.names()) for path in paths]
    return pl.concat(frames).collect() if frames else table.empty()


def choose_images(boxes: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    """The image that stands for each specimen, where several batches bring one.

    The record's own batch comes first; else the batch of the latest snapshot, then of the last name. A later
    records-only delivery so keeps the image that an earlier one brought.

    Args:
        boxes: `schema.BOXES` of all batches.
        kept: processid, batch, snapshot_date of the records that stand.

    Returns:
        `schema.BOXES` rows, one per process ID at most.
    """
    own = kept.select("processid", own_batch="batch")
    age = kept.group_by("batch").agg(newest=pl.col("snapshot_date").max())
    return (
        boxes.join(own, on="processid", how="left")
        .join(age, on="batch", how="left")
        .sort(
            "processid",
            pl.col("batch") == pl.col("own_batch"),
            "newest",
            "batch",
            descending=[False, True, True, True],
            nulls_last=True,
        )
        .unique("processid", keep="first", maintain_order=True)
        .select(schema.BOXES.names())
    )


def gates(settings: Settings) -> list[pl.Expr]:
    """One expression per gate of `quality.rules`, true on the specimens it holds, named by the gate's id.

    Columns read: image_status, barcode, unambiguous_run, dna_bin.
    """
    chosen = settings.gates
    held = []
    if chosen.require_image:
        held += [
            pl.col("image_status").is_null().alias("NO_IMAGE"),
            (~pl.col("image_status").is_in(list(chosen.image_statuses))).fill_null(value=False).alias("IMAGE_STATUS"),
        ]
    held += [
        pl.col("barcode").is_null().alias("NO_BARCODE"),
        (pl.col("barcode").is_not_null() & (pl.col("unambiguous_run") < chosen.min_unambiguous_run)).alias(
            "BARCODE_RUN_TOO_SHORT"
        ),
    ]
    if chosen.require_bin:
        held.append(pl.col("dna_bin").is_null().alias("NO_BIN"))
    return held


def assemble(batches: Sequence[BatchTables], settings: Settings) -> Specimens:
    """One row per specimen from all batches; the result does not depend on their order.

    Args:
        batches: the tables of each batch.
        settings: gates and image duplicate thresholds are read.

    Returns:
        Specimens, set-aside rows, rejects and changes.
    """
    batches = sorted(batches, key=lambda tables: tables.batch)
    kept, superseded = latest(_concat([b.records for b in batches], schema.RECORDS))
    set_aside = pl.concat([_concat([b.set_aside for b in batches], schema.SET_ASIDE), superseded])
    rejects = _concat([b.rejects for b in batches], schema.REJECTS)

    frame = kept.select(
        "processid",
        "sampleid",
        "record_id",
        "batch",
        "source_file",
        "source_line",
        "snapshot_date",
        "identification_method",
        "index_bioscan_1M_insect",
        delivered_measurement="image_measurement_value",
    ).with_columns(pl.col("index_bioscan_1M_insect").cast(pl.Int64, strict=False))
    standing = kept.select("processid", "batch")
    barcodes, geography, names = (
        _concat(paths, table).join(standing, on=["processid", "batch"], how="semi")
        for paths, table in (
            ([b.barcodes for b in batches], schema.CHECKED_BARCODES),
            ([b.geography for b in batches], schema.CHECKED_GEOGRAPHY),
            ([b.names for b in batches], schema.NORMALISED_NAMES),
        )
    )
    flags = [checked.select("processid", "flags") for checked in (barcodes, geography, names)]
    for checked in (barcodes, geography, names):
        frame = frame.join(checked.drop("batch", "flags"), on="processid", how="left", validate="1:1")

    images = choose_images(_concat([b.boxes for b in batches], schema.BOXES), kept)
    images = images.join(kept, on="processid", how="semi")
    flags += [images.select("processid", "flags"), duplicate_flags(images, settings.images)]
    frame = frame.join(
        images.drop("flags", "detail").rename({"batch": "image_batch", "status": "image_status"}),
        on="processid",
        how="left",
        validate="1:1",
    )
    frame = _measure(frame)
    frame, unified = unify_provinces(frame)
    changes = pl.concat([barcode_changes(kept.lazy(), barcodes), geography_changes(geography), unified])
    changes = changes.with_columns(step=pl.int_range(pl.len(), dtype=pl.Int32).over("processid", "field"))
    flags.append(corpus_flags(frame.select("processid", "barcode", "species", "dna_bin")))
    all_flags = (
        pl.concat([f.select("processid", "flags") for f in flags])
        .explode("flags")
        .drop_nulls()
        .group_by("processid")
        .agg(pl.col("flags").unique().sort())
    )
    frame = frame.join(all_flags, on="processid", how="left").with_columns(
        pl.col("flags").fill_null(pl.lit([], dtype=pl.List(pl.String)))
    )
    held = gates(settings)
    frame = frame.with_columns(
        gates=pl.concat_list(
            pl.when(gate).then(pl.lit(gate.meta.output_name())).otherwise(None) for gate in held
        ).list.drop_nulls()
    )
    if not settings.gates.require_image:
        frame = _without_unaccepted_images(frame, settings)
    return Specimens(
        schema.SPECIMENS.conform(frame.sort("processid")),
        schema.SET_ASIDE.conform(set_aside.sort("processid", "batch", "source_file", "source_line")),
        schema.REJECTS.conform(rejects.sort("batch", "source_file", "source_line", nulls_last=True)),
        changes,
    )


def _measure(frame: pl.DataFrame) -> pl.DataFrame:
    """Take the measurement BOLD delivers, else the mask's (spec: images, sizes)."""
    delivered = pl.col("delivered_measurement").cast(pl.Float64, strict=False).round().cast(pl.Int64, strict=False)
    usable = delivered.is_not_null() & (delivered >= 0)
    return frame.with_columns(
        image_measurement_value=pl.when(usable).then(delivered).otherwise("image_measurement_value"),
        measurement_source=pl.when(usable)
        .then(pl.lit("bold"))
        .when(pl.col("image_measurement_value").is_not_null())
        .then(pl.lit("mask")),
    ).drop("delivered_measurement")


def _without_unaccepted_images(frame: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Where an image is not required, one that no curator accepted yet is not released either."""
    accepted = pl.col("image_status").is_in(list(settings.gates.image_statuses)).fill_null(value=False)
    released = (
        "image_batch",
        "image_file",
        "width_original",
        "height_original",
        "x0",
        "y0",
        "x1",
        "y1",
        "confidence",
        "area_fraction",
        "scale_factor",
    )
    return frame.with_columns(pl.when(accepted).then(pl.col(name)).alias(name) for name in released)


def accepted(specimens: pl.DataFrame) -> pl.DataFrame:
    """Specimens that no gate holds."""
    return specimens.filter(pl.col("gates").list.len() == 0).drop("gates")


def quarantine(specimens: pl.DataFrame) -> pl.DataFrame:
    """Specimens that a gate holds, in `schema.QUARANTINE`, sorted by process ID."""
    return schema.QUARANTINE.conform(specimens.filter(pl.col("gates").list.len() > 0).sort("processid"))
