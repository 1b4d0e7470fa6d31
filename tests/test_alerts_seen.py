"""Since when doubts are open: the rounds keep the day, whatever happens to the files."""

import datetime as dt
import os

import polars as pl
import pytest
from alert_servers import hook
from decided import csv_of

from bioscan_etl import alerts
from bioscan_etl.alerts.seen import old_doubts
from bioscan_etl.lake import Lake
from bioscan_etl.lake.current import point
from bioscan_etl.lake.decisions import folder
from bioscan_etl.schema import DOUBTS, SPECIMENS
from bioscan_etl.settings import Settings

FIRST = dt.date(2026, 1, 1)
LIMIT = 30


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "out")


def find(lake, number, *processids):
    """A run that finds these doubts."""
    rows = [
        dict.fromkeys(DOUBTS.names())
        | {"id": f"{name}".rjust(16, "0"), "kind": "image", "rule": "BLURRED", "processid": name}
        | {"evidence": "a" * 16, "specimens": 1}
        for name in processids
    ]
    with lake.writing("doubts", f"{number}" * 64, made_from={}) as draft:
        pl.DataFrame(rows, schema=DOUBTS.schema()).write_parquet(draft.folder / "doubts.parquet")
    point(lake, "doubts", f"{number}" * 64)


def told(lake, day):
    return [one.title for one in old_doubts(lake, LIMIT, FIRST + dt.timedelta(days=day))]


def test_a_doubt_is_old_after_the_days_that_are_allowed(lake):
    find(lake, 1, "A-1", "A-2")
    assert told(lake, 0) == []
    assert told(lake, 30) == []
    assert told(lake, 31) == ["2 doubts are open since 2026-01-01, more than 30 days"]
    (one,) = old_doubts(lake, LIMIT, FIRST + dt.timedelta(days=31))
    assert one.lines[:2] == ("BLURRED A-1", "BLURRED A-2")


def test_the_day_is_that_of_the_round_and_not_of_a_file(lake):
    find(lake, 1, "A-1")
    told(lake, 0)
    for path in lake.root.rglob("*.parquet"):
        os.utime(path, (0, 0))
    find(lake, 2, "A-1", "A-2")  # another run finds it again, and one more
    assert told(lake, 20) == []
    assert told(lake, 31) == ["1 doubt is open since 2026-01-01, more than 30 days"]
    assert told(lake, 51) == [
        "1 doubt is open since 2026-01-01, more than 30 days",
        "1 doubt is open since 2026-01-21, more than 30 days",
    ]


def test_a_settled_doubt_is_not_told_and_taking_the_line_away_tells_it_again(lake):
    find(lake, 1, "A-1", "A-2")
    told(lake, 0)
    folder(lake).mkdir()
    path = folder(lake) / "anna.csv"
    path.write_text(csv_of([{"processid": "A-1", "action": "keep", "field": "BLURRED"}]))
    assert told(lake, 31) == ["1 doubt is open since 2026-01-01, more than 30 days"]
    path.unlink()
    assert told(lake, 32) == ["2 doubts are open since 2026-01-01, more than 30 days"]


def test_a_decision_about_a_bin_settles_the_doubts_of_its_specimens(lake):
    find(lake, 1, "A-1", "A-2")
    with lake.writing("specimens", "5" * 64, made_from={}) as draft:
        rows = [{"processid": "A-1", "dna_bin": "BOLD:AAA0001"}, {"processid": "A-2", "dna_bin": "BOLD:AAA0002"}]
        pl.DataFrame(rows, schema=SPECIMENS.schema()).write_parquet(draft.folder / "specimens.parquet")
    point(lake, "specimens", "5" * 64)
    told(lake, 0)
    folder(lake).mkdir()
    (folder(lake) / "anna.csv").write_text(csv_of([{"group": "BOLD:AAA0001", "action": "keep", "field": "BLURRED"}]))
    assert told(lake, 31) == ["1 doubt is open since 2026-01-01, more than 30 days"]


def test_a_doubt_that_went_and_came_back_is_a_new_one(lake):
    for number, names in ((1, ["A-1"]), (2, []), (3, ["A-1"])):
        find(lake, number, *names)
        assert told(lake, 20 * (number - 1)) == []
    assert told(lake, 60) == []
    assert told(lake, 71) == ["1 doubt is open since 2026-02-10, more than 30 days"]


def test_a_record_that_is_damaged_begins_anew(lake):
    find(lake, 1, "A-1")
    told(lake, 0)
    (lake.root / "alerts" / "doubts.parquet").write_bytes(b"damaged")
    assert told(lake, 31) == []
    assert told(lake, 62) == ["1 doubt is open since 2026-02-01, more than 30 days"]


def test_zero_turns_it_off_and_without_a_run_nothing_is_known(lake):
    assert old_doubts(lake, LIMIT, FIRST) is None
    find(lake, 1, "A-1")
    assert old_doubts(lake, 0, FIRST) == []
    assert not (lake.root / "alerts").exists()


def test_a_round_tells_an_old_doubt_once(lake, monkeypatch):
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    find(lake, 1, "A-1")
    told(lake, 0)
    with hook() as server:
        settings = Settings.model_validate({"alerts": {"webhook": f"http://127.0.0.1:{server.server_port}/hook"}})
        old = old_doubts(lake, LIMIT, FIRST + dt.timedelta(days=40))
        assert alerts.take_round(lake, settings, doubts=old).sent == {"webhook": 1}
        assert alerts.take_round(lake, settings, doubts=old).sent == {}
