"""Cases of the audit on which a curator should decide: BINs with several species, and species without a barcode gap.

A case is judged by the labels that the rules made, before those that curators set: the decision that answers a case
must not make it disappear. A species without a gap and its nearest species are one case. If a BIN holds both, that BIN
is the case, and not the two species.

Belongs here: the cases, and the specimens that show them. Does not belong here: the audit of all species (`audit`), and
which cases another doubt has already (`doubts.find`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from bioscan_etl.barcodes.distances import nearest_of_another, witnesses
from bioscan_etl.barcodes.framed import Framed
from bioscan_etl.progress import Progress, silent
from bioscan_etl.statistics.audit import gaps, shared_bins
from bioscan_etl.vocabulary import RELABELLED

CASES = pl.Schema(
    {
        "rule": pl.String(),
        "dna_bin": pl.String(),
        "species": pl.List(pl.String()),
        "specimens": pl.Int64(),
        "processids": pl.List(pl.String()),
        "why": pl.String(),
        "facts": pl.String(),
    }
)
"""A case: its BIN (null for a species without a gap), its species (the one without a gap, then the nearest), the number
of its specimens, the process IDs that show it, and its facts: a change of them asks for another decision."""

_SEVERAL, _NO_GAP = "BIN_SEVERAL_SPECIES", "NO_BARCODE_GAP"
_OF_BARCODE = 5  # specimens of a barcode that are shown
_NAMES = 6  # species of a BIN that are named
_LABELS = ("family", "species")


def before_curators(rows: pl.DataFrame, changes: pl.DataFrame) -> pl.DataFrame:
    """The rows with family and species as the rules made them.

    Args:
        rows: processid, family and species, and any other columns.
        changes: `schema.CHANGES`, in any order.
    """
    set_by_curators = changes.filter(pl.col("rule") == RELABELLED, pl.col("field").is_in(_LABELS))
    found = rows
    for label in _LABELS:
        undone = set_by_curators.filter(pl.col("field") == label).select(
            "processid", "before", is_set=pl.lit(value=True)
        )
        found = (
            found.join(undone, on="processid", how="left", maintain_order="left")
            .with_columns(pl.when("is_set").then("before").otherwise(label).alias(label))
            .drop("before", "is_set")
        )
    return found


def cases(
    rows: pl.DataFrame,
    before: pl.DataFrame,
    found: pl.DataFrame,
    position: pl.DataFrame,
    on_frame: Framed,
    least: int,
    progress: Progress = silent,
) -> pl.DataFrame:
    """The cases, those of BINs first, by BIN; then by species.

    Args:
        rows: processid, family, species, dna_bin and barcode_id of each specimen.
        before: the same specimens in the same order, of `before_curators`.
        found: `audit.gaps` of the rows.
        position: as of `audit.audit`.
        on_frame: the same.
        least: the same.
        progress: reports the families, if curators set labels.

    Returns:
        `CASES`.
    """
    named = before.drop_nulls("species")
    bins = shared_bins(named)
    apart = _gaps_before(rows, before, found, position, on_frame, least, progress)
    placed = named.select("species", "dna_bin", "barcode_id").drop_nulls("barcode_id").unique().join(
        position, on="barcode_id"
    )  # fmt: skip
    every = [*_of_bins(named, bins, placed, on_frame, least), *_of_pairs(named, bins, apart, placed, on_frame, least)]
    return pl.DataFrame(every, schema=CASES, orient="row")


def _gaps_before(
    rows: pl.DataFrame,
    before: pl.DataFrame,
    found: pl.DataFrame,
    position: pl.DataFrame,
    on_frame: Framed,
    least: int,
    progress: Progress,
) -> pl.DataFrame:
    """`audit.gaps` by the labels before curators' ones; a label that was set changes what is near in any family."""
    if rows.select(_LABELS).equals(before.select(_LABELS)):
        return found
    return gaps(before.drop_nulls("species"), position, on_frame, least, progress)


def _of_bins(
    named: pl.DataFrame, bins: pl.DataFrame, placed: pl.DataFrame, on_frame: Framed, least: int
) -> Iterator[tuple[object, ...]]:
    """A case per BIN with several species, of which all its specimens are shown."""
    members = (
        named.join(bins.select("dna_bin"), on="dna_bin", how="semi")
        .group_by("dna_bin", "species")
        .agg(pl.len(), pl.col("processid"))
        .sort("dna_bin", "len", "species", descending=[False, True, False])
    )
    barcodes = placed.join(bins.select("dna_bin"), on="dna_bin", how="semi").sort("dna_bin", "species", "at")
    places = {str(name): frame for (name,), frame in barcodes.group_by("dna_bin")}
    for (name,), species in members.group_by("dna_bin", maintain_order=True):
        counted = [f"{one} ({size:,})" for one, size in species.select("species", "len").iter_rows()]
        said = "; ".join(counted[:_NAMES]) + (f"; and {len(counted) - _NAMES} more" if len(counted) > _NAMES else "")
        near = _nearest(places.get(str(name)), on_frame, least)
        names = species["species"].sort().to_list()
        yield (
            _SEVERAL,
            name,
            names,
            int(species["len"].sum()),
            sorted(species["processid"].explode()),
            said + ("" if near is None else f"; nearest barcodes {_percent(near)} apart"),
            "\n".join(names),
        )


