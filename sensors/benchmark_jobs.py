"""The job that measures a release, a code location of its own."""

import dagster as dg

from bioscan_etl.assets.benchmarks import BENCHMARK_ASSETS

BENCHMARKS_JOB = "release_benchmarks"

release_benchmarks = dg.define_asset_job(
    BENCHMARKS_JOB,
    selection=dg.AssetSelection.assets(*BENCHMARK_ASSETS),
    description="Measure what a model can learn from a release, by default the last one. No release waits for it.",
)
