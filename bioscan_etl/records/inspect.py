"""A quick inspection of a records file before a run.

Belongs here: what the first lines show. Does not belong here: checking rows (`read`).
"""

from __future__ import annotations

from bioscan_etl.errors import SourceError
from bioscan_etl.records import columnar, jsonlines, lines
from bioscan_etl.records.layouts import Layout
from bioscan_etl.records.read import parse_header
from bioscan_etl.records.sources import DamagedError, Entry, RecordsFile, entries, peek

_LOOK = 1 << 16


def inspect(file: RecordsFile) -> Layout:
    """Recognise a file's layout from its first lines; of an archive, that of its first table.

    Raises:
        SourceError: the file is missing, empty or unreadable, has a header but no rows, or its
            layout is unknown (names the missing columns).
    """
    try:
        for entry in entries(file.location):
            if isinstance(entry, Entry):
                return _look(entry, file.location)
    except DamagedError as error:
        raise SourceError(f"{file.location} is unreadable: {error}; fetch the file again") from None
    raise SourceError(f"{file.location} contains no table; expected a .tsv")


def _look(entry: Entry, location: str) -> Layout:
    source = location if location.endswith(entry.name) else f"{entry.name} in {location}"
    head, pieces = peek(entry.pieces, 64)
    if head.startswith(columnar.MAGIC):
        layout, rows = columnar.look(pieces, entry.path, source)
        if not rows:
            raise SourceError(f"{source} has columns but no rows; fetch the file again or leave it out")
        return layout
    stream = lines.blocks(pieces, _LOOK)
    first = next(stream, None)
    if jsonlines.is_json(head):
        match first:
            case lines.Lines(data):
                return jsonlines.look(data, source)
            case lines.Rest(_, damage):
                raise SourceError(f"{source} ends within its first line: {damage}; fetch the file again")
            case _:
                raise SourceError(f"{source} is not a records table: its first line is longer than any record")
    layout, rest = parse_header(first, source)
    while not rest.strip(b"\r\n"):
        part = next(stream, None)
        if part is None or (isinstance(part, lines.Rest) and not part.data):
            damage = f" ({part.damage})" if part is not None else ""
            raise SourceError(f"{source} has a header but no rows{damage}; fetch the file again or leave it out")
        rest = part.start if isinstance(part, lines.LongLine) else part.data
    return layout
