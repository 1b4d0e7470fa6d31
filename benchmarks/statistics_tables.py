"""The tables of statistics of a release: time and memory beside the same numbers by pandas.

    python benchmarks/statistics_tables.py --rows 5150850 [--pandas]

The rows are drawn: 2.4 million distinct barcodes of 658 letters (as numbers for ours, as text for pandas), 22,622
species in 7 ranks, BINs, countries, sites and sizes, with shares of missing labels like those of BIOSCAN-5M. The recipe
of pandas groups the texts, as notebooks on the published CSV do; it makes `attributes` and `barcodes` only. Both run in
one process each, so that the peaks compare.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

import numpy as np
import polars as pl

from bioscan_etl import vocabulary
from bioscan_etl.statistics.completeness import completeness
from bioscan_etl.statistics.definitions import ATTRIBUTES, LEVELS
from bioscan_etl.statistics.tables import statistics

_SHARES = {"phylum": 1.0, "class": 1.0, "order": 0.99, "family": 0.95, "subfamily": 0.29, "genus": 0.24}
_SHARES |= {"species": 0.09, "dna_bin": 1.0}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--pandas", action="store_true", help="measure pandas, too")
    parser.add_argument("--only", choices=("ours", "pandas"), help="of a child process")
    arguments = parser.parse_args()
    if arguments.only:
        (ours if arguments.only == "ours" else theirs)(arguments.rows)
        return
    seconds = {}
    for name in ("ours", *(("pandas",) if arguments.pandas else ())):
        command = [sys.executable, __file__, "--rows", str(arguments.rows), "--only", name]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        print(said, end="")
        seconds[name] = float(said.split()[1])
    if arguments.pandas:
        print(f"pandas takes {seconds['pandas'] / seconds['ours']:.1f} times as long")


def drawn(count: int) -> pl.DataFrame:
    """Rows as `tables.statistics` takes them."""
    rng = np.random.default_rng(0)
    weight = 1 / (np.arange(22_622) + 3)
    species = rng.choice(len(weight), count, p=weight / weight.sum())
    steps = {"genus": 3, "subfamily": 15, "family": 24, "order": 400, "class": 2_000, "phylum": 30_000}
    columns = {level: species // steps.get(level, 1) for level in vocabulary.RANKS}
    columns["dna_bin"] = species * 14 + rng.integers(0, 14, count)
    site = rng.integers(0, 2_000, count)
    sizes = {"image_measurement_value": rng.lognormal(9, 1, count).astype(np.int64)}
    sizes["area_fraction"], sizes["scale_factor"] = rng.random(count).round(4), rng.random(count).round(4)

    def text(name: str, values: np.ndarray) -> pl.Expr:
        missing = rng.random(count) >= _SHARES.get(name, 1.0)
        series = pl.Series(name, values)
        named = pl.format("{} {}", pl.lit(name), series.cast(pl.String))
        return pl.when(~pl.Series(missing)).then(named).alias(name)

    return pl.select(
        *(text(name, values) for name, values in columns.items()),
        text("country", site % 47),
        text("province_state", site % 102),
        pl.Series("coord-lat", (site / 20 - 50).round(3)),
        pl.Series("coord-lon", (site * 7 % 360 - 180).astype(float)),
        *(pl.Series(name, values) for name, values in sizes.items()),
        pl.Series("split", np.array(vocabulary.SPLITS)[rng.integers(0, 8, count)]),
        pl.Series("barcode_id", rng.integers(0, max(1, int(count * 0.48)), count).astype(np.uint32)),
    )


def ours(count: int) -> None:
    """All tables that are counted in one pass, and completeness."""
    rows = drawn(count)
    start = time.perf_counter()
    tables = statistics(rows) | completeness(rows)
    _say("ours", start, count, f"{len(tables)} tables")


def theirs(count: int) -> None:
    """The tables `attributes` and `barcodes` by grouping texts in pandas."""
    import pandas as pd

    rows = drawn(count)
    rng = np.random.default_rng(1)
    letters = np.frombuffer(b"ACGT", np.uint8)[rng.integers(0, 4, (max(1, int(count * 0.48)), 658), dtype=np.int8)]
    texts = pl.Series([bytes(row).decode() for row in letters])
    frame = rows.with_columns(dna_barcode=texts.gather(rows["barcode_id"])).to_pandas()
    del letters, texts, rows
    start = time.perf_counter()
    for attribute in ATTRIBUTES:
        by = ["coord-lat", "coord-lon"] if attribute == "site" else attribute
        sizes = frame.groupby(by).size()
        sizes.agg(["mean", "median", "std", "max", "min"])
    for level in LEVELS:
        per_barcode = frame.groupby([level, "dna_barcode"]).size()
        share = per_barcode / per_barcode.groupby(level=0).transform("sum")
        pd.DataFrame(
            {"unique": per_barcode.groupby(level=0).size(), "sdi": -(share * np.log2(share)).groupby(level=0).sum()}
        )
    _say("pandas", start, count, "2 tables")


def _say(name: str, start: float, count: int, what: str) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(f"{name} {time.perf_counter() - start:.1f} s for {what} of {count:,} rows, peak {peak:.1f} GiB")


if __name__ == "__main__":
    main()
