"""Make the outlines of the land on maps of a release, `bioscan_etl/statistics/land.parquet`, from the shipped borders.

    python tools/build_land.py

Simplifying the borders takes longer than drawing a map, and gives the same each time. So it is done once. Run this
after a change of `bioscan_etl/geography/borders.parquet`, whose source and licence are those of the outlines, too
(`bioscan_etl/geography/README.md`).
"""

from __future__ import annotations

import polars as pl
import shapely

from bioscan_etl.geography.atlas import areas
from bioscan_etl.statistics.world import OUTLINES

_COARSE = 0.5  # degrees
_SMALLEST_ISLAND = 0.3  # square degrees
_LONGEST_LINE = 15  # degrees; long straight borders are curves on a map of equal areas


def main() -> None:
    """Write the outlines as Parquet."""
    outlines().write_parquet(OUTLINES, compression="zstd", compression_level=19, statistics=False)


def outlines() -> pl.DataFrame:
    """Outlines of the land, coarse enough for a page.

    Areas are simplified together, so that neighbours share their border.

    Returns:
        area, and its corners as lon and lat (lists of Float64, degrees): a row per part of an area.
    """
    table = areas()
    shapes = shapely.coverage_simplify(shapely.from_wkb(table["wkb"].to_numpy()), _COARSE)
    parts, owners = shapely.get_parts(shapes, return_index=True)
    kept = shapely.area(parts) > _SMALLEST_ISLAND
    rings = shapely.segmentize(shapely.get_exterior_ring(parts[kept]), _LONGEST_LINE)
    corners = [shapely.get_coordinates(ring).T.tolist() for ring in rings]
    return pl.DataFrame(
        {
            "area": table["area"].gather(owners[kept]),
            "lon": [lon for lon, _ in corners],
            "lat": [lat for _, lat in corners],
        },
        schema={"area": pl.String, "lon": pl.List(pl.Float64), "lat": pl.List(pl.Float64)},
    )


if __name__ == "__main__":
    main()
