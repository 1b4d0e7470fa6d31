"""Does a release's statement of how it was made agree with itself and with its rows?

Belongs here: batches, deliveries and the settings that each was made with. Does not belong here: whether the data agree
with the settings (`settings`).
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from bioscan_etl.release.check.agreement import Rows
from bioscan_etl.release.check.faults import Fault, Listing, capped
from bioscan_etl.release.manifest import MANIFEST, Manifest
from bioscan_etl.settings import document_digest


def check(manifest: Manifest) -> Iterator[Fault]:
    """Every batch and stage was made with the settings that the manifest states.

    Args:
        manifest: of format 1, which states nothing, or 2.
    """
    made = manifest.provenance
    if made is None:
        if manifest.format_version != 1:
            yield Fault(MANIFEST, None, "states no provenance, as format 2 must")
        return
    if document_digest(manifest.settings) != made.settings_digest:
        yield Fault(MANIFEST, None, "its settings are not those of provenance.settings_digest")
    found = [(f"batch {name}", batch.settings) for name, batch in made.batches.items()]
    found += [(f"stage {name}", stage.settings) for name, stage in made.corpus.items()]
    yield from capped(
        Fault(MANIFEST, None, f"{what} was made with {name} {value!r}, the settings state {stated!r}")
        for what, settings in found
        for name, value in sorted(settings.items())
        if (stated := _stated(manifest, name)) != value
    )
    for name in sorted({str(entry.get("batch")) for entry in manifest.inputs} - set(made.batches)):
        yield Fault(MANIFEST, None, f"names inputs of batch {name}, which provenance does not")
    for name in sorted(set(made.batches) & set(made.withdrawn)):
        yield Fault(MANIFEST, None, f"says that batch {name} is withdrawn, and that the release is made of it")


def _stated(manifest: Manifest, name: str) -> object:
    section, _, field = name.partition(".")
    values = manifest.settings.get(section)
    return values.get(field) if isinstance(values, dict) else None


def check_batches(manifest: Manifest, data: Rows) -> Iterator[Fault]:
    """Every released specimen is of a batch that the manifest names.

    Args:
        manifest: of the release.
        data: rows of `data/`.
    """
    if manifest.provenance is None:
        return
    listing = Listing()
    known = list(manifest.provenance.batches)
    for piece in data.pieces(("batch",)):
        strange = piece.filter(~pl.col("batch").is_in(known).fill_null(value=False))
        listing.add(data.name, strange, f"is of batch {{batch}}, which {MANIFEST} does not name")
    yield from listing.faults()
