"""One look per taxon, which does not rest on colour alone, also for eyes that see fewer colours."""

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.statistics.canvas import BASE_COLOURS, SPLIT_COLOURS
from bioscan_etl.statistics.figures_places import POWERS
from bioscan_etl.statistics.looks import _COMMON, _OTHERS, COLOURS, HATCHES, MARKERS, look

# Machado, Oliveira & Fernandes 2009 (doi:10.1109/TVCG.2009.113), severity 1.0, on linear RGB.
SIGHTS = {
    "normal": np.eye(3),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
}
DIFFERENT = 25  # CIE 1976 ΔE; about 2 can just be told apart side by side


def seen(colours, sight):
    """CIE Lab of colours as an eye of this kind sees them."""
    rgb = np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in colours]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    shown = np.clip(linear @ SIGHTS[sight].T, 0, 1)
    back = np.where(shown <= 0.0031308, 12.92 * shown, 1.055 * shown ** (1 / 2.4) - 0.055)
    return cv2.cvtColor(back.astype(np.float32)[None], cv2.COLOR_RGB2LAB)[0]


@pytest.mark.parametrize("sight", SIGHTS)
def test_every_two_colours_of_groups_can_be_told_apart(sight):
    lab = seen(COLOURS, sight)
    nearest = min(float(np.linalg.norm(one - other)) for one, other in itertools.combinations(lab, 2))
    assert nearest >= DIFFERENT


def test_the_simulation_is_one():
    """Red and green of one brightness are alike for a deuteranope; the test above could not fail otherwise."""
    red, green = seen(["#b04a3a", "#6c7024"], "deuteranopia")
    assert np.linalg.norm(red - green) < DIFFERENT / 2
    red, green = seen(["#b04a3a", "#6c7024"], "normal")
    assert np.linalg.norm(red - green) > DIFFERENT


@pytest.mark.parametrize("sight", SIGHTS)
def test_more_specimens_are_darker_whoever_looks(sight):
    lightness = seen(POWERS, sight)[:, 0]
    assert (np.diff(lightness) < -5).all()


@pytest.mark.parametrize("sight", SIGHTS)
def test_bases_that_share_a_colour_for_some_are_letters_too(sight):
    lab = dict(zip(BASE_COLOURS, seen(list(BASE_COLOURS.values()), sight), strict=True))
    assert min(float(np.linalg.norm(lab[a] - lab[b])) for a, b in itertools.combinations(lab, 2)) > 5


def test_partitions_that_are_neighbours_differ():
    for sight in SIGHTS:
        lab = seen(list(SPLIT_COLOURS.values()), sight)
        assert (np.linalg.norm(np.diff(lab, axis=0), axis=1) > 8).all()


@pytest.mark.parametrize("rank", _COMMON)
def test_listed_names_share_no_look(rank):
    names = [*_COMMON[rank], *_OTHERS.get(rank, ())]
    assert len(names) == len(set(names))
    looks = [look(name, rank) for name in names]
    assert len({(one.colour, one.hatch) for one in looks}) == len({(one.colour, one.marker) for one in looks})
    assert len(set(looks)) == len(names)
    assert len({one.colour for one in looks[:8]}) == 8
    assert len({one.hatch for one in looks[:8]}) == 8


@given(st.text(), st.sampled_from(["class", "order", "family"]))
def test_every_name_has_a_look_that_is_always_the_same(name, rank):
    one = look(name, rank)
    assert one == look(name, rank)
    assert one.colour in COLOURS
    assert MARKERS.index(one.marker) == HATCHES.index(one.hatch)
