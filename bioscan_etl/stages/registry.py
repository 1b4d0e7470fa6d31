"""Every stage of the graph, declared once.

Belongs here: name, scope, what it reads and writes, the settings, data files and libraries that decide its values, its
checks, and what a reader of the UI should know of it. Does not belong here: what it does; that is the function `build`
of the module of its name. Assets, jobs, dependencies, code versions, fingerprints, `status` and
docs/reference/stages.md are made from these entries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from bioscan_etl import schema
from bioscan_etl.findings import Finding
from bioscan_etl.quality.expectations import expectation_rules
from bioscan_etl.rules import Severity
from bioscan_etl.schema import Table
from bioscan_etl.splits.rules import RULES as SPLIT_RULES
from bioscan_etl.taxonomy.rules import RULES as TAXONOMY_RULES


class Scope(StrEnum):
    """What a stage is run on."""

    BATCH = "batch"  # one delivery of specimens; its output becomes current with the whole batch
    CORPUS = "corpus"  # the pinned batches together
    RELEASE = "release"  # writes a part of the release that is being put together


@dataclass(frozen=True, slots=True)
class Check:
    """A check of a stage's output: snake_case id, what must hold, and whether a failure stops what follows."""

    id: str
    statement: str
    blocking: bool


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage.

    Attributes:
        name: of the stage, its module and its asset.
        scope: what it is run on.
        about: what one row is, its key, its source, the rules that act; for the reader of the UI.
        group: of assets, in the UI.
        kinds: of the asset, in the UI.
        reads: files of other stages that decide its values; no file: the whole output.
        after: stages that must have run, but decide no value.
        delivered: parts of the delivery that it reads: records, images, image_manifest.
        table: the table that the UI shows.
        writes: its tables.
        settings: dotted names of the settings that decide its values; `section.*` is all of a section.
        examines: settings that its checks compare counts with.
        data: data files that decide values, as patterns below the package.
        libraries: distributions whose releases can decide values.
        checks: of its output.
        pool: stages of one pool do not run at the same time; None: as many as runs do.
        resumable: a killed run goes on where it was.
        prose: it prints what rules and columns say of themselves, so that their wording counts as its code.
    """

    name: str
    scope: Scope
    about: str
    group: str
    kinds: tuple[str, ...]
    reads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    delivered: tuple[str, ...] = ()
    table: Table | None = None
    writes: tuple[Table, ...] = ()
    settings: tuple[str, ...] = ()
    examines: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    pool: str | None = "corpus"
    resumable: bool = False
    prose: bool = False

    @property
    def module(self) -> str:
        """The module of its function."""
        return f"bioscan_etl.stages.{self.name}"

    def finding(
        self, check: str, *, passed: bool, count: int, samples: tuple[str, ...] = (), detail: str = ""
    ) -> Finding:
        """The outcome of one of its checks."""
        found = next(one for one in self.checks if one.id == check)
        return Finding(found.id, passed, count, found.statement, samples, found.blocking, detail)


MEMORY = "partition_memory.parquet"
"""File in which the protocol `stable` keeps what the next release needs."""
_SPLIT_CHECKS = (
    "BARCODE_IN_TWO_PARTITIONS",
    "SPECIES_IN_SEEN_AND_UNSEEN",
    "UNSEEN_SPECIES_WITHOUT_KEY",
    "UNSEEN_SPECIES_ALSO_HELD_OUT",
)
_RELEASE_CSV = ("polars", "pyarrow")
_OF_RECORDS = {"raw_records": ("records.parquet",)}
_CURATED = {"curated_taxonomy": ("curated.parquet",)}
_IMAGE_LIBRARIES = ("numpy", "onnxruntime", "opencv-python-headless", "pillow", "simplejpeg")

_DECLARED = (
    Stage(
        "raw_records",
        Scope.BATCH,
        "One row per specimen of the batch: its record of the barcode marker, every BCDM column as text.\n\n"
        "Key: process ID. Source: the batch's BOLD files, in any known layout. Rows of other markers and earlier "
        "snapshots are set aside by reason, rows that cannot be read are rejected with their text; read = records + "
        "set aside + rejected, checked on every run.",
        "extract",
        ("polars", "parquet"),
        delivered=("records",),
        table=schema.RECORDS,
        writes=(schema.RECORDS, schema.SET_ASIDE, schema.REJECTS),
        settings=("records.*",),
        examines=("checks.max_rejected_share",),
        libraries=("polars", "pyarrow", "stream-unzip"),
        checks=(
            Check("rows_accounted_for", "Rows read = records + set aside + rejected.", blocking=True),
            Check("few_rows_rejected", "Most rows of the delivery can be read.", blocking=True),
        ),
        pool=None,
    ),
    Stage(
        "specimen_images",
        Scope.BATCH,
        "One row per image file of the batch: the process ID it belongs to, its size and sha256, or why it is left "
        "out.\n\nKey: image_file. Source: the batch's folders, zips or S3 prefixes, and its image manifest. Files are "
        "read where they lie; a path that leads out of its source is never opened.",
        "extract",
        ("opencv", "parquet"),
        reads=_OF_RECORDS,
        delivered=("images", "image_manifest"),
        table=schema.IMAGE_INDEX,
        writes=(schema.IMAGE_INDEX,),
        libraries=("polars",),
        pool=None,
    ),
    Stage(
        "specimen_boxes",
        Scope.BATCH,
        "One row per image: the specimen's box, area fraction, scale factor, organism pixels and image quality.\n\n"
        "Key: process ID. Source: specimen_images. Each image is decoded once; the crops of all packages are written "
        "beside the table. A killed run goes on at the shard it was at.",
        "extract",
        ("opencv", "parquet"),
        reads={"specimen_images": ("image_index.parquet",)},
        delivered=(),
        table=schema.BOXES,
        writes=(schema.BOXES, schema.CROPS),
        settings=(
            "images.crop_margin",
            "images.crop_aspect",
            "images.crop_fill",
            "images.short_side",
            "images.jpeg_quality",
            "images.max_pixels",
            "images.empty_confidence",
            "images.min_confidence",
            "images.min_blur",
            "images.exposure_range",
            "images.fragment_fraction",
        ),
        examines=("checks.max_unreadable_share", "checks.min_detected_share"),
        data=("images/models/*.onnx", "images/models/*.json", "images/segmentation.json"),
        libraries=_IMAGE_LIBRARIES,
        checks=(
            Check("images_readable", "Most images of the delivery can be decoded.", blocking=False),
            Check("specimens_detected", "The detector finds a specimen on most images.", blocking=False),
        ),
        pool="images",
        resumable=True,
    ),
    Stage(
        "contact_sheet",
        Scope.BATCH,
        "One picture of the images that a curator should look at first: unsure, empty and random ones.\n\n"
        "Source: specimen_boxes and the images that they were found on.",
        "report",
        ("jpeg",),
        reads={"specimen_boxes": ("boxes.parquet",)},
        settings=("images.max_pixels", "images.jpeg_quality"),
        libraries=("numpy", "opencv-python-headless", "pillow", "simplejpeg"),
        pool="images",
    ),
    Stage(
        "checked_barcodes",
        Scope.BATCH,
        "One row per record: its barcode cleaned, its identity, its reading frame, and the rules that hit.\n\n"
        "Key: process ID. Source: raw_records. Rules: length, ambiguity, reading frame under the lineage's genetic "
        "code, reverse complement, truncation, low complexity, BIN format. No rule drops a record.",
        "curate",
        ("polars", "parquet"),
        reads=_OF_RECORDS,
        table=schema.CHECKED_BARCODES,
        writes=(schema.CHECKED_BARCODES,),
        settings=(
            "barcodes.min_length",
            "barcodes.max_length",
            "barcodes.max_ambiguous_share",
            "barcodes.genetic_code",
            "barcodes.min_homopolymer",
            "barcodes.max_low_complexity_share",
        ),
        examines=("checks.min_barcode_share",),
        libraries=("polars",),
        checks=(Check("records_have_barcodes", "Most records of the delivery have a barcode.", blocking=False),),
        pool=None,
    ),
    Stage(
        "checked_geography",
        Scope.BATCH,
        "One row per record: canonical country and ISO codes, coordinates, dates, and the rules that hit.\n\n"
        "Key: process ID. Source: raw_records. Rules: GBIF's flags for places, country against point, dates. A fix of "
        "coordinates is proposed, not applied, unless the setting says so.",
        "curate",
        ("polars", "parquet"),
        reads=_OF_RECORDS,
        table=schema.CHECKED_GEOGRAPHY,
        writes=(schema.CHECKED_GEOGRAPHY,),
        settings=("geography.*",),
        data=("geography/*.parquet", "geography/*.csv"),
        libraries=("polars", "numpy", "shapely", "pycountry"),
        pool=None,
    ),
    Stage(
        "normalised_names",
        Scope.BATCH,
        "One row per record: its seven labels as delivered and normalised, with GBIF name types.\n\n"
        "Key: process ID. Source: raw_records. Rules: blanks, Unicode, case, authorship, words that mean nothing. "
        "Placeholder names survive unchanged: they label species that nobody has described yet.",
        "curate",
        ("polars", "parquet"),
        reads=_OF_RECORDS,
        table=schema.NORMALISED_NAMES,
        writes=(schema.NORMALISED_NAMES,),
        libraries=("polars", "gbif-name-parser"),
        pool=None,
    ),
    Stage(
        "specimens",
        Scope.CORPUS,
        "One row per specimen: the record of its latest snapshot with checked values and image, and the gates it "
        "fails.\n\nKey: process ID. Source: exactly the batches that the run's pin names. Rules: the later snapshot "
        "wins, an image of an earlier delivery is kept, gates quarantine with their reasons; nothing is lost.",
        "curate",
        ("polars", "parquet"),
        reads={
            "raw_records": ("records.parquet", "set_aside.parquet", "rejects.parquet"),
            "checked_barcodes": ("checked_barcodes.parquet",),
            "checked_geography": ("checked_geography.parquet",),
            "normalised_names": ("normalised_names.parquet",),
            "specimen_boxes": ("boxes.parquet",),
        },
        table=schema.SPECIMENS,
        writes=(schema.SPECIMENS, schema.SET_ASIDE, schema.REJECTS, schema.QUARANTINE),
        settings=(
            "gates.*",
            "images.near_duplicate_bits",
            "barcodes.neighbour_word",
            "barcodes.neighbour_similarity",
            "barcodes.neighbours",
            "barcodes.neighbour_votes",
            "barcodes.neighbour_share",
        ),
        data=("geography/country_names.csv", "geography/country_spellings.csv", "geography/not_countries.csv"),
        libraries=("polars", "numpy", "pycountry"),
        checks=(
            Check("ledger_balances", "Rows read = specimens + quarantined + set aside + rejected.", blocking=True),
        ),
    ),
    Stage(
        "curated_taxonomy",
        Scope.CORPUS,
        "One row per accepted specimen with its final labels; beside it the change log.\n\n"
        "Key: process ID. Source: specimens, and the curators' overrides. Rules: barcode conflicts by majority, one "
        "parent per name, inference from identical barcodes, fillers, overrides. Each change keeps the value before "
        "and after, its rule and its evidence.",
        "curate",
        ("polars", "parquet"),
        reads={"specimens": ("specimens.parquet", "value_changes.parquet")},
        table=schema.CURATED,
        writes=(schema.CURATED, schema.CHANGES),
        settings=("taxonomy.*",),
        libraries=("polars", "numpy", "rapidfuzz", "gbif-name-parser"),
        checks=(
            *(
                Check(rule.id, rule.statement, blocking=True)
                for rule in TAXONOMY_RULES
                if rule.severity is Severity.BLOCKING
            ),
            Check("overrides_applied", "Every line of the overrides can be applied.", blocking=False),
        ),
    ),
    Stage(
        "curated_expectations",
        Scope.CORPUS,
        "Great Expectations over the curated table: results, and the complete list of failing rows.",
        "curate",
        ("greatexpectations",),
        reads=_CURATED,
        libraries=("polars", "great-expectations", "duckdb"),
        prose=True,
        checks=tuple(
            Check(rule.id, rule.statement, blocking=rule.severity == "blocking")
            for rule in expectation_rules(schema.CURATED)
        ),
    ),
    Stage(
        "partitions",
        Scope.CORPUS,
        "One row per released specimen and its partition, of the eight.\n\n"
        "Key: process ID. Source: curated_taxonomy, in process ID order. Rules: the protocol of the settings "
        "(`splits.protocol`); all records of one barcode are in one partition. With `stable`, the assignments of the "
        "last release are kept, and each move is listed with its reason.",
        "partition",
        ("numpy", "parquet"),
        reads=_CURATED,
        after=("curated_expectations",),
        table=schema.PARTITIONS,
        writes=(schema.PARTITIONS, schema.PARTITION_MOVES, schema.PARTITION_MEMORY),
        settings=("splits.*", "images.near_duplicate_bits"),
        libraries=("polars", "numpy", "rapidfuzz"),
        checks=(
            *(
                Check(rule.id, rule.statement, blocking=rule.severity is Severity.BLOCKING)
                for rule in SPLIT_RULES
                if rule.id in _SPLIT_CHECKS
            ),
        ),
    ),
    Stage(
        "release_metadata",
        Scope.RELEASE,
        "One row per released specimen: the CSV of 23 columns, Parquet by split, boxes, and logs.\n\n"
        "Key: process ID. Source: curated_taxonomy and partitions; quarantine, set-aside rows and rejects from "
        "specimens. Rules: every value reads the same in every client; what that rewrites is in the change log.",
        "release",
        ("pyarrow", "csv", "parquet"),
        reads={"specimens": (), "curated_taxonomy": (), "partitions": ()},
        table=schema.METADATA_EXTENDED,
        writes=(schema.METADATA, schema.METADATA_EXTENDED, schema.BBOX),
        settings=("release.*",),
        libraries=_RELEASE_CSV,
    ),
    Stage(
        "image_packages",
        Scope.RELEASE,
        "One image per released specimen and package, at "
        "`bioscan5m/images/<package>/<split>/[<chunk>/]<processid>.jpg`.\n\nSource: the crops of the batches; of "
        "original_full the bytes as they were delivered. A killed run goes on by package and batch.",
        "release",
        ("jpeg",),
        reads={"curated_taxonomy": (), "specimen_boxes": (), "release_metadata": ()},
        settings=("release.*",),
        libraries=_RELEASE_CSV,
    ),
    Stage(
        "metadata_jsonld",
        Scope.RELEASE,
        "The CSV's rows as JSON-LD: a node per specimen at `bioscan5m/metadata/jsonld/`, and the context of its terms.",
        "release",
        ("json",),
        reads={"release_metadata": ()},
        settings=("release.*",),
        libraries=_RELEASE_CSV,
    ),
    Stage(
        "partitioned_metadata",
        Scope.RELEASE,
        "The rows of `data/` in Hive folders, `partitioned/split=<split>/order=<order>/`, for query engines.\n\n"
        "A missing order is the folder `order=not_classified`, which every engine reads.",
        "release",
        ("parquet",),
        reads={"release_metadata": ()},
        settings=("release.*",),
        libraries=_RELEASE_CSV,
    ),
    Stage(
        "split_manifests",
        Scope.RELEASE,
        "One CSV of process IDs per partition, and one over all: `splits/<split>.csv`, `splits/all.csv`.",
        "release",
        ("csv",),
        reads={"release_metadata": ()},
        settings=("release.*",),
        libraries=_RELEASE_CSV,
    ),
    Stage(
        "barcodebert_tables",
        Scope.RELEASE,
        "Barcodes with names and numbers of their labels, as BarcodeBERT's recipes read them: five CSVs in "
        "`barcodebert/`.\n\nA label has the same number in all five; -1 is unlabelled. Made when `release.forms` names "
        "barcodebert.",
        "release",
        ("csv",),
        reads={"release_metadata": ()},
        settings=("release.*",),
        libraries=_RELEASE_CSV,
    ),
    Stage(
        "image_tables",
        Scope.RELEASE,
        "The rows of `data/` with the bytes of cropped_256 as a Hugging Face image column: `data_images/`.\n\n"
        "Source: release_metadata and image_packages. A killed run goes on by shard.",
        "release",
        ("parquet",),
        reads={"image_packages": (), "release_metadata": ()},
        settings=("release.*",),
        libraries=_RELEASE_CSV,
    ),
    Stage(
        "image_hdf5",
        Scope.RELEASE,
        "HDF5 files of the chosen packages: a data set per image, and packed with the metadata for reading at "
        "random.\n\nSource: image_packages, byte for byte.",
        "release",
        ("hdf5",),
        reads={"image_packages": (), "release_metadata": ()},
        settings=("release.*",),
        libraries=("h5py", "numpy", *_RELEASE_CSV),
    ),
    Stage(
        "clibd_hdf5",
        Scope.RELEASE,
        "Images, barcodes and labels as CLIBD trains and evaluates on them: `hdf5/clibd.hdf5`.\n\n"
        "One row per specimen with an image and group that holds it. Made when `release.forms` names clibd.",
        "release",
        ("hdf5",),
        reads={"image_packages": (), "release_metadata": ()},
        settings=("release.*",),
        libraries=("h5py", "numpy", *_RELEASE_CSV),
    ),
    Stage(
        "image_archives",
        Scope.RELEASE,
        "The chosen packages as zips, as the published data set comes, and as WebDataset tar shards: `packages/`.\n\n"
        "Source: release_metadata and image_packages. A killed run goes on by archive.",
        "release",
        ("zip", "tar"),
        reads={"image_packages": (), "release_metadata": ()},
        settings=("release.*",),
        libraries=_RELEASE_CSV,
    ),
    Stage(
        "statistics",
        Scope.CORPUS,
        "Tables of categories, missing values, imbalance, sizes, partitions and barcode diversity of the release.\n\n"
        "One row is an attribute, a partition or a rank. Source: release_metadata.",
        "report",
        ("polars", "csv"),
        reads={"release_metadata": ()},
        libraries=("polars",),
        prose=True,
    ),
    Stage(
        "figures",
        Scope.CORPUS,
        "Figures of the release: partitions, missing labels, sizes, classes and orders, abundance, sites, a "
        "barcode.\n\nSource: release_metadata. SVG, the same bytes for the same release.",
        "report",
        ("matplotlib",),
        reads={"release_metadata": ()},
        data=("geography/borders.parquet", "geography/equivalences.csv"),
        libraries=("polars", "numpy", "matplotlib", "shapely"),
    ),
    Stage(
        "quality_report",
        Scope.CORPUS,
        "What a curator looks at: ledger, batches, gates, rules, changes, expectations, partitions, statistics, "
        "figures.\n\nOne HTML page that opens without network, with complete lists of process IDs beside it.",
        "report",
        ("html",),
        reads={
            "specimens": (),
            "curated_taxonomy": (),
            "curated_expectations": (),
            "partitions": (),
            "statistics": (),
            "figures": (),
            "contact_sheet": ("contact_sheet.jpg",),
            "release_metadata": (),
        },
        settings=(
            *("records.*", "barcodes.*", "geography.*", "taxonomy.*", "images.*", "gates.*", "splits.*"),
            *("release.*", "checks.*"),
        ),
        data=("quality/report.html.jinja",),
        prose=True,
        libraries=("polars", "jinja2"),
    ),
    Stage(
        "release_manifest",
        Scope.RELEASE,
        "The version: all parts verified, card, checksums and manifest written, then one rename, then `latest`.\n\n"
        "If the last version was made from the same inputs, settings and code, none is made.",
        "release",
        ("json",),
        reads={
            "release_metadata": (),
            "metadata_jsonld": (),
            "partitioned_metadata": (),
            "split_manifests": (),
            "barcodebert_tables": (),
            "image_packages": (),
            "image_tables": (),
            "image_hdf5": (),
            "clibd_hdf5": (),
            "image_archives": (),
            "curated_expectations": (),
        },
        after=("quality_report",),
        settings=(
            *("records.*", "barcodes.*", "geography.*", "taxonomy.*", "images.*", "gates.*", "splits.*"),
            *("release.*", "checks.*"),
        ),
        data=("release/card.md.j2",),
        prose=True,
        libraries=("jinja2", *_RELEASE_CSV),
    ),
    Stage(
        "release_mirror",
        Scope.RELEASE,
        "The last release below the S3 prefix of `release.publish_to`; nothing where that setting is empty.\n\n"
        "Data first, the manifest last, then the pointer `latest`; what is there already is not sent again.",
        "release",
        ("s3",),
        after=("release_manifest",),
    ),
)

STAGES: Mapping[str, Stage] = MappingProxyType({stage.name: stage for stage in _DECLARED})
"""All stages by name, each after those that it reads."""


def of_scope(scope: Scope) -> tuple[Stage, ...]:
    """The stages of a scope, each after those that it reads."""
    return tuple(stage for stage in STAGES.values() if stage.scope == scope)


BATCH_STAGES = tuple(stage.name for stage in of_scope(Scope.BATCH))
CORPUS_STAGES = tuple(stage.name for stage in STAGES.values() if stage.scope != Scope.BATCH)
PARTS = tuple(
    stage.name for stage in of_scope(Scope.RELEASE) if stage.name not in {"release_manifest", "release_mirror"}
)
"""Stages that write parts of the release."""


def batch_settings() -> tuple[str, ...]:
    """Names of all settings that a batch is made or examined with."""
    names = {name for stage in of_scope(Scope.BATCH) for name in (*stage.settings, *stage.examines)}
    return tuple(sorted(names))
