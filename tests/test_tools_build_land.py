"""The outlines of the land that are shipped are those of the borders."""

import numpy as np

from bioscan_etl.io.tables import read_parquet
from bioscan_etl.statistics.world import OUTLINES
from tools import build_land


def test_the_shipped_outlines_are_made_of_the_shipped_borders():
    """Corners to a millimetre: another version of GEOS may round otherwise."""
    shipped, made = read_parquet(OUTLINES), build_land.outlines()
    assert shipped.schema == made.schema
    assert shipped["area"].to_list() == made["area"].to_list()
    for name in ("lon", "lat"):
        assert shipped[name].list.len().to_list() == made[name].list.len().to_list()
        np.testing.assert_allclose(shipped[name].explode().to_numpy(), made[name].explode().to_numpy(), atol=1e-8)


def test_the_file_is_small():
    assert OUTLINES.stat().st_size < 150_000


def test_the_tool_writes_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(build_land, "OUTLINES", tmp_path / "land.parquet")
    build_land.main()
    assert read_parquet(tmp_path / "land.parquet").equals(build_land.outlines())
