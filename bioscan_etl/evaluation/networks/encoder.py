"""The transformer over tokens of a barcode: an encoder like BERT's (Devlin et al. 2019, doi:10.18653/v1/N19-1423).

Belongs here: the architecture. Does not belong here: its training (`pretraining`, `classify`) and its files
(`checkpoints`).

Parameters are named as in the published checkpoints of BarcodeBERT, which were written with transformers, so one layout
serves both.
"""

from __future__ import annotations

from bioscan_etl.evaluation.networks.sizes import Size
from bioscan_etl.extras import extras_named

with extras_named():
    import torch
    from torch import Tensor, nn
    from torch.nn import functional

_EPSILON = 1e-12  # of the published normalisations
_DEVIATION = 0.02  # of the first weights


class _Embeddings(nn.Module):
    """Tokens and their places as vectors."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(size.vocabulary, size.width)
        self.position_embeddings = nn.Embedding(size.positions, size.width)
        self.token_type_embeddings = nn.Embedding(2, size.width)  # of sentences; a barcode is always the first
        self.LayerNorm = nn.LayerNorm(size.width, eps=_EPSILON)
        self.dropout = nn.Dropout(size.dropout)

    def forward(self, numbers: Tensor) -> Tensor:
        places = self.position_embeddings.weight[: numbers.shape[1]]
        vectors = self.word_embeddings(numbers) + places + self.token_type_embeddings.weight[0]
        return self.dropout(self.LayerNorm(vectors))


class _SelfAttention(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        self.heads, self.chance = size.heads, size.dropout
        self.query = nn.Linear(size.width, size.width)
        self.key = nn.Linear(size.width, size.width)
        self.value = nn.Linear(size.width, size.width)

    def forward(self, x: Tensor, attended: Tensor) -> Tensor:
        rows, length, width = x.shape

        def split(y: Tensor) -> Tensor:
            return y.view(rows, length, self.heads, width // self.heads).transpose(1, 2)

        found = functional.scaled_dot_product_attention(
            split(self.query(x)),
            split(self.key(x)),
            split(self.value(x)),
            attn_mask=attended[:, None, None, :],
            dropout_p=self.chance if self.training else 0.0,
        )
        return found.transpose(1, 2).reshape(rows, length, width)


class _Joined(nn.Module):
    """A linear map whose result is added to what went before, and normalised."""

    def __init__(self, inputs: int, size: Size) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, size.width)
        self.LayerNorm = nn.LayerNorm(size.width, eps=_EPSILON)
        self.dropout = nn.Dropout(size.dropout)

    def forward(self, x: Tensor, before: Tensor) -> Tensor:
        return self.LayerNorm(self.dropout(self.dense(x)) + before)


class _Layer(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        self.attention = nn.ModuleDict({"self": _SelfAttention(size), "output": _Joined(size.width, size)})
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(size.width, size.inner)})
        self.output = _Joined(size.inner, size)

    def forward(self, x: Tensor, attended: Tensor) -> Tensor:
        x = self.attention["output"](self.attention["self"](x, attended), x)
        return self.output(functional.gelu(self.intermediate["dense"](x)), x)


class Encoder(nn.Module):
    """Tokens to one vector each: (rows, length) and which are attended, to (rows, length, width)."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size
        self.embeddings = _Embeddings(size)
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(_Layer(size) for _ in range(size.layers))})
        self.apply(_begin)

    def forward(self, numbers: Tensor, attended: Tensor) -> Tensor:
        """The last hidden states."""
        x = self.embeddings(numbers)
        for layer in self.encoder["layer"]:
            x = layer(x, attended)
        return x

    def pooled(self, numbers: Tensor, attended: Tensor) -> Tensor:
        """The mean of the last hidden states over the tokens that are not padding, float32, shape (rows, width)."""
        states = self(numbers, attended).float()
        weight = attended[:, :, None].to(states.dtype)
        return (states * weight).sum(1) / weight.sum(1)


class MaskedModel(nn.Module):
    """The encoder with a linear head over the 4^k k-mers.

    The names are those of the published layout: `bert.…`, `classifier.…`.
    """

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.bert = Encoder(size)
        self.dropout = nn.Dropout(size.dropout)
        self.classifier = nn.Linear(size.width, 4**size.k)
        self.classifier.apply(_begin)

    def forward(self, numbers: Tensor, attended: Tensor) -> Tensor:
        """Logits of the k-mers, shape (rows, length, 4^k)."""
        return self.classifier(self.dropout(self.bert(numbers, attended)))


def _begin(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=_DEVIATION)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)


def begun(size: Size, seed: int) -> MaskedModel:
    """A model with random weights, the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return MaskedModel(size)
