"""All parts of a release, one after the other, outside the pipeline.

Belongs here: their order, for notebooks, tests and benchmarks. Does not belong here: any one part (`release.parts`,
`release.forms`); in the pipeline each is a stage of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from bioscan_etl.progress import Progress, silent
from bioscan_etl.release.forms.registry import build_form, wanted
from bioscan_etl.release.images import Originals
from bioscan_etl.release.parts import Logs, build_images, build_metadata
from bioscan_etl.release.staging import Staging
from bioscan_etl.settings import ReleaseSettings


def build_parts(
    staging: Staging,
    curated: pl.DataFrame,
    partitions: pl.DataFrame,
    logs: Logs,
    crops: Iterable[tuple[str, Path]],
    settings: ReleaseSettings,
    progress: Progress = silent,
    originals: Mapping[str, Originals] | None = None,
) -> None:
    """Build all parts that the settings ask for, one after the other; those that are complete are kept.

    Args:
        staging: the staging to write to.
        curated: `schema.CURATED`.
        partitions: `schema.PARTITIONS` of the same process IDs.
        logs: the tables beside the specimens.
        crops: batch and the folder of its crops (see `images.write_images`).
        settings: names and parts.
        progress: reports the images.
        originals: where the originals of each batch are.

    Raises:
        InvariantError: the tables or images cannot be released together.
    """
    build_metadata(staging, curated, partitions, logs, settings)
    build_images(staging, curated, crops, settings, progress, originals)
    for form in wanted(settings):
        build_form(form, staging, settings, progress)
