import hashlib

import polars as pl
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from splits_growth import RELEASES, growing_corpus, release

from bioscan_etl.errors import InvariantError, SettingsError
from bioscan_etl.schema import MOVE_REASONS, PARTITION_MEMORY, PARTITION_MOVES
from bioscan_etl.settings import SplitSettings, with_protocol
from bioscan_etl.splits import bioscan_5m, census
from bioscan_etl.splits.checks import check, require
from bioscan_etl.splits.overlaps import barcode_groups
from bioscan_etl.splits.rules import MOVES
from bioscan_etl.splits.stable import assign_stable, remember
from bioscan_etl.splits.targets import review
from bioscan_etl.vocabulary import EVALUATED, NOT_EVALUATED, SPLITS

# The barcodes of these tests are single letters, which do not overlap.
STABLE = SplitSettings(protocol="stable", keep_overlaps_together=False)
IN_BINS = SplitSettings(protocol="stable", keep_overlaps_together=False, keep_bins_together=True)
SCHEMA = dict.fromkeys(("processid", "genus", "species", "dna_barcode", "dna_bin"), pl.String)


def table_of(rows):
    """Rows of process ID, species, barcode; the genus is the species' first word."""
    full = [(processid, species and species.split()[0], species, barcode, None) for processid, species, barcode in rows]
    return pl.DataFrame(full, schema=SCHEMA, orient="row")


def earlier_of(rows):
    """Rows of process ID, species, barcode, partition."""
    return table_of([row[:3] for row in rows]).with_columns(split=pl.Series([row[3] for row in rows], dtype=pl.String))


def splits(assigned):
    return dict(assigned.select("processid", "split").iter_rows())


def reasons(moves):
    return {processid: tuple(rest) for processid, *rest in moves.iter_rows()}


def releases(seed, species, relabel, options=STABLE):
    """Tables, assignments and moves of ten releases, each held against the checks and the rules of moving."""
    corpus, memory = growing_corpus(seed, species), None
    for number in range(RELEASES):
        table = release(corpus, number, relabel)
        assigned, moves = assign_stable(table, memory, options)
        assert assigned["processid"].to_list() == table["processid"].to_list()
        require(check(table, assigned))
        assert_listed(table, assigned, memory, moves)
        memory = remember(table, assigned, memory)
        yield table, assigned, moves


def assert_listed(table, assigned, memory, moves):
    """Every record that moved is listed with a reason that its labels bear out, and none that did not."""
    PARTITION_MOVES.check(moves)
    if memory is None:
        assert moves.is_empty()
        return
    both = (
        memory.join(assigned, on="processid", suffix="_now")
        .join(table, on="processid", suffix="_now")
        .filter(pl.col("split") != pl.col("split_now"))
        .sort("processid")
    )
    assert both.select("processid", before="split", after="split_now").equals(moves.drop("reason"))
    assert moves["reason"].is_in(MOVE_REASONS).all()
    assert moves.filter(pl.col("before").is_in(NOT_EVALUATED), pl.col("after").is_in(EVALUATED)).is_empty()
    labels = both.with_columns(reason=moves["reason"], then=census.labels(both), now=census.labels(
        both.select(genus="genus_now", species="species_now")))  # fmt: skip
    kinds = {
        "MOVED_SPECIES_NAMED": (pl.col("then") == 0) & (pl.col("now") > 0),
        "MOVED_SPECIES_DESCRIBED": (pl.col("then") == 1) & (pl.col("now") == 2),
        "MOVED_SPECIES_UNDESCRIBED": (pl.col("then") == 2) & (pl.col("now") == 1),
        "MOVED_SPECIES_CLEARED": (pl.col("then") > 0) & (pl.col("now") == 0),
        "MOVED_BARCODE_CHANGED": pl.col("dna_barcode") != pl.col("dna_barcode_now"),
    }
    for reason, holds in kinds.items():
        assert labels.filter(pl.col("reason") == reason).select(holds.all()).item(), reason


