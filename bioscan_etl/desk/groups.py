"""How many specimens a decision about a group would be about.

Belongs here: the specimens of a BIN, a barcode or a taxon, counted. Does not belong here: one by one (`taxon`), and
what a line does (`taxonomy.decided`).
"""

from __future__ import annotations

import re
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
    label = pl.coalesce(reversed(RANKS))
    found = own.select("processid", held=pl.col("gates").list.len() > 0, label=label).collect(engine="streaming")
    if found.is_empty():
        return None
    labels = found["label"].drop_nulls().value_counts().sort("count", "label", descending=[True, False])
    return {
        "target": target,
        "count": found.height,
        "released": int((~found["held"]).sum()),
        "held": int(found["held"].sum()),
        "labels": [list(row) for row in labels.head(_LABELS).iter_rows()],
        "all_labels": labels.height,
        "processids": found["processid"].sort().head(MOST).to_list(),
    }
