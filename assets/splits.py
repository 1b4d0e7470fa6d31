"""Partitions for closed- and open-world learning."""

import dagster as dg
import polars as pl

from assets.stage import report, run, stage
from assets.taxonomy import curated_taxonomy
from bioscan_etl import schema
from bioscan_etl.barcodes.sequences import identity
from bioscan_etl.lake import Draft, Lake
from bioscan_etl.release import staging
from bioscan_etl.resources import LakeResource
from bioscan_etl.settings import Settings
from bioscan_etl.splits import checks
from bioscan_etl.splits.near_duplicates import near_duplicates
from bioscan_etl.splits.near_images import near_images
from bioscan_etl.splits.partition import partition_onward
from bioscan_etl.splits.targets import review

MEMORY = "partition_memory.parquet"


@stage(
    group="partition",
    kinds={"numpy", "parquet"},
    table=schema.PARTITIONS,
    deps=[curated_taxonomy],
    checks=[
        dg.AssetCheckSpec(
            "partitions_do_not_leak",
            asset="partitions",
            blocking=True,
            description="No barcode in two partitions, no species both seen and unseen, every unseen species has keys.",
        )
    ],
    pool="corpus",
)
def partitions(lake: LakeResource) -> dg.MaterializeResult:
    """One row per released specimen and its partition, of the eight.

    Key: process ID. Source: curated_taxonomy, in process ID order. Rules: the protocol of the settings
    (`splits.protocol`); all records of one barcode are in one partition. With "stable", the assignments of the last
    release are kept, and each move is listed with its reason.
    """
    home, settings = lake.lake(), lake.settings()
    source = home.get("curated_taxonomy")
    base = _base(home, settings, source.files["curated.parquet"])

    def build(draft: Draft) -> None:
        # A barcode's identity is its released sequence, so that users find no barcode in two partitions.
        released = identity(pl.col("dna_barcode")).alias("dna_barcode")
        rows = pl.scan_parquet(source.path("curated.parquet"))
        curated = rows.select("processid", "genus", "species", released, "dna_bin").collect()
        assigned = partition_onward(curated, settings.splits, _earlier(home, base))
        reviewed = review(curated, assigned.partitions)
        checks.require(reviewed.findings)
        draft.write(schema.PARTITIONS, assigned.partitions)
        draft.write(schema.PARTITION_MOVES, assigned.moves)
        if settings.splits.protocol == "stable":
            draft.write(schema.PARTITION_MEMORY, assigned.memory)
        images = rows.select("processid", "sha256", "dhash").collect()
        tables = {
            "split_report": reviewed.partitions,
            "split_classes": reviewed.classes,
            "near_duplicates": near_duplicates(curated, assigned.partitions),
            "near_images": near_images(images, assigned.partitions, settings.images.near_duplicate_bits),
        }
        for name, table in tables.items():
            table.write_parquet(draft.folder / f"{name}.parquet", compression="zstd")
        findings = [*reviewed.findings, reviewed.held_out]
        draft.counts["findings"] = {finding.name: finding.count for finding in findings}
        draft.counts["splits"] = dict(reviewed.partitions.select("split", "samples").iter_rows())
        draft.counts["near"] = {
            name: {f"{known} {evaluated}": near for known, evaluated, near in rows}
            for name in ("near_duplicates", "near_images")
            if (rows := tables[name].select("known", "evaluated", "near").rows())
        }

    result = run(
        home,
        settings,
        "partitions",
        inputs={
            "curated": source.files["curated.parquet"],
            "settings": settings.digest("splits"),
            "near_duplicate_bits": settings.images.near_duplicate_bits,
            "earlier": base,
        },
        build=build,
    )
    # An output exists only if `require` let it through.
    held = dg.AssetCheckResult(
        check_name="partitions_do_not_leak",
        passed=True,
        metadata={"findings": dg.MetadataValue.json(dict(result[0].counts["findings"]))},
    )
    return report(result, rows="partitions", checks=[held], moves=result[0].counts["partition_moves"])


def _base(home: Lake, settings: Settings, curated: str) -> str:
    """Version of the release whose assignments are kept; empty for none.

    The same corpus with the same settings keeps the base it had: else the release that it became would be its own
    base, and a run that changes nothing would make another release.
    """
    if settings.splits.protocol != "stable":
        return ""
    made = home.find("partitions")
    if made and (made.inputs["curated"], made.inputs["settings"]) == (curated, settings.digest("splits")):
        return str(made.inputs["earlier"])
    last = staging.latest(home.releases)
    return last.name if last else ""


def _earlier(home: Lake, base: str) -> pl.LazyFrame | None:
    """What the base remembers: its memory, or its rows where another protocol made it."""
    if not base:
        return None
    folder = home.releases / base
    memory = folder / MEMORY
    return pl.scan_parquet(memory if memory.is_file() else sorted((folder / "data").glob("*.parquet")))
