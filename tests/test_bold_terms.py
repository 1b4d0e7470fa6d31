"""Queries in the portal's terms: what is translated, and what is refused before it fetches the wrong records."""

import pytest
from bold_server import VOCABULARY, serving
from examples import examples
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bioscan_etl.bold.client import BoldError, Client
from bioscan_etl.bold.terms import MAX_CHARACTERS, resolve


@pytest.fixture
def bold(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as server:
        yield server


@pytest.fixture
def client(bold):
    with Client(bold.settings()) as client:
        yield client


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("Culicidae", "tax:family:Culicidae"),
        ("tax:Culicidae", "tax:family:Culicidae"),
        (" tax:Culicidae ; geo:Canada; ", "tax:family:Culicidae;geo:country/ocean:Canada"),
        ("tax:Culicidae;Culicidae", "tax:family:Culicidae"),
        ("tax:genus:Aedes", "tax:genus:Aedes"),
        ("ids:AAASF005-17", "ids:processid:AAASF005-17;ids:sampleid:AAASF005-17;ids:insdcacs:AAASF005-17"),
    ],
)
def test_terms_are_those_of_the_preprocessor(client, query, terms):
    assert resolve(client, query) == terms


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("BOLD:AAA9566", "bin:uri:BOLD:AAA9566"),
        ("bin:BOLD:aaa9566", "bin:uri:BOLD:AAA9566"),
        ("bin:uri:BOLD:AAA9566", "bin:uri:BOLD:AAA9566"),
        ("ids:processid:AAASF005-17", "ids:processid:AAASF005-17"),
        ("recordsetcode:DS-BIOSCAN", "recordsetcode:code:DS-BIOSCAN"),
    ],
)
def test_identifiers_are_not_given_to_the_preprocessor_which_would_spoil_them(bold, client, query, terms):
    assert resolve(client, query) == terms
    assert not bold.asked


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("Culicidea", "knows no 'Culicidea'; check the spelling"),
        ("tax:Culicidea", "check the spelling"),
        ("geo:Culicidae", "check the spelling"),
        ("tax:Aedes", "write one of: tax:genus:Aedes, tax:subgenus:Aedes"),
        ("taxon:Culicidae", "begins with no scope"),
        ("", "is empty"),
        (" ; ;", "is empty"),
        ("ab", "3 to 250 characters"),
        ("x" * 251, "3 to 250 characters"),
        ("Culi\ncidae", "control characters"),
        (";".join(f"bin:BOLD:AAA{n:04}" for n in range(20)), "split it into several queries"),
    ],
)
def test_a_query_that_would_fetch_something_else_is_refused_in_one_line(client, query, says):
    with pytest.raises(BoldError, match=says) as caught:
        resolve(client, query)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("fault", ["other", "400"])
def test_an_answer_of_another_form_is_no_translation(bold, client, fault):
    bold.fail("/api/query/preprocessor", fault)
    with pytest.raises(BoldError, match=r"does not take|knows no|does not know"):
        resolve(client, "tax:Culicidae")


@given(st.text(max_size=60))
@hypothesis_settings(max_examples=examples(80), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_translated_or_refused(client, query):
    try:
        terms = resolve(client, query)
    except BoldError as error:
        terms, refused = "tax:family:Culicidae", str(error)
    else:
        refused = ""
    assert "\n" not in refused
    assert 0 < len(terms) <= MAX_CHARACTERS
    known = {triplet for triplets in VOCABULARY.values() for triplet in triplets}
    assert all(term in known or term.split(":")[0] in {"ids", "bin", "recordsetcode"} for term in terms.split(";"))
