"""Reading decisions: all lines judged together, against one line at a time.

    .venv/bin/python benchmarks/decisions.py              # 20,000 lines
    .venv/bin/python benchmarks/decisions.py --lines 100000

Each run reads all decisions once, and so does the desk when it opens (`saves.py` has what a save costs). The lines are
synthetic: each settles a doubt about a specimen of its own. The alternative judges a line at a time.
"""

import argparse
import csv
import io
import time

from bioscan_etl.decisions.read import line_problem, line_problems, read_decisions
from bioscan_etl.decisions.vocabulary import COLUMNS


def lines_of(count: int) -> list[dict[str, str | None]]:
    """Lines that are right."""
    said = {"action": "keep", "field": "BLURRED", "reason": "checked", "curator": "Ada", "date": "2026-01-31"}
    return [dict.fromkeys(COLUMNS) | said | {"processid": f"BENCH{number:06}-26"} for number in range(count)]


def seconds(work) -> float:
    """How long a call takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    """Measure in one run, and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=20_000)
    options = parser.parse_args()
    lines = lines_of(options.lines)
    line_problem(lines[0])
    together = seconds(lambda: line_problems(lines))
    single = seconds(lambda: [line_problem(one) for one in lines])
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    whole = seconds(lambda: read_decisions({"ada.csv": text.getvalue()}))
    print(f"{options.lines:,} lines judged together: {together:.2f} s")
    print(f"one at a time: {single / together:.0f} times as long")
    print(f"read from a file of {len(text.getvalue()) / 1e6:.1f} MB: {whole:.2f} s")


if __name__ == "__main__":
    main()
