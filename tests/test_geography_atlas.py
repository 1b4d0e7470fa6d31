"""The map of the world."""

from pathlib import Path

import pytest
import shapely

from bioscan_etl.geography import atlas
from bioscan_etl.geography.countries import countries


def test_the_map_has_every_country_once_and_valid():
    areas = atlas.areas()
    assert areas["area"].is_unique().all()
    assert set(countries()["country_iso"]) <= set(areas["area"])
    assert shapely.is_valid(shapely.from_wkb(areas["wkb"].to_numpy())).all()
    area = dict(areas.select("area", "area_km2").rows())
    for code, known in {"RU": 17.1e6, "US": 9.4e6, "FR": 0.544e6, "NO": 0.324e6, "FJ": 18.3e3, "AQ": 12.3e6}.items():
        assert area[code] == pytest.approx(known, rel=0.06)
    assert (Path(atlas.__file__).parent / "borders.parquet").stat().st_size < 3_000_000
