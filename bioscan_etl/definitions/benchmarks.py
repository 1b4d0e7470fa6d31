"""The code location of the benchmarks: apart from the curation, so that "Materialize all" means the curation."""

from __future__ import annotations

import os

import dagster as dg

from bioscan_etl.assets.benchmarks import BENCHMARK_ASSETS
from bioscan_etl.definitions import LogProgress
from bioscan_etl.definitions.apart import apart
from bioscan_etl.progress import Progress
from bioscan_etl.resources import CorpusResource
from bioscan_etl.sensors.benchmark_jobs import release_benchmarks


def build_defs(corpus: CorpusResource, progress: Progress) -> dg.Definitions:
    """The graph of the benchmarks over a corpus."""
    return apart(corpus, progress, assets=BENCHMARK_ASSETS, jobs=[release_benchmarks])


defs = build_defs(CorpusResource(os.environ.get("BIOSCAN_OUTPUT", "output")), LogProgress())
