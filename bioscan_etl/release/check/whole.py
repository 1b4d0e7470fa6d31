"""The order of the checks of a release.

Belongs here: which check follows which, and what it gets. Does not belong here: any one check. They are `files`
(manifests and bytes), `csv` and `tables` (values and agreement of what every release has), `corpus` (what must hold of
the specimens), `images`, `provenance` and `settings` (whether the release was made as it states), and the `check` of
each output form (`release.forms`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import polars as pl

from bioscan_etl.progress import Progress
from bioscan_etl.release.check import files as check_files
from bioscan_etl.release.check import images as check_images
from bioscan_etl.release.check import provenance as check_provenance
from bioscan_etl.release.check import settings as check_settings
from bioscan_etl.release.check import tables as check_tables
from bioscan_etl.release.check.faults import Fault
from bioscan_etl.release.check.view import View
from bioscan_etl.release.forms.registry import Form, forms, wanted
from bioscan_etl.release.rows import with_image

_NO_IMAGES = pl.DataFrame(schema={"processid": pl.String, "split": pl.String, "path": pl.String})


def faults(release: Path, images: Literal["sample", "all"], progress: Progress) -> Iterator[Fault]:
    """The faults of a release, in the order of the checks; arguments as of `release.check.check`."""
    root = release.resolve()
    if not root.is_dir():
        yield Fault(release.name, None, "there is no such folder")
        return
    manifest, found = check_files.read(root)
    yield from found
    if manifest is None:
        return
    yield from check_files.check(root, manifest, progress)
    stated, found = check_settings.read_stated(manifest.settings)
    yield from found
    yield from check_provenance.check(manifest)
    data, found = check_tables.check(root, manifest)
    yield from found
    view = View(root, manifest, check_files.names(manifest), stated, data, _NO_IMAGES, frozenset())
    # A descriptor that is there is checked even if the stated settings leave it out: they may be the misstatement.
    for form in forms().values():
        if form.describe is not None and (form.is_wanted(view.settings) or _is_there(view, form)):
            yield from form.check(view)
    if data is None:
        return
    yield from check_provenance.check_batches(manifest, data.form)
    rows = data.rows.unique("processid", keep="first", maintain_order=True)
    yield from check_images.check(root, manifest, rows, images, progress, stated["images.short_side"])
    yield from check_settings.check(root, manifest, stated, data, rows, images)
    listed = with_image(rows).select("processid", "split", "path").sort("path")
    chosen = listed["processid"] if images == "all" else check_images.sample(listed["processid"].to_list())
    view = replace(view, listed=listed, chosen=frozenset(chosen))
    for form in wanted(view.settings):
        if form.describe is None:
            yield from form.check(view)


def _is_there(view: View, form: Form) -> bool:
    return any(check_files.is_plain(view.root, path) for path in form.owns(view.settings))
