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
from bioscan_etl.quality.expectations import ExpectationRule, expectation_rules
from bioscan_etl.quality.results import RESULTS
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
        pool: stages of one pool never run at the same time in two runs of the UI; None: no limit.
        alone: it keeps all cores busy, or takes much memory for its images; no other stage of its run is made beside
            it.
        bytes_per_row: memory by which it grows with each record of its batch or of the corpus, as measured
            (benchmarks/stage_memory.py).
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
    alone: bool = False
    bytes_per_row: int = 0
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
ON_SPECIMENS, ON_LABELS, ON_BOXES = "on_specimens.parquet", "on_labels.parquet", "on_boxes.parquet"
"""Files of the decisions that one stage reads: a decision on a label makes no specimen anew."""
DISTINCT = "distinct_barcodes.parquet"
"""File of the checked barcodes that has each barcode once: column barcode, sorted."""
PAGES = "desk"
"""Folder of the desk's pages in their output, and in the report of a release."""
SPECIES_CASES = "species_cases.parquet"
"""File of the audit's cases (`statistics.cases.CASES`)."""
AUDITED = tuple(
    f"{name}.{ending}" for name in ("bin_audit", "species_audit", "species_grades") for ending in ("csv", "parquet")
)
"""Files of the audit that are statistics of the release."""
REFUSED = "refused.parquet"
"""File of the decisions that lists files which are no table of decisions."""
_SPLIT_CHECKS = (
    "BARCODE_IN_TWO_PARTITIONS",
    "SPECIES_IN_SEEN_AND_UNSEEN",
    "UNSEEN_SPECIES_WITHOUT_KEY",
    "UNSEEN_SPECIES_ALSO_HELD_OUT",
)
_RELEASE_CSV = ("polars", "pyarrow")
_OF_RECORDS = {"raw_records": ("records.parquet",)}
_CURATED = {"curated_taxonomy": ("curated.parquet",)}
BATCH_TABLES: Mapping[str, tuple[Table, ...]] = {
    "raw_records": (schema.RECORDS, schema.SET_ASIDE, schema.REJECTS),
    "specimen_images": (schema.IMAGE_INDEX,),
    "specimen_boxes": (schema.BOXES,),
    "checked_barcodes": (schema.CHECKED_BARCODES,),
    "placed_barcodes": (schema.PLACEMENTS,),
    "checked_geography": (schema.CHECKED_GEOGRAPHY,),
    "normalised_names": (schema.NORMALISED_NAMES,),
}
"""The tables of a batch that are validated, by the stage that writes them."""
_EXPECTATIONS = ("polars", "pyarrow", "great-expectations", "duckdb")
_IMAGE_LIBRARIES = ("numpy", "onnxruntime", "opencv-python-headless", "pillow", "simplejpeg")

_IMAGE_SETTINGS = (
    "images.crop_margin",
    "images.crop_aspect",
    "images.crop_fill",
    "images.short_side",
    "images.jpeg_quality",
    "images.max_pixels",
    "images.significant_bits",
    "images.empty_confidence",
    "images.min_confidence",
    "images.min_blur",
    "images.exposure_range",
    "images.fragment_fraction",
)
_COUNTRIES = (
    "geography/ambiguous_names.csv",
    "geography/country_codes.csv",
    "geography/country_names.csv",
    "geography/country_spellings.csv",
    "geography/not_countries.csv",
)
"""Data of `geography.countries`."""
_FRAME = ("barcodes/coi_profile.csv", "barcodes/coi_profile.json")
"""Data of `barcodes.profile`."""
_AUTHORS = ("taxonomy/author_names.txt", "taxonomy/not_authors.txt")
"""Data of `taxonomy.authorship`."""
_IMAGE_DATA = ("images/models/*.onnx", "images/models/*.json", "images/segmentation.json")


