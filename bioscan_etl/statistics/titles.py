"""What the figures of a release show, in words.

Belongs here: names, descriptions and the order in which they are read. Does not belong here: drawing (`figures`); who
only names the figures depends on this module alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SECTIONS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "Specimens": {
            "sample_record": "Card: the record of one specimen: image, barcode, BIN, lineage, place and size.",
            "specimen_sheet": "Images: specimens of the commonest orders, by name of the order.",
            "image_boxes": "Images: specimens with their box, and the frame of the crop.",
            "image_masks": "Images: specimens with their outline, as the detector finds it again.",
            "image_sizes": "Images: specimens with the three sizes, each drawn as what it measures.",
            "size_distribution": "Three histograms: organism pixels, area fraction and scale factor, logarithmic.",
        },
        "Taxonomy": {
            "treemap_class": "Treemaps: specimens of each class, in all, and with a seen or an unseen species.",
            "treemap_order": "Treemaps: specimens of each insect order, in all, and with a seen or an unseen species.",
            "taxonomy_sunburst": "Rings: share of specimens by class, order and family, from the inside.",
            "records_per_class": "Bars: number of specimens of each class, logarithmic.",
            "records_per_order": "Bars: number of specimens of each order, logarithmic.",
            "species_rank_abundance": "Curve: specimens of each species, from the commonest to the rarest, "
            "logarithmic.",
            "rarefaction": "Curves: expected number of species, BINs and barcodes among fewer specimens, logarithmic.",
        },
        "Places": {
            "site_map": "Equal-area map: collection sites, larger points for more specimens.",
            "country_map": "Equal-area map: specimens of each country, in powers of ten.",
            "partition_countries": "Stacked bars: share of the most frequent countries in each partition.",
        },
        "Partitions and missing values": {
            "partition_distribution": "Bars: number of specimens in each partition, logarithmic.",
            "missing_labels": "Stacked bars: share of specimens with and without a label at each rank.",
            "missing_fields": "Stacked bars: share of specimens with and without a value, of each column that lacks "
            "some.",
        },
        "Barcodes": {
            "barcode_strip": "Letters: the barcode of one specimen, A red, T blue, C green, G yellow, anything else "
            "grey.",
            "sdi_by_rank": "Box plots: Shannon diversity of the barcodes within the groups of each rank.",
            "distances_class": "Box plots: distances between the barcodes of one class, by name of the class.",
            "distances_order": "Box plots: distances between the barcodes of one order, by name of the order.",
            "distances_species": "Box plots: distances between the barcodes of one species, in bins of species by "
            "mean.",
            "barcode_gap": "Points: largest distance within each species against the smallest to another one.",
            "leakage_curve": "Curves: share of the evaluated barcodes within a distance of one that was trained on.",
        },
    }
)
"""Description of each figure by its name, in the sections and the order in which they are read."""
FIGURES: Mapping[str, str] = MappingProxyType(
    {name: text for section in SECTIONS.values() for name, text in section.items()}
)
"""The same without sections."""