def test_reasons_are_the_rules():
    assert tuple(rule.id for rule in MOVES) == MOVE_REASONS


def test_growth_moves_nothing():
    history = list(releases(1, 400, relabel=False))
    assert all(moves.is_empty() for _, _, moves in history)
    table, assigned, _ = history[-1]
    shares = review(table, assigned).partitions.filter(pl.col("target_samples").is_not_null())
    assert shares.select((pl.col("samples") / pl.col("target_samples")).is_between(0.6, 1.6).all()).item(), shares


@pytest.mark.slow
@pytest.mark.parametrize("relabel", [False, True])
def test_ten_growing_releases_of_a_large_corpus(relabel):
    """No record moves unlisted, no barcode straddles (`releases` requires both), shares stay near the targets."""
    known, last = {}, None
    for table, assigned, moves in releases(11, 2_000, relabel):
        now = splits(assigned)
        moved = {processid for processid, split in known.items() if now.get(processid, split) != split}
        assert moved == set(moves["processid"])
        assert relabel or not moved
        known |= now
        shares = review(table, assigned).partitions.filter(pl.col("target_samples").is_not_null())
        last = dict(shares.select("split", pl.col("samples") / pl.col("target_samples")).iter_rows())
    assert len(known) > 100_000
    assert all(0.75 < share < 1.35 for share in last.values()), last


def test_relabelling_moves_by_rule_only():
    found = {reason for _, _, moves in releases(2, 500, relabel=True) for reason in moves["reason"]}
    assert found >= set(MOVE_REASONS) - {"MOVED_AS_REFERENCE", "MOVED_WITH_SPECIES"}


def test_bins_are_kept_together_while_labels_change():
    for table, assigned, _ in releases(3, 300, relabel=True, options=IN_BINS):
        spread = table.join(assigned, on="processid").group_by("dna_bin").agg(pl.col("split").n_unique())
        assert spread.filter(pl.col("split") > 1).is_empty()


def test_a_first_release_comes_as_close_as_the_published_protocol():
    table = release(growing_corpus(4, 900), RELEASES - 1)
    stable = review(table, assign_stable(table, None, STABLE)[0]).partitions
    published = review(table, bioscan_5m.assign(table)).partitions
    for split, ours, theirs in zip(SPLITS, stable["samples"], published["samples"], strict=True):
        assert abs(ours - theirs) <= 0.03 * theirs + 5, split
    assert review(table, assign_stable(table, None, STABLE)[0]).classes["samples"].sum() == sum(
        stable.filter(~pl.col("split").is_in(("pretrain", "other_heldout")))["samples"]
    )


def test_it_goes_on_from_a_release_that_the_published_protocol_made():
    corpus = growing_corpus(5, 300)
    first, second = release(corpus, 5), release(corpus, 6)
    published = bioscan_5m.assign(first)
    again, moves = assign_stable(first, remember(first, published), STABLE)
    assert again.equals(published)
    assert moves.is_empty()
    assigned, moves = assign_stable(second, remember(first, published), STABLE)
    assert moves.is_empty()
    require(check(second, assigned))


def test_the_outcome_is_the_same_everywhere_and_always():
    rows = [
        (f"P{s}-{i}", f"Aus {'abcdefghij'[s]}us" if s < 6 else f"Aus sp. {s}", f"{s}V{i * i % (3 * s + 5)}")
        for s in range(10)
        for i in range((5 * s + 3) * 3)
    ]
    assigned, _ = assign_stable(table_of(rows), None, STABLE)
    assert len(set(assigned["split"])) == 6
    # A change here would place the new barcodes of every corpus otherwise than the last release of bioscan-etl did.
    assert hashlib.sha256(assigned.write_csv().encode()).hexdigest()[:16] == "3707d124d27270f4"


