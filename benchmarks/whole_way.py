"""The whole way from raw records to a release, as a user runs it: each stage's time, processor time, memory and bytes.

    .venv/bin/python benchmarks/whole_way.py                          # 0.5, 1, 2 and 5.15 M records
    .venv/bin/python benchmarks/whole_way.py --records 500000         # one size
    .venv/bin/python benchmarks/whole_way.py --runs 1                 # the first release alone
    .venv/bin/python benchmarks/whole_way.py --one-at-a-time          # no stage beside another: costs of each alone
    .venv/bin/python benchmarks/whole_way.py --keep FOLDER            # keep the deliveries there, for another run
    .venv/bin/python benchmarks/whole_way.py --markdown FILE          # the tables, also as Markdown

Data: generated, seeded, none of it real (`bioscan_etl.demo.scale`): a package in the BCDM layout, half as many
distinct barcodes as records, one further row in ten of another marker, rows in no order of process IDs; and a later
delivery of 2 % of the process IDs. Deliveries have no images, so that gates do not ask for one and the forms that need
images are left out.

Measured are three runs of `bioscan-etl run`, each a process of its own: the first release, the next one after the
later delivery, and a run that finds nothing new. The costs of a stage are those that `run --verbose` logs. `busy` is
processor time by wall time: with two cores at most 2. The peak of memory is that of the process up to the end of a
stage: it rises at the stage that took it. Two stages are made at a time (`automation.memory_gb`), and the numbers of
each contain what the other did meanwhile: with --one-at-a-time they are its own. The critical path is the longest chain
of stages of which each waits for the one before.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from bioscan_etl import schema
from bioscan_etl.demo.scale import write_scale_corpus
from bioscan_etl.stages.registry import STAGES

SIZES = (500_000, 1_000_000, 2_000_000, 5_150_000)
RUNS = ("first release", "after a delivery", "nothing new")
SETTINGS = """
[gates]
require_image = false
[release]
image_packages = []
hdf5_packages = []
"""
ONE_AT_A_TIME = """
[automation]
memory_gb = 0
"""
_OTHER_MARKER = 0.1
_COST = re.compile(
    r"(?P<what>built|found) (?P<stage>\w+): (?P<s>[\d.]+) s, (?P<cpu>[\d.]+) processor s, [\d.]+ cores busy"
    r"(?:, (?P<read>[\d,]+) MB read, (?P<written>[\d,]+) MB written)?(?:, (?P<peak>[\d,]+) MB peak so far)?"
)
_NOT_DELIVERED = {"batch", "source_file", "source_line", "snapshot_date", "flags", "verbatim"}


def deliver(folder: Path, records: int, seed: int) -> dict[str, Path]:
    """The package and the later delivery as TSV, made once; their paths by name."""
    paths = {name: folder / f"{name}-{records}-{seed}.tsv" for name in ("package", "later")}
    if all(path.exists() for path in paths.values()):
        return paths
    corpus = folder / f"corpus-{records}-{seed}"
    write_scale_corpus(corpus, records, seed)
    rng = np.random.default_rng([seed, 9])
    columns = [name for name in schema.RECORDS.names() if name not in _NOT_DELIVERED]
    for name, path in paths.items():
        beside = path.with_suffix(".part")
        with beside.open("wb") as stream:
            stream.write(("\t".join(columns) + "\n").encode())
            for part in sorted((corpus / name / "records").glob("*.parquet")):
                frame = pl.read_parquet(part, columns=columns)
                again = frame.sample(fraction=_OTHER_MARKER, seed=int(rng.integers(1 << 31)))
                other = again.with_columns(marker_code=pl.lit("28S"), record_id=pl.format("{}.28S", "processid"))
                both = pl.concat([frame, other])
                both = both[rng.permutation(both.height)]
                both.write_csv(stream, separator="\t", include_header=False, null_value="None", quote_style="never")
        beside.rename(path)
    shutil.rmtree(corpus)
    return paths


def run(output: Path, *arguments: str) -> tuple[pl.DataFrame, dict[str, float]]:
    """One `bioscan-etl run`: the costs of its stages, and of the whole process."""
    tool = Path(sys.executable).with_name("bioscan-etl")
    begun = time.perf_counter()
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [tool, "run", "--output", output, "--verbose", *arguments], stdout=log, stderr=log, text=True
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        log.seek(0)
        lines = log.read()
    if status:
        raise SystemExit(lines[-4000:])
    found = [match.groupdict() for match in _COST.finditer(lines)]
    table = pl.DataFrame(found).with_columns(
        pl.col("s", "cpu", "read", "written", "peak").str.replace_all(",", "").cast(pl.Float64)
    )
    whole = {
        "s": seconds,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss * 1024 / 1e6,
        "built": float((table["what"] == "built").sum()),
    }
    return table, whole


def measure(folder: Path, records: int, seed: int, runs: int, more: str) -> list[dict[str, object]]:
    """Some runs at one size; prints each and returns a row per run."""
    paths = deliver(folder, records, seed)
    output = Path(tempfile.mkdtemp(prefix="whole-way-", dir=folder))
    settings = output / "given.toml"
    settings.write_text(SETTINGS + more, encoding="utf-8")
    orders = (
        ("--records", str(paths["package"]), "--settings", str(settings), "--batch", "package"),
        ("--records", str(paths["later"]), "--batch", "later", "--snapshot-date", "2026-01-01"),
        (),
    )
    rows = []
    try:
        for name, order in list(zip(RUNS, orders, strict=True))[:runs]:
            stages, whole = run(output, *order)
            print(f"\n{name}, {records:,} records\n{_text(stages, whole)}", flush=True)
            rows.append({"records": records, "run": name, "stages": stages, **whole})
    finally:
        shutil.rmtree(output)
    return rows


def _text(stages: pl.DataFrame, whole: dict[str, float]) -> str:
    shown = stages.filter(pl.col("s") >= max(whole["s"] / 200, 0.05))
    lines = [f"{'stage':26} {'s':>7} {'cpu s':>8} {'busy':>5} {'read MB':>9} {'written':>9} {'peak so far, MB':>16}"]
    lines += [
        f"{row['stage']:26} {row['s']:7.1f} {row['cpu']:8.1f} {row['cpu'] / max(row['s'], 0.01):5.2f} "
        f"{row['read'] or 0:9,.0f} {row['written'] or 0:9,.0f} {row['peak'] or 0:16,.0f}"
        for row in shown.iter_rows(named=True)
    ]
    rest = whole["s"] - shown["s"].sum()
    if rest > 0:  # stages beside each other take longer together than the whole run
        lines.append(f"{'all else':26} {rest:7.1f}")
    path = critical_path(stages)
    lines.append(f"critical path: {sum(path.values()):.1f} s by {', '.join(name for name, s in path.items() if s > 1)}")
    lines.append(
        f"{'whole run':26} {whole['s']:7.1f} {whole['cpu']:8.1f} {whole['cpu'] / whole['s']:5.2f} "
        f"{'':9} {'':9} {whole['peak']:16,.0f}"
    )
    return "\n".join(lines)


def critical_path(stages: pl.DataFrame) -> dict[str, float]:
    """The chain of stages, each waiting for the one before, that takes longest: wall time by stage."""
    took: dict[str, float] = {}
    for name, s in stages.select("stage", "s").iter_rows():
        took[name] = took.get(name, 0.0) + s
    chains: dict[str, dict[str, float]] = {}
    for stage in STAGES.values():
        before = [chains[name] for name in (*stage.reads, *stage.after) if name in chains]
        longest = max(before, key=lambda chain: sum(chain.values()), default={})
        chains[stage.name] = longest | {stage.name: took.get(stage.name, 0.0)}
    return max(chains.values(), key=lambda chain: sum(chain.values()))


def markdown(rows: list[dict[str, object]]) -> str:
    """The curve over the sizes, and the stages of the largest first release."""
    lines = ["| records | run | stages built | wall s | processor s | busy | peak GB |"]
    lines += ["|---:|---|---:|---:|---:|---:|---:|"]
    for row in rows:
        s, cpu, peak, built = (float(str(row[name])) for name in ("s", "cpu", "peak", "built"))
        lines.append(
            f"| {row['records']:,} | {row['run']} | {built:.0f} "
            f"| {s:.0f} | {cpu:.0f} | {cpu / s:.2f} | {peak / 1000:.1f} |"
        )
    first = next(row for row in reversed(rows) if row["run"] == RUNS[0])
    stages = first["stages"]
    assert isinstance(stages, pl.DataFrame)
    lines += ["", "| stage | wall s | processor s | busy | MB read | MB written | peak so far, GB |"]
    lines += ["|---|---:|---:|---:|---:|---:|---:|"]
    for row in stages.filter(pl.col("s") >= 0.5).sort("s", descending=True).iter_rows(named=True):
        lines.append(
            f"| {row['stage']} | {row['s']:.1f} | {row['cpu']:.1f} | {row['cpu'] / row['s']:.2f} "
            f"| {row['read'] or 0:,.0f} | {row['written'] or 0:,.0f} | {(row['peak'] or 0) / 1000:.1f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure the sizes that are asked for, and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, nargs="+", default=SIZES, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=int, choices=(1, 2, 3), default=3, help="of the three runs, only the first ones")
    parser.add_argument("--one-at-a-time", action="store_true", help="make no stage beside another")
    parser.add_argument("--keep", type=Path, help="folder in which the deliveries stay")
    parser.add_argument("--markdown", type=Path, help="file for the tables")
    given = parser.parse_args()
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for records in given.records:
            more = ONE_AT_A_TIME if given.one_at_a_time else ""
            rows += measure(folder, records, given.seed, given.runs, more)
            if given.keep is None:
                for path in folder.glob("*.tsv"):
                    path.unlink()
    print(f"\n{'records':>10}  {'run':18} {'s':>7} {'cpu s':>8} {'peak MB':>8}")
    for row in rows:
        print(f"{row['records']:>10,}  {row['run']:18} {row['s']:7.0f} {row['cpu']:8.0f} {row['peak']:8,.0f}")
    if given.markdown:
        given.markdown.write_text(markdown(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
