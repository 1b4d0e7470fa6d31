"""What a location is and how it is called."""

import pytest

from bioscan_etl.io.locations import base_name, is_remote, is_s3, is_web, split_s3


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
