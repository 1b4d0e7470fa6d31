"""The command `alerts`: what it lists, a test message, and a round without a UI."""

import json

import pytest
from alert_servers import free_port, hook
from lake_corpus import land

from bioscan_etl.alerts.webhook import ADDRESS
from bioscan_etl.cli import main
from bioscan_etl.lake import Lake


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in (ADDRESS, "BIOSCAN_ALERTS_TOKEN", "http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def lake(tmp_path):
    made = Lake(tmp_path / "out")
    made.root.mkdir()
    land(made, "b")
    (made.landing / "b" / "batch.json").write_text("{")
    return made


def call(lake, *words):
    return main(["alerts", "--output", str(lake.root), *words])


def test_alerts_that_are_off_are_an_error_only_where_something_is_to_be_sent(lake, capsys):
    assert call(lake) == 0
    assert capsys.readouterr().out == "no alert is open\n"
    for word in ("--test", "--send"):
        assert call(lake, word) == 2
        assert "alerts are off; set alerts.webhook or alerts.mail_to" in capsys.readouterr().err
    assert call(lake, "--test", "--send") == 2


def test_a_test_message_is_sent_and_leaves_no_trace(lake, capsys, monkeypatch):
    with hook() as server:
        monkeypatch.setenv(ADDRESS, server.url)
        assert call(lake, "--test") == 0
        assert call(lake, "--test") == 0
    assert capsys.readouterr().out == "1 sent by webhook\n" * 2
    assert server.titles == ["this is a test"] * 2
    assert not (lake.root / "alerts").exists()


def test_a_server_that_is_down_is_exit_code_1_and_the_alert_waits(lake, capsys, monkeypatch):
    port = free_port()
    monkeypatch.setenv(ADDRESS, f"http://127.0.0.1:{port}/hook")
    assert call(lake, "--test") == 1
    assert call(lake, "--send") == 1
    assert "waits for webhook" in capsys.readouterr().out
    with hook(port) as server:
        assert call(lake, "--send") == 0
        assert call(lake, "--send") == 0
    assert server.titles == ["batch b cannot be ingested"]
    capsys.readouterr()
    assert call(lake, "--json") == 0
    [one] = json.loads(capsys.readouterr().out)["alerts"]
    assert (one["title"], one["waiting"], list(one["sent"])) == ("batch b cannot be ingested", [], ["webhook"])
