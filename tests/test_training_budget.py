"""The review budget: bands of presence scores that are sent to a person."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from training_outcomes import drawn_outcomes

from bioscan_etl.errors import SettingsError
from bioscan_etl.training import budget
from bioscan_etl.training.outcomes import Outcomes


def scored(occupied: str, presence: list[float], unsure: str = "") -> Outcomes:
    """Outcomes with `o` for an occupied image, and `u` for a doubtful box."""
    count = len(presence)
    found = drawn_outcomes(0, count)
    return replace(
        found,
        image=np.arange(count),
        occupied=np.array([letter == "o" for letter in occupied]),
        presence=np.array(presence),
        unsure=np.array([letter == "u" for letter in unsure.ljust(count)]),
    )


FOUND = scored("eeeoeeoooo", [0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95], "        u")


def test_a_band_counts_what_lies_below_within_and_above() -> None:
    band = budget.band_of(FOUND, 0.15, 0.5)
    assert (band.sent, band.sent_for_box) == pytest.approx((0.4, 0.1))
    assert (band.empty_as_empty, band.empty_found, band.occupied_as_empty) == pytest.approx((0.4, 0.8, 0))
    # The end is not within: the image at 0.4 is above the band.
    assert budget.band_of(FOUND, 0.15, 0.4).empty_found == pytest.approx(0.6)
    assert budget.band_of(FOUND, 0.35, 0.35).occupied_as_empty == pytest.approx(0.2)


def test_the_best_band_keeps_to_its_limits() -> None:
    none = budget.best_band(FOUND, 0.0, 0.1)  # the doubtful box alone
    assert (none.low, none.high, none.empty_found) == pytest.approx((0.3, 0.3, 0.6))
    some = budget.best_band(FOUND, 0.0, 0.4)
    assert (some.low, some.high, some.empty_found, some.sent) == pytest.approx((0.3, 0.7, 1.0, 0.4))
    lost = budget.best_band(FOUND, 0.2, 0.1)
    assert (lost.low, lost.empty_as_empty, lost.occupied_as_empty) == pytest.approx((0.7, 1.0, 0.2))
    assert budget.best_band(FOUND, 0.0, 0.0).sent == pytest.approx(0.1)  # for the box, whatever the limit


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(2, 25), st.sampled_from(budget.LOST), st.sampled_from(budget.SENT))
def test_no_other_band_finds_more(seed: int, pictures: int, most_lost: float, most_sent: float) -> None:
    found = drawn_outcomes(seed, pictures)
    assume(0 < found.occupied.sum() < pictures)
    best = budget.best_band(found, most_lost, most_sent)
    assert best.occupied_as_empty <= most_lost + 1e-9
    assert best.sent <= most_sent + 1e-9 or best.sent == best.sent_for_box
    ends = [*found.presence, 1.0]
    others = [budget.band_of(found, low, high) for low in ends for high in ends if low <= high]
    within = [one for one in others if one.occupied_as_empty <= most_lost + 1e-9 and one.sent <= most_sent + 1e-9]
    assert best.empty_found >= max((one.empty_found for one in within), default=0) - 1e-9


def test_the_curve_is_written_and_drawn(tmp_path: Path) -> None:
    points = budget.curve(FOUND)
    budget.write_curve(tmp_path / "c.csv", points)
    with (tmp_path / "c.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(budget.LOST) * len(budget.SENT)
    assert list(rows[0])[:5] == ["most_lost", "most_sent", "low", "high", "sent"]
    for limit in budget.LOST:  # a larger budget finds no fewer
        line = [float(row["empty_found"]) for row in rows if float(row["most_lost"]) == limit]
        assert line == sorted(line)
    pytest.importorskip("matplotlib")
    for name in ("a.png", "b.png"):
        budget.plot(tmp_path / name, points)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    pixels = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
    assert pixels.shape == (360, 720, 3)
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 100


def test_what_has_no_budget() -> None:
    with pytest.raises(SettingsError, match="occupied and empty images"):
        budget.curve(FOUND.only(FOUND.occupied))
    with pytest.raises(SettingsError, match="reports no presence score"):
        budget.curve(replace(FOUND, presence=np.zeros(10)))
