"""The leakage curve of a release of 5.15 million specimens: time and memory.

    python benchmarks/leakage_curve.py [--share 1]

The barcodes are drawn on a tree (benchmarks/outside.py), as many in each partition as in the published one. Which
partition a barcode is in is drawn, so that nearly every evaluated barcode has a close one in train; with --apart, whole
species are in one partition, and the nearest one is far. The specimens without a place in the curve have a row, too.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

from bioscan_etl.statistics.leakage_curve import leakage_curve

sys.path.insert(0, str(Path(__file__).resolve().parent))

from outside import LEAST, tree

# The published partitions: specimens, and distinct barcodes.
_PUBLISHED = {
    "train": (289_203, 118_051),
    "val": (14_757, 6_588),
    "test": (39_373, 18_362),
    "key_unseen": (36_465, 12_166),
    "val_unseen": (8_819, 2_442),
    "test_unseen": (7_887, 3_401),
}
_OTHERS = 4_754_346


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1, help="of the published size")
    parser.add_argument("--apart", action="store_true", help="each species in one partition")
    arguments = parser.parse_args()
    sizes = {split: tuple(int(one * arguments.share) for one in both) for split, both in _PUBLISHED.items()}
    count = sum(barcodes for _, barcodes in sizes.values())
    barcodes, labels = tree(int(count * 1.15))  # some drawn barcodes are the same
    generator = np.random.default_rng(2)
    if arguments.apart:
        order = labels.with_row_index("at").join(
            labels.select("species").unique(maintain_order=True).with_columns(
                priority=pl.Series(generator.random(labels["species"].n_unique()))
            ),
            on="species", maintain_order="left",
        ).sort("priority", "at")["at"].to_numpy()  # fmt: skip
    else:
        order = generator.permutation(labels.height)
    parts, start = [], 0
    for split, (specimens, distinct) in sizes.items():
        chosen = order[start : start + distinct]
        start += distinct
        more = generator.choice(chosen, specimens - len(chosen))
        rows = labels[np.concatenate([chosen, more])]
        parts.append(rows.with_columns(split=pl.lit(split), genus=pl.col("species").str.head(4)))
    others = pl.DataFrame(
        {"split": ["pretrain"] * int(_OTHERS * arguments.share)}, schema_overrides={"split": pl.String}
    ).with_columns(barcode_id=pl.lit(None, pl.UInt32), **{name: pl.lit("X") for name in ("family", "genus", "species")})
    rows = pl.concat([*parts, others.select(parts[0].columns)])
    start_, used = time.perf_counter(), time.process_time()
    found = leakage_curve(rows, barcodes, LEAST)
    seconds, used = time.perf_counter() - start_, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    near = found.filter((pl.col("known") == "train") & (pl.col("evaluated") == "test"))
    same, close = (near.filter(pl.col("within") == within)["near_share"].item() for within in (0, 0.05))
    print(
        f"{rows.height:,} specimens, {count:,} barcodes in the curve: {seconds:.0f} s ({used:.0f} s of CPU), peak "
        f"{peak:.1f} GiB; of the test barcodes {same:.1%} are at distance 0 of train, {close:.1%} within 5 %"
    )


if __name__ == "__main__":
    main()
