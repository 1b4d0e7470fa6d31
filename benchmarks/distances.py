"""Distances between barcodes: pairs a second, beside rapidfuzz, edlib and the published pure-Python distance.

    python benchmarks/distances.py --bold ../shared/data/bold [--barcodes 1000] [--corpus 2500000] [--mafft RELEASE]

The barcodes are those of the records below --bold (2,482 distinct ones in `../shared/data/bold`), placed on the frame
first. Ours is the p-distance over shared columns, in one thread; the others are edits between the strings, which is
another number. The published distance is the textbook dynamic programme of Damerau and Levenshtein in pure Python; it
is written here anew. edlib is measured if it is installed; it is no dependency.

--mafft aligns the barcodes of each group of a release with MAFFT (Debian's mafft), and compares the group's mean
p-distance on that alignment with ours. Of a group with more than 150 barcodes, the first 150 are compared in both.

--corpus compares drawn barcodes of so many within the groups of a tree: families of 2,000 on the average, genera of
200, species of 12, and BINs of 10.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from bioscan_etl.barcodes.distances import Distribution, pairs_of
from bioscan_etl.barcodes.distinct import numbered
from bioscan_etl.barcodes.framed import comparable, framed
from bioscan_etl.barcodes.placement import place
from bioscan_etl.schema import BARCODES, PLACEMENTS
from bioscan_etl.settings import Settings, StatisticsSettings
from bioscan_etl.statistics.definitions import LEVELS
from bioscan_etl.statistics.described import describe
from bioscan_etl.statistics.distances import distances

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from overlaps import placed
from test_barcodes_check import real_barcodes

_PUBLISHED_PAIRS, _EDIT_PAIRS = 6, 20_000
_ALIGNED = 150


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bold", type=Path, help="folder of BOLD records, such as ../shared/data/bold")
    parser.add_argument("--barcodes", type=int, default=1_000)
    parser.add_argument("--mafft", metavar="RELEASE", help="folder of a release, such as out/releases/latest")
    parser.add_argument("--corpus", type=int, default=0, help="distinct barcodes of a drawn corpus")
    arguments = parser.parse_args()
    if arguments.bold:
        per_pair(real_barcodes(arguments.bold.parent).head(arguments.barcodes))
    if arguments.mafft:
        beside_mafft(arguments.mafft)
    if arguments.corpus:
        corpus(arguments.corpus)


def per_pair(texts: pl.Series) -> None:
    """Ours and the others on pairs of real barcodes."""
    on_frame = framed(place(texts))
    members = np.arange(len(texts))
    pairs_of(on_frame, members[:50])
    start = time.perf_counter()
    pairs = pairs_of(on_frame, members)
    ours = int(pairs.count.sum()) / (time.perf_counter() - start)
    print(f"{len(texts):,} real barcodes, {int(pairs.count.sum()):,} pairs: {ours:,.0f} pairs a second and thread")
    generator = np.random.default_rng(0)
    chosen = generator.integers(0, len(texts), (_EDIT_PAIRS, 2))
    values = texts.to_list()
    some = [(values[a], values[b]) for a, b in chosen]
    for name, function, count in (*_others(), ("the published distance", published, _PUBLISHED_PAIRS)):
        start = time.perf_counter()
        for one, other in some[:count]:
            function(one, other)
        rate = count / (time.perf_counter() - start)
        print(f"  {name}: {rate:,.1f} pairs a second; ours {ours / rate:,.0f} times as many")


def _others() -> list[tuple[str, Callable[[str, str], object], int]]:
    from rapidfuzz.distance import DamerauLevenshtein, Levenshtein

    found: list[tuple[str, Callable[[str, str], object], int]] = [
        ("rapidfuzz, Levenshtein", Levenshtein.distance, _EDIT_PAIRS),
        ("rapidfuzz, Damerau-Levenshtein", DamerauLevenshtein.distance, 200),
    ]
    try:
        import edlib
    except ImportError:
        print("  edlib is not installed and left out")
        return found
    return [*found, ("edlib", edlib.align, _EDIT_PAIRS)]


def published(one: str, other: str) -> int:
    """Damerau-Levenshtein distance, with each letter's last place, in pure Python."""
    last: dict[str, int] = {}
    far = len(one) + len(other)
    table = [[far] * (len(other) + 2) for _ in range(len(one) + 2)]
    for row in range(len(one) + 1):
        table[row + 1][1] = row
    for column in range(len(other) + 1):
        table[1][column + 1] = column
    for row, mine in enumerate(one, 1):
        match = 0
        for column, theirs in enumerate(other, 1):
            before, at = last.get(theirs, 0), match
            cost = int(mine != theirs)
            if not cost:
                match = column
            table[row + 1][column + 1] = min(
                table[row][column] + cost,
                table[row + 1][column] + 1,
                table[row][column + 1] + 1,
                table[before][at] + (row - before - 1) + 1 + (column - at - 1),
            )
        last[mine] = row
    return table[-1][-1]


