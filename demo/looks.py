"""What specimens look like: build and colours follow order, family and genus.

Belongs here: the look of each lineage, and how much a picture deviates from it. Does not belong here: drawing
(`bioscan_etl.demo.insects`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bioscan_etl.demo.insects import Colour, Look
from bioscan_etl.demo.taxonomy import Taxonomy

# By order: build, body and limb colours (BGR).
_OF_ORDER: dict[str, tuple[str, Colour, Colour]] = {
    "Diptera": ("fly", (58, 56, 56), (76, 76, 84)),
    "Hymenoptera": ("wasp", (30, 56, 98), (44, 86, 134)),
    "Coleoptera": ("beetle", (44, 62, 38), (66, 92, 58)),
    "Lepidoptera": ("moth", (80, 98, 116), (110, 130, 150)),
    "Hemiptera": ("hopper", (48, 96, 80), (70, 130, 108)),
    "Psocodea": ("louse", (50, 46, 68), (74, 72, 92)),
    "Trichoptera": ("caddis", (38, 70, 84), (60, 102, 120)),
    "Entomobryomorpha": ("springtail", (84, 92, 62), (104, 112, 84)),
    "Araneae": ("spider", (44, 44, 84), (66, 70, 112)),
}
_BLUEST = 1.04
_BANDED = (0.1, 0.5, 0.9)

# Deviations of the logarithm of factors, of forms and of colours; a picture's own come on top of its species'.
_FAMILY, _GENUS, _SPECIES, _PICTURE = (0.12, 0.10), (0.07, 0.07), (0.02, 0.02), (0.07, 0.12)

Numbers = npt.NDArray[np.float64]


def looks(rng: np.random.Generator, taxonomy: Taxonomy) -> list[Look]:
    """The look of each cluster of a corpus.

    Args:
        rng: the random generator.
        taxonomy: the clusters.
    """
    genus = taxonomy.genus_of_cluster
    family = taxonomy.family_of_genus[genus]

    def by_lineage(columns: int, which: int) -> Numbers:
        """Factors of every cluster, which members of one lineage share; shape (clusters, columns)."""
        of_family = rng.normal(0, _FAMILY[which], (len(taxonomy.order_of_family), columns))
        of_genus = rng.normal(0, _GENUS[which], (len(taxonomy.family_of_genus), columns))
        own = rng.normal(0, _SPECIES[which], (len(genus), columns))
        factors: Numbers = np.exp(of_family[family] + of_genus[genus] + own)
        return factors

    forms, colours = by_lineage(4, 0), by_lineage(3, 1)
    banded = rng.integers(len(_BANDED), size=len(taxonomy.family_of_genus))[genus]
    found = []
    for order, form, tint, bands in zip(taxonomy.clusters["order"], forms, colours, banded, strict=True):
        build, body, limbs = _OF_ORDER[order]
        found.append(Look(build, _four(form), _tinted(body, tint), _tinted(limbs, tint), _BANDED[bands]))
    return found


def one_of(rng: np.random.Generator, look: Look) -> Look:
    """The look of one specimen."""
    form = np.array(look.stretch) * np.exp(rng.normal(0, _PICTURE[0], 4))
    tint = np.exp(rng.normal(0, _PICTURE[1]) + rng.normal(0, _PICTURE[1] / 2, 3))
    return Look(look.build, _four(form), _tinted(look.body, tint), _tinted(look.limbs, tint), look.banded)


def _four(factors: Numbers) -> tuple[float, float, float, float]:
    one, two, three, four = (float(factor) for factor in factors)
    return one, two, three, four


def _tinted(colour: Colour, factors: Numbers) -> Colour:
    blue, green, red = (float(np.clip(value * factor, 16, 150)) for value, factor in zip(colour, factors, strict=True))
    # Blue insects are rare, and detectors that saw none take them for dirt.
    return min(blue, _BLUEST * (green + red) / 2), green, red
