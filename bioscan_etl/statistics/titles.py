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
        "missing_fields": "Stacked bars: share of specimens with and without a value, of each column that lacks some.",
        "size_distribution": "Three histograms: organism pixels, area fraction and scale factor.",
        "records_per_class": "Bars: number of specimens of each class, logarithmic.",
        "records_per_order": "Bars: number of specimens of each order, logarithmic.",
        "species_rank_abundance": "Curve: specimens of each species, from the commonest to the rarest, logarithmic.",
        "rarefaction": "Curves: expected number of species, BINs and barcodes among fewer specimens, logarithmic.",
        "site_map": "Equal-area map: collection sites, larger points for more specimens.",
        "partition_countries": "Stacked bars: share of the most frequent countries in each partition.",
        "distances_class": "Box plots: distances between the barcodes of one class, by name of the class.",
        "distances_order": "Box plots: distances between the barcodes of one order, by name of the order.",
        "distances_species": "Box plots: distances between the barcodes of one species, in bins of species by mean.",
        "leakage_curve": "Curves: share of the evaluated barcodes within a distance of one that was trained on.",
        "barcode_gap": "Points: largest distance within each species against the smallest to another one.",
        "sdi_by_rank": "Box plots: Shannon diversity of the barcodes within the groups of each rank.",
        "barcode_strip": "Letters: the barcode of one specimen, A red, T blue, C green, G yellow, anything else grey.",
    }
)
"""Description of each figure by its name, in the order in which they are drawn."""