def expected(*tables: Table) -> list[tuple[Check, Table, ExpectationRule]]:
    """The checks of a stage that validates tables, each with its table and expectation.

    The id of a check begins with the name of the table, unless there is one table alone.
    """
    return [
        (
            Check(
                f"{table.name.upper()}_{rule.id}" if len(tables) > 1 else rule.id,
                rule.statement,
                blocking=rule.severity == "blocking",
            ),
            table,
            rule,
        )
        for table in tables
        for rule in expectation_rules(table)
    ]


def _checks(*tables: Table) -> tuple[Check, ...]:
    return tuple(check for check, _, _ in expected(*tables))


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
        bytes_per_row=form.bytes_per_row,
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
        bytes_per_row=600,
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
        settings=_IMAGE_SETTINGS,
        examines=("checks.max_unreadable_share", "checks.min_detected_share"),
        data=_IMAGE_DATA,
        libraries=_IMAGE_LIBRARIES,
        checks=(
            Check("images_readable", "Most images of the delivery can be decoded.", blocking=False),
            Check("specimens_detected", "The detector finds a specimen on most images.", blocking=False),
        ),
        pool="images",
        alone=True,
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
        settings=("images.max_pixels", "images.significant_bits", "images.jpeg_quality"),
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
        bytes_per_row=1_200,
    ),
    Stage(
        "placed_barcodes",
        Scope.BATCH,
        "One row per distinct barcode: its place on the 658-column frame of COI-5P.\n\n"
        "Key: barcode. Source: checked_barcodes. Each barcode is placed by itself with the shipped profile of the "
        "frame: first and last column, codons that it lacks, bases that lie in no column.",
        "curate",
        ("numpy", "parquet"),
        reads={"checked_barcodes": (DISTINCT,)},
        table=schema.PLACEMENTS,
        writes=(schema.PLACEMENTS,),
        data=_FRAME,
        libraries=("polars", "numpy"),
        pool=None,
        bytes_per_row=600,
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
        bytes_per_row=600,
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
        data=_AUTHORS,
        libraries=("polars", "gbif-name-parser"),
        pool=None,
        bytes_per_row=700,
    ),
    Stage(
        "decisions",
        Scope.CORPUS,
        "One row per line of the curators' decisions, and why it does not apply, if it has the wrong form or "
        "contradicts another.\n\nKey: file and line. Source: the files in `decisions/` of the corpus, as they were "
        "when the run was pinned. Rules: a file that is no table of decisions is refused alone, a line left out alone.",
        "curate",
        ("csv", "parquet"),
        table=schema.DECISIONS,
        writes=(schema.DECISIONS,),
        data=(
            *_COUNTRIES,
            *_AUTHORS,
        ),
        libraries=("polars", "pycountry", "gbif-name-parser"),
        checks=(Check("decisions_readable", "Every line of the decisions can be applied.", blocking=False),),
    ),
    Stage(
        "drawn_boxes",
        Scope.CORPUS,
        "One row per image whose box a curator drew, measured and cropped again.\n\nKey: batch and process ID. Source: "
        "the decisions with the action box, and the images of the pinned batches. A box beyond its image is left out.",
        "curate",
        ("opencv", "parquet"),
        reads={"decisions": (ON_BOXES,), "specimen_images": ("image_index.parquet",)},
        table=schema.BOXES,
        writes=(schema.BOXES, schema.CROPS, schema.DECISION_EFFECTS),
        settings=_IMAGE_SETTINGS,
        data=_IMAGE_DATA,
        libraries=_IMAGE_LIBRARIES,
        alone=True,
    ),
    Stage(
        "batch_expectations",
        Scope.BATCH,
        "Great Expectations on the tables of the batch: results, and the complete list of failing rows.\n\n"
        "One row is an expectation on a table. Source: all tables of the batch except its crops. An expectation on "
        "what the source delivered warns. One on what later stages rely on blocks: the batch's last complete delivery "
        "stays current.",
        "curate",
        ("greatexpectations",),
        reads={stage: tuple(f"{table.name}.parquet" for table in tables) for stage, tables in BATCH_TABLES.items()},
        libraries=_EXPECTATIONS,
        checks=_checks(*(table for tables in BATCH_TABLES.values() for table in tables)),
        pool=None,
        bytes_per_row=400,
    ),
    Stage(
        "specimens",
        Scope.CORPUS,
        "One row per specimen: the record of its latest snapshot with checked values and image, and the gates it "
        "fails.\n\nKey: process ID. Source: exactly the batches that the run's pin names. Rules: the latest snapshot "
        "wins, an image of an earlier delivery is kept, gates quarantine specimens with a reason, curators accept and "
        "reject specimens; no row is lost.",
        "curate",
        ("polars", "parquet"),
        reads={
            "raw_records": ("records.parquet", "set_aside.parquet", "rejects.parquet"),
            "checked_barcodes": ("checked_barcodes.parquet",),
            "placed_barcodes": ("placements.parquet",),
            "checked_geography": ("checked_geography.parquet",),
            "normalised_names": ("normalised_names.parquet",),
            "specimen_boxes": ("boxes.parquet",),
            "decisions": (ON_SPECIMENS,),
            "drawn_boxes": ("boxes.parquet",),
        },
        table=schema.SPECIMENS,
        writes=(schema.SPECIMENS, schema.SET_ASIDE, schema.REJECTS, schema.QUARANTINE, schema.DECISION_EFFECTS),
        settings=(
            "gates.*",
            "images.near_duplicate_bits",
            "images.max_brightness_stops",
            "barcodes.min_shared_columns",
            "barcodes.neighbour_kmer",
            "barcodes.neighbour_similarity",
            "barcodes.neighbours",
            "barcodes.neighbour_votes",
            "barcodes.neighbour_share",
        ),
        data=(
            *_COUNTRIES,
            "geography/province_letters.csv",
        ),
        libraries=("polars", "numpy", "pycountry"),
        checks=(
            Check("ledger_balances", "Rows read = specimens + quarantined + set aside + rejected.", blocking=True),
        ),
        bytes_per_row=1_300,
    ),
    Stage(
        "specimen_expectations",
        Scope.CORPUS,
        "Great Expectations on the specimens and the quarantine: results, and the complete list of failing rows.\n\n"
        "One row is an expectation on a table. Source: specimens.",
        "curate",
        ("greatexpectations",),
        reads={"specimens": ("specimens.parquet", "quarantine.parquet")},
        libraries=_EXPECTATIONS,
        prose=True,
        checks=_checks(schema.SPECIMENS, schema.QUARANTINE),
    ),
    Stage(
        "curated_taxonomy",
        Scope.CORPUS,
        "One row per accepted specimen with its final labels, and the change log.\n\n"
        "Key: process ID. Source: specimens, and the curators' decisions. Rules: merged spellings, barcode conflicts "
        "by majority, one parent per name, inference from identical barcodes, fillers, labels that curators set. The "
        "change log records the value before and after, the rule and the evidence.",
        "curate",
        ("polars", "parquet"),
        reads={
            "specimens": ("specimens.parquet", "value_changes.parquet"),
            "decisions": (ON_LABELS,),
        },
        after=("specimen_expectations",),
        table=schema.CURATED,
        writes=(schema.CURATED, schema.CHANGES, schema.DECISION_EFFECTS),
        settings=("taxonomy.*",),
        data=_AUTHORS,
        libraries=("polars", "numpy", "rapidfuzz", "gbif-name-parser"),
        checks=(
            *(
                Check(rule.id, rule.statement, blocking=True)
                for rule in TAXONOMY_RULES
                if rule.severity is Severity.BLOCKING
            ),
            Check("decisions_consistent", "No curator's label breaks a lineage or splits a barcode.", blocking=False),
        ),
        bytes_per_row=800,
    ),
    Stage(
        "barcodes",
        Scope.CORPUS,
        "One row per distinct barcode of the released specimens: its number, its place on the frame, and the barcodes "
        "that it is the same as over shared columns.\n\n"
        "Key: barcode_id, in lexical order of the barcodes. Source: curated_taxonomy, and placed_barcodes of the "
        "pinned batches. `barcode_ids` gives the number of each specimen's barcode.",
        "partition",
        ("numpy", "parquet"),
        reads={**_CURATED, "placed_barcodes": ("placements.parquet",)},
        table=schema.BARCODES,
        writes=(schema.BARCODES, schema.BARCODE_IDS),
        settings=("barcodes.min_shared_columns",),
        data=_FRAME,
        libraries=("polars", "numpy"),
        bytes_per_row=900,
    ),
    Stage(
        "audit",
        Scope.CORPUS,
        "An audit of each species by its barcodes and BINs: BAGS grade, concordance, barcode gap; and the cases on "
        "which a curator should decide.\n\n"
        "One row is a species, a BIN or a case. Source: curated_taxonomy and barcodes. Cases are judged by the labels "
        "that the rules made, before those that curators set.",
        "curate",
        ("numpy", "csv"),
        reads={
            "curated_taxonomy": ("curated.parquet", "changes.parquet"),
            "barcodes": ("barcodes.parquet", "barcode_ids.parquet"),
        },
        settings=("barcodes.min_shared_columns",),
        libraries=("polars", "numpy"),
        bytes_per_row=800,
    ),
    Stage(
        "proposals",
        Scope.CORPUS,
        "One row per line of the reports from users of the published data, and why it is no doubt, if its form is "
        "wrong or no batch has its process ID.\n\nKey: file and line. Source: the files in `reports/` of the corpus, "
        "as they were when the run was pinned. Rules: no line is applied; a file that is no table of reports is "
        "refused alone, a line left out alone.",
        "curate",
        ("csv", "parquet"),
        reads={"specimens": ("specimens.parquet",)},
        table=schema.PROPOSALS,
        writes=(schema.PROPOSALS,),
        data=(
            *_COUNTRIES,
            *_AUTHORS,
        ),
        libraries=("polars", "pycountry", "gbif-name-parser"),
        checks=(Check("reports_readable", "Every line of the users' reports can be read.", blocking=False),),
    ),
    Stage(
        "doubts",
        Scope.CORPUS,
        "One row per doubt: something that a curator should look at, with a fingerprint of its evidence.\n\n"
        "Key: id. Source: gates and flags of specimens, conflicts and likely typos of curated_taxonomy, cases of "
        "audit. A decision settles a doubt and does not remove it. A report from a user is a doubt, too. Beside it, "
        "the specimens whose labels are verified or disputed.",
        "curate",
        ("polars", "parquet"),
        reads={
            "decisions": ("decisions.parquet",),
            "proposals": ("proposals.parquet",),
            "specimens": ("specimens.parquet",),
            "curated_taxonomy": ("curated.parquet", "conflicts.parquet", "typos.parquet", "decision_effects.parquet"),
            "audit": (SPECIES_CASES,),
        },
        table=schema.DOUBTS,
        writes=(schema.DOUBTS, schema.VERIFICATION),
        settings=("gates.*",),
        libraries=("polars", "duckdb"),
        bytes_per_row=600,
    ),
    Stage(
        "curated_expectations",
        Scope.CORPUS,
        "Great Expectations on the curated table: results, and the complete list of failing rows.",
        "curate",
        ("greatexpectations",),
        reads=_CURATED,
        libraries=_EXPECTATIONS,
        prose=True,
        checks=_checks(schema.CURATED),
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
        reads={**_CURATED, "barcodes": ("barcodes.parquet", "barcode_ids.parquet")},
        after=("curated_expectations",),
        table=schema.PARTITIONS,
        writes=(schema.PARTITIONS, schema.PARTITION_MOVES, schema.PARTITION_MEMORY),
        settings=("splits.*", "images.near_duplicate_bits", "barcodes.min_shared_columns"),
        data=_FRAME,
        libraries=("polars", "numpy", "rapidfuzz"),
        checks=(
            *(
                Check(rule.id, rule.statement, blocking=rule.severity is Severity.BLOCKING)
                for rule in SPLIT_RULES
                if rule.id in _SPLIT_CHECKS
            ),
        ),
        bytes_per_row=1_500,
    ),
    Stage(
        "release_metadata",
        Scope.RELEASE,
        "One row per released specimen: the CSV of 23 columns, Parquet by split, boxes, and logs; and the labels with "
        "their indices.\n\n"
        "Key: process ID. Source: curated_taxonomy and partitions; quarantine, set-aside rows and rejects from "
        "specimens. Rules: every client reads the same values; the change log lists the values rewritten for that. "
        "A label keeps the index that the release before gave it.",
        "release",
        ("pyarrow", "csv", "parquet"),
        reads={
            **dict.fromkeys(("decisions", "drawn_boxes", "specimens", "curated_taxonomy", "partitions"), ()),
            "doubts": ("verification.parquet",),
        },
        table=schema.METADATA_EXTENDED,
        writes=(schema.METADATA, schema.METADATA_EXTENDED, schema.BBOX, schema.LABELS, schema.LABEL_HIERARCHY),
        settings=("release.*",),
        libraries=_RELEASE_CSV,
        bytes_per_row=1_100,
    ),
    Stage(
        "release_expectations",
        Scope.CORPUS,
        "Great Expectations on the rows of the release: results, and the complete list of failing rows.\n\n"
        "One row is an expectation. Source: release_metadata.",
        "release",
        ("greatexpectations",),
        reads={"release_metadata": ()},
        libraries=_EXPECTATIONS,
        prose=True,
        checks=_checks(schema.METADATA_EXTENDED),
        bytes_per_row=100,
    ),
    Stage(
        "image_packages",
        Scope.RELEASE,
        "One image per released specimen and package, at "
        "`bioscan5m/images/<package>/<split>/[<chunk>/]<processid>.jpg`.\n\nSource: the crops of the batches; for "
        "original_full the bytes as delivered. A killed run resumes at the first unfinished package and batch.",
        "release",
        ("jpeg",),
        reads={"curated_taxonomy": (), "specimen_boxes": (), "drawn_boxes": (), "release_metadata": ()},
        settings=("release.*",),
        libraries=_RELEASE_CSV,
    ),
    *(_stage_of(form) for form in forms().values() if form.build is not None),
    Stage(
        "distances",
        Scope.CORPUS,
        "Distances between the distinct barcodes within the groups of each rank and within BINs.\n\n"
        "One row is a rank, a group or a bin of species. Source: curated_taxonomy and barcodes. Distances are over the "
        "columns of the frame that both barcodes have.",
        "report",
        ("numpy", "csv"),
        reads={**_CURATED, "barcodes": ("barcodes.parquet", "barcode_ids.parquet")},
        settings=("statistics.*", "barcodes.min_shared_columns"),
        libraries=("polars", "numpy"),
        prose=True,
        bytes_per_row=1_000,
    ),
    Stage(
        "statistics",
        Scope.CORPUS,
        "Tables that describe the release: categories, missing values, sizes, partitions, orders, barcodes, distances, "
        "completeness.\n\nThey are in `statistics/` of the release. Source: release_metadata, barcodes, distances and "
        "audit.",
        "report",
        ("polars", "csv"),
        reads={
            "release_metadata": (),
            "barcodes": ("barcodes.parquet", "barcode_ids.parquet"),
            "distances": (),
            "audit": AUDITED,
        },
        settings=("barcodes.min_shared_columns",),
        data=("statistics/published.csv",),
        libraries=("polars", "numpy"),
        prose=True,
        bytes_per_row=1_100,
    ),
    Stage(
        "figures",
        Scope.CORPUS,
        "Figures of the release: specimens and their images, taxa, places, partitions, missing values, sizes, "
        "distances, barcodes.\n\nSource: release_metadata, statistics, and the images of image_packages. SVG and PNG, "
        "and a page that shows them; the same release gives the same bytes.",
        "report",
        ("matplotlib",),
        reads={"release_metadata": (), "image_packages": (), "statistics": ()},
        # Captions state the settings that decide what is shown; those of images read and outline specimens.
        settings=(
            *("splits.protocol", "splits.keep_bins_together", "splits.keep_overlaps_together"),
            *("barcodes.min_shared_columns", "statistics.*"),
            *("release.dataset", "release.title", "release.image_packages"),
            *("images.crop_margin", "images.crop_aspect", "images.max_pixels", "images.significant_bits"),
            *("images.empty_confidence", "images.min_confidence"),
        ),
        data=(
            *("geography/borders.parquet", "statistics/land.parquet"),
            *("statistics/gallery.html.jinja", "statistics/gallery.js"),
            *_IMAGE_DATA,
        ),
        libraries=("polars", "duckdb", "matplotlib", "squarify", "jinja2", *_IMAGE_LIBRARIES),
        bytes_per_row=900,
    ),
    Stage(
        "quality_report",
        Scope.CORPUS,
        "The report for curators: ledger, batches, gates, rules, changes, doubts, expectations, partitions, "
        "statistics, figures.\n\nOne HTML page that opens without network, and files with complete lists of process "
        "IDs.",
        "report",
        ("html",),
        reads={
            "decisions": (),
            "drawn_boxes": (),
            "doubts": ("doubts.parquet",),
            "specimens": (),
            "specimen_expectations": (RESULTS,),
            "curated_taxonomy": (),
            "curated_expectations": (RESULTS,),
            "release_expectations": (RESULTS,),
            "partitions": (),
            "statistics": (),
            "figures": (),
            "contact_sheet": ("contact_sheet.jpg",),
            "release_metadata": (),
        },
        settings=(
            *("records.*", "barcodes.*", "geography.*", "taxonomy.*", "images.*", "gates.*", "splits.*"),
            *("statistics.*", "release.*", "checks.*"),
        ),
        after=("batch_expectations",),
        data=("quality/report.html.jinja",),
        prose=True,
        libraries=("polars", "jinja2"),
    ),
    Stage(
        "desk_pages",
        Scope.CORPUS,
        "The curators' desk as files: every doubt of the release with its evidence, and the pages of each batch.\n\n"
        "One HTML page, and one per batch, that open without network or server. Decisions are downloaded there as "
        "CSV. The number of images is limited. Source: doubts, and what they are found in.",
        "report",
        ("html",),
        reads={
            "decisions": (),
            "drawn_boxes": ("decision_effects.parquet",),
            "doubts": ("doubts.parquet",),
            "specimens": ("specimens.parquet", "set_aside.parquet", "rejects.parquet", "decision_effects.parquet"),
            "specimen_expectations": (RESULTS,),
            "curated_taxonomy": ("curated.parquet", "decision_effects.parquet"),
            "curated_expectations": (RESULTS,),
            "release_expectations": (RESULTS,),
            "raw_records": ("records.parquet",),
            "specimen_boxes": ("boxes.parquet",),
        },
        settings=(
            *("images.max_pixels", "images.significant_bits", "images.jpeg_quality", "images.near_duplicate_bits"),
            *("images.empty_confidence", "images.min_confidence"),
            *("gates.*", "release.dataset", "desk.images"),
        ),
        after=("batch_expectations",),
        data=("desk/static/*", "geography/borders.parquet", *_IMAGE_DATA, *_COUNTRIES, *_AUTHORS),
        prose=True,
        libraries=(*_IMAGE_LIBRARIES, "polars", "rapidfuzz", "shapely", "pycountry", "gbif-name-parser"),
        bytes_per_row=500,
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
            "specimen_expectations": (),
            "curated_expectations": (),
            "release_expectations": (),
        },
        after=("statistics", "figures", "quality_report", "desk_pages"),
        settings=(
            *("records.*", "barcodes.*", "geography.*", "taxonomy.*", "images.*", "gates.*", "splits.*"),
            *("statistics.*", "release.*", "checks.*"),
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
