"""The state of the doubts and the lines of decisions, as the pages read them: all of it, or what changed.

Belongs here: their JSON. Does not belong here: what settles a doubt (`doubts.state`).

After a save a page needs the few rows that changed, not the 100,000 lines of all curators again. So each answer has a
mark, a page sends the mark of the last answer that it has, and gets the differences. If that answer is not kept any
more, or is about the doubts of an earlier run, the page gets all.
"""

from __future__ import annotations

import itertools
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from bioscan_etl.decisions.read import Decisions
from bioscan_etl.decisions.vocabulary import COLUMNS
from bioscan_etl.desk.corpus import Corpus
from bioscan_etl.desk.worklist import as_json

_KEPT = 6
"""Answers that pages can be told the differences from: of the tabs that save in turn."""
_ROW = ("row", "state", "decided_by", "decided_on", "decided_why", "decided_as", "lines")
_LINE = ("id", "file", *COLUMNS, "problem")


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer that a page got.

    Attributes:
        version: of the doubts.
        decisions: as they were read.
        rows: `_ROW` of every doubt.
        lines: `_LINE`, one row per id.
    """

    version: str
    decisions: Decisions
    rows: pl.DataFrame
    lines: pl.DataFrame


@dataclass(slots=True)
class States:
    """The states of a corpus; keeps what it has told the pages last.

    Attributes:
        corpus: the corpus.
        name: with which marks begin; a page never takes the answer of another start of the desk for its own.
    """

    corpus: Corpus
    name: str = field(default_factory=lambda: secrets.token_hex(4))
    _told: OrderedDict[str, _Answer] = field(default_factory=OrderedDict)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def json(self, curator: str, have: str | None = None) -> bytes:
        """The states as they are now.

        Args:
            curator: whose lines are `own`.
            have: mark of the answer that the page has; None: none.

        Returns:
            `mark`; `of`, the version of the doubts; `since`, the answer that these are the differences from, or null;
            `rows`, the doubts that are not open, or differ: columns `row`, `state`, who, when, why and how, and ids of
            the `lines`; `lines`, all or those that differ, in columns; `gone`, ids that are no more; `refused`, files.
        """
        with self._lock:
            mark, now = self._now()
            before = self._told.get(have) if have else None
            if before is not None and before.version != now.version:
                before = None
            rows, lines, gone = _all(now) if before is None else _differing(before, now)
        own = self.corpus.file_name(curator)
        return as_json(
            {
                "mark": mark,
                "of": now.version,
                "since": have if before is not None else None,
                "rows": _columns(rows),
                "lines": _with_own(lines, own),
                "gone": gone,
                "refused": now.decisions.refused.to_dicts(),
            }
        )

    def _now(self) -> tuple[str, _Answer]:
        """The last answer, if nothing has changed since; else a new one."""
        decisions, version = self.corpus.decisions(), self.corpus.version()
        if self._told:
            mark, last = next(reversed(self._told.items()))
            # What was read is the same object as long as no file has changed.
            if last.decisions is decisions and last.version == version:
                return mark, last
        states, lines = _rows(self.corpus.states(decisions)), _lines(decisions)
        mark = f"{self.name}-{next(self._numbers)}"
        self._told[mark] = _Answer(version, decisions, states, lines)
        while len(self._told) > _KEPT:
            self._told.popitem(last=False)
        return mark, self._told[mark]


def state_rows(states: pl.DataFrame) -> dict[str, list[Any]]:
    """The doubts that are not open, in the columns of `States.json`; `row` is the place of the doubt.

    Args:
        states: all doubts in their order, with their state (`doubts.state.with_state`).
    """
    return _columns(_rows(states).filter(pl.col("state") != "open"))


def line_columns(decisions: Decisions, own: str | None) -> dict[str, list[Any]]:
    """All lines, in the columns of `States.json`.

    Args:
        decisions: the decisions.
        own: the file whose lines can be taken away; None: there is none.
    """
    return _with_own(_lines(decisions), own)


def _rows(states: pl.DataFrame) -> pl.DataFrame:
    return states.with_row_index("row").select(_ROW)


def _lines(decisions: Decisions) -> pl.DataFrame:
    return decisions.lines.select(_LINE).unique("id", keep="last", maintain_order=True)


def _with_own(lines: pl.DataFrame, own: str | None) -> dict[str, list[Any]]:
    return _columns(lines) | {"own": [own is not None and file == own for file in lines["file"]]}


def _all(now: _Answer) -> tuple[pl.DataFrame, pl.DataFrame, list[str]]:
    return now.rows.filter(pl.col("state") != "open"), now.lines, []


def _differing(before: _Answer, now: _Answer) -> tuple[pl.DataFrame, pl.DataFrame, list[str]]:
    """The rows and lines that differ, and the ids of lines that are no more."""
    rows = now.rows.filter(_differs(before.rows, now.rows))
    both = now.lines.join(before.lines, on="id", how="left", suffix="_before", maintain_order="left")
    changed = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_before")) for name in ("file", "problem"))
    lines = both.filter(pl.col("file_before").is_null() | changed).select(_LINE)
    gone = before.lines.join(now.lines, on="id", how="anti")["id"].to_list()
    return rows, lines, gone


def _differs(before: pl.DataFrame, now: pl.DataFrame) -> pl.Series:
    """Whether each doubt has another state; both are about the same doubts in the same order."""
    texts = [frame.with_columns(pl.col("lines").list.join(" ")) for frame in (before, now)]
    found = pl.repeat(value=False, n=now.height, dtype=pl.Boolean, eager=True)
    for name in _ROW[1:]:
        found |= texts[0][name].ne_missing(texts[1][name])
    return found


def _columns(frame: pl.DataFrame) -> dict[str, list[Any]]:
    return {name: frame[name].to_list() for name in frame.columns}
