"""The memory that each stage takes, for `bytes_per_row` of the stages' entries.

    .venv/bin/python benchmarks/stage_memory.py OUTPUT                    # every stage of a corpus
    .venv/bin/python benchmarks/stage_memory.py OUTPUT --stages audit statistics

OUTPUT is a corpus with a release, such as the one that `benchmarks/whole_way.py` makes. It is copied with hard links
beside itself, so nothing in it changes. Data: whatever OUTPUT holds; its number of records is printed.

Each stage is made again in a process of its own. Printed are the peak of memory, that of the process before the stage
began, and their difference by record: of the largest batch for stages of a batch, of all batches for others.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bioscan_etl import landing, state
from bioscan_etl.lake import Lake, pins
from bioscan_etl.lake.corpus import read_settings
from bioscan_etl.progress import silent
from bioscan_etl.stages.registry import STAGES, Scope
from bioscan_etl.stages.run import run_stage
from bioscan_etl.stages.situation import Situation


def corpus_of(root: Path) -> Situation:
    """The situation of the last run."""
    lake = Lake(root)
    return Situation(lake, read_settings(lake), pin=pins.load_pin(lake, state.pin_of_last_run(lake)))


def remade(root: Path, name: str, batch: str, found: multiprocessing.Queue[tuple[int, int]]) -> None:
    """Make a stage; puts the peak of this process before and after it, in bytes."""
    situation = corpus_of(root)
    if STAGES[name].scope is Scope.BATCH:
        situation = Situation(situation.lake, situation.settings, batch=landing.load(situation.lake, batch))
    output = situation.find(name)
    if output is not None:
        shutil.rmtree(output.folder)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    run_stage(name, Situation(situation.lake, situation.settings, batch=situation.batch, pin=situation.pin), silent)
    found.put((before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--stages", nargs="+", default=[name for name in STAGES if name != "release_mirror"])
    given = parser.parse_args()
    processes = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(dir=given.output.parent) as scratch:
        root = Path(scratch)
        subprocess.run(["cp", "-al", f"{given.output}/.", root], check=True)
        shutil.rmtree(root / "releases")  # its parts are made again
        corpus = corpus_of(root)
        rows = {name: int(corpus.of_batch("raw_records", name).counts["records"]) for name in corpus.pinned.records}
        largest = max(rows, key=lambda name: rows[name])
        print(f"{given.output}: {sum(rows.values()):,} records, largest batch {max(rows.values()):,}")
        print(f"{'stage':26} {'before, MB':>11} {'peak, MB':>9} {'bytes per row':>14}")
        for name in given.stages:
            found: multiprocessing.Queue[tuple[int, int]] = processes.Queue()
            process = processes.Process(target=remade, args=(root, name, largest, found))
            process.start()
            process.join()
            if process.exitcode:
                sys.exit(f"{name} failed")
            before, after = found.get()
            count = rows[largest] if STAGES[name].scope is Scope.BATCH else sum(rows.values())
            print(f"{name:26} {before / 1e6:11,.0f} {after / 1e6:9,.0f} {(after - before) / count:14,.0f}", flush=True)


if __name__ == "__main__":
    main()
