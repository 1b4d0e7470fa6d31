"""Every threshold and choice, in one validated model.

A setting has a name, a default, a unit and a source, and lives here only. A corpus overrides some of them in its
`OUTPUT/settings.toml`, whose tables are the sections below; `run --settings FILE` installs FILE there.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bioscan_etl.errors import SettingsError

Share = Annotated[float, Field(ge=0, le=1)]
Byte = Annotated[int, Field(ge=0, le=255)]
WebAddress = Annotated[str, Field(pattern=r"^https?://[^\s/?#]+(/[^\s?#]+)*$")]
ImagePackage = Literal["original_full", "original_256", "cropped", "cropped_256"]
ReleaseForm = Literal[
    "jsonld", "data_images", "partitioned", "splits", "bbox", "croissant", "datapackage", "barcodebert", "clibd"
]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Cron = Annotated[str, Field(pattern=r"^(\S+ \S+ \S+ \S+ \S+)?$")]


class RecordSettings(_Section):
    """How BOLD records are read."""

    marker: str = Field("COI-5P", description="marker code of the barcode gene (BCDM marker_code)")
    null_markers: tuple[str, ...] = Field(
        ("None", "", "[NULL]"), description="texts that mean missing, after outer blanks are trimmed"
    )
    chunk_bytes: int = Field(8 << 20, ge=1 << 16, description="bytes of a source read at a time")


class BarcodeSettings(_Section):
    """Thresholds of the barcode checks (spec: DNA barcodes)."""

    min_length: int = Field(500, ge=1, description="bp; a shorter barcode is flagged")
    max_length: int = Field(660, ge=1, description="bp; 658 + 2, a longer barcode is flagged")
    max_ambiguous_share: Share = Field(0.01, description="share of letters other than A, C, G, T")
    genetic_code: Literal[1, 2, 5, 9, 13] = Field(5, description="NCBI code where the lineage names no other")
    min_homopolymer: int = Field(20, ge=2, description="bp; a run of one base this long is flagged")
    max_low_complexity_share: Share = Field(0.5, description="share of a barcode taken by its commonest trinucleotide")
    neighbour_word: int = Field(24, ge=16, le=32, description="letters of the words by which neighbours are looked up")
    neighbour_similarity: Share = Field(0.95, description="share of equal letters that makes a barcode a neighbour")
    neighbours: int = Field(10, ge=1, le=12, description="nearest barcodes that vote on the order of a barcode")
    neighbour_votes: int = Field(2, ge=1, description="neighbours of one other order that make a barcode misplaced")
    neighbour_share: Annotated[float, Field(gt=0.5, le=1)] = Field(
        0.8, description="share of the neighbours that must be of that order"
    )


class GeographySettings(_Section):
    """Thresholds of the checks of places and dates (spec: geography)."""

    border_tolerance_km: float = Field(25.0, ge=0, description="km a point may lie outside its country")
    sea_tolerance_km: float = Field(
        100.0, ge=0, description="km a point at sea may lie off its country's coast: waters, and islets no map has"
    )
    centroid_tolerance_km: float = Field(2.0, ge=0, description="km within which a point counts as centroid")
    apply_coordinate_fixes: bool = Field(False, description="apply swapped or negated coordinates, not only flag")
    rounded_decimals: int = Field(
        1, ge=0, le=6, description="decimals; coordinates of which neither number has more are flagged"
    )
    earliest_year: int = Field(1700, description="collection dates before this year are flagged")


class TaxonomySettings(_Section):
    """How conflicting and missing labels are settled (spec: taxonomy)."""

    majority_share: Annotated[float, Field(gt=0.5, le=1)] = Field(
        0.9, description="share of a barcode's labelled records that one label needs to win"
    )
    minimum_support: int = Field(2, ge=1, description="records that a winning label needs")
    infer_from_barcode: bool = Field(True, description="fill missing labels from records of the same barcode")
    resolve_in_bin: bool = Field(
        False, description="settle labels above species that disagree within a BIN as within a barcode, not only flag"
    )
    infer_from_bin: bool = Field(False, description="fill missing labels from records of the same BIN")
    overrides: str = Field("", description="path of the curators' CSV of overrides; empty for none")
    typo_fix: bool = Field(True, description="mend rare spellings whose barcodes or BINs prove them typos")
    typo_rarity: Share = Field(0.1, description="records of a likely typo, at most, as a share of the common name's")
    typo_min_length: int = Field(5, ge=3, description="letters that a name or epithet needs to be looked at for typos")


class ImageSettings(_Section):
    """Detector, crop and packages (spec: specimen images)."""

    detector: str = Field(
        "trained", description="trained, segmentation, the path of an .onnx or .pt model, or a trained one's folder"
    )
    crop_margin: float = Field(0.4, ge=0, description="added to the box in all, as a share of its longer side")
    crop_aspect: tuple[int, int] = Field((4, 3), description="width to height that the crop is extended to")
    crop_fill: tuple[Byte, Byte, Byte] = Field((204, 218, 243), description="RGB outside the original image")
    short_side: int = Field(256, ge=16, description="px of the shorter side in the *_256 packages")
    jpeg_quality: int = Field(75, ge=1, le=100, description="JPEG quality of written images, 4:2:0")
    max_pixels: int = Field(200_000_000, ge=1, description="px; larger images are refused as unreadable")
    empty_confidence: Share | Literal["auto"] = Field(
        "auto", description="chance of a specimen below which an image is empty; auto: what was chosen for the detector"
    )
    min_confidence: Share | Literal["auto"] = Field(
        "auto", description="confidence below which a box is low_confidence; auto: what was chosen for the detector"
    )
    min_blur: float = Field(15.0, ge=0, description="variance of the Laplacian on the crop; below is BLURRED")
    exposure_range: tuple[Byte, Byte] = Field((60, 250), description="mean grey of the crop; outside is flagged")
    fragment_fraction: Share = Field(0.002, description="area fraction below which a box is a FRAGMENT")
    near_duplicate_bits: int = Field(4, ge=0, le=16, description="bits by which near-duplicate hashes may differ")
    workers: int = Field(
        0, ge=0, description="threads that decode, detect and encode, 0: one more than cores; no effect on results"
    )
    shard_images: int = Field(1000, ge=1, description="images per resumable shard of the image stage")


class GateSettings(_Section):
    """What keeps a specimen out of the release."""

    require_image: bool = Field(True, description="a specimen needs an image")
    image_statuses: tuple[str, ...] = Field(
        ("detected",), description="detector statuses that go on unasked; others are for curators"
    )
    min_unambiguous_run: int = Field(200, ge=1, description="bp of A, C, G, T in one run that a barcode needs")
    require_bin: bool = Field(False, description="a specimen needs a BIN")


class SplitSettings(_Section):
    """Partitioning (spec: partitioning)."""

    protocol: Literal["bioscan-5m", "stable"] = Field(
        "bioscan-5m", description="protocol that assigns the partitions; with stable no record ever moves unasked"
    )
    seed: Annotated[int, Field(ge=0, lt=1 << 63)] = Field(
        0, description="key of the choice among a species' barcodes (stable); the published protocol has its own"
    )
    keep_bins_together: bool = Field(
        False, description="all records of a BIN, not only of a barcode, in one partition (stable); from the first on"
    )

    @model_validator(mode="after")
    def _published_is_as_published(self) -> SplitSettings:
        if self.keep_bins_together and self.protocol == "bioscan-5m":
            raise ValueError("keep_bins_together needs protocol stable: the published protocol splits BINs")
        return self


_FORMS_OF_CROPPED_256 = frozenset({"data_images", "clibd"})


class ReleaseSettings(_Section):
    """What a release holds and how it is named (spec: the release)."""

    dataset: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")] = Field("bioscan5m", description="folder name")
    title: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")] = Field(
        "BIOSCAN_5M_Insect", description="first part of the metadata and bbox file names"
    )
    image_packages: tuple[ImagePackage, ...] = Field(
        ("original_256", "cropped", "cropped_256"), description="image folders to write"
    )
    forms: tuple[ReleaseForm, ...] = Field(
        ("jsonld", "data_images", "partitioned", "splits", "bbox", "croissant", "datapackage"),
        description="what to write beside the CSV, data/ and the logs: of jsonld, data_images (needs cropped_256), "
        "partitioned, splits, bbox, croissant, datapackage, barcodebert, clibd (needs cropped_256)",
    )
    hdf5_packages: tuple[ImagePackage, ...] = Field(
        ("cropped_256",), description="HDF5 files to write, a data set per image"
    )
    packed_packages: tuple[ImagePackage, ...] = Field(
        (), description="packed HDF5 files to write, all images in one data set, with the metadata"
    )
    zip_packages: tuple[ImagePackage, ...] = Field((), description="image packages to write as zip archives too")
    webdataset_packages: tuple[ImagePackage, ...] = Field(
        (), description="image packages to write as WebDataset tar shards too"
    )
    rows_per_group: int = Field(100_000, ge=1, description="rows of a Parquet row group")
    rows_per_shard: int = Field(1_000_000, ge=1, description="rows of one data/<split> Parquet file")
    images_per_group: int = Field(1_000, ge=1, description="rows of a row group of data_images/")
    images_per_shard: int = Field(50_000, ge=1, description="rows of one data_images/<split> Parquet file")
    images_per_zip: int = Field(2_500_000, ge=1, description="images of one zip archive")
    samples_per_tar: int = Field(10_000, ge=1, description="samples of one WebDataset shard")
    publish_to: Annotated[str, Field(pattern=r"^(s3://[^/\s]+(/\S*)?)?$")] = Field(
        "", description="s3://bucket/prefix where each release is mirrored after it is made; empty for none"
    )
    copyright_holder: str = Field(
        "CBG Photography Group, Centre for Biodiversity Genomics", description="attribute of HDF5 files"
    )
    image_license: str = Field("CC BY 3.0", description="licence of the images, as stated by their holder")
    image_institution: str = Field(
        "Centre for Biodiversity Genomics (email:CBGImaging@gmail.com)", description="attribute of HDF5 files"
    )
    image_photographer: str = Field("CBG Robotic Imager", description="attribute of HDF5 files")
    image_year: str = Field("2021", description="year of the images' copyright, attribute of HDF5 files")
    home_page: WebAddress = Field(
        "https://biodiversitygenomics.net/5M-insects", description="page about the data set, for the descriptors"
    )
    citation: str = Field(
        "Gharaee et al. (2024). BIOSCAN-5M: A Multimodal Dataset for Insect Biodiversity. NeurIPS 37, 36285-36313.",
        min_length=1,
        description="what users of the release are asked to cite, beside BOLD",
    )

    @model_validator(mode="after")
    def _made_of_image_packages(self) -> ReleaseSettings:
        for name in ("hdf5_packages", "packed_packages", "zip_packages", "webdataset_packages"):
            missing = sorted(set(getattr(self, name)) - set(self.image_packages))
            if missing:
                raise ValueError(f"{name} names {missing}, which image_packages does not write")
        # data_images, of the default, is left out of a release without its package; clibd was asked for.
        if "clibd" in self.forms and "cropped_256" not in self.image_packages:
            raise ValueError("forms names clibd, made of cropped_256, which image_packages does not write")
        return self

    def wants(self, form: ReleaseForm) -> bool:
        """Whether a form is asked for and its images are written."""
        return form in self.forms and (form not in _FORMS_OF_CROPPED_256 or "cropped_256" in self.image_packages)


class BoldSettings(_Section):
    """How `bioscan-etl fetch` talks to BOLD; no effect on any release (spec: BOLD records, "Getting more")."""

    portal_url: WebAddress = Field("https://portal.boldsystems.org", description="portal whose API delivers records")
    images_url: WebAddress = Field("https://caos.boldsystems.org", description="store whose API delivers images")
    requests_per_second: float = Field(4.0, gt=0, le=1000, description="requests a second in all, over all downloads")
    timeout_seconds: float = Field(120.0, gt=0, description="s of silence after which a request counts as failed")
    attempts: int = Field(6, ge=1, le=20, description="how often a request is tried in all")
    backoff_seconds: float = Field(1.0, ge=0, description="s before the second attempt; doubles each time, with jitter")
    max_wait_seconds: float = Field(
        120.0, ge=0, description="s between two attempts at most; a server that asks for a longer pause ends the run"
    )
    records_per_query: int = Field(1_000_000, ge=1, description="records that BOLD delivers for one query at most")
    ids_per_call: int = Field(600, ge=1, le=2000, description="process IDs whose images are looked up in one request")
    parallel_downloads: int = Field(4, ge=1, le=16, description="images that are fetched at the same time")
    give_up_after: int = Field(20, ge=1, description="images that fail in a row before the run stops: BOLD is down")


class CheckSettings(_Section):
    """When a delivered batch counts as bad: its check fails, and a blocking one keeps it out of the corpus."""

    max_rejected_share: Share = Field(0.5, description="share of the rows read that may be rejected (blocking)")
    min_barcode_share: Share = Field(0.5, description="share of the records that need a barcode")
    max_unreadable_share: Share = Field(0.2, description="share of the images that may be unreadable")
    min_detected_share: Share = Field(0.3, description="share of the readable images that need a detected specimen")


class AutomationSettings(_Section):
    """What runs by itself in the UI, and when (UTC); no effect on results. Changes count after a restart of the UI."""

    inbox: str = Field(
        "", description="folder or s3://bucket/prefix that is watched for deliveries beside OUTPUT/landing"
    )
    release_when_settled: bool = Field(True, description="make a release once the batches that came in are ingested")
    settle_minutes: float = Field(5.0, ge=0, description="minutes without a new batch after which a release is made")
    nightly_release: Cron = Field("0 2 * * *", description="cron of the nightly release run; empty for none")
    weekly_check: Cron = Field("", description="cron of the check of the last release, all images; empty for none")
    monthly_tidy: Cron = Field(
        "", description="cron of the removal of outputs that nothing refers to and of old runs; empty for none"
    )
    tick_seconds: int = Field(60, ge=5, description="seconds between two looks at the inbox and the batches")
    retry_minutes: float = Field(
        1.0,
        ge=0,
        description="minutes before what failed for a passing reason is tried again; doubles each time",
    )
    retry_at_most: int = Field(8, ge=0, description="how often such a batch is tried again before a person must look")


NO_EFFECT = frozenset(
    {
        "images.workers",
        "images.shard_images",
        "records.chunk_bytes",
        # Their content is an input of the stages that read them; a path is no content.
        "images.detector",
        "taxonomy.overrides",
        "release.publish_to",
    }
)
"""Settings that change no result by themselves, so they are in no fingerprint."""
_NO_RESULT = ("bold", "automation")
"""Sections that change no result."""


class Settings(_Section):
    """All settings; `Settings()` is the documented default."""

    records: RecordSettings = RecordSettings()
    barcodes: BarcodeSettings = BarcodeSettings()
    geography: GeographySettings = GeographySettings()
    taxonomy: TaxonomySettings = TaxonomySettings()
    images: ImageSettings = ImageSettings()
    gates: GateSettings = GateSettings()
    splits: SplitSettings = SplitSettings()
    release: ReleaseSettings = ReleaseSettings()
    checks: CheckSettings = CheckSettings()
    automation: AutomationSettings = AutomationSettings()
    bold: BoldSettings = BoldSettings()

    def choices(self, *sections: str) -> dict[str, Any]:
        """The named sections (all, without a name) as plain values, but for what can change no result.

        Left out are `NO_EFFECT` and the sections `automation` and `bold`. `images.detector` is kept, as a name without
        its folder: a release states it.
        """
        exclude: dict[str, Any] = {}
        for name in NO_EFFECT - {"images.detector"}:
            section, field = name.split(".")
            exclude.setdefault(section, set()).add(field)
        exclude |= dict.fromkeys(_NO_RESULT, True)
        document = self.model_dump(mode="json", include=set(sections) or None, exclude=exclude)
        if "images" in document:
            document["images"]["detector"] = document["images"]["detector"].rstrip("/").rsplit("/", 1)[-1]
        return document

    def digest(self, *sections: str) -> str:
        """Hex sha256 over `choices`, for what a release was made with."""
        return document_digest(self.choices(*sections))

    def values(self, names: Iterable[str]) -> dict[str, Any]:
        """Plain values by dotted name, but for those of `NO_EFFECT`; `section.*` names all of a section."""
        plain = self.model_dump(mode="json")
        found = {}
        for name in sorted(expand(names) - NO_EFFECT):
            section, field = name.split(".")
            found[name] = plain[section][field]
        return found

    def limited(self, names: Collection[str], reader: str) -> Settings:
        """The same settings, of which only the named ones can be read.

        A stage gets these: one that reads a setting which its entry does not name would keep outputs that were made
        with another value.

        Args:
            names: dotted names, or `section.*`; those of `NO_EFFECT` can always be read.
            reader: the stage, for the error.
        """
        allowed = expand(names) | NO_EFFECT
        sections: dict[str, Any] = {}
        for section in type(self).model_fields:
            model: _Section = getattr(self, section)
            fields = frozenset(name.split(".")[1] for name in allowed if name.startswith(f"{section}."))
            guard = _guarded(type(model), section, fields, reader)
            sections[section] = guard.model_construct(model.model_fields_set, **model.__dict__)
        return Settings.model_construct(None, **sections)


def document_digest(document: dict[str, Any]) -> str:
    """Hex sha256 over settings as `Settings.choices` states them."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


