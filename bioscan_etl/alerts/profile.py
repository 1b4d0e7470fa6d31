"""The figures of a batch that are compared with those of its predecessors.

Belongs here: what is measured, and keeping it in a small file of the corpus. Does not belong here: what is far
(`compare`).

Counts come from the manifests of the outputs where they have them; the rest is a lazy scan of a few columns. The file
is only kept to save time: without it, the figures are computed again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import polars as pl

from bioscan_etl.errors import LakeError
from bioscan_etl.io.tables import scan_parquet
from bioscan_etl.lake import small_files
from bioscan_etl.lake.record import Record
from bioscan_etl.lake.store import Lake

Counted: TypeAlias = Literal["images", "detected", "records", "barcodes"]

_FORMAT = 1
_COI = 658.0
"""bp; length of the barcode region (spec: DNA barcodes)."""
_WHITE = 255.0


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of a batch.

    Attributes:
        id: its name.
        title: as a message calls it.
        of: what it is a figure of; a batch with few of them is not compared.
        unit: empty for a share.
        whole: the value that counts as 1 for `alerts.least_difference`.
    """

    id: str
    title: str
    of: Counted
    unit: str = ""
    whole: float = 1.0

    @property
    def is_share(self) -> bool:
        """Whether it is a share, with the sampling error of one."""
        return not self.unit


# Deciles beside the median: half of the barcodes may be cut, or half of the images dark, and the median stays.
_QUANTILES = (("low", 0.1, "tenth percentile"), ("median", 0.5, "median"), ("high", 0.9, "ninetieth percentile"))
_LABELS = ("family", "genus", "species")
MEASURES = (
    Measure("empty_images", "images without a specimen", "images"),
    Measure("unreadable_images", "images that cannot be decoded", "images"),
    *(Measure(f"without_{rank}", f"records without a {rank} label", "records") for rank in _LABELS),
    Measure("without_country", "records without a country", "records"),
    Measure("without_barcode", "records without a barcode", "records"),
    *(Measure(f"length_{name}", f"barcode length, {title}", "barcodes", "bp", _COI) for name, _, title in _QUANTILES),
    *(
        Measure(f"brightness_{name}", f"mean grey of the crops, {title}", "detected", "of 255", _WHITE)
        for name, _, title in _QUANTILES
    ),
)


@dataclass(frozen=True, slots=True)
class Profile:
    """The figures of a batch.

    Attributes:
        numbers: how many images, detected specimens, records and barcodes it has.
        values: value by id of a measure; a measure of nothing has none.
        countries: records by ISO 3166-1 alpha-2 code.
    """

    numbers: Mapping[str, int]
    values: Mapping[str, float]
    countries: Mapping[str, int]


def profile_of(lake: Lake, record: Record) -> Profile:
    """The figures of a batch, from its small file if that is of these outputs.

    Raises:
        LakeError: an output is missing, or a table of it cannot be read.
    """
    path = lake.root / "alerts" / "profiles" / f"{record.batch}.json"
    kept = _kept(lake, record)
    if kept is not None:
        return kept
    try:
        made = _measured(lake, record)
    except (pl.exceptions.PolarsError, OSError, KeyError, ValueError, TypeError) as error:
        raise LakeError(
            f"the figures of batch {record.batch} cannot be read from the lake "
            f"({type(error).__name__}: {(str(error).splitlines() or [''])[0]}); ingest the batch again"
        ) from None
    small_files.write(path, {"format": _FORMAT, "content": record.content, **asdict(made)})
    return made


def is_kept(lake: Lake, record: Record) -> bool:
    """Whether the figures of a batch need no computation."""
    return _kept(lake, record) is not None


def _kept(lake: Lake, record: Record) -> Profile | None:
    try:
        value = small_files.read(lake.root / "alerts" / "profiles" / f"{record.batch}.json")
        if value is None or (value["format"], value["content"]) != (_FORMAT, record.content):
            return None
        return Profile(
            {str(name): int(number) for name, number in value["numbers"].items()},
            {str(name): float(number) for name, number in value["values"].items()},
            {str(name): int(number) for name, number in value["countries"].items()},
        )
    except (LakeError, KeyError, TypeError, ValueError, AttributeError):
        return None


def _measured(lake: Lake, record: Record) -> Profile:
    boxes = record.output(lake, "specimen_boxes")
    barcodes = record.output(lake, "checked_barcodes")
    images = int(boxes.counts["images"])
    unreadable = int(boxes.counts.get("unreadable", 0))
    records = int(barcodes.counts["checked_barcodes"])
    numbers = {
        "images": images,
        "detected": int(boxes.counts.get("detected", 0)),
        "records": records,
        "barcodes": int(barcodes.counts["with_barcode"]),
    }
    names = _row(
        scan_parquet(record.output(lake, "normalised_names").path("normalised_names.parquet")).select(
            pl.col(rank).null_count().alias(f"without_{rank}") for rank in _LABELS
        )
    )
    countries = (
        scan_parquet(record.output(lake, "checked_geography").path("checked_geography.parquet"))
        .group_by("country_iso")
        .len("number")
        .collect()
    )
    placed = {str(iso): int(number) for iso, number in countries.drop_nulls().sort("country_iso").iter_rows()}
    missing = {
        "empty_images": int(boxes.counts.get("empty", 0)),
        "unreadable_images": unreadable,
        **names,
        "without_country": records - sum(placed.values()),
        "without_barcode": records - numbers["barcodes"],
    }
    values = {
        measure.id: missing[measure.id] / numbers[measure.of]
        for measure in MEASURES
        if measure.is_share and numbers[measure.of]
    }
    lengths = scan_parquet(barcodes.path("checked_barcodes.parquet")).select(pl.col("barcode_length"))
    crops = scan_parquet(boxes.path("boxes.parquet")).filter(pl.col("status") == "detected").select("exposure")
    values |= _quantiles("length", lengths) | _quantiles("brightness", crops)
    return Profile(numbers, values, placed)


def _quantiles(name: str, column: pl.LazyFrame) -> dict[str, float]:
    found = _row(column.select(pl.all().quantile(q, "nearest").alias(f"{name}_{low}") for low, q, _ in _QUANTILES))
    return {measure: float(value) for measure, value in found.items() if value is not None}


def _row(frame: pl.LazyFrame) -> dict[str, Any]:
    found: dict[str, Any] = frame.collect().row(0, named=True)
    return found
