"""Decoding TopoJSON, and cutting shapes at the antimeridian."""

import json

import numpy as np
import pytest
import shapely

from bioscan_etl.geography.build_borders import build, decode_arcs, rings


def topology(geometries: list[dict[str, object]], arcs: list[list[list[int]]]) -> dict[str, object]:
    return {
        "type": "Topology",
        "transform": {"scale": [1.0, 0.5], "translate": [-180.0, -90.0]},
        "arcs": arcs,
        "objects": {"countries": {"type": "GeometryCollection", "geometries": geometries}},
    }


def polygon(number: str | None, name: str, *arcs: int) -> dict[str, object]:
    entry = {"type": "Polygon", "arcs": [list(arcs)], "properties": {"name": name}}
    return entry | ({"id": number} if number else {})


def test_arcs_are_deltas_on_a_grid():
    arcs = decode_arcs(topology([], [[[180, 180], [1, 2], [-1, 0]]]))
    assert arcs[0].tolist() == [[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]]


def test_rings_join_arcs_forwards_and_backwards_and_close():
    arcs = [np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]), np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]])]
    (ring,) = rings(arcs, [[0, ~1]])
    assert ring.tolist() == [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]


def test_shapes_are_named_cut_and_measured(tmp_path):
    square = [[190, 200], [10, 0], [0, 20], [-10, 0], [0, -20]]
    over_180 = [[358, 240], [-356, 0], [0, 20], [356, 0], [0, -20]]  # from 178 to -178 degrees, stitched
    speck = [[200, 180], [0, 0]]
    crimea = [[213, 270], [1, 0], [0, 1], [-1, 0], [0, -1]]
    source = tmp_path / "map.json"
    geometries = [
        polygon("250", "France", 0),
        polygon("242", "Fiji", 1),
        polygon("694", "Sierra Leone", 2),
        polygon(None, "Kosovo", 0),
        polygon("643", "Russia", 3),
    ]
    source.write_text(json.dumps(topology(geometries, [square, over_180, speck, crimea])), encoding="utf-8")
    areas = {row["area"]: row for row in build(source).iter_rows(named=True)}
    assert list(areas) == ["FJ", "FR", "SL", "X-CRIMEA", "XK"]
    shapes = {code: shapely.from_wkb(row["wkb"]) for code, row in areas.items()}
    assert shapes["FJ"].bounds == (-180.0, 30.0, 180.0, 40.0)
    assert len(shapes["FJ"].geoms) == 2
    assert shapes["FJ"].area == pytest.approx(40.0)
    assert abs(areas["FJ"]["centroid_lon"]) == pytest.approx(180.0)
    assert shapes["FR"].bounds == (10.0, 10.0, 20.0, 20.0)
    assert 0 < shapes["SL"].area < 1e-4, "an island below the grid stays as a speck"
    assert areas["FR"]["area_km2"] == pytest.approx(
        6371.0088**2 * np.radians(10) * (np.sin(np.radians(20)) - np.sin(np.radians(10))), rel=1e-6
    )
