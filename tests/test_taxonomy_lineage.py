import polars as pl
from taxonomy_corpus import MIDGE

from bioscan_etl.settings import TaxonomySettings
from bioscan_etl.taxonomy.lineage import combinations_of, fill_gaps, genus_from_species, one_lineage
from bioscan_etl.vocabulary import RANKS

TOP = ("Arthropoda", "Insecta")


def settled(rows, **choices):
    frame = pl.DataFrame(rows, schema=dict.fromkeys(RANKS, pl.String), orient="row")
    start = combinations_of(frame)
    step = one_lineage(start, TaxonomySettings(**choices))
    after = step.combinations.select("combination", pl.struct(RANKS).alias("after"))
    joined = frame.join(start, on=RANKS, how="left", nulls_equal=True, maintain_order="left").join(
        after, on="combination", how="left", maintain_order="left"
    )
    return [tuple(label.values()) for label in joined["after"].to_list()], step.notes


def test_the_commoner_parent_wins():
    wrong = (*TOP, "Diptera", "Ceratopogonidae", None, "Chironomus", None)
    after, notes = settled([MIDGE, MIDGE, wrong])
    assert after == [MIDGE, MIDGE, (*MIDGE[:6], None)]
    assert set(notes["rule"]) == {"LINEAGE_ONE_PARENT", "INFERRED_FROM_LINEAGE"}
    assert "genus Chironomus: family Chironomidae in 2 of 3 records" in notes["evidence"].to_list()


def test_ties_go_to_the_lexically_first():
    rows = [(*TOP, "Diptera", family, None, "Aus", None) for family in ("Bidae", "Aidae")]
    after, _ = settled(rows)
    assert {row[3] for row in after} == {"Aidae"}


def test_a_family_belongs_to_one_order():
    rows = [(*TOP, "Diptera", "Aidae", None, None, None)] * 3 + [(*TOP, "Hemiptera", "Aidae", None, "Aus", None)] * 2
    after, _ = settled(rows)
    assert {row[2] for row in after} == {"Diptera"}


def test_a_genus_fills_what_is_missing_above_it():
    after, notes = settled([MIDGE, (None,) * 5 + ("Chironomus", None)])
    assert after == [MIDGE, (*MIDGE[:6], None)]
    assert set(notes["rule"]) == {"INFERRED_FROM_LINEAGE"}


def test_homonyms_are_told_apart_by_order():
    fly = (*TOP, "Diptera", "Aidae", None, "Morpha", "Morpha bus")
    moth = (*TOP, "Lepidoptera", "Bidae", None, "Morpha", "Morpha cus")
    rows = [fly] * 30 + [moth] * 2
    after, notes = settled(rows)
    assert after == rows
    assert notes.height == 0


def test_one_misplaced_record_is_no_homonym():
    fly = (*TOP, "Diptera", "Aidae", None, "Morpha", "Morpha bus")
    stray = (*TOP, "Lepidoptera", "Bidae", None, "Morpha", "Morpha bus")
    after, _ = settled([fly] * 30 + [stray])
    assert after == [fly] * 31
    after, _ = settled([fly, stray])
    assert after == [fly, stray]


def test_a_renamed_order_is_no_pair_of_homonyms():
    old = (*TOP, "Isoptera", "Termitidae", None, "Termes", "Termes bus")
    new = (*TOP, "Blattodea", "Termitidae", None, "Termes", "Termes bus")
    after, _ = settled([old] * 10 + [new] * 11)
    assert after == [new] * 21


def test_a_code_used_in_two_genera_keeps_its_main_genus_only():
    first = (*TOP, "Diptera", "Aidae", None, "Aus", "sp. 1")
    second = (*TOP, "Diptera", "Bidae", None, "Bus", "sp. 1")
    nowhere = (*TOP, "Diptera", None, None, None, "sp. 1")
    after, notes = settled([first, first, second, nowhere])
    assert after == [first, first, (*second[:6], None), (*nowhere[:6], None)]
    assert set(notes["rule"]) == {"SPECIES_AMBIGUOUS"}


def test_a_placeholder_gets_the_only_genus_that_it_is_known_under():
    known = (*TOP, "Diptera", "Aidae", None, "Aus", "Wood421")
    after, _ = settled([known, (*known[:3], None, None, None, "Wood421")])
    assert after == [known, known]


def test_a_binomial_gives_the_missing_genus():
    rows = [(*MIDGE[:5], None, "Chironomus plumosus"), (*MIDGE[:5], None, "Wood421"), MIDGE]
    start = combinations_of(pl.DataFrame(rows, schema=dict.fromkeys(RANKS, pl.String), orient="row"))
    step = genus_from_species(start)
    assert dict(step.combinations.select("species", "genus").rows()) == {
        "Chironomus plumosus": "Chironomus",
        "Wood421": None,
    }
    assert step.notes.select("field", "rule", "evidence").rows() == [
        ("genus", "GENUS_FROM_SPECIES", "first word of Chironomus plumosus")
    ]


def filled(*row):
    start = combinations_of(pl.DataFrame([row], schema=dict.fromkeys(RANKS, pl.String), orient="row"))
    return fill_gaps(start).combinations.select(RANKS).row(0)


def test_gaps_are_filled_from_the_nearest_rank_above():
    assert filled(*MIDGE[:4], None, *MIDGE[5:])[4] == "unassigned Chironomidae"
    assert filled(*MIDGE[:3], None, None, None, "Wood421")[3:] == ("unassigned Diptera",) * 3 + ("Wood421",)
    assert filled(*[None] * 5, "Aus", None) == ("unassigned",) * 5 + ("Aus", None)
    assert filled(*MIDGE[:3], *[None] * 4) == (*MIDGE[:3], *[None] * 4)


def test_a_name_at_two_ranks_has_two_fillers():
    start = combinations_of(
        pl.DataFrame(
            [("Aus", None, "Bus", *[None] * 4), (None, "Aus", None, "Cus", *[None] * 3)],
            schema=dict.fromkeys(RANKS, pl.String),
            orient="row",
        )
    )
    after = fill_gaps(start).combinations
    assert sorted(after["class"].to_list()) == ["Aus", "unassigned Aus (phylum)"]
    assert after["order"].to_list() == ["unassigned Aus (class)", "Bus"]
