"""The memory that each stage takes and how it grows, for `bytes_per_row` of the stages' entries.

    .venv/bin/python benchmarks/stage_memory.py SMALL LARGE                    # every stage of two corpora
    .venv/bin/python benchmarks/stage_memory.py SMALL LARGE --stages audit statistics

SMALL and LARGE are corpora with a release, such as those that `bioscan-etl run` makes of the deliveries of
`benchmarks/whole_way.py --keep FOLDER`. They are copied with hard links beside themselves, so nothing in them changes.
Data: whatever they hold; their numbers of records are printed.

Each stage is made again in a process of its own. Printed are the memory that it took beside that of its process before
it, and the difference of the two by record: of the largest batch for stages of a batch, of all batches for others.
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


def remade(root: Path, name: str, batch: str, found: multiprocessing.Queue[int]) -> None:
    """Make a stage; puts by how many bytes the peak of this process rose."""
    situation = corpus_of(root)
    if STAGES[name].scope is Scope.BATCH:
        situation = Situation(situation.lake, situation.settings, batch=landing.load(situation.lake, batch))
    output = situation.find(name)
    if output is not None:
        shutil.rmtree(output.folder)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run_stage(name, Situation(situation.lake, situation.settings, batch=situation.batch, pin=situation.pin), silent)
    found.put((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)


def measured(output: Path, stages: list[str]) -> dict[str, tuple[int, int]]:
    """The records that each stage works on, and the bytes that it takes."""
    processes = multiprocessing.get_context("spawn")
    found = {}
    with tempfile.TemporaryDirectory(dir=output.parent) as scratch:
        root = Path(scratch)
        subprocess.run(["cp", "-al", f"{output}/.", root], check=True)
        shutil.rmtree(root / "releases")  # its parts are made again
        corpus = corpus_of(root)
        rows = {name: int(corpus.of_batch("raw_records", name).counts["records"]) for name in corpus.pinned.records}
        largest = max(rows, key=lambda name: rows[name])
        print(f"{output}: {sum(rows.values()):,} records, largest batch {rows[largest]:,}", flush=True)
        for name in stages:
            answer: multiprocessing.Queue[int] = processes.Queue()
            process = processes.Process(target=remade, args=(root, name, largest, answer))
            process.start()
            process.join()
            if process.exitcode:
                sys.exit(f"{name} failed")
            found[name] = (rows[largest] if STAGES[name].scope is Scope.BATCH else sum(rows.values()), answer.get())
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("small", type=Path)
    parser.add_argument("large", type=Path)
    parser.add_argument("--stages", nargs="+", default=[name for name in STAGES if name != "release_mirror"])
    given = parser.parse_args()
    small, large = (measured(output.resolve(), given.stages) for output in (given.small, given.large))
    print(f"{'stage':26} {'small, MB':>10} {'large, MB':>10} {'bytes per row':>14}")
    for name in given.stages:
        (few, less), (many, more) = small[name], large[name]
        print(f"{name:26} {less / 1e6:10,.0f} {more / 1e6:10,.0f} {max(more - less, 0) / (many - few):14,.0f}")


if __name__ == "__main__":
    main()
