"""The order of the checks of a release.

Belongs here: which check follows which, and what it gets. Does not belong here: any one check. They are `files`
(manifests and bytes), `csv` and `tables` (values and agreement of what every release has), `corpus` (what must hold of
the specimens), `images`, `provenance` and `settings` (whether the release was made as it states), `evidence` (whether
its values contradict each other), and the `check` of each output form (`release.forms`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import polars as pl

from bioscan_etl.io.paths import real_path
from bioscan_etl.progress import Progress
from bioscan_etl.release.check import evidence as check_evidence
from bioscan_etl.release.check import expectations as check_expectations
from bioscan_etl.release.check import files as check_files
from bioscan_etl.release.check import images as check_images
from bioscan_etl.release.check import label_indices as check_label_indices
from bioscan_etl.release.check import ledger as check_ledger
from bioscan_etl.release.check import parquet as check_parquet
from bioscan_etl.release.check import provenance as check_provenance
from bioscan_etl.release.check import report as check_report
from bioscan_etl.release.check import settings as check_settings
from bioscan_etl.release.check import signature as check_signature
from bioscan_etl.release.check import strangers as check_strangers
from bioscan_etl.release.check import tables as check_tables
from bioscan_etl.release.check import texts as check_texts
from bioscan_etl.release.check.faults import Fault
from bioscan_etl.release.check.installed import installed
from bioscan_etl.release.check.origin import Origin
from bioscan_etl.release.check.recomputed import all_stated
from bioscan_etl.release.check.settings_images import read_boxes
from bioscan_etl.release.check.settings_stated import Stated
from bioscan_etl.release.check.signature import Vouched
from bioscan_etl.release.check.view import View
from bioscan_etl.release.forms import bbox
from bioscan_etl.release.forms.registry import Form, forms, wanted
from bioscan_etl.release.manifest import Manifest
from bioscan_etl.release.rows import with_image

_NO_IMAGES = pl.DataFrame(schema={"processid": pl.String, "split": pl.String, "path": pl.String})


def faults(release: Path, images: Literal["sample", "all"], progress: Progress, vouched: Vouched) -> Iterator[Fault]:
    """The faults of a release, in the order of the checks; arguments as of `release.check.check`."""
    root = real_path(release)
    if not root.is_dir():
        yield Fault(release.name, None, "there is no such folder")
        return
    yield from check_signature.check_sum(root, vouched)
    manifest, found = check_files.read(root)
    yield from found
    if manifest is None:
        return
    yield from check_signature.check(root, manifest, vouched)
    yield from check_files.check(root, manifest, progress)
    yield from check_strangers.check(manifest)
    stated, found = check_settings.read_stated(manifest.settings)
    yield from found
    yield from check_provenance.check(manifest)
    data, found = check_tables.check(root, manifest)
    yield from found
    origin = Origin.of(manifest, installed)
    yield from check_parquet.check(root, stated, origin)
    view = View(root, manifest, check_files.names(manifest), origin, stated, data, _NO_IMAGES, frozenset())
    # A descriptor that is there is checked even if the stated settings leave it out: they may be the misstatement.
    for form in forms().values():
        if form.describe is not None and (form.is_wanted(view.settings) or _is_there(view, form)):
            yield from form.check(view)
    if data is None:
        return
    yield from check_provenance.check_batches(manifest, data.form)
    rows = data.rows.unique("processid", keep="first", maintain_order=True)
    yield from check_ledger.check(root, manifest, rows["processid"], origin)
    yield from check_label_indices.check(root, manifest, stated, data, origin)
    yield from check_texts.check(root, manifest, data.rows, origin)
    yield from check_report.check(root, manifest, stated, data.form, origin)
    yield from check_expectations.check(root, manifest, origin)
    yield from _images(root, manifest, stated, origin, rows, images, progress)
    yield from check_images.same_bytes(manifest, rows, data.form)
    yield from check_settings.check(root, manifest, stated, data, rows, images)
    yield from check_evidence.check(root, manifest, stated, data, origin)
    listed = with_image(rows).select("processid", "split", "path").sort("path")
    chosen = listed["processid"] if images == "all" else check_images.sample(listed["processid"].to_list())
    view = replace(view, listed=listed, chosen=frozenset(chosen))
    for form in wanted(view.settings):
        if form.describe is None:
            yield from form.check(view)


def _images(
    root: Path,
    manifest: Manifest,
    stated: Stated,
    origin: Origin,
    rows: pl.DataFrame,
    images: Literal["sample", "all"],
    progress: Progress,
) -> Iterator[Fault]:
    """The images, compared with their boxes if this package would have made them so."""
    name, _ = bbox.paths(check_files.names(manifest))

    def boxes(wanted: pl.Series) -> Mapping[str, Sequence[int]]:
        return read_boxes(root, name, stated, wanted)[0]

    ours = all_stated(stated, "images") and origin.computes("specimen_boxes", "specimen_images")
    yield from check_images.check(
        root, manifest, rows, images, progress, stated.settings.images, boxes if ours else None
    )


def _is_there(view: View, form: Form) -> bool:
    return any(check_files.is_plain(view.root, path) for path in form.owns(view.settings))
