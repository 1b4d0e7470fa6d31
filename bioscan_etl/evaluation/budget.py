"""How long a benchmark takes, and how many queries fit: known before it starts, and the same on each machine.

Belongs here: estimates, by constants that were measured once. Results never depend on the speed of a machine, so that
the same seed gives the same numbers. Does not belong here: measured times (`measured.Clock`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bioscan_etl.evaluation.records import Numbers

PRODUCTS = 2.5e10
"""Multiplications and additions of float32 in a second of one core (measured: 2.2 to 4.0 x 10^10)."""
DEFAULT_MINUTES = 20.0
"""Processor minutes of a run, unless others are asked for."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Processor time that a part of a run may take.

    Attributes:
        seconds: of one core.
        seed: of the queries that are drawn where not all fit.
    """

    seconds: float = DEFAULT_MINUTES * 60
    seed: int = 0

    def part(self, of: int) -> Budget:
        """One of some equal parts."""
        return Budget(self.seconds / max(of, 1), self.seed)

    def drawn(self, queries: Numbers, seconds_each: float) -> Numbers:
        """The queries, or as many of them as fit, ascending; at least one of them.

        Args:
            queries: rows, ascending.
            seconds_each: estimated processor seconds of a query.
        """
        most = max(int(self.seconds / seconds_each), 1) if seconds_each > 0 else len(queries)
        if len(queries) <= most:
            return queries
        draws = np.random.Generator(np.random.PCG64(self.seed))
        return np.sort(draws.choice(queries, most, replace=False))

    def fits(self, seconds: float) -> bool:
        """Whether work of so many processor seconds fits."""
        return seconds <= self.seconds


def search_seconds(queries: int, keys: int, width: int) -> float:
    """Processor seconds of an exact search."""
    return 2.0 * queries * keys * width / PRODUCTS
