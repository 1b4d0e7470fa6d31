"""Every threshold and choice, in one validated model.

A setting has a name, a default, a unit and a source, and is defined only here. A corpus overrides some of them in its
`OUTPUT/settings.toml`, whose tables are the sections below; `run --settings FILE` installs FILE there.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from collections.abc import Collection, Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from bioscan_etl.errors import SettingsError
from bioscan_etl.vocabulary import MADE_PACKAGES, ImagePackage

Share = Annotated[float, Field(ge=0, le=1)]
Byte = Annotated[int, Field(ge=0, le=255)]
WebAddress = Annotated[str, Field(pattern=r"^https?://[^\s/?#]+(/[^\s?#]+)*$")]


def _require_form(name: str) -> str:
    named: str = _output_forms().require_name(name)
    return named


def _output_forms() -> Any:
    """The registry of the output forms: plug-ins, found by name, that all read the settings themselves."""
    return import_module("bioscan_etl.release.forms.registry")


FormName = Annotated[str, AfterValidator(_require_form)]
"""Name of an output form, which is a module of `bioscan_etl.release.forms`."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Cron = Annotated[str, Field(pattern=r"^(\S+ \S+ \S+ \S+ \S+)?$")]


class RecordSettings(_Section):
    """How BOLD records are read."""

    marker: str = Field("COI-5P", description="marker code of the barcode gene (BCDM marker_code)")
    null_markers: tuple[str, ...] = Field(
        ("None", "", "[NULL]"), description="texts read as missing, compared after trimming whitespace"
    )
    chunk_bytes: int = Field(8 << 20, ge=1 << 16, description="bytes of a source read at a time")


class BarcodeSettings(_Section):
    """Thresholds of the barcode checks (spec: DNA barcodes)."""

    min_length: int = Field(500, ge=1, description="bp; flag shorter barcodes")
    max_length: int = Field(660, ge=1, description="bp (658 + 2); flag longer barcodes")
    max_ambiguous_share: Share = Field(0.01, description="flag a larger share of letters other than A, C, G, T")
    genetic_code: Literal[1, 2, 5, 9, 13] = Field(5, description="NCBI code used if the lineage implies no other")
    min_homopolymer: int = Field(20, ge=2, description="bp; flag a run of one base of at least this length")
    max_low_complexity_share: Share = Field(0.5, description="flag a larger share of one trinucleotide")
    neighbour_kmer: int = Field(24, ge=16, le=32, description="k-mer length used to find similar barcodes")
    neighbour_similarity: Share = Field(0.95, description="share of equal bases from which a barcode is a neighbour")
    neighbours: int = Field(10, ge=1, le=12, description="number of nearest neighbours that vote on a barcode's order")
    neighbour_votes: int = Field(
        2, ge=1, description="flag a barcode if at least this many of its nearest neighbours belong to one other order"
    )
    neighbour_share: Annotated[float, Field(gt=0.5, le=1)] = Field(
        0.8, description="flag a barcode only if that order makes up at least this share of its nearest neighbours"
    )


class GeographySettings(_Section):
    """Thresholds of the place and date checks (spec: geography)."""

    border_tolerance_km: float = Field(25.0, ge=0, description="km that a point may be outside its country")
    sea_tolerance_km: float = Field(
        100.0, ge=0, description="km that a point at sea may be from its country's coast (waters, unmapped islets)"
    )
    centroid_tolerance_km: float = Field(
        2.0, ge=0, description="km from a country's centre within which a point is its centroid"
    )
    apply_coordinate_fixes: bool = Field(
        False, description="apply proposed coordinate fixes (swapped, negated) instead of only flagging"
    )
    rounded_decimals: int = Field(
        1, ge=0, le=6, description="flag coordinates if neither number has more decimals than this"
    )
    earliest_year: int = Field(1700, description="flag collection dates before this year")


