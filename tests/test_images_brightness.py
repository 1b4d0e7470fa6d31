"""Images far outside the brightness of their batch."""

import polars as pl

from bioscan_etl.images.brightness import brightness_flags
from bioscan_etl.settings import ImageSettings


def hit(exposures: list[float | None], batch: str = "b") -> list[int]:
    boxes = pl.DataFrame(
        {"processid": [f"{place:03}" for place in range(len(exposures))], "batch": batch, "exposure": exposures},
        schema_overrides={"exposure": pl.Float64},
    )
    return [int(processid) for processid in brightness_flags(boxes, ImageSettings())["processid"]]


def test_black_and_white_pictures_are_outliers_of_an_ordinary_batch() -> None:
    ordinary = [150.0 + place * 5 for place in range(15)]
    assert hit(ordinary) == []
    assert hit([*ordinary, 13.0, 254.0, None, 60.0]) == [15, 16]


def test_a_batch_on_a_black_ground_is_ordinary() -> None:
    assert hit([14.0, 16.0, 15.0, 18.0, 22.0, 15.5, 17.0, 19.0, 12.0, 16.0]) == []


def test_a_small_batch_hits_only_what_is_nearly_black() -> None:
    assert hit([200.0, 13.0, 252.0]) == [1]
    assert hit([]) == []


def test_each_batch_has_its_own_range() -> None:
    dark = [14.0, 16.0, 15.0, 18.0, 22.0, 15.5, 17.0, 19.0, 12.0, 16.0]
    boxes = pl.DataFrame(
        {
            "processid": [f"{place:02}" for place in range(21)],
            "batch": ["dark"] * 11 + ["light"] * 10,
            "exposure": [*dark, 200.0, *[190.0 + place for place in range(10)]],
        }
    )
    # Nothing is too bright for a dark batch until it is nearly white.
    assert brightness_flags(boxes, ImageSettings())["processid"].to_list() == []
