"""Parsing of coordinates in three notations."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.geography.coordinates import is_rounded, is_zero, out_of_range, parse_coordinates


def parse(text: str | None) -> tuple[float | None, float | None]:
    found = pl.select(parse_coordinates(pl.lit(text, pl.String))).item()
    return found["lat"], found["lon"]


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("(19.3786,-88.1892)", (19.3786, -88.1892)),
        ("[53.59, -106.278]", (53.59, -106.278)),
        ("33.29,-117.44", (33.29, -117.44)),
        (" [ +1. , .5 ] ", (1.0, 0.5)),
        ("[−33.9, 18.4]", (-33.9, 18.4)),
        ("(-1e-05, 2E1)", (-1e-05, 20.0)),
        ("[95, 200]", (95.0, 200.0)),
        ("(0,0)", (0.0, 0.0)),
    ],
)
def test_notations(text, pair):
    assert parse(text) == pair


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "19.3786",
        "(19.3786;-88.1892)",
        "(19,1,2)",
        "[1,2)",
        "(1,2",
        "1,2]",
        "N19, W88",
        "(nan, inf)",
        "1e999,1",
        "((1,2))",
        "1 2",
        "--1,2",
        "1-2,3",
    ],
)
def test_anything_else_is_none(text):
    assert parse(text) == (None, None)


degrees = st.floats(-200, 200).map(lambda value: round(value, 6))


@given(degrees, degrees, st.sampled_from(["({!r},{!r})", "[{!r}, {!r}]", "{!r},{!r}", "  [{!r} ,{!r}]"]))
def test_what_was_written_is_read(lat, lon, notation):
    assert parse(notation.format(lat, lon)) == (lat, lon)


@given(st.text(max_size=20) | st.text("()[],.-+0123456789eE ", max_size=20))
def test_any_text_gives_two_finite_numbers_or_none(text):
    lat, lon = parse(text)
    assert (lat is None) == (lon is None)
    assert lat is None or (abs(lat) < float("inf") and abs(lon) < float("inf"))


@pytest.mark.parametrize(
    ("lat", "lon", "beyond", "zero", "rounded"),
    [
        (90.0, 180.0, False, False, True),
        (90.1, 0.0, True, False, True),
        (0.0, -180.01, True, False, False),
        (0.0, 0.0, False, True, True),
        (0.0, 10.25, False, False, False),
        (30.4, 50.9, False, False, True),
        (53.59, -106.278, False, False, False),
    ],
)
def test_conditions(lat, lon, beyond, zero, rounded):
    pair = (pl.lit(lat), pl.lit(lon))
    found = pl.select(beyond=out_of_range(*pair), zero=is_zero(*pair), rounded=is_rounded(*pair, 1)).row(0)
    assert found == (beyond, zero, rounded)