def beside_mafft(release: str) -> None:
    """The mean distance of each group on MAFFT's alignment and on the frame, as substitutions in 625 columns."""
    rows = describe(release, Settings()).rows.select("processid", "dna_barcode", *LEVELS)
    barcodes, ids = numbered(rows.select("processid", "dna_barcode"), PLACEMENTS.empty().lazy(), 300)
    usable = barcodes.filter(pl.col("doubt").is_null()).with_row_index("at")
    on_frame, texts = framed(usable), usable["barcode"].to_list()
    members = rows.drop("dna_barcode").collect().join(ids, on="processid").join(
        usable.select("barcode_id", "at"), on="barcode_id"
    )  # fmt: skip
    for level in LEVELS:
        groups = members.drop_nulls(level).group_by(level).agg(pl.col("at").unique().sort()).sort(level)
        apart, worst = [], ("", 0.0)
        for name, at in groups.filter(pl.col("at").list.len() >= 4).iter_rows():
            chosen = at[:_ALIGNED]
            pairs = pairs_of(on_frame, np.array(chosen)).sharing(300)
            ours = Distribution.of(pairs.p_distance(), pairs.count).mean()
            theirs = aligned_mean([texts[one] for one in chosen])
            if ours is not None and theirs is not None:
                apart.append(abs(ours - theirs) * 625)
                worst = max(worst, (name, apart[-1]), key=lambda one: one[1])
        if apart:
            print(
                f"{level}: {len(apart)} groups, apart by {np.mean(apart):.2f} of 625 on the average, at most "
                f"{worst[1]:.2f} ({worst[0]}); {sum(one > 0.5 for one in apart)} by more than 0.5"
            )


def aligned_mean(texts: list[str]) -> float | None:
    """Mean p-distance of all pairs on MAFFT's alignment, over columns where both have a base; at least 300 of them."""
    fasta = "".join(f">{number}\n{text}\n" for number, text in enumerate(texts))
    done = subprocess.run(["mafft", "--quiet", "--auto", "-"], input=fasta, capture_output=True, text=True, check=True)
    rows = ["".join(part.split("\n")[1:]).upper() for part in done.stdout.split(">")[1:]]
    found = np.array([list(row.encode()) for row in rows], np.uint8)
    is_base = np.isin(found, np.frombuffer(b"ACGT", np.uint8))
    values = []
    for number in range(len(found) - 1):
        both = is_base[number] & is_base[number + 1 :]
        shared = both.sum(axis=1)
        differ = ((found[number] != found[number + 1 :]) & both).sum(axis=1)
        values.append((differ / np.maximum(shared, 1))[shared >= 300])
    every = np.concatenate(values)
    return float(every.mean()) if len(every) else None


def corpus(count: int) -> None:
    """All levels of a drawn corpus."""
    placements = placed(count)
    generator = np.random.default_rng(1)
    weight = 1 / (np.arange(max(count // 12, 1)) + 20)
    species = generator.choice(len(weight), placements.height, p=weight / weight.sum())
    numbers = {"species": species, "genus": species // 17, "subfamily": species // 80, "family": species // 170}
    numbers |= {"order": species // 4_000, "class": species // 40_000, "phylum": species * 0, "dna_bin": species}
    rows = pl.DataFrame(
        {level: pl.Series(numbers[level]).cast(pl.String) for level in LEVELS}
        | {"barcode_id": pl.Series(range(placements.height), dtype=pl.UInt32)}
    )
    barcodes = placements.with_row_index("barcode_id").with_columns(records=1, group=0)
    start = time.perf_counter()
    found = distances(rows, *comparable(BARCODES.conform(barcodes)), StatisticsSettings(), 300)
    seconds = time.perf_counter() - start
    levels = found["distance_levels"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(
        f"{placements.height:,} drawn barcodes: {int(levels['groups'].sum()):,} groups, "
        f"{int(levels['pairs'].sum()):,} pairs in {seconds:.0f} s, peak {peak:.1f} GiB"
    )


if __name__ == "__main__":
    main()
