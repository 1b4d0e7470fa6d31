"""The figures of a release: seconds and bytes of each, and of all with the page that shows them.

    python benchmarks/figures.py --rows 5150850
    python benchmarks/figures.py --release output/releases/v1

Without a release, rows are drawn as in `statistics_tables.py`, with named orders, countries and sites, and their tables
are counted. Distances and the leakage curve are those of 1,000 barcodes: their tables do not grow with the corpus. The
audit has all species of BIOSCAN-5M. Images are drawn from a release only.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
import pycountry
from statistics_tables import drawn as rows_of

from bioscan_etl.settings import Settings
from bioscan_etl.statistics.completeness import completeness
from bioscan_etl.statistics.definitions import TABLES
from bioscan_etl.statistics.described import describe
from bioscan_etl.statistics.drawn import ROWS, SHOWN, Drawn, sample_of, shown_of, stated
from bioscan_etl.statistics.figures import draw, draw_figures
from bioscan_etl.statistics.looks import _COMMON, _OTHERS
from bioscan_etl.statistics.tables import statistics
from bioscan_etl.statistics.titles import FIGURES


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--release", help="folder of a release instead of rows that are drawn")
    parser.add_argument("--output", type=Path, help="keep the figures here")
    arguments = parser.parse_args()
    start = time.perf_counter()
    release = describe(arguments.release, Settings()).drawn() if arguments.release else generated(arguments.rows)
    print(f"{release.rows.height:,} rows read or made, and counted, in {time.perf_counter() - start:.1f} s", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.output or Path(temporary)
        for name in FIGURES:
            path = folder / f"{name}.svg"
            start = time.perf_counter()
            draw(name, release, path)
            took = time.perf_counter() - start
            sizes = [path.with_suffix(ending).stat().st_size for ending in (".svg", ".png")]
            print(f"{name:24} {took:6.2f} s  svg {sizes[0]:8,}  png {sizes[1]:8,}", flush=True)
        start = time.perf_counter()
        draw_figures(release, folder)
        page = (folder / "index.html").stat().st_size
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        print(
            f"all {len(FIGURES)} and the page: {time.perf_counter() - start:.1f} s, page {page:,}, peak {peak:.1f} GiB"
        )


def generated(count: int) -> Drawn:
    """Rows that are drawn, with the tables that are counted of them."""
    rng = np.random.default_rng(1)
    orders = [*_COMMON["order"], *_OTHERS["order"]]
    classes = ["Insecta"] * 30 + ["Arachnida", "Collembola", "Malacostraca"]
    codes = sorted(country.alpha_2 for country in pycountry.countries)
    number = pl.col("order").str.extract(r"(\d+)").cast(pl.Int64)
    rows = rows_of(count).with_columns(
        number.replace_strict(dict(enumerate(orders)), default="Diptera", return_dtype=pl.String).alias("order"),
        (number % len(classes)).replace_strict(dict(enumerate(classes)), return_dtype=pl.String).alias("class"),
        country_iso=pl.Series(np.array(codes)[np.minimum(rng.geometric(0.05, count), len(codes)) - 1]),
    )
    named = rows.lazy().with_columns(
        pl.format("P{}", pl.int_range(pl.len())).alias("processid"),
        chunk=pl.lit("a"),
        taxon=pl.col("species"),
        dna_barcode=pl.lit("ACGTN" * 130),
    )
    small = named.select(*SHOWN, "country_iso", "dna_barcode").head(1_000).collect()
    letters = np.frombuffer(b"ACGT", np.uint8)
    whole = [bytes(row).decode() for row in letters[rng.integers(0, 4, (200, 658))]]
    barcodes = [whole[n % 200][: 650 - n // 200] for n in range(small.height)]
    tables = dict(describe(small.with_columns(dna_barcode=pl.Series(barcodes)), Settings()).tables)
    tables |= statistics(rows) | completeness(rows)
    species = [f"species {n}" for n in range(22_622)]
    tables["species_audit"] = pl.DataFrame(
        {"species": species, "largest_within": rng.random(22_622) / 20, "nearest_other": rng.random(22_622) / 8}
    ).with_columns(gap=pl.col("nearest_other") - pl.col("largest_within"))
    tables |= _distances(rng, tables, [*orders[:40], *classes[30:]])
    missing = rows.null_count().unpivot(variable_name="field", value_name="missing")
    tables["missing"] = missing.with_columns(pl.col("missing").cast(pl.Int64))
    assert tables.keys() == {table.name for table in TABLES}
    return Drawn(
        rows=rows.select(ROWS),
        tables=tables,
        sample=sample_of(named),
        shown=shown_of(named),
        source=f"{count:,} generated rows",
        settings=stated(Settings()),
    )


def _distances(rng: np.random.Generator, tables: dict[str, pl.DataFrame], names: list[str]) -> dict[str, pl.DataFrame]:
    """Distances of groups that are named, and of a hundred bins of species."""

    def like(table: pl.DataFrame, count: int, **known: object) -> pl.DataFrame:
        spread = np.sort(rng.random((count, 5)) / 4, axis=1)
        quantiles = ("minimum", "lower_quartile", "median", "upper_quartile", "maximum")
        columns = {
            name: pl.Series(spread[:, quantiles.index(name)])
            if name in quantiles
            else pl.Series(rng.integers(1, 10**6, count) if dtype.is_integer() else rng.random(count) / 4)
            for name, dtype in table.schema.items()
        }
        return pl.select(pl.lit(value).alias(name) if isinstance(value, str) else pl.Series(name, value)
                         for name, value in (columns | known).items()).cast(dict(table.schema))  # fmt: skip

    groups = [
        like(tables["distances"], len(found), level=pl.Series([level] * len(found)), group=pl.Series(found))
        for level, found in (("class", sorted(set(names[-3:]))), ("order", names[:40]))
    ]
    bins = like(tables["distance_bins"], 100, bin=pl.Series(range(1, 101)), x=pl.Series(np.linspace(0, 0.1, 100)))
    return {"distances": pl.concat(groups), "distance_bins": bins}


if __name__ == "__main__":
    main()
