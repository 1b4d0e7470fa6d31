"""A release of the small corpus as the pipeline leaves one: all forms, provenance, and the curators' report.

Belongs here: what the tests of the check need beside `release_corpus`. It takes a second; the pipeline takes minutes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
from release_corpus import DIGEST, GROWN, INPUT, Corpus, corpus
from release_everything import EVERYTHING

from bioscan_etl import schema
from bioscan_etl.provenance.code import code_of
from bioscan_etl.quality import report as reports
from bioscan_etl.quality.history import stated as stated_results
from bioscan_etl.quality.ledger import Ledger
from bioscan_etl.quality.report import Report, write_report
from bioscan_etl.quality.results import ExpectationResult
from bioscan_etl.quality.validate import count_failing
from bioscan_etl.release.rows import data_files, released_rows
from bioscan_etl.release.ship.version import publish
from bioscan_etl.release.staging import Staging
from bioscan_etl.settings import ReleaseSettings, Settings
from bioscan_etl.stages.registry import STAGES, Scope
from bioscan_etl.statistics.completeness import completeness
from bioscan_etl.statistics.described import describe
from bioscan_etl.statistics.files import write_tables
from bioscan_etl.statistics.tables import missing, number_barcodes, statistics
from bioscan_etl.vocabulary import RANKS, SPLITS

BATCHES = ("one", "two", "x")
# Each file in one piece: a check reads a row group, and thousands of four rows take seconds.
WHOLE = EVERYTHING.model_copy(
    update=dict.fromkeys(
        (
            "rows_per_group",
            "rows_per_shard",
            "images_per_group",
            "images_per_shard",
            "images_per_zip",
            "samples_per_tar",
        ),
        1000,
    )
)


def provenance(settings: Settings) -> dict[str, Any]:
    """How the pipeline would say that it was made."""
    stages = [stage for stage in STAGES.values() if stage.scope is not Scope.BATCH]
    batch = {"delivery": "0" * 64, "settings": {}, "stages": {}, "failed_checks": []}
    return {
        "batches": dict.fromkeys(BATCHES, batch),
        "corpus": {
            stage.name: {"code": code_of(stage.name).as_dict(), "settings": settings.values(stage.settings)}
            for stage in stages
        },
        "withdrawn": {"gone": "delivered by mistake"},
        "notes": {"one": "a later delivery failed"},
        "settings_digest": settings.digest(),
    }


def reported(folder: Path, release: ReleaseSettings = WHOLE, made: Corpus | None = None) -> Path:
    """Build the release below a folder; returns its folder."""
    settings = Settings(release=release, splits=GROWN)
    made = made or corpus(folder / "lake")
    draft = Staging(folder / "releases", DIGEST)
    made.parts(draft, settings.release)
    stated = provenance(settings)
    report = folder / "report"
    write_report(report, replace(_report(made, released_rows(draft), settings, stated), expectations=results(draft)))
    rows = released_rows(draft)
    tables = describe(rows, settings).tables | {"missing": missing(rows.lazy())}
    write_tables(tables, folder / "statistics")
    extra = made.memory() | {"report": report, "statistics": folder / "statistics"}
    inputs = [INPUT | {"batch": "x", "kind": "records"}]
    return publish(draft, settings, rows_read=made.rows_read, inputs=inputs, provenance=stated, extra=extra)


def results(draft: Staging) -> pl.DataFrame:
    """What the released rows would be found to be, without Great Expectations."""
    files = [path for split in SPLITS for path in data_files(draft.tree, split)]
    rows, table = released_rows(draft).height, schema.METADATA_EXTENDED
    found = [
        ExpectationResult(table.name, rule, "", "", "warning", not count, rows, count, 0.0)
        for rule, count in count_failing(files, table).items()
    ]
    return stated_results({"release_expectations": found}, {})


def _report(made: Corpus, rows: pl.DataFrame, settings: Settings, stated: dict[str, Any]) -> Report:
    logs = made.logs
    flags = pl.concat([rows.select("processid", "flags"), logs.quarantine.select("processid", "flags")])
    changes = logs.changes.group_by("rule", "field").agg(changes=pl.len().cast(pl.Int64))
    notes = [f"{name}{delivery}" for name, delivery in (("withdrawn: ", "delivered by mistake"),)]
    batches = [(name, "0" * 12, "", "a later delivery failed" if name == "one" else "") for name in BATCHES]
    batches.append(("gone", "", "", notes[0]))
    return Report(
        version="v1",
        ledger=Ledger.from_tables(made.rows_read, logs.rejects, logs.set_aside, logs.quarantine, rows.height),
        rule_counts=flags.explode("flags").drop_nulls().group_by(rule="flags").agg(hits=pl.len().cast(pl.Int64)),
        expectation_results=[],
        change_counts=changes,
        split_report=pl.DataFrame(
            [(split, rows.filter(pl.col("split") == split).height, 5.5) for split in SPLITS],
            schema=["split", "samples", "target_samples"],
            orient="row",
        ),
        quarantine=logs.quarantine,
        statistics=statistics(*number_barcodes(rows)) | completeness(number_barcodes(rows)[0]),
        figures=[],
        contact_sheets=[],
        flagged=flags.filter(pl.col("flags").list.len() > 0),
        settings=settings,
        taxonomy={
            "labels": {
                rank: {"delivered": 1, "final": rows[rank].count(), "inferred": int(rows[f"inferred_{rank}"].sum())}
                for rank in RANKS
            },
            "circular": None,
        },
        moves=pl.DataFrame(schema=["before", "after", "reason", "processid"]).cast(pl.String),
        # What is damaged is known where the records are, and not to the release.
        batches=pl.DataFrame(sorted(batches), schema=list(reports.BATCHES), orient="row").with_columns(
            damage=pl.lit("r.tsv is not as BOLD delivers it: fields are in quotes")
        ),
    )
