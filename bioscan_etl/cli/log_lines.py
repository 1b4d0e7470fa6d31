"""Lines of the log that cannot be mistaken for others.

Belongs here: how a record of `logging` becomes a line. Does not belong here: where the lines go (`cli.terminal`).
"""

from __future__ import annotations

import logging

from bioscan_etl.printable import printable


class LogFormatter(logging.Formatter):
    """A formatter whose lines are printable: a message is one line, whatever it quotes.

    Args:
        form: as for `logging.Formatter`.
        tracebacks: also the traceback of a logged exception, line by line.
    """

    def __init__(self, form: str, *, tracebacks: bool = False) -> None:
        super().__init__(form)
        self._tracebacks = tracebacks

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is that of the library
        """The message as one line."""
        return printable(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        """The record: one line, and the traceback if it is wanted."""
        record.message = record.getMessage()
        if self.usesTime():
            record.asctime = self.formatTime(record, self.datefmt)
        lines = [self.formatMessage(record)]
        if self._tracebacks and record.exc_info:
            lines += map(printable, self.formatException(record.exc_info).splitlines())
        return "\n".join(lines)
