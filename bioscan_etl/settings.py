"""Every threshold and choice, in one validated model.

A setting has a name, a default, a unit and a source, and is defined only here. A corpus overrides some of them in its
`OUTPUT/settings.toml`, whose tables are the sections below; `run --settings FILE` installs FILE there.
"""

from __future__ import annotations

import codecs
import difflib
import hashlib
import json
import tomllib
from collections.abc import Collection, Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator

from bioscan_etl.errors import SettingsError
from bioscan_etl.printable import printable
from bioscan_etl.setting_types import (
    MOST_BASES,
    Bases,
    Byte,
    Cron,
    Database,
    Days,
    GeneticCode,
    Kilometres,
    Line,
    MailAddress,
    Minutes,
    OptionalAddress,
    Rows,
    Seconds,
    Section,
    Share,
    Text,
    WebAddress,
    require_order,
)
from bioscan_etl.vocabulary import MADE_PACKAGES, ImagePackage, Rank


def _require_form(name: str) -> str:
    named: str = _output_forms().require_name(name)
    return named


def _output_forms() -> Any:
    """The registry of the output forms: plug-ins, found by name, that all read the settings themselves."""
    return import_module("bioscan_etl.release.forms.registry")


FormName = Annotated[str, AfterValidator(_require_form)]
"""Name of an output form, which is a module of `bioscan_etl.release.forms`."""
BoxStatus = Literal["detected", "low_confidence", "empty", "multiple", "unreadable"]
"""Statuses of an image, those of `bioscan_etl.schema.BOX_STATUSES`."""
Side = Annotated[int, Field(ge=1, le=10_000)]
_WIDEST = 10
_SHOWN = 60  # characters of a refused value
_MOST_BYTES = 1 << 20  # of a settings file; one with every setting has 6 KB


class RecordSettings(Section):
    """How BOLD records are read."""

    marker: Text = Field("COI-5P", description="marker code of the barcode gene (BCDM marker_code)")
    null_markers: tuple[Line, ...] = Field(
        ("None", "", "[NULL]"), description="texts read as missing, compared after trimming whitespace"
    )
    encoding: Line = Field(
        "auto",
        description="encoding of text files; `auto`: UTF-8, UTF-16 where its marks show it, or Windows-1252 (which "
        "contains ISO 8859-1) where every letter shows it; or the name of a Python codec, such as `mac_roman`",
    )
    chunk_bytes: int = Field(8 << 20, ge=1 << 16, le=1 << 30, description="bytes of a source read at a time")

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, name: str) -> str:
        if name != "auto":
            try:
                # LookupError also for codecs that are no encodings of text, such as base64.
                known = "processid\tA-1\n".encode(name).decode(name) == "processid\tA-1\n"
                codecs.getincrementaldecoder(name)
            except (LookupError, ValueError):
                known = False
            if not known:
                raise ValueError("no encoding of this name; use auto, utf-8, cp1252, mac_roman or another")
        return name


class BarcodeSettings(Section):
    """Thresholds of the barcode checks (spec: DNA barcodes)."""

    min_length: Bases = Field(500, description="bp; flag shorter barcodes")
    max_length: Bases = Field(660, description="bp (658 + 2); flag longer barcodes")
    max_ambiguous_share: Share = Field(0.01, description="flag a larger share of letters other than A, C, G, T")
    genetic_code: GeneticCode = Field(5, description="NCBI code used if the lineage implies no other")
    min_homopolymer: int = Field(
        20, ge=2, le=MOST_BASES, description="bp; flag a run of one base of at least this length"
    )
    max_low_complexity_share: Share = Field(0.5, description="flag a larger share of one trinucleotide")
    min_shared_columns: int = Field(
        300,
        ge=1,
        le=658,
        description="columns of the frame in which two barcodes must both have a base before they can be the same",
    )
    neighbour_kmer: int = Field(24, ge=16, le=32, description="k-mer length used to find similar barcodes")
    neighbour_similarity: Share = Field(0.95, description="share of equal bases from which a barcode is a neighbour")
    neighbours: int = Field(10, ge=1, le=12, description="number of nearest neighbours that vote on a barcode's order")
    neighbour_votes: int = Field(
        2,
        ge=1,
        le=12,
        description="flag a barcode if at least this many of its nearest neighbours belong to one other order",
    )
    neighbour_share: Annotated[float, Field(gt=0.5, le=1)] = Field(
        0.8, description="flag a barcode only if that order makes up at least this share of its nearest neighbours"
    )

    @model_validator(mode="after")
    def _passable(self) -> BarcodeSettings:
        require_order(self.min_length, self.max_length, ("min_length", "max_length"))
        require_order(self.neighbour_votes, self.neighbours, ("neighbour_votes", "neighbours"))
        return self


