"""Clustering: Ward's clusters by hand, AMI of planted species, one row per barcode, and what cannot be clustered."""

import numpy as np
import polars as pl
import pytest
from evaluation_rows import records
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bioscan_etl.evaluation import clustering
from bioscan_etl.evaluation.images import ImageVectors
from bioscan_etl.evaluation.measured import Sheet

LETTERS = np.array(list("ACGT"))


def barcode(seed: int) -> str:
    return "".join(np.random.default_rng(seed).choice(LETTERS, 400))


def changed(text: str, places: range) -> str:
    swapped = {"A": "C", "C": "A", "G": "T", "T": "G"}
    return "".join(swapped[letter] if at in places else letter for at, letter in enumerate(text))


def release(**columns: list):
    """Three species of two genera in test, four records each; two of them have the same barcode."""
    species = ["Aa one", "Aa two", "Bb three"]
    rows = [(name, variant) for name in species for variant in range(4)]
    bases = {name: barcode(number) for number, name in enumerate(species)}
    given = {
        "split": ["test"] * len(rows),
        "species": [name for name, _ in rows],
        "genus": [name[:2] for name, _ in rows],
        "dna_barcode": [changed(bases[name], range(min(variant, 2))) for name, variant in rows],
        **columns,
    }
    return records(given)


def table(held, **options) -> pl.DataFrame:
    sheet = Sheet(held, 0)
    clustering.measure(held, sheet, **options)
    return sheet.table()


def pictures(held, features: np.ndarray, places: list[int]) -> ImageVectors:
    n = len(features)
    kept = features.astype(np.float16), np.zeros((n, 3), np.float32), np.zeros((n, 2), np.float32)
    return ImageVectors("means", np.array(places), *kept, (), 1.0)


def test_ward_joins_the_pair_that_adds_least_variance():
    # 0 and 1 join at 1, then 10 and 12 at 2; 5 is nearer to the first pair (5 - 0.5 = 4.5 against 6).
    points = np.array([[0.0], [12.0], [1.0], [10.0], [5.0]])
    assert clustering.ward_clusters(points, 3).tolist() == [0, 1, 0, 1, 2]
    assert clustering.ward_clusters(points, 2).tolist() == [0, 1, 0, 1, 0]
    assert clustering.ward_clusters(points, 1).tolist() == [0] * 5
    assert clustering.ward_clusters(points, 5).tolist() == [0, 1, 2, 3, 4]


def test_equal_rows_still_give_as_many_clusters_as_asked():
    assert len(np.unique(clustering.ward_clusters(np.zeros((6, 2)), 4))) == 4


@given(arrays(np.float64, st.tuples(st.integers(2, 40), st.integers(1, 5)), elements=st.floats(-50, 50, width=32)))
def test_distances_are_those_of_scipy(points):
    from scipy.spatial.distance import pdist

    assert clustering.distances(points) == pytest.approx(pdist(points), abs=1e-4)


def test_distances_of_several_blocks_are_those_of_scipy():
    from scipy.spatial.distance import pdist

    points = np.random.default_rng(0).random((1100, 4))
    assert clustering.distances(points) == pytest.approx(pdist(points), abs=1e-6)


def test_z_scores_by_hand():
    scores = clustering.z_scores(np.array([[1.0, 7.0], [3.0, 7.0]]))
    assert scores.tolist() == [[-1, 0], [1, 0]]


def test_planted_species_are_found_and_shuffled_ones_are_not():
    rows = table(release(), with_umap=False).filter(model="5-mers", queries="test", rank="species")
    assert rows["task"].to_list() == ["cluster_records", "cluster_barcodes"]
    assert rows["value"].to_list() == [1, 1]
    assert rows["n"].to_list() == [12, 9]
    assert rows["classes"].to_list() == [3, 3]
    assert (rows["shuffled"] < 0.5).all()
    assert rows["note"][0] == "Ward's linkage, 3 clusters, as many as species"


