"""One spelling per province and country."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl import schema
from bioscan_etl.geography.provinces import _known_names, unify_provinces
from bioscan_etl.geography.spelling import folded, loose, trimmed

SCHEMA = {"processid": pl.String, "country": pl.String, "province_state": pl.String}


def frame(*rows: tuple[str | None, str | None]) -> pl.DataFrame:
    return pl.DataFrame([(f"P{n:02d}", *row) for n, row in enumerate(rows)], schema=SCHEMA, orient="row")


def test_the_commonest_spelling_of_a_country_wins():
    specimens = frame(
        ("Norway", "Sor-Trondelag"),
        ("Norway", "Sør-Trøndelag"),
        ("Norway", "Sor-Trondelag"),
        ("Norway", "Trondelag"),
        ("Sweden", "SOR-TRONDELAG"),
        (None, "sor-trondelag"),
        ("Norway", None),
    )
    unified, changes = unify_provinces(specimens)
    assert unified["province_state"].to_list() == [
        *["Sor-Trondelag"] * 3,
        "Trondelag",
        "SOR-TRONDELAG",
        "sor-trondelag",
        None,
    ]
    assert changes.columns == [name for name in schema.CHANGES.names() if name not in {"step", "ruleset"}]
    assert changes.rows() == [
        (
            "P01",
            "province_state",
            "Sør-Trøndelag",
            "Sor-Trondelag",
            "PROVINCE_UNIFIED",
            "2 of 3 records of Norway spell it so",
        )
    ]


def test_ties_go_to_the_first_in_code_point_order():
    unified, _ = unify_provinces(frame(("Mexico", "Yucatán"), ("Mexico", "Yucatan"), ("Mexico", "YUCATAN")))
    assert unified["province_state"].to_list() == ["YUCATAN"] * 3


def test_nan_of_thailand_is_a_province():
    unified, changes = unify_provinces(frame(("Thailand", "Nan"), ("Thailand", "Nan"), ("Thailand", None)))
    assert unified["province_state"].to_list() == ["Nan", "Nan", None]
    assert changes.is_empty()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["A", "B", None]),
            st.sampled_from(
                ["Sør", "Sor", "SOR", "Soer", "Vaestra Gö", "Västra Gö", "Vaestra Goe", "Vaestra Go", "Nord", None]
            ),
        ),
        max_size=15,
    ),
    st.randoms(use_true_random=False),
)
def test_changes_undo_and_order_does_not_matter(rows, chooser):
    specimens = frame(*rows)
    unified, changes = unify_provinces(specimens)
    undone = unified.join(changes.select("processid", "before"), on="processid", how="left", maintain_order="left")
    assert undone.select(
        "processid", "country", pl.coalesce("before", "province_state").alias("province_state")
    ).equals(specimens)
    per_key = (
        unified.drop_nulls()
        .group_by("country", folded(pl.col("province_state")))
        .agg(pl.col("province_state").n_unique().alias("n"))
    )
    assert per_key.filter(pl.col("n") > 1).is_empty()
    again, more = unify_provinces(unified)
    assert more.is_empty()
    assert again.equals(unified)
    shuffled = specimens[chooser.sample(range(len(rows)), len(rows))] if rows else specimens
    assert unify_provinces(shuffled)[0].sort("processid").equals(unified.sort("processid"))


def test_folding():
    def value(expression: pl.Expr) -> object:
        return pl.select(expression).item()

    assert value(folded(pl.lit(" Sør-Trøndelag  Łódź ÆSIR "))) == "sor-trondelag lodz aesir"
    assert value(trimmed(pl.lit("  Quintana \t Roo "))) == "Quintana Roo"
    assert value(trimmed(pl.lit("   "))) is None
    assert value(loose(pl.lit("The Côte d’Ivoire & Co."))) == "cote d ivoire and co"


@pytest.mark.parametrize(
    ("country", "long", "short"),
    [
        ("Germany", "Baden-Wuerttemberg", "Baden-Wurttemberg"),
        ("Germany", "Baden-Wuerttemberg", "Baden-Württemberg"),
        ("Germany", "KOELN", "Köln"),
        ("Germany", "Thueringen", "Thuringen"),
        ("Norway", "Moere og Romsdal", "Møre og Romsdal"),
        ("Norway", "Soer-Troendelag", "Sor-Trondelag"),
        ("Sweden", "Skaane", "Skåne"),
        ("Sweden", "Vaestra Goetaland", "Västra Götaland"),
        ("Sweden", "Vaestra Götaland", "Västra Götaland"),
        ("Denmark", "Aarhus", "Århus"),
        ("Austria", "Oberoesterreich", "Oberösterreich"),
        ("Switzerland", "Zuerich", "Zurich"),
    ],
)
def test_transliterated_letters_are_one_spelling(country, long, short):
    unified, changes = unify_provinces(frame((country, long), (country, short), (country, short)))
    assert unified["province_state"].to_list() == [short] * 3
    assert changes.select("before", "after", "rule").rows() == [(long, short, "PROVINCE_UNIFIED")]
    elsewhere, _ = unify_provinces(frame((country, long), ("Chad", short), ("Chad", short)))
    assert elsewhere["province_state"].to_list() == [long, short, short]


def test_an_accented_name_of_the_corpus_joins_both_plain_ones():
    rows = [("Germany", name) for name in ("Woerlitz", "Worlitz", "Wörlitz", "Wörlitz")]
    assert unify_provinces(frame(*rows))[0]["province_state"].to_list() == ["Wörlitz"] * 4


@pytest.mark.parametrize(
    ("country", "one", "other"),
    [
        ("Germany", "Woerlitz", "Worlitz"),  # no name with ö is known
        ("India", "Goa", "Ga"),
        ("Syria", "Aleppo", "Alepo"),
        ("Nigeria", "Kaduna", "Kaaduna"),
    ],
)
def test_letters_alone_prove_nothing(country, one, other):
    unified, changes = unify_provinces(frame((country, one), (country, other), (country, other)))
    assert unified["province_state"].to_list() == [one, other, other]
    assert changes.is_empty()


def test_no_two_known_provinces_of_a_country_become_one():
    names = [
        (row["country"], row["province_state"]) for row in _known_names().sort("country", "province_state").to_dicts()
    ]
    unified, _ = unify_provinces(
        pl.DataFrame([(f"P{n:05d}", *row) for n, row in enumerate(names)], schema=SCHEMA, orient="row")
    )
    merged = {(country, a, b) for (country, a), b in zip(names, unified["province_state"], strict=True) if a != b}
    plain = {(c, a, b) for c, a, b in merged if pl.select(folded(pl.lit(a)) != folded(pl.lit(b))).item()}
    assert not plain