def _require_country(code: str) -> str:
    known = import_module("bioscan_etl.geography.countries").countries()["country_iso"]
    if code not in known:
        raise ValueError(f"{code!r} is no ISO 3166-1 alpha-2 code; write two capital letters, such as MH")
    return code


Islet = tuple[
    Annotated[str, AfterValidator(_require_country)],
    Annotated[float, Field(ge=-90, le=90)],
    Annotated[float, Field(ge=-180, le=180)],
    Annotated[float, Field(gt=0, le=200)],
]
"""An islet of a curator: ISO 3166-1 alpha-2 code, latitude and longitude (degrees), radius (km)."""


class GeographySettings(Section):
    """Thresholds of the place and date checks (spec: geography)."""

    border_tolerance_km: Kilometres = Field(25.0, description="km that a point may be outside its country")
    sea_tolerance_km: Kilometres = Field(
        100.0, description="km that a point at sea may be from its country's coast (waters, unmapped islets)"
    )
    islets: tuple[Islet, ...] = Field(
        (),
        description="land that the map lacks, in addition to the shipped list: country code, latitude and longitude of "
        "the centre in degrees, radius in km",
    )
    centroid_tolerance_km: Kilometres = Field(
        2.0, description="km from a country's centre within which a point is its centroid"
    )
    apply_coordinate_fixes: bool = Field(
        False, description="apply proposed coordinate fixes (swapped, negated) instead of only flagging"
    )
    rounded_decimals: int = Field(
        1, ge=0, le=6, description="flag coordinates if neither number has more decimals than this"
    )
    earliest_year: int = Field(1700, ge=1, le=2100, description="flag collection dates before this year")


class TaxonomySettings(Section):
    """How conflicting and missing labels are resolved (spec: taxonomy)."""

    majority_share: Annotated[float, Field(gt=0.5, le=1)] = Field(
        0.9, description="share of a barcode's labelled records that a label needs to win a conflict"
    )
    minimum_support: Rows = Field(2, description="records that a winning label needs")
    infer_from_barcode: bool = Field(True, description="fill missing labels from records of the same barcode")
    resolve_in_bin: bool = Field(
        False, description="resolve conflicts above species within a BIN like those within a barcode, not only flag"
    )
    infer_from_bin: bool = Field(False, description="fill missing labels from records of the same BIN")
    typo_fix: bool = Field(True, description="correct rare spellings if barcodes or BINs prove that they are typos")
    typo_rarity: Share = Field(0.1, description="most records of a likely typo, as a share of the common name's")
    typo_min_length: int = Field(
        5, ge=3, le=100, description="shortest name or epithet that is checked for typos, in letters"
    )