class TaxonomySettings(_Section):
    """How conflicting and missing labels are resolved (spec: taxonomy)."""

    majority_share: Annotated[float, Field(gt=0.5, le=1)] = Field(
        0.9, description="share of a barcode's labelled records that a label needs to win a conflict"
    )
    minimum_support: int = Field(2, ge=1, description="records that a winning label needs")
    infer_from_barcode: bool = Field(True, description="fill missing labels from records of the same barcode")
    resolve_in_bin: bool = Field(
        False, description="resolve conflicts above species within a BIN like those within a barcode, not only flag"
    )
    infer_from_bin: bool = Field(False, description="fill missing labels from records of the same BIN")
    overrides: str = Field("", description="path of the curators' CSV of overrides; empty: none")
    typo_fix: bool = Field(True, description="correct rare spellings if barcodes or BINs prove that they are typos")
    typo_rarity: Share = Field(0.1, description="most records of a likely typo, as a share of the common name's")
    typo_min_length: int = Field(5, ge=3, description="shortest name or epithet that is checked for typos, in letters")


class ImageSettings(_Section):
    """Detector, crop and packages (spec: specimen images)."""

    detector: str = Field(
        "trained",
        description="trained, segmentation, the path of an .onnx or .pt model, or the folder of a trained model",
    )
    crop_margin: float = Field(
        0.4, ge=0, description="total added to each box dimension, as a share of its longer side"
    )
    crop_aspect: tuple[int, int] = Field((4, 3), description="aspect ratio that the crop is extended to, width:height")
    crop_fill: tuple[Byte, Byte, Byte] = Field(
        (204, 218, 243), description="RGB fill of crop pixels outside the original image"
    )
    short_side: int = Field(256, ge=16, description="px; shorter side of images in the *_256 packages")
    jpeg_quality: int = Field(75, ge=1, le=100, description="JPEG quality of written images, 4:2:0")
    max_pixels: int = Field(200_000_000, ge=1, description="pixels; larger images count as unreadable")
    empty_confidence: Share | Literal["auto"] = Field(
        "auto", description="presence score below which an image is empty; auto: the detector's own threshold"
    )
    min_confidence: Share | Literal["auto"] = Field(
        "auto", description="confidence below which a box is low_confidence; auto: the detector's own threshold"
    )
    min_blur: float = Field(15.0, ge=0, description="variance of the crop's Laplacian; flag BLURRED below it")
    exposure_range: tuple[Byte, Byte] = Field((60, 250), description="mean grey of the crop; flag values outside it")
    fragment_fraction: Share = Field(0.002, description="area fraction; flag smaller boxes as FRAGMENT")
    near_duplicate_bits: int = Field(4, ge=0, le=16, description="bits in which hashes of near duplicates may differ")
    workers: int = Field(
        0, ge=0, description="threads that decode, detect and encode; 0: one more than cores; no effect on results"
    )
    shard_images: int = Field(1000, ge=1, description="images per shard; a killed stage resumes after the last shard")


class GateSettings(_Section):
    """What quarantines a specimen."""

    require_image: bool = Field(True, description="quarantine specimens without an image")
    image_statuses: tuple[str, ...] = Field(
        ("detected",), description="image statuses released automatically; all others are quarantined for review"
    )
    min_unambiguous_run: int = Field(
        200, ge=1, description="bp; quarantine barcodes without a run of A, C, G, T this long"
    )
    require_bin: bool = Field(False, description="quarantine specimens without a BIN")


class SplitSettings(_Section):
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

    @model_validator(mode="after")
    def _published_is_as_published(self) -> SplitSettings:
        if self.keep_bins_together and self.protocol == "bioscan-5m":
            raise ValueError("keep_bins_together needs protocol stable: bioscan-5m splits BINs")
        return self


_FORMS = ("jsonld", "data_images", "partitioned", "splits", "bbox", "croissant", "datapackage")


