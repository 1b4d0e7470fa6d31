"""Great Expectations over the curated table, and the report that curators act on."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict

import dagster as dg
import polars as pl

from assets.release import open_staging, release_metadata
from assets.specimens import specimens
from assets.splits import partitions
from assets.stage import one_line_errors, report, run, stage
from assets.statistics import figures, statistics
from assets.taxonomy import curated_taxonomy
from bioscan_etl import schema, storage
from bioscan_etl.lake import Draft, Lake
from bioscan_etl.quality.expectations import expectation_rules
from bioscan_etl.quality.ledger import Ledger
from bioscan_etl.quality.report import write_report
from bioscan_etl.quality.validate import ExpectationResult, failing_rows, validate
from bioscan_etl.release import staging
from bioscan_etl.resources import LakeResource
from bioscan_etl.settings import Settings

_SEVERITY = {"blocking": dg.AssetCheckSeverity.ERROR, "warning": dg.AssetCheckSeverity.WARN}


def _expectations(home: Lake, settings: Settings) -> list[ExpectationResult]:
    """The suite's results on the curated table: one run of Great Expectations per table, kept in the lake."""
    source = home.get("curated_taxonomy")
    curated = source.path("curated.parquet")

    def build(draft: Draft) -> None:
        results = validate(curated, schema.CURATED)
        text = json.dumps([asdict(result) for result in results], indent=1, default=str)
        storage.write_text(draft.folder / "results.json", text)
        failing_rows(curated, schema.CURATED).write_parquet(draft.folder / "failing.parquet", compression="zstd")

    inputs = {"curated": source.files["curated.parquet"]}
    output, _ = run(home, settings, "curated_expectations", inputs=inputs, build=build)
    found = json.loads(output.path("results.json").read_text(encoding="utf-8"))
    return [ExpectationResult(**result | {"sample": tuple(result["sample"])}) for result in found]


@dg.multi_asset_check(
    name="great_expectations_curated",
    description="Great Expectations over the curated table: one suite run for all of its checks.",
    specs=[
        dg.AssetCheckSpec(
            rule.id,
            asset="curated_taxonomy",
            description=rule.statement,
            blocking=rule.severity == "blocking",
            metadata={"columns": ", ".join(rule.columns)},
        )
        for rule in expectation_rules(schema.CURATED)
    ],
    pool="corpus",
)
def curated_expectations(lake: LakeResource) -> Iterator[dg.AssetCheckResult]:
    """One result per expectation; the complete list of failing rows lies in the lake beside the results."""
    home = lake.lake()
    results = one_line_errors(_expectations)(home, lake.settings())
    failing = home.get("curated_expectations").path("failing.parquet")
    for result in results:
        yield dg.AssetCheckResult(
            check_name=result.id,
            asset_key="curated_taxonomy",
            passed=result.success,
            severity=_SEVERITY[result.severity],
            metadata={
                "rows": result.element_count,
                "failing": result.unexpected_count,
                "sample": dg.MetadataValue.json(list(result.sample)),
                "failing rows": dg.MetadataValue.path(str(failing)),
            },
        )


def _counted(frame: pl.DataFrame, by: list[str], name: str) -> pl.DataFrame:
    return (
        frame.group_by(by)
        .agg(pl.len().cast(pl.Int64).alias(name))
        .sort(name, *by, descending=[True, *[False] * len(by)])
    )


@stage(
    group="report",
    kinds={"html"},
    deps=[specimens, curated_taxonomy, partitions, release_metadata, statistics, figures],
    pool="corpus",
)
def quality_report(lake: LakeResource) -> dg.MaterializeResult:
    """What a curator looks at: ledger, gates, rules, changes, expectations, partitions, statistics, figures.

    One HTML page that opens without network, with complete lists of process IDs beside it.
    """
    home, settings = lake.lake(), lake.settings()
    held, curated = home.get("specimens"), home.get("curated_taxonomy")
    split, numbers, drawn = home.get("partitions"), home.get("statistics"), home.get("figures")
    draft_release = open_staging(home, settings)
    published = staging.published(home.releases, draft_release.digest)
    version = published.name if published else staging.next_version(home.releases)
    results = _expectations(home, settings)
    sheets = {
        batch: path
        for batch in sorted(held.inputs["batches"])
        if (path := home.get("specimen_boxes", batch).folder / "contact_sheet.jpg").is_file()
    }

    def build(draft: Draft) -> None:
        pages = draft.folder / "report"
        (pages / "contact_sheets").mkdir(parents=True)
        copies = [shutil.copyfile(path, pages / "contact_sheets" / f"{batch}.jpg") for batch, path in sheets.items()]
        every = pl.read_parquet(held.path("specimens.parquet"), columns=["processid", "flags"])
        changes = pl.read_parquet(curated.path("changes.parquet"))
        write_report(
            pages,
            version=version,
            ledger=Ledger(**held.counts["ledger"]),
            rule_counts=_counted(every.explode("flags").drop_nulls().rename({"flags": "rule"}), ["rule"], "hits"),
            expectation_results=results,
            change_counts=_counted(changes, ["rule", "field"], "changes"),
            split_report=pl.read_parquet(split.path("split_report.parquet")),
            split_classes=pl.read_parquet(split.path("split_classes.parquet")),
            leakage={
                name: pl.read_parquet(split.path(f"{name}.parquet")) for name in ("near_duplicates", "near_images")
            },
            moves=pl.read_parquet(split.path("partition_moves.parquet")),
            quarantine=pl.read_parquet(held.path("quarantine.parquet")),
            statistics={
                path.removesuffix(".parquet"): pl.read_parquet(numbers.path(path))
                for path in sorted(numbers.files)
                if path.endswith(".parquet")
            },
            figures=[drawn.path(name) for name in sorted(drawn.files)],
            contact_sheets=copies,
            flagged=every.filter(pl.col("flags").list.len() > 0),
            settings=settings,
            taxonomy=curated.counts["report"],
            conflicts=pl.read_parquet(curated.path("conflicts.parquet")),
            typos=pl.read_parquet(curated.path("typos.parquet")),
        )
        draft.counts["files"] = sum(path.is_file() for path in draft.folder.rglob("*"))

    inputs = {
        "specimens": held.content,
        "curated": curated.content,
        "partitions": split.content,
        "statistics": numbers.content,
        "figures": drawn.content,
        "contact_sheets": {batch: storage.sha256(str(path)) for batch, path in sheets.items()},
        "version": version,
        "settings": settings.digest(),
    }
    result = run(home, settings, "quality_report", inputs=inputs, build=build)
    page = result[0].folder / "report" / "index.html"
    return report(result, report=dg.MetadataValue.path(str(page)))
