"""What specimens look like: by order, family and genus, with noise."""

import numpy as np
import pytest

from bioscan_etl.demo.insects import draw_insect
from bioscan_etl.demo.looks import looks, one_of
from bioscan_etl.demo.taxonomy import build_taxonomy


@pytest.fixture(scope="module")
def taxonomy():
    return build_taxonomy(np.random.default_rng(1), 2000)


def test_clusters_of_one_order_share_a_build_and_no_two_orders_do(taxonomy):
    found = looks(np.random.default_rng(2), taxonomy)
    builds = set(zip(taxonomy.clusters["order"], (look.build for look in found), strict=True))
    assert len(found) == taxonomy.clusters.height
    assert len(builds) == taxonomy.clusters["order"].n_unique() == len({build for _, build in builds}) == 9


def test_forms_and_colours_are_nearest_within_a_genus_then_within_a_family(taxonomy):
    found = looks(np.random.default_rng(2), taxonomy)
    genus, order = taxonomy.genus_of_cluster, taxonomy.clusters["order"].to_numpy()
    family = taxonomy.family_of_genus[genus]
    traits = np.log(np.array([(*look.stretch, *look.body) for look in found]))
    one, other = np.triu_indices(len(found), 1)
    apart = np.linalg.norm(traits[one] - traits[other], axis=1)
    same = {name: each[one] == each[other] for name, each in (("g", genus), ("f", family), ("o", order))}
    within = apart[same["g"]].mean()
    assert within < 0.7 * apart[same["f"] & ~same["g"]].mean()
    assert apart[same["f"] & ~same["g"]].mean() < apart[same["o"] & ~same["f"]].mean()


def test_specimens_of_a_species_differ_and_colours_are_never_blue(taxonomy):
    look = looks(np.random.default_rng(2), taxonomy)[0]
    rng = np.random.default_rng(3)
    specimens = [one_of(rng, look) for _ in range(200)]
    assert len({one.stretch for one in specimens}) == 200
    assert {one.build for one in specimens} == {look.build}
    assert all(blue <= 1.05 * (green + red) / 2 for blue, green, red in (one.body for one in specimens))
    middle = np.exp(np.log([one.stretch for one in specimens]).mean(axis=0))
    assert np.abs(middle / look.stretch - 1).max() < 0.03


def test_every_build_is_drawn_and_shades_of_a_fault_win_over_colours(taxonomy):
    by_build = {look.build: look for look in looks(np.random.default_rng(2), taxonomy)}
    for build, look in by_build.items():
        colour, opacity = draw_insect(np.random.default_rng(4), 90, look=look)
        assert colour.shape[:2] == opacity.shape, build
        assert opacity.sum() > 500
        solid = opacity > 0.95
        assert np.abs(np.median(colour[solid], axis=0) - look.body).max() < 60
    pale = draw_insect(np.random.default_rng(4), 90, look=by_build["fly"], shades="pale")
    plain = draw_insect(np.random.default_rng(4), 90, look=by_build["fly"])
    assert pale[0][pale[1] > 0.95].mean() > plain[0][plain[1] > 0.95].mean() + 15
