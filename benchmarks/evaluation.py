"""Benchmarks of a release that need no network: processor time and memory, by the number of records.

    python benchmarks/evaluation.py --records 10000
    python benchmarks/evaluation.py --records 420000 --budget 20
    python benchmarks/evaluation.py --release OUTPUT/releases/v1

Barcodes are drawn on a tree, as in benchmarks/outside.py. Species with at least 8 barcodes are seen: 75 % of their
barcodes are in train, 20 % in test, the rest in val. Half of the others are unseen and split evenly into key_unseen,
val_unseen and test_unseen; the other half is in other_heldout. With --release, the records are those of a release, with
its images.

For comparison, the same nearest keys are searched without blocks, by one product of all queries and keys, if that fits
into 4 GiB.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from bioscan_etl import schema
from bioscan_etl.evaluation import barcodebert
from bioscan_etl.evaluation.budget import DEFAULT_MINUTES, Budget
from bioscan_etl.evaluation.headline import headline
from bioscan_etl.evaluation.kmers import KmerVectors
from bioscan_etl.evaluation.measured import Sheet
from bioscan_etl.evaluation.records import READ, Records, open_records, records_of
from bioscan_etl.evaluation.run import _MEASURES, Part
from bioscan_etl.evaluation.search import nearest
from bioscan_etl.progress import silent
from bioscan_etl.vocabulary import BENCHMARKS

sys.path.insert(0, str(Path(__file__).resolve().parent))

from outside import tree

_MOST = 4 << 30  # bytes
_SEEN = 8  # barcodes from which a species is seen


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--release", help="folder of a release")
    parser.add_argument("--budget", type=float, default=DEFAULT_MINUTES, help="processor minutes")
    parser.add_argument("--benchmark", nargs="+", default=list(BENCHMARKS), choices=BENCHMARKS)
    arguments = parser.parse_args()
    records = open_records(arguments.release) if arguments.release else drawn_records(arguments.records)
    counts = records.rows["split"].value_counts(sort=True)
    print(f"{records.release}: {records.rows.height:,} records, {len(records.barcodes):,} distinct barcodes")
    print(", ".join(f"{split} {count:,}" for split, count in counts.iter_rows()))
    print(f"before: peak {peak()}")
    start, clock = time.process_time(), time.perf_counter()
    _ = records.on_frame
    print(f"placing barcodes: {time.process_time() - start:.1f} CPU s, {time.perf_counter() - clock:.1f} s")
    chosen = [name for name in arguments.benchmark if name in _MEASURES]
    budget = Budget(arguments.budget * 60).part(len(chosen))
    sheet = Sheet(records, 0)
    part = Part(records, sheet, silent, budget, Path(tempfile.mkdtemp()))
    for name in chosen:
        start, clock = time.process_time(), time.perf_counter()
        _MEASURES[name](part)
        print(f"{name}: {time.process_time() - start:.1f} CPU s, {time.perf_counter() - clock:.1f} s; peak {peak()}")
    with pl.Config(tbl_rows=60, tbl_hide_dataframe_shape=True, fmt_str_lengths=44, tbl_width_chars=160):
        print(
            headline(sheet.table()).select("task", "model", "rank", "value", "shuffled", "n", "n_keys", "cpu_seconds")
        )
    compare(records)


def peak() -> str:
    """The largest memory so far."""
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB"


def drawn_records(count: int) -> Records:
    """Records of drawn barcodes."""
    barcodes, labels = tree(count)
    frame = barcodes.select("barcode_id", dna_barcode="barcode").join(labels, on="barcode_id")
    rng = np.random.default_rng(1)
    size = frame.select(pl.len().over("species"))["len"].to_numpy()
    part = rng.random(frame.height)
    # The species of a row decides whether it is unseen, so that all of its rows are.
    unseen = frame["species"].str.slice(1).cast(pl.Int64).to_numpy() % 2 == 0
    split = np.select(
        [
            (size >= _SEEN) & (part < 0.75),
            (size >= _SEEN) & (part < 0.95),
            size >= _SEEN,
            unseen & (part < 1 / 3),
            unseen & (part < 2 / 3),
            unseen,
        ],
        ["train", "test", "val", "key_unseen", "val_unseen", "test_unseen"],
        "other_heldout",
    )
    rows = frame.with_columns(
        split=pl.Series(split),
        processid=pl.format("D-{}", pl.int_range(pl.len())),
        order=pl.lit("O"),
        dna_bin="species",
    )
    order = pl.col("split").replace_strict({name: at for at, name in enumerate(schema.SPLITS)}, return_dtype=pl.Int8)
    rows = rows.sort(order, "family", "processid")
    full = rows.select(
        pl.col(name).cast(schema.METADATA_EXTENDED[name].dtype)
        if name in rows.columns
        else pl.lit(None, schema.METADATA_EXTENDED[name].dtype).alias(name)
        for name in READ
    )
    return records_of(full, root=Path(), release=f"{count:,} drawn", digest="0" * 64)


def compare(records: Records) -> None:
    """The search in blocks beside one product, and whether both find the same."""
    _, task, _ = barcodebert.tasks(records)
    ids, vectors = records.barcode_ids, KmerVectors(records.barcodes, 5)
    queries, keys = ids[task.queries], ids[task.keys]
    bytes_needed = 4 * (len(queries) * len(keys) + (len(queries) + len(keys)) * vectors.counts.shape[1])
    start = time.process_time()
    found, _ = nearest(vectors, queries, keys, 1)
    ours = time.process_time() - start
    print(f"5-mers, {len(queries):,} queries, {len(keys):,} keys: {ours:.2f} CPU s in blocks")
    if bytes_needed > _MOST:
        print(f"one product would take {bytes_needed / 2**30:.1f} GiB")
        return
    start = time.process_time()
    at_once = (vectors.at(queries) @ vectors.at(keys).T).argmax(axis=1)
    other = time.process_time() - start
    same = (keys[found[:, 0]] == keys[at_once]).mean() if len(queries) else 1
    size, ratio = bytes_needed / 2**30, other / max(ours, 1e-9)
    print(f"one product: {other:.2f} CPU s, {size:.2f} GiB, ratio {ratio:.2f}; same {same:.4f}")


if __name__ == "__main__":
    main()