@pytest.mark.parametrize("options", [STABLE, IN_BINS])
def test_how_polars_hashes_changes_nothing(monkeypatch, options):
    corpus = growing_corpus(7, 150)
    first, second = release(corpus, 4), release(corpus, 5, relabel=True)
    assigned, _ = assign_stable(first, None, options)
    memory = remember(first, assigned)
    expected = assign_stable(second, memory, options)
    barcode = pl.coalesce(pl.col("dna_barcode"), pl.concat_str(pl.lit("\0"), "processid"))
    other = (barcode.hash(77).alias("first"), barcode.hash(78).alias("second"))
    monkeypatch.setattr(census, "barcode_keys", lambda: other)
    assert assign_stable(first, None, options)[0].equals(assigned)
    got = assign_stable(second, memory, options)
    assert got[0].equals(expected[0])
    assert got[1].equals(expected[1])


def test_a_seed_chooses_others_and_moves_nobody():
    table = release(growing_corpus(8, 150), 9)
    assigned, _ = assign_stable(table, None, STABLE)
    reseeded = STABLE.model_copy(update={"seed": 1})
    assert not assign_stable(table, None, reseeded)[0].equals(assigned)
    assert assign_stable(table, remember(table, assigned), reseeded)[0].equals(assigned)


BEFORE = [
    ("described", "Aus sp. 1", "A", "key_unseen"), ("query1", "Aus sp. 1", "B", "val_unseen"),
    ("query2", "Aus sp. 1", "C", "test_unseen"), ("held", "Bus sp. 2", "D", "other_heldout"),
    ("named", None, "E", "pretrain"), ("placed", None, "F", "pretrain"), ("cleared", "Aus bus", "G", "test"),
    ("train", "Aus bus", "H", "train"), ("val", "Aus bus", "I", "val"), ("test", "Aus bus", "J", "test"),
    ("und1", "Cus dus", "K", "train"), ("und2", "Cus dus", "L", "test"), ("und3", "Cus dus", "M", "val"),
    ("ren1", "Dus eus", "N1", "train"), ("ren2", "Dus eus", "P", "test"),
]  # fmt: skip
NOW = {
    "described": "Aus novus", "query1": "Aus novus", "query2": "Aus novus", "held": "Bus nova", "named": "Aus bus",
    "placed": "Bus sp. 9", "cleared": None, "und1": "Cus sp. 1", "und2": "Cus sp. 1", "und3": "Cus sp. 1",
    "ren1": "Dus alius", "ren2": "Dus alius",
}  # fmt: skip


def test_the_table_of_moves():
    table = table_of([(processid, NOW.get(processid, species), barcode) for processid, species, barcode, _ in BEFORE])
    assigned, moves = assign_stable(table, earlier_of(BEFORE), STABLE)
    require(check(table, assigned))
    assert reasons(moves) == {
        "described": ("key_unseen", "train", "MOVED_SPECIES_DESCRIBED"),
        "query1": ("val_unseen", "val", "MOVED_SPECIES_DESCRIBED"),
        "query2": ("test_unseen", "test", "MOVED_SPECIES_DESCRIBED"),
        "held": ("other_heldout", "train", "MOVED_SPECIES_DESCRIBED"),
        "named": ("pretrain", "train", "MOVED_SPECIES_NAMED"),
        "placed": ("pretrain", "other_heldout", "MOVED_SPECIES_NAMED"),
        "cleared": ("test", "pretrain", "MOVED_SPECIES_CLEARED"),
        "und1": ("train", "other_heldout", "MOVED_SPECIES_UNDESCRIBED"),
        "und2": ("test", "other_heldout", "MOVED_SPECIES_UNDESCRIBED"),
        "und3": ("val", "other_heldout", "MOVED_SPECIES_UNDESCRIBED"),
    }  # and a species that was merely renamed stays where it is
    back, moves = assign_stable(table_of([row[:3] for row in BEFORE]), remember(table, assigned), STABLE)
    require(check(table_of([row[:3] for row in BEFORE]), back))
    assert splits(back)["cleared"] == "train"  # never back into test
    assert splits(back)["und2"] == "train"
    assert moves.filter(pl.col("before").is_in(NOT_EVALUATED), pl.col("after").is_in(EVALUATED)).is_empty()


