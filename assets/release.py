"""The release: each part by an asset of its own, then the version that appears whole or not at all."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import polars as pl

from assets.specimens import specimens
from assets.splits import MEMORY, partitions
from assets.stage import stage
from assets.taxonomy import curated_taxonomy
from bioscan_etl import batches, schema
from bioscan_etl import lake as lakes
from bioscan_etl.changes import RULESET
from bioscan_etl.lake import Lake
from bioscan_etl.progress import Progress
from bioscan_etl.release import manifest, staging
from bioscan_etl.release.image_parts import (
    build_archives,
    build_barcodebert,
    build_clibd,
    build_data_images,
    build_hdf5,
    build_jsonld,
)
from bioscan_etl.release.images import ORIGINALS, Originals
from bioscan_etl.release.parts import (
    CURATED_COLUMNS,
    Logs,
    build_images,
    build_metadata,
    build_partitioned,
    build_splits,
)
from bioscan_etl.release.publish import publish
from bioscan_etl.release.staging import Staging
from bioscan_etl.resources import LakeResource
from bioscan_etl.settings import Settings


def open_staging(home: Lake, settings: Settings) -> Staging:
    """The staging of the release that the current corpus makes; its digest names everything it is made from."""
    contents = [home.get(asset).content for asset in ("specimens", "curated_taxonomy", "partitions")]
    return Staging(home.releases, lakes.digest([contents, settings.digest("release"), lakes.code_digest()]))


def released_metadata(home: Lake, settings: Settings) -> pl.DataFrame:
    """The release's rows (`schema.METADATA_EXTENDED`), from the staging or, if it is published, from the version."""
    draft = open_staging(home, settings)
    tree = staging.published(home.releases, draft.digest) or draft.tree
    paths = [path for split in schema.SPLITS for path in sorted((tree / "data").glob(f"{split}-*.parquet"))]
    return pl.concat(pl.read_parquet(path, hive_partitioning=False) for path in paths)


def _part(draft: Staging, **extra: Any) -> dg.MaterializeResult:
    published = staging.published(draft.releases, draft.digest)
    folder = str(published or draft.tree)
    return dg.MaterializeResult(
        metadata={"folder": dg.MetadataValue.path(folder), "published": published is not None, **extra},
        data_version=dg.DataVersion(draft.digest),
    )


@stage(
    group="release",
    kinds={"pyarrow", "csv", "parquet"},
    table=schema.METADATA_EXTENDED,
    deps=[specimens, curated_taxonomy, partitions],
    pool="corpus",
)
def release_metadata(lake: LakeResource) -> dg.MaterializeResult:
    """One row per released specimen: the CSV of 23 columns, Parquet by split, boxes, and logs.

    Key: process ID. Source: curated_taxonomy and partitions; quarantine, set-aside rows and rejects from
    specimens. Rules: every value reads the same in every client; what that rewrites is in the change log.
    """
    home, settings = lake.lake(), lake.settings()
    held, source = home.get("specimens"), home.get("curated_taxonomy")
    draft = open_staging(home, settings)
    curated = pl.read_parquet(source.path("curated.parquet"), columns=list(CURATED_COLUMNS))
    logs = Logs(
        quarantine=pl.read_parquet(held.path("quarantine.parquet")),
        set_aside=pl.read_parquet(held.path("set_aside.parquet")),
        rejects=pl.read_parquet(held.path("rejects.parquet")),
        changes=pl.read_parquet(source.path("changes.parquet")),
        ruleset=RULESET,
    )
    assigned = pl.read_parquet(home.get("partitions").path("partitions.parquet"))
    build_metadata(draft, curated, assigned, logs, settings.release)
    return _part(draft, **{"dagster/row_count": curated.height})


