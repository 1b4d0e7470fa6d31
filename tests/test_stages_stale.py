"""Which stages a change of each file of the package makes stale: the reviewed table, held against the code.

A stage that becomes stale is made anew, for the whole corpus: of millions of images that is days. So whoever moves code
or adds an import sees here what it costs. Each line was thought about; lines that surprise say why they are so.
"""

from __future__ import annotations

import shutil
from fnmatch import fnmatch
from pathlib import Path

import pytest

from bioscan_etl.provenance.closure import closure
from bioscan_etl.provenance.code import code_of
from bioscan_etl.release.forms.registry import forms
from bioscan_etl.stages.registry import BATCH_STAGES, PARTS, STAGES

PACKAGE = Path(__file__).parents[1] / "bioscan_etl"

NONE: tuple[str, ...] = ()
EVERY = tuple(STAGES)
IMAGES = ("specimen_images", "specimen_boxes", "contact_sheet")
# Both crop images: a box that a curator drew is measured as a detected one.
CROPPED = ("specimen_boxes", "drawn_boxes")
# Both judge lines that people write: what a user suggests must be what a curator could decide.
LINES = ("decisions", "proposals")
TABLES = ("specimens", "curated_taxonomy")
# They print every rule: a rule that comes, goes or changes its words belongs into the report and the changelog.
PRINTED = ("quality_report", "release_manifest", "desk_pages")
# The tables that every release is made of, their packages of images, and the manifest.
CORE = ("release_metadata", "image_packages", "release_manifest")
EXPECTATIONS = ("batch_expectations", "specimen_expectations", "curated_expectations", "release_expectations")
# Who reads the rows of a release depends on how they are found and read (`release.rows`, `release.layout`).
RELEASED = (*PARTS, "release_expectations", "statistics", "figures", "release_manifest")
# What is made of the released rows: a form each.
OF_PARTS = tuple(stage.name for stage in STAGES.values() if stage.form is not None)

