"""Cases of the audit: which there are, what shows them, and that labels of curators do not hide them."""

import polars as pl
import pytest
from framed_barcodes import drawn
from test_statistics_distances import changed

from bioscan_etl.barcodes.distinct import numbered
from bioscan_etl.barcodes.framed import comparable
from bioscan_etl.schema import CHANGES, PLACEMENTS
from bioscan_etl.statistics.audit import gaps
from bioscan_etl.statistics.cases import CASES, before_curators, cases
from bioscan_etl.statistics.rules import RULES
from bioscan_etl.vocabulary import RELABELLED

WHOLE = drawn(8)
COLUMNS = dict.fromkeys(("family", "species", "dna_bin", "dna_barcode"), pl.String)
BIN, GAP = "BIN_SEVERAL_SPECIES", "NO_BARCODE_GAP"
NEAR = changed(WHOLE[0], 3)
FAR = changed(WHOLE[0], *range(30, 90, 3))  # 20 of 658 columns
# Two barcodes of A a lie 3.0 % apart, and one of A b 0.2 %.
NO_GAP = [("F", "A a", "one", WHOLE[0]), ("F", "A a", "one", FAR), ("F", "A b", "two", NEAR)]


def found(specimens, relabelled=(), before=None):
    """The cases of specimens (family, species, BIN, barcode) in any order; `relabelled`: row, field, label before."""
    frame = pl.DataFrame(specimens, schema=COLUMNS, orient="row").with_row_index("row")
    frame = frame.with_columns(processid=pl.format("P-{}", "row")).drop("row")
    barcodes, ids = numbered(frame.lazy().select("processid", "dna_barcode"), PLACEMENTS.empty().lazy(), 300)
    rows = frame.drop("dna_barcode").join(ids, on="processid", how="left")
    position, on_frame = comparable(barcodes)
    logged = [
        {"processid": f"P-{row}", "field": field, "step": 3, "before": old, "after": "", "rule": rule, "ruleset": "1"}
        for row, field, old, rule in relabelled
    ]
    changes = pl.DataFrame(logged, schema=CHANGES.schema())
    table = cases(
        rows,
        before_curators(rows, changes),
        gaps(rows.drop_nulls("species"), position, on_frame, 300),
        position,
        on_frame,
        300,
    )
    assert table.schema == CASES
    assert set(table["rule"]) <= {rule.id for rule in RULES}
    return table.to_dicts()


def test_sound_species_are_no_case():
    apart = [("F", "A a", "one", WHOLE[0]), ("F", "A a", "one", NEAR), ("F", "B b", "two", WHOLE[1])]
    assert found([*apart, ("F", None, "one", WHOLE[2]), ("G", "C c", None, None)]) == []
    assert found([]) == []


def test_barcodes_are_compared_again_only_where_curators_set_labels(monkeypatch):
    """A specimen without a species has no label before curators either."""
    again = []
    monkeypatch.setattr("bioscan_etl.statistics.cases.gaps", lambda *given: again.append(given) or gaps(*given))
    rows = [*NO_GAP, ("F", None, "three", WHOLE[2]), ("G", "C c", None, None)]
    plain = found(rows)
    assert not again
    assert found(rows, [(4, "species", "C c", RELABELLED)]) == plain  # set to what it was
    assert not again
    assert found(rows, [(2, "species", "A a", RELABELLED)]) != plain
    assert len(again) == 1


def test_a_bin_with_several_species_is_a_case_with_all_its_specimens():
    rows = [("F", "A b", "one", NEAR), ("F", "A a", "one", WHOLE[0]), ("F", "A a", "one", WHOLE[0])]
    (one,) = found([*rows, ("F", None, "one", WHOLE[0]), ("F", "A a", "two", WHOLE[0])])
    assert (one["rule"], one["dna_bin"], one["species"], one["specimens"]) == (BIN, "one", ["A a", "A b"], 3)
    assert one["processids"] == ["P-0", "P-1", "P-2"]
    assert one["why"] == "A a (2); A b (1); nearest barcodes 0.2 % apart"
    # A further specimen of the two is no news; a third species is.
    assert found([*rows, *rows])[0]["facts"] == one["facts"]
    assert found([*rows, ("F", "A c", "one", None)])[0]["facts"] != one["facts"]


def test_a_species_without_a_gap_is_a_case_shown_by_the_barcodes_that_say_so():
    between = changed(WHOLE[0], *range(30, 60, 3))
    (one,) = found([*NO_GAP, ("F", "A a", "one", between), ("F", "C c", "three", WHOLE[4])])
    assert (one["rule"], one["dna_bin"], one["species"], one["specimens"]) == (GAP, None, ["A a", "A b"], 4)
    assert one["processids"] == ["P-0", "P-1", "P-2"]
    assert one["why"] == "barcodes up to 3.0 % apart (3 specimens, 1 BIN), 0.2 % to A b (1 specimen, 1 BIN)"
    assert one["facts"].split("\n") == ["A a", "A b", "3", "0"]


