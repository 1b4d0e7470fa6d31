"""Requests: pace, repetition, pauses, and errors of one line."""

import email.utils
import socket
import threading
import time

import pytest
from bold_server import serving

from bioscan_etl.bold.client import BoldError, Client


@pytest.fixture
def bold(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as server:
        server.images = {"A-1": {"a.jpg": b"\xff\xd8\xff"}}
        yield server


def listed(server, **settings):
    with Client(server.settings(**settings)) as client:
        return client.json(f"{server.url}/api/images?processids=A-1")[1]


def test_an_answer_comes_back_and_the_client_gives_its_name(bold):
    assert {"processid": "A-1", "objectid": "a.jpg"} in listed(bold)
    headers = bold.asked[0][1]
    assert headers["User-Agent"].startswith("bioscan-etl/")
    assert headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("fault", ["500", "503", "429:0", "429:soon", "408", "hang up", "cut", "half", "html"])
def test_what_passes_is_tried_again(bold, fault):
    bold.fail("/api/images", fault, fault)
    assert len(listed(bold)) == 2
    assert len(bold.asked) == 3


@pytest.mark.parametrize(
    ("fault", "reason", "says"),
    [
        ("500", "server_error", "answered 500"),
        ("429:0", "rate_limited", "slow down"),
        ("hang up", "unreachable", "cannot be reached"),
        ("cut", "truncated", "broke off"),
        ("half", "bad_answer", "broken JSON"),
        ("html", "bad_answer", "web page"),
    ],
)
def test_after_the_last_attempt_one_line_says_what_was_wrong(bold, fault, reason, says):
    bold.fail("/api/images", *[fault] * 9)
    with pytest.raises(BoldError, match=says) as caught:
        listed(bold)
    assert caught.value.reason == reason
    assert "\n" not in str(caught.value)
    assert "0x" not in str(caught.value)
    assert len(bold.asked) == 3


@pytest.mark.parametrize(("status", "reason"), [("400", "refused"), ("403", "refused"), ("404", "not_found")])
def test_what_does_not_pass_is_tried_once(bold, status, reason):
    bold.fail("/api/images", status)
    with pytest.raises(BoldError, match=status) as caught:
        listed(bold)
    assert (caught.value.reason, caught.value.status) == (reason, int(status))
    assert len(bold.asked) == 1


def test_a_silent_server_is_given_up(bold):
    bold.fail("/api/images", "silence", "silence")
    with pytest.raises(BoldError, match="silent for longer") as caught:
        listed(bold, timeout_seconds=0.05, attempts=2)
    assert caught.value.reason == "timeout"
    assert len(bold.asked) == 2


def test_a_server_that_is_not_there_is_said():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with serving() as other, Client(other.settings()) as client, pytest.raises(BoldError, match="check the network"):
        client.json(f"{address}/api/images")


def waits(client, monkeypatch):
    """The pauses that a client would make, in seconds."""
    found = []

    def note(timeout):
        found.append(timeout)

    monkeypatch.setattr(client._stopped, "wait", note)
    return found


def test_pauses_double_and_have_jitter(bold, monkeypatch):
    bold.fail("/api/images", *["500"] * 5)
    with Client(bold.settings(attempts=6, backoff_seconds=1, max_wait_seconds=6)) as client:
        pauses = waits(client, monkeypatch)
        client.json(f"{bold.url}/api/images?processids=A-1")
    assert [min(6, 2**n) for n in range(5)] <= pauses
    assert all(low <= pause <= min(6, low + 1) for low, pause in zip([1, 2, 4, 6, 6], pauses, strict=True))
    assert len({pause % 1 for pause in pauses[:3]}) > 1, "no two clients come back at the same moments"


@pytest.mark.parametrize("dated", [False, True])
def test_the_pause_that_the_server_asks_for_is_made(bold, monkeypatch, dated):
    asked = email.utils.formatdate(time.time() + 40, usegmt=True) if dated else "40"
    bold.fail("/api/images", f"429:{asked}")
    with Client(bold.settings(max_wait_seconds=60)) as client:
        pauses = waits(client, monkeypatch)
        client.json(f"{bold.url}/api/images?processids=A-1")
    assert len(pauses) == 1
    assert 30 <= pauses[0] <= 41


def test_a_pause_longer_than_allowed_ends_the_run_and_is_told(bold):
    bold.fail("/api/images", "429:3600")
    with pytest.raises(BoldError, match=r"pause of 3600 s.*max_wait_seconds") as caught:
        listed(bold)
    assert caught.value.reason == "rate_limited"
    assert len(bold.asked) == 1


def test_requests_keep_the_pace_over_all_threads(bold):
    with Client(bold.settings(requests_per_second=50)) as client:
        began = time.monotonic()
        threads = [
            threading.Thread(target=client.json, args=(f"{bold.url}/api/images?processids=A-1",)) for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # A lower bound holds on the slowest machine: six requests have five intervals of 20 ms between them.
        assert time.monotonic() - began >= 0.095
    assert len(bold.asked) == 6


def test_a_stopped_client_begins_no_further_attempt(bold):
    bold.fail("/api/images", *["500"] * 9)
    with Client(bold.settings(attempts=9, backoff_seconds=60, max_wait_seconds=100)) as client:
        threading.Timer(0.1, client.stop).start()
        with pytest.raises(BoldError, match="answered 500"):
            client.json(f"{bold.url}/api/images?processids=A-1")
    assert len(bold.asked) <= 2


def test_an_endless_answer_is_not_read_to_its_end(bold, monkeypatch):
    monkeypatch.setattr("bioscan_etl.bold.client._ANSWER_LIMIT", 10)
    with pytest.raises(BoldError, match="more than 10 bytes") as caught:
        listed(bold)
    assert caught.value.reason == "too_large"


def test_redirects_in_a_circle_end(bold, monkeypatch):
    monkeypatch.setattr("bold_server._Handler._answer", redirect_to_itself)
    with pytest.raises(BoldError, match="redirected more than 5 times"):
        listed(bold)


def redirect_to_itself(self, path, query, fault):
    self._send(302, b"", "text/plain", {"Location": self.path})
