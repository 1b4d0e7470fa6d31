"""Labels against neighbours: planted wrong labels are found, sound ones are not, and curators can take them over."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from evaluation_rows import records
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.evaluation import against_neighbours
from bioscan_etl.evaluation.budget import Budget
from bioscan_etl.evaluation.images import ImageVectors
from bioscan_etl.evaluation.records import NO_LABEL
from bioscan_etl.lake.store import Lake
from bioscan_etl.proposals.add import add_file
from bioscan_etl.proposals.read import read_proposals
from bioscan_etl.quality.spreadsheet import write_spreadsheet
from bioscan_etl.schema import EVALUATION_DOUBTS, PROPOSAL_COLUMNS

LETTERS = np.array(list("ACGT"))
LINEAGES = [
    ("Diptera", "Culicidae", "Aedes", "Aedes vexans"),
    ("Diptera", "Culicidae", "Culex", "Culex pipiens"),
    ("Diptera", "Psychodidae", "Psychoda", "Psychoda alternata"),
    ("Hemiptera", "Aphididae", "Aphis", "Aphis fabae"),
]
RANKS = ("order", "family", "genus", "species")


def changed(text: str, share: float, draws: np.random.Generator) -> str:
    letters = np.array(list(text))
    at = draws.choice(len(letters), round(share * len(letters)), replace=False)
    letters[at] = [str(draws.choice(LETTERS[letter != LETTERS])) for letter in letters[at]]
    return "".join(letters)


def release(wrong: dict[int, int] | None = None, each: int = 6, **columns: list):
    """`each` specimens of four species, whose barcodes differ by 0.5 % within and 15 % or more between them.

    Args:
        wrong: rows that have the labels of another lineage.
        each: specimens of a species.
        columns: further ones.
    """
    draws = np.random.default_rng(0)
    first = "".join(draws.choice(LETTERS, 600))
    bases = [changed(first, 0.15, draws) for _ in LINEAGES]
    number = [row // each for row in range(each * len(LINEAGES))]
    labels = [LINEAGES[(wrong or {}).get(row, of)] for row, of in enumerate(number)]
    given = {
        "split": ["train"] * len(number),
        "dna_barcode": [changed(bases[of], 0.005, draws) for of in number],
        "snapshot_date": [date(2024, 1, 2)] * (len(number) - 1) + [date(2024, 3, 4)],
        **{rank: [label[at] for label in labels] for at, rank in enumerate(RANKS)},
        **columns,
    }
    return records(given)


def test_sound_labels_are_in_no_doubt():
    found = against_neighbours.find(release())
    assert found.is_empty()
    assert found.schema == EVALUATION_DOUBTS.schema()


@pytest.mark.parametrize(("other", "rank"), [(1, "genus"), (2, "family"), (3, "order")])
def test_a_planted_wrong_label_is_found_at_its_highest_rank(other, rank):
    found = against_neighbours.find(release({2: other}))
    at = RANKS.index(rank)
    assert found.height == 1
    row = found.row(0, named=True)
    assert (row["processid"], row["rank"]) == ("S-2", rank)
    assert (row["label"], row["neighbours_say"]) == (LINEAGES[other][at], LINEAGES[0][at])
    assert (row["saying"], row["neighbours"]) == (5, 5)
    assert 0 < row["distance"] <= 0.01
    assert row["images"] is None


@given(st.dictionaries(st.integers(0, 31), st.integers(1, 3), max_size=3))
def test_exactly_the_planted_specimens_are_found(moves):
    # Three of eight at most, of one species or of several: those that are left still say what is right.
    wrong = {row: (row // 8 + by) % 4 for row, by in moves.items()}
    labels = {row: (of, row // 8) for row, of in wrong.items()}
    if len(set(labels.values())) < len(labels):
        return  # two specimens of one species with the same wrong label support each other
    found = against_neighbours.find(release(wrong, each=8))
    assert found["processid"].to_list() == sorted(f"S-{row}" for row in wrong)


def test_two_that_agree_are_in_no_doubt():
    assert against_neighbours.find(release({2: 3, 3: 3})).is_empty()


def test_a_species_of_one_specimen_is_in_no_doubt_where_nothing_is_near():
    held = release()
    alone = held.rows.with_columns(
        species=pl.when(pl.int_range(pl.len()) < 23).then("species").otherwise(pl.lit("Aphis gossypii"))
    )
    # The last row is 0.5 % from the others of its species: as near as only its own species is.
    assert against_neighbours.find(records_with(held, alone))["processid"].to_list() == ["S-23"]
    far = release(each=1)
    assert against_neighbours.find(far).is_empty()


def records_with(held, rows):
    from dataclasses import replace

    return replace(held, rows=rows)


def test_few_neighbours_say_nothing():
    assert against_neighbours.LEAST == 3
    assert against_neighbours.find(release({0: 3}, each=3)).is_empty()
    assert against_neighbours.find(release({0: 3}, each=4))["processid"].to_list() == ["S-0"]


def test_specimens_of_the_same_barcode_are_neighbours():
    one = "".join(np.random.default_rng(5).choice(LETTERS, 600))
    held = release({2: 3}, dna_barcode=[one] * 6 + release().barcodes.to_list()[:18])
    found = against_neighbours.find(held).filter(processid="S-2")
    assert found.select("saying", "distance").row(0) == (5, 0)


def test_a_specimen_without_a_species_or_barcode_is_not_asked():
    held = release({2: 3})
    rows = held.rows.with_columns(species=pl.when(pl.int_range(pl.len()) != 2).then("species"))
    assert against_neighbours.find(records_with(held, rows)).is_empty()
    bare = release({2: 3}, dna_barcode=[None] * 24)
    assert against_neighbours.find(bare).is_empty()


def test_a_missing_label_among_neighbours_says_nothing():
    held = release({2: 1})
    rows = held.rows.with_columns(
        genus=pl.when(pl.int_range(pl.len()) == 2).then("genus"), species=pl.lit("Aedes vexans")
    )
    assert against_neighbours.find(records_with(held, rows)).is_empty()


def test_images_are_a_second_opinion():
    held = release({2: 3})
    features = np.eye(4)[np.repeat(np.arange(4), 6)] + 0.01 * np.random.default_rng(0).random((24, 4))
    places = np.arange(24)
    kept = features.astype(np.float16), np.zeros((24, 3), np.float32), np.zeros((24, 2), np.float32)
    found = against_neighbours.find(held, ImageVectors("means", places, *kept, (), 1.0))
    assert found.select("images", "images_agreeing", "images_saying").row(0) == (5, 0, 5)
    blind = against_neighbours.find(held, ImageVectors("means", np.full(24, NO_LABEL), *kept, (), 1.0))
    assert blind["images"].to_list() == [None]


def test_a_budget_draws_the_barcodes_that_are_asked():
    held = release({2: 3, 9: 3, 15: 0})
    everything = against_neighbours.find(held)
    part = against_neighbours.find(held, budget=Budget(1e-12, 0))
    assert everything.height == 3
    assert part.height <= 1
    assert against_neighbours.find(held, budget=Budget(60, 0)).equals(everything)


def test_reports_are_lines_that_a_corpus_takes(tmp_path):
    held = release({2: 3})
    lines = against_neighbours.as_reports(held, against_neighbours.find(held))
    assert lines.columns == [column.name for column in PROPOSAL_COLUMNS]
    path = tmp_path / "label_reports.csv"
    write_spreadsheet(path, lines)
    corpus = Lake(tmp_path / "corpus")
    copy, count = add_file(corpus, path)  # what `bioscan-etl propose` does
    assert count == 1
    read = read_proposals({copy.name: copy.read_text()})
    assert read.refused.is_empty()
    line = read.lines.row(0, named=True)
    assert (line["status"], line["detail"]) == ("doubt", None)
    assert (line["processid"], line["field"], line["value"]) == ("S-2", "order", "Diptera")
    assert (line["reason"], line["reporter"], line["date"]) == ("misidentified", "bioscan-etl evaluate", "2024-03-04")
    assert line["note"].startswith("order Hemiptera: 5 of 5 nearest specimens say Diptera, the nearest barcode differs")


def test_a_label_that_no_curator_could_give_is_left_to_the_note():
    # The neighbours' order has a name that is none.
    held = release({2: 3})
    order = pl.when(pl.col("order") == "Diptera").then(pl.lit("Diptera?")).otherwise("order")
    odd = records_with(held, held.rows.with_columns(order=order))
    doubts = against_neighbours.find(odd)
    line = against_neighbours.as_reports(odd, doubts).row(0, named=True)
    assert (line["field"], line["value"]) == (None, None)
    assert "say Diptera?" in line["note"]


def test_neighbours_that_differ_among_themselves_suggest_nothing():
    held = release({1: 1, 2: 3}, each=8)
    lines = against_neighbours.as_reports(held, against_neighbours.find(held))
    suggested = dict(lines.select("processid", "value").iter_rows())
    # At the order, all others of S-2 agree; at the genus, S-1 meets S-2, which says Aphis.
    assert suggested["S-1"] is None
    assert suggested["S-2"] == "Diptera"


def test_a_release_without_a_date_gives_no_reports():
    held = release({2: 3}, snapshot_date=[None] * 24)
    assert against_neighbours.as_reports(held, against_neighbours.find(held)).is_empty()