class ImageSettings(Section):
    """Detector, crop and packages (spec: specimen images)."""

    detector: Text = Field(
        "trained",
        description="trained, segmentation, the path of an .onnx or .pt model, or the folder of a trained model",
    )
    allow_pickle: bool = Field(
        False,
        description="open a detector that is a .pt file, which can run any code on this computer; no effect on results",
    )
    crop_margin: float = Field(
        0.4, ge=0, le=10, description="total added to each box dimension, as a share of its longer side"
    )
    crop_aspect: tuple[Side, Side] = Field(
        (4, 3), description="aspect ratio that the crop is extended to, width:height; at most 10:1 either way"
    )
    crop_fill: tuple[Byte, Byte, Byte] = Field(
        (204, 218, 243), description="RGB fill of crop pixels outside the original image"
    )
    short_side: int = Field(256, ge=16, le=16_384, description="px; shorter side of images in the *_256 packages")
    jpeg_quality: int = Field(75, ge=1, le=100, description="JPEG quality of written images, 4:2:0")
    max_pixels: int = Field(200_000_000, ge=1, le=1 << 30, description="pixels; larger images count as unreadable")
    significant_bits: Annotated[int, Field(ge=8, le=16)] | Literal["auto"] = Field(
        "auto",
        description="significant bits of 16-bit samples in images that use fewer than 15; auto: as the file states, "
        "and images that state nothing are held",
    )
    decode_memory_mb: int = Field(
        1024,
        ge=16,
        le=1 << 20,
        description="MiB that the images in work may take, over all threads; a larger image is decoded alone; no "
        "effect on results",
    )
    empty_confidence: Share | Literal["auto"] = Field(
        "auto", description="presence score below which an image is empty; auto: the detector's own threshold"
    )
    min_confidence: Share | Literal["auto"] = Field(
        "auto", description="confidence below which a box is low_confidence; auto: the detector's own threshold"
    )
    min_blur: float = Field(
        15.0, ge=0, le=1_000_000, description="variance of the crop's Laplacian; flag BLURRED below it"
    )
    exposure_range: tuple[Byte, Byte] = Field((60, 250), description="mean grey of the crop; flag values outside it")
    max_brightness_stops: float = Field(
        2.5,
        gt=0,
        le=8,
        description="factors of two that the crop's mean grey, or its distance from white, may be below the batch's "
        "median; flag BRIGHTNESS_OUTLIER beyond",
    )
    fragment_fraction: Share = Field(0.002, description="area fraction; flag smaller boxes as FRAGMENT")
    near_duplicate_bits: int = Field(4, ge=0, le=16, description="bits in which hashes of near duplicates may differ")
    workers: int = Field(
        0,
        ge=0,
        le=1_024,
        description="threads that decode, detect and encode; 0: one more than cores; no effect on results",
    )
    shard_images: int = Field(
        1000, ge=1, le=1_000_000, description="images per shard; a killed stage resumes after the last shard"
    )

    @model_validator(mode="after")
    def _passable(self) -> ImageSettings:
        require_order(*self.exposure_range, ("the first value of exposure_range", "the second"))
        across, down = self.crop_aspect
        if not 1 / _WIDEST <= across / down <= _WIDEST:
            raise ValueError(f"crop_aspect {across}:{down} is wider or higher than {_WIDEST}:1; write one within it")
        return self

    @property
    def bits(self) -> int | None:
        """`significant_bits`; None for auto."""
        return None if self.significant_bits == "auto" else self.significant_bits


class GateSettings(Section):
    """What quarantines a specimen."""

    require_image: bool = Field(True, description="quarantine specimens without an image")
    image_statuses: tuple[BoxStatus, ...] = Field(
        ("detected",),
        min_length=1,
        description="image statuses released automatically; all others are quarantined for review",
    )
    min_unambiguous_run: Bases = Field(200, description="bp; quarantine barcodes without a run of A, C, G, T this long")
    require_bin: bool = Field(False, description="quarantine specimens without a BIN")
    image_flags: tuple[Line, ...] = Field(
        ("BRIGHTNESS_OUTLIER", "NO_ORGANISM_PIXELS"),
        description="image flags that quarantine a specimen for review; empty: none",
    )
    scope: dict[Rank, tuple[Line, ...]] = Field(
        {"phylum": ("Arthropoda",)},
        description="names of the taxa that the dataset is about, by rank; quarantine specimens labelled otherwise; "
        "empty: release all",
    )

    @model_validator(mode="after")
    def _names_exist(self) -> GateSettings:
        known = {rule.id for rule in import_module("bioscan_etl.images.rules").RULES}
        unknown = sorted(set(self.image_flags) - known)
        if unknown:
            raise ValueError(f"image_flags names {unknown}; there are {', '.join(sorted(known))}")
        empty = [rank for rank, names in self.scope.items() if not names or not all(name.strip() for name in names)]
        if empty:
            raise ValueError(f"scope.{empty[0]} names no taxon; name one, or leave the rank out")
        return self