# File, or pattern, below the package: the stages that a change of its logic, or of its bytes, makes stale.
TABLE: dict[str, tuple[str, ...]] = {
    # ---- what makes nothing
    "__init__.py": NONE,
    "py.typed": NONE,
    "desk/*": ("desk_pages",),  # written by a run, too, but for what only the server has
    "desk/server.py": NONE,  # serves, and saves decisions, which count by content
    "desk/front.py": NONE,
    "desk/specimen.py": NONE,
    "desk/neighbours.py": NONE,
    "alerts/*": NONE,  # tells of what is there
    "bold/*": NONE,  # fetches deliveries; a delivery counts by content
    "cli/*": NONE,
    "definitions/*": NONE,
    "assets/*": NONE,
    "sensors/*": NONE,
    "demo/*": NONE,
    "ui/*": NONE,
    "automation.py": NONE,
    "extras.py": NONE,
    "reference.py": NONE,  # prints the docs
    "reference_flow.py": NONE,
    "resources.py": NONE,
    "explain.py": NONE,
    "api.py": NONE,
    "overview.py": NONE,
    "plans.py": NONE,
    "runs.py": NONE,
    "training/*": NONE,
    # A user's table goes through the functions of the stages, and no stage through it.
    "table.py": NONE,
    "table_fields.py": NONE,
    "crash.py": NONE,
    # ---- plumbing (`provenance.plumbing` gives the reasons)
    "errors.py": NONE,
    "findings.py": NONE,
    "freed_memory.py": NONE,
    "progress.py": NONE,
    "state.py": NONE,
    "io/*": NONE,
    "threads.py": NONE,
    "lake/*": NONE,
    "landing/*": NONE,
    "provenance/*": NONE,
    "stages/ahead.py": NONE,
    "stages/commit.py": NONE,
    "stages/cost.py": NONE,
    "stages/examine.py": NONE,  # checks of counts, made anew whenever they are looked at
    "stages/registry.py": NONE,
    "stages/run.py": NONE,
    "stages/situation.py": NONE,
    "stages/work.py": NONE,
    "settings.py": NONE,  # values count, not their model
    "setting_types.py": NONE,  # the same
    "release/signature.py": NONE,  # vouches for what is there; an existing release is never signed later
    "taxonomy/listing.py": NONE,  # `bioscan-etl names`
    "schema.py": NONE,  # tables and constants count one by one: SCHEMA below
    "vocabulary.py": NONE,  # the same
    # ---- tools beside the graph
    "evaluation/*": NONE,  # reads what is published
    "release/check/*.py": NONE,  # `bioscan-etl check` looks at what is published
    "release/build.py": NONE,  # builds all parts at once, for tests and benchmarks
    "release/opened.py": NONE,
    # Who trains on a release reads it, and makes nothing of it.
    "torch.py": NONE,
    "barcodes/tokens.py": NONE,
    "release/classes.py": NONE,
    "release/image_bytes.py": NONE,
    "release/pixels.py": NONE,
    "release/samples.py": NONE,
    "release/forms/registry.py": NONE,  # lists the forms; a stage counts those that it goes through
    "records/compare.py": NONE,
    "records/inspect.py": NONE,
    "records/damaged_files.py": ("quality_report",),
    "splits/files.py": NONE,
    "images/coco.py": (
        "figures",
        "desk_pages",
    ),
    "images/find_specimens.py": NONE,
    "images/reviews.py": NONE,
    "geography/build_borders.py": NONE,  # its result counts: borders.parquet
    "*/README.md": NONE,
    "images/models/README.md": NONE,
    # ---- the stages' own modules
    "stages/__init__.py": (
        *LINES,
        "drawn_boxes",
        "doubts",
        "raw_records",
        "specimen_images",
        "specimen_boxes",
        "contact_sheet",
        "checked_barcodes",
        "placed_barcodes",
        "barcodes",
        "audit",
        "checked_geography",
        "normalised_names",
        "specimens",
        "curated_taxonomy",
        *EXPECTATIONS,
        "partitions",
        "release_metadata",
        "image_packages",
        "distances",
        "statistics",
        "figures",
        "quality_report",
        "release_manifest",
        "release_mirror",
        "desk_pages",
    ),  # a docstring: code there would be everybody's
    **{f"stages/{stage.name}.py": (stage.name,) for stage in STAGES.values() if stage.form is None},
    # ---- packages: a docstring each; code there would be everybody's below
    "barcodes/__init__.py": (
        "checked_barcodes",
        "placed_barcodes",
        "barcodes",
        "specimens",
        "curated_taxonomy",
        "doubts",
        *EXPECTATIONS,
        "audit",
        "partitions",
        "distances",
        "release_metadata",
        "image_packages",
        "statistics",
        "quality_report",
        "release_manifest",
        "desk_pages",
    ),
    "geography/__init__.py": (*LINES, "raw_records", "checked_geography", "specimens", "figures", *PRINTED),
    "images/__init__.py": (
        "specimen_images",
        *CROPPED,
        "contact_sheet",
        "specimens",
        "partitions",
        "release_metadata",
        "image_packages",
        "figures",
        "quality_report",
        "release_manifest",
        "desk_pages",
    ),
    "quality/__init__.py": ("specimens", "audit", "distances", "statistics", *EXPECTATIONS, *PRINTED),
    "records/__init__.py": ("raw_records", "checked_barcodes", "specimens", *PRINTED),
    "release/diff/__init__.py": ("release_manifest",),
    "release/ship/__init__.py": ("release_manifest", "release_mirror"),
    "release/forms/__init__.py": (*OF_PARTS, "release_metadata", "image_packages", "release_manifest"),
    "release/__init__.py": ("partitions", *RELEASED, "quality_report", "release_mirror", "desk_pages"),
    "splits/__init__.py": (*EXPECTATIONS, "partitions", "statistics", *PRINTED),
    "statistics/__init__.py": ("audit", "distances", "statistics", "figures", *PRINTED),
    "taxonomy/__init__.py": (
        *LINES,
        "normalised_names",
        "curated_taxonomy",
        *EXPECTATIONS,
        "partitions",
        "statistics",
        *PRINTED,
    ),
    # ---- of several stages
    "specimens/__init__.py": (*TABLES, "doubts", "desk_pages"),
    "specimens/accepted.py": ("curated_taxonomy",),
    "specimens/assemble.py": ("specimens",),
    "specimens/slices.py": TABLES,
    "specimens/gates.py": ("specimens", "doubts", "desk_pages"),  # doubts are listed as they are without decisions
    "doubts/*.py": ("doubts", "quality_report", "desk_pages"),  # the report counts them by state
    "doubts/find.py": ("doubts",),
    "doubts/fingerprint.py": ("doubts", "desk_pages"),
    "doubts/verification.py": ("doubts",),
    "flags.py": (
        *CROPPED,
        "checked_barcodes",
        "checked_geography",
        "normalised_names",
        *TABLES,
        "doubts",
        "desk_pages",
    ),  # also images!
    "changes.py": ("curated_taxonomy", "release_metadata"),  # both write the change log
    # The shape of a rule: of those who use rules as values, not of those who name their ids.
    "rules.py": ("curated_taxonomy", *EXPECTATIONS, "partitions", *PRINTED),
    # ---- decisions
    "specimens/decided.py": ("specimens", "desk_pages"),
    "taxonomy/decided.py": ("curated_taxonomy",),
    "decisions/__init__.py": (*LINES, "drawn_boxes", *TABLES, "doubts", "release_metadata", *PRINTED),
    "decisions/again.py": ("desk_pages",),
    "decisions/read.py": (*LINES, "desk_pages"),
    "decisions/csv_lines.py": (*LINES, "desk_pages"),
    "decisions/values.py": (*LINES, "drawn_boxes", "specimens", "desk_pages"),
    "decisions/vocabulary.py": (*LINES, *TABLES, "doubts", "quality_report", "desk_pages"),
    "decisions/reasons.py": (*TABLES, "desk_pages"),
    "decisions/outcome.py": ("release_metadata", "quality_report", "desk_pages"),
    "decisions/rules.py": PRINTED,
    "decisions/write.py": ("desk_pages",),
    "decisions/standing.py": (),
    "decisions/bold_template.py": (),
    "decisions/for_bold.py": (),
    # ---- reports from users
    "proposals/__init__.py": ("proposals", *PRINTED),
    "proposals/read.py": ("proposals", "desk_pages"),
    "proposals/rules.py": PRINTED,
    "proposals/add.py": (),
    # ---- records
    "records/*.py": ("raw_records",),
    "records/choose.py": (
        "raw_records",
        "specimens",
    ),  # which of two records of a specimen stays: in a batch, over batches
    "records/supersede.py": ("specimens",),
    "records/changes.py": ("specimens",),
    "records/values.py": ("raw_records", "checked_barcodes", "specimens"),  # numbers and missing values as text
    "processids.py": (*LINES, "raw_records", "specimen_images", "release_metadata", "image_packages", "desk_pages"),
    "invisible.py": (*LINES, "raw_records", "normalised_names", *TABLES, "desk_pages"),
    # Names of image files are listed so, and the report and changelog show values so.
    "printable.py": (
        *LINES,
        "specimen_images",
        *CROPPED,
        "contact_sheet",
        "release_metadata",
        "image_packages",
        "figures",  # captions show names
        *PRINTED,
    ),
    "records/rules.py": PRINTED,
    # ---- barcodes
    "barcodes/check.py": ("checked_barcodes", "specimens"),  # specimens log what it changed (`barcode_changes`)
    "barcodes/reading_frame.py": ("checked_barcodes", "specimens"),
    "barcodes/corpus.py": ("specimens",),
    "barcodes/identities.py": ("checked_barcodes", "barcodes", "specimens", "curated_taxonomy", "partitions"),
    "barcodes/identity.py": (
        "checked_barcodes",
        "barcodes",
        "specimens",
        "curated_taxonomy",
        "doubts",
        *EXPECTATIONS,
        "partitions",
        "release_metadata",
        "image_packages",
        "statistics",
        "quality_report",  # it words the expectations
        "desk_pages",
    ),
    "barcodes/neighbours.py": ("specimens",),
    # Places of barcodes. The partitions compare letters on the frame, and place those of an earlier release.
    "barcodes/columns.py": (
        *("checked_barcodes", "specimens", "placed_barcodes", "barcodes", "audit", "partitions", "distances"),
        "statistics",
    ),
    "barcodes/profile.py": ("placed_barcodes", "barcodes", "partitions"),
    "barcodes/coi_profile.*": ("placed_barcodes", "barcodes", "partitions"),
    "barcodes/placement.py": ("placed_barcodes", "barcodes", "partitions"),
    "barcodes/codon_weights.py": ("placed_barcodes", "barcodes", "partitions"),
    "barcodes/straight.py": ("placed_barcodes", "barcodes", "partitions"),
    "barcodes/gaps.py": ("placed_barcodes", "barcodes", "partitions"),
    "barcodes/framed.py": ("specimens", "barcodes", "audit", "partitions", "distances", "statistics"),
    # Specimens flag barcodes that are the same over shared columns under two species.
    "barcodes/same.py": ("specimens", "barcodes", "partitions"),
    "barcodes/distinct.py": ("barcodes", "partitions"),
    # Letters and identity of a barcode; the expectations on the curated table hold it against them.
    "barcodes/sequences.py": ("checked_barcodes", "specimens"),
    "barcodes/rules.py": PRINTED,
    # ---- places
    "geography/check.py": ("checked_geography",),
    "geography/dates.py": ("raw_records", "checked_geography"),  # typed dates, and those that BOLD minted
    "geography/province_letters.csv": ("checked_geography", "specimens"),
    # The log of changes asks which spellings are known, and a curator may write a country in any of them.
    **{
        f"geography/{name}.csv": (*LINES, "checked_geography", "specimens", "desk_pages")
        for name in ("ambiguous_names", "country_codes", "country_names", "country_spellings", "not_countries")
    },
    "geography/equivalences.csv": ("checked_geography",),
    "geography/claims.csv": ("checked_geography",),
    "geography/islets.csv": ("checked_geography",),
    "geography/borders.parquet": ("checked_geography", "figures", "desk_pages"),
    "geography/borders.py": ("checked_geography",),
    # Specimens log what was changed.
    "geography/coordinates.py": ("checked_geography", "specimens"),
    "geography/countries.py": (*LINES, "checked_geography", "specimens", "desk_pages"),
    "geography/spelling.py": (*LINES, "checked_geography", "specimens", "desk_pages"),
    "geography/changes.py": ("specimens",),
    "geography/provinces.py": ("specimens",),
    "geography/atlas.py": ("checked_geography", "figures", "desk_pages"),  # the map of sites draws the land
    "geography/shapes.py": ("checked_geography",),
    "geography/witnesses.py": ("checked_geography",),
    "geography/rules.py": PRINTED,
    # ---- names and labels
    "taxonomy/*.py": ("curated_taxonomy",),
    "taxonomy/names.py": ("normalised_names", "curated_taxonomy"),  # the change log says what normalising did
    "taxonomy/nametext.py": (*LINES, "normalised_names", "curated_taxonomy", "desk_pages"),
    "taxonomy/authorship.py": (*LINES, "normalised_names", "curated_taxonomy", "desk_pages"),
    "taxonomy/*.txt": (*LINES, "normalised_names", "curated_taxonomy", "desk_pages"),
    "taxonomy/curator_names.py": (*LINES, "desk_pages"),  # labels that a curator may write
    "taxonomy/nametypes.py": (
        *LINES,
        "normalised_names",
        "curated_taxonomy",
        "partitions",
        "statistics",
        "desk_pages",
    ),  # which names are of a species
    # Ids are written into the change log, and the blocking ones are checks of the curated table.
    "taxonomy/rules.py": ("curated_taxonomy", *EXPECTATIONS, *PRINTED),
    # ---- images
    "images/index.py": ("specimen_images",),
    # Reading of folders, zips and S3. Packages copy originals from there, and with them comes all of `release.parts`.
    "images/sources.py": (
        "specimen_images",
        *CROPPED,
        "contact_sheet",
        "release_metadata",
        "image_packages",
        "desk_pages",
    ),
    "images/decode.py": (*CROPPED, "contact_sheet", "figures", "desk_pages"),
    "images/quality.py": CROPPED,
    "images/duplicates.py": ("specimens",),
    "images/brightness.py": ("specimens",),
    "images/manifest_file.py": ("specimen_images",),
    "images/memory.py": CROPPED,
    "images/vouched.py": (*CROPPED, "figures", "desk_pages"),
    "images/jpeg.py": (*CROPPED, "contact_sheet", "figures", "desk_pages"),
    "images/png.py": (*CROPPED, "contact_sheet", "figures", "desk_pages"),
    "images/samples.py": (*CROPPED, "contact_sheet", "figures", "desk_pages"),
    "images/bands.py": ("specimens", "partitions"),  # of near-duplicate hashes; partitions report them
    "images/contact_sheet.py": ("contact_sheet",),
    "images/crop.py": (*CROPPED, "contact_sheet", "figures", "desk_pages"),
    "images/measure.py": (*CROPPED, "contact_sheet", "figures", "desk_pages"),
    "images/resize.py": (*CROPPED, "contact_sheet", "figures", "desk_pages"),
    "images/crops.py": CROPPED,
    "images/detect.py": (*CROPPED, "figures", "desk_pages"),
    "images/networks.py": (*CROPPED, "figures", "desk_pages"),
    "images/one_image.py": CROPPED,
    "images/one_stage.py": (*CROPPED, "figures", "desk_pages"),
    "images/segmentation.py": (*CROPPED, "figures", "desk_pages"),
    "images/stage.py": CROPPED,
    "images/trained.py": (*CROPPED, "figures", "desk_pages"),
    "images/refined.py": (*CROPPED, "figures", "desk_pages"),
    "images/calibration.py": (*CROPPED, "figures", "desk_pages"),
    "images/contrast.py": (*CROPPED, "figures", "desk_pages"),
    "images/window.py": (*CROPPED, "figures", "desk_pages"),
    "images/segmentation.json": (*CROPPED, "figures", "desk_pages"),
    "images/models/*.json": (*CROPPED, "figures", "desk_pages"),
    "images/models/*.onnx": (*CROPPED, "figures", "desk_pages"),
    "images/rules.py": PRINTED,
    # ---- partitions
    "splits/*.py": ("partitions",),
    "splits/novel.py": ("partitions", "statistics"),
    "splits/rules.py": (*EXPECTATIONS, "partitions", *PRINTED),  # ids are checks, and reasons of moves
    # ---- found in several packages
    "barcodes/numbering.py": ("checked_barcodes", "specimens", "curated_taxonomy", "barcodes", "partitions"),
    "images/detection.py": (*CROPPED, "figures", "desk_pages"),
    "quality/parquet_views.py": EXPECTATIONS,
    # The report reads the results in the form that the stages give them, and words those of batches.
    "quality/results.py": (*EXPECTATIONS, "quality_report", "desk_pages"),
    "quality/history.py": ("quality_report", "desk_pages"),
    "quality/history_tables.py": ("quality_report",),
    "stages/lists.py": ("decisions", "proposals"),
    "stages/expectations.py": EXPECTATIONS,
    "statistics/titles.py": ("figures", "quality_report"),
    # ---- quality
    "quality/ledger.py": ("specimens", "quality_report"),
    "quality/report.py": ("quality_report",),
    "quality/doubts_history.py": ("quality_report",),
    "quality/doubts_listed.py": ("quality_report",),
    "quality/report.html.jinja": ("quality_report",),
    "quality/duckdb_dialect.py": EXPECTATIONS,
    "quality/counted.py": EXPECTATIONS,
    "quality/expectations.py": (*EXPECTATIONS, "quality_report"),
    "quality/validate.py": EXPECTATIONS,
    "quality/failing.py": EXPECTATIONS,
    "quality/rules.py": (*EXPECTATIONS, *PRINTED),
    "quality/spreadsheet.py": (
        *EXPECTATIONS,
        "quality_report",
        "release_manifest",
        "desk_pages",  # reads what an earlier release lists
        "audit",  # cells that a spreadsheet would run
        "distances",
        "statistics",
    ),
    "statistics/tables.py": ("statistics",),
    "statistics/categories.py": ("statistics", "figures"),
    "statistics/leakage_curve.py": ("statistics",),
    "barcodes/nearest.py": ("statistics",),
    "barcodes/within.py": ("partitions",),
    "barcodes/variable.py": ("partitions", "statistics"),
    "barcodes/outside.py": ("audit",),
    "statistics/change.py": ("quality_report",),
    "statistics/counted.py": ("statistics",),
    "statistics/published.*": ("statistics",),
    "statistics/shift.py": ("statistics",),
    "statistics/files.py": ("audit", "distances", "statistics"),
    "statistics/definitions.py": ("audit", "distances", "statistics", "figures", "release_manifest"),
    "statistics/distances.py": ("distances",),
    "statistics/audit.py": ("audit",),
    "statistics/cases.py": ("audit",),
    "statistics/rules.py": PRINTED,
    "statistics/completeness.py": ("statistics",),
    "statistics/described.py": NONE,  # of a release or table that lies there
    "statistics/published_distances.py": NONE,  # the same
    "barcodes/published.py": NONE,
    "statistics/drawn.py": ("figures",),
    "statistics/gallery.*": ("figures",),
    "statistics/land.parquet": ("figures",),
    **{
        f"statistics/{name}.py": ("figures",)
        for name in ("canvas", "explored", "looks", "pictures", "rendered", "world")
    },
    "statistics/figures_*.py": ("figures",),
    "barcodes/apart.py": ("audit", "distances", "statistics"),
    "barcodes/clusters.py": ("audit", "distances", "statistics"),
    "barcodes/counted.py": ("audit", "distances", "statistics"),
    "barcodes/distances.py": ("audit", "distances", "statistics"),
    "statistics/figures.py": ("figures",),  # the report knows the titles of the figures
    # ---- the release
    # Versions and their manifests: `partitions` looks for the last release, whose assignments it keeps.
    "release/manifest.py": ("partitions", *RELEASED, "quality_report", "release_mirror", "desk_pages"),
    "release/staging.py": (
        *OF_PARTS,
        "release_metadata",
        "image_packages",
        "release_expectations",
        "statistics",
        "figures",
        "release_manifest",
        "release_mirror",
        "desk_pages",
    ),
    "release/parts.py": ("release_metadata", "image_packages"),
    "release/images.py": ("release_metadata", "image_packages"),
    "release/stream.py": ("release_metadata", "image_packages"),
    "release/metadata.py": ("release_metadata", "image_packages"),
    "release/digests.py": ("release_metadata", "image_packages", "figures"),
    "release/tables.py": (
        "release_metadata",
        "image_packages",
        "barcodebert_tables",  # through the labels, which it reads
        "image_tables",
        "partitioned_metadata",
        "split_manifests",
        "release_manifest",
    ),
    "release/ship/version.py": ("release_manifest",),
    "release/readme.py": ("release_manifest",),
    "release/card.md.j2": ("release_manifest",),
    "release/diff/changelog.py": ("release_manifest",),
    "release/diff/compare.py": ("release_manifest",),
    "release/diff/decided.py": ("release_manifest",),
    "release/descriptors.py": ("release_manifest",),
    "release/core.py": ("release_metadata", "image_packages", "release_manifest", "desk_pages"),
    # With the metadata come the labels, and with those the packages, as with all of `release.parts`.
    "release/labels.py": ("release_metadata", "image_packages", "barcodebert_tables", "release_manifest"),
    # The check of a form counts as part of its module.
    "release/forms/_barcodebert_check.py": ("barcodebert_tables", "release_manifest"),
    "release/forms/_barcodebert_files.py": ("barcodebert_tables", "release_manifest"),
    "release/forms/_packed.py": ("image_hdf5", "release_manifest"),
    "release/forms/_prov.py": ("release_manifest",),
    "release/forms/_rai.py": ("release_manifest",),
    "release/forms/bbox.py": ("release_metadata", "image_packages", "release_manifest"),
    "release/hdf5_files.py": ("image_hdf5", "clibd_hdf5", "release_manifest"),
    "release/layout.py": (*RELEASED, "quality_report", "desk_pages"),
    "release/rows.py": RELEASED,
    "release/described.py": ("image_archives", "release_manifest"),  # the manifest goes through the forms
    "release/scan.py": ("release_manifest", "desk_pages"),
    "release/versions.py": (
        *OF_PARTS,
        "partitions",
        "release_metadata",
        "image_packages",
        "release_expectations",
        "statistics",
        "figures",
        "quality_report",
        "release_manifest",
        "release_mirror",
        "desk_pages",
    ),
    # A form is built by its stage; the release's manifest describes all forms in the card and the descriptors.
    **{
        f"release/forms/{form.name}.py": (form.stage, "release_manifest")
        for form in forms().values()
        if form.build is not None
    },
    "release/forms/croissant.py": ("release_manifest",),
    "release/forms/datapackage.py": ("release_manifest",),
    "release/rules.py": PRINTED,
    "release/ship/mirror.py": ("release_mirror",),
}

