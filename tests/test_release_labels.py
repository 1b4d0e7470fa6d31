"""The class vocabulary: which index a label has, over releases that add, rename, move and withdraw labels."""

import shutil
from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from release_corpus import DIGEST, corpus

from bioscan_etl import schema, vocabulary
from bioscan_etl.errors import InvariantError, LakeError, SettingsError
from bioscan_etl.release import labels
from bioscan_etl.release.layout import LABELS
from bioscan_etl.settings import ReleaseSettings, Settings

SMALL = {"forms": ("splits",), "image_packages": (), "hdf5_packages": ()}
COLUMNS = {"split": pl.String, **dict.fromkeys(vocabulary.RANKS, pl.String), "specimens": pl.Int64}


def lineage(species, genus, order, split="train", family=None, specimens=1):
    """A row of `lineages`; the family and subfamily follow from the order unless given."""
    family = family or f"{order}idae"
    ranks = ("Arthropoda", "Insecta", order, family, f"unassigned {family}", genus, species)
    return (split, *ranks, specimens)


def found(*rows):
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def names(made, rank="species"):
    return made[rank]["label"].to_list()


def test_a_first_release_numbers_the_species_of_train_first():
    rows = found(
        lineage("B b", "B", "Diptera", "test_unseen"),
        lineage("Z z", "Z", "Diptera", "train"),
        lineage("A a", "A", "Diptera", "key_unseen"),
        lineage("C c", "C", "Diptera", "train"),
        lineage("C c", "C", "Diptera", "val"),
        lineage("D d", "D", "Diptera", "other_heldout"),
        lineage(None, "E", "Diptera", "pretrain"),
        lineage(None, "F", "Diptera", "train"),
    )
    made = labels.vocabulary_of(rows)
    assert names(made) == ["C c", "Z z", "B b", "D d", "A a"]
    # Genus F: in train, but of no specimen with a species, so that it is in no file of a recipe.
    assert names(made, "genus") == ["C", "Z", "B", "D", "E", "A", "F"]
    assert made["species"].row(0)[2:-1] == (0, 0, 1, 1, 0, 0, 0, 0, 0)


def test_a_label_keeps_its_index_and_none_is_given_twice():
    first = labels.vocabulary_of(found(lineage("A a", "A", "Diptera"), lineage("B b", "B", "Diptera")))
    renamed = found(lineage("A nova", "A", "Diptera"), lineage("B b", "B", "Diptera"))
    second = labels.vocabulary_of(renamed, first)
    assert names(second) == ["A a", "B b", "A nova"]
    assert second["species"]["train"].to_list() == [0, 1, 1]
    third = labels.vocabulary_of(found(lineage("A a", "A", "Diptera"), lineage("C c", "C", "Diptera")), second)
    assert names(third) == ["A a", "B b", "A nova", "C c"]
    assert third["species"]["train"].to_list() == [1, 0, 0, 1]
    # What was withdrawn keeps its last parent.
    assert third["species"]["parent_index"].to_list() == [0, 1, 0, 2]


def test_a_label_that_moves_keeps_its_index_and_has_its_new_parent():
    first = labels.vocabulary_of(found(lineage("A a", "A", "Diptera"), lineage("B b", "B", "Hymenoptera")))
    second = labels.vocabulary_of(found(lineage("A a", "A", "Hymenoptera"), lineage("B b", "B", "Hymenoptera")), first)
    assert names(second, "genus") == ["A", "B"]
    assert first["genus"]["parent_index"].to_list() == [0, 1]
    assert second["genus"]["parent_index"].to_list() == [1, 1]
    assert names(second) == ["A a", "B b"]


def test_homonyms_are_two_labels_told_apart_by_their_order():
    rows = found(lineage("A a", "A", "Diptera"), lineage("A a", "A", "Hymenoptera", "test"))
    made = labels.vocabulary_of(rows)
    assert names(made, "genus") == ["A", "A"]
    assert made["genus"]["parent_index"].to_list() == [0, 1]
    specimens = pl.DataFrame({"order": ["Hymenoptera", "Diptera", None], "genus": ["A", "A", None]})
    numbered = labels.with_indices(specimens, made, ("order", "genus"))
    assert numbered["genus_index"].to_list() == [1, 0, -1]
    # A homonym that is new leaves the index of the one that was there, and one that goes gives it to none.
    one = labels.vocabulary_of(found(lineage("A a", "A", "Hymenoptera")))
    two = labels.vocabulary_of(rows, one)
    assert two["genus"].select("index", "order").rows() == [(0, "Hymenoptera"), (1, "Diptera")]
    three = labels.vocabulary_of(found(lineage("A a", "A", "Diptera")), two)
    assert three["genus"]["train"].to_list() == [0, 1]


