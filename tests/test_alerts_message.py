"""Messages: what they say, and that nothing in them acts in a chat or a mail program."""

import json

from hypothesis import given
from hypothesis import strategies as st

from bioscan_etl.alerts.ledger import Entry
from bioscan_etl.alerts.message import MOST_ALERTS, message_of


def entry(number=0, title="batch b failed", *lines, over=False):
    return Entry(f"{number:016x}", "batch_failed", "batch b", title, lines, "2026-03-01T02:00:00+00:00", over)


def test_one_alert_is_its_own_subject():
    message = message_of("corpus", [entry(0, "batch b failed", "no space")])
    assert message.subject == "[bioscan-etl] corpus: batch b failed"
    assert message.text == "corpus corpus\n\nbatch b failed\n  no space\n  since 2026-03-01T02:00:00+00:00\n"
    document = json.loads(message.document)
    assert document["corpus"] == "corpus"
    assert document["alerts"][0]["lines"] == ["no space"]
    assert document["text"].startswith("bioscan-etl: 1 alert\n```\n")


def test_several_are_one_message_of_a_limited_number():
    message = message_of("corpus", [entry(n, f"alert {n}", over=n == 1) for n in range(MOST_ALERTS + 7)])
    assert message.subject == f"[bioscan-etl] corpus: {MOST_ALERTS} alerts, the first: alert 0"
    assert len(message.ids) == MOST_ALERTS
    assert message.text.endswith("7 more alerts follow\n")
    assert "alert 1 (over by now)" in message.text


def test_the_same_alerts_are_the_same_message():
    assert message_of("a", [entry(1), entry(2)]).id == message_of("b", [entry(1, "other"), entry(2)]).id
    assert message_of("a", [entry(1)]).id != message_of("a", [entry(2)]).id


def test_a_chat_interprets_nothing():
    hostile = "``` <!channel> @here [click](http://evil) <http://evil|BOLD>"
    text = json.loads(message_of("c``<>", [entry(0, hostile, hostile)]).document)["text"]
    inner = text.removeprefix("bioscan-etl: 1 alert\n```\n").removesuffix("\n```")
    assert not set("`<>@") & set(inner)
    assert text.count("```") == 2


@given(st.text(), st.text())
def test_any_text_gives_one_subject_line_and_json(corpus, title):
    message = message_of(corpus, [entry(0, title)])
    assert message.subject.isprintable()
    assert len(message.subject) <= 120
    assert json.loads(message.document)["alerts"][0]["title"] == title
