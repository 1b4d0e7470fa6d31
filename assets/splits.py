"""Partitions for closed- and open-world learning."""

import dagster as dg
import polars as pl

from assets.stage import report, run, stage
from assets.taxonomy import curated_taxonomy
from bioscan_etl import schema
from bioscan_etl.lake import Draft
from bioscan_etl.resources import LakeResource
from bioscan_etl.splits import checks
from bioscan_etl.splits.near_duplicates import near_duplicates
from bioscan_etl.splits.partition import partition


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
    (`splits.protocol`); all records of one barcode are in one partition.
    """
    home, settings = lake.lake(), lake.settings()
    source = home.get("curated_taxonomy")

    def build(draft: Draft) -> None:
        # A barcode's identity is its released sequence, so that users find no barcode in two partitions.
        curated = pl.read_parquet(
            source.path("curated.parquet"), columns=["processid", "genus", "species", "barcode", "dna_bin"]
        ).rename({"barcode": "dna_barcode"})
        assigned = partition(curated, settings.splits)
        findings = checks.check(curated, assigned)
        checks.require(findings)
        draft.write(schema.PARTITIONS, assigned)
        achieved = checks.report(curated, assigned)
        near_duplicates(curated, assigned).write_parquet(draft.folder / "near_duplicates.parquet", compression="zstd")
        achieved.write_parquet(draft.folder / "split_report.parquet", compression="zstd")
        draft.counts["findings"] = {finding.name: finding.count for finding in findings}
        draft.counts["splits"] = dict(zip(achieved["split"], achieved["samples"], strict=True))

    result = run(
        home,
        settings,
        "partitions",
        inputs={"curated": source.files["curated.parquet"]},
        sections=("splits",),
        build=build,
    )
    # An output exists only if `require` let it through.
    held = dg.AssetCheckResult(
        check_name="partitions_do_not_leak",
        passed=True,
        metadata={"findings": dg.MetadataValue.json(dict(result[0].counts["findings"]))},
    )
    return report(result, rows="partitions", checks=[held])