def test_a_homonym_without_specimens_that_comes_to_lie_in_the_order_of_the_other_takes_nothing(tmp_path):
    of = {"family": "Fidae"}
    first = labels.vocabulary_of(found(lineage("A a", "A", "Diptera"), lineage("A a", "A", "Odonata", **of)))
    # The family moves to Diptera with another genus, and the genus that it had is gone.
    rows = found(lineage("A a", "A", "Diptera"), lineage("B b", "B", "Diptera", **of))
    second = labels.vocabulary_of(rows, first)
    labels.write_labels(second, tmp_path)
    read = labels.read_labels(tmp_path)
    assert read["genus"].select("label", "order", "train").rows() == [
        ("A", "Diptera", 1),
        ("A", "Diptera", 0),
        ("B", "Diptera", 1),
    ]
    third = labels.vocabulary_of(rows, read)
    assert all(third[rank].drop("order").equals(second[rank].drop("order")) for rank in vocabulary.RANKS)
    numbered = labels.with_indices(rows, third, ("genus", "species"))
    assert numbered.select("genus", "genus_index", "species_index").rows() == [("A", 0, 0), ("B", 2, 2)]


def test_a_lineage_with_a_gap_is_refused():
    with pytest.raises(InvariantError, match="the genus 'A' has no subfamily"):
        labels.vocabulary_of(found(("train", "Arthropoda", "Insecta", "Diptera", "F", None, "A", "A a", 1)))


def test_the_hierarchy_has_each_label_that_is_no_parent_with_its_chain():
    rows = found(
        lineage("A a", "A", "Diptera"),
        lineage(None, "B", "Diptera", "pretrain"),
        lineage(None, "A", "Diptera", "pretrain"),
        ("pretrain", "Arthropoda", "Insecta", "Odonata", None, None, None, None, 1),
    )
    made = labels.hierarchy(labels.vocabulary_of(rows))
    assert made.rows() == [(0, 0, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0, 1, -1), (0, 0, 1, -1, -1, -1, -1)]


GENERA = st.dictionaries(
    st.sampled_from("ABCDEF"), st.sampled_from(["Diptera", "Odonata", "Hymenoptera"]), min_size=1, max_size=6
)


@st.composite
def releases(draw):
    """Rows of `lineages` of three releases: genera change their order, species come, go and are renamed."""
    made = []
    for _ in range(3):
        orders = draw(GENERA)
        specimens = st.tuples(
            st.sampled_from(sorted(orders)), st.none() | st.sampled_from("abc"), st.sampled_from(vocabulary.SPLITS)
        )
        rows = [
            lineage(species and f"{genus} {species}", genus, orders[genus], split)
            for genus, species, split in draw(st.lists(specimens, max_size=12))
        ]
        # Now and then the name of a genus is a homonym in another order.
        if draw(st.booleans()):
            rows.append(lineage("A a", "A", "Coleoptera", draw(st.sampled_from(vocabulary.SPLITS))))
        made.append(found(*rows))
    return made


@given(releases())
def test_indices_outlive_every_change_of_labels(drawn):
    """What a model of an earlier release predicts, index by index, is the same label in all later ones."""
    earlier = None
    for rows in drawn:
        made = labels.vocabulary_of(rows, earlier)
        for rank in vocabulary.RANKS:
            frame = made[rank]
            assert frame["index"].to_list() == list(range(frame.height))
            if earlier is not None:
                before = earlier[rank]
                # Whatever an index meant, it means: nothing is renumbered or given twice.
                assert frame["label"].head(before.height).to_list() == before["label"].to_list()
                new = frame.slice(before.height)
                assert (new.select(pl.sum_horizontal(vocabulary.SPLITS)).to_series() > 0).all()
            within = "order" if rank in labels.WITHIN_ORDER else "phylum"
            held = rows.filter(pl.col(rank).is_not_null())
            counted = Counter(held.select(pl.col(rank).alias("label"), pl.col(within).alias("within"), "split").rows())
            stated = Counter(
                {
                    (row["label"], row["order"] if within == "order" else "Arthropoda", split): row[split]
                    for row in frame.iter_rows(named=True)
                    for split in vocabulary.SPLITS
                    if row[split]
                }
            )
            assert stated == counted
        numbered = labels.with_indices(rows, made)
        for rank in vocabulary.RANKS:
            at = numbered[f"{rank}_index"].replace(-1, None)
            assert made[rank]["label"].gather(at).equals(rows[rank].alias("label"), null_equal=True)
        earlier = made


