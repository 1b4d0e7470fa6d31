"""Partitions for closed- and open-world learning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from bioscan_etl import schema
from bioscan_etl.barcodes.identity import barcode_identity
from bioscan_etl.io.tables import read_parquet, scan_parquet
from bioscan_etl.lake.current import current
from bioscan_etl.lake.store import Lake
from bioscan_etl.release import versions
from bioscan_etl.splits.leakage import leakage
from bioscan_etl.splits.near_duplicates import near_duplicates
from bioscan_etl.splits.near_images import near_images
from bioscan_etl.splits.overlaps import barcode_groups
from bioscan_etl.splits.partition import partition_onward
from bioscan_etl.splits.targets import review
from bioscan_etl.stages.registry import MEMORY, STAGES
from bioscan_etl.stages.work import Work

if TYPE_CHECKING:
    from bioscan_etl.stages.situation import Situation


def build(work: Work) -> None:
    """Write the partitions, their moves and the reports on them, and check the rules."""
    out = work.out
    # Identities are of sequences as released, so that users find no barcode in two partitions.
    identities = barcode_identity(pl.col("dna_barcode")).alias("dna_barcode")
    rows = scan_parquet(work.path("curated_taxonomy", "curated.parquet"))
    curated = rows.select("processid", "genus", "species", identities, "dna_bin").collect()
    settings, least = work.settings.splits, work.settings.barcodes.min_shared_columns
    earlier = _earlier(work.lake, str(work.extra["earlier"]))
    barcodes = read_parquet(work.path("barcodes", "barcodes.parquet"))
    ids = read_parquet(work.path("barcodes", "barcode_ids.parquet"))
    groups = barcode_groups(curated, earlier, least, barcodes) if settings.keep_overlaps_together else None
    assigned = partition_onward(curated, settings, earlier, groups)
    work.progress("partitions", 1, 4)
    reviewed = review(curated, assigned.partitions)
    work.progress("partitions", 2, 4)
    out.write(schema.PARTITIONS, assigned.partitions)
    out.write(schema.PARTITION_MOVES, assigned.moves)
    if work.settings.splits.protocol == "stable":
        out.write(schema.PARTITION_MEMORY, assigned.memory)
    images = rows.select("processid", "sha256", "dhash").collect()
    tables = {
        "split_report": reviewed.partitions,
        "split_classes": reviewed.classes,
        "near_duplicates": near_duplicates(barcodes, ids, assigned.partitions, least),
        "leakage": leakage(barcodes, ids, assigned.partitions, least),
    }
    work.progress("partitions", 3, 4)
    tables["near_images"] = near_images(images, assigned.partitions, work.settings.images.near_duplicate_bits)
    work.progress("partitions", 4, 4)
    for name, table in tables.items():
        table.write_parquet(out.folder / f"{name}.parquet", compression="zstd")
    out.findings += [*reviewed.findings, reviewed.held_out]
    out.counts["splits"] = dict(reviewed.partitions.select("split", "samples").iter_rows())
    out.counts["earlier"] = work.extra["earlier"]
    out.counts["near"] = {
        name: {f"{known} {evaluated}": near for known, evaluated, near in pairs}
        for name in ("near_duplicates", "near_images")
        if (pairs := tables[name].select("known", "evaluated", "near").rows())
    }
    out.counts["leakage"] = {
        f"{known} {evaluated}": same
        for known, evaluated, same in tables["leakage"].select("known", "evaluated", "same").rows()
    }


def extra(situation: Situation) -> dict[str, Any]:
    """Version of the base release, whose assignments are kept; empty for none.

    The same corpus with the same settings keeps its base. Otherwise the release made from it would become its own
    base, and a run that changes nothing would make another release.
    """
    stage, lake = STAGES["partitions"], situation.lake
    settings = situation.settings.values(stage.settings)
    if settings["splits.protocol"] != "stable":
        return {"earlier": ""}
    made = current(lake, stage.name)
    if made is not None:
        inputs = made.made_from["inputs"]
        curated = situation.inputs_of(stage)["curated_taxonomy"]
        if (inputs["curated_taxonomy"], made.made_from["settings"]) == (curated, settings):
            return {"earlier": str(inputs["extra"]["earlier"])}
    last = versions.latest(lake.releases)
    return {"earlier": last.name if last else ""}


def _earlier(lake: Lake, version: str) -> pl.LazyFrame | None:
    """The assignments of the base: its partition memory, or its rows if another protocol made it."""
    if not version:
        return None
    folder = lake.releases / version
    memory = folder / MEMORY
    if memory.is_file():
        return scan_parquet(memory)
    released = scan_parquet(sorted((folder / "data").glob("*.parquet")))
    return released.with_columns(dna_barcode=barcode_identity(pl.col("dna_barcode")))