@pytest.mark.parametrize(
    ("corrected", "to", "expected"),
    [
        ("test", "H", {"test": ("test", "train", "MOVED_BARCODE_CHANGED")}),
        ("train", "J", {"test": ("test", "train", "MOVED_WITH_BARCODE")}),
        ("test", "I", {"test": ("test", "val", "MOVED_BARCODE_CHANGED")}),
        ("val", "J", {"test": ("test", "val", "MOVED_WITH_BARCODE")}),
        ("test", "new", {}),
        ("train", "new", {}),
    ],
)
def test_corrected_barcodes_meet_on_the_trained_side(corrected, to, expected):
    before = [row for row in BEFORE if row[1] == "Aus bus"]
    table = table_of([(name, species, to if name == corrected else barcode) for name, species, barcode, _ in before])
    assigned, moves = assign_stable(table, earlier_of(before), STABLE)
    require(check(table, assigned))
    assert reasons(moves) == expected


def test_a_corrected_barcode_can_name_a_record():
    before = [("a", None, "A", "pretrain"), ("b", "Aus bus", "B", "test"), ("c", "Aus bus", "C", "train")]
    table = table_of([("a", "Aus bus", "B"), ("b", "Aus bus", "B"), ("c", "Aus bus", "C")])
    assert reasons(assign_stable(table, earlier_of(before), STABLE)[1]) == {
        "a": ("pretrain", "train", "MOVED_SPECIES_NAMED"),
        "b": ("test", "train", "MOVED_WITH_BARCODE"),
    }


def test_new_records_follow_their_barcode_even_that_of_a_withdrawn_record():
    before = [("a", "Aus bus", "A", "test"), ("b", "Aus bus", "B", "train"), ("gone", "Aus bus", "C", "val")]
    table = table_of([("a", "Aus bus", "A"), ("b", "Aus bus", "B"), *((f"n{x}", "Aus bus", x) for x in "ABC")])
    memory = earlier_of(before)
    assigned, moves = assign_stable(table, memory, STABLE)
    assert splits(assigned) == {"a": "test", "b": "train", "nA": "test", "nB": "train", "nC": "val"}
    assert moves.is_empty()
    later = remember(table, assigned, memory)
    PARTITION_MEMORY.check(later)
    assert splits(later) == {**splits(assigned), "gone": "val"}


def test_queries_keep_a_reference():
    before = [
        ("k", "Aus sp. 1", "A", "key_unseen"), ("v", "Aus sp. 1", "B", "val_unseen"),
        ("t", "Aus sp. 1", "C", "test_unseen"),
        ("tr", "Aus bus", "D", "train"), ("te1", "Aus bus", "E", "test"), ("te2", "Aus bus", "E", "test"),
    ]  # fmt: skip
    left = [row[:3] for row in before if row[0] not in {"k", "tr"}]
    assigned, moves = assign_stable(table_of(left), earlier_of(before), STABLE)
    require(check(table_of(left), assigned))
    assert reasons(moves) == {
        "v": ("val_unseen", "key_unseen", "MOVED_AS_REFERENCE"),
        "te1": ("test", "train", "MOVED_AS_REFERENCE"),
        "te2": ("test", "train", "MOVED_AS_REFERENCE"),
    }
    _, moves = assign_stable(table_of([*left, ("new", "Aus sp. 1", "Z"), ("n2", "Aus bus", "Y")]), earlier_of(before),
                             STABLE)  # fmt: skip
    assert moves.is_empty()  # new barcodes are the references


