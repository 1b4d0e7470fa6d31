import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan_etl.taxonomy.curator_names import label_problem
from bioscan_etl.taxonomy.nametext import normalise_name
from bioscan_etl.vocabulary import RANKS


@pytest.mark.parametrize(
    ("label", "rank"),
    [
        *[("Chironomus tentans", "species"), ("Chironomus cf. tentans", "species"), ("Wood421", "species")],
        *[
            ("Megaselia BOLD:ACN5814", "species"),
            ("Oeneis melissa Norilsk", "species"),
            ("Polygonia c-album", "species"),
        ],
        *[("Chironomus", "genus"), ("zygJanzen01", "genus"), ("Chironomidae", "family"), ("Chironominae", "subfamily")],
        *[("Diptera", "order"), ("Insecta", "class"), ("Arthropoda", "phylum")],
    ],
)
def test_names_are_labels(label, rank):
    assert label_problem(label, rank) is None


@pytest.mark.parametrize(
    ("label", "rank", "says"),
    [
        ("Chironomus\u200b tentans", "species", "invisible or decomposed characters; write 'Chironomus tentans'"),
        ("Chironomus\x07 tentans", "species", "invisible or decomposed characters; write 'Chironomus tentans'"),
        ("<b>Chironomus</b> tentans", "species", "markup"),
        ("Chironomus &amp; tentans", "species", "markup"),
        ("Chironomus tentans Fabricius, 1805", "species", "write 'Chironomus tentans'"),
        ("CHIRONOMUS TENTANS", "species", "write 'Chironomus tentans'"),
        ("Chironomus  tentans", "species", "write 'Chironomus tentans'"),
        ("unknown", "species", "leave the value empty"),
        ("Chironomus sp.", "species", "leave the value empty"),
        ("unassigned Chironomidae", "subfamily", "leave the value empty"),
        ("Chironomus", "species", "write genus and epithet"),
        ("Chironomus tentans?", "species", "write genus and epithet"),
        ("Chironomus tentans", "genus", "write one capitalised word"),
        ("Chironomus tentans", "family", "write one capitalised word"),
        ("Chironomini", "family", "these end in -idae"),
        ("Chironomidae", "subfamily", "these end in -inae"),
    ],
)
def test_others_are_refused_with_the_way_out(label, rank, says):
    problem = label_problem(label, rank)
    assert problem is not None
    assert says in problem
    assert problem.isprintable()


@given(st.text(min_size=1, max_size=30), st.sampled_from(RANKS))
@settings(max_examples=examples(200))
def test_what_is_accepted_stays_as_it_is(label, rank):
    problem = label_problem(label, rank)
    assert problem is None or problem.isprintable()
    assert problem is not None or normalise_name(label, rank).name == label
