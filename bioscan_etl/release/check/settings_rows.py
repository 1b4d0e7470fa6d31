"""Are the released specimens flagged and admitted according to the stated settings?

Belongs here: flags that follow from the released values alone, computed again by other means than those of the
stages, and the gates that a released specimen has passed. Does not belong here: the logs
(`settings_logs`).

A flag is checked against its threshold both ways: it must be set exactly if that is hit. Lengths and shares are
those of the released barcode without N at its ends, which is what the stages measure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl

from bioscan_etl.release.check.agreement import Rows
from bioscan_etl.release.check.faults import Fault, Listing
from bioscan_etl.release.check.settings_stated import Stated

VERIFIED = MappingProxyType(
    {
        "barcodes.min_length": "BARCODE_SHORT is set exactly for the released barcodes that are shorter",
        "barcodes.max_length": "BARCODE_LONG is set exactly for the released barcodes that are longer",
        "barcodes.max_ambiguous_share": "BARCODE_AMBIGUOUS is set exactly where the share of N is larger",
        "barcodes.min_homopolymer": "HOMOPOLYMER is set exactly where a base is repeated as often",
        "barcodes.max_low_complexity_share": "LOW_COMPLEXITY is set exactly where one trinucleotide takes more",
        "barcodes.genetic_code": "NO_OPEN_READING_FRAME is set exactly where all frames have a stop codon (codes 5, 9 "
        "and 13 have the same; lineages with a code of their own, and relabelled ones, are left out)",
        "geography.rounded_decimals": "COORDINATE_ROUNDED is set exactly where neither coordinate has more decimals",
        "geography.apply_coordinate_fixes": "coordinates with a proposed fix are changed in the change log, or none is",
        "images.fragment_fraction": "FRAGMENT is set exactly where area_fraction is smaller",
        "images.min_confidence": "where a number: no detected specimen is less sure, and no unsure one surer",
        "gates.require_image": "each released specimen has an image, or no quarantined one lacks it",
        "gates.image_statuses": "images have these statuses, and others are quarantined",
        "gates.image_flags": "no released image has one of these flags",
        "gates.scope": "no released label is another one",
        "gates.require_bin": "each released specimen has a BIN, or no gate asks for it",
        "gates.min_unambiguous_run": "each released barcode has such a run (a smaller one is not noticed)",
    }
)
"""Settings that are verified here or in `settings_logs`, and how."""

FIXES = ("PRESUMED_SWAPPED_COORDINATE", "PRESUMED_NEGATED_LATITUDE", "PRESUMED_NEGATED_LONGITUDE")
# Stop codons of the NCBI translation tables; 9 and 13 have those of 5.
_STOPS = {1: "TAA|TAG|TGA", 2: "TAA|TAG|AGA|AGG", 5: "TAA|TAG", 9: "TAA|TAG", 13: "TAA|TAG"}
_OTHER_CODES = ("chordata", "tunicata", "echinodermata", "platyhelminthes")
# Confidences are stated with 6 decimals.
_ROUNDED = 0.5e-6 + 1e-9
# Settings of the gates that a curator can open.
_OPENED = tuple(
    f"gates.{name}" for name in ("image_statuses", "image_flags", "scope", "require_bin", "min_unambiguous_run")
)
_COLUMNS = (
    *("flags", "dna_barcode", "dna_bin", "phylum", "coord-lat", "coord-lon"),
    *("area_fraction", "image_status", "confidence"),
)


@dataclass(frozen=True, slots=True)
class _Threshold:
    """A flag and the setting that it follows from.

    Attributes:
        setting: dotted name.
        flag: id of the rule.
        hit: for a value of the setting, whether a row hits it.
        among: rows for which the release has the evidence.
        evidence: what the row measures, with the columns of `_measured` in braces.
        absent_among: rows where the flag may be set although the release cannot show why.
    """

    setting: str
    flag: str
    hit: Callable[[Any], pl.Expr]
    among: pl.Expr
    evidence: str
    absent_among: pl.Expr | None = None


_length, _flags = pl.col("length"), pl.col("flags")
_some = _length > 0
_lat, _lon = pl.col("coord-lat"), pl.col("coord-lon")
_THRESHOLDS = (
    _Threshold("barcodes.min_length", "BARCODE_SHORT", lambda least: _length < least, _some, "{length} bp"),
    _Threshold("barcodes.max_length", "BARCODE_LONG", lambda most: _length > most, _some, "{length} bp"),
    _Threshold(
        "barcodes.max_ambiguous_share",
        "BARCODE_AMBIGUOUS",
        lambda most: pl.col("ambiguous") / _length > most,
        _some,
        "{ambiguous} of {length} letters are N",
    ),
    _Threshold(
        "barcodes.min_homopolymer",
        "HOMOPOLYMER",
        # Literal texts, not patterns: a run longer than any barcode must not become a huge one.
        lambda run: pl.any_horizontal(
            (_length >= run) & pl.col("barcode").str.contains(base * min(run, 1 << 16), literal=True) for base in "ACGT"
        ),
        _some,
        "{length} bp",
    ),
    _Threshold(
        "barcodes.max_low_complexity_share",
        "LOW_COMPLEXITY",
        lambda most: pl.col("repeats") > most,
        _some,
        "{length} bp",
    ),
    _Threshold(
        "barcodes.genetic_code",
        "NO_OPEN_READING_FRAME",
        lambda _: pl.col("closed"),
        # Codes that the release writes as N can complete a stop codon.
        _some & pl.col("of_default_code"),
        "{length} bp",
        absent_among=~_flags.list.contains("BARCODE_CODE_TO_N"),
    ),
    _Threshold(
        "geography.rounded_decimals",
        "COORDINATE_ROUNDED",
        lambda decimals: (_lat.round(decimals) == _lat) & (_lon.round(decimals) == _lon),
        # An applied fix can make a valid point from an invalid one: then the delivered point is not released.
        _lat.is_not_null()
        & _lon.is_not_null()
        & ~_flags.list.contains("COORDINATE_OUT_OF_RANGE")
        & ~_flags.list.contains("ZERO_COORDINATE")
        & ~_flags.list.contains("CURATOR_SET"),
        "{coord-lat} {coord-lon}",
    ),
    _Threshold(
        "images.fragment_fraction",
        "FRAGMENT",
        lambda least: pl.col("area_fraction") < least,
        pl.col("area_fraction").is_not_null(),
        "area_fraction {area_fraction}",
    ),
)


def check(stated: Stated, data: Rows, relabelled: pl.Series, fixed: pl.Series) -> Iterator[Fault]:
    """Check flags and gates of the released rows against the stated settings.

    Args:
        stated: the settings.
        data: the rows, read in pieces.
        relabelled: process IDs whose phylum or class was changed.
        fixed: process IDs whose coordinates were changed by a fix.
    """
    listing = Listing()
    for piece in data.pieces(_COLUMNS):
        rows = _measured(piece, stated, relabelled)
        for one in _THRESHOLDS:
            if one.setting in stated:
                _hold(rows, one, stated, listing, data.name)
        for setting, wrong, message in _gates(stated, fixed):
            if setting in stated:
                # `decisions` checks whom curators have accepted.
                opened = _flags.list.contains("CURATOR_ACCEPTED") if setting in _OPENED else pl.lit(value=False)
                listing.add(data.name, rows.filter(wrong.fill_null(value=False) & ~opened), message)
    yield from listing.faults()


def _hold(rows: pl.DataFrame, one: _Threshold, stated: Stated, listing: Listing, name: str) -> None:
    value = stated.shown(one.setting)
    hit, has = one.hit(stated[one.setting]).fill_null(value=False), _flags.list.contains(one.flag)
    among = one.among.fill_null(value=False)
    unshown = pl.lit(value=True) if one.absent_among is None else one.absent_among
    lacks = rows.filter(among & hit & ~has)
    listing.add(name, lacks, f"lacks the flag {one.flag}, which {value} gives: {one.evidence}")
    extra = rows.filter(among & ~hit & has & unshown)
    listing.add(name, extra, f"has the flag {one.flag}, which {value} does not give: {one.evidence}")


def _gates(stated: Stated, fixed: pl.Series) -> Iterator[tuple[str, pl.Expr, str]]:
    """Setting, condition on rows that contradict it, and the message."""
    boxed, status = pl.col("area_fraction").is_not_null(), pl.col("image_status")
    if stated["gates.require_image"]:
        yield "gates.require_image", ~boxed, "has no image; gates.require_image is True"
    good = status.is_in(list(stated["gates.image_statuses"]))
    shown = stated.shown("gates.image_statuses")
    yield "gates.image_statuses", boxed & ~good, f"is released with the image status {{image_status}}, against {shown}"
    held = pl.any_horizontal(pl.lit(value=False), *(_flags.list.contains(flag) for flag in stated["gates.image_flags"]))
    if "gates.image_flags" in stated:
        yield (
            "gates.image_flags",
            boxed & held,
            f"is released with an image flag of {stated.shown('gates.image_flags')}",
        )
        good &= ~held
    for rank, names in stated["gates.scope"].items():
        outside = pl.col(rank).is_not_null() & ~pl.col(rank).is_in(list(names))
        yield "gates.scope", outside, f"has the {rank} {{{rank}}}, against {stated.shown('gates.scope')}"
    yield "gates.image_statuses", good & ~boxed, f"has the image status {{image_status}} and no image, against {shown}"
    if stated["gates.require_bin"]:
        yield "gates.require_bin", pl.col("dna_bin").is_null(), "has no BIN; gates.require_bin is True"
    run = stated.shown("gates.min_unambiguous_run")
    short = pl.col("run") < stated["gates.min_unambiguous_run"]
    yield "gates.min_unambiguous_run", short, f"its longest run of A, C, G, T has {{run}} bp, against {run}"
    sure = stated["images.min_confidence"]
    if sure != "auto":
        unsure, surer = pl.col("confidence") < sure - _ROUNDED, pl.col("confidence") > sure + _ROUNDED
        wrong = ((status == "detected") & unsure) | ((status == "low_confidence") & surer)
        message = (
            f"is {{image_status}} at the confidence {{confidence}}, against {stated.shown('images.min_confidence')}"
        )
        yield "images.min_confidence", wrong, message
    if stated["geography.apply_coordinate_fixes"]:
        proposed = pl.any_horizontal(_flags.list.contains(flag) for flag in FIXES)
        message = "its coordinates have a proposed fix that was not applied; geography.apply_coordinate_fixes is True"
        yield "geography.apply_coordinate_fixes", proposed & ~pl.col("processid").is_in(fixed.implode()), message


def _measured(piece: pl.DataFrame, stated: Stated, relabelled: pl.Series) -> pl.DataFrame:
    """Add barcode, length, ambiguous, run, repeats, closed and of_default_code."""
    barcode = pl.col("barcode")
    rows = piece.with_columns(barcode=pl.col("dna_barcode").str.strip_chars("N")).with_columns(
        length=barcode.str.len_bytes().cast(pl.Int64), ambiguous=barcode.str.count_matches("[^ACGT]").cast(pl.Int64)
    )
    runs = barcode.str.extract_all("[ACGT]+").list.eval(pl.element().str.len_bytes()).list.max()
    phylum = pl.col("phylum").str.strip_chars().str.to_lowercase()
    stops = _STOPS[stated["barcodes.genetic_code"]]
    in_frame = "^[A-Z]{{{offset}}}(?:[A-Z]{{3}})*?(?:{stops})"
    return rows.with_columns(
        run=pl.when(pl.col("ambiguous") == 0).then(pl.col("length")).otherwise(runs.cast(pl.Int64).fill_null(0)),
        closed=pl.all_horizontal(
            pl.col("dna_barcode").str.contains(in_frame.format(offset=offset, stops=stops)) for offset in range(3)
        ),
        of_default_code=~phylum.is_in(list(_OTHER_CODES)).fill_null(value=False)
        & ~pl.col("processid").is_in(relabelled.implode()),
        repeats=_repeat_share(rows["barcode"], stated["barcodes.max_low_complexity_share"]),
    ).drop("dna_barcode")


def _repeat_share(barcodes: pl.Series, bound: float) -> pl.Series:
    """Share that the most common trinucleotide takes of each barcode; overlapping occurrences count once.

    It is exact if it may exceed `bound`, else null: a cheap count with overlaps is an upper bound.
    """
    words = pl.DataFrame({"word": [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT"]})["word"]
    lengths = barcodes.str.len_bytes().fill_null(0).to_numpy().astype(np.int64)
    codes = np.full(256, 4, np.int16)
    codes[np.frombuffer(b"ACGT", np.uint8)] = np.arange(4)
    most = np.zeros(len(lengths), np.int64)
    for start in range(0, len(lengths), 4096):
        part = lengths[start : start + 4096]
        # Two letters that are not bases separate the barcodes.
        text = barcodes.slice(start, 4096).fill_null("").str.join("NN").item() + "NN"
        bases = codes[np.frombuffer(text.encode(), np.uint8)]
        row = np.repeat(np.arange(len(part)), part + 2)[: max(len(bases) - 2, 0)]
        whole = (bases[:-2] < 4) & (bases[1:-1] < 4) & (bases[2:] < 4)
        word = bases[:-2] * 16 + bases[1:-1] * 4 + bases[2:]
        counts = np.bincount(row[whole] * 64 + word[whole], minlength=64 * len(part))
        most[start : start + 4096] = counts.reshape(-1, 64).max(axis=1)
    suspects = pl.Series(3 * most >= bound * lengths)
    counted = barcodes.filter(suspects).to_frame("barcode")
    apart = pl.max_horizontal(pl.col("barcode").str.count_matches(each, literal=True) for each in words)
    exact = counted.select(3 * apart / pl.col("barcode").str.len_bytes()).to_series()
    places = pl.Series(np.flatnonzero(suspects.to_numpy()), dtype=pl.UInt32)
    return pl.Series([None] * len(barcodes), dtype=pl.Float64).scatter(places, exact)
