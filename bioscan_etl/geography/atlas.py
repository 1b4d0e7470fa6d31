"""The map of the world: `borders.parquet`, as `build_borders` makes it.

Belongs here: reading the map. Does not belong here: which of its areas belong to a country (`shapes`).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import polars as pl

from bioscan_etl.io.tables import read_parquet


@cache
def areas() -> pl.DataFrame:
    """The map: area (ISO alpha-2 or a code with a hyphen), name, centroid_lat, centroid_lon, area_km2, wkb."""
    return read_parquet(Path(__file__).with_name("borders.parquet"))
