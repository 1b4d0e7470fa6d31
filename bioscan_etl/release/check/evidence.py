"""Do the released rows contradict themselves?

Belongs here: the order of the checks that compute values again from other released values, and when each may be done.
Does not belong here: any one check (`change_log`, `flags`, `labels`, `places`, `barcodes`, `boxes`), images
(`images`), and partitions (`settings_splits`).

A release is its own witness: the change log restores the labels as they were delivered, `dna_barcode_verbatim` holds
the nucleotides as they were delivered, country and point witness against each other. What only one column says, no
other one contradicts: a sample ID, a point within its country, an organism's pixels. Only a signature vouches for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bioscan_etl.release.check import barcodes as check_barcodes
from bioscan_etl.release.check import boxes as check_boxes
from bioscan_etl.release.check import change_log as check_change_log
from bioscan_etl.release.check import decisions as check_decisions
from bioscan_etl.release.check import flags as check_flags
from bioscan_etl.release.check import labels as check_labels
from bioscan_etl.release.check import places as check_places
from bioscan_etl.release.check import verification as check_verification
from bioscan_etl.release.check.faults import Fault
from bioscan_etl.release.check.files import names
from bioscan_etl.release.check.origin import Origin
from bioscan_etl.release.check.recomputed import all_stated, read_log
from bioscan_etl.release.check.settings_stated import Stated
from bioscan_etl.release.check.tables import Data
from bioscan_etl.release.forms import bbox
from bioscan_etl.release.manifest import Manifest

_RULES = (
    "checked_barcodes",
    "checked_geography",
    "normalised_names",
    "specimens",
    "specimen_boxes",
    "curated_taxonomy",
)


def check(root: Path, manifest: Manifest, stated: Stated, data: Data, origin: Origin) -> Iterator[Fault]:
    """Check the released rows against each other and the change log.

    Args:
        root: the release's folder.
        manifest: how it was made.
        stated: its settings.
        data: the released rows.
        origin: which code made the release.
    """
    log, form, settings = read_log(root), data.form, stated.settings
    known = origin.computes(*_RULES)
    listed = check_decisions.read(root)
    if listed is not None and origin.computes("decisions", "specimens"):
        yield from check_decisions.check(root, listed, form, log, bbox.paths(names(manifest))[0])
    yield from check_change_log.check(form, log, known=known)
    yield from check_flags.check(form, log, known=known)
    if "gates.scope" in stated and origin.computes("specimens"):
        yield from check_flags.out_of_scope(form, log, settings.gates.scope)
    labels = check_labels.read(form)
    if labels.height:
        yield from check_labels.hierarchy(labels, log, form.name)
        yield from check_labels.inferred_ranks(labels, form.name)
        if all_stated(stated, "taxonomy") and origin.computes("normalised_names", "curated_taxonomy"):
            decided = None if listed is None else check_decisions.usable(listed)
            yield from check_labels.check(labels, log, settings.taxonomy, form.name, decided)
        if listed is not None and origin.computes("doubts", "curated_taxonomy", "normalised_names"):
            yield from check_verification.check(form, labels, log, listed, check_verification.read_doubts(root))
    del labels
    if all_stated(stated, "geography") and origin.computes("checked_geography", "specimens"):
        yield from check_places.check(form, log, settings.geography)
    if all_stated(stated, "barcodes") and origin.computes("checked_barcodes", "specimens"):
        yield from check_barcodes.check(form, log, settings.barcodes)
    yield from check_boxes.check(form)
    if origin.computes("specimens"):
        yield from check_boxes.measured(form)
    if all_stated(stated, "images") and origin.computes("specimen_boxes"):
        yield from check_boxes.flagged(root, bbox.paths(names(manifest))[0], form, settings.images)
