"""The ledger: every row that was read is counted once, and the counts add up.

Belongs here: the balance of a run. Does not belong here: deciding where a row goes (the stages do).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import polars as pl

from bioscan_etl.findings import Finding

GATE_SEPARATOR = " + "


@dataclass(frozen=True, slots=True)
class Ledger:
    """Where the rows of a run went.

    Attributes:
        rows_read: rows of all sources.
        rejected: rows that could not become a record, by reason.
        set_aside: readable rows that are not used, by reason.
        quarantined: quarantined specimens, by the gates they fail joined with " + ". A specimen counts once, so the
            numbers add up; `by_first_gate` counts each at the first gate it fails.
        specimens: specimens in the release.
    """

    rows_read: int
    rejected: Mapping[str, int]
    set_aside: Mapping[str, int]
    quarantined: Mapping[str, int]
    specimens: int

    @classmethod
    def from_tables(
        cls, rows_read: int, rejects: pl.DataFrame, set_aside: pl.DataFrame, quarantine: pl.DataFrame, specimens: int
    ) -> Self:
        """Count the tables of a run.

        Args:
            rows_read: rows of all sources, counted while reading.
            rejects: `schema.REJECTS` (uses the column reason).
            set_aside: `schema.SET_ASIDE` (uses the column reason).
            quarantine: `schema.QUARANTINE` (uses the column gates).
            specimens: number of specimens in the release.
        """
        return cls(
            rows_read,
            _counts(rejects, pl.col("reason")),
            _counts(set_aside, pl.col("reason")),
            _counts(quarantine, pl.col("gates").list.join(GATE_SEPARATOR)),
            specimens,
        )

    def by_first_gate(self) -> dict[str, int]:
        """Quarantined specimens by the first of their gates."""
        found: dict[str, int] = {}
        for gates, count in self.quarantined.items():
            first = gates.split(GATE_SEPARATOR)[0]
            found[first] = found.get(first, 0) + count
        return found

    def by_gate(self) -> dict[str, int]:
        """Quarantined specimens by gate; one that fails two gates counts at both."""
        found: dict[str, int] = {}
        for gates, count in self.quarantined.items():
            for gate in gates.split(GATE_SEPARATOR):
                found[gate] = found.get(gate, 0) + count
        return found

    def totals(self) -> dict[str, int]:
        """rejected, set_aside, quarantined and specimens, in the order of the pipeline."""
        return {
            "rejected": sum(self.rejected.values()),
            "set_aside": sum(self.set_aside.values()),
            "quarantined": sum(self.quarantined.values()),
            "specimens": self.specimens,
        }

    def finding(self) -> Finding:
        """Check that rows read = specimens + quarantined + set aside + rejected.

        Returns:
            `count` is the number of rows that are lost or counted twice; `detail` has all numbers.
        """
        totals = self.totals()
        accounted = sum(totals.values())
        difference = abs(self.rows_read - accounted)
        detail = (
            f"{self.rows_read} rows read; {totals['specimens']} specimens + {totals['quarantined']} quarantined + "
            f"{totals['set_aside']} set aside + {totals['rejected']} rejected = {accounted}"
        )
        if difference:
            kind = "lost" if accounted < self.rows_read else "counted twice"
            detail += f": {difference} {'row' if difference == 1 else 'rows'} {kind}"
        return Finding(
            check="ledger_balances",
            passed=not difference,
            count=difference,
            statement="Rows read = specimens + quarantined + set aside + rejected.",
            detail=detail,
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for manifests and metadata."""
        return {
            "rows_read": self.rows_read,
            "rejected": dict(self.rejected),
            "set_aside": dict(self.set_aside),
            "quarantined": dict(self.quarantined),
            "specimens": self.specimens,
        }


def _counts(frame: pl.DataFrame, reason: pl.Expr) -> dict[str, int]:
    """Rows by reason, in the order of the reasons' names."""
    counted = frame.group_by(reason=reason).len().sort("reason")
    return dict(zip(counted["reason"].to_list(), counted["len"].to_list(), strict=True))
