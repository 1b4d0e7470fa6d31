"""Processor time of a run with Dagster's event log as it is, and with its database engines kept.

    python benchmarks/event_log.py [--specimens 40] [--runs 3]

Both make a release of the same demo corpus, by turns, each in a process of its own that has imported everything before.
Prints the medians and their ratio.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--specimens", type=int, default=40)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=("dagster", "kept"), help="of a child process")
    arguments = parser.parse_args()
    if arguments.only:
        print(seconds(arguments.only, arguments.specimens))
        return
    found: dict[str, list[float]] = {"dagster": [], "kept": []}
    for _ in range(arguments.runs):
        for name, values in found.items():
            command = [
                sys.executable,
                "-W",
                "ignore",
                __file__,
                "--specimens",
                str(arguments.specimens),
                "--only",
                name,
            ]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            values.append(float(done.stdout.split()[-1]))
    middle = {name: statistics.median(values) for name, values in found.items()}
    print(
        f"{arguments.specimens} specimens: {middle['dagster']:.1f} s of processor time as Dagster does it, "
        f"{middle['kept']:.1f} s with engines kept: {middle['kept'] / middle['dagster']:.2f} times as much"
    )


def seconds(name: str, specimens: int) -> float:
    """Processor time of one run."""
    from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

    own = SqliteEventLogStorage._connect
    import great_expectations  # noqa: F401
    import matplotlib.figure  # noqa: F401

    import bioscan_etl.definitions  # noqa: F401
    from bioscan_etl.cli import main as command

    if name == "dagster":
        SqliteEventLogStorage._connect = own  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        output = str(Path(folder) / "out")
        command(["demo", "--output", output, "--specimens", str(specimens), "--quiet"])
        start = time.process_time()
        command(["run", "--output", output, "--quiet"])
        return time.process_time() - start


if __name__ == "__main__":
    main()
