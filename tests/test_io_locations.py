"""What a location is and how it is called."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.io.locations import base_name, hide, is_remote, is_s3, is_web, local_path, reveal, split_s3


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://host/a/b.tsv.gz?x=1/2#y", "b.tsv.gz"),
        ("https://host/a%20b.tsv", "a b.tsv"),
        ("https://host/a%2Fb.tsv", "a_b.tsv"),
        ("https://host/", "host"),
        ("https://host/x/", "x"),
    ],
)
def test_name_of_an_address(address, name):
    assert base_name(address) == name


def test_what_is_on_the_web():
    assert is_web("HTTPS://host/x")
    assert not is_web("s3://bucket/x")
    assert not is_web("/https://x")


def test_a_key_may_hold_what_ends_the_path_of_an_address():
    assert split_s3("s3://bucket/a?b#c/d.jpg") == ("bucket", "a?b#c/d.jpg")
    assert split_s3("s3://bucket") == ("bucket", "")


def test_what_is_remote():
    assert is_s3("s3://bucket/x")
    assert not is_s3("/s3://x")
    assert [is_remote(place) for place in ("s3://bucket/x", "http://host/x", "folder/x")] == [True, True, False]
    assert base_name("s3://bucket/a/b.zip") == base_name("a/b.zip") == "b.zip"


PLAIN = [
    "https://portal.boldsystems.org/api/documents/abc=/download?format=tsv&limit=100",
    "http://127.0.0.1:8000/a%20b.tsv?query=geo:country/ocean:Canada",
    "s3://bucket/key?token=x",
    "/folder/a?token=b",
]


@pytest.mark.parametrize("location", PLAIN)
def test_an_address_without_secrets_is_shown_whole(location):
    assert hide(location) == location == reveal(location)


@pytest.mark.parametrize(
    ("address", "secret"),
    [
        ("https://me:hunter2@host/a.tsv", "hunter2"),
        ("https://hunter2@host/a.tsv", "hunter2"),
        ("https://me:hun@ter2@host/a.tsv", "hun@ter2"),
        ("https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIA1%2F2&X-Amz-Signature=0a1b", "0a1b"),
        ("https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIA1%2F2&X-Amz-Signature=0a1b", "AKIA1"),
        ("https://a.blob.core.windows.net/c/b?sv=2024&sig=abc%3D&se=2026", "abc%3D"),
        ("https://host/a?format=tsv&api_key=hunter2", "hunter2"),
        ("https://host/a?access%5Ftoken=hunter2", "hunter2"),
        ("https://host/a?PASSWORD=hunter2#x", "hunter2"),
        ("https://host/a?q=eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"),
        ("HTTPS://host/a#access_token=hunter2", "hunter2"),
    ],
)
def test_a_secret_is_hidden_and_the_file_still_known(address, secret):
    shown = hide(address)
    assert secret not in shown
    assert "host" in shown or ".com" in shown or ".net" in shown
    assert hide(shown) == shown
    assert reveal(shown) in {address, address.partition("#")[0]}  # what follows the # is never sent
    assert base_name(shown) == base_name(address)


def test_two_addresses_stay_two():
    assert hide("https://host/a?key=one") != hide("https://host/a?key=two")


def test_another_process_never_had_the_secret():
    for shown in ("https://***@elsewhere/a", "https://elsewhere/a?b=1&token=***0a1b2c3d"):
        assert hide(shown) == shown
        assert reveal(shown) is None


@given(st.text(), st.text(min_size=8, alphabet="abcdefgh"), st.text())
def test_any_address_can_be_hidden(start, secret, end):
    address = f"https://host/{start}?token=!{secret}&{end}"
    shown = hide(address)
    assert reveal(shown) in {address, address.partition("#")[0]}  # what follows the # is never sent
    if "#" not in start and "?" not in start and secret not in start + end:
        assert secret not in shown


def test_only_the_home_of_the_user_is_expanded(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert local_path("~/x") == Path("/home/me/x")
    assert local_path("~") == Path("/home/me")
    assert local_path(Path("~nobody-has-this-name/x")) == Path("~nobody-has-this-name/x")
    assert local_path("a/~") == Path("a/~")
