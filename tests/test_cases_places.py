"""Cases 14 and 19 of `../shared/cases`: codes against name and point, and islands that no map has."""

import csv

import pytest
from cases import release_of

CASES = ("14-code-against-name-and-point", "19-islands-no-map-has")


@pytest.fixture(scope="module", params=CASES)
def case(request, shared_cases, tmp_path_factory):
    """The name of a case, and its released rows in the order of the file: country and the flags about the place."""
    with (shared_cases / request.param / "records.tsv").open(encoding="utf-8") as file:
        ids = [row["processid"] for row in csv.DictReader(file, delimiter="\t")]
    release = release_of(shared_cases, request.param, tmp_path_factory.mktemp("case"))
    rows = {row["processid"]: row for row in release.rows().iter_rows(named=True)}
    assert set(rows) == set(ids)
    return request.param, [
        (rows[each]["country"], [flag for flag in rows[each]["flags"] if flag.startswith("COUNTRY_")]) for each in ids
    ]


EXPECTED = {
    CASES[0]: [
        ("Bosnia and Herzegovina", ["COUNTRY_CODE_MISMATCH", "COUNTRY_MISMATCH"]),
        ("Vanuatu", ["COUNTRY_CODE_MISMATCH", "COUNTRY_MISMATCH"]),
        ("Austria", ["COUNTRY_CODE_MISMATCH", "COUNTRY_MISMATCH"]),
        ("United States", []),
        ("Australia", []),
    ],
    CASES[1]: [
        ("Marshall Islands", []),
        ("Marshall Islands", []),
        ("New Zealand", []),
        ("Australia", []),
        ("Australia", []),
        ("Mauritius", []),
        ("Seychelles", []),
        ("Cook Islands", []),
        ("Kiribati", []),
        ("Solomon Islands", []),
        ("New Caledonia", []),
        ("Taiwan", []),
        ("French Polynesia", []),
        ("Marshall Islands", ["COUNTRY_COORDINATE_MISMATCH"]),
        ("Seychelles", ["COUNTRY_COORDINATE_MISMATCH"]),
    ],
}


def test_places_are_as_expected(case):
    name, found = case
    assert found == EXPECTED[name]
