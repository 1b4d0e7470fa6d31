"""Partitioning at the size of BIOSCAN-5M, and beside a straightforward pandas version of the same rules.

    .venv/bin/python benchmarks/splits.py                 # 1 M records side by side, then 5.15 M alone
    .venv/bin/python benchmarks/splits.py --records 50000 # a quick look at both
    .venv/bin/python benchmarks/splits.py --records 0     # 5.15 M alone

The large run is made with both protocols; with "stable" also for a second release of the same records and 3 % more.

The records come from `records_like_bioscan` below, with a fixed seed. Each large run is a process of its own, so
its peak of memory is its own; it reads a Parquet file and writes a CSV, as `bioscan-etl split` does.
"""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from alone import alone

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

LENGTH = 658
FULL = 5_150_000


def records_like_bioscan(records: int, seed: int) -> pl.DataFrame:
    """Synthetic records with the proportions of BIOSCAN-5M.

    9 % carry one of `records / 228` species, half of them placeholders; species sizes and barcode sizes fall off as
    1/rank; a barcode has two records on average and differs from its species' ancestor in up to 6 bases.
    """
    generator = np.random.default_rng(seed)
    labelled = int(records * 0.092)
    species_count = max(records // 228, 10)
    clusters = species_count * 4  # barcodes without a species have relatives too
    weight = 1 / (np.arange(species_count) + 20)
    species = generator.choice(species_count, size=labelled, p=weight / weight.sum())
    cluster = np.concatenate([species, generator.integers(species_count, clusters, records - labelled)])
    # Within a cluster of n records there are about n / 2 barcodes, the first of them the most common.
    width = np.bincount(cluster, minlength=clusters) // 2 + 1
    variant = (width[cluster] * generator.random(records) ** 2).astype(np.int64)
    start = np.concatenate([[0], np.cumsum(width)[:-1]])
    used, barcode = np.unique(start[cluster] + variant, return_inverse=True)
    texts = _barcodes(np.searchsorted(start, used, side="right") - 1, clusters, generator)
    genus = [f"Genus{_letters(i % (species_count // 3 + 1))}" for i in range(species_count)]
    names = [
        f"{genus[i]} sp. {i}MAL" if generator.random() < 0.5 else f"{genus[i]} {_letters(i)}us"
        for i in range(species_count)
    ]
    code = pl.Series(np.concatenate([species, np.full(records - labelled, -1)])).replace(-1, None).cast(pl.UInt32)
    frame = pl.DataFrame(
        {
            "genus": pl.Series(genus).gather(code),
            "species": pl.Series(names).gather(code),
            "dna_barcode": texts.gather(barcode),
        }
    )
    order = generator.permutation(records)
    return (
        frame[order].with_row_index("processid").with_columns(pl.format("BENCH{}-20", "processid").alias("processid"))
    )


def _letters(number: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


def _barcodes(cluster, clusters, generator) -> pl.Series:
    ancestors = generator.integers(0, 4, (clusters, LENGTH), dtype=np.uint8)
    parts = []
    for start in range(0, len(cluster), 100_000):
        bases = ancestors[cluster[start : start + 100_000]]
        draws = generator.integers(0, 7, len(bases))
        for draw in range(6):
            rows = np.flatnonzero(draws > draw)
            bases[rows, generator.integers(0, LENGTH, len(rows))] = generator.integers(0, 4, len(rows))
        text = np.frombuffer(b"ACGT", dtype=np.uint8)[bases]
        offsets = np.arange(len(bases) + 1, dtype=np.int64) * LENGTH
        parts.append(pa.LargeStringArray.from_buffers(len(bases), pa.py_buffer(offsets), pa.py_buffer(text)))
    return pl.from_arrow(pa.chunked_array(parts)).rechunk()


def _write(path: Path, records: int) -> None:
    records_like_bioscan(records, seed=5).write_parquet(path)


def _ours(path: Path, output: Path, protocol: str, answer) -> None:
    from bioscan_etl.settings import SplitSettings
    from bioscan_etl.splits.files import split_table

    start = time.perf_counter()
    # These texts are no COI sequences, so none overlap. benchmarks/overlaps.py measures barcodes that do.
    split_table(path, output, SplitSettings(protocol=protocol, keep_overlaps_together=False))
    answer.put((time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20))


def _onward(path: Path, output: Path, memory: Path, records: int, answer) -> None:
    """A release of the first records as `partition_onward` makes it, from the memory if there is one."""
    from bioscan_etl.settings import SplitSettings
    from bioscan_etl.splits.partition import partition_onward

    start = time.perf_counter()
    earlier = pl.scan_parquet(memory) if memory.exists() else None
    table = pl.read_parquet(path, n_rows=records).with_columns(dna_bin=pl.lit(None, dtype=pl.String))
    result = partition_onward(table, SplitSettings(protocol="stable", keep_overlaps_together=False), earlier)
    result.partitions.write_csv(output)
    seconds, peak = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    if earlier is None:
        result.memory.write_parquet(memory, compression="lz4")
    answer.put((seconds, peak, len(result.moves)))


def _pandas(path: Path, output: Path, answer) -> None:
    import splits_oracle

    start = time.perf_counter()
    table = pd.read_parquet(path)
    table["split"] = splits_oracle.partition(table)
    table[["processid", "split"]].to_csv(output, index=False)
    answer.put((time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20))


def _near(path: Path, output: Path, answer) -> None:
    from bioscan_etl.schema import PLACEMENTS
    from bioscan_etl.splits.checks import require
    from bioscan_etl.splits.near_duplicates import near_duplicates
    from bioscan_etl.splits.targets import review

    table, partitions = pl.read_parquet(path), pl.read_csv(output)
    start = time.perf_counter()
    reviewed = review(table, partitions)
    require(reviewed.findings)
    numbers = reviewed.partitions
    checked = time.perf_counter()
    # These texts are no COI sequences and are not placed on the frame, so this measures the search by edits.
    barcodes = table.select(barcode="dna_barcode").drop_nulls().unique().sort("barcode").with_row_index("barcode_id")
    ids = table.select("processid", barcode="dna_barcode").join(barcodes, on="barcode", how="left")
    unplaced = [pl.lit(None, dtype).alias(name) for name, dtype in PLACEMENTS.schema().items() if name != "barcode"]
    barcodes = barcodes.with_columns(unplaced).with_columns(doubt=pl.lit("NOT_PLACED"))
    near = near_duplicates(barcodes, ids.select("processid", "barcode_id"), partitions, least=300)
    with pl.Config(tbl_rows=-1, tbl_width_chars=120):
        print(numbers, near, sep="\n")
    times = (checked - start, time.perf_counter() - checked)
    answer.put((*times, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20))


def _write_alone(path: Path, records: int, answer) -> None:
    _write(path, records)
    answer.put(path.stat().st_size)


def main() -> None:
    """Run both comparisons and print the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000, help="records of the comparison; 0 leaves it out")
    parser.add_argument("--full", type=int, default=None, help="records of the large run; 0 leaves it out")
    options = parser.parse_args()
    full = (
        options.full if options.full is not None else (FULL if options.records in {0, 1_000_000} else options.records)
    )
    with tempfile.TemporaryDirectory() as folder:
        path, ours, theirs = (Path(folder) / name for name in ("table.parquet", "ours.csv", "pandas.csv"))
        if options.records:
            alone(_write_alone, path, options.records)
            our_time, our_peak = alone(_ours, path, ours, "bioscan-5m")
            their_time, their_peak = alone(_pandas, path, theirs)
            if ours.read_bytes() != theirs.read_bytes():
                raise SystemExit("the two versions differ")
            stable_time, stable_peak = alone(_ours, path, theirs, "stable")
            print(f"{options.records:,} records, file to file; the first two give the same partitions:")
            for name, seconds, peak in (
                ("bioscan-5m", our_time, our_peak),
                ("pandas", their_time, their_peak),
                ("stable", stable_time, stable_peak),
            ):
                print(f"  {name:11} {seconds:7.1f} s {peak:6.2f} GiB   {seconds / our_time:.1f} times as long")
        if full:
            alone(_write_alone, path, full)
            for protocol in ("bioscan-5m", "stable"):
                seconds, peak = alone(_ours, path, ours, protocol)
                print(f"{full:,} records, {protocol} alone: {seconds:.1f} s, peak {peak:.2f} GiB", flush=True)
                check_time, near_time, peak = alone(_near, path, ours)
                print(f"checks and report {check_time:.1f} s, near duplicates {near_time:.1f} s, peak {peak:.2f} GiB")
            memory = Path(folder) / "memory.parquet"
            for records in (full * 97 // 100, full):
                seconds, peak, moves = alone(_onward, path, ours, memory, records)
                print(
                    f"stable, release of {records:,}: {seconds:.1f} s, peak {peak:.2f} GiB, {moves} moves", flush=True
                )


if __name__ == "__main__":
    main()
