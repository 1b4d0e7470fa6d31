"""`bioscan-etl diff` on two large releases: seconds, and peak of memory. CPU seconds count, too: machines are shared.

    .venv/bin/python benchmarks/release_diff.py                     # 500,000 records, each with three images
    .venv/bin/python benchmarks/release_diff.py --records 5150000

The second release holds 3 % more records and lacks 1 %; of the others it gives 1 % another species, 0.5 % another
partition, 2 % other flags, and 1 % other images. Then the same against a release in which every record changed, the
worst case. Each comparison is a process of its own. What was planted must come back, to the record.
"""

import argparse
import hashlib
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parent))

from alone import alone
from splits import records_like_bioscan

from bioscan_etl import schema, vocabulary
from bioscan_etl.release.diff.compare import write_diff
from bioscan_etl.release.scan import scan_release
from bioscan_etl.settings import ReleaseSettings

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from shards import write_shards

PACKAGES = ("original_256", "cropped", "cropped_256")


def metadata(records: int) -> pl.DataFrame:
    """Rows of a release: barcodes and species as in the benchmark of partitions, the rest plausible."""
    frame = records_like_bioscan(records, seed=7)
    number = pl.int_range(pl.len(), dtype=pl.Int64)
    given = {
        "sampleid": pl.format("BIOUG{}-A01", number),
        "phylum": pl.lit("Arthropoda"),
        "class": pl.lit("Insecta"),
        "order": pl.lit("Diptera"),
        "family": pl.format("Family{}", number % 900),
        "dna_bin": pl.format("BOLD:AAA{}", (number % 10_000).cast(pl.String).str.zfill(4)),
        "country": pl.lit("Costa Rica"),
        "province_state": pl.format("Province {}", number % 40),
        "coord-lat": (number % 180_000) / 1000 - 90,
        "coord-lon": (number % 360_000) / 1000 - 180,
        "split": pl.lit(pl.Series(vocabulary.SPLITS)).gather(number % 8),
        "dna_barcode_verbatim": pl.col("dna_barcode"),
        "flags": pl.when(number % 9 == 0).then(pl.lit(["BARCODE_SHORT"])).otherwise(pl.lit([], pl.List(pl.String))),
        "inferred_ranks": pl.lit(0, pl.UInt8),
        "chunk": pl.lit(""),
    }
    columns = []
    for column in schema.METADATA_EXTENDED.columns:
        if column.name in frame.columns and column.name not in given:
            columns.append(pl.col(column.name))
        elif column.name in given:
            columns.append(given[column.name].alias(column.name))
        else:
            least = False if column.dtype == pl.Boolean else 0 if column.dtype.is_numeric() else "x"
            columns.append(pl.lit(None if column.nullable else least).alias(column.name))
    return schema.METADATA_EXTENDED.conform(frame.select(columns))


def write_release(root: Path, rows: pl.DataFrame) -> None:
    """Metadata and a manifest that lists three images per record; the column `image` decides their sums."""
    settings = ReleaseSettings(rows_per_shard=1_000_000)
    write_shards(rows.drop("image").sort("split", "order", "family", "processid"), root / "data", settings)
    head = {
        "dataset": settings.dataset,
        "format": "bioscan-release",
        "hdf5_packages": [],
        "image_packages": list(PACKAGES),
        "settings": {"splits": {"protocol": "stable"}},
        "title": settings.title,
        "version": root.name,
    }
    with (root / "manifest.json").open("w") as stream:
        stream.write(json.dumps(head, indent=1, sort_keys=True).removesuffix("\n}") + ',\n "files": [')
        comma = ""
        for processid, split, other in rows.select("processid", "split", "image").iter_rows():
            for package in PACKAGES:
                sha256 = hashlib.sha256(f"{processid}{package}{other}".encode()).hexdigest()
                path = f"{settings.dataset}/images/{package}/{split}/{processid}.jpg"
                stream.write(f'{comma}\n  {{"path": "{path}", "sha256": "{sha256}", "size": 8000}}')
                comma = ","
        stream.write("\n ]\n}\n")


def write_releases(folder: Path, records: int, answer) -> None:
    """Three releases, and how many records differ in each way between the first two."""
    rows = metadata(records * 104 // 100)
    number = pl.int_range(pl.len(), dtype=pl.Int64)
    first, new = number < records, number >= records
    gone = first & (number % 100 == 0)
    relabelled, moved = first & (number % 100 == 1), first & (number % 200 == 2)
    flagged, images = first & (number % 50 == 3), first & (number % 100 == 4)
    write_release(folder / "v1", rows.filter(first).with_columns(image=pl.lit(0)))
    second = rows.with_columns(
        species=pl.when(relabelled).then(pl.format("Aus {}us", number)).otherwise("species"),
        split=pl.when(moved & (pl.col("split") == "train")).then(pl.lit("val")).when(moved).then(pl.lit("train"))
        .otherwise("split"),
        flags=pl.when(flagged).then(pl.lit(["BARCODE_LONG"])).otherwise("flags"),
        image=images.cast(pl.Int8),
    )  # fmt: skip
    changed_splits = rows.select((pl.col("split") != second["split"]).sum()).item()
    write_release(folder / "v2", second.filter(~gone))
    third = rows.filter(first).with_columns(
        province_state=pl.lit("Nowhere"), dna_barcode=pl.col("dna_barcode").str.slice(1), image=pl.lit(1)
    )
    write_release(folder / "v3", third)
    counts = rows.select(
        added=new.sum(), removed=gone.sum(), relabelled=relabelled.sum(), changed=flagged.sum(), images=images.sum()
    ).row(0, named=True)
    answer.put(counts | {"moved": changed_splits})


def compare(before: Path, after: Path, output: Path, answer) -> None:
    """One comparison, timed."""
    start = time.perf_counter()
    found = write_diff(scan_release(before), scan_release(after), output)
    seconds, peak = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    answer.put((seconds, time.process_time(), peak, found.records))


def main() -> None:
    """Write the releases and compare them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=500_000)
    records = parser.parse_args().records
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        planted = alone(write_releases, folder, records)
        for version, what in (("v2", "an ordinary next release"), ("v3", "every record and image changed")):
            output = folder / f"{version}.parquet"
            seconds, cpu, peak, found = alone(compare, folder / "v1", folder / version, output)
            rows = pl.scan_parquet(output).select(pl.len()).collect().item()
            print(
                f"{records:,} records, {what}: {seconds:.1f} s ({cpu:.1f} s of CPU), peak {peak:.2f} GiB, "
                f"{rows:,} differences",
                flush=True,
            )
            print("  " + ", ".join(f"{kind} {count:,}" for kind, count in found.items()))
            if version == "v2":
                expected = {kind: planted[kind] for kind in ("added", "removed", "relabelled", "changed", "moved")}
                if {kind: found[kind] for kind in expected} != expected or found["image_changed"] != planted["images"]:
                    raise SystemExit(f"planted {planted}, found {found}")


if __name__ == "__main__":
    main()
