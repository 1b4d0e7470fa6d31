"""Every stage of the pipeline, declared once.

Belongs here: name, scope, what it reads and writes, the settings, data files and libraries that decide its values, its
checks, and its description in the UI. Does not belong here: what it does. That is the function `build` of the module
with its name, or of the module of an output form, whose entry the stage is derived from. Assets, jobs, dependencies,
code versions, fingerprints, `status` and docs/reference/stages.md are derived from these entries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from bioscan_etl import schema
from bioscan_etl.findings import Finding
from bioscan_etl.quality.expectations import expectation_rules
from bioscan_etl.release.forms.registry import Form, forms
from bioscan_etl.rules import Severity
from bioscan_etl.schema import Table
from bioscan_etl.splits.rules import RULES as SPLIT_RULES
from bioscan_etl.taxonomy.rules import RULES as TAXONOMY_RULES


class Scope(StrEnum):
    """What a stage runs on."""

    BATCH = "batch"  # one delivery of specimens; its output becomes current with the whole batch
    CORPUS = "corpus"  # the pinned batches together
    RELEASE = "release"  # writes a part of the release that is being built


@dataclass(frozen=True, slots=True)
class Check:
    """A check of a stage's output: its id, what must hold, and whether a failure stops the stages after it."""

    id: str
    statement: str
    blocking: bool


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage.

    Attributes:
        name: name of the stage, its module and its asset.
        scope: what it runs on.
        about: description in the UI: what one row is, its key, its source, the rules that apply.
        group: asset group in the UI.
        kinds: kinds of the asset in the UI.
        reads: files of other stages that decide its values; an empty tuple: the whole output.
        after: stages that must have run, but decide no value.
        delivered: parts of the delivery that it reads: records, images, image_manifest.
        table: the table that the UI shows.
        writes: its tables.
        settings: dotted names of the settings that decide its values; `section.*` names a whole section.
        examines: settings that its checks compare counts with.
        data: data files that decide values, as patterns relative to the package.
        libraries: distributions whose version can decide values.
        checks: checks of its output.
        pool: stages of one pool never run at the same time; None: no limit.
        resumable: a killed run resumes where it stopped.
        prose: it prints texts of rules, columns and forms, so that their wording counts as its code.
        form: the output form that it writes; None for all other stages.
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
    form: str | None = None

    @property
    def module(self) -> str:
        """The module of its function: of its name, or that of the output form that it writes."""
        return f"bioscan_etl.stages.{self.name}" if self.form is None else forms()[self.form].module

    def finding(
        self, check: str, *, passed: bool, count: int, samples: tuple[str, ...] = (), detail: str = ""
    ) -> Finding:
        """The result of one of its checks."""
        found = next(one for one in self.checks if one.id == check)
        return Finding(found.id, passed, count, found.statement, samples, found.blocking, detail)


MEMORY = "partition_memory.parquet"
"""File in which the protocol `stable` stores what the next release needs."""
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


def _stage_of(form: Form) -> Stage:
    """The stage that writes an output form."""
    return Stage(
        form.stage,
        Scope.RELEASE,
        form.about,
        "release",
        form.kinds,
        reads={"image_packages": (), "release_metadata": ()} if form.images else {"release_metadata": ()},
        settings=form.settings_read(),
        libraries=form.libraries,
        form=form.name,
    )


