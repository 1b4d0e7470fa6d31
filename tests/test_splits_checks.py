import polars as pl
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.errors import InvariantError
from bioscan_etl.splits.bioscan_5m import assign
from bioscan_etl.splits.checks import check, require, species_also_held_out, split_of_each
from bioscan_etl.splits.rules import RULES
from bioscan_etl.splits.targets import review
from bioscan_etl.vocabulary import SPLITS

NAMES = [rule.id for rule in RULES if rule.severity == "blocking"]


def tables(rows):
    """Rows of species, barcode, split."""
    frame = pl.DataFrame(
        rows, schema={"species": pl.String, "dna_barcode": pl.String, "split": pl.String}, orient="row"
    ).with_columns(processid=pl.format("P{}-20", pl.int_range(pl.len())))
    return frame.drop("split"), frame.select("processid", "split")


def findings(rows):
    return {finding.check: finding for finding in check(*tables(rows))}


SOUND = [
    ("Atta a", "A", "train"),
    ("Atta a", "B", "test"),
    ("Atta a", "B", "test"),
    ("Atta sp. 1", "C", "key_unseen"),
    ("Atta sp. 1", "D", "test_unseen"),
    ("Atta sp. 2", "E", "other_heldout"),
    (None, "F", "pretrain"),
    (None, None, "pretrain"),
    (None, None, "test"),
    (None, "G", "test_unseen"),
]


def test_sound_partitions_pass():
    found = check(*tables(SOUND))
    assert [(finding.check, finding.passed, finding.count, finding.samples) for finding in found] == [
        (name, True, 0, ()) for name in NAMES
    ]
    assert all(finding.blocking and not finding.detail for finding in found)
    assert [finding.statement for finding in found] == [rule.statement for rule in RULES if rule.id in NAMES]
    require(found)


def test_a_barcode_in_two_partitions():
    found = findings([*SOUND, ("Atta a", "A", "val"), (None, "F", "other_heldout")])["BARCODE_IN_TWO_PARTITIONS"]
    assert (found.passed, found.count) == (False, 2)
    assert found.samples == ("P0-20", "P10-20", "P11-20", "P6-20")


def test_a_species_seen_and_unseen():
    found = findings([*SOUND, ("Atta sp. 1", "Z", "val"), ("Atta a", "Y", "other_heldout")])
    assert not found["SPECIES_IN_SEEN_AND_UNSEEN"].passed
    assert found["SPECIES_IN_SEEN_AND_UNSEEN"].count == 1
    assert found["SPECIES_IN_SEEN_AND_UNSEEN"].samples == ("P10-20", "P3-20", "P4-20")
    assert found["BARCODE_IN_TWO_PARTITIONS"].passed


@pytest.mark.parametrize("split", ["val_unseen", "test_unseen"])
def test_an_unseen_species_without_key(split):
    found = findings([*SOUND, ("Atta sp. 3", "Z", split), ("Atta sp. 4", "Y", "key_unseen")])
    assert found["UNSEEN_SPECIES_WITHOUT_KEY"].count == 1
    assert found["UNSEEN_SPECIES_WITHOUT_KEY"].samples == ("P10-20",)


def test_require_names_what_failed_and_where():
    found = check(*tables([*SOUND, ("Atta a", "A", "val"), ("Atta sp. 3", "Z", "val_unseen")]))
    with pytest.raises(InvariantError) as caught:
        require(found)
    message = str(caught.value)
    assert "BARCODE_IN_TWO_PARTITIONS (1, such as P0-20, P10-20)" in message
    assert "UNSEEN_SPECIES_WITHOUT_KEY (1, such as P11-20)" in message
    assert "SPECIES_IN_SEEN_AND_UNSEEN" not in message
    assert "\n" not in message


def test_tables_must_match():
    table, partitions = tables(SOUND)
    with pytest.raises(InvariantError, match="P9-20 has no partition"):
        check(table, partitions.head(9))
    with pytest.raises(InvariantError, match="9 records and 10 partition rows"):
        review(table.head(9), partitions)
    with pytest.raises(InvariantError, match="P0-20 has no partition"):
        check(table, partitions.with_columns(processid=pl.lit("X-20")))
    with pytest.raises(InvariantError, match="do not match"):
        check(table, pl.concat([partitions.head(9), partitions.head(1)]))
    assert split_of_each(table.reverse(), partitions).to_list() == [row[2] for row in reversed(SOUND)]


def test_no_records():
    found = check(*tables([]))
    assert all(finding.passed for finding in found)
    assert review(*tables([])).partitions["samples"].to_list() == [0] * len(SPLITS)