def test_a_species_becomes_unseen_with_its_genus_or_its_eighth_record():
    first = table_of([(f"a{i}", "Aus sp. 1", f"A{i}") for i in range(20)])
    assigned, _ = assign_stable(first, None, STABLE)
    assert set(assigned["split"]) == {"other_heldout"}
    second = table_of([
        *first.select("processid", "species", "dna_barcode").iter_rows(),
        ("x", "Aus bus", "X"), *((f"b{i}", "Aus sp. 1", f"B{i}") for i in range(20)),
    ])  # fmt: skip
    grown, moves = assign_stable(second, remember(first, assigned), STABLE)
    require(check(second, grown))
    assert moves.is_empty()
    assert set(grown.filter(pl.col("processid").str.starts_with("b"))["split"]) == {
        "key_unseen", "val_unseen", "test_unseen",
    }  # fmt: skip
    without = second.filter(pl.col("processid") != "x")  # the genus is unknown again
    third, moves = assign_stable(without, remember(second, grown), STABLE)
    assert moves.is_empty()
    require(check(without, third))


def test_a_bin_of_two_species_is_seen_and_takes_the_placeholder_from_the_unseen():
    rows = [("a", "Aus", "Aus bus", "A", "BOLD:AAA0001"), ("a2", "Aus", "Aus bus", "A2", "BOLD:AAA0003"),
            *((f"s{i}", "Aus", "Aus sp. 1", f"S{i}", f"BOLD:AAB000{i}") for i in range(9))]  # fmt: skip
    first = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    assigned, _ = assign_stable(first, None, IN_BINS)
    assert "test_unseen" in set(assigned["split"])
    second = pl.concat(
        [first, pl.DataFrame([("n", "Aus", "Aus bus", "N", "BOLD:AAB0000")], schema=SCHEMA, orient="row")]
    )
    grown, moves = assign_stable(second, remember(first, assigned), IN_BINS)
    require(check(second, grown))
    assert set(grown.filter(pl.col("processid").str.starts_with("s"))["split"]) <= {
        "train",
        "val",
        "test",
        "other_heldout",
    }
    assert set(moves["reason"]) == {"MOVED_WITH_BARCODE", "MOVED_WITH_SPECIES"}


@pytest.mark.parametrize(
    ("earlier", "message"),
    [
        (earlier_of(BEFORE).drop("species", "split"), "no column species, split"),
        (earlier_of([*BEFORE, BEFORE[0]]), "more than one row of described"),
        (earlier_of([("a", None, "A", "training")]), "give a no partition of pretrain"),
        (earlier_of([("a", None, "A", None)]), "give a no partition of pretrain"),
    ],
)
def test_earlier_assignments_that_cannot_be_used(earlier, message):
    with pytest.raises(InvariantError, match=message):
        assign_stable(table_of([("a", None, "A")]), earlier, STABLE)


def test_bins_need_their_column():
    with pytest.raises(SettingsError, match="column dna_bin"):
        assign_stable(table_of([]).drop("dna_bin"), None, IN_BINS)


def test_missing_values_and_lazy_memory():
    table = table_of([("a", None, None), ("b", "Aus bus", None), ("c", "Aus bus", "A"), ("d", "Aus sp. 1", None)])
    assigned, _ = assign_stable(table, None, STABLE)
    assert assigned["split"].to_list() == ["pretrain", "train", "train", "other_heldout"]
    memory = remember(table, assigned)
    again, moves = assign_stable(table, memory.lazy(), STABLE)
    assert again.equals(assigned)
    assert moves.is_empty()
    assert remember(table, assigned, memory.lazy()).equals(memory)
    nothing, moves = assign_stable(table.clear(), memory, STABLE)
    assert (len(nothing), len(moves)) == (0, 0)
    assert remember(table.clear(), nothing, memory).equals(memory)


# Barcodes of curated tables: each has one label and lies in one BIN.
LABEL = st.sampled_from(["Atta a", "Atta b", "Aphis c", "Atta sp. 1", "Aphis sp. 2", "Culex sp. 3", None])
RECORDS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 4)), min_size=1, max_size=60)