def _nearest(barcodes: pl.DataFrame | None, on_frame: Framed, least: int) -> float | None:
    """The smallest distance between barcodes of two species, sorted by species."""
    if barcodes is None:
        return None
    at, species = (
        barcodes["at"].to_numpy().astype(np.int64),
        barcodes["species"].rank("dense").cast(pl.Int64).to_numpy(),
    )
    found = nearest_of_another(on_frame, at, species, least).values()
    return min((distance for distance, _ in found if distance is not None), default=None)


def _of_pairs(
    named: pl.DataFrame,
    bins: pl.DataFrame,
    apart: pl.DataFrame,
    placed: pl.DataFrame,
    on_frame: Framed,
    least: int,
) -> Iterator[tuple[object, ...]]:
    """A case per species without a gap and its nearest species, shown by the specimens of the barcodes that say so."""
    pairs = _without_gap(apart).join(_together(named, bins), on=["species", "nearest_species"], how="anti")
    wanted = pl.concat([pairs["species"], pairs["nearest_species"]]).unique()
    own = named.filter(pl.col("species").is_in(wanted.implode()))
    counts = {
        str(name): (int(samples), int(held))
        for name, samples, held in own.group_by("species")
        .agg(pl.len(), pl.col("dna_bin").drop_nulls().n_unique().alias("bins"))
        .iter_rows()
    }
    barcodes = placed.filter(pl.col("species").is_in(wanted.implode())).select("species", "barcode_id", "at").unique()
    shown = _shown(pairs, own, barcodes, on_frame, least)
    for number, (name, other, within, near) in enumerate(pairs.iter_rows()):
        spread = "one barcode" if within is None else f"barcodes up to {_percent(within)} apart"
        yield (
            _NO_GAP,
            None,
            [name, other],
            counts[name][0] + counts[other][0],
            shown.get(number, []),
            f"{spread} ({_counted(*counts[name])}), {_percent(near)} to {other} ({_counted(*counts[other])})",
            "\n".join([name, other, *("" if one is None else str(int(100 * one)) for one in (within, near))]),
        )


def _shown(
    pairs: pl.DataFrame, own: pl.DataFrame, barcodes: pl.DataFrame, on_frame: Framed, least: int
) -> dict[int, list[str]]:
    """Process IDs, sorted, of specimens with the barcodes that say so of each pair of species, by the pair's number.

    All pairs together: looking through the specimens for each of them takes as long as both numbers multiplied.

    Args:
        pairs: species and nearest_species.
        own: species, barcode_id and processid of the specimens of these species.
        barcodes: species, barcode_id and at of these species, each once.
        on_frame: as of `cases`.
        least: the same.
    """
    if pairs.is_empty():
        return {}
    ordered = barcodes.sort("species", "at")
    sizes = ordered.group_by("species", maintain_order=True).len()
    parts = np.split(ordered["at"].to_numpy().astype(np.int64), sizes["len"].cum_sum().to_numpy()[:-1])
    places = dict(zip(sizes["species"], parts, strict=True))
    found: list[tuple[int, str, int]] = []
    for number, (name, other) in enumerate(pairs.select("species", "nearest_species").iter_rows()):
        at = witnesses(on_frame, places[name], places[other], least)
        for species in (name, other):
            found += [(number, species, one) for one in np.intersect1d(at, places[species]).tolist()]
    schema = pl.Schema({"pair": pl.Int64(), "species": pl.String(), "at": barcodes.schema["at"]})
    carriers = (
        pl.DataFrame(found, schema=schema, orient="row")
        .join(barcodes, on=["species", "at"])
        .join(own.select("species", "barcode_id", "processid"), on=["species", "barcode_id"])
        .sort("pair", "barcode_id", "processid")
        .group_by("pair", "barcode_id", maintain_order=True)
        .head(_OF_BARCODE)
    )
    return dict(carriers.group_by("pair").agg(pl.col("processid").sort()).iter_rows())


def _without_gap(apart: pl.DataFrame) -> pl.DataFrame:
    """species, nearest_species, largest_within, nearest_other; of two that are each other's nearest, one row."""
    lacks = (pl.col("nearest_other") <= pl.col("largest_within")).fill_null(value=False) | (
        pl.col("nearest_other") == 0
    ).fill_null(value=False)
    pair = [pl.min_horizontal("species", "nearest_species"), pl.max_horizontal("species", "nearest_species")]
    return (
        apart.filter(lacks)
        .select("species", "nearest_species", "largest_within", "nearest_other", one=pair[0], other=pair[1])
        .sort("species")
        .unique(["one", "other"], keep="first", maintain_order=True)
        .drop("one", "other")
    )


def _together(named: pl.DataFrame, bins: pl.DataFrame) -> pl.DataFrame:
    """Pairs of species that a BIN holds: species, nearest_species."""
    held = named.select("dna_bin", "species").join(bins.select("dna_bin"), on="dna_bin", how="semi").unique()
    return held.join(held.rename({"species": "nearest_species"}), on="dna_bin").drop("dna_bin").unique()


def _percent(distance: float) -> str:
    return f"{100 * distance:.1f} %"


def _counted(samples: int, bins: int) -> str:
    return ", ".join(_some(count, noun) for count, noun in ((samples, "specimen"), (bins, "BIN")))


def _some(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
