"""Great Expectations on every table at the size of BIOSCAN-5M, and beside its own pandas engine.

    .venv/bin/python benchmarks/expectations.py                                   # 5.15 M rows
    .venv/bin/python benchmarks/expectations.py --rows 500000 --pandas 50000      # a quick look
    .venv/bin/python benchmarks/expectations.py --rows 1000000 --copies 5          # 5 million, made sooner
    .venv/bin/python benchmarks/expectations.py --keep FOLDER                     # keep the tables there

The tables are synthetic, with a fixed seed. Those of batches, specimens and curation are made by the stages
(`benchmarks/curation.py`), the partitions and the released rows by the stages' own functions from the curated table.
One in a thousand released rows is damaged, so that listing failing rows is measured, too. All tables are validated in
one process on two threads, with the list of failing rows written as the stages write it; a table of a batch is read for
all batches. With --copies, each table is written several times, with other process IDs and a letter more of each
barcode: what was sound stays sound. CPU seconds count all threads: on an idle machine with two cores a table
takes at least half of them.

The last table is one that is wrong throughout: released rows drawn at random, of which most barcodes are in several
partitions. Millions of its rows fail.

The alternative is the pandas engine of Great Expectations on the first --pandas released rows, with its own
expectations for what the schema promises. The invariants over several columns or rows are left out there, because they
have no such expectation. Medians of three runs, after the start.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["POLARS_MAX_THREADS"] = "2"

from alone import alone

FULL = 5_150_000
MINUTES, GIB = 2.0, 6.0
HERE = Path(__file__).resolve().parent
WRONG = "wrong throughout"
_DAMAGED = 1_000  # one in so many
_AGAIN = 3


def _build(curated, partitions, out: Path) -> Path:
    """Write the released rows; the folder of their files."""
    from release import METADATA

    from bioscan_etl import schema
    from bioscan_etl.release import parts
    from bioscan_etl.release.staging import Staging

    of_release = (schema.QUARANTINE, schema.SET_ASIDE, schema.REJECTS, schema.CHANGES, schema.DECISION_LOG)
    staging = Staging(out, "0" * 64)
    parts.build_metadata(staging, curated, partitions, parts.Logs(*(one.empty() for one in of_release), "1"), METADATA)
    return staging.tree / "data"


def _released(corpus: Path, out: Path, answer) -> None:
    """Write the released rows of a corpus, one in a thousand damaged."""
    import polars as pl

    from bioscan_etl.barcodes.identity import barcode_identity
    from bioscan_etl.release import parts
    from bioscan_etl.settings import Settings
    from bioscan_etl.splits.partition import partition_onward

    path = corpus / "curated.parquet"
    identity = barcode_identity(pl.col("dna_barcode")).alias("dna_barcode")
    rows = pl.scan_parquet(path).select("processid", "genus", "species", identity, "dna_bin").collect()
    partitions = partition_onward(rows, Settings().splits, None).partitions
    barcode = rows["dna_barcode"][0]
    del rows
    data = _build(pl.read_parquet(path, columns=list(parts.CURATED_COLUMNS)), partitions, out)
    hit = pl.int_range(pl.len()) % _DAMAGED == _DAMAGED - 1
    wrong = {
        "dna_bin": pl.lit("BOLD:A1"),
        "coord-lat": pl.lit(91.0),
        "chunk": pl.lit("none"),
        "taxon": pl.lit("Nobody"),
        "dna_barcode": pl.lit(barcode),
    }
    for path in data.glob("*.parquet"):
        frame = pl.read_parquet(path)
        frame = frame.with_columns(
            pl.when(hit).then(value).otherwise(name).alias(name) for name, value in wrong.items()
        )
        frame.write_parquet(path, row_group_size=100_000)
    answer.put(str(data))


def _wrong(lake: Path, rows: int, out: Path, answer) -> None:
    """Write released rows that are wrong throughout."""
    import polars as pl
    from release import write_lake

    from bioscan_etl.release import parts

    write_lake(lake, rows)
    curated = pl.read_parquet(lake / "curated.parquet", columns=list(parts.CURATED_COLUMNS))
    answer.put(str(_build(curated, pl.read_parquet(lake / "partitions.parquet"), out)))


def _table(name: str):
    from bioscan_etl import schema

    wanted = "metadata_extended" if name == WRONG else name
    return next(one for one in vars(schema).values() if isinstance(one, schema.Table) and one.name == wanted)


def _peak() -> float:
    """The highest use of memory since the last call, in GiB."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    Path("/proc/self/clear_refs").write_text("5")
    return int(line.split()[1]) / 2**20


