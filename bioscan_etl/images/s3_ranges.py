"""A file on S3 that is read from any place, by ranges, as `zipfile` needs it.

Belongs here: seeking in one S3 object. Does not belong here: streaming one from its beginning to its end
(`bioscan_etl.storage`).
"""

from __future__ import annotations

import io
from typing import Any, BinaryIO

from bioscan_etl.errors import UnavailableError
from bioscan_etl.storage import s3_client, s3_errors, split_s3

_BLOCK = 256 << 10  # asked for at a time: a specimen image of 40 kB and its neighbours
_ATTEMPTS = 5


class _Ranges(io.RawIOBase):
    """One S3 object; every read is a request of its own, of the version that was there at the beginning."""

    def __init__(self, location: str) -> None:
        self._location = location
        self._bucket, self._key = split_s3(location)
        self._position = 0
        with s3_errors(location):
            head = s3_client().head_object(Bucket=self._bucket, Key=self._key)
        self._size, self._etag = int(head["ContentLength"]), head["ETag"]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise OSError(f"{self._location}: place {start + offset} is before the beginning")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        last = min(self._position + len(buffer), self._size) - 1
        if last < self._position:
            return 0
        data = self._range(self._position, last)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _range(self, first: int, last: int) -> bytes:
        from botocore.exceptions import BotoCoreError
        from urllib3.exceptions import HTTPError

        where = {"Bucket": self._bucket, "Key": self._key, "Range": f"bytes={first}-{last}", "IfMatch": self._etag}
        broken: Exception = EOFError("no answer")
        for _ in range(_ATTEMPTS):
            with s3_errors(self._location):
                answer = s3_client().get_object(**where)
            try:
                data: bytes = answer["Body"].read()
            except (BotoCoreError, HTTPError, OSError) as error:
                broken = error
                continue
            if len(data) == last - first + 1:
                return data
            broken = EOFError(f"{len(data)} of {last - first + 1} bytes came")
        raise UnavailableError(f"{self._location} broke off {_ATTEMPTS} times: {broken}; run again to resume")


def open_seekable(location: str) -> BinaryIO:
    """Open an `s3://bucket/key` file for reads at any place; for one thread.

    Raises:
        SourceError: there is no such file, or it cannot be reached.
    """
    return io.BufferedReader(_Ranges(location), buffer_size=_BLOCK)
