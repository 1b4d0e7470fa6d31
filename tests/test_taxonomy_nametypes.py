import pytest

from bioscan_etl.taxonomy.nametypes import is_undetermined, name_type


@pytest.mark.parametrize(
    "name",
    [
        *["Tipula spec.", "Tipula spec", "Tipula larva", "Tipula undescribed", "Tipula sp. larva", "Tipula sp. nov."],
        *[
            "Tipula n. sp.",
            "Tipula n.sp.",
            "Tipula sp. n.",
            "Tipula gen. sp.",
            "Tipula indet.",
            "Tipula juv.",
            "Tipula ♀",
        ],
        *[
            "Tipula sp. ♀",
            "Tipula ?",
            "Tipula sp. ?",
            "Tipula (Aus) sp.",
            "Tipula larvae",
            "Tipula exuviae",
            "Tipula pupal exuviae",
            "Tipula instar",
            "Tipula sp. indet.",
            "Tipula spp.",
        ],
    ],
)
def test_names_that_only_say_that_the_species_is_not_known(name):
    assert is_undetermined(name)


@pytest.mark.parametrize(
    "name",
    [
        *[
            "Tipula sp. 1",
            "Tipula sp.1",
            "Tipula sp. A",
            "Tipula sp. 5ES",
            "Tipula nova",
            "Tipula sp. MAS002",
            "Tipula",
        ],
        *["Tipula oleracea larva", "Tipula larvata", "Tipula specularis", "Tipula cf. oleracea", "Tipula pupa"],
    ],
)
def test_names_that_say_more(name):
    assert not is_undetermined(name)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *[
            (f"Aus bus {word}", "INFORMAL")
            for word in ("grp.", "agg.", "group", "complex", "species group", "larva", "exuviae", "imago")
        ],
        *[
            (f"Aus bus {word}", "INFORMAL")
            for word in ("form x", "variant", "ssp.", "ssp. 1", "von Heyden in litt.", "hybrid")
        ],
        *[
            (f"Aus {word} bus", "INFORMAL")
            for word in ("cfr.", "cf.", "aff", "prope", "nr", "near", "prox.", "gr.", "affinis")
        ],
        *[(f"Aus bus-{word}", "INFORMAL") for word in ("group", "agg.", "grp", "complex")],
        *[
            (f"Aus bus {word}", "PLACEHOLDER")
            for word in ("Norilsk", "A", "A GS-2006", "Type A", "JMB 2011", "II", "(A)")
        ],
        *[
            (f"Aus bus {word}", "SCIENTIFIC")
            for word in ("s.l.", "s. lato", "s.s.", "s. str.", "auct.", "cus", "f. cus")
        ],
        *[
            (f"Aus {word}", "SCIENTIFIC")
            for word in ("affinis", "affinis affinis", "c-album", "7-punctata", "×bus", "pupa")
        ],
        *[("Aus affinis 2", "INFORMAL"), ("Aus affinis A", "PLACEHOLDER"), ("Aus bus affinis", "SCIENTIFIC")],
        *[("Aus × bus", "HYBRID_FORMULA"), ("Aus bus ♀", "DOUBTFUL"), ("Aus 'Red'", "DOUBTFUL")],
    ],
)
def test_types_of_species_names(name, kind):
    assert name_type(name, "species") == kind
