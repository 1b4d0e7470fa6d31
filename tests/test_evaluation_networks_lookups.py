"""Which aligned vectors are looked up. Needs torch, which the base install lacks."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs .venv-clients: torch is not installed")

from test_evaluation_networks_alignment import QUICK, drawn_release

from bioscan_etl.evaluation.networks import modalities
from bioscan_etl.evaluation.networks.lookups import ALIGNED, CONTROL, UNALIGNED, lookups

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def release():
    return drawn_release()


def test_what_is_looked_up(release):
    found, pictures = release
    sides = [pictures, modalities.barcode_kmers(found), modalities.names(found, found.of(("train",)))]
    models, trained = lookups(found, sides, seed=0, plan=QUICK, steps=3, device="cpu", libraries=("onnxruntime",))
    tasks = ("image_to_image", "dna_to_dna", "image_to_dna", "image_to_text", "dna_to_text")
    assert [(one.task, one.model.partition(" (")[0]) for one in models] == [
        (task, name) for name in (UNALIGNED, ALIGNED, CONTROL) for task in tasks
    ]
    assert len(trained) == 2
    assert models[0].note == "no training"
    assert models[5].note == "3 steps of 48 on 96 records, each record to itself"
    assert models[5].libraries == ("onnxruntime", "torch")
    assert models[7].key_ids is sides[1].of_row
    assert models[7].offered.vectors.shape == (sides[1].things, QUICK.width)


def test_without_pairs_there_is_no_model(release):
    found, pictures = release
    none = replace(pictures, of_row=np.full(len(found.rows), -1))
    models, trained = lookups(found, [none, modalities.barcode_kmers(found)], seed=0, plan=QUICK, steps=3, device="cpu")
    assert models == trained == []


def test_the_budget_is_halved_between_a_model_and_its_control(release):
    found, pictures = release
    both = [pictures, modalities.barcode_kmers(found)]
    _, trained = lookups(found, both, seed=0, plan=QUICK, budget_minutes=0, device="cpu")
    assert [one.steps for one in trained] == [20, 20]
    _, trained = lookups(found, both, seed=0, plan=QUICK, budget_minutes=None, device="cpu")
    assert [one.steps for one in trained] == [80, 80]
