"""When an attempt to send is repeated."""

import pytest

from bioscan_etl.alerts.channel import BrieflyUnsentError, UnsentError, persistent


def attempts(*errors):
    left, made = list(errors), []

    def send():
        made.append(1)
        if left:
            raise left.pop(0)

    return send, made


def test_what_certainly_was_not_sent_is_tried_again():
    send, made = attempts(BrieflyUnsentError("a"), BrieflyUnsentError("b"))
    persistent(send)
    assert len(made) == 3


def test_three_times_are_enough():
    send, made = attempts(*[BrieflyUnsentError("down")] * 5)
    with pytest.raises(UnsentError, match="down"):
        persistent(send)
    assert len(made) == 3


def test_what_may_have_arrived_is_not_sent_again_at_once():
    send, made = attempts(UnsentError("no answer"))
    with pytest.raises(UnsentError, match="no answer"):
        persistent(send)
    assert len(made) == 1
