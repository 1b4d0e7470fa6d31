"""The worklist as the pages read it: columns instead of rows, and details in parts.

Belongs here: its JSON. Does not belong here: the states of the doubts (`states`), and drawing (`static/worklist.js`).

All doubts are searched and sorted in the browser, so it gets what that needs of all of them, each text once. What a row
only draws (barcode, box, coordinates) comes in parts of 100 rows, as they are scrolled into view.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import polars as pl

from bioscan_etl.decisions.vocabulary import ACTIONS, LIFTABLE, REASONS, SETTABLE
from bioscan_etl.desk.corpus import OF_ROW, Corpus
from bioscan_etl.doubts.kinds import KINDS
from bioscan_etl.rules import registry
from bioscan_etl.vocabulary import RANKS

PART = 100
"""Rows of a part of the details."""
_LONGEST = 200
_REPEATED = ("kind", "rule", "batch", "new", "rank", "country", "label_delivered", "label_made")
_DIFFERENT = ("id", "processid", "name", "group", "evidence", "specimens", "why", "proposed", "shown")


def as_json(value: Any) -> bytes:
    """UTF-8 JSON; dates as text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str).encode("utf-8", "replace")


def doubts_json(corpus: Corpus, **more: Any) -> bytes:
    """All doubts: `count`, and of each column its `values`, with `codes` into them where texts repeat.

    Args:
        corpus: the corpus.
        more: further values beside them.
    """
    doubts = corpus.doubts().with_columns(pl.col(pl.String).str.slice(0, _LONGEST))
    columns: dict[str, Any] = {}
    for name in _REPEATED:
        column = doubts[name]
        values = column.drop_nulls().unique().sort()
        codes = column.replace_strict(values, pl.int_range(len(values), eager=True), default=-1, return_dtype=pl.Int32)
        columns[name] = {"values": values.to_list(), "codes": codes.fill_null(-1).to_list()}
    for name in _DIFFERENT:
        columns[name] = {"values": doubts[name].to_list()}
    return as_json({"version": corpus.version(), "count": doubts.height, "part": PART, "columns": columns} | more)


def part_json(corpus: Corpus, number: int) -> bytes:
    """Details of the rows of a part: a list with one object per row."""
    doubts = corpus.doubts().slice(number * PART, PART).select("shown")
    joined = doubts.join(corpus.rows(doubts["shown"]), left_on="shown", right_on="processid", how="left")
    return as_json(joined.select("shown", *OF_ROW).to_dicts())


def words(corpus: Corpus, curator: str | None) -> Mapping[str, Any]:
    """The words that the pages use: kinds, rules, actions, reasons, ranks."""
    known = registry()
    return {
        "kinds": {name: kind.title for name, kind in KINDS.items()},
        "rules": {
            rule: {"statement": known[rule].statement, "reason": known[rule].reason}
            for kind in KINDS.values()
            for rule in kind.rules
        },
        "actions": {name: action.meaning for name, action in ACTIONS.items()},
        "reasons": dict(REASONS),
        "ranks": list(RANKS),
        "liftable": list(LIFTABLE),
        "settable": list(SETTABLE),
        "curator": curator,
        "corpus": corpus.title(),
    }
