"""The report that curators act on."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import polars as pl

from bioscan_etl.lake.pins import Pin
from bioscan_etl.quality.ledger import Ledger
from bioscan_etl.quality.report import Report, write_report
from bioscan_etl.quality.results import RESULTS, read_results
from bioscan_etl.release import versions
from bioscan_etl.stages.work import Work

if TYPE_CHECKING:
    from bioscan_etl.stages.situation import Situation


def build(work: Work) -> None:
    """Write the page, and files with complete lists of process IDs."""
    out = work.out
    held, curated, split = (work.outputs[name] for name in ("specimens", "curated_taxonomy", "partitions"))
    numbers, drawn = work.outputs["statistics"], work.outputs["figures"]
    pages = out.folder / "report"
    (pages / "contact_sheets").mkdir(parents=True)
    sheets = {
        batch: sheet.path("contact_sheet.jpg")
        for batch, sheet in sorted(work.by_batch["contact_sheet"].items())
        if "contact_sheet.jpg" in sheet.files
    }
    copies = [shutil.copyfile(path, pages / "contact_sheets" / f"{batch}.jpg") for batch, path in sheets.items()]
    every = pl.read_parquet(held.path("specimens.parquet"), columns=["processid", "flags"])
    changes = pl.read_parquet(curated.path("changes.parquet"))
    left_out = "overrides_left_out.parquet"
    report = Report(
        version=str(work.extra["version"]),
        ledger=Ledger(**held.counts["ledger"]),
        rule_counts=_counted(every.explode("flags").drop_nulls().rename({"flags": "rule"}), ["rule"], "hits"),
        expectation_results=read_results(work.path("curated_expectations", RESULTS)),
        change_counts=_counted(changes, ["rule", "field"], "changes"),
        split_report=pl.read_parquet(split.path("split_report.parquet")),
        split_classes=pl.read_parquet(split.path("split_classes.parquet")),
        leakage={name: pl.read_parquet(split.path(f"{name}.parquet")) for name in ("near_duplicates", "near_images")},
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
        settings=work.settings,
        taxonomy=curated.counts["report"],
        conflicts=pl.read_parquet(curated.path("conflicts.parquet")),
        typos=pl.read_parquet(curated.path("typos.parquet")),
        batches=batch_lines(work.pinned),
        left_out=pl.read_parquet(curated.path(left_out)) if left_out in curated.files else None,
    )
    write_report(pages, report)
    out.counts["files"] = sum(path.is_file() for path in out.folder.rglob("*"))


def extra(situation: Situation) -> dict[str, Any]:
    """The version of the report (the existing or the next one), and the notes on the batches."""
    draft = situation.staging
    published = versions.published(draft.releases, draft.digest)
    version = published.name if published else versions.next_version(draft.releases)
    return {"version": version, "batches": batch_lines(situation.pinned).rows()}


def batch_lines(pin: Pin) -> pl.DataFrame:
    """Per batch of a release: its delivery, what made it, and notes."""
    rows = []
    for name in sorted({*pin.records, *pin.withdrawn, *pin.notes}):
        record = pin.records.get(name)
        made = ", ".join(f"{stage} {one.code['version']}" for stage, one in record.stages.items()) if record else ""
        notes = [f"withdrawn: {pin.withdrawn[name]}"] if name in pin.withdrawn else []
        notes += [pin.notes[name]] if name in pin.notes else []
        failed = sorted({check for one in record.stages.values() for check in one.failed_checks}) if record else []
        notes += [f"failed checks: {', '.join(failed)}"] if failed else []
        rows.append((name, record.delivery[:12] if record else "", made, "; ".join(notes)))
    columns = dict.fromkeys(("batch", "delivery", "made", "note"), pl.String)
    return pl.DataFrame(rows, schema=columns, orient="row")


def _counted(frame: pl.DataFrame, by: list[str], name: str) -> pl.DataFrame:
    return (
        frame.group_by(by)
        .agg(pl.len().cast(pl.Int64).alias(name))
        .sort(name, *by, descending=[True, *[False] * len(by)])
    )
