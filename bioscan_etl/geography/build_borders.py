"""Make `borders.parquet` from the npm package world-atlas; run manually when the map changes.

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    python -m bioscan_etl.geography.build_borders package/countries-10m.json bioscan_etl/geography/borders.parquet

Belongs here: decoding TopoJSON, and dividing the map into areas with a code each. Does not belong here: which
areas belong to a country (`equivalences.csv`). Origin and licence: `README.md` in this folder.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

SIMPLIFY_DEGREES = 0.004  # about the map's own grid, which is 0.0036 by 0.0017 degrees
EARTH_RADIUS_KM = 6371.0088

# Natural Earth gives these areas no ISO number, or one number to several areas. Codes with a hyphen are not ISO codes:
# they are for places that more than one country claims.
CODE_BY_NAME = {
    "Kosovo": "XK",
    "Somaliland": "SO",
    "Baikonur": "KZ",
    "N. Cyprus": "X-NORTH-CYPRUS",
    "Dhekelia": "X-CYPRUS-BASES",
    "Akrotiri": "X-CYPRUS-BASES",
    "Cyprus U.N. Buffer Zone": "X-CYPRUS-BUFFER",
    "USNB Guantanamo Bay": "X-GUANTANAMO",
    "Siachen Glacier": "X-SIACHEN",
    "Spratly Is.": "X-SPRATLY",
    "Scarborough Reef": "X-SCARBOROUGH",
    "Coral Sea Is.": "AU",
    "Ashmore and Cartier Is.": "AU",
    "Clipperton I.": "FR",
    "Bajo Nuevo Bank": "CO",
    "Serranilla Bank": "CO",
}

# Territories with an ISO code of their own that the map draws as part of another country:
# (part of, code, west, south, east, north), in degrees. Polygons inside the box belong to the territory.
TERRITORIES = (
    ("FR", "GP", -62.0, 15.7, -60.9, 16.6),
    ("FR", "MQ", -61.4, 14.3, -60.7, 15.0),
    ("FR", "GF", -55.0, 2.0, -51.0, 6.5),
    ("FR", "RE", 55.0, -21.6, 56.0, -20.7),
    ("FR", "YT", 44.9, -13.2, 45.5, -12.4),
    ("NO", "SJ", 8.0, 74.0, 36.0, 81.5),
    ("NO", "SJ", -9.5, 70.5, -7.5, 71.5),
    ("NO", "BV", 3.0, -55.0, 4.0, -54.0),
    ("NL", "BQ", -68.6, 11.9, -68.0, 12.5),
    ("NL", "BQ", -63.5, 17.3, -62.8, 17.8),
    ("NZ", "TK", -173.0, -9.7, -170.9, -8.4),
    ("Indian Ocean Ter.", "CC", 96.0, -13.0, 98.0, -11.0),
    ("Indian Ocean Ter.", "CX", 105.0, -11.0, 106.5, -10.0),
    ("RU", "X-CRIMEA", 32.3, 44.2, 36.7, 46.4),
)


def decode_arcs(topology: dict[str, Any]) -> list[npt.NDArray[np.float64]]:
    """The arcs of a quantised TopoJSON: per arc an (n, 2) array of longitude and latitude in degrees."""
    scale, translate = (np.array(topology["transform"][key]) for key in ("scale", "translate"))
    return [np.cumsum(np.array(arc), axis=0) * scale + translate for arc in topology["arcs"]]


def rings(arcs: list[npt.NDArray[np.float64]], indices: list[list[int]]) -> list[npt.NDArray[np.float64]]:
    """The rings of a polygon: arcs joined end to start; a negative index ~i is arc i backwards."""
    open_rings = [np.concatenate([arcs[i][:-1] if i >= 0 else arcs[~i][:0:-1] for i in ring]) for ring in indices]
    return [np.concatenate((points, points[:1])) for points in open_rings]


def build(source: Path) -> pl.DataFrame:
    """Read countries-10m.json and return the areas.

    Returns:
        One row per area, sorted by code: area (ISO alpha-2 or a code with a hyphen), name (Natural Earth's),
        centroid_lat and centroid_lon (degrees, of the whole area), area_km2 (to three digits or so), wkb.
    """
    import pycountry
    import shapely

    topology = json.loads(source.read_text(encoding="utf-8"))
    arcs = decode_arcs(topology)
    parts: dict[str, list[Any]] = {}
    names: dict[str, str] = {}
    for geometry in topology["objects"]["countries"]["geometries"]:
        name = geometry["properties"]["name"]
        number = geometry.get("id")
        country = pycountry.countries.get(numeric=number) if number else None
        code = CODE_BY_NAME.get(name) or (country.alpha_2 if country else name)
        polygons = [geometry["arcs"]] if geometry["type"] == "Polygon" else geometry["arcs"]
        for polygon in polygons:
            shell, *holes = rings(arcs, polygon)
            shape = _shape(shell, holes)
            own = next((box[1] for box in TERRITORIES if box[0] == code and _within(shape, box[2:])), code)
            parts.setdefault(own, []).append(shape)
            if own == code:
                names.setdefault(code, name)
    rows = []
    for code, shapes in sorted(parts.items()):
        whole = shapely.union_all(shapes)
        smooth = shapely.make_valid(shapely.simplify(whole, SIMPLIFY_DEGREES, preserve_topology=True))
        flat = shapely.transform(whole, _equal_area)
        rows.append(
            {
                "area": code,
                "name": names.get(code) or (found.name if (found := pycountry.countries.get(alpha_2=code)) else code),
                "centroid_lat": round(float(np.degrees(np.arcsin(flat.centroid.y / EARTH_RADIUS_KM))), 4),
                "centroid_lon": round((float(np.degrees(flat.centroid.x / EARTH_RADIUS_KM)) + 180) % 360 - 180, 4),
                "area_km2": round(flat.area, 1),
                "wkb": shapely.to_wkb(shapely.multipolygons(_polygons(smooth)), byte_order=1),
            }
        )
    return pl.DataFrame(rows)


def _shape(shell: npt.NDArray[np.float64], holes: list[npt.NDArray[np.float64]]) -> Any:
    """A valid polygon; an island that the map's grid shrank to a point or line becomes a speck."""
    import shapely

    if len(shell) < 4:
        return shapely.MultiPoint(shell).buffer(SIMPLIFY_DEGREES, quad_segs=1)
    outline = _split_at_antimeridian(shell)
    for hole in holes:
        if len(hole) >= 4:
            outline = shapely.difference(outline, shapely.make_valid(shapely.Polygon(hole)))
    if outline.area == 0:
        return shapely.MultiPoint(shell).buffer(SIMPLIFY_DEGREES, quad_segs=1)
    return shapely.multipolygons(_polygons(outline))


def _split_at_antimeridian(shell: npt.NDArray[np.float64]) -> Any:
    """The shape of a ring. The map stitches rings over 180 degrees, where they jump to -180: cut them there.

    A ring that goes round the world once encloses the south pole: Antarctica.
    """
    import shapely

    unwrapped = np.unwrap(shell[:, 0], period=360)
    if np.array_equal(unwrapped, shell[:, 0]):
        return shapely.make_valid(shapely.Polygon(shell))
    points = np.column_stack((unwrapped, shell[:, 1]))
    if abs(points[-1, 0] - points[0, 0]) > 180:
        points = np.concatenate((points, [[points[-1, 0], -90.0], [points[0, 0], -90.0]]))
    whole = shapely.make_valid(shapely.Polygon(points))
    turns = [shapely.transform(whole, lambda xy, by=turn: np.add(xy, (by, 0.0))) for turn in (-360.0, 0.0, 360.0)]
    return shapely.union_all([shapely.intersection(each, shapely.box(-180, -90, 180, 90)) for each in turns])


def _equal_area(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Convert degrees to km in Lambert's cylindrical equal-area projection, which keeps areas and centroids correct.

    Joins the parts of a country on both sides of 180 degrees, but not those of Antarctica.
    """
    lon, lat = points.T
    if lon.max() - lon.min() > 180 and lat.min() > -80:
        lon = np.where(lon < 0, lon + 360, lon)
    return np.column_stack((np.radians(lon), np.sin(np.radians(lat)))) * EARTH_RADIUS_KM


def _within(shape: Any, box: tuple[float, ...]) -> bool:
    west, south, east, north = shape.bounds
    return bool(west >= box[0] and south >= box[1] and east <= box[2] and north <= box[3])


def _polygons(shape: Any) -> list[Any]:
    """The polygons of a shape; lines and points that `make_valid` may leave have no area."""
    if shape.geom_type == "Polygon":
        return [shape]
    return [each for part in getattr(shape, "geoms", []) for each in _polygons(part)]


def main(source: Path, target: Path) -> None:
    """Write the areas as Parquet."""
    build(source).write_parquet(target, compression="zstd", compression_level=19, statistics=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
