"""The report that curators act on."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from bioscan_etl import schema
from bioscan_etl.decisions.outcome import outcome
from bioscan_etl.doubts.reach import settled
from bioscan_etl.io.tables import read_parquet, scan_parquet
from bioscan_etl.lake.pins import Pin
from bioscan_etl.lake.store import Lake, digest
from bioscan_etl.quality.doubts_history import doubt_history
from bioscan_etl.quality.expectations import expectation_rules
from bioscan_etl.quality.history import added_up, batch_results, history, in_order, of_release, stated
from bioscan_etl.quality.ledger import Ledger
from bioscan_etl.quality.report import BATCHES, LEAKAGE, STATISTICS, Report, batch_row, write_report
from bioscan_etl.quality.results import RESULTS, ExpectationResult, read_results
from bioscan_etl.records.damaged_files import damaged_files
from bioscan_etl.release import versions
from bioscan_etl.release.layout import FIGURES as FIGURES_FOLDER
from bioscan_etl.release.layout import STATISTICS as STATISTICS_FOLDER
from bioscan_etl.stages.registry import REFUSED
from bioscan_etl.stages.work import Work
from bioscan_etl.statistics.change import CHANGE, COMPARED, change
from bioscan_etl.statistics.titles import FIGURES

if TYPE_CHECKING:
    from bioscan_etl.stages.situation import Situation

_EXPECTATIONS = ("specimen_expectations", "curated_expectations", "release_expectations")


def build(work: Work) -> None:
    """Write the page, and files with complete lists of process IDs."""
    out = work.out
    held, curated, split = (work.outputs[name] for name in ("specimens", "curated_taxonomy", "partitions"))
    drawn = work.outputs["figures"]
    pages = out.folder / "report"
    (pages / "contact_sheets").mkdir(parents=True)
    sheets = {
        batch: sheet.path("contact_sheet.jpg")
        for batch, sheet in sorted(work.by_batch["contact_sheet"].items())
        if "contact_sheet.jpg" in sheet.files
    }
    copies = [shutil.copyfile(path, pages / "contact_sheets" / f"{batch}.jpg") for batch, path in sheets.items()]
    every = read_parquet(held.path("specimens.parquet"), columns=["processid", "flags"])
    changes = read_parquet(curated.path("changes.parquet"))
    version = str(work.extra["version"])
    by_stage = {stage: read_results(work.path(stage, RESULTS)) for stage in _EXPECTATIONS}
    by_batch = batch_results(work.lake, work.pinned.records)
    own = stated(by_stage, by_batch)
    earlier = _earlier(work.lake, work.pinned, version)
    report = Report(
        version=version,
        ledger=Ledger(**held.counts["ledger"]),
        rule_counts=_counted(every.explode("flags").drop_nulls().rename({"flags": "rule"}), ["rule"], "hits"),
        expectation_results=_worded([*added_up(by_batch), *(one for results in by_stage.values() for one in results)]),
        change_counts=_counted(changes, ["rule", "field"], "changes"),
        split_report=read_parquet(split.path("split_report.parquet")),
        split_classes=read_parquet(split.path("split_classes.parquet")),
        leakage={name: read_parquet(split.path(f"{name}.parquet")) for name in LEAKAGE},
        moves=read_parquet(split.path("partition_moves.parquet")),
        quarantine=read_parquet(held.path("quarantine.parquet")),
        statistics={
            name: read_parquet(work.path("statistics", f"{STATISTICS_FOLDER}/{name}.parquet")) for name in STATISTICS
        },
        figures=[drawn.path(f"{FIGURES_FOLDER}/{name}.svg") for name in FIGURES],
        contact_sheets=copies,
        flagged=every.filter(pl.col("flags").list.len() > 0),
        settings=work.settings,
        taxonomy=curated.counts["report"],
        conflicts=read_parquet(curated.path("conflicts.parquet")),
        typos=read_parquet(curated.path("typos.parquet")),
        batches=batch_lines(work.pinned, damaged_files(work.lake, work.pinned)),
        decisions=outcome(
            read_parquet(work.path("decisions", "decisions.parquet")),
            [
                read_parquet(one.path("decision_effects.parquet"))
                for one in (work.outputs["drawn_boxes"], held, curated)
            ],
        ),
        refused=read_parquet(work.path("decisions", REFUSED)),
        doubts=settled(
            read_parquet(work.path("doubts", "doubts.parquet")),
            _lines(work),
            scan_parquet(held.path("specimens.parquet")),
        ),
        expectations=own,
        history=in_order(pl.concat([earlier, of_release(own, version)])),
        doubt_history=doubt_history(_before(work.lake, version)),
        statistics_change=_change(work, version),
    )
    write_report(pages, report)
    out.counts["files"] = sum(path.is_file() for path in out.folder.rglob("*"))


def _change(work: Work, version: str) -> pl.DataFrame:
    """What changed in the statistics since the release before; nothing without one that has them."""
    earlier = _before(work.lake, version)
    folder = earlier[-1] / STATISTICS_FOLDER if earlier else None
    if folder is None or not folder.is_dir():
        return pl.DataFrame(schema=CHANGE)
    before = {name: read_parquet(path) for name in COMPARED if (path := folder / f"{name}.parquet").is_file()}
    after = {name: read_parquet(work.path("statistics", f"{STATISTICS_FOLDER}/{name}.parquet")) for name in COMPARED}
    return change(before, after)


def _lines(work: Work) -> pl.DataFrame:
    """The curators' lines that have no problem."""
    return read_parquet(work.path("decisions", "decisions.parquet")).filter(pl.col("problem").is_null())


