"""Curation at the size of BIOSCAN-5M: seconds and peak memory of each stage, and the curve over the corpus' size.

    .venv/bin/python benchmarks/curation.py                          # 0.5, 1, 2 and 5.15 M records
    .venv/bin/python benchmarks/curation.py --records 500000         # one size
    .venv/bin/python benchmarks/curation.py --keep FOLDER            # keep the corpora there, for another run

The corpora are generated (`bioscan_etl.demo.scale`), seeded, without real data: one package, and a later delivery of
2 % of its process IDs. Every stage is a process of its own on two threads, reads the Parquet files that the stages
before it wrote and writes its own, as the assets do; so its peak is its own and its seconds include the files.
Geography and names run at the same time; the total takes their peaks together, and all seconds from the start to the
end of the processes. CPU seconds are user and system time of all threads: on an idle machine with two cores a stage
lasts at least half of them.

Beside the stages `conflicts+inference` is measured as a straightforward pandas version would do it, at --pandas
records, and as ours does, file to file, on the same corpus in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

SIZES = (500_000, 1_000_000, 2_000_000, 5_150_000)
# Geography and names need nothing of each other, and Dagster runs them at the same time.
AT_A_TIME = (("barcodes",), ("geography", "names"), ("assemble",), ("curate",))
STAGES = tuple(stage for stages in AT_A_TIME for stage in stages)
DELIVERIES = ("package", "later")
MINUTES, GIB = 6.0, 10.0


def _checks(stage: str, folder: Path) -> None:
    import polars as pl

    from bioscan_etl import schema
    from bioscan_etl.barcodes.check import check_barcodes
    from bioscan_etl.geography.check import check_geography
    from bioscan_etl.lake import Draft
    from bioscan_etl.settings import Settings
    from bioscan_etl.taxonomy.names import normalise_names

    settings = Settings()
    table, check = {
        "barcodes": (schema.CHECKED_BARCODES, lambda records: check_barcodes(records, settings.barcodes)),
        "geography": (schema.CHECKED_GEOGRAPHY, lambda records: check_geography(records, settings.geography)),
        "names": (schema.NORMALISED_NAMES, normalise_names),
    }[stage]
    for delivery in DELIVERIES:
        records = pl.scan_parquet(folder / delivery / "records")
        Draft(folder / delivery, {}).write(table, check(records))


def _assemble(folder: Path) -> dict[str, object]:

    from bioscan_etl import schema
    from bioscan_etl.lake import Draft
    from bioscan_etl.settings import Settings
    from bioscan_etl.specimens.assemble import BatchTables, assemble, quarantine

    for delivery in DELIVERIES:
        # Places of barcodes are another benchmark's (placement.py): here barcodes are compared as a whole.
        for table in (schema.SET_ASIDE, schema.REJECTS, schema.BOXES, schema.PLACEMENTS):
            path = folder / delivery / f"{table.name}.parquet"
            table.empty().write_parquet(path)
    batches = [
        BatchTables(
            batch=delivery,
            records=folder / delivery / "records",
            set_aside=folder / delivery / "set_aside.parquet",
            rejects=folder / delivery / "rejects.parquet",
            barcodes=folder / delivery / "checked_barcodes.parquet",
            geography=folder / delivery / "checked_geography.parquet",
            names=folder / delivery / "normalised_names.parquet",
            boxes=folder / delivery / ("boxes" if delivery == "package" else "boxes.parquet"),
            placements=folder / delivery / "placements.parquet",
        )
        for delivery in DELIVERIES
    ]
    clock, parts = _Clock(), {}
    tables = assemble(batches, Settings())
    parts["corpus"] = clock.lap()
    draft = Draft(folder, {})
    written = draft.write(schema.SPECIMENS, tables.lazy())
    parts["slices"] = clock.lap()
    draft.write(schema.QUARANTINE, quarantine(written))
    tables.changes.write_parquet(folder / "value_changes.parquet", compression="zstd")
    parts["rest"] = clock.lap()
    return {"parts": parts}


def _curate(folder: Path) -> dict[str, object]:
    import polars as pl

    from bioscan_etl import schema
    from bioscan_etl.changes import number_changes
    from bioscan_etl.lake import Draft
    from bioscan_etl.settings import Settings
    from bioscan_etl.specimens.accepted import accepted
    from bioscan_etl.taxonomy.curate import curate
    from bioscan_etl.taxonomy.invariants import check

    clock, parts = _Clock(), {}
    frame = accepted(pl.scan_parquet(folder / "specimens.parquet"))
    curated = curate(frame, Settings().taxonomy)
    parts["curate"] = clock.lap()
    draft = Draft(folder, {})
    written = draft.write(schema.CURATED, curated.lazy())
    parts["write"] = clock.lap()
    assert not check(written, curated.changes, frame)
    parts["invariants"] = clock.lap()
    values = pl.read_parquet(folder / "value_changes.parquet")
    values = values.join(curated.labels, on="processid", how="semi")
    draft.write(schema.CHANGES, number_changes([values, curated.changes]))
    parts["log"] = clock.lap()
    return {"parts": parts, "changes": curated.changes.height + values.height}


class _Clock:
    def __init__(self) -> None:
        self.seconds, self.cpu = time.perf_counter(), time.process_time()

    def lap(self) -> tuple[float, float]:
        """Seconds and CPU seconds since the last lap."""
        before = self.seconds, self.cpu
        self.seconds, self.cpu = time.perf_counter(), time.process_time()
        return self.seconds - before[0], self.cpu - before[1]


def _labels(folder: Path):
    """Labels and shared barcodes of the accepted specimens, as both versions of conflicts+inference read them."""
    import polars as pl

    from bioscan_etl.barcodes.identity import barcode_identity
    from bioscan_etl.barcodes.numbering import same_barcode
    from bioscan_etl.specimens.accepted import accepted
    from bioscan_etl.vocabulary import RANKS

    frame = (
        accepted(pl.scan_parquet(folder / "specimens.parquet"))
        .select(barcode_identity(pl.col("dna_barcode")).alias("barcode"), *RANKS)
        .collect()
    )
    frame = frame.with_columns(same_barcode(frame["barcode"])).with_row_index("row")
    shared = (pl.len().over("barcode") > 1) & pl.col("barcode").is_not_null()
    return frame.select("row", *RANKS, group=pl.when(shared).then("barcode"))


def _ours(folder: Path) -> None:
    from bioscan_etl.settings import Settings
    from bioscan_etl.taxonomy.conflicts import resolve_conflicts
    from bioscan_etl.taxonomy.inference import infer_from_barcode

    settings = Settings().taxonomy
    resolved = resolve_conflicts(_labels(folder), settings)
    labels, _ = infer_from_barcode(resolved.labels, enabled=True)
    labels.drop("group").write_parquet(folder / "ours.parquet")


def _pandas(folder: Path) -> None:
    """The same labels as a user of pandas would get them: a vote per barcode and rank, then filling."""
    import pandas as pd

    from bioscan_etl.vocabulary import RANKS

    table = pd.read_parquet(folder / "specimens.parquet", columns=["dna_barcode", "gates", *RANKS])
    table["barcode"] = table.pop("dna_barcode").str.replace("[^ACGTN]", "N", regex=True).str.strip("N")
    table = table[table["gates"].map(len) == 0].drop(columns="gates").reset_index(drop=True)
    voted(table).drop(columns="barcode").to_parquet(folder / "pandas.parquet")


def voted(table: pd.DataFrame) -> pd.DataFrame:
    """The rows with the labels that the records of each barcode agree on; columns barcode and `vocabulary.RANKS`."""
    from bioscan_etl.vocabulary import RANKS

    votes = table[table["barcode"].notna() & table["barcode"].duplicated(keep=False)].copy()
    votes["eligible"], votes["cleared"] = True, False
    for rank in RANKS:
        counts = (
            votes[votes[rank].notna() & ~votes["cleared"]]
            .groupby(["barcode", rank])["eligible"]
            .agg(records="size", eligible="sum")
            .reset_index()
            .sort_values(["barcode", "eligible", rank], ascending=[True, False, True])
        )
        by_barcode = counts.groupby("barcode")
        tally = by_barcode.first().rename(columns={rank: "label", "eligible": "support"})
        tally["records"], tally["distinct"] = by_barcode["records"].sum(), by_barcode.size()
        won = (tally["support"] / tally["records"] >= 0.9) & (tally["support"] >= 2)
        outvoted = tally["support"] == 0
        conflict = ~outvoted & (tally["distinct"] > 1) & ~won
        tally.loc[outvoted | conflict, "label"] = None
        votes["cleared"] |= votes["barcode"].map(conflict).fillna(False).astype(bool)
        label = votes["barcode"].map(tally["label"])
        had = votes[rank].notna()
        votes["eligible"] &= ~had | (votes[rank] == label)
        votes[rank] = label.where(had & ~votes["cleared"])
    for rank in RANKS:
        votes[rank] = votes[rank].fillna(votes.groupby("barcode")[rank].transform("first"))
    table.loc[votes.index, list(RANKS)] = votes[list(RANKS)]
    return table


def _same(folder: Path) -> dict[str, object]:
    import polars as pl

    from bioscan_etl.vocabulary import RANKS

    ours, theirs = (pl.read_parquet(folder / f"{name}.parquet").select(RANKS) for name in ("ours", "pandas"))
    return {"text": "the same labels" if ours.equals(theirs) else "OTHER LABELS"}


def _generate(folder: Path, records: int, seed: int) -> None:
    from bioscan_etl.demo.scale import write_scale_corpus

    write_scale_corpus(folder, records, seed)
    (folder / "whole").touch()


def _run_stage(stage: str, folder: Path, records: int, seed: int) -> None:
    """Do one stage in this process and print what it took as JSON."""
    clock = _Clock()
    more: dict[str, object] = {}
    if stage == "generate":
        _generate(folder, records, seed)
    elif stage in STAGES[:3]:
        _checks(stage, folder)
    else:
        more = {
            "assemble": _assemble,
            "curate": _curate,
            "ours": _ours,
            "pandas": _pandas,
            "score": _score,
            "same": _same,
        }[stage](folder) or {}
    seconds, cpu = clock.lap()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak, **more}))


def _started(stage: str, folder: Path, records: int, seed: int) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--stage", stage, "--keep", str(folder), "--records", str(records)]
    return subprocess.Popen(
        [*command, "--seed", str(seed)],
        env={**os.environ, "POLARS_MAX_THREADS": "2"},
        cwd=Path(__file__).resolve().parents[1],
        stdout=subprocess.PIPE,
        text=True,
    )


def _alone(stage: str, folder: Path, records: int, seed: int) -> dict:
    return _together([stage], folder, records, seed)[0][0]


def _together(stages: Sequence[str], folder: Path, records: int, seed: int) -> tuple[list[dict], float]:
    """What each of some stages took that ran at the same time, and the seconds until all had ended."""
    begun = time.perf_counter()
    running = [_started(stage, folder, records, seed) for stage in stages]
    took = []
    for stage, process in zip(stages, running, strict=True):
        printed, _ = process.communicate()
        if process.returncode:
            raise SystemExit(f"stage {stage} at {records:,} records ended with exit code {process.returncode}")
        took.append(json.loads(printed.splitlines()[-1]))
    return took, time.perf_counter() - begun


def main() -> None:
    """Generate, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, nargs="+", default=SIZES)
    parser.add_argument("--stages", nargs="+", default=STAGES, choices=STAGES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder of the corpora; kept and used again")
    parser.add_argument("--pandas", type=int, default=500_000, help="size, one of --records, compared with pandas")
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        _run_stage(options.stage, options.keep, options.records[0], options.seed)
        return
    with tempfile.TemporaryDirectory() as scratch:
        for records in options.records:
            _measure(options.keep or Path(scratch), records, options)
            if records == options.pandas:
                _compare(options.keep or Path(scratch), records, options)


def _measure(home: Path, records: int, options) -> None:
    folder = home / f"c{records}"
    if not (folder / "whole").exists():
        took = _alone("generate", folder, records, options.seed)
        print(f"generated {records:,} records in {took['seconds']:.0f} s, peak {took['peak']:.1f} GiB", flush=True)
    total = {"seconds": 0.0, "cpu": 0.0, "peak": 0.0}
    for stages in AT_A_TIME:
        chosen = [stage for stage in stages if stage in options.stages]
        together, seconds = _together(chosen, folder, records, options.seed)
        for stage, took in zip(chosen, together, strict=True):
            _line(stage, records, took)
            for name, (lasted, cpu) in took.get("parts", {}).items():
                print(f"{'':14}{name:>14} {lasted:7.1f} s  {cpu / 2:7.1f} s")
        total = {
            "seconds": total["seconds"] + (seconds if chosen else 0.0),
            "cpu": total["cpu"] + sum(took["cpu"] for took in together),
            "peak": max(total["peak"], sum(took["peak"] for took in together)),
        }
    _line("total", records, total)
    # In a process of its own: a stage's peak counts from the memory of the process that started it.
    print(_alone("score", folder, records, options.seed)["text"], flush=True)


def _compare(home: Path, records: int, options) -> None:
    """Conflicts and inference beside the pandas version, which must give the same labels."""
    folder = home / f"c{records}"
    ours, theirs = (_alone(stage, folder, records, options.seed) for stage in ("ours", "pandas"))
    _line("ours", records, ours)
    _line("pandas", records, theirs)
    same = _alone("same", folder, records, options.seed)["text"]
    print(
        f"{records:>10,} conflicts+inference: pandas takes {theirs['seconds'] / ours['seconds']:.1f} times as long, "
        f"{theirs['cpu'] / ours['cpu']:.1f} times the CPU, {theirs['peak'] / ours['peak']:.1f} times the memory; {same}"
    )


def _score(folder: Path) -> dict[str, object]:
    """Precision and recall of BARCODE_MISPLACED against what was planted."""
    import polars as pl

    from bioscan_etl.barcodes.identity import barcode_identity

    specimens = pl.scan_parquet(folder / "specimens.parquet").filter(
        (pl.col("batch") == "package") & pl.col("barcode_length").is_not_null()
    )
    hit = pl.col("flags").list.contains("BARCODE_MISPLACED").alias("hit")
    # A barcode without two others in its BIN has no neighbours that could tell.
    bins = specimens.group_by("dna_bin").agg(barcodes=barcode_identity(pl.col("dna_barcode")).n_unique())
    rows = specimens.select("processid", "dna_bin", hit).join(bins, on="dna_bin", how="left")
    truth = pl.scan_parquet(folder / "truth.parquet").filter(kind="barcode_misplaced")
    planted = rows.join(truth, on="processid", how="semi").collect()
    hits = rows.filter("hit").collect()
    right = planted.filter("hit")
    findable = planted.filter(pl.col("barcodes") > 3)
    text = (
        f"BARCODE_MISPLACED: {planted.height} planted, {hits.height} found, "
        f"precision {right.height / max(hits.height, 1):.3f}, recall {right.height / max(planted.height, 1):.3f}, "
        f"of those with more than 3 barcodes in their BIN {findable['hit'].mean() or 0.0:.3f}"
    )
    return {"text": text}


def _line(stage: str, records: int, took: dict) -> None:
    each = took["cpu"] / records * 1e6
    print(
        f"{records:>10,} {stage:12} {took['seconds']:7.1f} s  CPU/2 {took['cpu'] / 2:7.1f} s  "
        f"peak {took['peak']:5.2f} GiB  {each:6.1f} CPU us a record",
        flush=True,
    )


if __name__ == "__main__":
    main()