def test_two_species_without_a_gap_between_them_are_one_case():
    (one,) = found([*NO_GAP, ("F", "A b", "two", changed(WHOLE[0], *range(90, 150, 3)))])
    assert one["species"] == ["A a", "A b"]


def test_species_that_a_bin_holds_are_the_case_of_the_bin_alone():
    rows = [(family, name, "one", text) for family, name, _, text in NO_GAP]
    assert [one["rule"] for one in found(rows)] == [BIN]


def test_a_barcode_equal_over_shared_columns_is_a_case_even_of_one_specimen():
    (one,) = found([("F", "A a", "one", WHOLE[0]), ("F", "A b", "two", WHOLE[0][40:])])
    assert (one["rule"], one["species"]) == (GAP, ["A a", "A b"])
    assert one["why"] == "one barcode (1 specimen, 1 BIN), 0.0 % to A b (1 specimen, 1 BIN)"


def test_the_order_of_the_rows_does_not_matter():
    rows = [*NO_GAP, ("F", "B a", "x", WHOLE[3]), ("F", "B b", "x", WHOLE[3][9:]), ("F", "B c", "x", WHOLE[5])]
    kept = ("rule", "dna_bin", "species", "specimens", "why", "facts")
    one, other = ([[case[name] for name in kept] for case in found(order)] for order in (rows, rows[::-1]))
    assert one == other
    assert [case[0] for case in one] == [BIN, GAP]


@pytest.mark.parametrize(
    ("species", "dna_bin", "rule"), [("A a", "two", GAP), ("A a", "one", BIN)], ids=["no gap", "a BIN"]
)
def test_a_label_of_a_curator_does_not_hide_the_case_that_it_answers(species, dna_bin, rule):
    rows = [*NO_GAP[:2], ("F", species, dna_bin, NEAR)]
    assert found(rows) == []
    (one,) = found(rows, [(2, "species", "A b", "CURATOR_OVERRIDE")])
    assert (one["rule"], one["species"]) == (rule, ["A a", "A b"])
    expected = found([*NO_GAP[:2], ("F", "A b", dna_bin, NEAR)])
    assert [one] == expected
    # What a rule set stays.
    assert found(rows, [(2, "species", "A b", "BARCODE_MAJORITY")]) == []


def test_a_curator_who_moves_a_specimen_to_another_family_is_undone_too():
    other = ("G", "C c", "five", changed(WHOLE[4], 9))
    rows = [*NO_GAP[:2], ("G", "A b", "two", NEAR), other, ("G", "C c", "six", WHOLE[4])]
    (one,) = found(rows, [(2, "family", "F", "CURATOR_OVERRIDE")])
    assert one["species"] == ["A a", "A b"]
    cleared = [*NO_GAP[:2], ("F", None, "two", NEAR)]
    assert len(found(cleared, [(2, "species", "A b", "CURATOR_OVERRIDE")])) == 1


def test_many_specimens_of_a_barcode_are_shown_by_a_few():
    (one,) = found([*NO_GAP, *[NO_GAP[2]] * 30])
    assert (one["specimens"], len(one["processids"])) == (33, 2 + 5)


def test_one_barcode_under_two_species_is_a_case():
    (one,) = found([("F", "A a", "one", WHOLE[0]), ("F", "A b", "two", WHOLE[0])])
    assert (one["rule"], one["species"], one["processids"]) == (GAP, ["A a", "A b"], ["P-0", "P-1"])


def test_barcodes_that_share_too_few_columns_are_not_compared():
    rows = [("F", "A a", "one", WHOLE[0][:250]), ("F", "A b", "one", WHOLE[0][:250] + "A")]
    (one,) = found(rows)
    assert one["why"] == "A a (1); A b (1)"
    assert found([(family, name, name, text) for family, name, _, text in rows]) == []


@pytest.mark.parametrize("has_bin", [True, False], ids=["by their BINs", "by their barcodes"])
def test_two_specimens_whose_species_were_swapped_are_found_among_sound_ones(has_bin):
    """20 species of 4 specimens, each within 0.3 %; those that were drawn lie 20 % and more apart."""
    texts = drawn(20, seed=7)
    rows = [
        ("F", f"A s{n:02}", f"B{n:02}" if has_bin else None, changed(texts[n], *range(3 * k, 3 * k + 4, 3)))
        for n in range(20)
        for k in range(4)
    ]
    assert found(rows) == []
    swapped = list(rows)
    for one, other in ((8, 41), (41, 8)):
        swapped[one] = (rows[one][0], rows[other][1], *rows[one][2:])
    planted = found(swapped)
    assert {name for case in planted for name in case["species"]} == {"A s02", "A s10"}
    # Each shows both specimens, whose barcodes are in the other species.
    assert [case["rule"] for case in planted] == ([BIN, BIN] if has_bin else [GAP])
    assert {"P-8", "P-41"} <= {one for case in planted for one in case["processids"]}