class ReleaseSettings(_Section):
    """What a release contains and how it is named (spec: the release)."""

    dataset: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")] = Field(
        "bioscan5m", description="name of the release's data folder"
    )
    title: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")] = Field(
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
    rows_per_group: int = Field(100_000, ge=1, description="rows per Parquet row group")
    rows_per_shard: int = Field(1_000_000, ge=1, description="rows per data/<split> Parquet file")
    content_defined_chunking: bool = Field(
        False,
        description="cut the pages of data/ by content, so that a hub that stores by content, such as Hugging Face, "
        "receives only what changed",
    )
    images_per_group: int = Field(1_000, ge=1, description="rows per row group of data_images/")
    images_per_shard: int = Field(50_000, ge=1, description="rows per data_images/<split> Parquet file")
    images_per_zip: int = Field(2_500_000, ge=1, description="images per zip archive")
    samples_per_tar: int = Field(10_000, ge=1, description="samples per WebDataset shard")
    publish_to: Annotated[str, Field(pattern=r"^(s3://[^/\s]+(/\S*)?)?$")] = Field(
        "", description="s3://bucket/prefix that each new release is mirrored to; empty: none"
    )
    copyright_holder: str = Field(
        "CBG Photography Group, Centre for Biodiversity Genomics",
        description="copyright holder of the images, attribute of HDF5 files",
    )
    image_license: str = Field("CC BY 3.0", description="licence of the images, as stated by the copyright holder")
    image_institution: str = Field(
        "Centre for Biodiversity Genomics (email:CBGImaging@gmail.com)",
        description="institution that took the images, attribute of HDF5 files",
    )
    image_photographer: str = Field("CBG Robotic Imager", description="photographer, attribute of HDF5 files")
    image_year: str = Field("2021", description="year of the images' copyright, attribute of HDF5 files")
    home_page: WebAddress = Field(
        "https://biodiversitygenomics.net/5M-insects", description="home page of the dataset, for the descriptors"
    )
    citation: str = Field(
        "Gharaee et al. (2024). BIOSCAN-5M: A Multimodal Dataset for Insect Biodiversity. NeurIPS 37, 36285-36313.",
        min_length=1,
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


class BoldSettings(_Section):
    """How `bioscan-etl fetch` requests data from BOLD; no effect on releases (spec: BOLD records, "Getting more")."""

    portal_url: WebAddress = Field("https://portal.boldsystems.org", description="address of the API for records")
    images_url: WebAddress = Field("https://caos.boldsystems.org", description="address of the API for images")
    requests_per_second: float = Field(4.0, gt=0, le=1000, description="rate limit over all downloads together")
    timeout_seconds: float = Field(120.0, gt=0, description="s without data after which a request counts as failed")
    attempts: int = Field(6, ge=1, le=20, description="attempts per request, the first included")
    backoff_seconds: float = Field(1.0, ge=0, description="s before the second attempt; doubles each time, with jitter")
    max_wait_seconds: float = Field(
        120.0, ge=0, description="longest pause between attempts, s; stop if the server demands a longer one"
    )
    records_per_query: int = Field(1_000_000, ge=1, description="most records that BOLD returns for one query")
    ids_per_call: int = Field(600, ge=1, le=2000, description="process IDs per request for image addresses")
    parallel_downloads: int = Field(4, ge=1, le=16, description="images downloaded at the same time")
    give_up_after: int = Field(20, ge=1, description="stop after this many failed images in a row: BOLD is down")


class CheckSettings(_Section):
    """Thresholds of the checks on a delivered batch; a failed blocking check keeps the batch out of the corpus."""

    max_rejected_share: Share = Field(0.5, description="largest share of rejected rows (blocking)")
    min_barcode_share: Share = Field(0.5, description="smallest share of records with a barcode")
    max_unreadable_share: Share = Field(0.2, description="largest share of unreadable images")
    min_detected_share: Share = Field(0.3, description="smallest share of readable images with a detected specimen")


class AutomationSettings(_Section):
    """What the UI runs automatically, and when (UTC); no effect on results. Restart the UI to apply changes."""

    inbox: str = Field("", description="folder or s3://bucket/prefix to watch for deliveries, besides OUTPUT/landing")
    release_when_settled: bool = Field(True, description="make a release once all new batches are ingested")
    settle_minutes: float = Field(5.0, ge=0, description="minutes to wait after the last new batch before releasing")
    nightly_release: Cron = Field("0 2 * * *", description="cron schedule of the nightly release run; empty: none")
    weekly_check: Cron = Field(
        "", description="cron schedule of a check of the last release with all its images; empty: none"
    )
    monthly_tidy: Cron = Field(
        "", description="cron schedule of the removal of unreferenced outputs and old runs; empty: none"
    )
    tick_seconds: int = Field(60, ge=5, description="seconds between two scans of the inbox and the batches")
    retry_minutes: float = Field(
        1.0,
        ge=0,
        description="minutes before the first retry after a temporary failure; doubles each time",
    )
    retry_at_most: int = Field(8, ge=0, description="retries of such a batch; after that, a person must retry it")


NO_EFFECT = frozenset(
    {
        "images.workers",
        "images.shard_images",
        "records.chunk_bytes",
        # The stages that read these files hash their content, so the path does not matter.
        "images.detector",
        "taxonomy.overrides",
        "release.publish_to",
    }
)
"""Settings whose value alone changes no result: they are in no fingerprint."""
_NO_RESULT = ("bold", "automation")
"""Sections that change no result."""
_RENAMED = {"barcodes.neighbour_word": "barcodes.neighbour_kmer"}
"""Earlier names of settings."""


class Settings(_Section):
    """All settings; `Settings()` holds the documented defaults."""

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
        """Plain values of the named sections, or of all, except settings that change no result.

        Omits `NO_EFFECT` and the sections `automation` and `bold`. Keeps `images.detector` because a release states
        it, but only the name, not the folder.
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
            model: _Section = getattr(self, section)
            fields = frozenset(name.split(".")[1] for name in allowed if name.startswith(f"{section}."))
            guard = _guarded(type(model), section, fields, reader)
            sections[section] = guard.model_construct(model.model_fields_set, **model.__dict__)
        return Settings.model_construct(None, **sections)


def document_digest(document: dict[str, Any]) -> str:
    """Hex sha256 of settings in the form that `Settings.choices` returns."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


@cache
def _guarded(model: Any, section: str, fields: frozenset[str], reader: str) -> type[_Section]:
    """A subclass of a section that raises when any other field is read."""
    refused = frozenset(model.model_fields) - fields

    def read(self: Any, name: str) -> Any:
        if name in refused:
            raise AssertionError(
                f"stage {reader} reads the setting {section}.{name}: add it to its entry in bioscan_etl.stages.registry"
            )
        return super(guard, self).__getattribute__(name)

    guard: type[_Section] = type(model.__name__, (model,), {"__getattribute__": read, "__doc__": model.__doc__})
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
        SettingsError: the protocol does not exist, or contradicts another setting.
    """
    try:
        return SplitSettings.model_validate(settings.model_dump() | {"protocol": protocol})
    except ValidationError as error:
        raise SettingsError(f"protocol {protocol}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error


def load_settings(path: Path | None) -> Settings:
    """Read settings from a TOML file; None returns the defaults.

    Raises:
        SettingsError: the file is missing or not TOML, or a setting is unknown or out of range.
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
    for old, new in _RENAMED.items():
        section, field = old.split(".")
        if isinstance(values.get(section), dict) and field in values[section]:
            raise SettingsError(f"setting {old} in {path} is now called {new}; rename it in the file")
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "(file)"
        message = _unknown(name) if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise SettingsError(f"setting {name} in {path}: {message}{more}; see docs/reference/settings.md") from error


def _unknown(name: str) -> str:
    """Message for an unknown setting or section, with the most similar known name."""
    known = [*Settings.model_fields, *expand(f"{section}.*" for section in Settings.model_fields)]
    similar = difflib.get_close_matches(name, sorted(known), n=1)
    return "unknown setting" + (f", did you mean {similar[0]}?" if similar else "")