def _validate(tables: dict[str, list[Path]], answer) -> None:
    """Validate tables and print what each took; answer with name, seconds, CPU seconds and peak of each."""
    begun, worked = time.perf_counter(), time.process_time()
    from functools import partial

    import great_expectations  # noqa: F401 (its start is measured)

    from bioscan_etl.quality import validate
    from bioscan_etl.quality.failing import failing_file

    took = [("start", time.perf_counter() - begun, time.process_time() - worked, _peak())]
    _line(*took[0], "")
    with tempfile.TemporaryDirectory() as folder:
        for name, paths in tables.items():
            begun, worked = time.perf_counter(), time.process_time()
            table = _table(name)
            with failing_file(Path(folder) / "failing.parquet") as add:
                results = validate.validate_and_list(paths, table, partial(add, table))
            seconds, cpu = time.perf_counter() - begun, time.process_time() - worked
            failed = [one for one in results if not one.success]
            rows = max(one.element_count for one in results)
            listed = sum(one.unexpected_count for one in failed)
            took.append((name, seconds, cpu, _peak()))
            _line(*took[-1], f"; {rows:,} rows, {len(failed)} of {len(results)} fail, {listed:,} rows listed")
    answer.put(took)


def _line(name: str, seconds: float, cpu: float, peak: float, more: str) -> None:
    print(f"{name:18} {seconds:6.1f} s, CPU/2 {cpu / 2:6.1f} s, peak {peak:5.2f} GiB{more}", flush=True)


def _ours(path: Path, answer) -> None:
    """Seconds and peak of our expectations on a file of released rows."""
    import great_expectations  # noqa: F401 (not measured)

    from bioscan_etl.quality import validate

    _peak()
    begun = time.perf_counter()
    results = validate.validate_and_list(path, _table("metadata_extended"), lambda rows: None)
    answer.put((time.perf_counter() - begun, _peak(), len(results)))


def _pandas(path: Path, answer) -> None:
    """Seconds and peak of the pandas engine on the same file, for what the schema promises."""
    import great_expectations as gx
    import pandas as pd

    _peak()
    begun = time.perf_counter()
    table, expected = _table("metadata_extended"), []
    kinds = gx.expectations
    for column in table.columns:
        if not column.nullable:
            expected.append(kinds.ExpectColumnValuesToNotBeNull(column=column.name))
        if column.allowed:
            expected.append(kinds.ExpectColumnValuesToBeInSet(column=column.name, value_set=list(column.allowed)))
        if column.pattern:
            expected.append(kinds.ExpectColumnValuesToMatchRegex(column=column.name, regex=column.pattern))
        if (column.minimum, column.maximum) != (None, None):
            bounds = {"min_value": column.minimum, "max_value": column.maximum}
            expected.append(kinds.ExpectColumnValuesToBeBetween(column=column.name, **bounds))
    expected.append(kinds.ExpectColumnValuesToBeUnique(column="processid"))
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("pandas").add_dataframe_asset("released")
    batch = asset.add_batch_definition_whole_dataframe("all")
    found = batch.get_batch({"dataframe": pd.read_parquet(path)}).validate(
        gx.ExpectationSuite(name="released", expectations=expected), result_format="COMPLETE"
    )
    raised = [one for one in found.results if one.exception_info.get("raised_exception")]
    if raised:
        raise SystemExit(f"{len(raised)} expectations could not be evaluated with pandas")
    answer.put((time.perf_counter() - begun, _peak(), len(expected)))


def _first(data: Path, rows: int, path: Path, answer) -> None:
    import polars as pl

    pl.concat([pl.read_parquet(one, n_rows=rows) for one in sorted(data.glob("*.parquet"))]).head(rows).write_parquet(
        path
    )
    answer.put(True)


def _tables(corpus: Path, data: Path, wrong: Path) -> dict[str, list[Path]]:
    """The files of each table."""
    of_batches = {
        "records": "records/*.parquet",
        "checked_barcodes": "checked_barcodes.parquet",
        "checked_geography": "checked_geography.parquet",
        "normalised_names": "normalised_names.parquet",
        "boxes": "boxes/*.parquet",
    }
    found = {
        name: sorted(path for batch in ("package", "later") for path in (corpus / batch).glob(pattern))
        for name, pattern in of_batches.items()
    }
    found["specimens"] = [corpus / "specimens.parquet"]
    found["curated"] = [corpus / "curated.parquet"]
    found["metadata_extended"] = sorted(data.glob("*.parquet"))
    found[WRONG] = sorted(wrong.glob("*.parquet"))
    for name, paths in found.items():
        if not paths:
            raise SystemExit(f"there is no file of the table {name}")
    return found