# What of the graph must never be made anew for a change of how things are shown, sent or asked for.
COSTLY = {*BATCH_STAGES, "specimens", "curated_taxonomy", "partitions"}
SHOWN = (
    *("quality/report.py", "quality/report.html.jinja", "statistics/figures.py", "statistics/tables.py"),
    *("reference.py", "stages/quality_report.py", "stages/figures.py", "stages/statistics.py"),
    *("demo/*", "cli/*", "ui/*", "definitions/*", "automation.py", "explain.py", "resources.py"),
    *(
        "release/ship/mirror.py",
        "stages/release_mirror.py",
        "release/check/*.py",
        "release/readme.py",
        "release/card.md.j2",
    ),
    *("release/diff/changelog.py", "release/forms/croissant.py", "release/forms/datapackage.py", "bold/*"),
)

# Tables and constants of the schema, and the stages that a change of theirs makes stale.
SCHEMA: dict[str, tuple[str, ...]] = {
    "PLACEMENTS": ("specimens", "placed_barcodes", "batch_expectations", "barcodes", "partitions"),
    "BARCODES": ("barcodes", "partitions"),
    "BARCODE_IDS": ("barcodes", "partitions"),
    "RECORDS": ("raw_records", "batch_expectations", "specimens"),
    "REJECTS": ("raw_records", "batch_expectations", "specimens", *CORE, "desk_pages"),
    "SET_ASIDE": ("raw_records", "batch_expectations", "specimens", *CORE, "desk_pages"),
    "IMAGE_INDEX": ("specimen_images", "batch_expectations"),
    "BOXES": (*CROPPED, "batch_expectations", "specimens"),
    "CROPS": CROPPED,
    "CHECKED_BARCODES": ("checked_barcodes", "batch_expectations", "specimens"),
    "CHECKED_GEOGRAPHY": ("checked_geography", "batch_expectations", "specimens"),
    "NORMALISED_NAMES": ("normalised_names", "batch_expectations", *TABLES),
    "SPECIMENS": ("specimens", "specimen_expectations"),
    "CURATED": ("curated_taxonomy", "curated_expectations"),
    "CHANGES": ("curated_taxonomy", *CORE, "desk_pages"),
    "QUARANTINE": ("specimens", "specimen_expectations", *CORE, "desk_pages"),
    "PARTITIONS": ("partitions",),
    "PARTITION_MEMORY": ("partitions",),
    "PARTITION_MOVES": ("partitions", "release_manifest", "desk_pages"),
    "METADATA": (*CORE, "metadata_jsonld", "image_hdf5", "image_archives", "desk_pages"),
    "METADATA_EXTENDED": (
        *CORE,
        "release_expectations",
        "image_tables",
        "partitioned_metadata",
        "statistics",
    ),
    "DECISIONS": (*LINES, *TABLES, "desk_pages"),  # a report is judged as the decision that it suggests
    "DECISION_EFFECTS": ("drawn_boxes", *TABLES, "release_metadata", "quality_report", "desk_pages"),
    "DECISION_LOG": (*CORE, "quality_report", "desk_pages"),
    "DOUBTS": ("doubts", "desk_pages"),
    "VERIFICATION": ("doubts", "release_metadata", "image_packages"),
    "PROPOSALS": ("proposals", "desk_pages"),
    "EVALUATION": NONE,
    "EVALUATION_DOUBTS": NONE,
    "EVALUATION_UNREAD": NONE,
    "BBOX": (*CORE, "figures"),  # boxes are drawn
    "RELEASE_DIFF": ("release_manifest",),
    "LABELS": (*CORE, "barcodebert_tables"),
    "LABEL_HIERARCHY": (*CORE, "barcodebert_tables"),
}


