"""100,000 specimens with planted faults: each statistic finds its own plant, and what is clean raises none.

Planted are fragments of test barcodes and gapped copies of val barcodes in train, species that were swapped within a
family, and a country that most test specimens come from.
"""

from dataclasses import dataclass

import polars as pl
import pytest
from framed_barcodes import drawn

from bioscan_etl.barcodes.check import check_barcodes
from bioscan_etl.barcodes.distinct import numbered
from bioscan_etl.barcodes.framed import comparable
from bioscan_etl.schema import PLACEMENTS, RECORDS
from bioscan_etl.settings import BarcodeSettings
from bioscan_etl.splits.leakage import leakage
from bioscan_etl.statistics.audit import audit, gaps
from bioscan_etl.statistics.leakage_curve import leakage_curve
from bioscan_etl.statistics.shift import partition_countries, partition_shift

pytestmark = pytest.mark.slow

ROWS = 100_000
SPECIES, UNSEEN = 1_000, 200  # the last ones are unseen
FRAGMENTS, GAPPED, SWAPPED = 120, 80, 20
LEAST = 300
PARTS = ("train", "test", "val")
UNSEEN_PARTS = ("key_unseen", "test_unseen", "val_unseen")
COUNTRIES = ("Canada", "Costa Rica", "Norway", "South Africa")
_TRANSITION = {"A": "G", "G": "A", "C": "T", "T": "C"}


def variant(barcode: str, number: int) -> str:
    """The barcode with transitions at third positions of codons, which keep the reading frame open."""
    letters = list(barcode)
    for place in range(90 + 30 * number, 90 + 30 * number + 6 * number, 6):
        letters[place] = _TRANSITION[letters[place]]
    return "".join(letters)


@dataclass(frozen=True)
class Planted:
    """Specimens as the statistics see them, with the plants or without."""

    rows: pl.DataFrame
    barcodes: pl.DataFrame
    ids: pl.DataFrame
    gap_removed: int

    @property
    def partitions(self) -> pl.DataFrame:
        return self.rows.select("processid", "split")

    def named(self) -> pl.DataFrame:
        return self.rows.join(self.ids, on="processid")