def test_every_rank_is_scored_from_one_clustering_and_a_missing_label_does_not_count():
    bins = ["BOLD:AAA0001"] * 4 + ["BOLD:AAA0002"] * 7 + [None]
    rows = table(release(dna_bin=bins), with_umap=False).filter(model="5-mers", queries="test", task="cluster_records")
    assert rows["rank"].to_list() == list(clustering.RANKS)
    by_rank = {row["rank"]: row for row in rows.to_dicts()}
    assert by_rank["dna_bin"]["n"] == 11
    assert 0 < by_rank["genus"]["value"] < 1  # three clusters of two genera
    assert by_rank["order"]["value"] is None
    assert by_rank["order"]["note"].startswith("not applicable, because 0 records have 0 labels")


def test_an_empty_partition_is_not_applicable():
    rows = table(release(), with_umap=False).filter(model="5-mers", queries="test_unseen")
    assert rows["value"].null_count() == rows.height > 0
    assert set(rows["note"]) == {"not applicable, because 0 records have 0 species; two are needed"}


def test_images_are_clustered_alone_and_beside_barcodes():
    held = release()
    # Images tell the genera apart only; the last one has no image.
    features = np.array([[0.0, 1], [0, 1.1], [5, 0], [5, 0.2], [0, 1]])
    places = [0, 1, 0, 1, 0, 1, 4, 4, 2, 3, 2, -1]
    rows = table(held_with_images(held), with_umap=False, images=pictures(held, features, places))
    of_test = rows.filter(queries="test", task="cluster_records")
    assert of_test["model"].unique(maintain_order=True).to_list() == ["5-mers", "means", "means + 5-mers"]
    scores = {(row["model"], row["rank"]): row for row in of_test.to_dicts()}
    assert scores["means", "species"]["n"] == 11
    assert scores["means", "species"]["value"] < scores["means + 5-mers", "species"]["value"] == 1
    assert scores["5-mers", "species"]["n"] == 12


def held_with_images(held):
    from dataclasses import replace

    pictured = held.rows.with_columns(path=pl.lit("test/x.jpg"))
    return replace(held, rows=pictured, packages=("cropped_256",))


def test_missing_images_are_not_applicable():
    rows = table(release(), with_umap=False).filter(queries="test", task="cluster_records", rank="species")
    notes = dict(rows.select("model", "note").iter_rows())
    assert notes["images"] == "not applicable, because the release has no image package cropped_256"
    assert notes["images + 5-mers"] == notes["images"]
    left_out = table(held_with_images(release()), with_umap=False).filter(model="images")
    assert set(left_out["note"]) == {"not applicable, because images were left out of this run"}


def test_of_too_many_records_a_sample_is_drawn_and_stated():
    held = release()
    one, other = (table(held, with_umap=False, limit=6) for _ in range(2))
    assert one.drop("cpu_seconds").equals(other.drop("cpu_seconds"))
    rows = one.filter(model="5-mers", queries="test", task="cluster_records", rank="species")
    assert rows["n"].to_list() == [6]
    assert rows["note"][0].endswith("; 6 records drawn of 12")


def test_umap_says_why_it_is_left_out(monkeypatch):
    monkeypatch.setattr(clustering, "find_spec", lambda name: None)
    rows = table(release()).filter(model="5-mers, UMAP", queries="test", rank="species")
    said = "not applicable, because umap-learn is not installed (pip install 'bioscan-etl[bench]')"
    assert rows["note"].to_list() == [said, said]
    monkeypatch.setattr(clustering, "find_spec", lambda name: object())
    held = release()
    sheet = Sheet(held, 0)
    monkeypatch.setattr(clustering, "_has_umap", lambda: True)
    monkeypatch.setattr("bioscan_etl.evaluation.measured._version", lambda name: "1")
    features = clustering.kmers(held)
    clustering.clustered(held, sheet, features, "cluster_records", ("test",), np.arange(12), reduced=True)
    assert "needs more than 51 records; there are 12" in sheet.table()["note"][0]


@pytest.mark.clients
@pytest.mark.slow
def test_clusters_of_umap_are_the_same_with_the_same_seed():
    pytest.importorskip("umap", reason="needs .venv-clients")
    draws = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 25)
    points = draws.normal(size=(100, 8)) + 20 * labels[:, None]
    one, other = (clustering._by_umap(points, 3) for _ in range(2))
    assert one.shape == (100, clustering.DIMENSIONS)
    assert np.array_equal(one, other)
    found = clustering.ward_clusters(one, 4)
    assert len({(a, b) for a, b in zip(found.tolist(), labels.tolist(), strict=True)}) == 4