@stage(group="release", kinds={"jpeg"}, deps=[release_metadata], pool="corpus")
def image_packages(lake: LakeResource, progress: dg.ResourceParam[Progress]) -> dg.MaterializeResult:
    """One image per released specimen and package, at `bioscan5m/images/<package>/<split>/[<chunk>/]<processid>.jpg`.

    Source: the crops of the batches; of original_full the bytes as they were delivered. A killed run resumes by
    package and batch.
    """
    home, settings = lake.lake(), lake.settings()
    draft = open_staging(home, settings)
    curated = pl.read_parquet(
        home.get("curated_taxonomy").path("curated.parquet"), columns=["processid", "image_batch"]
    )
    used = curated["image_batch"].drop_nulls().unique().sort()
    crops = [(batch, home.get("specimen_boxes", batch).folder) for batch in used]
    originals = {}
    if ORIGINALS in settings.release.image_packages:
        for batch in used:
            landed = batches.load(home, batch)
            sources = tuple(landed.locate(entry.location) for entry in landed.images)
            originals[batch] = Originals(home.get("specimen_boxes", batch).path("boxes.parquet"), sources)
    build_images(draft, curated, crops, settings.release, progress, originals)
    return _part(draft, packages=list(settings.release.image_packages), images=curated["image_batch"].count())


@stage(group="release", kinds={"json"}, deps=[release_metadata], pool="corpus")
def metadata_jsonld(lake: LakeResource) -> dg.MaterializeResult:
    """The CSV's rows as JSON-LD: a node per specimen at `bioscan5m/metadata/jsonld/`, and the context of its terms."""
    home, settings = lake.lake(), lake.settings()
    draft = open_staging(home, settings)
    build_jsonld(draft, settings.release)
    return _part(draft, asked_for=settings.release.wants("jsonld"))


@stage(group="release", kinds={"parquet"}, deps=[release_metadata], pool="corpus")
def partitioned_metadata(lake: LakeResource) -> dg.MaterializeResult:
    """The rows of `data/` in Hive folders, `partitioned/split=<split>/order=<order>/`, for query engines.

    A missing order is the folder `order=not_classified`, which every engine reads.
    """
    home, settings = lake.lake(), lake.settings()
    draft = open_staging(home, settings)
    build_partitioned(draft, settings.release)
    return _part(draft, asked_for=settings.release.wants("partitioned"))


@stage(group="release", kinds={"csv"}, deps=[release_metadata], pool="corpus")
def split_manifests(lake: LakeResource) -> dg.MaterializeResult:
    """One CSV of process IDs per partition, and one over all: `splits/<split>.csv`, `splits/all.csv`."""
    home, settings = lake.lake(), lake.settings()
    draft = open_staging(home, settings)
    build_splits(draft, settings.release)
    return _part(draft, asked_for=settings.release.wants("splits"))


@stage(group="release", kinds={"csv"}, deps=[release_metadata], pool="corpus")
def barcodebert_tables(lake: LakeResource) -> dg.MaterializeResult:
    """Barcodes with names and numbers of their labels, as BarcodeBERT's recipes read them: five CSVs in `barcodebert/`.

    A label has the same number in all five; -1 is unlabelled. Made when `release.forms` names barcodebert.
    """
    home, settings = lake.lake(), lake.settings()
    draft = open_staging(home, settings)
    build_barcodebert(draft, settings.release)
    return _part(draft, asked_for=settings.release.wants("barcodebert"))


@stage(group="release", kinds={"parquet"}, deps=[image_packages], pool="corpus")
def image_tables(lake: LakeResource, progress: dg.ResourceParam[Progress]) -> dg.MaterializeResult:
    """The rows of `data/` with the bytes of cropped_256 as a Hugging Face image column: `data_images/`.

    Source: release_metadata and image_packages. A killed run resumes by shard.
    """
    home, settings = lake.lake(), lake.settings()
    draft = open_staging(home, settings)
    build_data_images(draft, settings.release, progress)
    return _part(draft, asked_for=settings.release.wants("data_images"))


