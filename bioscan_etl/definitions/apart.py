"""What code locations beside the curation have in common: the corpus, the progress, and how their jobs run.

Belongs here: the graph of some assets and jobs over a corpus. Does not belong here: which assets and jobs (`training`,
`benchmarks`).
"""

from __future__ import annotations

from typing import Any

import dagster as dg

from bioscan_etl.definitions import NoIOManager
from bioscan_etl.progress import Progress
from bioscan_etl.resources import CorpusResource


def apart(corpus: CorpusResource, progress: Progress, **parts: Any) -> dg.Definitions:
    """The definitions of a code location.

    Args:
        corpus: lake and settings.
        progress: receives the progress of the work.
        parts: its assets, jobs and asset checks, as for `dagster.Definitions`.
    """
    return dg.Definitions(
        **parts,
        resources={
            "io_manager": NoIOManager(),
            "corpus": dg.ResourceDefinition.hardcoded_resource(corpus),
            "progress": dg.ResourceDefinition.hardcoded_resource(progress),
        },
        executor=dg.in_process_executor,
    )