def specimens(*, planted: bool) -> pl.DataFrame:
    """Three barcodes of each species, a third of its specimens each; each barcode is in one partition."""
    wholes = drawn(SPECIES)
    rows = []
    for number in range(ROWS):
        species, of_species = number % SPECIES, number // SPECIES
        part = of_species % 3
        parts = UNSEEN_PARTS if species >= SPECIES - UNSEEN else PARTS
        country = COUNTRIES[(of_species // 3) % len(COUNTRIES)]
        nuc, label = variant(wholes[species], part), species
        if planted:
            if of_species == 0 and species < FRAGMENTS:  # a test barcode, sequenced shorter, in train
                nuc = variant(wholes[species], 1)[40:600]
            elif of_species == 0 and species < FRAGMENTS + GAPPED:  # a val barcode with gaps of an alignment, in train
                nuc = variant(wholes[species], 2)
                nuc = f"{nuc[:301]}---{nuc[301:400]}------{nuc[400:]}"
            elif of_species == 3 and FRAGMENTS + GAPPED <= species < FRAGMENTS + GAPPED + 2 * SWAPPED:
                label = species + 1 if species % 2 == 0 else species  # two species, one takes a record of the other
            if parts[part] == "test" and of_species % 4:
                country = "Costa Rica"
        rows.append(
            (
                f"PLANT{number:06}-26",
                nuc,
                f"BOLD:AAA{species:04}",
                f"Family{label // 50:02}idae",
                f"Genus{label:04}",
                f"Genus{label:04} species",
                country,
                parts[part],
            )
        )
    columns = ("processid", "nuc", "bin_uri", "family", "genus", "species", "country", "split")
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")


def prepared(*, planted: bool) -> Planted:
    rows = specimens(planted=planted)
    absent = [name for name in RECORDS.names() if name not in {"batch", "processid", "nuc", "bin_uri"}]
    records = rows.select("processid", "nuc", "bin_uri", batch=pl.lit("one")).with_columns(
        pl.lit(None, pl.String).alias(name) for name in absent
    )
    checked = check_barcodes(records.lazy(), BarcodeSettings())
    barcodes, ids = numbered(checked.lazy().select("processid", "dna_barcode"), PLACEMENTS.empty().lazy(), LEAST)
    removed = checked.filter(pl.col("flags").list.contains("GAP_REMOVED")).height
    return Planted(rows.rename({"bin_uri": "dna_bin"}), barcodes, ids, removed)


@pytest.fixture(scope="module")
def clean():
    return prepared(planted=False)


@pytest.fixture(scope="module")
def planted():
    return prepared(planted=True)


def same_of(corpus):
    found = leakage(corpus.barcodes, corpus.ids, corpus.partitions, LEAST)
    return {(known, evaluated): same for known, evaluated, same in found.select("known", "evaluated", "same").rows()}


def test_leakage_counts_each_fragment_and_each_gapped_copy(clean, planted):
    assert set(same_of(clean).values()) == {0}
    found = same_of(planted)
    assert found.pop(("train", "test")) == FRAGMENTS
    assert found.pop(("train", "val")) == GAPPED
    assert set(found.values()) == {0}


def test_the_curve_has_them_at_distance_0_and_with_the_right_species(clean, planted):
    for corpus, expected in ((clean, (0, 0)), (planted, (FRAGMENTS, GAPPED))):
        curve = leakage_curve(corpus.named(), corpus.barcodes, LEAST)
        at_zero = curve.filter(pl.col("within") == 0, pl.col("known") == "train").sort("evaluated")
        near = dict(at_zero.select("evaluated", "near").rows())
        assert (near["test"], near["val"]) == expected
        assert not at_zero.filter(pl.col("near") != pl.col("same_species")).height


def test_gaps_make_no_barcode_and_fragments_one_as_written_but_none_over_shared_columns(clean, planted):
    assert (clean.gap_removed, planted.gap_removed) == (0, GAPPED)
    assert clean.barcodes.height == 3 * SPECIES
    assert planted.barcodes.height == 3 * SPECIES + FRAGMENTS
    assert clean.barcodes["group"].n_unique() == planted.barcodes["group"].n_unique() == 3 * SPECIES


def audited(corpus):
    rows = corpus.named()
    return audit(rows, gaps(rows, *comparable(corpus.barcodes), LEAST))


def test_the_audit_lists_the_swapped_species_and_no_others(clean, planted):
    nothing = audited(clean)
    assert nothing["bin_audit"].is_empty()
    assert nothing["species_audit"]["grade"].unique().to_list() == ["A"]
    assert nothing["species_audit"].filter(pl.col("gap") <= 0).is_empty()

    found = audited(planted)
    first = range(FRAGMENTS + GAPPED, FRAGMENTS + GAPPED + 2 * SWAPPED, 2)
    pairs = {f"BOLD:AAA{species:04}": f"Genus{species:04} species; Genus{species + 1:04} species" for species in first}
    assert dict(found["bin_audit"].select("dna_bin", "names").rows()) == pairs
    swapped = {f"Genus{species + more:04} species" for species in first for more in (0, 1)}
    listed = found["species_audit"]
    assert set(listed.filter(pl.col("gap") <= 0)["species"]) == swapped
    assert set(listed.filter(pl.col("grade") == "E")["species"]) == swapped


def test_the_shift_of_places_is_that_of_test_alone(clean, planted):
    def shift(corpus):
        found = partition_shift(partition_countries(corpus.rows))
        return dict(found.select("split", "total_variation").drop_nulls().rows())

    # 34 and 33 specimens of a species cannot fill four countries alike.
    assert max(shift(clean).values()) < 0.03
    found = shift(planted)
    assert found.pop("test") > 0.5
    assert max(found.values()) < 0.03
