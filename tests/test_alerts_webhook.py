"""The webhook, against a real server: what arrives, what is repeated, and what errors give away."""

import pytest
from alert_servers import free_port, hook

from bioscan_etl.alerts.channel import UnsentError
from bioscan_etl.alerts.ledger import Entry
from bioscan_etl.alerts.message import message_of
from bioscan_etl.alerts.webhook import ADDRESS, TOKEN, webhook_channel
from bioscan_etl.settings import AlertSettings

MESSAGE = message_of("corpus", [Entry("a" * 16, "batch_failed", "batch b", "b failed", ("ünï",), "t")])


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in (ADDRESS, TOKEN, "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server():
    with hook() as running:
        yield running


def send(server):
    webhook_channel(AlertSettings(webhook=server.url)).send(MESSAGE)


def test_without_an_address_there_is_none():
    assert webhook_channel(AlertSettings()) is None


def test_a_message_arrives_as_json_with_its_id(server):
    send(server)
    [(path, headers, document)] = server.got
    assert path == "/hook"
    assert headers["Content-Type"] == "application/json"
    assert headers["Idempotency-Key"] == MESSAGE.id
    assert "Authorization" not in headers
    assert document["alerts"][0]["lines"] == ["ünï"]


def test_address_and_token_of_the_environment_win(server, monkeypatch):
    monkeypatch.setenv(ADDRESS, f"{server.url}/secret?sig=abc")
    monkeypatch.setenv(TOKEN, "t0ken")
    webhook_channel(AlertSettings(webhook="http://127.0.0.1:9/other")).send(MESSAGE)
    [(path, headers, _)] = server.got
    assert path == "/hook/secret?sig=abc"
    assert headers["Authorization"] == "Bearer t0ken"


def test_a_busy_server_is_asked_again_at_once(server):
    server.plan = [503, 429]
    send(server)
    assert len(server.got) == 1


@pytest.mark.parametrize(
    ("answer", "says", "left"),
    [
        (500, r"answers 500 Internal Server Error; the alerts wait", 1),
        ((503, {"Retry-After": "3600"}), r"answers 503 .*the alerts wait", 1),
        (404, r"answers 404 Not Found; check its address and BIOSCAN_ALERTS_TOKEN", 1),
        ((302, {"Location": "http://127.0.0.1:1/x"}), r"answers 302 Found; give the address that it leads to", 1),
        ("hang up", r"cannot be reached: .*; check alerts\.webhook", 1),
    ],
)
def test_what_fails_otherwise_waits_for_the_next_round(server, answer, says, left):
    server.plan = [answer, answer]
    with pytest.raises(UnsentError, match=says) as caught:
        send(server)
    assert str(caught.value).isprintable()
    assert len(server.plan) == left
    assert server.got == []


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:{port}/s3cret?sig=s3cret", "http://[s3cret/s3cret", "s3cret", "ftp://host/s3cret",
                "http://me:s3cret@127.0.0.1:{port}/x"],
)  # fmt: skip
def test_no_error_gives_the_secret_of_an_address_away(monkeypatch, address):
    monkeypatch.setenv(ADDRESS, address.format(port=free_port()))
    monkeypatch.setenv(TOKEN, "s3cret")
    with pytest.raises(UnsentError, match="cannot be reached") as caught:
        webhook_channel(AlertSettings()).send(MESSAGE)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_token_with_a_line_break_is_refused(server, monkeypatch):
    monkeypatch.setenv(TOKEN, "a\r\nX-Evil: 1")
    with pytest.raises(UnsentError):
        send(server)
    assert server.got == []
