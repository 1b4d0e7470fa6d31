"""Checks of a batch that compare its counts with settings, so that a bad delivery fails on its own.

Belongs here: one function per stage that has such checks. They are separate from the stages, so that a reworded check
or another threshold makes no output stale. Does not belong here: checks that need the data; stages run them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from bioscan_etl.findings import Finding
from bioscan_etl.lake.store import Output
from bioscan_etl.settings import Settings
from bioscan_etl.stages.registry import STAGES, Stage


def _raw_records(output: Output, settings: Settings) -> list[Finding]:
    """No row is lost, and most can be read."""
    counts, stage = output.counts, STAGES["raw_records"]
    read, records = int(counts["rows_read"]), int(counts["records"])
    aside, rejected = sum(counts["set_aside"].values()), sum(counts["rejected"].values())
    lost = read - records - aside - rejected
    most = settings.checks.max_rejected_share
    return [
        stage.finding(
            "rows_accounted_for",
            passed=lost == 0,
            count=abs(lost),
            detail=f"{read} read, {records} records, {aside} set aside, {rejected} rejected",
        ),
        stage.finding(
            "few_rows_rejected",
            passed=rejected <= most * read,
            count=rejected,
            detail=f"{rejected} of {read} rows are rejected, checks.max_rejected_share allows {most:g}",
        ),
    ]


def _checked_barcodes(output: Output, settings: Settings) -> list[Finding]:
    """Most records have a barcode."""
    records, found = int(output.counts["checked_barcodes"]), int(output.counts["with_barcode"])
    least = settings.checks.min_barcode_share
    return [
        STAGES["checked_barcodes"].finding(
            "records_have_barcodes",
            passed=found >= least * records,
            count=records - found,
            detail=f"{records - found} of {records} records have no barcode, "
            f"checks.min_barcode_share requires {least:g}",
        )
    ]


def _specimen_boxes(output: Output, settings: Settings) -> list[Finding]:
    """Most images can be decoded, and show a specimen."""
    counts, stage, chosen = output.counts, STAGES["specimen_boxes"], settings.checks
    images, unreadable = int(counts["images"]), int(counts.get("unreadable", 0))
    readable = images - unreadable
    missed = readable - int(counts.get("detected", 0))
    return [
        stage.finding(
            "images_readable",
            passed=unreadable <= chosen.max_unreadable_share * images,
            count=unreadable,
            detail=f"{unreadable} of {images} images cannot be decoded, checks.max_unreadable_share allows "
            f"{chosen.max_unreadable_share:g}",
        ),
        stage.finding(
            "specimens_detected",
            passed=missed <= (1 - chosen.min_detected_share) * readable,
            count=missed,
            detail=f"on {missed} of {readable} images no specimen is detected with confidence, "
            f"checks.min_detected_share requires {chosen.min_detected_share:g}",
        ),
    ]


_EXAMINED: Mapping[str, Callable[[Output, Settings], list[Finding]]] = MappingProxyType(
    {"raw_records": _raw_records, "checked_barcodes": _checked_barcodes, "specimen_boxes": _specimen_boxes}
)


def examine(stage: Stage, output: Output, settings: Settings) -> tuple[Finding, ...]:
    """Results of the checks that compare the counts of an output with settings."""
    function = _EXAMINED.get(stage.name)
    return tuple(function(output, settings.limited(stage.examines, stage.name))) if function else ()