class SplitSettings(Section):
    """Partitioning (spec: partitioning)."""

    protocol: Literal["bioscan-5m", "stable"] = Field(
        "bioscan-5m",
        description="partitioning protocol; `stable` keeps earlier assignments unless a record's own label or barcode "
        "changes, or those of a record it must stay with",
    )
    seed: Annotated[int, Field(ge=0, lt=1 << 63)] = Field(
        0, description="random seed of `stable`, which picks among a species' barcodes; bioscan-5m has a fixed one"
    )
    keep_bins_together: bool = Field(
        False,
        description="keep all records of a BIN, not only of a barcode, in one partition (`stable` only); set it before "
        "the first release",
    )
    keep_overlaps_together: bool = Field(
        default_factory=lambda given: given.get("protocol") == "stable",
        description="keep barcodes that are the same over shared columns in one partition, so that no evaluated "
        "barcode was trained on; `true` for `stable` unless it is set, `bioscan-5m` cannot; set it before the first "
        "release",
    )

    @model_validator(mode="after")
    def _published_is_as_published(self) -> SplitSettings:
        if self.keep_bins_together and self.protocol == "bioscan-5m":
            raise ValueError("keep_bins_together needs protocol stable: bioscan-5m splits BINs")
        if self.keep_overlaps_together and self.protocol == "bioscan-5m":
            raise ValueError("keep_overlaps_together needs protocol stable: bioscan-5m splits barcodes that overlap")
        return self


_FORMS = ("jsonld", "data_images", "partitioned", "splits", "bbox", "croissant", "datapackage")


class StatisticsSettings(Section):
    """Which barcodes are compared for the statistics of a release (spec: statistics and figures)."""

    min_group_barcodes: int = Field(
        4, ge=2, le=1000, description="leave groups with fewer distinct barcodes out of the distances"
    )
    max_group_barcodes: int = Field(
        1000,
        ge=4,
        le=100_000,
        description="compare at most this many barcodes of a group, chosen by a hash; at species rank, all",
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="other seeds choose other barcodes")


class ReleaseSettings(Section):
    """What a release contains and how it is named (spec: the release)."""

    dataset: Annotated[str, Field(pattern=r"^[a-z0-9_]+$", max_length=100)] = Field(
        "bioscan5m", description="name of the release's data folder"
    )
    title: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$", max_length=100)] = Field(
        "BIOSCAN_5M_Insect", description="first part of the metadata and bbox file names"
    )
    image_packages: tuple[ImagePackage, ...] = Field(MADE_PACKAGES, description="image packages to write as folders")
    forms: tuple[FormName, ...] = Field(
        _FORMS,
        description="output forms to write in addition to the CSV, data/ and the logs; docs/reference/forms.md lists "
        "them all",
    )
    hdf5_packages: tuple[ImagePackage, ...] = Field(
        ("cropped_256",), description="image packages to also write as HDF5 files with one dataset per image"
    )
    packed_packages: tuple[ImagePackage, ...] = Field(
        (), description="image packages to also write as packed HDF5 files: one dataset of all images, and the metadata"
    )
    zip_packages: tuple[ImagePackage, ...] = Field((), description="image packages to also write as zip archives")
    webdataset_packages: tuple[ImagePackage, ...] = Field(
        (), description="image packages to also write as WebDataset tar shards"
    )
    rows_per_group: Rows = Field(100_000, description="rows per Parquet row group")
    rows_per_shard: Rows = Field(1_000_000, description="rows per data/<split> Parquet file")
    content_defined_chunking: bool = Field(
        False,
        description="cut the pages of data/ by content, so that a hub that stores by content, such as Hugging Face, "
        "receives only what changed",
    )
    images_per_group: Rows = Field(1_000, description="rows per row group of data_images/")
    images_per_shard: Rows = Field(50_000, description="rows per data_images/<split> Parquet file")
    images_per_zip: Rows = Field(2_500_000, description="images per zip archive")
    samples_per_tar: Rows = Field(10_000, description="samples per WebDataset shard")
    barcodebert_rows: Literal["distinct", "all"] = Field(
        "distinct",
        description="rows of barcodebert/: `distinct`, the first specimen of each barcode, as published; or `all` "
        "specimens",
    )
    labels_from: Line = Field(
        "",
        description="folder of a release whose class indices the first release of this output folder continues; empty: "
        "they begin anew. Later releases continue the one before",
    )
    publish_to: Annotated[Line, Field(pattern=r"^(s3://[^/\s]+(/\S*)?)?$")] = Field(
        "", description="s3://bucket/prefix that each new release is mirrored to; empty: none"
    )
    signing_key: Line = Field(
        "",
        description="path of a private key of OpenSSH (Ed25519, no passphrase) that signs the manifest of each new "
        "release; empty: releases are not signed",
    )
    copyright_holder: Text = Field(
        "CBG Photography Group, Centre for Biodiversity Genomics",
        description="copyright holder of the images, attribute of HDF5 files",
    )
    image_license: Text = Field("CC BY 3.0", description="licence of the images, as stated by the copyright holder")
    image_institution: Text = Field(
        "Centre for Biodiversity Genomics (email:CBGImaging@gmail.com)",
        description="institution that took the images, attribute of HDF5 files",
    )
    image_photographer: Text = Field("CBG Robotic Imager", description="photographer, attribute of HDF5 files")
    image_year: Text = Field("2021", description="year of the images' copyright, attribute of HDF5 files")
    home_page: WebAddress = Field(
        "https://biodiversitygenomics.net/5M-insects", description="home page of the dataset, for the descriptors"
    )
    citation: Text = Field(
        "Gharaee et al. (2024). BIOSCAN-5M: A Multimodal Dataset for Insect Biodiversity. NeurIPS 37, 36285-36313.",
        description="publication that users of the release should cite, in addition to BOLD",
    )

    @model_validator(mode="after")
    def _made_of_image_packages(self) -> ReleaseSettings:
        for name in type(self).model_fields:
            if name.endswith("_packages") and name != "image_packages":
                missing = sorted(set(getattr(self, name)) - set(self.image_packages))
                if missing:
                    raise ValueError(f"{name} names {missing}, which image_packages does not write")
        # A form of the default is left out of a release without its images; any other was asked for.
        asked = tuple(name for name in self.forms if name not in _FORMS)
        if asked:
            _output_forms().require_askable(asked, self.image_packages)
        return self

    def wants(self, form: str) -> bool:
        """Whether an output form is wanted and its images are written."""
        wanted: bool = _output_forms().forms()[form].is_wanted(self)
        return wanted


