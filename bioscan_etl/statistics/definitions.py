"""The statistics of a release as tables: what a row is, and what each column counts (spec: statistics and figures).

Belongs here: columns and their meanings, which the data package and the reference page state. Does not belong here:
counting (`tables`, `distances`, `audit`, `completeness`).

Shares are between 0 and 1. Standard deviations are of the population, divided by n, because a release is the whole
population and not a sample.
"""

from __future__ import annotations

import polars as pl

from bioscan_etl.schema import Column, Table
from bioscan_etl.vocabulary import RANKS, SPLITS

LEVELS = (*RANKS, "dna_bin")
"""Levels of groups whose barcodes are compared: the ranks, and the BIN."""
SIZES = ("image_measurement_value", "area_fraction", "scale_factor")
ATTRIBUTES = (*RANKS, "dna_bin", "dna_barcode", "country", "province_state", "site", *SIZES)
UNITS = ("species", "dna_bin", "dna_barcode")
"""What completeness is estimated of."""
GRADES = ("A", "B", "C", "D", "E")
KINDS = ("described", "novel", "unlabelled")
CONCORDANCES = ("MATCH", "SPLIT", "MERGE", "MIXTURE")

_TEXT = pl.String()
_WHOLE = pl.Int64()
_NUMBER = pl.Float64()
_FRAME = "over the columns that both have"


def _count(name: str, meaning: str, *, nullable: bool = False) -> Column:
    return Column(name, _WHOLE, meaning, nullable=nullable, minimum=0)


def _share(name: str, meaning: str, *, nullable: bool = False) -> Column:
    return Column(name, _NUMBER, meaning, nullable=nullable, minimum=0, maximum=1)


def _number(name: str, meaning: str, unit: str = "") -> Column:
    return Column(name, _NUMBER, meaning, unit=unit)


def _spread(of: str, unit: str = "") -> tuple[Column, ...]:
    return (
        _number("mean", f"mean of {of}", unit),
        _number("median", f"median of {of}", unit),
        _number("standard_deviation", f"standard deviation of {of}", unit),
    )


def _quantiles() -> tuple[Column, ...]:
    """The numbers of a box plot of p-distances."""
    return (
        _number("minimum", "smallest p-distance"),
        _number("lower_quartile", "a quarter of the p-distances is not larger"),
        _number("median", "half of the p-distances are not larger"),
        _number("upper_quartile", "three quarters of the p-distances are not larger"),
        _number("maximum", "largest p-distance"),
    )


_LEVEL = Column("level", _TEXT, "rank, or dna_bin", nullable=False, allowed=LEVELS)
_CONTENTS = (
    _count("species", "species"),
    _count("bins", "BINs"),
    _count("barcodes", "distinct barcodes, as written"),
    _count("countries", "countries"),
    _count("sites", "pairs of latitude and longitude"),
)

