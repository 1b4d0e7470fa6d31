"""Corruptions of a finished release by somebody who recomputes every sum: what is left to find is the contradiction.

Belongs here: copying a release, changing one thing in it, and making everything that follows from it again. Does not
belong here: which contradiction a check must name; see the tests of the checks.

`remade` is the most careful corruptor: all forms, descriptors, the card, the changelog and the manifests are made again
from the changed tables and images by the code that made them first. `sealed` only recomputes sums: for a text or a
single file that contradicts the others.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import polars as pl
from shards import write_shards

from bioscan_etl import schema, vocabulary
from bioscan_etl.errors import InvariantError
from bioscan_etl.release import manifest, tables
from bioscan_etl.release.check.settings import read_stated
from bioscan_etl.release.core import DECIDED, LOGS
from bioscan_etl.release.diff.changelog import CHANGELOG
from bioscan_etl.release.forms import bbox
from bioscan_etl.release.forms.registry import forms, owned, wanted
from bioscan_etl.release.labels import lineages, vocabulary_of, write_labels
from bioscan_etl.release.layout import csv_name, image_path, images_name
from bioscan_etl.release.rows import HAS_IMAGE
from bioscan_etl.release.ship import version as shipping
from bioscan_etl.release.staging import Staging
from bioscan_etl.settings import Settings

Change = Callable[[pl.DataFrame], pl.DataFrame]


def copied(release: Path, folder: Path) -> Path:
    """A copy of a release, by links: files are replaced in it, never written to."""
    root = folder / release.name
    shutil.copytree(release, root, symlinks=True, copy_function=lambda old, new: Path(new).hardlink_to(old))
    return root


def settings_of(root: Path) -> Settings:
    """The settings that a release states."""
    return read_stated(manifest.read_head(root)["settings"])[0].settings


def rows_of(root: Path) -> pl.DataFrame:
    """`schema.METADATA_EXTENDED` of all specimens, in order."""
    files = [path for split in vocabulary.SPLITS for path in sorted((root / "data").glob(f"{split}-*.parquet"))]
    return pl.concat(pl.read_parquet(path, hive_partitioning=False, glob=False) for path in files)


def boxes_of(root: Path) -> pl.DataFrame:
    """`schema.BBOX` of the specimens with a box."""
    name, _ = bbox.paths(settings_of(root).release)
    return schema.BBOX.conform(pl.read_csv(root / name, infer_schema=False, glob=False))


def image_of(root: Path, processid: str, package: str) -> Path:
    """The file of a specimen's image."""
    path = pl.select(image_path(pl.lit("*"), pl.lit("*"), pl.lit(processid))).item()
    folder = root / images_name(settings_of(root).release) / package
    return next(found for pattern in (path, path.replace("*/*", "*")) for found in folder.glob(pattern))


def put(path: Path, data: bytes) -> None:
    """Replace a file, so that others that are linked to it stay."""
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def at(processid: str, **values: object) -> Change:
    """A change of one row's values; names with a hyphen are given with `__`."""

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        assert processid in frame["processid"].to_list(), processid
        return frame.with_columns(
            pl.when(pl.col("processid") == processid)
            .then(pl.lit(value, frame.schema[name.replace("__", "-")]))
            .otherwise(name.replace("__", "-"))
            .alias(name.replace("__", "-"))
            for name, value in values.items()
        )

    return change


def sealed(root: Path) -> Path:
    """Recompute every sum of a release whose files were changed: descriptors, card, md5sums.txt and manifest.json."""
    settings = settings_of(root).release
    head = manifest.read_head(root)
    late = {"README.md", manifest.MANIFEST, manifest.MD5SUMS}
    descriptors = {
        name
        for form in forms().values()
        if form.describe is not None
        for name in form.owns(settings)
        if (root / name).is_file()
    }
    old = {one["path"]: one for one in json.loads((root / manifest.MANIFEST).read_text())["files"]}
    old_md5 = dict(line.split("  ", 1)[::-1] for line in (root / manifest.MD5SUMS).read_text().splitlines())
    names = sorted(set(manifest.walk(root)) - late - descriptors)
    found = manifest.sums(root, names, "")
    # Sums are unique texts: whatever states the old one states the new one. Sizes are not, and are left alone.
    exchanged = {}
    for one in found:
        if one.path in old and old[one.path]["sha256"] != one.sha256:
            exchanged[old[one.path]["sha256"]] = one.sha256
            exchanged[old_md5[one.path]] = one.md5
    for name in (*sorted(descriptors), "README.md"):
        text = (root / name).read_text()
        new = re.sub("[0-9a-f]{32,64}", lambda match: exchanged.get(match[0], match[0]), text)
        if name == "README.md":
            digest = manifest.md5(root / csv_name(settings))
            new = re.sub(r'("csv_md5": )"[0-9a-f]*"', rf'\1"{digest}"', new)
        if new != text:
            put(root / name, new.encode())
    found = manifest.sums(root, sorted(set(manifest.walk(root)) - {manifest.MANIFEST, manifest.MD5SUMS}), "")
    put(root / manifest.MD5SUMS, "".join(f"{one.md5}  {one.path}\n" for one in found).encode())
    found += manifest.sums(root, [manifest.MD5SUMS], "")
    files = [{"path": one.path, "size": one.size, "sha256": one.sha256} for one in sorted(found, key=lambda o: o.path)]
    manifest.write_manifest(root, head, files)
    return root


