"""A quick inspection of a records file before a run.

Belongs here: what the first lines show. Does not belong here: checking rows (`read`).
"""

from __future__ import annotations

from bioscan_etl.errors import SourceError
from bioscan_etl.records import columnar, jsonlines, lines, sequences
from bioscan_etl.records.layouts import Layout
from bioscan_etl.records.read import parse_header
from bioscan_etl.records.sources import DamagedError, Entry, RecordsFile, entries, peek
from bioscan_etl.records.translate import Written, decoded, translated

_LOOK = 1 << 16


def inspect(file: RecordsFile, encoding: str = "auto") -> Layout:
    """Recognise a file's layout from its first lines; of an archive, that of its first table.

    Args:
        file: the file.
        encoding: `records.encoding`.

    Raises:
        SourceError: the file is missing, empty or unreadable, has a header but no rows, or its
            layout is unknown (names the missing columns).
    """
    found = None
    try:
        for entry in entries(file.location):
            if isinstance(entry, Entry):
                found = _look(entry, file.location, encoding)
                # Sequences may come before the table of their specimens.
                if found is not sequences.LAYOUT:
                    return found
    except DamagedError as error:
        raise SourceError(f"{file.location} is unreadable: {error}; fetch the file again") from None
    if found is not None:
        return found
    raise SourceError(f"{file.location} contains no table; expected a .tsv")


def _look(entry: Entry, location: str, encoding: str) -> Layout:
    source = location if location.endswith(entry.name) else f"{entry.name} in {location}"
    head, pieces = peek(entry.pieces, 64)
    if head.startswith(columnar.MAGIC):
        layout, rows = columnar.look(pieces, entry.path, source)
        if not rows:
            raise SourceError(f"{source} has columns but no rows; fetch the file again or leave it out")
        return layout
    if head.startswith(sequences.MAGIC):
        return sequences.LAYOUT
    written = Written()
    head, pieces = peek(decoded(pieces, encoding, written), 64)
    if jsonlines.is_json(head):
        match next(lines.blocks(pieces, _LOOK), None):
            case lines.Lines(data):
                return jsonlines.look(data, source)
            case lines.Rest(_, damage):
                raise SourceError(f"{source} ends within its first line: {damage}; fetch the file again")
            case _:
                raise SourceError(f"{source} is not a records table: its first line is longer than any record")
    stream = lines.blocks(translated(pieces, written), _LOOK)
    layout, rest, _ = parse_header(next(stream, None), source)
    while not rest.strip(b"\r\n\t "):
        part = next(stream, None)
        if part is None or (isinstance(part, lines.Rest) and not part.data):
            damage = f" ({part.damage})" if part is not None else ""
            raise SourceError(f"{source} has a header but no rows{damage}; fetch the file again or leave it out")
        rest = part.start if isinstance(part, lines.LongLine) else part.data
    return layout
