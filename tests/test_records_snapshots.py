import json
from datetime import date

import polars as pl
import pytest

from bioscan_etl.records import snapshots


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("BOLD_Public.21-Jun-2024.tsv", date(2024, 6, 21)),
        ("bold_public.18-dec-2023", date(2023, 12, 18)),
        ("doi.org/10.5883/DP-BOLD_Public.18-Dec-2023", date(2023, 12, 18)),
        ("BOLD_Public.31-Feb-2024.tsv", None),
        ("BOLD_Public.31-Foo-2024.tsv", None),
        ("chironominae_norway_2025.tsv", None),
    ],
)
def test_date_in_a_name(name, expected):
    assert snapshots.from_name(name) == expected


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        ({"name": "bold_public.18-dec-2023"}, date(2023, 12, 18)),
        ({"resources": [{"path": "BOLD_Public.05-Apr-2024.tsv"}]}, date(2024, 4, 5)),
        ({"name": "mine", "created": "2024-05-06T07:08:09Z"}, date(2024, 5, 6)),
        ({"created": "2024-15-06"}, None),
        ({"name": 3, "resources": "x"}, None),
        ([], None),
    ],
)
def test_date_in_a_descriptor(package, expected):
    assert snapshots.from_descriptor(json.dumps(package)) == expected


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000])
def test_broken_descriptors_have_no_date(text):
    assert snapshots.from_descriptor(text) is None
    assert not snapshots.describes(text, "a.tsv")


def test_descriptor_beside_the_file(tmp_path):
    text = json.dumps({"name": "bold_public.01-jan-2024", "resources": [{"path": "x.1.tsv"}]})
    (tmp_path / "x.1.datapackage.json").write_text(text)
    assert snapshots.find_descriptor(str(tmp_path / "x.1.head.tsv")) == text
    assert snapshots.find_descriptor(str(tmp_path / "x.1.tsv.gz")) == text
    assert snapshots.find_descriptor(str(tmp_path / "x.2.tsv")) is None
    (tmp_path / "datapackage.json").write_text(text.replace("x.1.tsv", "other.tsv"))
    assert snapshots.find_descriptor(str(tmp_path / "other.tsv")) is not None
    assert snapshots.find_descriptor(str(tmp_path / "x.2.tsv")) is None


def test_newest_date_inside():
    rows = pl.DataFrame(
        {
            "sequence_upload_date": ["2020-01-01", "28-Feb-2021", None, "9999-01-01", "0202-10-08"],
            "processid_minted_date": ["x", None, None, None, None],
            "collection_date_end": ["2030-01-01"] * 5,
        }
    )
    assert snapshots.newest(rows) == date(2021, 2, 28)
    assert snapshots.newest(rows.select("collection_date_end")) is None
    assert snapshots.newest(rows.clear()) is None


def test_real_descriptor(shared_data):
    text = snapshots.find_descriptor(str(shared_data / "bold" / "BOLD_Public.18-Dec-2023.head.tsv"))
    assert text is not None
    assert snapshots.from_descriptor(text) == date(2023, 12, 18)
