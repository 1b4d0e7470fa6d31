"""Was a release made with the settings that its manifest states?

Belongs here: the order of the checks, and the list of what they verify. They are in `settings_rows` (flags and
gates), `settings_logs` (the logs), `settings_splits`, `settings_images` and
`settings_release`; `settings_stated` reads the settings.

The only evidence is the release, computed again without the functions that made it; only partitions are assigned by the
protocols' own code. If it shows a setting from one side only, `VERIFIED` says so. A setting that the manifest does
not state, as in an earlier version, is not verified. What no release shows:

- barcodes.min_shared_columns by itself: what rests on it is counted in the report.
- statistics: distances rest on places on the frame, which a check does not look for again.
- barcodes.neighbour* and barcodes.neighbours: neighbours are looked for in quarantined specimens too.
- geography.border_tolerance_km, sea_tolerance_km, centroid_tolerance_km: the map is not in the release, and centroids
  are decided by BOLD's coord_source, too (`places` uses the map of this package if it made the release).
  geography.earliest_year: dates are not released.
- images.detector, empty_confidence: the detector's answer is not kept. images.min_blur: sharpness does not come
  through JPEG. images.near_duplicate_bits: hashes are of the original image.
- gates: specimens in quarantine have no barcode and no BIN there, so that a gate can be seen to be too narrow, but not
  that it should have held less.
- checks: they hold batches back, and leave no trace in those that pass.
- release.labels_from: the release that a first one continues is not in it; if it names none, `label_indices` sees that
  the indices begin anew.
- release.content_defined_chunking: where pages of a Parquet file end is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import polars as pl

from bioscan_etl.release.check import settings_images as check_settings_images
from bioscan_etl.release.check import settings_logs as check_settings_logs
from bioscan_etl.release.check import settings_release as check_settings_release
from bioscan_etl.release.check import settings_rows as check_settings_rows
from bioscan_etl.release.check import settings_splits as check_settings_splits
from bioscan_etl.release.check.faults import Fault
from bioscan_etl.release.check.settings_stated import Stated, read_stated
from bioscan_etl.release.check.tables import Data
from bioscan_etl.release.manifest import Manifest

__all__ = ["VERIFIED", "check", "read_stated"]

VERIFIED: Mapping[str, str] = MappingProxyType(
    {
        name: statement
        for topic in (
            check_settings_logs,
            check_settings_rows,
            check_settings_splits,
            check_settings_images,
            check_settings_release,
        )
        for name, statement in topic.VERIFIED.items()
    }
)
"""Settings that `check` verifies from the release alone, by dotted name, and how, in one line each."""


def check(
    root: Path, manifest: Manifest, stated: Stated, data: Data, rows: pl.DataFrame, images: Literal["sample", "all"]
) -> Iterator[Fault]:
    """Check a release against the settings that it states.

    Args:
        root: the release's folder.
        manifest: its manifest.
        stated: the settings, from `read_stated`.
        data: the released rows.
        rows: `corpus.ROWS`, chunk and area_fraction of the released specimens, once each.
        images: read the headers of a fixed sample of each package, or of all images.
    """
    logs = check_settings_logs.check(root, stated)
    yield from logs.faults.faults()
    relabelled, fixed = (pl.concat(parts).unique() for parts in (logs.relabelled, logs.fixed))
    yield from check_settings_rows.check(stated, data.form, relabelled, fixed)
    yield from check_settings_splits.check(root, manifest, stated, data.form, rows, logs)
    yield from check_settings_images.check(root, manifest, stated, data.form, rows, every=images == "all")
    yield from check_settings_release.check(root, manifest, stated)
