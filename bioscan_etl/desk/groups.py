"""How many specimens a decision about a group would be about.

Belongs here: the specimens of a BIN, a barcode or a taxon, counted. Does not belong here: one by one (`taxon`), and
what a line does (`taxonomy.decided`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import polars as pl

from bioscan_etl.decisions.vocabulary import BARCODE_OF
from bioscan_etl.desk.corpus import Corpus
from bioscan_etl.desk.taxon import members
from bioscan_etl.schema import BIN_PATTERN
from bioscan_etl.vocabulary import RANKS

MOST = 20_000
"""Process IDs that are listed; a decision of one line each takes as many at once."""
_LABELS = 8


def group(corpus: Corpus, kind: str, name: str) -> dict[str, Any] | None:
    """The specimens of a group; None if there are none.

    Args:
        corpus: the corpus.
        kind: `bin`, `barcode` (its name is the process ID of one of its specimens), or a rank.
        name: of the group.

    Returns:
        target (group, or rank and name, as a decision names them), count, released, held, labels (deepest label and
        specimens, the most frequent first), all_labels (how many different ones), processids (at most `MOST`, sorted).
    """
    target: dict[str, str] = {"group": name}
    if kind == "bin" and re.fullmatch(BIN_PATTERN, name):
        own = corpus.specimens().filter(pl.col("dna_bin") == name)
    elif kind == "barcode":
        same = corpus.with_barcode_of(name)
        if same is None:
            return None
        own = same
        target = {"group": f"{BARCODE_OF}{name}"}
    elif kind in RANKS:
        own = members(corpus, kind, name)
        target = {"rank": kind, "name": name}
    else:
        return None
    found = _counted(own.with_columns(name=pl.lit(name)), MOST)
    return {"target": target, **found[name]} if found else None


def groups(corpus: Corpus, names: Sequence[str], same: pl.DataFrame, most: int = MOST) -> dict[str, dict[str, Any]]:
    """The specimens of many BINs and barcodes as of `group`, looked up at once.

    Args:
        corpus: the corpus.
        names: BINs, and `barcode:` with the process ID of one of its specimens.
        same: `corpus.same_barcodes` of these process IDs.
        most: process IDs that are listed.

    Returns:
        By name; a group without specimens is missing.
    """
    bins = [name for name in names if not name.startswith(BARCODE_OF) and re.fullmatch(BIN_PATTERN, name)]
    wanted = pl.LazyFrame({"dna_bin": bins}, schema={"dna_bin": pl.String}).unique()
    of_bins = corpus.specimens().join(wanted, on="dna_bin", how="semi").with_columns(name="dna_bin")
    named = same.select("processid", name=BARCODE_OF + pl.col("named")).filter(pl.col("name").is_in(list(names)))
    of_barcodes = corpus.with_ids(named["processid"].to_list()).join(named.lazy(), on="processid", how="inner")
    found = _counted(of_bins, most) | _counted(of_barcodes, most)
    return {name: {"target": {"group": name}, **one} for name, one in found.items()}


def _counted(specimens: pl.LazyFrame, most: int) -> dict[str, dict[str, Any]]:
    """What `group` counts of the specimens of each group, by its `name`."""
    label = pl.coalesce(reversed(RANKS))
    held = pl.col("gates").list.len() > 0
    rows = specimens.select("name", "processid", held=held, label=label).collect(engine="streaming")
    labels = (
        rows.drop_nulls("label")
        .group_by("name", "label")
        .len()
        .sort("name", "len", "label", descending=[False, True, False])
        .group_by("name")
        .agg(pl.col("label", "len").head(_LABELS), all_labels=pl.len())
    )
    counted = (
        rows.group_by("name")
        .agg(pl.len().alias("count"), pl.col("held").sum(), pl.col("processid").sort().head(most))
        .join(labels, on="name", how="left")
    )
    return {
        row["name"]: {
            "count": row["count"],
            "released": row["count"] - row["held"],
            "held": row["held"],
            "labels": [list(pair) for pair in zip(row["label"] or (), row["len"] or (), strict=True)],
            "all_labels": row["all_labels"] or 0,
            "processids": row["processid"],
        }
        for row in counted.iter_rows(named=True)
    }
