"""From raw records to counted labels: the product beside a script in plain pandas, and counts beside DuckDB's SQL.

    .venv/bin/python benchmarks/beside.py                            # 1,000,000 records
    .venv/bin/python benchmarks/beside.py --records 200000 --keep FOLDER

Data: generated, none of it real: the package of `benchmarks/whole_way.py`, one TSV of 1.35 KB a row.

The script is what a user would write for the core of the work: read the TSV, keep one COI-5P record per process ID,
clean barcodes and flag them by length and unknown letters, replace blank names, let the records of a barcode vote on
its labels and fill in what they agree on, write Parquet, and count. It has no places, typos, parents, BINs, distances,
partitions, checks, change log or report.

Beside it stand two things in the same run: the stages of the product that do the same steps and more (raw_records,
checked_barcodes, normalised_names, specimens, curated_taxonomy), one at a time; and the whole run up to a release.

The counts are those of each order and each partition, from the released Parquet: `statistics.tables` and SQL.

boldkit and coidb are not in the package index that this project installs from, so neither is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import whole_way

_SAME_STEPS = ("raw_records", "checked_barcodes", "normalised_names", "specimens", "curated_taxonomy")
_NAMES = ("phylum", "class", "order", "family", "subfamily", "genus", "species")
_BLANK = ["", "None", "none", "NA", "unknown"]


def by_pandas(package: Path, folder: Path) -> None:
    """The script of a user of pandas; the counts are written, too."""
    import pandas as pd
    from curation import voted

    columns = ["processid", "marker_code", "nuc", "bin_uri", "record_id", *_NAMES]
    table = pd.read_csv(package, sep="\t", dtype="string[pyarrow]", usecols=columns, na_values=["None"], quoting=3)
    table = table[table["marker_code"] == "COI-5P"]
    table = table.sort_values(["processid", "record_id"]).drop_duplicates("processid", keep="last")
    letters = table["nuc"].str.strip().str.upper().str.replace("-", "", regex=False)
    table["barcode"] = letters.str.replace("[^ACGTN]", "N", regex=True).str.strip("N")
    length = table["barcode"].str.len()
    table["is_short"] = length < 500
    table["is_ambiguous"] = table["barcode"].str.count("N") / length > 0.01
    for name in _NAMES:
        cleaned = table[name].str.strip()
        table[name] = cleaned.mask(cleaned.isin(_BLANK))
    table = voted(table.reset_index(drop=True).astype(dict.fromkeys((*_NAMES, "barcode"), "object")))
    table.to_parquet(folder / "pandas.parquet")
    counts = table.groupby("order").agg(samples=("processid", "size"), species=("species", "nunique"))
    counts.to_csv(folder / "orders.csv")


def by_duckdb(release: Path, folder: Path) -> None:
    """Counts of each order and partition by SQL."""
    import duckdb

    wanted = """count(*) AS samples, count(species) AS with_species, count(DISTINCT family) AS families,
        count(DISTINCT genus) AS genera, count(DISTINCT species) AS species, count(DISTINCT dna_bin) AS bins,
        count(DISTINCT (coord_lat, coord_lon)) AS sites, count(DISTINCT country) AS countries,
        count(DISTINCT trim(dna_barcode, 'N')) AS barcodes"""
    rows = f"""(SELECT * RENAME ("coord-lat" AS coord_lat, "coord-lon" AS coord_lon)
        FROM read_parquet('{release}/data/*.parquet'))"""
    for name in ("order", "split"):
        duckdb.sql(f'SELECT "{name}", {wanted} FROM {rows} GROUP BY ALL ORDER BY samples DESC').write_csv(
            str(folder / f"duckdb-{name}.csv")
        )


def by_us(release: Path, folder: Path) -> None:
    """The same counts by `statistics.tables`, barcodes numbered on the way."""
    from bioscan_etl.statistics.tables import READ, number_barcodes, orders, partitions

    rows = pl.scan_parquet(release / "data" / "*.parquet").select(*READ, "dna_barcode").collect()
    numbered, _ = number_barcodes(rows)
    orders(numbered).write_csv(folder / "orders.csv")
    partitions(numbered).write_csv(folder / "partitions.csv")


_WAYS: dict[str, Callable[[Path, Path], None]] = {"pandas": by_pandas, "duckdb": by_duckdb, "ours": by_us}


def measured(way: str, source: Path, folder: Path) -> dict[str, float]:
    """Wall time, processor time and peak of one way, in a process of its own."""
    command = [sys.executable, __file__, "--only", way, "--source", source, "--into", folder]
    environment = {**os.environ, "POLARS_MAX_THREADS": "2"}
    said = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    found: dict[str, float] = json.loads(said.splitlines()[-1])
    return found


def main() -> None:
    """Measure all ways in turn, and print them with their ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder in which the package stays")
    parser.add_argument("--only", choices=sorted(_WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        begun, used = time.perf_counter(), time.process_time()
        _WAYS[given.only](given.source, given.into)
        took = {"s": time.perf_counter() - begun, "cpu": time.process_time() - used}
        print(json.dumps(took | {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9}))
        return
    with tempfile.TemporaryDirectory(dir=given.keep) as scratch:
        folder = Path(scratch)
        package = whole_way.deliver(given.keep or folder, given.records, given.seed)["package"]
        print(f"{given.records:,} generated records of {package.stat().st_size / 1e9:.1f} GB, seed {given.seed}")
        (folder / "given.toml").write_text(whole_way.SETTINGS + whole_way.ONE_AT_A_TIME)
        order = ("--records", str(package), "--settings", str(folder / "given.toml"), "--batch", "package")
        stages, whole = whole_way.run(folder / "out", *order)
        same = stages.filter(pl.col("stage").is_in(_SAME_STEPS)).select(pl.col("s", "cpu").sum(), pl.col("peak").max())
        steps = {"s": same["s"].item(), "cpu": same["cpu"].item(), "peak": same["peak"].item() / 1000}
        theirs = measured("pandas", package, folder)
        line("pandas, the core of it", theirs, theirs)
        line("ours, the same steps and more", steps, theirs)
        line("ours, the whole run", whole | {"peak": whole["peak"] / 1000}, theirs)
        release = folder / "out" / "releases" / "latest"
        sql = measured("duckdb", release, folder)
        line("DuckDB, counts", sql, sql)
        line("ours, counts", measured("ours", release, folder), sql)
        shutil.rmtree(folder / "out")


def line(name: str, took: dict[str, float], other: dict[str, float]) -> None:
    """Print one way, and its times by those of another."""
    print(
        f"{name:30} {took['s']:7.1f} s {took['cpu']:8.1f} processor s {took['peak']:6.1f} GB   "
        f"{took['s'] / other['s']:5.2f}x {took['cpu'] / other['cpu']:5.2f}x",
        flush=True,
    )


if __name__ == "__main__":
    main()
