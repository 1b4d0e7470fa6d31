"""What scores say against themselves: copies, labels that leak, and a fall against the release before.

Belongs here: the findings of an evaluation. Does not belong here: measuring, and how findings are shown
(`assets.benchmarks`).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from bioscan_etl.evaluation.beside import NONE_BEFORE, Earlier
from bioscan_etl.evaluation.headline import headline, score_name
from bioscan_etl.findings import Finding

ERRORS = 3.0
"""Standard errors above chance from which shuffled labels are an error."""
AMI_BOUND = 0.05
"""Adjusted mutual information with shuffled labels from which there is an error; chance is 0."""
_RECORDS = 100  # of a clustering whose control is checked
COPIES, LEAKS, FALLEN = "no_copies_across_partitions", "shuffled_labels_at_chance", "scores_not_fallen"
STATEMENTS = {
    COPIES: "No query's barcode is the same as a key's, over the columns that both have.",
    LEAKS: "With the labels of the keys shuffled, no model does better than chance.",
    FALLEN: "No headline score is below the 95 % interval of the release before.",
}
BLOCKING = frozenset({LEAKS})
"""Checks whose failure is an error, because no score of that evaluation counts."""
_SHARED = ("benchmark", "task", "model", "queries", "keys", "rank", "metric")


def findings(scores: pl.DataFrame, before: Earlier = NONE_BEFORE) -> list[Finding]:
    """All checks of the scores of a benchmark.

    Args:
        scores: `schema.EVALUATION`.
        before: the scores of earlier releases.
    """
    return [copies(scores), leaks(scores), fallen(scores, before)]


def copies(scores: pl.DataFrame) -> Finding:
    """Whether queries are copies of keys.

    The count is of queries: for each set of queries and keys the most of any model and rank, since a query without a
    label of a rank is not counted there.

    Args:
        scores: `schema.EVALUATION`.
    """
    held = (
        scores.filter(pl.col("subset") == "copies", pl.col("n") > 0)
        .group_by("queries", "keys", maintain_order=True)
        .agg(pl.col("n").max())
    )
    count = int(held["n"].sum())
    samples = [f"{queries} in {keys}: {n:,}" for queries, keys, n in held.iter_rows()]
    detail = f"{count:,} queries are copies of keys; the subset `rest` leaves them out" if count else ""
    return _finding(COPIES, count, samples, detail)


def leaks(scores: pl.DataFrame) -> Finding:
    """Whether models know labels that were shuffled: then the evaluation itself gives answers away.

    The bound of top-1 accuracy, micro, is p plus three standard errors of a share over n queries: sqrt(p (1 - p) / n).
    p is the larger of what the commonest label of the keys reaches, which a model that learnt shuffled labels answers,
    and of what answers drawn from the labels of the keys reach. In AMI, chance is 0 and the bound is 0.05; fewer than
    100 records agree by luck and are not checked. Neither are other metrics: a macro average over rare labels has no
    such error.

    Args:
        scores: `schema.EVALUATION`.
    """
    chance = pl.max_horizontal("majority", "chance")
    bound = (
        pl.when(pl.col("metric") == "ami")
        .then(AMI_BOUND)
        .otherwise(chance + ERRORS * (chance * (1 - chance) / pl.col("n")).sqrt())
    )
    above = (
        scores.filter(
            (pl.col("metric") == "top1_micro") | ((pl.col("metric") == "ami") & (pl.col("n") >= _RECORDS)),
            pl.col("shuffled").is_not_null(),
        )
        .with_columns(bound=bound)
        .filter(pl.col("shuffled") > pl.col("bound"))
        .sort(pl.col("shuffled") - pl.col("bound"), descending=True, maintain_order=True)
    )
    samples = [
        f"{score_name(row)} ({row['subset']}): {100 * row['shuffled']:.1f}, at most {100 * row['bound']:.1f}"
        for row in above.iter_rows(named=True)
    ]
    detail = "labels leak into this evaluation; none of its scores counts" if above.height else ""
    return _finding(LEAKS, above.height, samples, detail)


def fallen(scores: pl.DataFrame, before: Earlier) -> Finding:
    """Whether headline scores are below the 95 % interval that they had in the release before.

    The release before is the last earlier one that this benchmark has scores of. Scores that only one of both has are
    not compared.

    Args:
        scores: `schema.EVALUATION` of one benchmark.
        before: the scores of earlier releases.
    """
    names = scores["benchmark"].unique()
    measured = [
        (version, held)
        for version, frame in before.scores.items()
        if (held := headline(frame).filter(pl.col("benchmark").is_in(names.implode()))).height
    ]
    damaged = f"; {', '.join(before.damaged)} cannot be read" if before.damaged else ""
    if not measured:
        return _finding(FALLEN, 0, (), f"no release before this one has scores{damaged}")
    version, then = measured[-1]
    both = headline(scores).join(
        then.select(*_SHARED, was="value", least="low"), on=_SHARED, how="inner", maintain_order="left"
    )
    lower = both.filter(pl.col("value") < pl.col("least"))
    samples = [
        f"{score_name(row)}: {100 * row['value']:.1f}, {version} had {100 * row['was']:.1f}, at least "
        f"{100 * row['least']:.1f}"
        for row in lower.iter_rows(named=True)
    ]
    detail = f"{lower.height:,} of {both.height:,} scores have fallen since {version}{damaged}"
    return _finding(FALLEN, lower.height, samples, detail)


def _finding(check: str, count: int, samples: Sequence[str], detail: str) -> Finding:
    return Finding(check, not count, count, STATEMENTS[check], tuple(samples), check in BLOCKING, detail)