def test_report_counts_and_targets():
    rows = [
        *[("Atta a", f"A{i}", "train" if i < 20 else "test") for i in range(25)],  # T(25) = 8; 20 left: 0.05 * 20
        *[("Atta b", "B", "train")] * 2,  # the long tail: 0.05 * 3
        ("Atta c", "C", "train"),
        *[("Atta sp. 1", f"U{i}", "key_unseen" if i < 5 else "test_unseen") for i in range(8)],  # T(8) = 4; 0.2 * 5
        *[(None, "P", "pretrain")] * 4,
    ]
    table = review(*tables(rows)).partitions
    assert table.columns == ["split", "samples", "barcodes", "species", "target_samples", "share"]
    assert table["split"].to_list() == list(SPLITS)
    numbers = {row["split"]: row for row in table.iter_rows(named=True)}
    assert [numbers["train"][name] for name in ("samples", "barcodes", "species")] == [23, 22, 3]
    assert [numbers["pretrain"][name] for name in ("samples", "barcodes", "species")] == [4, 1, 0]
    assert numbers["val"]["samples"] == 0
    assert numbers["val"]["target_samples"] == pytest.approx(1.0 + 0.15)
    assert numbers["test"]["target_samples"] == 8
    assert numbers["test_unseen"]["target_samples"] == 4
    assert numbers["val_unseen"]["target_samples"] == pytest.approx(1.0)
    assert numbers["train"]["target_samples"] is None
    assert table["share"].sum() == pytest.approx(1)
    assert numbers["test"]["share"] == pytest.approx(5 / 40)


# On a curated table each barcode carries one label, and a species has one genus.
SPECIES = ["Atta a", "Atta b", "Aphis c", "Atta sp. 1", "Aphis sp. 2", "Culex sp. 3", None]
SIZES = st.lists(st.integers(1, 12), min_size=1, max_size=8)


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(SIZES, min_size=len(SPECIES), max_size=len(SPECIES)))
def test_every_check_holds_on_curated_tables(sizes):
    rows = [
        (species and species.split()[0], species, f"{number}-{barcode}")
        for number, (species, own) in enumerate(zip(SPECIES, sizes, strict=True))
        for barcode, size in enumerate(own)
        for _ in range(size)
    ]
    table = pl.DataFrame(
        rows, schema={"genus": pl.String, "species": pl.String, "dna_barcode": pl.String}, orient="row"
    ).with_columns(processid=pl.format("P{}-20", pl.int_range(pl.len())))
    partitions = assign(table)
    require(check(table, partitions))
    assert review(table, partitions).partitions["samples"].sum() == len(table)


def test_conflicting_labels_are_reported():
    # One barcode under a seen and an unseen species: neither species gives it away, so it stays on both sides.
    rows = [("Atta", "Atta a", "X")] * 9 + [("Atta", "Atta sp. 1", "X")] * 9
    table = pl.DataFrame(rows, schema=["genus", "species", "dna_barcode"], orient="row").with_columns(
        processid=pl.format("P{}-20", pl.int_range(pl.len()))
    )
    partitions = assign(table)
    assert sorted(set(partitions["split"])) == ["key_unseen", "train"]
    (failed,) = [finding for finding in check(table, partitions) if not finding.passed]
    assert (failed.check, failed.count, failed.blocking) == ("BARCODE_IN_TWO_PARTITIONS", 1, True)
    assert failed.samples == tuple(table["processid"].sort().head(10))
    assert "one label" in failed.detail
    with pytest.raises(InvariantError, match="BARCODE_IN_TWO_PARTITIONS"):
        require(check(table, partitions))


def test_targets_by_class():
    rows = [
        *[("Atta a", f"A{i}", "train" if i < 20 else "test") for i in range(25)],  # T(25) = 8; 20 left: 0.05 * 20
        *[("Atta b", "B", "train")] * 2,
        ("Atta c", "C", "train"),
        *[("Atta sp. 1", f"U{i % 6}", "key_unseen" if i % 6 < 4 else "test_unseen") for i in range(8)],
        *[("Atta sp. 2", "V", "other_heldout")] * 9,
        *[(None, "P", "test")] * 4,
    ]
    table = review(*tables(rows)).classes
    assert table.columns == [
        "kind", "records", "split", "species", "samples", "barcodes", "target_samples", "share", "target_share",
    ]  # fmt: skip
    assert len(table) == 2 * 4 * 3
    numbers = {row[:3]: row[3:] for row in table.iter_rows()}
    assert numbers["seen", "20+", "test"] == (1, 5, 5, 8.0, 0.2, 8 / 25)
    assert numbers["seen", "20+", "val"] == (1, 0, 0, 1.0, 0.0, 1 / 25)
    assert numbers["seen", "20+", "train"] == (1, 20, 20, None, 0.8, None)
    assert numbers["seen", "1", "train"][:3] == (1, 1, 1)
    assert numbers["seen", "2-7", "train"][:3] == (1, 2, 1)
    assert numbers["seen", "2-7", "test"][3] == 0
    assert numbers["unseen", "8-19", "test_unseen"][:4] == (1, 2, 2, 4.0)
    assert numbers["unseen", "8-19", "key_unseen"][:3] == (1, 6, 4)
    assert numbers["unseen", "20+", "key_unseen"] == (0, 0, 0, None, 0.0, None)
    assert review(*tables([])).classes["samples"].sum() == 0


def test_unseen_species_also_held_out():
    assert species_also_held_out(*tables(SOUND)).passed
    found = species_also_held_out(*tables([*SOUND, ("Atta sp. 1", "Z", "other_heldout")]))
    assert (found.check, found.count, found.samples) == ("UNSEEN_SPECIES_ALSO_HELD_OUT", 1, ("P10-20",))
    assert (found.passed, found.blocking, found.detail) == (False, False, "")