def extra(situation: Situation) -> dict[str, Any]:
    """The version of the report (the existing or the next one), the notes on the batches, and the earlier results."""
    draft = situation.staging
    published = versions.published(draft.releases, draft.digest)
    version = published.name if published else versions.next_version(draft.releases)
    return {
        "version": version,
        "batches": batch_lines(situation.pinned, damaged_files(situation.lake, situation.pinned)).rows(),
        "history": digest(_earlier(situation.lake, situation.pinned, version).rows()),
        "doubt_history": digest(doubt_history(_before(situation.lake, version)).rows()),
        "before": earlier[-1].name if (earlier := _before(situation.lake, version)) else "",
    }


def _earlier(lake: Lake, pin: Pin, version: str) -> pl.DataFrame:
    """The history of the expectations in the pinned batches, and in the releases before a version."""
    return history(lake, _before(lake, version), pin.records)


def _before(lake: Lake, version: str) -> list[Path]:
    """The releases before a version, oldest first."""
    return [path for path in versions.versions(lake.releases) if int(path.name[1:]) < int(version[1:])]


def _worded(results: Sequence[ExpectationResult]) -> list[ExpectationResult]:
    """The results, with the statements that those of batches are kept without."""
    words = {(table.name, rule.id): rule.statement for table in schema.TABLES for rule in expectation_rules(table)}
    return [replace(one, statement=one.statement or words.get((one.table, one.id), "")) for one in results]


def batch_lines(pin: Pin, damage: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """Per batch of a release: its delivery, what made it, notes, and the damage of its records files.

    Args:
        pin: the batches.
        damage: a sentence for each damaged records file, by batch.
    """
    rows = []
    for name in sorted({*pin.records, *pin.withdrawn, *pin.notes}):
        record = pin.records.get(name)
        stages = record.stages if record else {}
        row = batch_row(
            name,
            record.delivery if record else None,
            {stage: one.code["version"] for stage, one in stages.items()},
            pin.withdrawn.get(name),
            pin.notes.get(name),
            [check for one in stages.values() for check in one.failed_checks],
        )
        rows.append((*row, "; ".join(damage.get(name, ()))))
    return pl.DataFrame(rows, schema={**BATCHES, "damage": pl.String()}, orient="row")


def _counted(frame: pl.DataFrame, by: list[str], name: str) -> pl.DataFrame:
    return (
        frame.group_by(by)
        .agg(pl.len().cast(pl.Int64).alias(name))
        .sort(name, *by, descending=[True, *[False] * len(by)])
    )