@stage(group="release", kinds={"hdf5"}, deps=[image_packages], pool="corpus")
def image_hdf5(lake: LakeResource, progress: dg.ResourceParam[Progress]) -> dg.MaterializeResult:
    """HDF5 files of the chosen packages: a data set per image, and packed with the metadata for reading at random.

    Source: image_packages, byte for byte.
    """
    home, settings = lake.lake(), lake.settings()
    draft = open_staging(home, settings)
    build_hdf5(draft, settings.release, progress)
    return _part(
        draft, packages=list(settings.release.hdf5_packages), packed_packages=list(settings.release.packed_packages)
    )


@stage(group="release", kinds={"hdf5"}, deps=[image_packages], pool="corpus")
def clibd_hdf5(lake: LakeResource, progress: dg.ResourceParam[Progress]) -> dg.MaterializeResult:
    """Images, barcodes and labels as CLIBD trains and evaluates on them: `hdf5/clibd.hdf5`.

    One row per specimen with an image and group that holds it. Made when `release.forms` names clibd.
    """
    home, settings = lake.lake(), lake.settings()
    draft = open_staging(home, settings)
    build_clibd(draft, settings.release, progress)
    return _part(draft, asked_for=settings.release.wants("clibd"))


@stage(group="release", kinds={"zip", "tar"}, deps=[image_packages], pool="corpus")
def image_archives(lake: LakeResource, progress: dg.ResourceParam[Progress]) -> dg.MaterializeResult:
    """The chosen packages as zips, as the published data set comes, and as WebDataset tar shards: `packages/`.

    Source: release_metadata and image_packages. A killed run resumes by archive.
    """
    home, settings = lake.lake(), lake.settings()
    draft = open_staging(home, settings)
    build_archives(draft, settings.release, progress)
    return _part(
        draft,
        zip_packages=list(settings.release.zip_packages),
        webdataset_packages=list(settings.release.webdataset_packages),
    )


def _inputs(home: Lake, pinned: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every file the release was made from, without local folders."""
    found: list[dict[str, Any]] = []
    for batch in sorted(pinned):
        records = home.get("raw_records", batch).inputs["records"]
        found += [{"batch": batch, "kind": "records", "name": name, "sha256": sha256} for name, sha256, _ in records]
        index = home.get("specimen_images", batch).path("image_index.parquet")
        images = pl.read_parquet(index, columns=["image_file", "sha256"]).drop_nulls().sort("image_file")
        if images.height:
            # One digest for the batch's images: the image index holds each file's own.
            digest = lakes.digest(images.rows())
            found.append({"batch": batch, "kind": "images", "files": images.height, "sha256": digest})
    return found


@stage(
    group="release",
    kinds={"json"},
    deps=[
        release_metadata,
        metadata_jsonld,
        partitioned_metadata,
        split_manifests,
        barcodebert_tables,
        image_packages,
        image_tables,
        image_hdf5,
        clibd_hdf5,
        image_archives,
        "quality_report",
    ],
    pool="corpus",
)
def release_manifest(lake: LakeResource, progress: dg.ResourceParam[Progress]) -> dg.MaterializeResult:
    """The version: all parts verified, card, checksums and manifest written, then one rename, then `latest`.

    If the last version was made from the same inputs, settings and code, none is made.
    """
    home, settings = lake.lake(), lake.settings()
    draft = open_staging(home, settings)
    held = home.get("specimens")
    extra = {"report": home.get("quality_report").folder / "report"}
    split = home.get("partitions")
    if MEMORY in split.files:
        extra |= {name: split.path(name) for name in (MEMORY, "partition_moves.parquet")}
    version = publish(
        draft,
        settings,
        rows_read=held.counts["ledger"]["rows_read"],
        inputs=_inputs(home, held.inputs["batches"]),
        extra=extra,
        progress=progress,
    )
    head = manifest.read_head(version)
    return dg.MaterializeResult(
        metadata={
            "folder": dg.MetadataValue.path(str(version)),
            "version": version.name,
            "report": dg.MetadataValue.path(str(version / "report" / "index.html")),
            "ledger": dg.MetadataValue.json(head["ledger"]),
            "splits": dg.MetadataValue.json(head["counts"]["splits"]),
        },
        data_version=dg.DataVersion(draft.digest),
    )
