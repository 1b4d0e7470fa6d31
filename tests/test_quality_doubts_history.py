"""Doubts over the releases: what the reports of the releases list, counted."""

import logging

import polars as pl
import pytest

from bioscan_etl.doubts.kinds import KINDS
from bioscan_etl.doubts.state import STATES
from bioscan_etl.quality.doubts_history import DOUBT_HISTORY, LIST, counted, doubt_history, doubt_rows
from bioscan_etl.quality.history_tables import RELEASES


def release(root, name, *doubts):
    """A release that lists doubts, each `kind state`."""
    folder = root / name / "report"
    folder.mkdir(parents=True)
    rows = [dict(zip(("kind", "state"), one.split(), strict=True)) | {"why": "a, b"} for one in doubts]
    pl.DataFrame(rows, schema=dict.fromkeys(("state", "kind", "why"), pl.String)).write_csv(folder / LIST)
    return root / name


def test_each_release_is_counted_by_kind_and_state(tmp_path):
    one = release(tmp_path, "v1", "image open", "image open", "place decided", "image changed")
    two = release(tmp_path, "v2", "image decided")
    none = release(tmp_path, "v3")
    found = doubt_history([one, two, none])
    assert found.schema == DOUBT_HISTORY
    assert found.columns == ["version", "kind", *STATES]
    assert found.select("version", "kind", "open", "changed", "decided").rows() == [
        ("v1", "image", 2, 1, 0),
        ("v1", "place", 0, 0, 1),
        ("v2", "image", 0, 0, 1),
        ("v3", None, 0, 0, 0),
    ]
    assert doubt_history([]).is_empty()


@pytest.mark.parametrize("text", ["kind,why\nimage,x\n", "kind,state\nimage,maybe\n", "kind,state\n,open\n", "\xff"])
def test_a_damaged_list_hides_no_other(tmp_path, caplog, text):
    good = release(tmp_path, "v2", "image open")
    bad = release(tmp_path, "v1")
    (bad / "report" / LIST).write_bytes(text.encode("latin-1"))
    with caplog.at_level(logging.WARNING):
        assert doubt_history([bad, good])["version"].to_list() == ["v2"]
    assert "v1" in caplog.text
    assert "damaged" in caplog.text
    (tmp_path / "v0" / "report").mkdir(parents=True)
    assert doubt_history([tmp_path / "v0"]).is_empty()


def test_a_row_has_the_numbers_behind_its_bars():
    parts = [
        counted(pl.DataFrame({"kind": ["image"] * count + ["place"], "state": ["open"] * count + ["decided"]}), version)
        for version, count in (("v1", 4), ("v2", 2))
    ]
    parts.append(counted(pl.DataFrame(schema={"kind": pl.String, "state": pl.String}), "v3"))
    found = doubt_rows(pl.concat(parts))
    assert found.rows() == [
        (KINDS["image"].title, "█▅▁", "v1: 4 open; v2: 2 open; v3: none"),
        (KINDS["place"].title, "▁▁▁", "v1: 1 decided; v2: 1 decided; v3: none"),
    ]


def test_a_doubt_to_be_looked_at_again_waits_and_an_unknown_kind_keeps_its_name():
    frame = pl.DataFrame({"kind": ["image", "later"], "state": ["changed", "open"]})
    assert doubt_rows(counted(frame, "v1")).rows() == [
        (KINDS["image"].title, "█", "v1: 1 to look at again"),
        ("later", "█", "v1: 1 open"),
    ]


def test_the_last_releases_are_shown():
    frame = pl.DataFrame({"kind": ["image"], "state": ["open"]})
    found = doubt_rows(pl.concat([counted(frame, f"v{number}") for number in range(1, 12)]))
    assert len(found["trend"][0]) == RELEASES
    assert found["releases"][0].startswith("v4: 1 open; ")
