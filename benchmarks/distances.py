"""Distances between barcodes: pairs a second, beside rapidfuzz, edlib and the published pure-Python distance.

    python benchmarks/distances.py --data ../shared/data [--barcodes 1000] [--published 6] [--mafft] [--corpus 2500000]

The barcodes are those of the records in the folder --data (2,482 distinct ones in `../shared/data`), placed on the
frame first. Ours is the p-distance over shared columns, in one thread; the others are edits between the strings, which
is another number. The published distance is that of the package textdistance in pure Python, as the published code uses
it; where that is not installed, the same recipe written anew. edlib and textdistance are no dependencies.

--published compares so many pairs of aligned barcodes in rapidfuzz and in the published distance. This needs MAFFT
(Debian's mafft), as does the next.

--mafft aligns the barcodes of groups of each rank with MAFFT, and compares the mean p-distance on that alignment with
ours. Of a rank with many groups, some are drawn, and of a large group some barcodes. It also prints the published
distance of these groups, and how much of it is substitutions.

--corpus compares drawn barcodes of so many within the groups of a tree: families of 2,000 on the average, genera of
200, species of 12, and BINs of 10.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from bioscan_etl.barcodes.check import check_barcodes
from bioscan_etl.barcodes.columns import PUBLISHED_COLUMNS
from bioscan_etl.barcodes.counted import Kinds, extents, kinds_of_groups
from bioscan_etl.barcodes.distances import Distribution, p_distance
from bioscan_etl.barcodes.distinct import numbered
from bioscan_etl.barcodes.framed import Framed, comparable, framed
from bioscan_etl.barcodes.placement import place
from bioscan_etl.barcodes.published import align, edits, find_mafft
from bioscan_etl.schema import BARCODES, PLACEMENTS
from bioscan_etl.settings import StatisticsSettings
from bioscan_etl.statistics.definitions import LEVELS
from bioscan_etl.statistics.distances import distances
from bioscan_etl.threads import cores, ordered_map

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from overlaps import placed
from test_barcodes_check import SETTINGS, read_sample, real_barcodes

_EDIT_PAIRS, _SLOW_PAIRS = 20_000, 1_000
_GROUPS, _ALIGNED = 40, 40  # groups of a rank, and barcodes of a group, that MAFFT aligns
_GOALS = {
    "species": 0.5,
    "genus": 0.5,
    "subfamily": 0.5,
    "family": 0.5,
    "dna_bin": 0.5,
    "order": 3,
    "class": 3,
    "phylum": 3,
}
_LEAST = 300


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with BOLD records in bold/*.tsv, such as ../shared/data")
    parser.add_argument("--barcodes", type=int, default=1_000)
    parser.add_argument("--published", type=int, default=6, help="pairs for the published distance")
    parser.add_argument("--mafft", action="store_true", help="compare the means of groups with MAFFT's alignment")
    parser.add_argument("--corpus", type=int, default=0, help="distinct barcodes of a drawn corpus")
    arguments = parser.parse_args()
    if arguments.data:
        per_pair(real_barcodes(arguments.data).head(arguments.barcodes), arguments.published)
    if arguments.data and arguments.mafft:
        beside_mafft(arguments.data)
    if arguments.corpus:
        corpus(arguments.corpus)


def pairs_of(on_frame: Framed, members: np.ndarray) -> Kinds:
    """The pairs of some barcodes, counted."""
    return kinds_of_groups(on_frame, extents(on_frame, members), members, np.array([len(members)]))


def per_pair(texts: pl.Series, slow: int) -> None:
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
    name, function = _published()
    for what, other, count in (*_others(), (name, function, slow)):
        start = time.perf_counter()
        for one, two in some[:count]:
            other(one, two)
        rate = count / (time.perf_counter() - start)
        print(f"  {what}: {rate:,.1f} pairs a second; ours {ours / rate:,.0f} times as many")
    mafft = find_mafft()
    start = time.perf_counter()
    aligned = align(values, mafft)
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    edits(aligned, cores())
    compared = time.perf_counter() - start
    pairs_ = [(aligned[a % len(aligned)], aligned[b % len(aligned)]) for a, b in chosen[:slow]]
    start = time.perf_counter()
    theirs = [function(one, two) for one, two in pairs_]
    pure = time.perf_counter() - start
    fast, free = _distances(pairs_)
    same = sum(one == two for one, two in zip(fast, theirs, strict=True))
    other_ = sum(one != two for one, two in zip(free, theirs, strict=True))
    print(
        f"  MAFFT {mafft.version} aligns {len(aligned):,} barcodes in {seconds:.1f} s, their pairs are compared in "
        f"{compared:.1f} s. On {len(pairs_)} of them, "
        f"{name} takes {pure / len(pairs_):.3f} s a pair; optimal string alignment by rapidfuzz is equal on {same}, "
        f"unrestricted Damerau-Levenshtein differs on {other_}"
    )


def _distances(pairs: list[tuple[str, str]]) -> tuple[list[int], list[int]]:
    from rapidfuzz.distance import OSA, DamerauLevenshtein

    return [OSA.distance(*pair) for pair in pairs], [DamerauLevenshtein.distance(*pair) for pair in pairs]


def _others() -> list[tuple[str, Callable[[str, str], object], int]]:
    from rapidfuzz.distance import OSA, DamerauLevenshtein, Levenshtein

    found: list[tuple[str, Callable[[str, str], object], int]] = [
        ("rapidfuzz, Levenshtein", Levenshtein.distance, _EDIT_PAIRS),
        ("rapidfuzz, optimal string alignment", OSA.distance, _EDIT_PAIRS),
        ("rapidfuzz, Damerau-Levenshtein", DamerauLevenshtein.distance, _SLOW_PAIRS),
    ]
    try:
        import edlib
    except ImportError:
        print("  edlib is not installed and left out")
        return found
    return [*found, ("edlib", edlib.align, _EDIT_PAIRS)]


def _published() -> tuple[str, Callable[[str, str], int]]:
    try:
        from textdistance import DamerauLevenshtein
    except ImportError:
        return "the published distance, written anew", recipe
    return "the published distance (textdistance)", DamerauLevenshtein(external=False)


def recipe(one: str, other: str) -> int:
    """Optimal string alignment in pure Python."""
    before: list[int] = []
    last, row = [], list(range(len(other) + 1))
    for number, mine in enumerate(one, 1):
        before, last, row = last, row, [number]
        for column, theirs in enumerate(other, 1):
            best = min(last[column] + 1, row[-1] + 1, last[column - 1] + (mine != theirs))
            if number > 1 and column > 1 and mine == other[column - 2] and one[number - 2] == theirs:
                best = min(best, before[column - 2] + (mine != theirs))
            row.append(best)
    return row[-1]


def real_specimens(folder: Path) -> pl.DataFrame:
    """The records of all files of a folder: processid, dna_barcode and `LEVELS`."""
    parts = []
    for path in sorted(folder.joinpath("bold").glob("*.tsv")):
        labels = pl.read_csv(path, separator="\t", quote_char=None, infer_schema=False).rename({"bin_uri": "dna_bin"})
        labels = labels.select("processid", pl.col(LEVELS).replace(["None", ""], None)).unique(
            "processid", keep="first"
        )
        checked = check_barcodes(read_sample(folder, path.name), SETTINGS)
        parts.append(checked.select("processid", dna_barcode="barcode").join(labels, on="processid"))
    return pl.concat(parts).unique("processid", keep="first", maintain_order=True)


def beside_mafft(folder: Path) -> None:
    """The mean distance of groups on MAFFT's alignment and on the frame, as substitutions in 625 columns."""
    start = time.perf_counter()
    mafft = find_mafft()
    rows = real_specimens(folder)
    barcodes, ids = numbered(rows.lazy().select("processid", "dna_barcode"), PLACEMENTS.empty().lazy(), _LEAST)
    position, on_frame = comparable(barcodes)
    usable = position.join(barcodes, on="barcode_id").sort("at")
    # The letters on the frame: MAFFT would also align bases beside it, which no distance of ours counts.
    count = (
        pl.col("last")
        - pl.col("first")
        + 1
        - pl.col("missing_columns").list.len()
        + pl.col("inserted_bases").list.len()
    )
    texts = usable.select(pl.col("barcode").str.slice("start", count))["barcode"].to_list()
    members = rows.drop("dna_barcode").join(ids, on="processid").join(position, on="barcode_id")

    bent = (
        usable.select(pl.col("missing_columns").list.len() + pl.col("inserted_bases").list.len()).to_series().to_numpy()
    )

    def apart(group: tuple[str, list[int]]) -> tuple[float, float, float, str] | None:
        chosen = np.array(group[1])
        aligned = align([texts[one] for one in chosen], mafft, cut=None)
        ours, theirs = means(on_frame, chosen, aligned)
        found = edits(align([texts[one] for one in chosen], mafft), 1)
        if ours is None or theirs is None or not found.pairs:
            return None
        edited = float((np.arange(len(found.count)) * found.count).sum() / found.pairs)
        has_gap = any("-" in row.strip("-") for row in aligned)
        why = (
            "codons lacking or beside the frame"
            if bent[chosen].any()
            else "gaps of MAFFT alone"
            if has_gap
            else "no gap"
        )
        return (ours - theirs) * PUBLISHED_COLUMNS, edited, found.substitutions / found.pairs, why

    print(
        f"beside MAFFT {mafft.version}, in substitutions of {PUBLISHED_COLUMNS} columns; groups of at most "
        f"{_ALIGNED} barcodes:"
    )
    for level in LEVELS[::-1]:
        groups = members.drop_nulls(level).group_by(group=level).agg(pl.col("at").unique().sort()).sort("group")
        groups = groups.filter(pl.col("at").list.len() >= 4)
        groups = groups.sample(min(_GROUPS, groups.height), seed=0).sort("group")
        drawn = groups.with_columns(
            pl.col("at").list.sample(pl.min_horizontal(pl.lit(_ALIGNED), pl.col("at").list.len()), seed=0).list.sort()
        )
        found = [(name, one) for (name, _), one in ordered_map(apart, drawn.rows(), cores()) if one is not None]
        if not found:
            continue
        values = np.array([one[:3] for _, one in found])
        worst = int(np.abs(values[:, 0]).argmax())
        goal = _GOALS[level]
        far = [f"{name} {one[0]:+.2f}, {one[3]}" for name, one in found if abs(one[0]) > goal]
        rest = max((abs(one[0]) for _, one in found if one[3] == "no gap"), default=0.0)
        print(
            f"  {level}: {len(found)} groups, ours less MAFFT's {values[:, 0].mean():+.2f} on the average, "
            f"{np.abs(values[:, 0]).mean():.2f} without sign, at most {values[worst, 0]:+.2f} ({found[worst][0]}); "
            f"published {values[:, 1].mean():.1f} edits, {values[:, 2].mean():.1f} of them substitutions; groups "
            f"without any gap at most {rest:.2f}; {len(far)} groups farther apart than {goal}"
            + "".join(f"\n    {one}" for one in far),
            flush=True,
        )
    print(f"  in {time.perf_counter() - start:.0f} s")


