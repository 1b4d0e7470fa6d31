"""The benchmarks of a release as assets: what they measured, and whether it can be trusted.

Not part of curation: a release is complete without them. Belongs here: the assets, made from the list of benchmarks,
their configuration, and what the UI shows. Does not belong here: measuring (`bioscan_etl.evaluation`), and the checks'
rules (`bioscan_etl.evaluation.checks`).
"""

import re
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
from pydantic import Field

from bioscan_etl.assets.factory import OWNERS, observed, one_line_errors
from bioscan_etl.errors import SourceError
from bioscan_etl.evaluation.beside import FOLDER, beside, earlier
from bioscan_etl.evaluation.budget import DEFAULT_MINUTES
from bioscan_etl.evaluation.checks import BLOCKING, STATEMENTS, findings
from bioscan_etl.evaluation.estimate import in_words
from bioscan_etl.evaluation.headline import BENCHMARK_TITLES, headline, score_name, title
from bioscan_etl.evaluation.page import PAGE, percent, release_pages
from bioscan_etl.evaluation.run import Evaluated, available, evaluate
from bioscan_etl.findings import Finding
from bioscan_etl.printable import printable
from bioscan_etl.progress import Progress
from bioscan_etl.release.scan import find_release
from bioscan_etl.release.versions import versions
from bioscan_etl.resources import CorpusResource
from bioscan_etl.vocabulary import BENCHMARKS

_VERSION = re.compile(r"latest|v[1-9][0-9]*")
_MOST_ROWS = 40  # of the table that the UI shows


class BenchmarkConfig(dg.Config):
    """What is measured, and how long it may take."""

    version: str = Field("latest", description="version of the release, such as v3; latest: the last one")
    minutes: float = Field(
        DEFAULT_MINUTES / len(BENCHMARKS),
        gt=0,
        description="processor minutes of this benchmark; queries that do not fit are drawn by the seed",
    )
    seed: int = Field(0, ge=0, description="of all that is drawn; the same seed gives the same scores")


def asset_name(benchmark: str) -> str:
    """The asset of a benchmark."""
    return f"benchmark_{benchmark}"


def benchmark_asset(benchmark: str) -> dg.AssetsDefinition:
    """The asset of a benchmark, with its checks."""

    @dg.asset(
        name=asset_name(benchmark),
        description=(
            f"{BENCHMARK_TITLES[benchmark]}. One score per task, model, rank, subset of the queries and metric, with "
            "its interval, beside the majority and shuffled labels. Key: these together. Source: the public files of a "
            "release. The scores lie in evaluations/<version>; a run replaces those of this benchmark alone."
        ),
        group_name="benchmarks",
        kinds={"parquet", "csv"},
        owners=OWNERS,
        deps=["release_manifest"],
        check_specs=[
            dg.AssetCheckSpec(check, asset=asset_name(benchmark), blocking=check in BLOCKING, description=statement)
            for check, statement in STATEMENTS.items()
        ],
        pool="benchmarks",
    )
    def measured(
        context: dg.AssetExecutionContext,
        config: BenchmarkConfig,
        corpus: dg.ResourceParam[CorpusResource],
        progress: dg.ResourceParam[Progress],
    ) -> dg.MaterializeResult:
        return _measure(benchmark, context, config, corpus, progress)

    return measured


@one_line_errors
def _measure(
    benchmark: str,
    context: dg.AssetExecutionContext,
    config: BenchmarkConfig,
    corpus: CorpusResource,
    progress: Progress,
) -> dg.MaterializeResult:
    if not _VERSION.fullmatch(config.version):
        raise SourceError(f"{config.version} is no version; give latest, or one such as v3")
    releases = corpus.lake().releases
    if config.version == "latest" and not versions(releases):
        raise SourceError(f"{releases} has no release yet; run curate_and_release first")
    root = find_release(str(releases / config.version))
    found = evaluate(
        str(root),
        None,
        corpus.settings(),
        benchmarks=[benchmark],
        minutes=config.minutes,
        seed=config.seed,
        progress=observed(context, progress),
        announce=lambda estimated: context.log.info(printable("; ".join(in_words(estimated)))),
    )
    results = [_result(benchmark, finding) for finding in findings(found.scores, earlier(beside(root)))]
    return dg.MaterializeResult(metadata=_metadata(found, root), check_results=results)


def _result(benchmark: str, finding: Finding) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=finding.check,
        asset_key=asset_name(benchmark),
        passed=finding.passed,
        severity=dg.AssetCheckSeverity.ERROR if finding.blocking else dg.AssetCheckSeverity.WARN,
        description=printable(finding.detail) or None,
        metadata={
            "failing": finding.count,
            "sample": dg.MetadataValue.json([printable(one) for one in finding.samples]),
        },
    )


def _metadata(found: Evaluated, root: Path) -> dict[str, Any]:
    """Headline scores by names that no release changes, so that the UI plots them; pages; a table."""
    folder = beside(root)
    first = headline(found.scores)
    evaluated = [path.name for path in versions(folder.parent)] if folder.parent.name == FOLDER else []
    return {
        **{score_name(row): float(row["value"]) for row in first.iter_rows(named=True)},
        "release": found.release,
        "page": dg.MetadataValue.path(str(folder / PAGE)),
        **{name: dg.MetadataValue.path(str(path)) for name, path in release_pages(root)},
        "scores": dg.MetadataValue.md(_table(first)),
        "evaluations": dg.MetadataValue.json(evaluated),
        "cost": dg.MetadataValue.json(in_words(found.estimated)),
        "dagster/row_count": found.scores.height,
    }


def _table(rows: pl.DataFrame) -> str:
    """Headline scores as a Markdown table, of 100."""
    lines = [
        "| task | model | rank | queries | score | 95 % | majority | shuffled | n |",
        "|---|---|---|---|---:|---|---:|---:|---:|",
    ]
    for row in rows.head(_MOST_ROWS).iter_rows(named=True):
        cells = [
            *(title(row["task"]), _cell(row["model"]), row["rank"], _cell(row["queries"])),
            *(percent(row["value"]), f"{percent(row['low'])} – {percent(row['high'])}"),
            *(percent(row["majority"]), percent(row["shuffled"]), f"{row['n']:,}"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    if rows.height > _MOST_ROWS:
        lines.append(f"\n{rows.height - _MOST_ROWS} more are on the page.")
    return "\n".join(lines) if rows.height else "This release has no query that this benchmark can ask."


def _cell(text: str) -> str:
    """A name of a model or partition within a Markdown table."""
    return re.sub(r"([|<`\[*_\\])", r"\\\1", printable(text))


BENCHMARK_ASSETS = [benchmark_asset(name) for name in available()]
