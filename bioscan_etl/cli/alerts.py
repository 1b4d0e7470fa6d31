"""The command `alerts`: what needs a person, and sending it.

Belongs here: its options and output. Does not belong here: what an alert is (`bioscan_etl.alerts`).
"""

from __future__ import annotations

from dataclasses import asdict

from bioscan_etl import api
from bioscan_etl.cli.options import LINES, Answer, Folder, Said, UsageError, reflowed


@reflowed
def alerts(*, output: Folder, test: bool = False, send: bool = False, answer: Answer = LINES, terminal: Said) -> int:
    """Show the open alerts, and where each was sent.

    Show the alerts as they were when they were last looked for. With --send, look for them now, and
    send what was not sent yet; the UI does that by itself. With --test, send a test message.

    Args:
        output: folder of the corpus
        test: send a test message to the webhook and the mail addresses
        send: look for alerts and send them, where no UI runs; failed runs of Dagster are not looked at
    """
    if test and send:
        raise UsageError("give either --test or --send; see bioscan-etl alerts --help")
    outcome = api.send_alerts(output, test=test) if test or send else None
    entries = [] if test else api.open_alerts(output)
    for entry in entries:
        told = [f"told {channel} at {when}" for channel, when in sorted(entry.sent.items())]
        told += [f"waits for {channel}" for channel in entry.waiting]
        over = " (over by now)" if entry.over else ""
        terminal.say(f"{entry.title}{over}; since {entry.since}; {', '.join(told) or 'told nobody'}")
        for line in entry.lines:
            terminal.say(f"  {line}")
    if not entries and not test:
        terminal.say("no alert is open")
    terminal.fact(alerts=[asdict(one) for one in entries])
    if outcome is None:
        return 0
    terminal.fact(sent=outcome.sent, waiting=outcome.waiting, problems=outcome.problems)
    for channel, number in outcome.sent.items():
        terminal.say(f"{number} sent by {channel}")
    for problem in outcome.problems:
        terminal.say(problem)
    return 1 if outcome.problems else 0
