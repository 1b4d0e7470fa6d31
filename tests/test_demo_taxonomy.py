"""The invented taxonomy: well formed, and with the roles that the defects need."""

import re

import numpy as np
import pytest

from bioscan_etl.demo.taxonomy import (
    BASE_SPECIMENS,
    PLACEHOLDERS,
    bin_name,
    build_taxonomy,
    cluster_members,
    genus_name,
)
from bioscan_etl.schema import BIN_PATTERN
from bioscan_etl.vocabulary import RANKS


@pytest.mark.parametrize("specimens", [1, 2, 7, 40, 60, 299, BASE_SPECIMENS, 301, 1000, 20_000])
def test_sizes_sum_to_the_specimens_asked_for(specimens):
    taxonomy = build_taxonomy(np.random.default_rng(1), specimens)
    assert taxonomy.clusters["size"].sum() == specimens
    assert taxonomy.clusters["size"].min() >= 1
    assert taxonomy.clusters["bin"].n_unique() == taxonomy.clusters.height


def test_small_corpora_get_the_groups_that_fit_and_whole_ones_only():
    whole = {"conflict": 4, "inferred": 4, "majority": 11, "typo": 12, "decomposed": 2}
    for specimens in range(1, BASE_SPECIMENS, 13):
        clusters = build_taxonomy(np.random.default_rng(1), specimens).clusters
        roles = set(clusters["role"])
        for role, size in whole.items():
            assert set(clusters.filter(clusters["role"] == role)["size"]) <= {size}
        for pair in ("similar", "homonym"):
            assert (f"{pair}_a" in roles) == (f"{pair}_b" in roles)
        if specimens >= 40:
            assert {"conflict", "inferred", "seen", "dark"} <= roles


def test_each_name_has_one_parent_but_the_homonym():
    clusters = build_taxonomy(np.random.default_rng(1), 3000).clusters
    for child, parent in (("genus", "family"), ("family", "order"), ("order", "class"), ("subfamily", "family")):
        lineages = clusters.drop_nulls([child, parent]).group_by(child).agg(parent_count=clusters[parent].n_unique())
        assert lineages.height
        for name, group in clusters.drop_nulls([child, parent]).group_by(child):
            roles = set(group["role"])
            assert group[parent].n_unique() == 1 or roles == {"homonym_a", "homonym_b"}, name


def test_described_species_are_binomials_and_unique():
    clusters = build_taxonomy(np.random.default_rng(1), 20_000).clusters
    named = clusters.filter(clusters["role"] == "seen")
    assert named["species"].is_unique().all()
    for species, genus in named.select("species", "genus").iter_rows():
        assert re.fullmatch(r"[A-Z][a-z]+ [a-z]+", species)
        assert species.startswith(f"{genus} ")
        assert not re.search(r"[mM]+[aA]+[lLiI]+[aA]+[iIlL]+[sSzZ]+[eE]+", species)


def test_every_placeholder_form_occurs():
    clusters = build_taxonomy(np.random.default_rng(1), 300).clusters
    assert set(clusters["form"].drop_nulls()) == set(PLACEHOLDERS)
    assert clusters.filter(clusters["form"] == "placeholder_genus")["species"].null_count() == 1


def test_unlabelled_clusters_have_no_gap_above_their_deepest_rank():
    clusters = build_taxonomy(np.random.default_rng(1), 1000).clusters
    dark = clusters.filter(clusters["role"] == "dark")
    assert dark["species"].null_count() == dark.height
    for row in dark.select(rank for rank in RANKS if rank != "subfamily").iter_rows():
        filled = [value is not None for value in row]
        assert filled == sorted(filled, reverse=True)


def test_members_lie_in_their_cluster_and_share_barcodes():
    sizes = np.array([30, 1, 4])
    cluster, haplotype, cluster_of = cluster_members(sizes, ["seen", "dark", "conflict"], np.random.default_rng(0))
    assert (np.bincount(cluster) == sizes).all()
    assert (cluster_of[haplotype] == cluster).all()
    assert len(set(haplotype[cluster == 2])) == 1
    shared = np.bincount(haplotype[cluster == 0])
    assert shared.max() >= 3


def test_bins_and_genera_do_not_repeat():
    assert all(re.fullmatch(BIN_PATTERN, bin_name(number)) for number in (0, 9999, 10_000, 123_456, 1_500_000))
    assert bin_name(10_000) == "BOLD:AAB0000"
    names = [genus_name(number) for number in range(20_000)]
    assert len(set(names)) == len(names)
