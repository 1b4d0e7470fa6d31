"""What the figures of a release show, in words.

Belongs here: names and descriptions. Does not belong here: drawing (`figures`); who only names the figures depends on
this module alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

FIGURES: Mapping[str, str] = MappingProxyType(
    {
        "partition_distribution": "Bars: number of specimens in each partition, logarithmic.",
        "missing_labels": "Stacked bars: share of specimens with and without a label at each rank.",
        "size_distribution": "Three histograms: organism pixels, area fraction and scale factor.",
        "records_per_class": "Bars: number of specimens of each class, logarithmic.",
        "records_per_order": "Bars: number of specimens of each order, logarithmic.",
        "species_rank_abundance": "Curve: specimens of each species, from the commonest to the rarest, logarithmic.",
        "site_map": "Map: collection sites by longitude and latitude, larger points for more specimens.",
        "barcode_strip": "Strip: the barcode of one specimen, A red, T blue, C green, G yellow, anything else grey.",
    }
)
"""Description of each figure by its name, in the order in which they are drawn."""