def _copy(paths: list[Path], copies: int, folder: Path, answer) -> None:
    """Write copies of a table, a file each, with other process IDs and barcodes; answer with the paths."""
    import polars as pl

    folder.mkdir(parents=True)
    written = []
    for number in range(copies):
        there = [name for name in ("nuc", "dna_barcode") if name in pl.read_parquet_schema(paths[0])]
        of_barcodes = [pl.concat_str(name, pl.lit("ACGT"[number % 4] * (number // 4 + 1))) for name in there]
        for place, path in enumerate(paths):
            frame = (
                pl.scan_parquet(path)
                .with_columns(processid=pl.format(f"{{}}{number}", "processid"))
                .with_columns(of_barcodes)
            )
            written.append(folder / f"{number}-{place:04d}.parquet")
            frame.sink_parquet(written[-1], row_group_size=100_000)
    answer.put(written)


def _kept(note: Path, work, *arguments) -> Path:
    """A folder that `work` made, whose path a file notes when it is whole."""
    if not note.exists():
        note.write_text(alone(work, *arguments))
    return Path(note.read_text())


def main() -> None:
    """Generate, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=FULL)
    parser.add_argument("--pandas", type=int, default=200_000, help="released rows that are compared; 0 for none")
    parser.add_argument("--keep", type=Path, help="folder of the tables; kept and used again")
    parser.add_argument("--copies", type=int, default=1, help="copies of each table")
    options = parser.parse_args()
    rows = options.rows
    with tempfile.TemporaryDirectory() as scratch:
        home = (options.keep or Path(scratch)).resolve()
        corpus = home / f"c{rows}"
        if not (corpus / "changes.parquet").exists():  # the last one
            command = [sys.executable, str(HERE / "curation.py"), "--records", str(rows), "--keep", str(home)]
            subprocess.run([*command, "--pandas", "0"], check=True, cwd=HERE.parent)
        copies = options.copies
        data = _kept(home / f"released{rows}.path", _released, corpus, home / f"released{rows}")
        wrong = _kept(home / f"wrong{rows}.path", _wrong, home / f"lake{rows}", rows, home / f"wrong{rows}")
        tables = _tables(corpus, data, wrong)
        if copies > 1:
            of_copies = Path(scratch) / "copies"
            tables = {
                name: alone(_copy, paths, copies, of_copies / str(n)) for n, (name, paths) in enumerate(tables.items())
            }
        _measure(tables)
        if options.pandas:
            _compare(data, options.pandas, Path(scratch) / "first.parquet")


def _measure(tables: dict[str, list[Path]]) -> None:
    print(f"load average {os.getloadavg()[0]:.1f}", flush=True)
    took = alone(_validate, tables)
    sound = [one for one in took if one[0] != WRONG]
    seconds, cpu = (sum(one[number] for one in sound) for number in (1, 2))
    print(
        f"all tables but the last: {seconds:.1f} s, CPU/2 {cpu / 2:.1f} s, peak {max(one[3] for one in sound):.2f} GiB "
        f"(goals: {MINUTES * 60:.0f} s, {GIB:.0f} GiB); load average {os.getloadavg()[0]:.1f}"
    )


def _compare(data: Path, rows: int, path: Path) -> None:
    alone(_first, data, rows, path)
    ours, theirs = ([alone(work, path) for _ in range(_AGAIN)] for work in (_ours, _pandas))
    seconds, peaks = ([statistics.median(run[n] for run in runs) for runs in (ours, theirs)] for n in (0, 1))
    print(
        f"{rows:,} released rows: {ours[0][2]} expectations {seconds[0]:.1f} s, {peaks[0]:.2f} GiB; with pandas "
        f"{theirs[0][2]} expectations {seconds[1]:.1f} s, {peaks[1]:.2f} GiB: "
        f"{seconds[1] / seconds[0]:.1f} times as long, {peaks[1] / peaks[0]:.1f} times the memory"
    )


if __name__ == "__main__":
    main()
