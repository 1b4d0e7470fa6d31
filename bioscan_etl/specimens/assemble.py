"""From batches to specimens: one row per process ID, accepted or quarantined.

Belongs here: joining the per-batch tables, selecting the record and the image of each specimen, and
the gates. Does not belong here: the checks themselves; their flags are in the batch tables.

Millions of specimens with all their texts do not fit into memory. What depends on the whole corpus (selected records
and images, duplicates, conflicts, spellings of provinces) is computed from the few columns that it needs;
the wide rows are joined in slices of process IDs, by which all tables are sorted.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import polars as pl

from bioscan_etl import schema
from bioscan_etl.barcodes.check import CHANGED_FROM, barcode_changes, may_have_changed
from bioscan_etl.barcodes.corpus import corpus_flags
from bioscan_etl.flags import flags_from
from bioscan_etl.geography.changes import geography_changes
from bioscan_etl.geography.provinces import unify_provinces
from bioscan_etl.images.brightness import brightness_flags
from bioscan_etl.images.duplicates import duplicate_flags
from bioscan_etl.io.tables import scan_parquet
from bioscan_etl.progress import Progress, silent
from bioscan_etl.records.changes import text_changes
from bioscan_etl.records.supersede import latest
from bioscan_etl.records.values import whole_number
from bioscan_etl.settings import Settings
from bioscan_etl.specimens.decided import (
    ACCEPTED,
    gate_decisions,
    open_gates,
    place_changes,
    place_decisions,
    set_places,
    with_accepted_image,
)
from bioscan_etl.specimens.gates import gates, has_held_flag, scope_flags
from bioscan_etl.specimens.slices import Slice, in_slices, join_by_processid

_RECORD = (
    *("processid", "sampleid", "record_id", "batch", "source_file", "source_line", "snapshot_date"),
    *("identification_method", "index_bioscan_1M_insect", "image_measurement_value", "flags"),
)

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)


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
    placements: Path


@dataclass(frozen=True)
class Specimens:
    """The result of `assemble`.

    Attributes:
        parts: the inputs from which the specimens are joined.
        set_aside: `schema.SET_ASIDE` of all batches, superseded rows included.
        rejects: `schema.REJECTS` of all batches.
        changes: columns of `schema.CHANGES` without `ruleset`: what rules and curators changed in barcodes and places.
        set_places: those of them that curators made.
    """

    parts: Parts
    set_aside: pl.DataFrame
    rejects: pl.DataFrame
    changes: pl.DataFrame
    set_places: pl.DataFrame

    @cached_property
    def specimens(self) -> pl.DataFrame:
        """`schema.SPECIMENS`, sorted by process ID, in memory: for corpora that fit."""
        return self.lazy().collect()

    def lazy(self, progress: Progress = silent) -> pl.LazyFrame:
        """`schema.SPECIMENS`, sorted by process ID, joined while it is read, for streaming into a file."""
        return in_slices(schema.SPECIMENS, self.parts.selected["processid"], self.parts.within, progress)


def _scan(paths: Sequence[Path], table: schema.Table) -> pl.LazyFrame:
    frames = [scan_parquet(path).select(table.names()) for path in paths]
    return pl.concat(frames) if frames else table.empty().lazy()


def choose_images(boxes: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    """Select one image per specimen if several batches have one.

    Prefers the record's own batch, then the batch of the latest snapshot, then the last batch name. So a later
    delivery without images keeps the image of an earlier one.

    Args:
        boxes: `schema.BOXES` of all batches; only processid and batch are needed.
        kept: processid, batch, snapshot_date of the selected records.

    Returns:
        Rows of `boxes`, one per process ID at most, sorted by process ID.
    """
    several = boxes.select(pl.col("processid").is_duplicated()).to_series()
    contested = boxes.filter(several)
    own = kept.select("processid", own_batch="batch")
    age = kept.group_by("batch").agg(newest=pl.col("snapshot_date").max())
    chosen = (
        contested.join(own, on="processid", how="left")
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
    )
    return pl.concat([boxes.filter(~several), chosen.select(boxes.columns)]).sort("processid")


def assemble(
    batches: Sequence[BatchTables],
    settings: Settings,
    decisions: pl.DataFrame | None = None,
    drawn: pl.DataFrame | None = None,
) -> Specimens:
    """One row per specimen from all batches; the result does not depend on their order.

    Args:
        batches: the tables of each batch, sorted by process ID.
        settings: uses the sections gates, images and barcodes.
        decisions: usable lines of `schema.DECISIONS`: of these, `accept`, `reject` and `set` are applied.
        drawn: `schema.BOXES` of images whose box a curator drew; they take the place of the batches' rows.

    Returns:
        Specimens, set-aside rows, rejects and changes.
    """
    batches = sorted(batches, key=lambda tables: tables.batch)
    decided = schema.DECISIONS.empty() if decisions is None else decisions
    new_places = place_decisions(decided)
    records, superseded = latest(_scan([b.records for b in batches], schema.RECORDS))
    set_aside = pl.concat([_scan([b.set_aside for b in batches], schema.SET_ASIDE).collect(), superseded])
    rejects = _scan([b.rejects for b in batches], schema.REJECTS).collect()

    selected = records.select("processid", "batch", "snapshot_date").collect()
    checked = (
        _scan([b.barcodes for b in batches], schema.CHECKED_BARCODES),
        _scan([b.geography for b in batches], schema.CHECKED_GEOGRAPHY),
        _scan([b.names for b in batches], schema.NORMALISED_NAMES),
    )
    # Most corpora have each record once: then nothing is joined.
    gone = superseded.lazy().select("processid", "batch")
    barcodes, geography, names = (
        table.join(gone, on=["processid", "batch"], how="anti") if superseded.height else table for table in checked
    )
    boxes = _scan([b.boxes for b in batches], schema.BOXES)
    if drawn is not None and drawn.height:
        own = drawn.select(schema.BOXES.names()).lazy()
        boxes = pl.concat([boxes.join(own, on=["batch", "processid"], how="anti"), own])
    images = choose_images(boxes.select("processid", "batch").collect(), selected)
    with ThreadPoolExecutor(1) as beside_it:
        # The longest step uses mostly one core: the others run at the same time.
        placements = _scan([b.placements for b in batches], schema.PLACEMENTS)
        conflicts = beside_it.submit(_conflicts, barcodes, names, placements, settings)
        pictures = (
            boxes.select("processid", "batch", "sha256", "dhash", "exposure")
            .join(images.lazy(), on=["processid", "batch"], how="semi")
            .join(selected.lazy(), on="processid", how="semi")
            .collect()
        )
        duplicates = duplicate_flags(pictures, settings.images)
        brightness = brightness_flags(pictures, settings.images)
        del pictures
        places = geography.select("processid", "country", "province_state").collect().sort("processid")
        places, unified = unify_provinces(places)
        as_ruled = (
            geography.join(new_places.lazy().select("processid"), on="processid", how="semi")
            .select("processid", "country", "coord-lat", "coord-lon")
            .collect()
            .join(places.select("processid", "province_state"), on="processid", how="left")
        )
        by_curators = place_changes(as_ruled, new_places, decided)
        changes = _changes(records, barcodes, geography, pl.concat([unified, by_curators]))
    flags = (duplicates, brightness, *conflicts.result())
    return Specimens(
        Parts(
            selected=selected.select("processid", "batch"),
            images=images,
            records=records,
            checked=checked,
            boxes=boxes,
            provinces=places.select("processid", "province_state"),
            flags=flags,
            settings=settings,
            gates=gate_decisions(decided),
            places=new_places,
        ),
        schema.SET_ASIDE.conform(set_aside.sort("processid", "batch", "source_file", "source_line")),
        schema.REJECTS.conform(rejects.sort("batch", "source_file", "source_line", nulls_last=True)),
        changes,
        by_curators,
    )


def _conflicts(
    barcodes: pl.LazyFrame, names: pl.LazyFrame, placements: pl.LazyFrame, settings: Settings
) -> tuple[pl.DataFrame, pl.DataFrame]:
    ranks = sorted({"species", "order", *settings.gates.scope})
    labels = names.select("processid", *ranks).collect()
    # Rechunk, so that the join shares the sequences instead of copying them.
    frame = barcodes.select("processid", "barcode", "dna_bin").collect().rechunk()
    frame = join_by_processid(frame, labels)
    compared = frame.select("processid", "barcode", "dna_bin", "species", "order")
    flags = corpus_flags(compared, placements, settings.barcodes)
    return flags.filter(pl.col("flags").list.len() > 0), scope_flags(frame, settings.gates)


def _changes(
    records: pl.LazyFrame, barcodes: pl.LazyFrame, geography: pl.LazyFrame, unified: pl.DataFrame
) -> pl.DataFrame:
    """Changes by the barcode and geography rules; all columns are read only of rows that may have changed."""
    flagged = barcodes.filter(may_have_changed()).select(CHANGED_FROM).collect()
    moved = geography.filter(
        (pl.col("flags").list.len() > 0)
        | pl.col("country_verbatim").ne_missing(pl.col("country"))
        | pl.col("province_verbatim").ne_missing(pl.col("province_state"))
    ).collect()
    changes = pl.concat([text_changes(records), barcode_changes(records, flagged), geography_changes(moved), unified])
    return changes.with_columns(step=pl.int_range(pl.len(), dtype=pl.Int32).over("processid", "field"))


@dataclass(frozen=True, slots=True)
class Parts:
    """The inputs from which specimens are joined.

    Attributes:
        selected: processid, batch of the selected records, sorted by processid.
        images: processid, batch of the selected images, sorted by processid.
        records: the selected `schema.RECORDS`.
        checked: the checked barcodes, geography and names of all batches.
        boxes: `schema.BOXES` of all batches.
        provinces: processid, province_state as unified, sorted by processid.
        flags: processid, flags (sorted lists of rule ids) of the rules on the corpus; only flagged specimens, sorted.
        settings: uses the section gates.
        gates: of `decided.gate_decisions`.
        places: of `decided.place_decisions`.
    """

    selected: pl.DataFrame
    images: pl.DataFrame
    records: pl.LazyFrame
    checked: tuple[pl.LazyFrame, ...]
    boxes: pl.LazyFrame
    provinces: pl.DataFrame
    flags: tuple[pl.DataFrame, ...]
    settings: Settings
    gates: pl.DataFrame
    places: pl.DataFrame

    def within(self, part: Slice) -> pl.DataFrame:
        """The specimens of a slice of process IDs, `schema.SPECIMENS`, sorted."""
        selected, chosen = part.of(self.selected), part.of(self.images)
        lazy = [
            self.records.filter(part.condition).select(_RECORD),
            # The identity of a barcode is not stored: it would be as long as the sequence.
            *(table.filter(part.condition).drop("barcode", strict=False) for table in self.checked),
            self.boxes.filter(part.condition),
        ]
        records, *checked, boxes = pl.collect_all(lazy)
        frame = _rows_of(records, selected).with_columns(whole_number(pl.col("index_bioscan_1M_insect")))
        frame = frame.rename({"image_measurement_value": "delivered_measurement"})
        raised = [*(part.of(table) for table in self.flags), frame.select("processid", "flags")]
        frame = frame.drop("flags")
        for table in checked:
            rows = _rows_of(table, selected)
            frame = frame.hstack(rows.drop("processid", "batch", "flags"))
            raised.append(rows.select("processid", "flags"))
        images = _rows_of(boxes, chosen).drop("detail").rename({"batch": "image_batch", "status": "image_status"})
        raised.append(images.select("processid", "flags"))
        frame = join_by_processid(frame, images.drop("flags"))
        frame = join_by_processid(frame.drop("province_state"), part.of(self.provinces))
        frame = _measure(frame)
        raised.append(
            frame.select("processid", flags=flags_from({"NO_ORGANISM_PIXELS": pl.col("image_measurement_value") == 0}))
        )
        frame = set_places(_with_flags(frame, raised), part.of(self.places))
        frame = frame.with_columns(gates=flags_from({gate.meta.output_name(): gate for gate in gates(self.settings)}))
        decided = part.of(self.gates)
        frame = open_gates(frame, decided)
        if not self.settings.gates.require_image:
            frame = _without_unaccepted_images(frame, self.settings, with_accepted_image(decided))
        return frame


def _rows_of(table: pl.DataFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    """The rows of a batch table for the given process IDs and batches, in their order; each must have one row."""
    keys = ["processid", "batch"]
    if table.select(keys).equals(wanted):
        return table
    places = wanted.join(
        table.select(keys).with_row_index("place"), on=keys, how="inner", validate="1:1", maintain_order="left"
    )
    return table[places["place"]]


def _with_flags(frame: pl.DataFrame, raised: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Add `flags`: all flags of a specimen, distinct and sorted."""
    several = (
        pl.concat(table.filter(pl.col("flags").list.len() > 0) for table in raised)
        .explode("flags")
        .group_by("processid")
        .agg(pl.col("flags").unique().sort())
    )
    none = pl.lit([], dtype=pl.List(pl.String))
    return frame.join(several, on="processid", how="left", maintain_order="left").with_columns(
        pl.col("flags").fill_null(none)
    )


