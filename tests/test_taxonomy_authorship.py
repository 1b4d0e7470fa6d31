import pytest

from bioscan_etl.taxonomy.authorship import agrees, is_authorship, known_authors, not_authors, surnames


@pytest.mark.parametrize(
    "text",
    [
        *["Linnaeus, 1758", "(Linnaeus, 1758)", "(L.)", "L.", "(L)", "Fabr.", "Meig.", "(L. 1758)", "Linnaeus 1758"],
        *[
            "[Denis & Schiffermüller], 1775",
            "([Denis & Schiffermüller], 1775)",
            "Denis & Schiff.",
            "D. & S.",
            "[D. & S.]",
        ],
        *["de Geer, 1773", "De Geer, 1773", "(d'Orchymont)", "d’Orchymont", "van der Wulp 1874", "zur Strassen, 1966"],
        *["Müller & Ping, 1935", "Smith, Jones & Brown, 2011", "Smith et al., 2020", "Brandes of Stossich, 1902"],
        *["Bigot in De la Sagra, 1856", "Smith ex Jones, 1999", "O'Neill, 1990", "Hille Ris Lambers, 1950"],
        *["A.Costa", "O. F. Müller", "O.F.Müller, 1776", "Müller, O.F., 1776", "(Harris, M., 1776)", "’t Hart, 1980"],
        *["Zeller, 1758-1759", "Zeller, 1758 (1757)", "Zeller, [1758]", "Zeller, 1838 ?", "LINNAEUS, 1758", "LINNAEUS"],
        *["(Linnaeus) Smith, 1900", "(Rossi , 1790)", "Xyzzius, 2011", "(Xyzzius)", "Xyzzius 1904", "J. Smithers"],
        *[
            "Norilsk & Taimyr, 1999",
            "Priesner",
            "Linné",
            "Geoffroy in Fourcroy",
            "Herrich-Schäffer",
            "Dalla Torre, 1894",
        ],
    ],
)
def test_texts_with_evidence_are_authors(text):
    assert is_authorship(text)


@pytest.mark.parametrize(
    "text",
    [
        *[
            "Norilsk",
            "Bilibino",
            "A",
            "B",
            "L",
            "Type A",
            "Mediterranean",
            "JMB 2011",
            "JMB, 2011",
            "A GS-2006",
            "GS-2006",
        ],
        *["II", "VIII", "Asia II", "MEAM1", "(MEAM1)", "(A)", "(form A)", "(Norilsk, site 2)", "form A", "Clade 2"],
        *["North", "North & South", "(Greece)", "S. Africa", "N. America", "Costa Rica", "La Palma", "Los Angeles"],
        *["Norilsk 2011", "Janzen01", "BOLD:AAA1234", "Malaise", "Xyzzius", "Smith [1775", "non Fabricius", "1758", ""],
        *["nec Linnaeus, 1758", "sensu Smith, 1980", "<i>L.</i>", "Linnaeus, 1758 MAS002", "Linnaeus, 1758 = cus"],
    ],
)
def test_texts_without_evidence_are_none(text):
    assert not is_authorship(text)


@pytest.mark.parametrize(
    ("text", "reference", "expected"),
    [
        ("Xyzzius", "(Xyzzius & Jones, 2011)", True),
        ("XYZZIUS", "Xyzzius, 2011", True),
        ("Xyzz.", "Xyzzius, 2011", True),
        ("Norilsk", "Fabricius, 1775", False),
        ("Norilsk", "not known?", False),
        ("A", "A, 1990", False),
        ("Xyzzius & Norilsk", "Xyzzius, 2011", False),
    ],
)
def test_the_reference_of_a_record_confirms_its_own_author(text, reference, expected):
    assert agrees(text, reference) is expected


def test_surnames_are_those_of_persons():
    assert surnames("(O. F. Müller, d'Orchymont & van der Wulp jr., 1874)") == ["Müller", "d'Orchymont", "Wulp"]
    assert surnames("GS-2006") == surnames("Type A") == surnames("") == []


def test_no_word_for_a_place_or_form_is_a_known_author():
    assert not known_authors() & not_authors()
    assert {"linnaeus", "fabricius", "meigen"} <= known_authors()
    assert {"mediterranean", "type", "greece", "malaise"} <= not_authors()
