"""A save at the desk: only the lines that changed are read, against all of them each time.

    .venv/bin/python benchmarks/saves.py                      # 10,000 and 100,000 lines, 100,000 doubts
    .venv/bin/python benchmarks/saves.py --lines 300000

Before is the way without what is kept: the curator's file is parsed, all files are read and judged, and the page
gets every line and state again. After is what it does: the lines that it knows are neither parsed nor judged, and the
page gets the differences. Both are measured in turn, in one process, on the corpus of `tests/desk_corpus.py`. Half of
the lines are of the curator who saves, the rest of another one. The medians of --tries saves are printed.
"""

from __future__ import annotations

import argparse
import csv
import io
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import polars as pl

from bioscan_etl.decisions.again import Reader
from bioscan_etl.decisions.vocabulary import COLUMNS
from bioscan_etl.decisions.write import save
from bioscan_etl.desk.corpus import Corpus, open_corpus
from bioscan_etl.desk.states import States

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

ADA, BERT = "Ada Lovelace", "Bert"
Line = dict[str, str | None]


def lines_of(doubts: pl.DataFrame, count: int) -> list[Line]:
    """Lines that keep doubts in turn; each has a note of its own."""
    named = doubts.filter(pl.col("processid").is_not_null()).select("processid", "rule", "evidence")
    turns = itertools.islice(itertools.cycle(named.iter_rows()), count)
    return [
        {"processid": name, "action": "keep", "field": rule, "reason": "checked", "note": f"note {number}",
         "date": "2026-01-31", "evidence": evidence}
        for number, (name, rule, evidence) in enumerate(turns)
    ]  # fmt: skip


def write_file(path: Path, lines: Iterable[Line], curator: str) -> None:
    """A curator's file."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({**line, "curator": curator} for line in lines)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text.getvalue())


def seconds(work: Callable[[], object]) -> float:
    """How long a call takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def measure(corpus: Corpus, lines: list[Line], tries: int) -> None:
    """Print seconds per save, before and after."""
    half = len(lines) // 2
    write_file(corpus.lake.root / "decisions" / "ada-lovelace.csv", lines[:half], ADA)
    write_file(corpus.lake.root / "decisions" / "bert.csv", lines[half:], BERT)
    states, mark = States(corpus), ""

    def told(have: str | None) -> int:
        nonlocal mark
        answer = states.json(ADA, have)
        mark = answer[9 : answer.index(b'"', 9)].decode()  # {"mark":"…"
        return len(answer)

    first = seconds(lambda: told(None))
    times: dict[str, list[float]] = {"before": [], "after": []}
    sizes = {"before": 0, "after": 0}

    def decide(number: int, name: str) -> None:
        line = lines[number] | {"note": f"saved {name}", "date": "2026-02-01"}
        if name == "before":
            corpus.reader = Reader()
            save(corpus.lake, ADA, [line])
            sizes[name] = told(None)
        else:
            save(corpus.lake, ADA, [line], reader=corpus.reader)
            sizes[name] = told(mark)

    for number, name in itertools.product(range(tries), times):
        times[name].append(seconds(lambda number=number, name=name: decide(number, name)))
    before, after = (statistics.median(times[name]) for name in times)
    print(f"{len(lines):,} lines: the first answer {first:.2f} s")
    print(f"  a save before {before:6.2f} s, {sizes['before'] / 1e6:6.2f} MB")
    print(f"  a save after  {after:6.2f} s, {sizes['after'] / 1e6:6.4f} MB   {before / after:.0f} times as fast")


def main() -> None:
    """Measure in one run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--doubts", type=int, default=100_000)
    parser.add_argument("--tries", type=int, default=5)
    given = parser.parse_args()
    from desk_corpus import write

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "corpus"
        doubts = write(root, int(given.doubts / 2.3))
        print(f"{doubts.height:,} doubts")
        for count in given.lines:
            measure(open_corpus(root, ADA), lines_of(doubts, count), given.tries)


if __name__ == "__main__":
    main()