ATTRIBUTES_TABLE = Table(
    "attributes",
    "an attribute: how many categories it has, and how evenly the specimens fill them",
    ("attribute",),
    (
        Column("attribute", _TEXT, "attribute; a site is a pair of latitude and longitude", nullable=False,
               allowed=ATTRIBUTES),
        _count("categories", "distinct values"),
        _count("labelled", "specimens with a value"),
        _share("labelled_share", "their share"),
        _count("unlabelled", "specimens without a value"),
        _share("unlabelled_share", "their share"),
        Column("most_populated", _TEXT, "category with the most specimens, the first by name"),
        _count("most_populated_size", "its specimens", nullable=True),
        Column("least_populated", _TEXT, "category with the fewest specimens, the first by name"),
        _count("least_populated_size", "its specimens", nullable=True),
        *_spread("specimens per category"),
        _number("imbalance_ratio", "specimens of the largest category over those of the smallest"),
    ),
)  # fmt: skip
SIZES_TABLE = Table(
    "sizes",
    "one of the three sizes: its distribution",
    ("attribute",),
    (
        Column("attribute", _TEXT, "size", nullable=False, allowed=SIZES),
        Column("unit", _TEXT, "unit", nullable=False),
        _count("labelled", "specimens with a value"),
        _count("unlabelled", "specimens without a value"),
        _number("minimum", "smallest value"),
        _number("mean", "mean"),
        _number("median", "median"),
        _number("maximum", "largest value"),
        _number("standard_deviation", "standard deviation"),
    ),
)
PARTITIONS_TABLE = Table(
    "partitions",
    "a partition; a barcode, species or site can be in several, so that shares add up to more than 1",
    ("split",),
    (
        Column("split", _TEXT, "partition", nullable=False, allowed=SPLITS),
        _count("samples", "specimens"),
        _share("samples_share", "their share of the release"),
        *(
            column
            for one in _CONTENTS
            for column in (one, _share(f"{one.name}_share", f"their share of the {one.name} of the release"))
        ),
    ),
)
PARTITION_COUNTRIES_TABLE = Table(
    "partition_countries",
    "a partition and a country in which specimens of it were collected",
    ("split", "country"),
    (
        Column("split", _TEXT, "partition", nullable=False, allowed=SPLITS),
        Column("country", _TEXT, "country", nullable=False),
        _count("samples", "specimens"),
        _share("samples_share", "their share of the partition's specimens with a country"),
    ),
)
PARTITION_SHIFT_TABLE = Table(
    "partition_shift",
    "a partition: how its countries differ from those of train",
    ("split",),
    (
        Column("split", _TEXT, "partition", nullable=False, allowed=SPLITS),
        _count("samples", "specimens with a country"),
        _count("countries", "countries"),
        _count("beyond", "specimens of countries of which train has none"),
        _share("beyond_share", "their share of the specimens with a country"),
        _share(
            "total_variation",
            "half the sum of the differences between the countries' shares here and in train: 0, the same; 1, no "
            "country in common",
            nullable=True,
        ),
        _share(
            "jensen_shannon",
            "Jensen-Shannon distance of these shares: square root of the divergence in bits (Endres & Schindelin 2003, "
            "doi:10.1109/TIT.2003.813506)",
            nullable=True,
        ),
    ),
)
ORDERS_TABLE = Table(
    "orders",
    "an order, the largest first; null: the specimens without one",
    (),
    (
        Column("class", _TEXT, "class"),
        Column("order", _TEXT, "order"),
        _count("samples", "specimens"),
        _share("samples_share", "their share of the release"),
        _count("with_image", "specimens with an image"),
        _count("with_species", "specimens with a species"),
        _count("families", "families"),
        _count("genera", "genera"),
        *_CONTENTS,
    ),
)
SPECIES_KINDS_TABLE = Table(
    "species_kinds",
    "a kind of species label",
    ("kind",),
    (
        Column(
            "kind",
            _TEXT,
            "described; novel, a placeholder for a species or genus that has no name yet (spec: partitioning, "
            "regexes of placeholder species); or unlabelled, without a species",
            nullable=False,
            allowed=KINDS,
        ),
        _count("samples", "specimens"),
        _share("samples_share", "their share of the release"),
        *_CONTENTS[:3],
    ),
)
MISSING_TABLE = Table(
    "missing",
    "a column of the released table, in its order",
    ("field",),
    (
        Column("field", _TEXT, "column", nullable=False),
        _count("missing", "specimens without a value"),
        _share("missing_share", "their share"),
    ),
)
BARCODES_TABLE = Table(
    "barcodes",
    "a rank, or the BIN: the barcodes within its groups",
    ("level",),
    (
        _LEVEL,
        _count("groups", "groups with a barcode"),
        _count("unique_barcodes", "distinct barcodes of all labelled specimens, as written"),
        _count("unique_over_shared_columns", "the same, if barcodes that are equal over shared columns count once"),
        *_spread("distinct barcodes per group, as written"),
        _number("mean_sdi", "mean of the groups' Shannon diversity of barcodes", "bit"),
        _number("sdi_minimum", "smallest diversity of a group", "bit"),
        _number("sdi_lower_quartile", "a quarter of the groups are not more diverse", "bit"),
        _number("sdi_median", "half of the groups are not more diverse", "bit"),
        _number("sdi_upper_quartile", "three quarters of the groups are not more diverse", "bit"),
        _number("sdi_maximum", "largest diversity of a group", "bit"),
    ),
)
LENGTHS_TABLE = Table(
    "barcode_lengths",
    "a length of barcodes, without N at their ends",
    ("length",),
    (
        Column("length", _WHOLE, "letters", nullable=False, unit="bp", minimum=1),
        _count("barcodes", "distinct barcodes of this length"),
        _count("samples", "specimens with these"),
    ),
)
COVER_TABLE = Table(
    "barcode_cover",
    "a column of the frame of COI-5P",
    ("column",),
    (
        Column("column", _WHOLE, "column", nullable=False, unit="from 1", minimum=1, maximum=658),
        _count("barcodes", "distinct barcodes that begin at it or before, and end at it or after"),
        _count("samples", "specimens with these"),
    ),
)
_DISTANCE = (
    _number("mean", f"mean p-distance {_FRAME}"),
    _number("standard_deviation", "standard deviation of the p-distances"),
)
DISTANCES_TABLE = Table(
    "distances",
    "a group of a rank or a BIN: distances between its distinct barcodes",
    ("level", "group"),
    (
        _LEVEL,
        Column("group", _TEXT, "name of the group", nullable=False),
        _count("barcodes", "distinct barcodes that are placed on the frame without doubt"),
        _count("compared", "how many of them were compared, chosen by a hash"),
        _count("pairs", "pairs of these that share enough columns"),
        _count("left_out", "pairs that share fewer columns"),
        *_DISTANCE,
        *_quantiles(),
        _number("mean_k2p", "mean of Kimura's two-parameter distance"),
        _number("standard_deviation_k2p", "its standard deviation"),
        _count("without_k2p", "pairs that are too far apart for it"),
    ),
)
DISTANCE_LEVELS_TABLE = Table(
    "distance_levels",
    "a rank, or the BIN: distances within its groups",
    ("level",),
    (
        _LEVEL,
        _count("groups", "groups whose barcodes were compared"),
        _count("too_small", "groups with a barcode, but fewer than needed"),
        _count("pairs", "pairs that were compared"),
        _number("mean", "mean of the groups' mean p-distances"),
        _number("standard_deviation", "mean of the standard deviations within the groups"),
        _number("mean_of_625", "mean times 625, the columns of the published alignments"),
        _number("mean_k2p", "mean of the groups' mean K2P distances"),
        _number("standard_deviation_k2p", "mean of the K2P standard deviations within the groups"),
    ),
)
DISTANCE_BINS_TABLE = Table(
    "distance_bins",
    "species whose mean distances are neighbours: a hundredth of all species, by mean distance",
    ("bin",),
    (
        Column("bin", _WHOLE, "number of the bin", nullable=False, unit="from 1", minimum=1),
        _count("groups", "species"),
        _count("pairs", "pairs of barcodes of one species"),
        _number("x", "mean of the species' mean p-distances"),
        *_quantiles(),
    ),
)
PUBLISHED_DISTANCES_TABLE = Table(
    "published_distances",
    "a group of a rank or a BIN: distances between its distinct barcodes by the published recipe",
    ("level", "group"),
    (
        _LEVEL,
        Column("group", _TEXT, "name of the group", nullable=False),
        _count("barcodes", "distinct barcodes, as written"),
        _count("compared", "how many of them were compared, chosen by a hash"),
        _count("columns", "columns of their alignment"),
        _count("pairs", "pairs whose aligned strings differ"),
        _count("left_out", "pairs whose aligned strings are equal"),
        _number("mean", "mean number of edits between the aligned strings"),
        _number("standard_deviation", "its standard deviation, of a sample: divided by n - 1, as published"),
        _count("minimum", "smallest number of edits", nullable=True),
        _count("maximum", "largest number of edits", nullable=True),
        _number("mean_substitutions", "mean number of columns in which both have a base and these differ"),
    ),
)
PUBLISHED_LEVELS_TABLE = Table(
    "published_levels",
    "a rank, or the BIN: distances within its groups by the published recipe",
    ("level",),
    (
        _LEVEL,
        _count("groups", "groups whose barcodes were compared"),
        _count("too_small", "groups with a barcode, but fewer than needed"),
        _count("pairs", "pairs that were compared"),
        _number("mean", "mean of the groups' mean numbers of edits"),
        _number("standard_deviation", "mean of the standard deviations within the groups"),
        _number("mean_substitutions", "mean of the groups' mean numbers of differing bases"),
        Column("aligned_by", _TEXT, "program that aligned the barcodes, and its version", nullable=False),
    ),
)
SPECIES_AUDIT_TABLE = Table(
    "species_audit",
    "a species: how its barcodes and BINs agree with its name",
    ("species",),
    (
        Column("species", _TEXT, "species", nullable=False),
        Column("family", _TEXT, "family"),
        _count("samples", "specimens with a BIN"),
        _count("barcodes", "distinct barcodes, as written"),
        _count("bins", "BINs"),
        _count("shared_bins", "how many of these hold another species, too"),
        Column(
            "concordance",
            _TEXT,
            "one BIN of this species alone; several; one that is shared; several, one of them shared "
            "(Ratnasingham & Hebert 2013, doi:10.1371/journal.pone.0066213)",
            allowed=CONCORDANCES,
        ),
        Column(
            "grade",
            _TEXT,
            "BAGS grade: E, a BIN is shared; D, fewer than 3 specimens; C, several BINs; B, 3 to 10 specimens; A, more "
            "(Fontes et al. 2021, doi:10.1111/1755-0998.13262)",
            allowed=GRADES,
        ),
        _number("largest_within", f"largest p-distance between two of its barcodes, {_FRAME}"),
        _number("nearest_in_family", "smallest p-distance to a barcode of another species of the family"),
        _number("nearest_other", "the same for species of all families"),
        Column("nearest_species", _TEXT, "the species of that barcode; of several, the first by name"),
        Column("nearest_family", _TEXT, "its family: if it is another one, one of the two labels may be wrong"),
        _number("gap", "nearest_other less largest_within; above 0, distances tell the species from others"),
    ),
)
LEAKAGE_CURVE_TABLE = Table(
    "leakage_curve",
    "an evaluated partition, what a model may have seen, and a distance",
    ("known", "evaluated", "within"),
    (
        Column("known", _TEXT, "training or key partition", nullable=False, allowed=SPLITS),
        Column("evaluated", _TEXT, "evaluated partition", nullable=False, allowed=SPLITS),
        Column("within", _NUMBER, "p-distance", nullable=False, minimum=0, maximum=1),
        _count("barcodes", "distinct barcodes of the evaluated partition"),
        _count("near", "how many of them have one of the known partition within that distance"),
        _share("near_share", "their share"),
        _count("same_species", "how many of these have the species of the nearest one"),
        _count("same_genus", "the same for the genus"),
        _count("same_family", "the same for the family"),
    ),
)
GRADES_TABLE = Table(
    "species_grades",
    "a BAGS grade, as of `species_audit`; null: no specimen of the species has a BIN",
    (),
    (
        Column("grade", _TEXT, "grade", allowed=GRADES),
        _count("species", "species with a barcode"),
        _count("samples", "specimens of these with a BIN"),
        _count("without_gap", "species whose gap is 0 or less"),
    ),
)
BIN_AUDIT_TABLE = Table(
    "bin_audit",
    "a BIN that holds more than one species",
    ("dna_bin",),
    (
        Column("dna_bin", _TEXT, "Barcode Index Number", nullable=False),
        _count("samples", "specimens with a species"),
        _count("species", "species"),
        Column("names", _TEXT, "these, by name, separated by `; `", nullable=False),
    ),
)
COMPLETENESS_TABLE = Table(
    "completeness",
    "a unit, in all specimens and in each order: how many of its kinds the release has",
    (),
    (
        Column("unit", _TEXT, "what is counted", nullable=False, allowed=UNITS),
        Column("order", _TEXT, "order; null: all specimens"),
        _count("samples", "specimens with a value"),
        _count("observed", "distinct values"),
        _count("once", "values that one specimen has"),
        _count("twice", "values that two specimens have"),
        _number("chao1", "least number of values, those not seen yet included, by estimate (Chao 1984, corrected)"),
        _share("coverage", "estimated share of the population whose value is among the observed (Chao & Jost 2012)",
               nullable=True),
    ),
)  # fmt: skip
RAREFACTION_TABLE = Table(
    "rarefaction",
    "a unit and a number of specimens",
    ("unit", "samples"),
    (
        Column("unit", _TEXT, "what is counted", nullable=False, allowed=UNITS),
        _count("samples", "specimens that are drawn without replacement"),
        _number("expected", "expected number of distinct values among these (Hurlbert 1971)"),
    ),
)

