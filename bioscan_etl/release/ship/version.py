"""Publishing: from complete parts to a version that appears whole or not at all.

Belongs here: the last steps, in order: parts verified, rows counted, card and manifests written, the folder
renamed, the pointer moved.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from bioscan_etl import vocabulary
from bioscan_etl.errors import InvariantError, LakeError
from bioscan_etl.io.tables import parquet_metadata, read_parquet
from bioscan_etl.io.write import write_text
from bioscan_etl.progress import Progress, silent
from bioscan_etl.release import manifest, staging, versions
from bioscan_etl.release.descriptors import Description
from bioscan_etl.release.diff.changelog import write_changelog
from bioscan_etl.release.forms.registry import owned, wanted
from bioscan_etl.release.manifest import Counts, Ledger
from bioscan_etl.release.readme import readme
from bioscan_etl.release.rows import released, with_image
from bioscan_etl.release.scan import Head
from bioscan_etl.release.signature import SigningKey, read_signing_key
from bioscan_etl.release.staging import Staging
from bioscan_etl.settings import Settings


def count(tree: Path, rows: pl.DataFrame, settings: Settings) -> Counts:
    """Rows and images of a release by split, package and reason.

    Args:
        tree: the release's folder.
        rows: split and area_fraction of the released specimens.
        settings: packages.
    """
    boxes = rows["area_fraction"].count()
    splits = dict(rows.group_by("split").len().iter_rows())

    def reasons(name: str, reason: pl.Expr) -> dict[str, int]:
        frame = read_parquet(tree / name).group_by(reason=reason).len().sort("reason")
        return dict(frame.iter_rows())

    return Counts(
        splits={split: splits.get(split, 0) for split in vocabulary.SPLITS},
        images=dict.fromkeys(settings.release.image_packages, boxes),
        boxes=boxes,
        changes=parquet_metadata(tree / "changes.parquet").num_rows,
        quarantined=reasons("quarantine.parquet", pl.col("gates").list.join("+")),
        set_aside=reasons("set_aside.parquet", pl.col("reason")),
        rejected=reasons("rejects.parquet", pl.col("reason")),
    )


def publish(
    draft: Staging,
    settings: Settings,
    *,
    rows_read: int,
    inputs: Sequence[Mapping[str, Any]],
    provenance: Mapping[str, Any] | None = None,
    extra: Mapping[str, Path] | None = None,
    progress: Progress = silent,
) -> Path:
    """Make the staged parts the next version, and let `latest` point to it.

    If the last version was made from inputs of the same digest, nothing is made and its folder is returned.

    Args:
        draft: staging with all parts built.
        settings: all settings; `release` decides the parts.
        rows_read: rows of all sources, those that became nothing included.
        inputs: one entry per input file (name, sha256, …), without local folders; kept in the manifest.
        provenance: how batches and stages were made (`manifest.Provenance`); None outside the pipeline.
        extra: files and folders to add, by their name in the release (such as `report`).
        progress: reports the checksums.

    Returns:
        Folder of the version.

    Raises:
        LakeError: a part is missing or damaged, or another run publishes.
        InvariantError: rows are lost: read is not specimens + quarantined + set aside + rejected.
        SettingsError: the key of `release.signing_key` cannot be used.
    """
    releases = draft.releases
    with versions.publishing(releases):
        existing = versions.published(releases, draft.digest)
        if existing is not None:
            versions.point_latest(releases, existing)
            staging.discard_stagings(releases)
            return existing
        version = versions.next_version(releases)
        path = settings.release.signing_key
        key = read_signing_key(Path(path)) if path else None
        _finish(
            draft,
            settings,
            version,
            rows_read=rows_read,
            inputs=inputs,
            provenance=provenance,
            extra=extra or {},
            key=key,
            progress=progress,
        )
        os.sync()
        draft.tree.rename(releases / version)
        versions.point_latest(releases, releases / version)
        staging.discard_stagings(releases)
        return releases / version


def _finish(
    draft: Staging,
    settings: Settings,
    version: str,
    *,
    rows_read: int,
    inputs: Sequence[Mapping[str, Any]],
    provenance: Mapping[str, Any] | None,
    extra: Mapping[str, Path],
    key: SigningKey | None,
    progress: Progress,
) -> None:
    parts = owned(settings.release)
    for part, names in parts.items():
        draft.verify(part, names)
    _keep_only(draft.tree, {name for names in parts.values() for name in names})
    for name, source in sorted(extra.items()):
        _add(draft.tree, name, source)
    rows = released(draft)
    counts = count(draft.tree, rows, settings)
    ledger = Ledger(
        rows_read=rows_read,
        specimens=rows.height,
        quarantined=sum(counts.quarantined.values()),
        set_aside=sum(counts.set_aside.values()),
        rejected=sum(counts.rejected.values()),
    )
    if not ledger.balances:
        raise InvariantError(
            f"rows are lost: {rows_read} read, but {ledger.specimens} specimens + {ledger.quarantined} quarantined "
            f"+ {ledger.set_aside} set aside + {ledger.rejected} rejected; nothing is released"
        )
    found = manifest.sums(draft.tree, sorted(manifest.walk(draft.tree)), "checksums", progress)
    _write_changelog(draft, settings, version, found, progress)
    release = Description(version, found, counts, settings.release, inputs, provenance)
    for form in wanted(settings.release):
        if form.describe is not None:
            for name, text in form.describe(release).items():
                write_text(draft.tree / name, text)
    card = readme(
        draft.tree,
        version=version,
        counts=counts,
        ledger=ledger,
        images=with_image(rows),
        settings=settings.release,
        extra=extra,
        signed=key is not None,
    )
    write_text(draft.tree / manifest.README, card)
    manifest.write_manifests(
        draft.tree,
        version=version,
        inputs_digest=draft.digest,
        settings=settings,
        counts=counts,
        ledger=ledger,
        inputs=inputs,
        provenance=provenance,
        key=key,
        known=found,
        progress=progress,
    )


def _write_changelog(
    draft: Staging, settings: Settings, version: str, found: Sequence[manifest.Sums], progress: Progress
) -> None:
    head = Head(
        version=version,
        dataset=settings.release.dataset,
        title=settings.release.title,
        image_packages=settings.release.image_packages,
        settings=settings.choices(),
    )
    files = pl.LazyFrame({"path": [one.path for one in found], "sha256": [one.sha256 for one in found]})
    earlier = versions.versions(draft.releases)
    previous = earlier[-1] if earlier else None
    write_changelog(draft.tree, head=head, files=files, previous=previous, progress=progress)


def _keep_only(tree: Path, names: set[str]) -> None:
    """Remove what no part owns: card, manifests and extra files of a killed attempt."""
    parents = {parent.as_posix() for name in names for parent in Path(name).parents}
    for path in [*tree.iterdir(), *(inner for parent in parents - {"."} for inner in (tree / parent).iterdir())]:
        if path.relative_to(tree).as_posix() not in names | parents:
            staging.remove(path)


def _add(tree: Path, name: str, source: Path) -> None:
    """Copy a file or folder into the release."""
    target = tree / name
    if not manifest.is_inside(name) or target.exists():
        raise LakeError(f"{name} cannot be added to the release: the name is taken or leads out of it")
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.is_file():
        shutil.copyfile(source, target)
    else:
        raise LakeError(f"{source}, to be added to the release as {name}, does not exist")