class BoldSettings(Section):
    """How `bioscan-etl fetch` requests data from BOLD; no effect on releases (spec: BOLD records, "Getting more")."""

    portal_url: WebAddress = Field("https://portal.boldsystems.org", description="address of the API for records")
    images_url: WebAddress = Field("https://caos.boldsystems.org", description="address of the API for images")
    requests_per_second: float = Field(4.0, gt=0, le=1000, description="rate limit over all downloads together")
    timeout_seconds: Seconds = Field(120.0, gt=0, description="s without data after which a request counts as failed")
    attempts: int = Field(6, ge=1, le=20, description="attempts per request, the first included")
    backoff_seconds: Seconds = Field(1.0, description="s before the second attempt; doubles each time, with jitter")
    max_wait_seconds: Seconds = Field(
        120.0, description="longest pause between attempts, s; stop if the server demands a longer one"
    )
    records_per_query: Rows = Field(1_000_000, description="most records that BOLD returns for one query")
    ids_per_call: int = Field(600, ge=1, le=2000, description="process IDs per request for image addresses")
    parallel_downloads: int = Field(4, ge=1, le=16, description="images downloaded at the same time")
    give_up_after: Rows = Field(20, description="stop after this many failed images in a row: BOLD is down")


class CheckSettings(Section):
    """Thresholds of the checks on a delivered batch; a failed blocking check keeps the batch out of the corpus."""

    max_rejected_share: Share = Field(0.5, description="largest share of rejected rows (blocking)")
    min_barcode_share: Share = Field(0.5, description="smallest share of records with a barcode")
    max_unreadable_share: Share = Field(0.2, description="largest share of unreadable images")
    min_detected_share: Share = Field(0.3, description="smallest share of readable images with a detected specimen")


class DeskSettings(Section):
    """What a run writes of the curators' desk into report/desk of a release; no effect on data."""

    images: int = Field(
        500,
        ge=0,
        le=100_000,
        description="images on the written pages of the desk, about 60 KB each; those of open doubts come first",
    )