def line_of(name: str) -> str | None:
    """The line of the table that a file belongs to: its own, else that of the longest pattern."""
    if name in TABLE:
        return name
    found = [pattern for pattern in TABLE if "*" in pattern and fnmatch(name, pattern)]
    return max(found, key=len, default=None)


class Copy:
    """A copy of the package. What has been found is kept by root, so each change gets a root of its own: the folder is
    renamed, which is cheaper than another copy."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._versions = 0
        self.root = folder / "0"
        shutil.copytree(PACKAGE, self.root / "bioscan_etl", ignore=shutil.ignore_patterns("__pycache__", ".*"))
        self.files = sorted(
            path.relative_to(self.root / "bioscan_etl").as_posix()
            for path in (self.root / "bioscan_etl").rglob("*")
            if path.is_file()
        )
        self.before = self._codes()

    def _codes(self) -> dict[str, object]:
        return {name: code_of(name, root=self.root).as_dict() for name in STAGES}

    def read(self, name: str) -> bytes:
        return (self.root / "bioscan_etl" / name).read_bytes()

    def stale(self, changes: dict[str, bytes]) -> set[str]:
        """Stages whose code differs with other content of some files; the files are as they were afterwards."""
        kept = {name: self.read(name) for name in changes}
        self._write(changes)
        try:
            now = self._codes()
        finally:
            self._write(kept)
        return {name for name in STAGES if now[name] != self.before[name]}

    def _write(self, changes: dict[str, bytes]) -> None:
        for name, content in changes.items():
            (self.root / "bioscan_etl" / name).write_bytes(content)
        self._versions += 1
        self.root = self.root.rename(self._folder / str(self._versions))

    def changed(self, name: str) -> bytes:
        """A file with other logic, or of other bytes."""
        return self.read(name) + (b"\n\nCHANGED = 1\n" if name.endswith(".py") else b"\n")

    def replaced(self, name: str, old: str, new: str) -> dict[str, bytes]:
        text = self.read(name).decode()
        assert text.count(old) >= 1, f"{name} holds no {old!r}"
        return {name: text.replace(old, new, 1).encode()}


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return Copy(tmp_path_factory.mktemp("package"))


def test_every_file_is_in_the_table(package):
    unknown = [name for name in package.files if line_of(name) is None]
    assert not unknown, f"decide which stages a change of {', '.join(unknown)} makes stale, and add a line to TABLE"


def test_every_line_of_the_table_has_a_file(package):
    used = {line_of(name) for name in package.files}
    assert not [line for line in TABLE if line not in used], "lines of TABLE without a file; take them out"


def test_a_change_makes_those_stages_stale_that_the_table_says(package):
    """Files of one line's stages are changed together: none makes another stage stale if all of them do not."""
    groups: dict[frozenset[str], list[str]] = {}
    for name in package.files:
        if line := line_of(name):
            groups.setdefault(frozenset(TABLE[line]), []).append(name)
    wrong = {}
    for expected, names in groups.items():
        found = package.stale({name: package.changed(name) for name in names})
        if found != expected:
            alone = {name: package.stale({name: package.changed(name)}) for name in names}  # slow, but names the file
            wrong |= {name: sorted(hit - expected) for name, hit in alone.items() if hit - expected}
            wrong |= {f"lines for {', '.join(sorted(expected - found))}": names} if expected - found else {}
    assert not wrong, (
        "a change of these makes stages stale of which TABLE does not know, or the reverse; is that what is wanted? "
        "Then change the line, else the import"
    )


