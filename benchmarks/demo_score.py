"""Precision and recall of every rule on synthetic corpora with planted defects.

    python benchmarks/demo_score.py [--specimens 300] [--seeds 1] [--first-seed 0]

Each seed's corpus is written, run through the whole pipeline and scored (`bioscan_etl.demo.score`). Printed
are the sums over the seeds by kind, then each fact that was missed and each false alarm, by seed.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
from pathlib import Path

import polars as pl

from bioscan_etl.cli import main as command
from bioscan_etl.demo.score import score, summed


def scored(specimens: int, seed: int) -> pl.DataFrame:
    """The score of one corpus, made in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        for arguments in (["demo", "--specimens", str(specimens), "--seed", str(seed)], ["run"]):
            with contextlib.redirect_stdout(io.StringIO()):
                if code := command([*arguments, "--output", folder]):
                    sys.exit(code)
        return score(Path(folder)).with_columns(seed=pl.lit(seed))


def main() -> None:
    """Score the seeds asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--specimens", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=0)
    chosen = parser.parse_args()
    seeds = range(chosen.first_seed, chosen.first_seed + chosen.seeds)
    scores = pl.concat(scored(chosen.specimens, seed) for seed in seeds)
    total = summed(scores)
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=160, fmt_str_lengths=40, tbl_hide_dataframe_shape=True):
        print(total.drop("report"))
        print(total.select(pl.sum("planted", "found", "missed", "not_scored", "false_alarms")))
    for name in ("missed_at", "false_alarms_at"):
        for seed, kind, places in scores.filter(pl.col(name).list.len() > 0).select("seed", "kind", name).iter_rows():
            print(f"{name.removesuffix('_at').replace('_', ' ')}: seed {seed}, {kind}: {', '.join(places)}")


if __name__ == "__main__":
    main()
