"""Ten thousand damaged files through all readers: no row lost, no traceback, no raw control character, no file outside.

    .venv/bin/python benchmarks/fuzz.py                                # 10,000 files, ten to twenty minutes
    .venv/bin/python benchmarks/fuzz.py --files 2000 --seed 7 --only records images
    .venv/bin/python benchmarks/fuzz.py --keep FOLDER                  # keep the files that did not pass

The same seed makes the same files on the same versions. The exit code is 1 if any count is not 0. Where the shared
cases lie beside the checkout, their records are damaged too.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import sys
import tempfile
from pathlib import Path

# The files are small: threads would cost more than they save, and take the processor from the other process.
os.environ.setdefault("POLARS_MAX_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
CASES = Path(__file__).resolve().parents[2] / "shared" / "cases"


def main() -> int:
    """Run and print the table; returns the exit code."""
    from fuzz_readers import readers
    from fuzz_run import run, table

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000, help="number of files")
    parser.add_argument("--seed", type=int, default=0, help="of the damage")
    parser.add_argument("--only", nargs="*", default=(), help="names of readers")
    parser.add_argument("--keep", type=Path, help="folder for the files that did not pass")
    asked = parser.parse_args()
    faulthandler.enable()
    keep = None if asked.keep is None else asked.keep.resolve()
    with tempfile.TemporaryDirectory(prefix="bioscan-fuzz-") as home:
        made = Path(home).resolve() / "made"
        made.mkdir()
        found = readers(made, CASES if CASES.is_dir() else None)
        chosen = [one for one in found if not asked.only or one.name in asked.only]
        tallies = run(chosen, asked.files, asked.seed, home=Path(home).resolve() / "sandbox", keep=keep)
    print(table(tallies))
    for tally in tallies:
        for kind, place, what in tally.faults:
            print(f"{tally.reader}: {kind}: {place}: {what!r}")
    return 0 if all(tally.is_good for tally in tallies) else 1


if __name__ == "__main__":
    sys.exit(main())
