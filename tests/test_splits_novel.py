import polars as pl
import pytest
import splits_oracle
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.splits.novel import is_novel, is_novel_genus, novel


@pytest.mark.parametrize(
    ("genus", "species"),
    [
        ("Diptera", "Dipt malaise"),
        ("Diptera", "Dipt Malaize"),
        ("Diptera", "Dipt maliaise"),
        ("Wood", "wood"),
        ("Wood", "Wood4"),
        ("Megaselia", "Megaselia BOLD"),
        ("Metopina", "Metopina_group"),
        ("Metopina", "Metopina obscura?"),
        ("Metopina", "Metopina Obscura"),
        ("Chironomus", "Chironomus cf. mendax"),
        ("Lithobius", "Lithobius aff"),
        ("Lithobius", "Lithobius n sp"),
        ("Lithobius", "Lithobius n\bsp"),  # the backspace that the published class names
        ("Lithobius", "Lithobius sp ex x"),
        ("Lithobius", "nov gen x"),
        ("Lithobius", "Lithobius sp x"),
        ("Lithobius", "Lithobius affinis 1"),
        ("Lithobius affinis A", None),
        ("Lithobius sp x", "Lithobius forficatus"),
        ("nov gen", "Lithobius forficatus"),
        ("Malaise", "Lithobius forficatus"),
        ("zygJanzen", None),
        ("zygJanzen", "Lithobius forficatus"),
    ],
)
def test_novel_names(genus, species):
    assert is_novel(genus, species)


@pytest.mark.parametrize(
    ("genus", "species"),
    [
        ("Atta", "Atta cephalotes"),
        ("Atta", None),
        (None, None),
        (None, "Atta cephalotes"),
        ("unassigned Formicidae", "Atta cephalotes"),
        ("unclassified", None),
        ("Atta", "Atta affinis"),
        ("Atta", "Atta spa"),
        ("Atta", "Atta gena"),
        ("Atta 7", "Atta cephalotes"),  # digits, capitals and the like are looked at in the species only
        ("ATTA_", "Atta cephalotes"),
        ("Atta", "Äcker ölig"),
        ("Atta", "$Atta"),  # the published class leaves out the capital behind a dollar sign
        ("Atta", ""),
    ],
)
def test_scientific_names(genus, species):
    assert not is_novel(genus, species)


def test_a_lower_case_genus_is_novel_unless_it_is_a_filler():
    assert is_novel_genus("atta")
    assert is_novel_genus("unknown")
    assert is_novel_genus("unassigned Malaise")
    assert not is_novel_genus("unclassifiedX")
    assert not is_novel_genus(None)


NAMES = (
    st.none()
    | st.text(alphabet="aABnsp efgilmMzx.?_$0\b\té", max_size=10)
    | st.sampled_from(["n. sp", "sp. ex", "gen", "aff", "unassigned X", "malaise", "affinis A", "sp", "Atta sp. 3"])
)


@given(st.lists(st.tuples(NAMES, NAMES), max_size=12))
def test_each_row_is_judged_by_its_own_names(rows):
    names = pl.DataFrame(rows, schema={"genus": pl.String, "species": pl.String}, orient="row")
    expected = splits_oracle.is_novel(names.to_pandas().astype(object)).tolist()
    assert novel(names).to_list() == expected


def test_no_rows():
    names = pl.DataFrame(schema={"genus": pl.String, "species": pl.String})
    assert novel(names).to_list() == []
    assert novel(names).dtype == pl.Boolean


def test_open_nomenclature_is_novel_where_it_is_asked_for():
    names = pl.DataFrame(
        {
            "genus": ["Tipula"] * 5,
            "species": ["Tipula prope oleracea", "Tipula oleracea-group", "Tipula affinis", "Tipula oleracea", None],
        }
    )
    assert novel(names, open_nomenclature=True).to_list() == [True, True, False, False, False]
    assert novel(names).to_list() == [False] * 5