def test_each_file_is_part_of_the_stages_that_the_table_says(package):
    wrong = {}
    for name in package.files:
        line = line_of(name)
        module = "bioscan_etl." + name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        users = {
            stage.name
            for stage in STAGES.values()
            if module in closure(stage.module, root=package.root, prose=stage.prose).modules
            or name in code_of(stage.name, root=package.root).data
        }
        if line and users != set(TABLE[line]):
            wrong[name] = {"too": sorted(users - set(TABLE[line])), "not": sorted(set(TABLE[line]) - users)}
    assert not wrong


def test_what_shows_sends_or_asks_makes_no_image_record_or_table_stale(package):
    """Apart from the table: whoever changes its lines cannot lose this by the way."""
    names = [name for name in package.files if any(fnmatch(name, pattern) for pattern in SHOWN)]
    assert len(names) > 60
    assert not package.stale({name: package.changed(name) for name in names}) & COSTLY
    assert not {name: hit for name in names if (line := line_of(name)) and (hit := {*TABLE[line]} & COSTLY)}, (
        "the table itself says otherwise"
    )


def test_assets_and_sensors_are_no_code_of_a_stage():
    for stage in STAGES.values():
        found = closure(stage.module, prose=stage.prose)
        assert not found.libraries & {"assets", "sensors", "dagster", "detector", "benchmarks", "tools", "tests"}


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("specimens/assemble.py", "import polars as pl\n", "import polars as pl  # expressions over columns\n\n\n"),
        ("images/stage.py", '"""', '"""Read once. '),
        ("records/extract.py", '"""', '"""Read once. '),
        ("settings.py", "bp; flag shorter barcodes", "in base pairs; flag shorter barcodes"),
        ("settings.py", "JPEG quality of written images", "quality of the JPEGs"),
        ("stages/registry.py", "One row per specimen of the batch", "One row for each specimen of the batch"),
    ],
)
def test_words_make_nothing_stale(package, name, old, new):
    assert package.stale(package.replaced(name, old, new)) == set()


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("schema.py", "mean grey of the crop", "average grey of the crop"),
        ("barcodes/rules.py", "A fragment separates species less well", "A fragment says less"),
    ],
)
def test_words_of_columns_and_rules_make_only_those_stale_that_print_them(package, name, old, new):
    printing = {stage.name for stage in STAGES.values() if stage.prose}
    assert package.stale(package.replaced(name, old, new)) <= printing


