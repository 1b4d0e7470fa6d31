"""A download under way: the bytes so far, and whether the server's next answer continues them.

Belongs here: the files `NAME.part` and `NAME.part.json` beside the output, and HTTP ranges. Does not belong
here: what the bytes mean (`records`).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import requests

from bioscan_etl import storage
from bioscan_etl.bold.client import PIECE, TemporaryError

_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
_NOTE_LIMIT = 1 << 16


class Partial:
    """The unfinished download of one file.

    A part goes on only where that is sure to give the same file: it was begun for the same request, and the
    server either names the version it sends (ETag, Last-Modified) or the same length for the whole.
    """

    def __init__(self, output: Path, request: Mapping[str, str]) -> None:
        """Take up what an earlier run left for the same request; else there is nothing yet.

        Args:
            output: where the finished file goes.
            request: what is downloaded; a part of another request is not continued.
        """
        self.output = output
        self.path = output.with_name(f"{output.name}.part")
        self._note = output.with_name(f"{output.name}.part.json")
        self._request = dict(request)
        note = self._read_note()
        known = note.get("request") == self._request and self.path.is_file()
        self._version: str | None = note.get("version") if known else None
        self._length: int | None = note.get("length") if known else None
        self.resumed_at = 0

    @property
    def size(self) -> int:
        """Bytes so far that a next answer can continue; 0 where it has to start anew."""
        if self._version is None and self._length is None:
            return 0
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def length(self) -> int | None:
        """Bytes of the whole file, where the server has said it."""
        return self._length

    def headers(self) -> dict[str, str]:
        """Headers of a request for the missing bytes; none where all are missing."""
        if not self.size:
            return {}
        wanted = {"Range": f"bytes={self.size}-"}
        # With it, a server whose file has changed sends the whole new one instead of a tail that does not fit.
        return wanted | ({"If-Range": self._version} if self._version else {})

    def take(self, response: requests.Response, took: Callable[[bytes], None] = lambda _: None) -> None:
        """Write an answer's body behind the bytes so far, or in their place.

        Args:
            response: the answer, its body unread.
            took: told of each piece that has been written.

        Raises:
            TemporaryError: the answer does not continue the part, which is then dropped; or it is short.
        """
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            if self._is_whole(response):
                self.resumed_at = self.size
                return
            self.drop()
            raise TemporaryError("BOLD does not continue the download; it starts anew")
        if response.status_code == requests.codes.partial_content:
            if not self._continues(response):
                self.drop()
                raise TemporaryError("BOLD continues another download than the one begun; it starts anew")
            self.resumed_at = self.size
            self._write(response, "ab", took)
        else:
            self._begin(response)
            self._write(response, "wb", took)
        if self._length is not None and self.path.stat().st_size != self._length:
            raise TemporaryError(
                f"{self.path.stat().st_size:,} of {self._length:,} bytes arrived; run again to go on", "truncated"
            )

    def finish(self) -> None:
        """Give the part the output's name."""
        with self.path.open("rb") as stream:
            os.fsync(stream.fileno())
        self.path.replace(self.output)
        self._note.unlink(missing_ok=True)

    def drop(self) -> None:
        """Forget the bytes so far."""
        self._version = self._length = None
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def pieces(self) -> Iterator[bytes]:
        """The bytes so far, in pieces of 1 MiB."""
        with self.path.open("rb") as stream:
            while piece := stream.read(1 << 20):
                yield piece

    def _begin(self, response: requests.Response) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        headers = response.headers
        encoded = headers.get("Content-Encoding", "identity") != "identity"
        tag = headers.get("ETag", "")
        self._version, self._length, self.resumed_at = None, None, 0
        # Positions in an encoded body are not positions in the file; a weak tag does not promise equal bytes.
        if not encoded:
            self._version = tag if tag.startswith('"') else headers.get("Last-Modified")
            self._length = _number(headers.get("Content-Length"))
        self.path.write_bytes(b"")
        note = {"request": self._request, "version": self._version, "length": self._length}
        storage.write_text(self._note, json.dumps(note, indent=1, sort_keys=True) + "\n")

    def _write(self, response: requests.Response, mode: Literal["ab", "wb"], took: Callable[[bytes], None]) -> None:
        with self.path.open(mode) as stream:
            for piece in response.iter_content(PIECE):
                stream.write(piece)
                took(piece)

    def _continues(self, response: requests.Response) -> bool:
        """Whether a 206 begins where the part ends and belongs to the same file."""
        start, _, total = _content_range(response)
        if start != self.size or response.headers.get("Content-Encoding", "identity") != "identity":
            return False
        if self._length is not None and total is not None:
            return total == self._length
        return self._version is not None

    def _is_whole(self, response: requests.Response) -> bool:
        """Whether a 416 says that nothing is missing."""
        return self.size > 0 and _content_range(response)[2] == self.size

    def _read_note(self) -> dict[str, Any]:
        try:
            with self._note.open(encoding="utf-8") as stream:
                note = json.loads(stream.read(_NOTE_LIMIT))
        except (OSError, ValueError, RecursionError):
            return {}
        return note if isinstance(note, dict) else {}


def _content_range(response: requests.Response) -> tuple[int | None, int | None, int | None]:
    """Start, end and total of a Content-Range; None where it does not say."""
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if match is None:
        return None, None, None
    start, end, total = (_number(part) for part in match.groups())
    return start, end, total


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None
