"""Locks: nobody else has one, and what is held for a moment is waited for."""

import threading

import pytest

from bioscan_etl.errors import BusyError
from bioscan_etl.lake.locks import hold, hold_soon


def test_a_lock_is_held_by_one(tmp_path):
    with hold(tmp_path / "in" / ".lock", "busy"):
        with pytest.raises(BusyError, match="busy"), hold(tmp_path / "in" / ".lock", "busy"):
            pass
        with hold(tmp_path / ".other", "busy"):
            pass
    with hold(tmp_path / "in" / ".lock", "busy"):
        pass


def test_what_is_held_for_a_moment_is_waited_for(tmp_path):
    held, let_go, order = threading.Event(), threading.Event(), []

    def first():
        with hold(tmp_path / ".lock", "busy"):
            held.set()
            assert let_go.wait(20)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    assert held.wait(20)
    threading.Timer(0.3, let_go.set).start()
    with hold_soon(tmp_path / ".lock", "busy"):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]
