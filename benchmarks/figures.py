"""The figures of a release: seconds, processor time and bytes of each, and of all with the page that shows them.

    python benchmarks/figures.py --rows 5150850
    python benchmarks/figures.py --release output/releases/v1

Without a release, rows are drawn as in `statistics_tables.py`, with named orders, countries and sites, and their tables
are counted. Distances and the leakage curve are those of 1,000 barcodes: their tables do not grow with the corpus. The
audit has all species of BIOSCAN-5M. Images are drawn, too: of the specimens that are shown, which is how many a figure
reads, with the boxes of all rows beside them.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pycountry
from statistics_tables import drawn as rows_of

from bioscan_etl import schema
from bioscan_etl.demo.images import Studio, as_jpeg
from bioscan_etl.images.resize import resized
from bioscan_etl.release.layout import images_name
from bioscan_etl.settings import Settings
from bioscan_etl.statistics.completeness import completeness
from bioscan_etl.statistics.definitions import TABLES
from bioscan_etl.statistics.described import describe
from bioscan_etl.statistics.drawn import ROWS, SHOWN, Drawn, sample_of, shown_of, stated
from bioscan_etl.statistics.figures import draw, draw_figures
from bioscan_etl.statistics.looks import _COMMON, _OTHERS
from bioscan_etl.statistics.pictures import Pictures, load_pictures
from bioscan_etl.statistics.tables import statistics
from bioscan_etl.statistics.titles import FIGURES


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--release", help="folder of a release instead of rows that are drawn")
    parser.add_argument("--only", nargs="+", default=list(FIGURES), metavar="NAME", help="figures; all by default")
    parser.add_argument("--output", type=Path, help="keep the figures here")
    arguments = parser.parse_args()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        if arguments.release:
            release = describe(arguments.release, Settings()).drawn()
        else:
            release = generated(arguments.rows)
            release = replace(release, pictures=photographed(release, Path(temporary).resolve() / "release"))
        took = time.perf_counter() - start
        print(f"{release.rows.height:,} rows read or made, and counted, in {took:.1f} s", flush=True)
        folder = arguments.output or Path(temporary)
        for name in arguments.only:
            path = folder / f"{name}.svg"
            start, used = time.perf_counter(), time.process_time()
            draw(name, release, path)
            took, used = time.perf_counter() - start, time.process_time() - used
            sizes = [path.with_suffix(ending).stat().st_size for ending in (".svg", ".png")]
            print(f"{name:24} {took:6.2f} s  CPU {used:6.2f} s  svg {sizes[0]:8,}  png {sizes[1]:8,}", flush=True)
        start, used = time.perf_counter(), time.process_time()
        draw_figures(release, folder, arguments.only)
        page = (folder / "index.html").stat().st_size
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        took, used = time.perf_counter() - start, time.process_time() - used
        print(
            f"these {len(arguments.only)} and the page: {took:.1f} s, CPU {used:.1f} s, page {page:,}, "
            f"peak {peak:.1f} GiB"
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


def photographed(release: Drawn, root: Path) -> Pictures:
    """Images of the shown specimens in the packages that figures read, and a table with the boxes of all specimens."""
    settings, studio, count = Settings(), Studio(0, 4), release.rows.height
    shown = dict(release.shown.select("processid", "path").iter_rows())
    if release.sample:
        shown[release.sample["processid"]] = release.sample["path"]
    found = {}
    for number, (processid, path) in enumerate(sorted(shown.items())):
        taken = studio.render(np.random.default_rng([0, number]))
        assert taken.box is not None
        x0, y0, x1, y1 = found[processid] = taken.box
        for package, pixels, size in (
            ("original_256", taken.pixels, (341, 256)),
            ("cropped_256", np.ascontiguousarray(taken.pixels[y0:y1, x0:x1]), (341, 256)),
        ):
            file = root / images_name(settings.release) / package / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(as_jpeg(resized(pixels, size)))
    boxes = pl.select(processid=pl.format("P{}", pl.int_range(count))).with_columns(
        width_original=1024, height_original=768, scale_factor=0.8, area_fraction=0.1,
        **{
            name: pl.col("processid").replace_strict({key: box[at] for key, box in found.items()}, default=100 + at)
            for at, name in enumerate(("x0", "y0", "x1", "y1"))
        },
    )  # fmt: skip
    boxes.select(schema.BBOX.names()).write_csv(root / f"{settings.release.title}_bbox.tsv")
    pictures = load_pictures(root, settings)
    assert pictures is not None
    return pictures


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