def _measure(frame: pl.DataFrame) -> pl.DataFrame:
    """Use the measurement delivered by BOLD, otherwise that of the mask (spec: specimen images, sizes)."""
    delivered = whole_number(pl.col("delivered_measurement"))
    usable = delivered.is_not_null() & (delivered >= 0)
    return frame.with_columns(
        image_measurement_value=pl.when(usable).then(delivered).otherwise("image_measurement_value"),
        measurement_source=pl.when(usable)
        .then(pl.lit("bold"))
        .when(pl.col("image_measurement_value").is_not_null())
        .then(pl.lit("mask")),
    ).drop("delivered_measurement")


def _without_unaccepted_images(frame: pl.DataFrame, settings: Settings, kept: pl.Series) -> pl.DataFrame:
    """If images are optional, drop unaccepted images but keep the specimen, and those that curators accept."""
    accepted = pl.col("image_status").is_in(list(settings.gates.image_statuses)).fill_null(value=False)
    accepted &= ~has_held_flag(settings.gates)
    by_curator = ~accepted & pl.col("processid").is_in(kept.implode()) & pl.col("x0").is_not_null()
    flagged = pl.concat_list("flags", pl.lit(ACCEPTED)).list.unique().list.sort()
    frame = frame.with_columns(flags=pl.when(by_curator).then(flagged).otherwise("flags"))
    accepted |= by_curator
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


def quarantine(specimens: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
    """Specimens that fail a gate, as `schema.QUARANTINE`, sorted by process ID."""
    held = specimens.lazy().filter(pl.col("gates").list.len() > 0).select(schema.QUARANTINE.names())
    return schema.QUARANTINE.conform(held.sort("processid").collect())