class AutomationSettings(Section):
    """What the UI runs and keeps, and when it runs (UTC); no effect on results. Restart the UI to apply changes."""

    inbox: Line = Field("", description="folder or s3://bucket/prefix to watch for deliveries, besides OUTPUT/landing")
    release_when_settled: bool = Field(True, description="make a release once all new batches are ingested")
    settle_minutes: Minutes = Field(5.0, description="minutes to wait after the last new batch before releasing")
    nightly_release: Cron = Field("0 2 * * *", description="cron schedule of the nightly release run; empty: none")
    weekly_check: Cron = Field(
        "", description="cron schedule of a check of the last release with all its images; empty: none"
    )
    monthly_tidy: Cron = Field(
        "", description="cron schedule of the removal of unreferenced outputs, old runs and their logs; empty: none"
    )
    tick_seconds: int = Field(60, ge=5, le=86_400, description="seconds between two scans of the inbox and the batches")
    retry_minutes: Minutes = Field(
        1.0,
        description="minutes before the first retry after a temporary failure; doubles each time",
    )
    retry_at_most: int = Field(
        8, ge=0, le=1_000, description="retries of such a batch; after that, a person must retry it"
    )
    memory_gb: float = Field(
        8.0,
        ge=0,
        le=10_000,
        allow_inf_nan=False,
        description="GB that two stages made at the same time may take together, by an estimate; 0: one stage at a "
        "time; holds for the command line, too",
    )
    database: Database = Field(
        "",
        description="PostgreSQL database of Dagster's runs, such as `postgresql+psycopg2://user@host/name`, without a "
        "password; empty: SQLite files in OUTPUT/.dagster",
    )
    keep_runs_days: Days = Field(
        90, description="days to keep finished runs, their events and logs; the last success of each batch is kept"
    )
    keep_ticks_days: Days = Field(
        90, description="days to keep the ticks of sensors and schedules and their logs; skipped ticks: at most 7"
    )
    log_megabytes: int = Field(
        10, ge=1, le=10_000, description="size in MB at which a log of the UI's processes is rotated"
    )
    log_files: int = Field(3, ge=0, le=100, description="rotated logs to keep of each of the UI's processes")


class AlertSettings(Section):
    """Whom the UI tells of what needs a person; no effect on results. Restart the UI after turning alerts on or off."""

    webhook: OptionalAddress = Field(
        "",
        description="web address that receives alerts as JSON by POST; empty: none. Put a secret address into the "
        "environment variable `BIOSCAN_ALERTS_WEBHOOK` instead",
    )
    mail_to: tuple[MailAddress, ...] = Field((), max_length=50, description="mail addresses that receive alerts")
    mail_from: MailAddress | Literal[""] = Field("", description="sender of the mails; needed with mail_to")
    smtp_host: Line = Field("", description="host name of the mail server; needed with mail_to")
    smtp_port: int = Field(587, ge=1, le=65_535, description="port of the mail server")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        description="encryption of the connection to the mail server: `starttls` (usually port 587), `tls` (465) or "
        "`none` (25); without encryption no password is sent",
    )
    least_predecessors: int = Field(
        5, ge=3, le=1_000, description="batches that a new batch needs for a comparison with its predecessors"
    )
    least_records: Rows = Field(
        100, description="records, images or barcodes that a batch needs to be compared, or to be a predecessor"
    )
    most_deviation: float = Field(
        5.0,
        gt=0,
        le=1_000,
        description="report a value of a batch that is more than this many robust standard deviations from the median "
        "of its predecessors, if it is also more than least_difference away",
    )
    least_difference: Share = Field(
        0.05,
        description="smallest difference from that median that is reported: of a share, of a length as a share of "
        "658 bp, of a brightness as a share of white",
    )
    new_country_share: Share = Field(
        0.05, description="report a country that none of the predecessors has, from this share of a batch's records"
    )
    doubts_older_than_days: int = Field(
        30, ge=0, le=36_500, description="report doubts that are open for more days than this; 0: none"
    )

    @model_validator(mode="after")
    def _mail_can_be_sent(self) -> AlertSettings:
        missing = [name for name in ("mail_from", "smtp_host") if not getattr(self, name).strip()]
        if self.mail_to and missing:
            raise ValueError(f"mail_to needs {' and '.join(missing)}; set them, or leave mail_to out")
        return self


