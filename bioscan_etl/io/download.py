"""A download into a file that a later run can continue: the bytes so far, and whether the next answer continues them.

Belongs here: the files `NAME.part` and `NAME.part.json` beside the output. Does not belong here: the requests and how
often they are repeated (`bioscan_etl.bold.client`), and what the bytes mean.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from bioscan_etl.io import web
from bioscan_etl.io.write import write_text

_PARTIAL, _NOTHING_LEFT = 206, 416
_NOTE_LIMIT = 1 << 16


class Partial:
    """The unfinished download of one file.

    A part is continued only if that is sure to give the same file: it was begun for the same request, and the server
    names the version that it sends (ETag, Last-Modified) or the same length of the whole.
    """

    def __init__(self, output: Path, request: Mapping[str, str]) -> None:
        """Resume what an earlier run left for the same request, else start empty.

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
        """Bytes so far that a next answer can continue; 0 if it has to start again."""
        if self._version is None and self._length is None:
            return 0
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def length(self) -> int | None:
        """Bytes of the whole file, if the server has stated it."""
        return self._length

    def headers(self) -> dict[str, str]:
        """Headers of a request for the missing bytes; none if all are missing."""
        if not self.size:
            return {}
        wanted = {"Range": f"bytes={self.size}-"}
        # With it, a server whose file has changed sends the whole new one instead of a tail that does not fit.
        return wanted | ({"If-Range": self._version} if self._version else {})

    def take(self, response: web.Response, took: Callable[[bytes], None] = lambda _: None) -> None:
        """Append an answer's body to the bytes so far, or replace them.

        Args:
            response: the answer to a request with `headers`, its body unread; status 200, 206 or 416.
            took: called with each piece that has been written.

        Raises:
            WebError: the answer does not continue the part, which is then dropped; or it is short.
        """
        extent = web.extent(response)
        if response.status == _NOTHING_LEFT:
            if self.size == 0 or extent.size != self.size:
                self.drop()
                raise web.WebError("the server does not continue the download; it starts anew", "mismatch")
            self.resumed_at = self.size
        elif response.status == _PARTIAL:
            if not self._continues(response, extent):
                self.drop()
                raise web.WebError("the server continues another download; it starts anew", "mismatch")
            self.resumed_at = self.size
            self._write(response, "ab", took)
        else:
            self._begin(response, extent)
            self._write(response, "wb", took)
        arrived = self.path.stat().st_size
        if self._length not in (None, arrived):
            raise web.WebError(f"{arrived:,} of {self._length:,} bytes arrived", "truncated")

    def finish(self) -> None:
        """Give the part the output's name."""
        with self.path.open("rb") as stream:
            os.fsync(stream.fileno())
        self.path.replace(self.output)
        self._note.unlink(missing_ok=True)

    def drop(self) -> None:
        """Discard the bytes so far."""
        self._version = self._length = None
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def pieces(self) -> Iterator[bytes]:
        """The bytes so far, in pieces of 1 MiB."""
        with self.path.open("rb") as stream:
            while piece := stream.read(1 << 20):
                yield piece

    def _begin(self, response: web.Response, extent: web.Extent) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._version, self._length, self.resumed_at = None, None, 0
        if not _packed(response):
            self._version, self._length = extent.version, extent.size
        self.path.write_bytes(b"")
        note = {"request": self._request, "version": self._version, "length": self._length}
        write_text(self._note, json.dumps(note, indent=1, sort_keys=True) + "\n")

    def _write(self, response: web.Response, mode: Literal["ab", "wb"], took: Callable[[bytes], None]) -> None:
        with self.path.open(mode) as stream:
            for piece in web.pieces(response):
                stream.write(piece)
                took(piece)

    def _continues(self, response: web.Response, extent: web.Extent) -> bool:
        """Whether a 206 begins where the part ends and belongs to the same file."""
        if extent.start != self.size or _packed(response):
            return False
        if self._length is not None and extent.size is not None:
            return extent.size == self._length
        return self._version is not None

    def _read_note(self) -> dict[str, Any]:
        try:
            with self._note.open(encoding="utf-8") as stream:
                note = json.loads(stream.read(_NOTE_LIMIT))
        except (OSError, ValueError, RecursionError):
            return {}
        return note if isinstance(note, dict) else {}


def _packed(response: web.Response) -> bool:
    """Whether the body is packed: its positions are then not those of the file."""
    return response.headers.get("Content-Encoding", "identity") != "identity"
