"""What the stages of lists that people write share: refused files are written, wrong lines are a check.

Belongs here: that. Does not belong here: what the lines say (`bioscan_etl.decisions`, `bioscan_etl.proposals`).
"""

from __future__ import annotations

import polars as pl

from bioscan_etl.lake.store import Draft
from bioscan_etl.stages.registry import REFUSED, STAGES

_SHOWN = 10


def tell_wrong(stage: str, check: str, out: Draft, refused: pl.DataFrame, wrong: pl.DataFrame) -> None:
    """Write the refused files, and report them and the wrong lines as a check of the stage.

    Args:
        stage: name of the stage.
        check: of its checks.
        out: its output.
        refused: `decisions.csv_lines.REFUSED`.
        wrong: `file`, `line`, and `problem` of lines that do not apply.
    """
    refused.write_parquet(out.folder / REFUSED, compression="zstd")
    files = [f"{name}: {why}" for name, why in refused.iter_rows()]
    places = wrong.select(pl.format("{}, line {}: {}", "file", "line", "problem")).to_series().to_list()
    out.findings.append(
        STAGES[stage].finding(
            check,
            passed=not (places or files),
            count=len(places) + len(files),
            samples=tuple([*files, *places][:_SHOWN]),
        )
    )