@cache
def _guarded(model: Any, section: str, fields: frozenset[str], reader: str) -> type[_Section]:
    """A section whose other fields refuse to be read."""
    refused = frozenset(model.model_fields) - fields

    def read(self: Any, name: str) -> Any:
        if name in refused:
            raise AssertionError(
                f"stage {reader} reads the setting {section}.{name}, which bioscan_etl.stages.registry does not name"
            )
        return super(guard, self).__getattribute__(name)

    guard: type[_Section] = type(model.__name__, (model,), {"__getattribute__": read, "__doc__": model.__doc__})
    return guard


def expand(names: Iterable[str]) -> set[str]:
    """Dotted names of settings, `section.*` replaced by all of the section.

    Raises:
        KeyError: there is no such section or setting.
    """
    found = set()
    for name in names:
        section, field = name.split(".")
        model = Settings.model_fields[section].annotation
        assert isinstance(model, type)
        assert issubclass(model, _Section)
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
        SettingsError: there is no such protocol, or another setting does not go with it.
    """
    try:
        return SplitSettings.model_validate(settings.model_dump() | {"protocol": protocol})
    except ValidationError as error:
        raise SettingsError(f"protocol {protocol}: {error.errors()[0]['msg']}") from error


def load_settings(path: Path | None) -> Settings:
    """Read settings from a TOML file; None gives the defaults.

    Raises:
        SettingsError: the file is absent, is no TOML, or a setting is unknown or out of range.
    """
    if path is None:
        return Settings()
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(f"settings file {path} does not exist; check the path") from error
    except OSError as error:
        raise SettingsError(f"settings file {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"settings file {path} is not TOML: {error}") from error
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "(file)"
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise SettingsError(
            f"setting {name} in {path}: {first['msg']}{more}; docs/reference/settings.md lists them"
        ) from error
