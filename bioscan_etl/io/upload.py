"""Uploading files to S3: many at a time, large ones in parts, checked by the server.

Belongs here: sending bytes. Does not belong here: in which order, and what may be overwritten
(`bioscan_etl.release.ship.mirror`).

s3transfer, boto3's own transfer manager, cuts files into parts and sends them. The one thing added is that an upload
that broke off is resumed: parts that the server already has are not sent again.
"""

from __future__ import annotations

import base64
import hashlib
import mimetypes
from collections import deque
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from bioscan_etl.io import s3
from bioscan_etl.io.locations import split_s3

SHA256 = "sha256"
"""Key, in an object's own metadata, of the hex sha256 of its bytes."""

_WINDOW = 32  # files in transfer at a time
_ALGORITHM = "SHA256"


class Uploader:
    """Sends files in the background. Use it in a `with`, which stops running transfers on an error."""

    def __init__(self, workers: int, part: int) -> None:
        """Set up the transfers.

        Args:
            workers: requests that are made at the same time.
            part: bytes of a part of a large file, and the size from which a file is large; 5 MiB at least.
        """
        from s3transfer.manager import TransferConfig, TransferManager

        config = TransferConfig(multipart_threshold=part, multipart_chunksize=part, max_request_concurrency=workers)
        self._part = part
        self._manager = TransferManager(_Resuming(s3.client()), config)
        self._running: deque[tuple[str, Any]] = deque()

    def __enter__(self) -> Uploader:
        self._manager.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._manager.__exit__(kind, error, trace)

    def send(self, path: Path, location: str, size: int, sha256: str) -> None:
        """Begin to send a file; the server refuses it if other bytes arrive.

        Args:
            path: the local file.
            location: `s3://bucket/key`.
            size: its bytes.
            sha256: its hex sha256, which is also kept in the object's metadata.

        Raises:
            SourceError: an earlier file could not be written.
        """
        if len(self._running) >= _WINDOW:
            self._wait_for_one()
        bucket, key = split_s3(location)
        about = {
            "ContentType": mimetypes.guess_type(path.name)[0] or "application/octet-stream",
            "Metadata": {SHA256: sha256},
        }
        # S3 takes the checksum of a whole file for single requests only; for parts, the client computes their own.
        if size < self._part:
            about["ChecksumSHA256"] = _base64(bytes.fromhex(sha256))
        else:
            about["ChecksumAlgorithm"] = _ALGORITHM
        self._running.append((location, self._manager.upload(str(path), bucket, key, about)))

    def finish(self) -> None:
        """Wait for all files.

        Raises:
            SourceError: one of them could not be written.
        """
        while self._running:
            self._wait_for_one()

    def _wait_for_one(self) -> None:
        location, future = self._running.popleft()
        with s3.errors(location, "written"):
            future.result()


class _Resuming:
    """The boto3 client, as the transfer manager gets it: it resumes multipart uploads that broke off earlier."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._parts: dict[str, dict[int, dict[str, Any]]] = {}  # by upload and number

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def create_multipart_upload(self, **arguments: Any) -> dict[str, Any]:
        """Resume the last upload of the key that broke off, else begin one."""
        begun = [
            upload["UploadId"]
            for upload in self._begun(arguments["Bucket"], arguments["Key"])
            # Parts with checksums of another kind cannot be completed together with ours.
            if upload.get("ChecksumAlgorithm") == _ALGORITHM
        ]
        if not begun:
            answer: dict[str, Any] = self._client.create_multipart_upload(**arguments)
            return answer
        pages = self._client.get_paginator("list_parts").paginate(
            Bucket=arguments["Bucket"], Key=arguments["Key"], UploadId=begun[-1]
        )
        self._parts[begun[-1]] = {part["PartNumber"]: part for page in pages for part in page.get("Parts", [])}
        return {"UploadId": begun[-1]}

    def upload_part(self, **arguments: Any) -> dict[str, Any]:
        """Send a part, unless the server has it."""
        body, there = arguments["Body"], self._parts.get(arguments["UploadId"], {}).get(arguments["PartNumber"])
        if there is not None:
            content = body.read()
            body.seek(0)
            sha256 = _base64(hashlib.sha256(content).digest())
            # A server need not list the sha256; encrypted parts have an ETag that is not an md5.
            if there.get("ChecksumSHA256") == sha256 or (
                "ChecksumSHA256" not in there
                and there["ETag"].strip('"') == hashlib.md5(content, usedforsecurity=False).hexdigest()
            ):
                return {"ETag": there["ETag"], "ChecksumSHA256": sha256}
        answer: dict[str, Any] = self._client.upload_part(**arguments)
        return answer

    def complete_multipart_upload(self, **arguments: Any) -> dict[str, Any]:
        """Complete the object, and remove other uploads of the key that earlier runs or lost answers left."""
        answer: dict[str, Any] = self._client.complete_multipart_upload(**arguments)
        where = {"Bucket": arguments["Bucket"], "Key": arguments["Key"]}
        for upload in self._begun(**where):
            with suppress(self._client.exceptions.NoSuchUpload):
                self._client.abort_multipart_upload(**where, UploadId=upload["UploadId"])
        return answer

    def abort_multipart_upload(self, **_: Any) -> None:
        """Do nothing: the parts are kept for the next run."""

    def _begun(self, Bucket: str, Key: str) -> list[dict[str, Any]]:  # noqa: N803 - boto3's names
        """The unfinished uploads of a key, oldest first."""
        pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=Bucket, Prefix=Key)
        found = [upload for page in pages for upload in page.get("Uploads", []) if upload["Key"] == Key]
        return sorted(found, key=lambda upload: str(upload.get("Initiated", "")))


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
