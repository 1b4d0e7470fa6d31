"""What the figures of a release are drawn from.

Belongs here: the input of all figures, and which specimens are shown. Does not belong here: drawing, and reading images
(`pictures`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from bioscan_etl.printable import printable
from bioscan_etl.release.digests import md5
from bioscan_etl.release.layout import image_path
from bioscan_etl.vocabulary import RANKS

if TYPE_CHECKING:
    from bioscan_etl.settings import Settings
    from bioscan_etl.statistics.pictures import Pictures

_SIZES = ("image_measurement_value", "area_fraction", "scale_factor")
ROWS = (*RANKS, "country", "country_iso", "coord-lat", "coord-lon", *_SIZES, "split")
"""Columns of `schema.METADATA_EXTENDED` that figures are drawn from."""
SHOWN = (
    *("processid", "taxon", *RANKS, "dna_bin", "country", "province_state", "coord-lat", "coord-lon", *_SIZES),
    *("split", "chunk"),
)
"""Columns of specimens that are shown by themselves."""
PER_ORDER = 6
"""Specimens of an order that are shown."""
SETTINGS = (
    *("splits.protocol", "splits.keep_bins_together", "splits.keep_overlaps_together", "barcodes.min_shared_columns"),
    *("statistics.min_group_barcodes", "statistics.max_group_barcodes", "statistics.seed"),
    *("images.crop_margin", "images.crop_aspect"),
)
"""Settings that decide what a figure shows; captions state them."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A release as figures see it.

    Attributes:
        rows: `ROWS` of the released specimens.
        tables: tables of `statistics.definitions` by name; a figure of a table that is missing is left out.
        sample: `SHOWN` and dna_barcode of one specimen, whose record and barcode are shown; None: none has a barcode.
        shown: `SHOWN` of the specimens whose images are shown, with path: that of the image within its package.
        pictures: reads their images; None: there are none at hand.
        source: what the figures are of, such as `bioscan5m v3`.
        settings: values of `SETTINGS`, as far as they are known.
    """

    rows: pl.DataFrame
    tables: Mapping[str, pl.DataFrame]
    sample: Mapping[str, Any] | None = None
    shown: pl.DataFrame = field(default_factory=pl.DataFrame)
    pictures: Pictures | None = None
    source: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    def about(self, settings: tuple[str, ...] = ()) -> str:
        """What a figure is of, and with which settings, in a sentence or two."""
        known = [f"{name} = {_value(self.settings[name])}" for name in settings if name in self.settings]
        parts = [f"Data: {printable(self.source)}."] if self.source else []
        return " ".join([*parts, *([f"Settings: {', '.join(known)}."] if known else [])])


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ":".join(map(_value, value))
    return str(value).lower() if isinstance(value, bool) else printable(str(value))


def stated(settings: Settings) -> dict[str, Any]:
    """The values of `SETTINGS`."""
    parts = {name: name.split(".") for name in SETTINGS}
    return {name: getattr(getattr(settings, section), field) for name, (section, field) in parts.items()}


def stated_in(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same from the settings that a manifest states, by section; what it does not state is left out."""
    parts = {name: name.split(".") for name in SETTINGS}
    sections = {name: document.get(section) for name, (section, _) in parts.items()}
    return {
        name: section[parts[name][1]]
        for name, section in sections.items()
        if isinstance(section, Mapping) and parts[name][1] in section
    }


def sample_of(released: pl.LazyFrame) -> dict[str, Any] | None:
    """The specimen with a barcode that has an image, if any has, and the most labels; the first of these by process ID.

    Args:
        released: rows of `schema.METADATA_EXTENDED`.

    Returns:
        `SHOWN`, dna_barcode and path, that of the image within its package, which is None without one.
    """
    labels = pl.sum_horizontal(pl.col(rank).is_not_null().cast(pl.Int32) for rank in RANKS)
    chosen = (
        released.filter(pl.col("dna_barcode").is_not_null())
        .select("processid", pictured=pl.col("area_fraction").is_not_null(), labels=labels)
        .sort("pictured", "labels", "processid", descending=[True, True, False])
        .head(1)
        .collect()
    )
    if chosen.is_empty():
        return None
    named = released.filter(pl.col("processid") == chosen["processid"].item())
    found: dict[str, Any] = _with_path(named.select(*SHOWN, "dna_barcode")).collect().row(0, named=True)
    return found


def shown_of(released: pl.LazyFrame) -> pl.DataFrame:
    """Specimens to show: of each order, up to `PER_ORDER` that have an image, by the MD5 of the process ID.

    The choice is as good as random, but always the same; a further specimen changes it at one place at most.

    Args:
        released: rows of `schema.METADATA_EXTENDED`.

    Returns:
        `SHOWN` and path, sorted by order and MD5.
    """
    pictured = pl.col("area_fraction").is_not_null() & pl.col("order").is_not_null()
    candidates = released.filter(pictured).select("processid", "order").collect()
    chosen = (
        candidates.with_columns(md5(candidates["processid"]))
        .sort("order", "digest")
        .group_by("order", maintain_order=True)
        .head(PER_ORDER)
    )
    rows = _with_path(released.filter(pl.col("processid").is_in(chosen["processid"].implode())).select(SHOWN)).collect()
    return chosen.select("processid").join(rows, on="processid", how="left", maintain_order="left").select(rows.columns)


def _with_path(rows: pl.LazyFrame) -> pl.LazyFrame:
    path = image_path(pl.col("split"), pl.col("chunk"), pl.col("processid"))
    return rows.with_columns(path=pl.when(pl.col("area_fraction").is_not_null()).then(path))
