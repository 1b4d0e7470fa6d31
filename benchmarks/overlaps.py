"""Barcodes that are the same over shared columns: time and memory of the search, beside a comparison of all pairs.

    python benchmarks/overlaps.py --barcodes 200000 --all 3000
    python benchmarks/overlaps.py --release OUTPUT/releases/v1

With a release: what keeping such barcodes in one partition costs in its shares (protocol "stable"), since barcodes that
are connected by others move together.

The barcodes are drawn from the shipped profile, in clusters whose sizes fall off as 1/rank: up to six bases of each
differ from its cluster, 40 % begin or end later or earlier by up to 30 and 60 columns, 2 % are fragments, 10 % have an
N. They are on the frame already; placing them is measured by benchmarks/placement.py.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

from bioscan_etl.barcodes.distinct import connected, numbered
from bioscan_etl.barcodes.framed import framed, letters
from bioscan_etl.barcodes.identity import barcode_identity
from bioscan_etl.barcodes.same import same_pairs
from bioscan_etl.schema import PLACEMENTS
from bioscan_etl.settings import SplitSettings
from bioscan_etl.splits.leakage import leakage
from bioscan_etl.splits.overlaps import barcode_groups
from bioscan_etl.splits.partition import partition
from bioscan_etl.splits.targets import review

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from framed_barcodes import drawn

LEAST = 300


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--barcodes", type=int, default=200_000)
    parser.add_argument("--all", type=int, default=3_000, help="barcodes whose pairs are all compared")
    parser.add_argument("--release", type=Path, help="folder of a release")
    arguments = parser.parse_args()
    if arguments.release:
        price(arguments.release)
        return
    compare_all(placed(arguments.all))
    placements = placed(arguments.barcodes)
    start = time.perf_counter()
    on_frame = framed(placements)
    between = time.perf_counter()
    one, other = same_pairs(on_frame, LEAST)
    found = time.perf_counter()
    groups = connected(placements.height, one, other)
    end = time.perf_counter()
    print(
        f"{placements.height:,} barcodes: on the frame {between - start:.1f} s, {len(one):,} pairs "
        f"{found - between:.1f} s, {len(np.unique(groups)):,} groups {end - found:.1f} s; largest group "
        f"{np.bincount(groups).max():,}; peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB"
    )


def price(release: Path) -> None:
    """Samples of each partition and evaluated barcodes that were trained on, with overlaps apart and together."""
    columns = ["processid", "genus", "species", "dna_barcode"]
    table = pl.concat(pl.read_parquet(path, columns=columns) for path in sorted((release / "data").glob("*.parquet")))
    table = table.with_columns(barcode_identity(pl.col("dna_barcode")).alias("dna_barcode")).sort("processid")
    barcodes, ids = numbered(table.lazy(), PLACEMENTS.empty().lazy(), LEAST)
    groups = barcodes.group_by("group").len()
    print(f"{barcodes.height:,} barcodes in {groups.height:,} groups; largest {groups['len'].max():,}")
    found = []
    for name, together in (("apart", False), ("together", True)):
        settings = SplitSettings(protocol="stable", keep_overlaps_together=together)
        start = time.perf_counter()
        partitions = partition(table, settings, barcode_groups(table, None, LEAST, barcodes) if together else None)
        seconds = time.perf_counter() - start
        leaks = leakage(barcodes, ids, partitions, LEAST)
        print(f"{name}: {seconds:.1f} s, {leaks['same'].sum():,} evaluated barcodes are the same as a trained one")
        found.append(review(table, partitions).partitions.select("split", "samples", "target_samples", "share"))
    with pl.Config(tbl_rows=-1, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True):
        print(found[0].join(found[1], on="split", suffix="_together", maintain_order="left"))


def placed(count: int) -> pl.DataFrame:
    """Rows of `schema.PLACEMENTS`: distinct barcodes on the frame."""
    generator = np.random.default_rng(0)
    ancestors = np.array([list(text.encode()) for text in drawn(max(count // 60, 50))], np.uint8)
    weight = 1 / (np.arange(len(ancestors)) + 5)
    bases = ancestors[generator.choice(len(ancestors), count, p=weight / weight.sum())]
    rows = np.repeat(np.arange(count), generator.integers(0, 7, count))
    letters_ = np.frombuffer(b"ACGT", np.uint8)
    bases[rows, generator.integers(0, 658, len(rows))] = letters_[generator.integers(0, 4, len(rows))]
    unread = np.flatnonzero(generator.random(count) < 0.1)
    bases[unread, generator.integers(0, 658, len(unread))] = ord("N")
    begin = np.where(generator.random(count) < 0.6, 0, generator.integers(0, 30, count))
    end = np.where(generator.random(count) < 0.6, 658, 658 - generator.integers(0, 60, count))
    short = np.flatnonzero(generator.random(count) < 0.02)
    begin[short] = generator.integers(0, 200, len(short))
    end[short] = begin[short] + generator.integers(310, 450, len(short))
    texts = [bytes(row[first:last]).decode() for row, first, last in zip(bases, begin, end, strict=True)]
    begin = begin + np.array([len(text) - len(text.lstrip("N")) for text in texts])
    texts = [text.strip("N") for text in texts]
    frame = pl.DataFrame(
        {"barcode": texts, "first": begin + 1, "last": begin + np.array([len(text) for text in texts])}
    ).with_columns(start=0, missing_columns=[], inserted_bases=[], weight=0, doubt=None)
    rows_ = frame.unique("barcode", keep="first", maintain_order=True)
    return rows_.select(pl.col(name).cast(dtype) for name, dtype in PLACEMENTS.schema().items())


def compare_all(placements: pl.DataFrame) -> None:
    """The same result by comparing every barcode with all others in numpy."""
    start = time.perf_counter()
    ours = set(zip(*(side.tolist() for side in same_pairs(framed(placements), LEAST)), strict=True))
    between = time.perf_counter()
    found = letters(placements)
    wanted = set()
    for number, row in enumerate(found):
        both = (row < 4) & (found < 4)
        same = ~((row != found) & both).any(axis=1) & (both.sum(axis=1) >= LEAST)
        wanted |= {(number, other) for other in np.flatnonzero(same).tolist() if other > number}
    end = time.perf_counter()
    print(
        f"{placements.height:,} barcodes: {len(ours):,} pairs, {'the same' if ours == wanted else 'NOT the same'} as "
        f"by comparing all, which takes {(end - between) / (between - start):.0f} times as long"
    )


if __name__ == "__main__":
    main()