NO_EFFECT = frozenset(
    {
        "images.workers",
        "images.allow_pickle",
        "images.decode_memory_mb",
        "images.shard_images",
        "records.chunk_bytes",
        # The stage that reads this file hashes its content, so the path does not matter.
        "images.detector",
        # Only a first release reads it, and states the name of the folder.
        "release.labels_from",
        "release.publish_to",
        "release.signing_key",
    }
)
"""Settings whose value alone changes no result: they are in no fingerprint."""
_STATED_BY_NAME = frozenset({"images.detector", "release.labels_from"})
"""Settings that are paths, of which a release states the last part."""
_NO_RESULT = ("alerts", "automation", "bold")
"""Sections that change no result."""
_RENAMED = {"barcodes.neighbour_word": "barcodes.neighbour_kmer"}
"""Earlier names of settings."""
_GONE = {
    "taxonomy.overrides": "curators' decisions are now read from the folder decisions/ of the corpus; convert the file "
    "with bioscan-etl decide FILE --output DIR",
}
"""Settings that no longer exist, and what to do instead."""


class Settings(Section):
    """All settings; `Settings()` holds the documented defaults."""

    records: RecordSettings = RecordSettings()
    barcodes: BarcodeSettings = BarcodeSettings()
    geography: GeographySettings = GeographySettings()
    taxonomy: TaxonomySettings = TaxonomySettings()
    images: ImageSettings = ImageSettings()
    gates: GateSettings = GateSettings()
    splits: SplitSettings = SplitSettings()
    statistics: StatisticsSettings = StatisticsSettings()
    release: ReleaseSettings = ReleaseSettings()
    checks: CheckSettings = CheckSettings()
    desk: DeskSettings = DeskSettings()
    automation: AutomationSettings = AutomationSettings()
    alerts: AlertSettings = AlertSettings()
    bold: BoldSettings = BoldSettings()

    def choices(self, *sections: str) -> dict[str, Any]:
        """Plain values of the named sections, or of all, except settings that change no result.

        Omits `NO_EFFECT` and the sections `alerts`, `automation` and `bold`. Keeps `_STATED_BY_NAME` because a release
        states them, but only the name, not the folder.
        """
        exclude: dict[str, Any] = {}
        for name in NO_EFFECT - _STATED_BY_NAME:
            section, field = name.split(".")
            exclude.setdefault(section, set()).add(field)
        exclude |= dict.fromkeys(_NO_RESULT, True)
        document = self.model_dump(mode="json", include=set(sections) or None, exclude=exclude)
        for name in _STATED_BY_NAME:
            section, field = name.split(".")
            if section in document:
                document[section][field] = document[section][field].rstrip("/").rsplit("/", 1)[-1]
        return document

    def digest(self, *sections: str) -> str:
        """Hex sha256 of `choices`: identifies the settings that a release was made with."""
        return document_digest(self.choices(*sections))

    def values(self, names: Iterable[str]) -> dict[str, Any]:
        """Plain values by dotted name, except those of `NO_EFFECT`; `section.*` names a whole section."""
        plain = self.model_dump(mode="json")
        found = {}
        for name in sorted(expand(names) - NO_EFFECT):
            section, field = name.split(".")
            found[name] = plain[section][field]
        return found

    def limited(self, names: Collection[str], reader: str) -> Settings:
        """A copy in which only the named settings can be read.

        Stages get such a copy. If a stage read a setting that its registry entry does not name, a changed value would
        not make its output stale.

        Args:
            names: dotted names, or `section.*`; those of `NO_EFFECT` can always be read.
            reader: name of the stage, for the error.
        """
        allowed = expand(names) | NO_EFFECT
        sections: dict[str, Any] = {}
        for section in type(self).model_fields:
            model: Section = getattr(self, section)
            fields = frozenset(name.split(".")[1] for name in allowed if name.startswith(f"{section}."))
            guard = _guarded(type(model), section, fields, reader)
            sections[section] = guard.model_construct(model.model_fields_set, **model.__dict__)
        return Settings.model_construct(None, **sections)


