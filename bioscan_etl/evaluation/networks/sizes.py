"""Sizes of the transformer by name: those of BarcodeBERT, and one for a CPU.

Belongs here: names and shapes. Does not belong here: the network (`encoder`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bioscan_etl.barcodes.tokens import LENGTH, vocabulary_size
from bioscan_etl.errors import SettingsError

_LONGEST = 1536  # letters that the published position embeddings allow for, and at least 512 positions
_POSITIONS = 512


@dataclass(frozen=True, slots=True)
class Size:
    """The shape of a transformer.

    Attributes:
        k: bases of a token.
        layers: of the encoder.
        heads: of attention in each layer; they divide the width.
        width: of the embedding.
        inner: width between the two linear maps of a layer.
        positions: tokens that can have a place.
        dropout: share of values that training drops.
    """

    k: int
    layers: int
    heads: int
    width: int
    inner: int
    positions: int
    dropout: float = 0.1

    @property
    def vocabulary(self) -> int:
        """Number of tokens."""
        return vocabulary_size(self.k)

    def products(self, rows: int, *, headed: bool = False) -> float:
        """Multiplications and additions of a step of training: forwards, and twice as many backwards.

        Args:
            rows: barcodes of the step.
            headed: with the head over k-mers.
        """
        length = LENGTH // self.k
        layer = 4 * self.width**2 + 2 * self.width * self.inner + 2 * length * self.width
        head = self.width * 4**self.k if headed else 0
        return 3 * 2.0 * rows * length * (self.layers * layer + head)


def _published(k: int, layers: int, heads: int) -> Size:
    return Size(k, layers, heads, 768, 3072, max(_POSITIONS, math.ceil(_LONGEST / k)))


SIZES = {
    "tiny": Size(4, 2, 2, 64, 256, _POSITIONS, dropout=0.0),
    "4-4-4": _published(4, 4, 4),
    "8-4-4": _published(8, 4, 4),
    "4-12-12": _published(4, 12, 12),
}
"""`tiny` for a CPU; the others are 768 wide and named k-layers-heads (spec: benchmarks, BarcodeBERT)."""


def size_of(name: str) -> Size:
    """A size by its name.

    Raises:
        SettingsError: there is none of that name.
    """
    if name not in SIZES:
        raise SettingsError(f"there is no transformer of size {name!r}; choose one of {', '.join(SIZES)}")
    return SIZES[name]
