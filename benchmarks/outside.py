"""The nearest barcode of another family: the search by clusters beside all pairs, and time.

    python benchmarks/outside.py [--data ../shared/data] [--exact 8000] [--barcodes 200000] [--asked 150]

--data searches the real barcodes with a species in a folder of BOLD records. --exact draws so many barcodes on a tree,
and compares all pairs. --barcodes draws a large corpus, measures the time of the whole audit and of this search, and
compares some species of it (--asked) with all barcodes.

Recall is the share of the species with a nearer barcode in another family for which the search finds one as near: it is
exact, so anything below 1 is a fault. It is printed by the distance of that barcode. In each corpus some barcodes get
the label of a species of another family, as mislabelled or contaminated specimens do.

The drawn tree: families differ by 18 % on the average, genera by 14 %, species of a genus by 7 %, barcodes of a species
by up to 1.5 %. Most substitutions are at third positions. Sizes fall off as 1/rank: a species has 12 barcodes on the
average, a genus 8 species, a family 10 genera. One species of 20 has a family of its own. A tenth of the barcodes has
an N, 40 % begin or end later or earlier, 2 % are fragments.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from bioscan_etl.barcodes.distances import nearest_of_another, p_of_pairs
from bioscan_etl.barcodes.distinct import numbered
from bioscan_etl.barcodes.framed import Framed, comparable
from bioscan_etl.barcodes.outside import Labelled, nearest_outside
from bioscan_etl.schema import BARCODES, PLACEMENTS
from bioscan_etl.statistics.audit import audit, gaps
from bioscan_etl.threads import cores, ordered_map

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from distances import real_specimens
from framed_barcodes import drawn

LEAST = 300
_UPTO = (0.0, 0.02, 0.05, 0.1, 0.15, 1.0)
_PAIRS = 1 << 16
# Chances that a base changes on the way from one level to the next, by position in the codon.
_CHANGES = {"family": (0.06, 0.02, 0.32), "genus": (0.03, 0.008, 0.17), "species": (0.012, 0.003, 0.11)}
_WITHIN = (0.001, 0.0005, 0.008)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with BOLD records in bold/*.tsv, such as ../shared/data")
    parser.add_argument("--exact", type=int, default=8_000, help="drawn barcodes whose pairs are all compared")
    parser.add_argument("--barcodes", type=int, default=200_000, help="drawn barcodes of the large corpus; 0: none")
    parser.add_argument("--asked", type=int, default=150, help="species of the large corpus that are searched exactly")
    arguments = parser.parse_args()
    if arguments.data:
        rows = real_specimens(arguments.data).filter(pl.col("species").is_not_null() & pl.col("family").is_not_null())
        barcodes, ids = numbered(rows.lazy().select("processid", "dna_barcode"), PLACEMENTS.empty().lazy(), LEAST)
        labels = rows.join(ids, on="processid").select("family", "species", "barcode_id")
        for planted in (0, 60):
            recall("real barcodes", *comparable(barcodes), *_mislabelled(labels, planted), None)
    if arguments.exact:
        barcodes, labels = tree(arguments.exact)
        recall("drawn barcodes", *comparable(barcodes), *_mislabelled(labels, arguments.exact // 20), None)
    if arguments.barcodes:
        large(arguments.barcodes, arguments.asked)


def large(count: int, asked: int) -> None:
    """Time and memory of the audit of a drawn corpus, and recall of some species."""
    barcodes, labels = tree(count)
    labels, planted = _mislabelled(labels, count // 1_000)
    position, on_frame = comparable(barcodes)
    rows = labels.with_columns(pl.lit(None, pl.String).alias("dna_bin"))
    start, used = time.perf_counter(), time.process_time()
    audited = audit(rows, gaps(rows, position, on_frame, LEAST))["species_audit"]
    seconds, used = time.perf_counter() - start, time.process_time() - used
    other = audited.filter(pl.col("nearest_family") != pl.col("family")).height
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(
        f"{barcodes.height:,} drawn barcodes, {audited.height:,} species, {audited['family'].n_unique():,} families: "
        f"audit {seconds:.0f} s ({used:.0f} s of CPU), {other:,} species with the nearest in another family; "
        f"peak {peak:.1f} GiB",
        flush=True,
    )
    if asked:
        recall("of these", position, on_frame, labels, planted, asked)


def _mislabelled(labels: pl.DataFrame, count: int) -> tuple[pl.DataFrame, list[str]]:
    """The labels with some specimens more that have the barcode of another species, and the species of these."""
    generator = np.random.default_rng(3)
    one, other = generator.choice(labels.height, (2, count))
    more = labels[other].select("family", "species").hstack(labels[one].select("barcode_id"))
    return pl.concat([labels.select(more.columns), more]), more["species"].unique().sort().to_list()


def recall(
    what: str,
    position: pl.DataFrame,
    on_frame: Framed,
    labels: pl.DataFrame,
    planted: list[str],
    asked: int | None,
) -> None:
    """Compare the search with all pairs: of all species, or of some planted ones and as many others.

    The others are those for which the bound is farthest: where a nearer barcode in another family is likely.
    """
    one, names = labelled(position, on_frame, labels)
    start, used = time.perf_counter(), time.process_time()
    p, _ = nearest_outside(on_frame, one, LEAST)
    seconds, used = time.perf_counter() - start, time.process_time() - used
    every = np.arange(len(one.bounds))
    chosen = every
    if asked is not None:
        is_planted = names.is_in(planted).to_numpy()
        generator = np.random.default_rng(0)
        far = every[~is_planted][np.argsort(-one.bounds[~is_planted], kind="stable")[: len(every) // 10]]
        parts = [generator.choice(part, min(asked // 2, len(part)), replace=False) for part in (every[is_planted], far)]
        chosen = np.sort(np.concatenate(parts))
    start = time.perf_counter()
    exact = searched(on_frame, one, chosen)
    slow = time.perf_counter() - start
    is_nearer = np.isfinite(exact)
    found = p[chosen] == exact
    print(
        f"{what}: {len(one.members):,} labelled barcodes, {len(every):,} species: by clusters {seconds:.1f} s "
        f"({used:.1f} s of CPU); all pairs "
        f"of {len(chosen):,} species {slow:.1f} s; {is_nearer.sum():,} have a nearer barcode in another family, recall "
        f"{found[is_nearer].mean() if is_nearer.any() else 1:.4f}"
    )
    for low, high in pairwise(_UPTO):
        inside = is_nearer & (exact >= low) & (exact < high)
        if inside.any():
            missed = np.minimum(p[chosen], one.bounds[chosen])[inside] - exact[inside]
            print(
                f"  {low:.0%} to {high:.0%}: {inside.sum():,} species, recall {found[inside].mean():.4f}; the distance "
                f"is too large by {missed.max():.4f} at most"
            )


def labelled(position: pl.DataFrame, on_frame: Framed, labels: pl.DataFrame) -> tuple[Labelled, pl.Series]:
    """As `statistics.audit` has it, and the name of each group."""
    members = labels.drop_nulls().unique().join(position, on="barcode_id").sort("family", "species", "at")
    members = members.with_columns(number=pl.struct("family", "species").rle_id().cast(pl.Int64))
    groups = members.group_by("number", maintain_order=True).agg(pl.col("family", "species").first())
    bounds = np.full(groups.height, np.inf)
    frames = [frame for _, frame in members.group_by(["family"], maintain_order=True)]
    for _, found in ordered_map(
        lambda frame: nearest_of_another(
            on_frame, frame["at"].to_numpy().astype(np.int64), frame["number"].to_numpy(), LEAST
        ),
        frames,
        cores(),
    ):
        for number, (p, _) in found.items():
            bounds[number] = np.inf if p is None else p
    found_ = Labelled(
        members["at"].to_numpy().astype(np.int64),
        members["number"].to_numpy(),
        groups["family"].rle_id().to_numpy().astype(np.int64),
        groups["species"].rank("dense").to_numpy().astype(np.int64),
        bounds,
    )
    return found_, groups["species"]


def searched(on_frame: Framed, one: Labelled, chosen: np.ndarray) -> np.ndarray:
    """The exact distance of some groups; infinite if it is not below the bound."""

    def work(group: int) -> float:
        mine = one.members[one.groups == group]
        others = np.unique(
            one.members[(one.families[one.groups] != one.families[group]) & (one.names[one.groups] != one.names[group])]
        )
        best = np.inf
        for at in mine.tolist():
            for start in range(0, len(others), _PAIRS):
                part = others[start : start + _PAIRS]
                best = min(best, p_of_pairs(on_frame, np.full(len(part), at), part, LEAST).min())
        return best if best < one.bounds[group] else np.inf

    return np.array([p for _, p in ordered_map(work, chosen.tolist(), cores())])


def tree(count: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Distinct barcodes on the frame, as `schema.BARCODES`, and family, genus, species and barcode_id of each."""
    generator = np.random.default_rng(0)
    species = np.sort(generator.choice(max(count // 12, 2), count, p=_falling(max(count // 12, 2))))
    _, species = np.unique(species, return_inverse=True)
    # Numbers that are neighbours are related.
    root = np.frombuffer(drawn(1)[0].encode(), np.uint8)[None, :]
    shuffled = generator.permutation(species.max() + 1)
    genus = _parents(species.max() + 1, 8, 20, generator)
    family = _parents(genus.max() + 1, 10, 3, generator)
    of_family = _changed(np.repeat(root, family.max() + 1, axis=0), "family", generator)
    of_genus = _changed(of_family[family], "genus", generator)
    of_species = _changed(of_genus[genus], "species", generator)
    # One species of 20 has a family of its own, though it descends from another: its nearest relatives are there.
    is_apart = generator.random(species.max() + 1) < 0.05
    families = np.where(is_apart, family.max() + 1 + np.arange(species.max() + 1), family[genus[shuffled]])
    parts = []
    for start in range(0, count, 100_000):
        chosen = slice(start, start + 100_000)
        bases = _mutated(of_species[shuffled[species[chosen]]], np.array(_WITHIN), generator)
        rows = len(bases)
        unread = np.flatnonzero(generator.random(rows) < 0.1)
        bases[unread, generator.integers(0, 658, len(unread))] = ord("N")
        begin = np.where(generator.random(rows) < 0.6, 0, generator.integers(0, 30, rows))
        end = np.where(generator.random(rows) < 0.6, 658, 658 - generator.integers(0, 60, rows))
        short = np.flatnonzero(generator.random(rows) < 0.02)
        begin[short] = generator.integers(0, 200, len(short))
        end[short] = begin[short] + generator.integers(310, 450, len(short))
        texts = [
            bytes(row[first:last]).decode()
            for row, first, last in zip(bases, begin.tolist(), end.tolist(), strict=True)
        ]
        cut = pl.col("barcode").str.len_bytes() - pl.col("barcode").str.strip_chars_start("N").str.len_bytes()
        part = pl.DataFrame(
            {
                "barcode": texts,
                "begin": begin,
                "species": shuffled[species[chosen]],
                "genus": genus[shuffled[species[chosen]]],
                "family": families[species[chosen]],
            }
        ).with_columns(begin=pl.col("begin") + cut.cast(pl.Int64))
        parts.append(part.with_columns(pl.col("barcode").str.strip_chars("N")))
    labels = pl.concat(parts)
    labels = labels.unique("barcode", keep="first", maintain_order=True).sort("barcode").with_row_index("barcode_id")
    placed = labels.select(
        "barcode_id", "barcode", start=0, first=pl.col("begin") + 1,
        last=pl.col("begin") + pl.col("barcode").str.len_bytes(), missing_columns=[], inserted_bases=[], weight=0,
        doubt=None, records=1, group=0,
    )  # fmt: skip
    names = labels.select(
        family=pl.format("F{}", "family"),
        genus=pl.format("G{}", "genus"),
        species=pl.format("S{}", "species"),
        barcode_id="barcode_id",
    )
    return BARCODES.conform(placed), names


def _falling(count: int, flat: int = 20) -> np.ndarray:
    weight = 1 / (np.arange(count) + flat)
    return weight / weight.sum()


def _parents(count: int, size: int, flat: int, generator: np.random.Generator) -> np.ndarray:
    """The parent of each child, ascending: few have many children, many have one or two."""
    parents = max(count // size, 1)
    return np.unique(np.sort(generator.choice(parents, count, p=_falling(parents, flat))), return_inverse=True)[1]


def _changed(bases: np.ndarray, level: str, generator: np.random.Generator) -> np.ndarray:
    """Descendants, some of which are nearer to their ancestor than others."""
    scale = generator.uniform(0.2, 1.5, (len(bases), 1))
    return _mutated(bases, np.array(_CHANGES[level]), generator, scale)


def _mutated(
    bases: np.ndarray, chances: np.ndarray, generator: np.random.Generator, scale: np.ndarray | float = 1.0
) -> np.ndarray:
    found = bases.copy()
    for start in range(0, len(bases), 20_000):
        part = found[start : start + 20_000]
        by_column = chances[(np.arange(part.shape[1]) - 1) % 3][None, :]
        by_row = scale[start : start + 20_000] if isinstance(scale, np.ndarray) else scale
        row, column = np.nonzero(generator.random(part.shape, np.float32) < by_column * by_row)
        part[row, column] = np.frombuffer(b"ACGT", np.uint8)[generator.integers(0, 4, len(row))]
    return found


if __name__ == "__main__":
    main()