@settings(max_examples=20)
@given(drawn=releases())
def test_files_hold_the_vocabulary(drawn, tmp_path_factory):
    folder = tmp_path_factory.mktemp("labels")
    made = None
    for rows in drawn:
        made = labels.vocabulary_of(rows, made)
        labels.write_labels(made, folder)
        read = labels.read_labels(folder)
        for rank in vocabulary.RANKS:
            has = pl.sum_horizontal(vocabulary.SPLITS) > 0
            # The order of a label without specimens is that of its last parent, which may lie elsewhere by now.
            assert read[rank].drop("order").equals(made[rank].drop("order"))
            assert read[rank].filter(has).equals(made[rank].filter(has))
        chains = pl.read_csv(folder / labels.HIERARCHY, schema=schema.LABEL_HIERARCHY.schema())
        assert chains.equals(labels.hierarchy(read))
        ends = chains.select(pl.concat_list(pl.all()).list.eval(pl.element().filter(pl.element() >= 0)).list.len())
        assert ends.height == chains.unique().height
        made = read


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return corpus(tmp_path_factory.mktemp("lake"))


def build(made, folder, digest=DIGEST, **values):
    return made.build(folder, Settings(release=ReleaseSettings(**SMALL, **values)), digest)


def renamed(made, before, after):
    """The corpus with a species renamed; genus and lineage stay."""
    curated = made.curated.with_columns(species=pl.col("species").replace(before, after))
    return type(made)(curated, made.partitions, made.logs, made.crops, made.rows_read)


def test_a_release_continues_the_one_before(made, tmp_path):
    first = build(made, tmp_path)
    second = build(renamed(made, "Aedes vexans", "Aedes alba"), tmp_path, "1" * 64)
    assert second.name == "v2"
    before, after = (labels.read_labels(release)["species"] for release in (first, second))
    assert after["label"].to_list() == [*before["label"], "Aedes alba"]
    assert after.row(0)[3:-1] == (0,) * len(vocabulary.SPLITS)


def test_a_release_from_before_there_were_labels_is_numbered_as_it_was(made, tmp_path):
    first = build(made, tmp_path)
    before = labels.read_labels(first)
    shutil.rmtree(first / LABELS)
    assert all(labels.labels_of(first)[rank].equals(before[rank]) for rank in vocabulary.RANKS)
    second = build(renamed(made, "Apis mellifera", "Apis nova"), tmp_path, "1" * 64)
    found = labels.read_labels(second)["species"]["label"].to_list()
    assert found == [*before["species"]["label"], "Apis nova"]


def test_a_first_release_continues_one_that_is_elsewhere(made, tmp_path):
    elsewhere = build(renamed(made, "Aedes vexans", "Aedes zeta"), tmp_path / "a")
    release = build(made, tmp_path / "b", labels_from=str(elsewhere))
    assert labels.read_labels(release)["species"]["label"].to_list() == [
        *labels.read_labels(elsewhere)["species"]["label"],
        "Aedes vexans",
    ]
    # A release states the name of the folder, not where it is.
    text = (release / "manifest.json").read_text()
    assert '"labels_from": "v1"' in text
    assert str(tmp_path) not in text


def test_what_is_no_release_is_refused(made, tmp_path):
    with pytest.raises(SettingsError, match=r"given as release.labels_from, is no release"):
        build(made, tmp_path / "b", labels_from=str(tmp_path))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "cannot be read"),
        (lambda path: path.write_text(path.read_text().replace("\n1,", "\n7,")), "is damaged"),
        (lambda path: path.write_text(path.read_text().replace("\n1,", "\none,")), "cannot be read"),
        (lambda path: path.write_text(path.read_text().replace("Apis,0", "Apis,70")), "is damaged"),
        (lambda path: path.write_text(path.read_text().replace("Apis,0", "Apis,")), "is damaged"),
    ],
)
def test_a_damaged_release_before_is_named(made, tmp_path, damage, words):
    first = build(made, tmp_path)
    damage(first / labels.path_of("genus"))
    with pytest.raises(LakeError, match=rf"v1/labels/genus.csv {words}.*move that release away"):
        build(made, tmp_path, "1" * 64)
