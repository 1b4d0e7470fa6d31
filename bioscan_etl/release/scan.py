"""A release as lazy tables, independent of its forms: rows, checksums of images, logs.

Belongs here: finding a version and scanning its content lazily. Does not belong here: what users get
(`release.opened`), whether it is valid (`release.check`) and how two of them differ (`release.diff`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bioscan_etl import schema, vocabulary
from bioscan_etl.errors import SourceError
from bioscan_etl.io.locations import local_path
from bioscan_etl.io.paths import real_path
from bioscan_etl.io.tables import scan_csv, scan_parquet
from bioscan_etl.release import manifest, versions
from bioscan_etl.release.core import DECIDED, LOGS
from bioscan_etl.release.layout import csv_name
from bioscan_etl.settings import ReleaseSettings

_VERSION = re.compile(r"v[1-9][0-9]*|latest")
_PLACES = ("quarantine.parquet", "set_aside.parquet", "rejects.parquet")
MOVES = "partition_moves.parquet"
TABLES: Mapping[str, schema.Table] = {**LOGS, DECIDED: schema.DECISION_LOG, MOVES: schema.PARTITION_MOVES}
"""Tables beside the specimens, by file."""


@dataclass(frozen=True, slots=True)
class ReleaseTables:
    """The lazy tables of a release.

    Attributes:
        root: its folder.
        version: such as `v3`.
        protocol: protocol that assigned its partitions; empty if the manifest does not state it.
        dataset: name of the folder of its images.
        packages: its image packages.
        rows: the released specimens, with the columns of `schema.METADATA_EXTENDED` that it has.
        files: path and sha256 of its files, text.
        title: first part of the names of its files.
        settings: those that it was made with, by section, as its manifest states them.
    """

    root: Path
    version: str
    protocol: str
    dataset: str
    packages: tuple[str, ...]
    rows: pl.LazyFrame
    files: pl.LazyFrame
    title: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    def columns(self) -> list[str]:
        """Columns of `rows`, in order."""
        return self.rows.collect_schema().names()

    def images(self) -> pl.LazyFrame:
        """One row per image: processid, package, sha256."""
        folder = f"{self.dataset}/images/"
        parts = pl.col("path").str.strip_prefix(folder).str.strip_suffix(".jpg").str.split("/")
        return self.files.filter(
            pl.col("path").str.starts_with(folder), pl.col("path").str.ends_with(".jpg"), parts.list.len() > 1
        ).select(processid=parts.list.last(), package=parts.list.first(), sha256="sha256")

    def held_back(self, ids: pl.LazyFrame) -> pl.DataFrame:
        """Find process IDs that are not specimens of this release.

        Args:
            ids: column processid.

        Returns:
            processid and place: `quarantined:<gates>`, `set_aside:<reason>` or `rejected:<reason>`, the first of
            these that holds; one row per process ID that is found.
        """
        quarantine, aside, rejects = (self.table(name) for name in _PLACES)
        found = [
            quarantine.select("processid", place="quarantined:" + pl.col("gates").list.join("+"), rank=pl.lit(0)),
            aside.select("processid", place="set_aside:" + pl.col("reason"), rank=pl.lit(1)),
        ]
        if "raw_text" in rejects.collect_schema().names():
            # A rejected row has no process ID column; the process ID is searched in the row's text.
            text = pl.col("raw_text").str.extract_all(r"[A-Za-z0-9-]+").alias("processid")
            found.append(
                rejects.select(text, place="rejected:" + pl.col("reason"), rank=pl.lit(2))
                .explode("processid")
                .drop_nulls("processid")
            )
        return (
            pl.concat([frame.join(ids, on="processid", how="semi") for frame in found])
            .group_by("processid")
            .agg(pl.col("place").sort_by("rank", "place").first())
            .collect(engine="streaming")
        )

    def moves(self) -> pl.LazyFrame:
        """`schema.PARTITION_MOVES`; no rows if the release lists none."""
        return self.table(MOVES)

    def changes(self) -> pl.LazyFrame:
        """processid, field, step, before, rule of the change log."""
        return self.table("changes.parquet").select("processid", "field", "step", "before", "rule")

    def table(self, name: str) -> pl.LazyFrame:
        """A log by its file name, one of `TABLES`; no rows if the release has none."""
        path = self.root / name
        return scan_parquet(path) if path.is_file() else TABLES[name].empty().lazy()


class Head(BaseModel):
    """The names in a manifest; not trusted, because paths are made from them."""

    model_config = ConfigDict(frozen=True)

    version: Annotated[str, Field(pattern=r"^v[1-9][0-9]*$")]
    dataset: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    title: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]
    image_packages: tuple[str, ...]
    settings: dict[str, Any]


def scan_release(root: Path) -> ReleaseTables:
    """The tables of a published release.

    Raises:
        SourceError: the folder does not exist, is not a release, or has no metadata.
    """
    try:
        head = Head.model_validate(manifest.read_head(root))
    except FileNotFoundError:
        raise SourceError(
            f"{root} is not a release: it has no {manifest.MANIFEST}; give the folder of a version"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except (OSError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    else:
        return release_tables(root, head, manifest.scan_files(root))
    raise SourceError(f"{root}/{manifest.MANIFEST} cannot be read: {reason}; run bioscan-etl check to list every fault")


def release_tables(root: Path, head: Head, files: pl.LazyFrame) -> ReleaseTables:
    """The tables of a release, published or still being built.

    Args:
        root: its folder.
        head: head of its present or future manifest.
        files: path and sha256 of its files, text.

    Raises:
        SourceError: it has no metadata.
    """
    protocol = head.settings.get("splits", {}).get("protocol", "")
    return ReleaseTables(
        root=root,
        version=head.version,
        protocol=str(protocol),
        dataset=head.dataset,
        title=head.title,
        settings=head.settings,
        packages=head.image_packages,
        rows=_rows(root, head),
        files=files,
    )


def _rows(root: Path, head: Head) -> pl.LazyFrame:
    """The Parquet form or, if a release has none, the CSV."""
    shards = [path for split in vocabulary.SPLITS for path in sorted((root / "data").glob(f"{split}-*.parquet"))]
    if shards:
        return scan_parquet(shards)
    csv = root / csv_name(ReleaseSettings.model_construct(dataset=head.dataset, title=head.title))
    if csv.is_file():
        return scan_csv(csv, schema_overrides=schema.METADATA.schema(), infer_schema=False)
    raise SourceError(f"{root} has no metadata: neither data/*.parquet nor {csv.relative_to(root)}; fetch it again")


def find_release(name: str, within: Path | None = None) -> Path:
    """Find the folder of a release.

    Args:
        name: a folder, or a version (`v3`, `latest`).
        within: where to search for a version: a folder of releases, or one that contains `releases/`.

    Raises:
        SourceError: the folder or version does not exist.
    """
    path = local_path(name)
    if _VERSION.fullmatch(name) and not path.is_dir():
        if within is None:
            raise SourceError(f"there is no folder {name}; give the release's folder, or --in for a version's name")
        for releases in (within / "releases", within):
            if (releases / name).is_dir():
                return real_path(releases / name)
        known = [each.name for folder in (within / "releases", within) for each in versions.versions(folder)]
        raise SourceError(f"{within} has no release {name}; it has {', '.join(known) or 'none'}")
    if not path.is_dir():
        raise SourceError(f"there is no release {path}; give the folder of a version, such as out/releases/v1")
    return real_path(path)
