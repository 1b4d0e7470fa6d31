"""Does the change log agree with itself and with the released rows?

Belongs here: what holds for the changes of every rule: the steps of a value follow from each other, the last one gives
the released value, and each rule is known and is one that changes values. Does not belong here: whether a rule applied
rightly (`labels`, `places`, `barcodes`), and the flags that changes leave (`flags`).
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from bioscan_etl import schema
from bioscan_etl.release.check.agreement import Rows
from bioscan_etl.release.check.faults import Fault, faulty_rows
from bioscan_etl.release.check.recomputed import CHANGES, whole
from bioscan_etl.rules import Severity, registry

_CELL = ("processid", "field")


def check(data: Rows, log: pl.DataFrame, *, known: bool) -> Iterator[Fault]:
    """Check the change log against itself and the released rows.

    Args:
        data: the released rows.
        log: `schema.CHANGES`, sorted.
        known: whether the rules are those of this package: then each change must be by one of them.
    """
    before, after = pl.col("before"), pl.col("after")
    opens = pl.any_horizontal(pl.col(name) != pl.col(name).shift() for name in _CELL).fill_null(value=True)
    chain = log.with_columns(opens=opens, left=after.shift(), expected=pl.int_range(pl.len()).over(_CELL))
    for wrong, message in (
        (before.eq_missing(after), "changes {field} from {before} to the same value"),
        (
            ~pl.col("opens") & before.ne_missing(pl.col("left")),
            "step {step} of {field} starts from {before}, but the step before it left {left}",
        ),
        (pl.col("step") != pl.col("expected"), "step {step} of {field} is not step {expected}"),
    ):
        yield from faulty_rows(CHANGES, chain.filter(wrong), message)
    if known:
        yield from _rules(log)
    yield from _values(data, chain)


def _rules(log: pl.DataFrame) -> Iterator[Fault]:
    """Rules that do not exist, or that change nothing."""
    changing = [rule.id for rule in registry().values() if rule.severity is Severity.CHANGE]
    changing += [rule.id for rule in registry().values() if rule.id.startswith("PROVINCE_")]
    wrong = log.filter(~pl.col("rule").is_in(changing))
    yield from faulty_rows(CHANGES, wrong, "changes {field} by {rule}, which is no rule that changes values")


def _values(data: Rows, chain: pl.DataFrame) -> Iterator[Fault]:
    """Changes of specimens or columns that the release does not have, or whose result is not the released value."""
    fields = chain["field"].unique().sort().to_list()
    known = [name for name in fields if name in schema.METADATA_EXTENDED.names() and name != "processid"]
    strange = chain.filter(~pl.col("field").is_in(known))
    yield from faulty_rows(CHANGES, strange, "changes {field}, which is no column of data")
    ends = chain.group_by(_CELL, maintain_order=True).agg(pl.col("after", "step").last())
    for name in known:
        values = whole(data, [name])
        ours = ends.filter(pl.col("field") == name)
        both = ours.join(values, on="processid", how="left", coalesce=True, maintain_order="left")
        stray = both.join(values.select("processid"), on="processid", how="anti")
        yield from faulty_rows(CHANGES, stray, "changes {field} of a specimen that data does not have")
        left = pl.col("after")
        if schema.METADATA_EXTENDED[name].dtype.is_numeric():
            left = left.cast(schema.METADATA_EXTENDED[name].dtype, strict=False)
        both = both.join(values.select("processid"), on="processid", how="semi").rename({name: "released"})
        wrong = both.filter(left.ne_missing(pl.col("released")))
        yield from faulty_rows(CHANGES, wrong, "leaves {after} in {field}, but data has {released}")
