"""The wording of a message: several alerts together, for a webhook and for a mail.

Belongs here: texts, and that nothing in them acts on the reader's side. Does not belong here: sending.

Names of batches and texts of errors come from deliveries. In a chat, `<!channel>` calls everybody and `[a](b)` hides an
address, so all lines are in one code block, without the characters that end it or that a chat interprets within it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from bioscan_etl.alerts.ledger import Entry
from bioscan_etl.lake.store import digest
from bioscan_etl.printable import printable

MOST_ALERTS = 50
"""Alerts of one message; the rest follows with the next round."""
_LONGEST_SUBJECT = 120
_INERT = str.maketrans({"`": "'", "<": "‹", ">": "›", "@": "＠"})


@dataclass(frozen=True, slots=True)
class Message:
    """A message about some alerts.

    Attributes:
        id: hex digits that identify the message by its alerts; a message that is sent again has the same.
        subject: one short line.
        text: all of it, as plain text.
        document: the JSON of the webhook.
        ids: of its events.
    """

    id: str
    subject: str
    text: str
    document: str
    ids: tuple[str, ...]


def message_of(corpus: str, entries: Sequence[Entry]) -> Message:
    """A message about alerts.

    Args:
        corpus: name of the corpus' folder.
        entries: at least one; those beyond `MOST_ALERTS` are left for the next message.
    """
    chosen = entries[:MOST_ALERTS]
    ids = tuple(one.id for one in chosen)
    name = printable(corpus)[:_LONGEST_SUBJECT]
    what = chosen[0].title if len(chosen) == 1 else f"{len(chosen)} alerts, the first: {chosen[0].title}"
    subject = _short(printable(f"[bioscan-etl] {name}: {what}"))
    parts = [f"corpus {name}"]
    for one in chosen:
        over = " (over by now)" if one.over else ""
        parts.append("\n".join([f"{one.title}{over}", *(f"  {line}" for line in one.lines), f"  since {one.since}"]))
    if len(entries) > len(chosen):
        parts.append(f"{len(entries) - len(chosen):,} more alerts follow")
    text = "\n\n".join(parts)
    number = f"{len(chosen)} alert{'s' if len(chosen) > 1 else ''}"
    document = {
        "text": f"bioscan-etl: {number}\n```\n{text.translate(_INERT)}\n```",
        "corpus": name,
        "alerts": [
            {
                "id": one.id,
                "kind": one.kind,
                "subject": one.subject,
                "title": one.title,
                "lines": list(one.lines),
                "since": one.since,
                "over": one.over,
            }
            for one in chosen
        ],
    }
    return Message(digest(ids)[:32], subject, f"{text}\n", json.dumps(document, ensure_ascii=False), ids)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_SUBJECT else f"{text[: _LONGEST_SUBJECT - 1]}…"