def means(on_frame: Framed, members: np.ndarray, aligned: list[str]) -> tuple[float | None, float | None]:
    """Mean p-distance of all pairs on the frame, and on an alignment; over at least 300 columns with two bases."""
    pairs = pairs_of(on_frame, members)
    found = np.array([list(row.encode()) for row in aligned], np.uint8)
    is_base = np.isin(found, np.frombuffer(b"acgt", np.uint8))
    values = [np.empty(0)]
    for number in range(len(found) - 1):
        both = is_base[number] & is_base[number + 1 :]
        shared = both.sum(axis=1)
        differ = ((found[number] != found[number + 1 :]) & both).sum(axis=1)
        values.append((differ / np.maximum(shared, 1))[shared >= _LEAST])
    every = np.concatenate(values)
    enough = pairs.shared >= _LEAST
    p = p_distance(pairs.shared[enough], pairs.transitions[enough], pairs.transversions[enough])
    ours = Distribution.of(p, pairs.count[enough]).mean()
    return ours, float(every.mean()) if len(every) else None


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
    start, used = time.perf_counter(), time.process_time()
    found = distances(rows, *comparable(BARCODES.conform(barcodes)), StatisticsSettings(), _LEAST)
    seconds, used = time.perf_counter() - start, time.process_time() - used
    levels = found["distance_levels"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(
        f"{placements.height:,} drawn barcodes: {int(levels['groups'].sum()):,} groups, "
        f"{int(levels['pairs'].sum()):,} pairs in {seconds:.0f} s ({used:.0f} s of CPU), "
        f"peak {peak:.1f} GiB"
    )


if __name__ == "__main__":
    main()