def remade(
    release: Path,
    folder: Path,
    *,
    rows: Change | None = None,
    boxes: Change | None = None,
    logs: Mapping[str, Change] | None = None,
    extra: Mapping[str, Change] | None = None,
    images: Callable[[Path], None] | None = None,
    settings: Mapping[str, Mapping[str, object]] | None = None,
) -> Path:
    """A copy of a release with changed tables or images, and everything that follows from them made again.

    Args:
        release: folder of a version.
        folder: where the copy goes, as `releases/v1`.
        rows: changes the released rows; images move with their specimen's split.
        boxes: changes the boxes.
        logs: changes of logs by name, such as `changes.parquet`.
        extra: changes of Parquet files that no part owns, such as `partition_memory.parquet`.
        images: changes images in the tree that it is given; see `image_of` and `put`.
        settings: sections of settings to state otherwise.
    """
    head = manifest.read_head(release)
    stated = settings_of(release)
    if settings:
        sections = {name: getattr(stated, name).model_copy(update=dict(values)) for name, values in settings.items()}
        stated = stated.model_copy(update=sections)
    chosen = stated.release
    draft = Staging(folder / "releases", head["inputs_digest"])
    draft.folder.mkdir(parents=True)
    copied(release, draft.folder).rename(draft.tree)
    tree = draft.tree
    parts = owned(chosen)
    kept = {path for paths in parts.values() for path in paths}
    late = {"README.md", manifest.MANIFEST, manifest.MD5SUMS, CHANGELOG}
    late |= {name for form in forms().values() if form.describe is not None for name in form.owns(chosen)}
    others = folder / "others"
    others.mkdir()
    added = {}
    for path in sorted(tree.iterdir()):
        if path.name not in kept | late and not any(name.startswith(f"{path.name}/") for name in kept | late):
            added[path.name] = others / path.name
            path.rename(added[path.name])
    for name, change in (extra or {}).items():
        frame = change(pl.read_parquet(added[name], glob=False))
        added[name].unlink()
        frame.write_parquet(added[name])
    with draft.building("metadata", parts["metadata"], resumable=True):
        before = rows_of(tree)
        after = before if rows is None else _in_order(rows(before))
        if rows is not None:
            shutil.rmtree(tree / "data")
            write_shards(schema.METADATA_EXTENDED.conform(after), tree / "data", chosen)
            tables.write_csv(after.select(schema.METADATA.names()), tree / csv_name(chosen))
        _label(after, tree)  # the copy is a first release, whatever the original continued
        if chosen.wants("bbox"):
            held = boxes_of(tree)
            held = held if boxes is None else boxes(held)
            bbox.write_bbox(after, held, tree, chosen)
        for name, change in (logs or {}).items():
            table = schema.DECISION_LOG if name == DECIDED else LOGS[name]
            tables.write_table(
                change(pl.read_parquet(tree / name, glob=False)), table, tree / name, chosen.rows_per_group
            )
    with draft.building("images", parts.get("images", ()), resumable=True):
        if chosen.image_packages:
            _move_images(tree / images_name(chosen), before, after)
            if images is not None:
                images(tree)
    for form in wanted(chosen):
        if form.build is not None:
            with draft.building(form.name, form.owns(chosen)):
                form.build(draft, chosen, lambda *_: None)
    counts = head["counts"]
    rows_read = head["ledger"]["rows_read"]
    lost = sum(pl.read_parquet(tree / name, glob=False).height for name in LOGS if name != "changes.parquet")
    before_lost = sum(sum(counts[name].values()) for name in ("quarantined", "set_aside", "rejected"))
    return shipping.publish(
        draft,
        stated,
        rows_read=rows_read + after.height - before.height + lost - before_lost,
        inputs=head["inputs"],
        provenance=head.get("provenance"),
        extra=added,
    )


def _label(rows: pl.DataFrame, tree: Path) -> None:
    """Make labels/ again; a lineage with a gap has no place in it, and leaves it as it is."""
    with suppress(InvariantError):
        write_labels(vocabulary_of(lineages(rows)), tree)


def _in_order(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.sort(pl.col("split").cast(pl.Enum(vocabulary.SPLITS)), "order", "family", "processid", nulls_last=True)


def _move_images(folder: Path, before: pl.DataFrame, after: pl.DataFrame) -> None:
    path = image_path(pl.col("split"), pl.col("chunk"), pl.col("processid"))
    places = [frame.filter(HAS_IMAGE).select("processid", path=path) for frame in (before, after)]
    for package in folder.iterdir():
        moved = places[0].join(places[1], on="processid", how="full", suffix="_now", coalesce=True)
        for _, old, new in moved.filter(pl.col("path").ne_missing(pl.col("path_now"))).iter_rows():
            if new is None:
                (package / old).unlink()
            elif old is not None:
                (package / new).parent.mkdir(parents=True, exist_ok=True)
                (package / old).rename(package / new)
