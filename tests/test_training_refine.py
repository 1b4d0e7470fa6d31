"""The training of the refiner. Needs torch, which the base install lacks."""

from pathlib import Path

import numpy as np
import pytest
from training_corpus import annotated_corpus

torch = pytest.importorskip("torch", reason="needs .venv-clients: torch is not installed")

from bioscan_etl.training import compose, dataset, refine, refiner  # noqa: E402 - where torch is there

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list:
    images, annotations = annotated_corpus(tmp_path_factory.mktemp("corpus"))
    windows = iter(refine.Windows(compose.load_material(images, annotations, 1024, parts=dataset.PARTS), 1, 96))
    return [next(windows) for _ in range(96)]


def test_windows_show_what_they_are_labelled_with(samples: list) -> None:
    present = [sample for sample in samples if sample[3]]
    assert 0.3 < len(present) / len(samples) < 0.95
    for pixels, mask, box, there in samples:
        assert pixels.shape == (96, 96, 3)
        assert mask.shape == (48, 48)
        if not there:
            assert not mask.any()
            continue
        ys, xs = np.nonzero(mask > 0.03)  # the tip of an antenna covers a small part of its cells
        seen = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]) / 48
        assert np.abs(seen - box).max() < 0.04


def test_a_run_learns_and_resumes(samples: list, tmp_path: Path) -> None:
    torch.manual_seed(0)
    batches = [refine.collate(samples[start : start + 32]) for start in (0, 32, 64)]
    run = refine.Run(tmp_path, 32 * 120, 2e-3)
    first = run.step(batches[0])
    for step in range(1, 60):
        last = run.step(batches[step % 3])
    assert last["mask"] < 0.8 * first["mask"]
    run.save()
    again = refine.Run(tmp_path, 32 * 120, 2e-3)
    assert again.done == 60
    for one, other in ((run.model, again.model), (run.average, again.average)):
        for name, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[name])
    torch.manual_seed(1)
    expected = run.step(batches[0])
    torch.manual_seed(1)
    assert again.step(batches[0]) == pytest.approx(expected, rel=1e-4)


def test_the_export_answers_with_boxes_of_its_positions() -> None:
    answers = refiner.Answers(refiner.Refiner(), 96).eval()
    mask, box, spread, scores = answers(torch.rand(2, 3, 96, 96))
    assert [tuple(part.shape) for part in (mask, box, spread, scores)] == [(2, 48, 48), (2, 4), (2, 4), (2, 2)]
    for part in (mask, box, scores):
        assert 0 <= float(part.min()) <= float(part.max()) <= 1
    places = refiner.positions(48)
    assert places[0, 0, 0] == places[0, 1, 0] == 0
    assert places[0, 2, -1] == places[0, 3, -1] == 1


def test_an_edge_lies_where_it_is_likeliest_and_not_between_two_places() -> None:
    chances = torch.zeros(1, 4, 48)
    chances[0, :, 10], chances[0, :, 11], chances[0, :, 40] = 0.3, 0.3, 0.4
    places = refiner.places_of(chances, refiner.positions(48))[0]
    assert places.tolist() == pytest.approx([10.5 / 48, 10.5 / 48, 11.5 / 48, 11.5 / 48])
    alone = torch.zeros(1, 4, 48)
    alone[0, :, 47] = 1.0
    assert refiner.places_of(alone, refiner.positions(48))[0].tolist() == pytest.approx([47 / 48, 47 / 48, 1, 1])


def test_edges_of_a_mirrored_picture_are_mirrored() -> None:
    # One set of weights serves all four edges, so features that are mirrored give mirrored edges.
    network = refiner.Refiner().eval()
    features = torch.rand(1, 8, 48, 48)
    plain, mirrored = (refiner.edges_of(network.edge, x) for x in (features, features.flip(3)))
    assert torch.allclose(plain[:, 0], mirrored[:, 2].flip(1), atol=1e-5)
    assert torch.allclose(plain[:, 1], mirrored[:, 1], atol=1e-5)


def test_overlap_of_boxes() -> None:
    one = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 1.0, 1.0]])
    other = torch.tensor([[1.0, 0.0, 3.0, 2.0], [2.0, 2.0, 3.0, 3.0]])
    iou, apart = refine.overlap(one, other)
    assert iou.tolist() == pytest.approx([1 / 3, 0], abs=1e-5)
    assert apart.tolist() == pytest.approx([0, 7 / 9], abs=1e-5)


def test_a_teacher_that_says_the_truth_changes_little_and_another_one_much(samples: list) -> None:
    targets = refine.collate([sample for sample in samples if sample[3]][:8])[1:]
    masks, boxes, _ = targets
    places = refiner.positions(48)
    # The two positions around each edge, by their distances: what the loss itself takes for true.
    shares = (1 - 48 * (boxes[:, :, None] - places).abs()).clamp(min=0)
    shares[:, :, 0] += 1 - shares.sum(2)  # an edge beyond the first or last position
    shares = shares.clamp(min=0)
    truth = (torch.logit(masks[:, None], 1e-4), (shares + 1e-6).log(), torch.full((8, 2), 20.0))
    # An untrained network holds all edges and cells for equally likely, and no teacher is far from that.
    answers = truth[0] / 2, truth[1], torch.full((8, 2), 3.0)
    alone = refine.loss_of(answers, targets)
    taught = refine.loss_of(answers, targets, truth)
    wrong = refine.loss_of(answers, targets, (-truth[0], truth[1].flip(2), -truth[2]))
    for name in ("mask", "edges", "present"):
        assert float(taught[name].detach()) == pytest.approx(float(alone[name].detach()), rel=0.05), name
        assert float(wrong[name].detach()) != pytest.approx(float(alone[name].detach()), rel=0.05), name


def test_only_weights_that_fit_are_taken_over(tmp_path: Path) -> None:
    other = refiner.Refiner(widths=(16, 32, 64, 96)).state_dict()
    model = refine.Run(tmp_path, 32, 1e-3, other).model
    assert torch.equal(model.stem[0].weight, other["stem.0.weight"])
    assert model.context[0].weight.shape == (128, 256)
    with pytest.raises(SystemExit, match="none of the weights"):
        refine.Run(tmp_path, 32, 1e-3, {"nothing": torch.zeros(1)})
