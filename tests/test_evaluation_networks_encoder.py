"""The transformer against an implementation of BERT in numpy, token by token. Needs torch, which the base lacks."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs .venv-clients: torch is not installed")

from bioscan_etl.evaluation.networks.encoder import Encoder, begun  # noqa: E402 - where torch is there
from bioscan_etl.evaluation.networks.sizes import SIZES, Size  # noqa: E402

pytestmark = pytest.mark.clients
SMALL = Size(k=2, layers=2, heads=3, width=12, inner=20, positions=30)


def layer_norm(x, weights, name):
    mean = x.mean()
    deviation = math.sqrt(((x - mean) ** 2).mean() + 1e-12)
    return (x - mean) / deviation * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def linear(x, weights, name):
    return weights[f"{name}.weight"] @ x + weights[f"{name}.bias"]


def gelu(x):
    return np.array([value / 2 * (1 + math.erf(value / math.sqrt(2))) for value in x])


def slow_bert(weights, numbers, attended, size):
    """The hidden states of one barcode, as Devlin et al. describe them and transformers names them."""
    states = []
    for place, number in enumerate(numbers):
        vector = (
            weights["bert.embeddings.word_embeddings.weight"][number]
            + weights["bert.embeddings.position_embeddings.weight"][place]
            + weights["bert.embeddings.token_type_embeddings.weight"][0]
        )
        states.append(layer_norm(vector, weights, "bert.embeddings.LayerNorm"))
    each = size.width // size.heads
    for number in range(size.layers):
        name = f"bert.encoder.layer.{number}"
        queries, keys, values = (
            [linear(x, weights, f"{name}.attention.self.{kind}") for x in states] for kind in ("query", "key", "value")
        )
        after = []
        for place, state in enumerate(states):
            joined = np.zeros(size.width)
            for head in range(size.heads):
                part = slice(head * each, (head + 1) * each)
                scores = [
                    queries[place][part] @ key[part] / math.sqrt(each) if seen else -math.inf
                    for key, seen in zip(keys, attended, strict=True)
                ]
                chances = np.exp(np.array(scores) - max(scores))
                chances /= chances.sum()
                joined[part] = sum(chance * value[part] for chance, value in zip(chances, values, strict=True))
            mid = layer_norm(
                linear(joined, weights, f"{name}.attention.output.dense") + state,
                weights,
                f"{name}.attention.output.LayerNorm",
            )
            inner = gelu(linear(mid, weights, f"{name}.intermediate.dense"))
            out = linear(inner, weights, f"{name}.output.dense") + mid
            after.append(layer_norm(out, weights, f"{name}.output.LayerNorm"))
        states = after
    return np.array(states)


def random_weights(model, seed):
    """Weights of the size of trained ones: those at the start would hide a missing bias."""
    draws = torch.Generator().manual_seed(seed)
    model.load_state_dict(
        {name: torch.randn(value.shape, generator=draws) * 0.5 for name, value in model.state_dict().items()}
    )
    return model.eval()


def test_hidden_states_and_logits_are_those_of_a_slow_bert():
    model = random_weights(begun(SMALL, 0), 1)
    weights = {name: value.double().numpy() for name, value in model.state_dict().items()}
    numbers = np.random.default_rng(0).integers(0, SMALL.vocabulary, (3, 7))
    attended = np.arange(7) < np.array([7, 4, 1])[:, None]
    with torch.inference_mode():
        given = torch.from_numpy(numbers), torch.from_numpy(attended)
        states, pooled, logits = model.bert(*given).numpy(), model.bert.pooled(*given).numpy(), model(*given).numpy()
    for row in range(3):
        expected = slow_bert(weights, numbers[row], attended[row], SMALL)
        np.testing.assert_allclose(states[row], expected, atol=2e-4)
        np.testing.assert_allclose(pooled[row], expected[attended[row]].mean(axis=0), atol=2e-4)
        for place in range(7):
            np.testing.assert_allclose(logits[row, place], linear(expected[place], weights, "classifier"), atol=1e-3)


def test_padding_changes_no_embedding():
    model = random_weights(begun(SMALL, 0), 2)
    numbers = torch.randint(0, SMALL.vocabulary, (2, 9))
    attended = torch.arange(9) < torch.tensor([[5], [9]])
    with torch.inference_mode():
        alone = model.bert.pooled(numbers[:1, :5], attended[:1, :5])
        padded = model.bert.pooled(numbers, attended)[:1]
    torch.testing.assert_close(alone, padded, atol=1e-5, rtol=1e-4)


def test_sizes_are_the_published_ones():
    def parameters(name):
        with torch.device("meta"):  # no memory
            return sum(value.numel() for value in Encoder(SIZES[name]).parameters())

    def expected(k, layers, width=768, positions=512):
        embeddings = (2 + 4**k + positions + 2) * width + 2 * width
        layer = 4 * (width * width + width) + 2 * 4 * width * width + 5 * width + 4 * width
        return embeddings + layers * layer

    assert parameters("4-4-4") == expected(4, 4)
    assert parameters("4-12-12") == expected(4, 12)
    assert SIZES["8-4-4"].vocabulary == 65_538


def test_weights_at_the_start_are_those_of_the_seed_and_leave_the_generator_alone():
    before = torch.get_rng_state()
    one, same, other = begun(SMALL, 3).state_dict(), begun(SMALL, 3).state_dict(), begun(SMALL, 4).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["classifier.weight"], other["classifier.weight"])