def document_digest(document: dict[str, Any]) -> str:
    """Hex sha256 of settings in the form that `Settings.choices` returns."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


@cache
def _guarded(model: Any, section: str, fields: frozenset[str], reader: str) -> type[Section]:
    """A subclass of a section that raises when any other field is read."""
    refused = frozenset(model.model_fields) - fields

    def read(self: Any, name: str) -> Any:
        if name in refused:
            raise AssertionError(
                f"stage {reader} reads the setting {section}.{name}: add it to its entry in bioscan_etl.stages.registry"
            )
        return super(guard, self).__getattribute__(name)

    guard: type[Section] = type(model.__name__, (model,), {"__getattribute__": read, "__doc__": model.__doc__})
    return guard


def expand(names: Iterable[str]) -> set[str]:
    """Dotted names of settings, with `section.*` expanded to all settings of the section.

    Raises:
        KeyError: the section or setting does not exist.
    """
    found = set()
    for name in names:
        section, field = name.split(".")
        model = Settings.model_fields[section].annotation
        assert isinstance(model, type)
        assert issubclass(model, Section)
        if field == "*":
            found |= {f"{section}.{each}" for each in model.model_fields}
        elif field in model.model_fields:
            found.add(name)
        else:
            raise KeyError(f"there is no setting {name}")
    return found


def with_protocol(settings: SplitSettings, protocol: str) -> SplitSettings:
    """The same settings with another protocol.

    Raises:
        SettingsError: the protocol does not exist, or contradicts another setting.
    """
    try:
        return SplitSettings.model_validate(settings.model_dump(exclude_unset=True) | {"protocol": protocol})
    except ValidationError as error:
        raise SettingsError(f"protocol {protocol}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error


def load_settings(path: Path | None, *, only: str | None = None) -> Settings:
    """Read settings from a TOML file; None returns the defaults.

    Args:
        path: the file.
        only: read this section alone, so that an error in another one does not matter.

    Raises:
        SettingsError: the file is missing or not TOML, or a setting is unknown or out of range.
    """
    if path is None:
        return Settings()
    values = _read_toml(path)
    if only is not None:
        values = {name: value for name, value in values.items() if name == only}
    for old, new in _RENAMED.items():
        section, field = old.split(".")
        if isinstance(values.get(section), dict) and field in values[section]:
            raise SettingsError(f"setting {old} in {path} is now called {new}; rename it in the file")
    for old, instead in _GONE.items():
        section, field = old.split(".")
        if isinstance(values.get(section), dict) and field in values[section]:
            raise SettingsError(f"setting {old} in {path} no longer exists: {instead}; then remove the setting")
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        # The third part is the place in a list, or one of several types that a setting may have.
        place = (*first["loc"][:2], *(part for part in first["loc"][2:3] if isinstance(part, int)))
        name = ".".join(map(str, place)) or "(file)"
        message = _unknown(name) if first["type"] == "extra_forbidden" else _refusal(first)
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise SettingsError(f"setting {name} in {path}: {message}{more}; see docs/reference/settings.md") from error


def _read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        SettingsError: it cannot be read, or is not TOML.
    """
    try:
        if path.exists() and not path.is_file():
            raise SettingsError(f"settings file {path} is no file; give the path of a TOML file")
        with path.open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise SettingsError(f"settings file {path} does not exist; check the path") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingsError(f"settings file {str(path)[:200]} cannot be read: {reason}; check the path") from error
    if len(data) > _MOST_BYTES:
        raise SettingsError(f"settings file {path} has more than {_MOST_BYTES:,} bytes; is it the right file?")
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except RecursionError as error:
        raise SettingsError(f"settings file {path} is nested too deeply; write [section] and name = value") from error
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"settings file {path} is not UTF-8 (byte {error.start + 1:,}); save it as UTF-8 text"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"settings file {path} is not TOML: {error}") from error
    except ValueError as error:  # Python converts 4,300 digits at most
        raise SettingsError(f"settings file {path} has a number of too many digits; write a smaller one") from error


def _refusal(error: Any) -> str:
    """Why a value is refused, and the value: of pydantic's own errors, which do not quote it."""
    message: str = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    message = message.replace("valid tuple", "list of values in [ ]")
    if error["type"] == "value_error":
        return message
    if error["type"] == "too_short":
        return "it must have at least one value"
    return f"it must be {message}, but it is {_shown(error['input'])}" if "Input" in error["msg"] else message


def _shown(value: Any) -> str:
    try:
        shown = printable(json.dumps(value, ensure_ascii=False, default=str))
    except (ValueError, RecursionError):
        shown = "no value that can be shown"
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"


def _unknown(name: str) -> str:
    """Message for an unknown setting or section, with the most similar known name."""
    known = [*Settings.model_fields, *expand(f"{section}.*" for section in Settings.model_fields)]
    similar = difflib.get_close_matches(name, sorted(known), n=1)
    return "unknown setting" + (f", did you mean {similar[0]}?" if similar else "")
