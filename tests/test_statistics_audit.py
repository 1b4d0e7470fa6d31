"""The audit of species and BINs: grades, concordance, gaps."""

import polars as pl
import pytest
from framed_barcodes import drawn
from test_statistics_distances import changed

from bioscan_etl.barcodes.distinct import numbered
from bioscan_etl.barcodes.framed import comparable
from bioscan_etl.schema import PLACEMENTS
from bioscan_etl.statistics.audit import audit, gaps
from bioscan_etl.statistics.definitions import BIN_AUDIT_TABLE, GRADES_TABLE, SPECIES_AUDIT_TABLE

WHOLE = drawn(8)
COLUMNS = {"processid": pl.String, "family": pl.String, "species": pl.String, "dna_bin": pl.String}


def audited(specimens):
    """The tables for specimens given as (family, species, BIN, barcode)."""
    frame = pl.DataFrame(
        [(f"P-{number:04}", *specimen) for number, specimen in enumerate(specimens)],
        schema={**COLUMNS, "dna_barcode": pl.String},
        orient="row",
    )
    barcodes, ids = numbered(frame.lazy().select("processid", "dna_barcode"), PLACEMENTS.empty().lazy(), 300)
    rows = frame.drop("dna_barcode").join(ids, on="processid")
    return audit(rows, gaps(rows.drop_nulls("species"), *comparable(barcodes), 300))


def species(specimens, name="A a"):
    return audited(specimens)["species_audit"].row(by_predicate=pl.col("species") == name, named=True)


def several(name, dna_bin, count, text=WHOLE[0]):
    return [("F", name, dna_bin, text)] * count


@pytest.mark.parametrize(
    ("specimens", "grade", "concordance"),
    [
        (several("A a", "one", 11), "A", "MATCH"),
        (several("A a", "one", 10), "B", "MATCH"),
        (several("A a", "one", 3), "B", "MATCH"),
        (several("A a", "one", 2), "D", "MATCH"),
        (several("A a", "one", 9) + several("A a", "two", 9), "C", "SPLIT"),
        (several("A a", "one", 1) + several("A a", "two", 1), "D", "SPLIT"),
        (several("A a", "one", 9) + several("B b", "one", 1), "E", "MERGE"),
        (several("A a", "one", 9) + several("A a", "two", 1) + several("B b", "two", 1), "E", "MIXTURE"),
        (several("A a", None, 9), None, None),
        (several("A a", "one", 9) + several(None, "one", 3), "B", "MATCH"),
    ],
)
def test_grades_and_concordance(specimens, grade, concordance):
    row = species(specimens)
    assert (row["grade"], row["concordance"]) == (grade, concordance)


def test_a_gap_worked_out_by_hand():
    near = [changed(WHOLE[0], 3), changed(WHOLE[0], 3, 9, 15)]
    rows = [
        *(("F", "A a", "one", text) for text in (WHOLE[0], near[0])),
        ("F", "A b", "two", near[1]),
        ("F", "A c", "three", WHOLE[2]),
        ("G", "B b", "four", WHOLE[3]),
    ]
    row = species(rows)
    assert row["largest_within"] == pytest.approx(1 / 658)
    assert (row["nearest_other"], row["nearest_species"]) == (pytest.approx(2 / 658), "A b")
    assert row["gap"] == pytest.approx(1 / 658)
    alone = species(rows, "A b")
    assert (alone["largest_within"], alone["gap"]) == (None, None)
    assert (alone["nearest_other"], alone["nearest_species"]) == (pytest.approx(2 / 658), "A a")
    assert row["nearest_in_family"] == row["nearest_other"]
    other = species(rows, "B b")  # no other species of the family
    assert (other["nearest_in_family"], other["nearest_family"], other["gap"]) == (None, "F", None)
    assert other["nearest_other"] > 0.2


def test_a_barcode_of_another_family_that_is_nearer_than_all_of_the_family():
    rows = [
        ("F", "A a", "one", WHOLE[0]),
        ("F", "A a", "one", changed(WHOLE[0], 3, 9, 15)),
        ("F", "A b", "two", changed(WHOLE[0], *range(0, 60, 3))),
        ("G", "B b", "three", changed(WHOLE[0], 3)),
        ("G", "B c", "four", changed(WHOLE[0], 3, 300)),
    ]
    row = species(rows)
    assert (row["nearest_other"], row["nearest_species"], row["nearest_family"]) == (pytest.approx(1 / 658), "B b", "G")
    assert row["nearest_in_family"] == pytest.approx(17 / 658)
    assert row["gap"] == pytest.approx(-2 / 658)
    # As near as the nearest of the family is not nearer.
    named = species(rows, "B b")
    assert (named["nearest_in_family"], named["nearest_other"]) == (pytest.approx(1 / 658),) * 2
    assert (named["nearest_species"], named["nearest_family"]) == ("B c", "G")


def test_a_species_in_two_families_is_no_neighbour_of_itself():
    rows = [("F", "A a", None, WHOLE[0]), ("G", "A a", None, WHOLE[0]), ("G", "B b", None, WHOLE[1])]
    assert species(rows)["nearest_species"] == "B b"


def test_one_barcode_under_two_species_is_no_gap():
    rows = [("F", "A a", "one", WHOLE[0]), ("F", "A a", "one", changed(WHOLE[0], 3)), ("F", "A b", "one", WHOLE[0])]
    row = species(rows)
    assert (row["nearest_other"], row["gap"]) == (0, pytest.approx(-1 / 658))
    grades = audited(rows)["species_grades"].rows_by_key("grade", unique=True, named=True)
    assert grades["E"] == {"species": 2, "samples": 3, "without_gap": 1}


def test_species_of_neighbouring_families_with_one_name():
    """Sorted by family, a species that ends one and begins the next is compared in both."""
    rows = [
        ("F", "A a", None, WHOLE[0]), ("F", "X x", None, changed(WHOLE[0], 3)),
        ("G", "X x", None, WHOLE[4]), ("G", "Y y", None, changed(WHOLE[4], 3, 9)),
    ]  # fmt: skip
    assert (species(rows, "X x")["nearest_species"], species(rows, "X x")["nearest_family"]) == ("A a", "F")
    assert species(rows, "Y y")["nearest_species"] == "X x"


def test_bins_with_several_species():
    tables = audited([*several("B b", "one", 2), *several("A a", "one", 1), *several("A a", "two", 5)])
    assert tables["bin_audit"].rows() == [("one", 3, 2, "A a; B b")]
    assert tables["species_grades"]["grade"].to_list() == ["A", "B", "C", "D", "E", None]


def test_nothing_to_audit():
    tables = audited([])
    for name, table in (("species_audit", SPECIES_AUDIT_TABLE), ("bin_audit", BIN_AUDIT_TABLE)):
        assert tables[name].schema == table.schema()
    assert tables["species_grades"].schema == GRADES_TABLE.schema()
    assert tables["species_grades"]["species"].sum() == 0
