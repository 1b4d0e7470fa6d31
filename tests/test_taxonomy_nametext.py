import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.schema import NAME_TYPES
from bioscan_etl.taxonomy.nametext import name_type, normalise_name
from bioscan_etl.taxonomy.rules import RULES
from bioscan_etl.vocabulary import RANKS

WORDS = st.sampled_from(
    [
        *[
            "Aus",
            "aus",
            "AUS",
            "bus",
            "BUS",
            "(Bus)",
            "bus/cus",
            "bus?",
            '"Aus"',
            "sp",
            "sp.",
            "spp.",
            "cf",
            "aff",
            "nr",
        ],
        *[
            "x",
            "×",
            "s.l.",
            "var.",
            "subsp.",
            "L.",
            "Linné",
            "(Linnaeus,",
            "1758)",
            "Linnaeus",
            "1758",
            "de",
            "van",
            "&",
        ],
        *["et", "al.", "MAS002", "Janzen01", "Malaise", "Wood421", "unknown", "Unassigned", "n/a", "None", "gen."],
        *["BOLD:ACN5814", "indet.", "e\u0301", "\u00a0", "\u200b", "\t", "-", "_", "'", "[sic]", "Diptera", "group"],
    ]
)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Wood421", "PLACEHOLDER"),
        ("tachWood421", "PLACEHOLDER"),
        ("zygJanzen01", "PLACEHOLDER"),
        ("Metopina_group", "PLACEHOLDER"),
        ("Acaulona Janzen3206", "PLACEHOLDER"),
        ("Camponotus MAS002", "PLACEHOLDER"),
        ("Megaselia BOLD:ACN5814", "OTU"),
        ("uraMalaise2908", "PLACEHOLDER"),
        ("Lithobius sp. SAEVG Morph0267", "INFORMAL"),
        ("Chironomus cf. mendax", "INFORMAL"),
        ("Micropsectra sp. 5ES", "INFORMAL"),
        ("Cladotanytarsus mancus sp. 2TE", "INFORMAL"),
        ("Astraptes fulgerator CELT", "PLACEHOLDER"),
        ("Apanteles leucostigmus DHJ02", "PLACEHOLDER"),
        ("Aus bus/cus", "DOUBTFUL"),
        ("Aus bus?", "DOUBTFUL"),
        ('"Aus" bus', "DOUBTFUL"),
        ("Aus x bus", "HYBRID_FORMULA"),
        ("Aus bus × Aus cus", "HYBRID_FORMULA"),
        ("Aus bus s.l.", "SCIENTIFIC"),
        ("Aus bus var. cus", "SCIENTIFIC"),
        ("Aus bus cus", "SCIENTIFIC"),
        ("Aus de-bus", "SCIENTIFIC"),
        ("Aus c-album", "SCIENTIFIC"),
        ("Aus müelleri", "SCIENTIFIC"),
        ("Chironomus", "DOUBTFUL"),
        ("Chironomus Plumosus", "DOUBTFUL"),
    ],
)
def test_species_names_that_stay_as_they_are(name, kind):
    result = normalise_name(name, "species")
    assert (result.name, result.type, result.steps) == (name, kind, ())


@pytest.mark.parametrize(
    ("name", "after", "kind", "rule"),
    [
        ("  Aus \u00a0 bus\t", "Aus bus", "SCIENTIFIC", "NAME_WHITESPACE"),
        ("Aus b\u200bus", "Aus bus", "SCIENTIFIC", "NAME_WHITESPACE"),
        ("Aus mu\u0308lleri", "Aus mülleri", "SCIENTIFIC", "NAME_UNICODE"),
        ('"Aus bus"', "Aus bus", "SCIENTIFIC", "NAME_QUOTES"),
        ("CHIRONOMUS PLUMOSUS", "Chironomus plumosus", "SCIENTIFIC", "NAME_CASE"),
        ("chironomus plumosus", "Chironomus plumosus", "SCIENTIFIC", "NAME_CASE"),
        ("aus bus", "Aus bus", "SCIENTIFIC", "NAME_CASE"),
        ("Aus bus (Linnaeus, 1758)", "Aus bus", "SCIENTIFIC", "NAME_AUTHORSHIP_DROPPED"),
        ("Aus bus Linné", "Aus bus", "SCIENTIFIC", "NAME_AUTHORSHIP_DROPPED"),
        ("Aus bus L.", "Aus bus", "SCIENTIFIC", "NAME_AUTHORSHIP_DROPPED"),
        ("Aus bus van der Wulp 1874", "Aus bus", "SCIENTIFIC", "NAME_AUTHORSHIP_DROPPED"),
        ("Aus bus Smith & Jones, 1999", "Aus bus", "SCIENTIFIC", "NAME_AUTHORSHIP_DROPPED"),
        ("Aus bus LINNAEUS, 1758", "Aus bus", "SCIENTIFIC", "NAME_AUTHORSHIP_DROPPED"),
        ("Aus bus var. cus Smith, 1990", "Aus bus var. cus", "SCIENTIFIC", "NAME_AUTHORSHIP_DROPPED"),
        ("Aus (Bus) cus", "Aus cus", "SCIENTIFIC", "NAME_SUBGENUS_DROPPED"),
        ("Aus cf bus", "Aus cf. bus", "INFORMAL", "NAME_QUALIFIER_DOTTED"),
        ("Aus sp", None, "INFORMAL", "NAME_UNDETERMINED"),
        ("Aus sp.", None, "INFORMAL", "NAME_UNDETERMINED"),
        ("Aus indet.", None, "INFORMAL", "NAME_UNDETERMINED"),
        ("Unknown", None, "NO_NAME", "NAME_IS_NULL_WORD"),
        ("n/a", None, "NO_NAME", "NAME_IS_NULL_WORD"),
        ("unidentified Diptera", None, "NO_NAME", "NAME_IS_NULL_WORD"),
        ("unassigned Chironomidae", None, "NO_NAME", "NAME_IS_NULL_WORD"),
    ],
)
def test_species_names_that_change(name, after, kind, rule):
    result = normalise_name(name, "species")
    assert (result.name, result.type) == (after, kind)
    assert rule in [step for step, _ in result.steps]
    assert result.steps[-1][1] == after


@pytest.mark.parametrize(
    ("rank", "name", "after"),
    [
        ("order", "DIPTERA", "Diptera"),
        ("order", "diptera", "Diptera"),
        ("genus", "Chironomus Meigen, 1803", "Chironomus"),
        ("genus", "Aus (Bus)", "Aus"),
        ("genus", "tachWood421", "tachWood421"),
        ("genus", "MAS", "MAS"),
        ("family", "incertae sedis", None),
    ],
)
def test_names_above_species(rank, name, after):
    assert normalise_name(name, rank).name == after


@given(st.one_of(st.text(max_size=30), st.lists(WORDS, max_size=6).map(" ".join)), st.sampled_from(RANKS))
def test_normalising_twice_is_normalising_once(text, rank):
    once = normalise_name(text, rank)
    assert once.type in NAME_TYPES
    assert {rule for rule, _ in once.steps} <= {rule.id for rule in RULES}
    assert (once.steps[-1][1] if once.steps else text) == once.name
    if once.name is not None:
        assert normalise_name(once.name, rank).steps == ()
        assert name_type(once.name, rank) == once.type