_DECLARED = (
    Stage(
        "raw_records",
        Scope.BATCH,
        "One row per specimen of the batch: its record of the barcode marker, every BCDM column as text.\n\n"
        "Key: process ID. Source: the batch's BOLD files, in any known layout. Rows of other markers and earlier "
        "snapshots are set aside with a reason. Rows that cannot be read are rejected with their text. Each run checks "
        "that rows read = records + set aside + rejected.",
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
        "One row per image file of the batch: the process ID it belongs to, its size and sha256, or why it is not "
        "used.\n\nKey: image_file. Source: the batch's folders, zips or S3 prefixes, and its image manifest. Files are "
        "read in place; a path that leads out of its source is never opened.",
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
        "with the table. A killed run resumes at the first unfinished shard.",
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
        "One picture of the images that a curator should review first: low-confidence, empty and random ones.\n\n"
        "Source: specimen_boxes and specimen_images.",
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
        "One row per record: its cleaned barcode, identity, reading frame, and the rules that apply.\n\n"
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
        "One row per record: canonical country and ISO codes, coordinates, dates, and the rules that apply.\n\n"
        "Key: process ID. Source: raw_records. Rules: GBIF's flags for places, country against point, dates. A fix of "
        "coordinates is only proposed, unless `geography.apply_coordinate_fixes` is set.",
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
        "Key: process ID. Source: raw_records. Rules: blanks, Unicode, case, authorship, words for 'not known'. "
        "Placeholder names are kept unchanged: they label species that are not described yet.",
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
        "fails.\n\nKey: process ID. Source: exactly the batches that the run's pin names. Rules: the latest snapshot "
        "wins, an image of an earlier delivery is kept, gates quarantine specimens with a reason; no row is lost.",
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
            "barcodes.neighbour_kmer",
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
        "One row per accepted specimen with its final labels, and the change log.\n\n"
        "Key: process ID. Source: specimens, and the curators' overrides. Rules: barcode conflicts by majority, one "
        "parent per name, inference from identical barcodes, fillers, overrides. The change log records the value "
        "before and after, the rule and the evidence.",
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
            Check("overrides_applied", "Every line of the overrides is applied.", blocking=False),
        ),
    ),
    Stage(
        "curated_expectations",
        Scope.CORPUS,
        "Great Expectations on the curated table: results, and the complete list of failing rows.",
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
        "One row per released specimen: which of the eight partitions it is in.\n\n"
        "Key: process ID. Source: curated_taxonomy, in process ID order. Rules: the protocol that `splits.protocol` "
        "names; all records of one barcode are in one partition. `stable` keeps the assignments of the last release "
        "and lists each move with its reason.",
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
        "specimens. Rules: every client reads the same values; the change log lists the values rewritten for that.",
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
        "`bioscan5m/images/<package>/<split>/[<chunk>/]<processid>.jpg`.\n\nSource: the crops of the batches; for "
        "original_full the bytes as delivered. A killed run resumes at the first unfinished package and batch.",
        "release",
        ("jpeg",),
        reads={"curated_taxonomy": (), "specimen_boxes": (), "release_metadata": ()},
        settings=("release.*",),
        libraries=_RELEASE_CSV,
    ),
    *(_stage_of(form) for form in forms().values() if form.build is not None),
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
        "barcode.\n\nSource: release_metadata. SVG; the same release gives the same bytes.",
        "report",
        ("matplotlib",),
        reads={"release_metadata": ()},
        data=("geography/borders.parquet", "geography/equivalences.csv"),
        libraries=("polars", "numpy", "matplotlib", "shapely"),
    ),
    Stage(
        "quality_report",
        Scope.CORPUS,
        "The report for curators: ledger, batches, gates, rules, changes, expectations, partitions, statistics, "
        "figures.\n\nOne HTML page that opens without network, and files with complete lists of process IDs.",
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
        "The new version. Verifies all parts, writes card, checksums and manifest, renames the folder in one step, "
        "then updates `latest`.\n\nMakes nothing if the last version has the same inputs, settings and code.",
        "release",
        ("json",),
        reads={
            "release_metadata": (),
            "image_packages": (),
            **{form.stage: () for form in forms().values() if form.build is not None},
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
        "Mirrors the last release to the S3 prefix of `release.publish_to`; does nothing if that setting is empty.\n\n"
        "Uploads the data, then the manifest, then the pointer `latest`; skips files that are already there.",
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
    """Names of all settings that the stages of a batch or their checks read."""
    names = {name for stage in of_scope(Scope.BATCH) for name in (*stage.settings, *stage.examines)}
    return tuple(sorted(names))