@st.composite
def histories(draw):
    """Two releases: barcodes' labels then and now, records by number with their barcode, and who was there then."""
    count = 31
    then = draw(st.lists(LABEL, min_size=count, max_size=count))
    now = [draw(LABEL) if draw(st.integers(0, 5)) == 0 else label for label in then]
    bins = draw(st.lists(st.integers(0, 9), min_size=count, max_size=count))
    barcodes = [barcode for barcode, size in draw(RECORDS) for _ in range(size)]
    present = [draw(st.booleans()) for _ in barcodes]
    corrected = [draw(st.integers(0, 30)) if draw(st.integers(0, 9)) == 0 else barcode for barcode in barcodes]
    return then, now, bins, barcodes, corrected, present


def rows_of(labels, bins, barcodes, present=None):
    rows = [
        (f"P{i}", labels[b] and labels[b].split()[0], labels[b], f"B{b}", f"BOLD:AAA{bins[b]:04}")
        for i, b in enumerate(barcodes)
        if present is None or present[i]
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


@settings(max_examples=examples(60), deadline=None)
@given(histories(), st.sampled_from([STABLE, IN_BINS]), st.integers(0, 5))
def test_whatever_happens(history, options, shuffle):
    then, now, bins, barcodes, corrected, present = history
    first = rows_of(then, bins, barcodes, present)
    assigned, _ = assign_stable(first, None, options)
    require(check(first, assigned))
    memory = remember(first, assigned)

    same, moves = assign_stable(first, memory, options)  # idempotent
    assert same.equals(assigned)
    assert moves.is_empty()

    if options is STABLE:
        grown = rows_of(then, bins, barcodes)  # growth
        after, moves = assign_stable(grown, memory, options)
        require(check(grown, after))
        assert moves.is_empty()

    table = rows_of(now, bins, corrected)  # growth, new labels and corrected barcodes
    after, moves = assign_stable(table, memory, options)
    require(check(table, after))
    assert_listed(table, after, memory, moves)
    settled, moves = assign_stable(table, remember(table, after, memory), options)
    assert settled.equals(after)
    assert moves.is_empty()

    order = {"fraction": 1, "shuffle": True, "seed": shuffle}
    shuffled, moves = assign_stable(table.sample(**order), memory.sample(**order), options)
    assert splits(shuffled) == splits(after)
    assert_listed(table, after, memory, moves)


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.tuples(LABEL, st.sampled_from([*"ABCDEFGHI", None]), st.sampled_from(SPLITS)), max_size=40), RECORDS)
def test_any_past_leads_to_sound_partitions(past, records):
    """Uncurated tables too: a barcode with several labels, partitions that no protocol gave."""
    memory = earlier_of([(f"P{i}", label, barcode, split) for i, (label, barcode, split) in enumerate(past)])
    table = table_of([(f"P{i}", past[i % len(past)][0] if past else None, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcde"[number])
                      for i, (number, _) in enumerate(records)])  # fmt: skip
    assigned, moves = assign_stable(table, memory, STABLE)
    findings = {finding.check: finding for finding in check(table, assigned)}
    assert findings["BARCODE_IN_TWO_PARTITIONS"].passed
    assert findings["SPECIES_IN_SEEN_AND_UNSEEN"].passed
    assert findings["UNSEEN_SPECIES_WITHOUT_KEY"].passed
    assert_listed(table, assigned, memory, moves)


def test_barcodes_that_overlap_are_kept_together_and_none_that_was_trained_on_is_evaluated():
    """Fragments, and records that come later, follow the barcode that they are a part of."""
    from framed_barcodes import drawn

    together = SplitSettings(protocol="stable", keep_overlaps_together=True)
    barcodes = drawn(40)
    rows = []
    for number, barcode in enumerate(barcodes):
        species = f"Aedes species{'abcd'[number % 4]}"
        rows += [(f"W{number:03d}", species, barcode), (f"F{number:03d}", species, barcode[:420])]
        rows.append((f"U{number:03d}", None, barcode[150:]))
    table = table_of(rows)
    apart = splits(assign_stable(table, None, STABLE)[0])
    found = splits(assign_stable(table, None, together)[0])
    assert any(apart[f"W{number:03d}"] != apart[f"F{number:03d}"] for number in range(40)), "the test shows something"
    for number in range(40):
        assert found[f"W{number:03d}"] == found[f"F{number:03d}"]
        # Where it cannot leak, a specimen without a species is not among the labelled ones.
        assert found[f"U{number:03d}"] == follower_of(found[f"W{number:03d}"])
    assert {"train", "test", "pretrain"} == set(found.values())

    memory = remember(table, assign_stable(table, None, together)[0])
    later = table_of([*rows, *((f"L{number:03d}", None, barcode[40:600]) for number, barcode in enumerate(barcodes))])
    grown, moves = assign_stable(later, memory, together)
    assert moves.is_empty()
    assert all(splits(grown)[f"L{number:03d}"] == follower_of(found[f"W{number:03d}"]) for number in range(40))

    named = later.with_columns(
        species=pl.when(pl.col("processid").str.starts_with("U")).then(pl.lit("Aedes speciesa")).otherwise("species")
    )
    labelled, moves = assign_stable(named, remember(later, grown, memory), together)
    before, after = splits(grown), splits(labelled)
    assert set(moves["reason"]) == {"MOVED_SPECIES_NAMED"}
    for number in range(40):
        assert after[f"W{number:03d}"] == before[f"W{number:03d}"]
        assert after[f"U{number:03d}"] == before[f"W{number:03d}"]


def follower_of(split: str) -> str:
    """Where a specimen without a species goes that overlaps one of this partition."""
    return "pretrain" if split in {"train", "other_heldout"} else split


def test_a_specimen_without_a_species_stays_with_its_own_barcode_and_its_bin():
    """Only barcodes of which no record is labelled leave: all records of one barcode are in one partition."""
    from framed_barcodes import drawn

    [whole] = drawn(1)
    rows = [("A", "Aedes a", whole), ("B", None, whole), ("C", None, whole[150:])]
    table = table_of(rows).with_columns(dna_bin=pl.lit("BOLD:AAA0001"))
    assert splits(assign_stable(table, None, SplitSettings(protocol="stable"))[0]) == {
        "A": "train",
        "B": "train",
        "C": "pretrain",
    }
    bins = SplitSettings(protocol="stable", keep_bins_together=True)
    assert set(splits(assign_stable(table, None, bins)[0]).values()) == {"train"}


def test_overlaps_are_kept_together_by_default_where_the_protocol_can():
    assert SplitSettings(protocol="stable").keep_overlaps_together
    assert not SplitSettings().keep_overlaps_together
    assert not SplitSettings(protocol="stable", keep_overlaps_together=False).keep_overlaps_together
    assert with_protocol(SplitSettings(), "stable").keep_overlaps_together
    assert not with_protocol(SplitSettings(protocol="stable"), "bioscan-5m").keep_overlaps_together
    with pytest.raises(SettingsError, match="keep_overlaps_together needs protocol stable"):
        with_protocol(SplitSettings(protocol="stable", keep_overlaps_together=True), "bioscan-5m")


def test_bins_and_overlaps_can_be_kept_together_at_once():
    from framed_barcodes import drawn

    first, second, third = drawn(3)
    rows = [("A", "Aedes a", first), ("B", "Aedes a", first[:400]), ("C", "Aedes a", second), ("D", "Aedes a", third)]
    bins = [None, "BOLD:AAA0001", "BOLD:AAA0001", None]
    table = table_of(rows).with_columns(dna_bin=pl.Series(bins))
    both = SplitSettings(protocol="stable", keep_overlaps_together=True, keep_bins_together=True)
    units = census.take_census(table, None, both, barcode_groups(table, None, 300)).unit.tolist()
    assert units[0] == units[1] == units[2] != units[3]