PUBLISHED_TABLE = Table(
    "published",
    "a number that is published of BIOSCAN-5M (Gharaee et al. 2024, NeurIPS 37, 36285-36313), beside the one of the "
    "release",
    ("table", "row", "column"),
    (
        Column("table", _TEXT, "table of the release's number", nullable=False),
        Column("row", _TEXT, "its row", nullable=False),
        Column("column", _TEXT, "its column", nullable=False),
        Column("published", _NUMBER, "published number", nullable=False),
        _number("ours", "number of the release"),
        Column("is_comparable", pl.Boolean(), "whether both are defined in the same way", nullable=False),
        Column("reason", _TEXT, "why they are not comparable"),
    ),
)

TABLES = (
    ATTRIBUTES_TABLE,
    SIZES_TABLE,
    PARTITIONS_TABLE,
    PARTITION_SHIFT_TABLE,
    PARTITION_COUNTRIES_TABLE,
    ORDERS_TABLE,
    SPECIES_KINDS_TABLE,
    MISSING_TABLE,
    BARCODES_TABLE,
    LENGTHS_TABLE,
    COVER_TABLE,
    DISTANCE_LEVELS_TABLE,
    DISTANCES_TABLE,
    DISTANCE_BINS_TABLE,
    LEAKAGE_CURVE_TABLE,
    GRADES_TABLE,
    SPECIES_AUDIT_TABLE,
    BIN_AUDIT_TABLE,
    COMPLETENESS_TABLE,
    RAREFACTION_TABLE,
    PUBLISHED_TABLE,
)
"""All tables of statistics of a release, in the order in which they are read."""
ON_DEMAND = (PUBLISHED_LEVELS_TABLE, PUBLISHED_DISTANCES_TABLE)
"""Tables that are made when a user asks for them. No release has them."""
