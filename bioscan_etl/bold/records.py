"""Records from BOLD's portal: a query's answer, downloaded into one file.

Belongs here: the steps query, count and download, and the proof that the file is whole. Does not belong here:
terms of a query (`terms`), how a download resumes (`bioscan_etl.io.download`), and what a record means
(`bioscan_etl.records`).

The steps and answers are those of the portal's API (portal.boldsystems.org/api/docs) and of its published
source (boldsystems-central/barcode-data-portal): `/api/query` gives a token for 24 hours;
`/api/documents/<token>` counts the records; `/api/documents/<token>/download` streams them in chunks of
unknown total length and silently stops at a million. Neither a length nor a checksum comes with the stream, so
the count is what proves that a file is whole.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlencode

import numpy as np

from bioscan_etl.bold.client import BoldError, Client, TemporaryError, refuse_page
from bioscan_etl.bold.terms import resolve
from bioscan_etl.io import web
from bioscan_etl.io.download import Partial
from bioscan_etl.progress import Progress, silent
from bioscan_etl.settings import BoldSettings

RecordsFormat = Literal["tsv", "json"]

# The answers of a portal that no longer knows a token.
_EXPIRED = {400, 404, 410, 422}
_TOKENS = 3
_PARTIAL, _NOTHING_LEFT = 206, 416
_HEADER_LIMIT = 1 << 20
_LINE_END, _QUOTE = 10, 34


@dataclass(frozen=True, slots=True)
class FetchedRecords:
    """A finished download.

    Attributes:
        path: the file.
        query: the query in BOLD's terms.
        records: records in the file.
        size_bytes: bytes of the file.
        resumed_at: byte at which the download last resumed; 0 if it came in one piece.
    """

    path: Path
    query: str
    records: int
    size_bytes: int
    resumed_at: int


def fetch_records(
    query: str,
    output: Path,
    settings: BoldSettings,
    form: RecordsFormat | None = None,
    progress: Progress = silent,
) -> FetchedRecords:
    """Download all records that match a query.

    An existing file is never replaced. A download that broke off left `OUTPUT.part`; the same call resumes where
    it stopped if the portal allows it, else starts again.

    Args:
        query: terms as for `terms.resolve`.
        output: the file to write; it appears whole or not at all.
        settings: addresses, pace and patience.
        form: `tsv`, or `json` for one JSON object per line; None takes it from the output's suffix.
        progress: reports the stage "fetch_records", counted in records.

    Raises:
        BoldError: the file exists, the query is not understood, matches nothing or more than BOLD delivers, or
            the portal does not deliver.
    """
    form = form or form_of(output)
    if output.exists():
        raise BoldError(f"{output} is there already; remove it, or give another --output")
    with Client(settings) as client:
        terms = resolve(client, query)
        part = Partial(output, {"query": terms, "format": form, "portal": settings.portal_url})
        try:
            records = _fetch(client, terms, part, form, progress)
            size = part.path.stat().st_size
            part.finish()
        except OSError as error:
            raise BoldError(f"{output} cannot be written: {error.strerror or error}; check the folder") from None
    return FetchedRecords(output, terms, records, size, part.resumed_at)


def form_of(output: Path) -> RecordsFormat:
    """The format that a file name asks for; `tsv` if it asks for none."""
    return "json" if output.suffix.lower() in {".json", ".jsonl", ".ndjson"} else "tsv"


def _fetch(client: Client, terms: str, part: Partial, form: RecordsFormat, progress: Progress) -> int:
    """Ask for a token, and for a new one if it has expired meanwhile."""
    for _ in range(_TOKENS):
        token = _token(client, terms)
        expected = _count(client, token, terms)
        progress("fetch_records", 0, expected)
        try:
            records = _download(client, token, part, form, expected, progress)
        except BoldError as error:
            if error.status not in _EXPIRED:
                raise
            failed = error
            continue
        progress("fetch_records", records, records)
        return records
    raise BoldError(f"BOLD refuses its own tokens, {_TOKENS} in a row ({failed}); try again later")


def _token(client: Client, terms: str) -> str:
    address = f"{client.settings.portal_url}/api/query?{urlencode({'query': terms, 'extent': 'full'})}"
    _, answer = client.json(address)
    token = answer.get("query_id") if isinstance(answer, dict) else None
    if not isinstance(token, str) or not token:
        raise BoldError("BOLD gives no token for the query, in a form that this version does not know; report it")
    return token


def _documents(client: Client, token: str) -> str:
    # A token may hold / and =, which would be read as parts of the path.
    return f"{client.settings.portal_url}/api/documents/{quote(token, safe='')}"


def _count(client: Client, token: str, terms: str) -> int | None:
    """Records that match; None if the portal does not state it.

    Raises:
        BoldError: there are none, or more than one download delivers.
    """
    try:
        _, answer = client.json(f"{_documents(client, token)}?length=1&start=0")
    except BoldError as error:
        if error.status in _EXPIRED:
            return None
        raise
    count = answer.get("recordsTotal") if isinstance(answer, dict) else None
    if not isinstance(count, int):
        return None
    if count == 0:
        raise BoldError(f"BOLD has no public record for {terms}; check the terms")
    if count > client.settings.records_per_query:
        raise _too_many(f"{count:,}", terms, client.settings)
    return count


def _too_many(count: str, terms: str, settings: BoldSettings) -> BoldError:
    return BoldError(
        f"BOLD has {count} records for {terms} and delivers {settings.records_per_query:,} a query; narrow it, for "
        "example by one query per country (…;geo:Canada) or per family, or take a public data package instead",
        "too_many",
    )


def _download(
    client: Client, token: str, part: Partial, form: RecordsFormat, expected: int | None, progress: Progress
) -> int:
    """Download what is missing and return the number of records of the whole."""

    def read(response: web.Response) -> int:
        refuse_page(response)
        continued = response.status == _PARTIAL
        seen = sum(piece.count(b"\n") for piece in part.pieces()) if continued else 0

        def took(piece: bytes) -> None:
            nonlocal seen
            seen += piece.count(b"\n")
            # The header is not a record; neither are lines within quotes.
            progress("fetch_records", seen if expected is None else min(seen, expected), expected)

        part.take(response, took)
        try:
            return _verified(part, form, expected, client.settings)
        except BoldError:
            # Nothing shows which of its bytes are wrong.
            part.drop()
            raise

    address = f"{_documents(client, token)}/download?format={form}"
    return client.request(address, read, part.headers, also=(_PARTIAL, _NOTHING_LEFT))


def _verified(part: Partial, form: RecordsFormat, expected: int | None, settings: BoldSettings) -> int:
    """The number of records of a file that arrived without a break.

    Raises:
        TemporaryError: it is not a file of records, ends within a record, or lacks some.
        BoldError: BOLD has cut it at its limit.
    """
    rows, lines, first, last = _survey(part)
    if not _is_header(first, form):
        raise TemporaryError(f"BOLD's answer is no {form.upper()} of records; it may be offline, try again later")
    if last != b"\n" and part.length is None:
        raise TemporaryError("the download ends within a record; run again", "truncated")
    header = form == "tsv"
    # The portal writes TSV with quotes around values that hold quotes, tabs or line ends; packages never do.
    records = rows - header
    if expected is not None and lines - header == expected:
        return expected
    if expected is None and records >= settings.records_per_query:
        raise _too_many("more", "the query", settings)
    if records < (expected or 1):
        raise TemporaryError(f"{records:,} of {expected or 'some'} records arrived; run again", "truncated")
    # More than expected is whole too: the count may be a day old, the records are not.
    return records


def _survey(part: Partial) -> tuple[int, int, bytes, bytes]:
    """Lines that end outside quotes, all lines, the first line (at most 1 MiB) and the last byte."""
    rows = lines = quotes = 0
    head = bytearray()
    last = b""
    for piece in part.pieces():
        if len(head) < _HEADER_LIMIT and b"\n" not in head:
            head += piece[:_HEADER_LIMIT]
        letters = np.frombuffer(piece, np.uint8)
        ends = np.flatnonzero(letters == _LINE_END)
        marks = np.flatnonzero(letters == _QUOTE)
        before = np.searchsorted(marks, ends) + quotes
        rows += int(np.count_nonzero(before % 2 == 0))
        lines += len(ends)
        quotes += len(marks)
        last = piece[-1:]
    if last and last != b"\n":
        rows += 1
        lines += 1
    return rows, lines, bytes(head).split(b"\n", 1)[0], last


def _is_header(line: bytes, form: RecordsFormat) -> bool:
    """Whether a file's first line is that of records: names of columns, or the first record."""
    if form == "tsv":
        return b"processid" in line.lstrip(b"\xef\xbb\xbf").rstrip(b"\r").split(b"\t")
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and "processid" in record