def test_every_table_of_the_schema_is_in_the_list():
    used: dict[str, set[str]] = {}
    for stage in STAGES.values():
        for value in closure(stage.module, prose=stage.prose).values:
            used.setdefault(value.removeprefix("schema."), set()).add(stage.name)
    from bioscan_etl import schema

    tables = {name for name, value in vars(schema).items() if isinstance(value, schema.Table)}
    assert tables == set(SCHEMA), "decide which stages a change of a table makes stale, and add a line to SCHEMA"
    assert {name: used.get(name, set()) for name in SCHEMA} == {name: set(stages) for name, stages in SCHEMA.items()}


@pytest.mark.parametrize(
    ("tables", "old", "new"),
    [
        (("IMAGE_INDEX",), '"path within the source", nullable=False),\n        Column("status"', None),
        # Measures go into the rows of specimens and of the curated table as they are.
        (("BOXES", "SPECIMENS", "CURATED"), 'Column("blur", pl.Float64()', 'Column("blur", pl.Float32()'),
    ],
)
def test_a_column_makes_only_those_stale_that_use_its_tables(package, tables, old, new):
    new = old.replace(", nullable=False", "") if new is None else new
    # The report words the expectations of all tables.
    expected = {stage for table in tables for stage in SCHEMA[table]} | {"quality_report"}
    assert package.stale(package.replaced("schema.py", old, new)) == expected
