"""S3: the process' client, errors of one line, listing, and small objects.

Belongs here: single requests. Does not belong here: reading an object's bytes (`bioscan_etl.io.read`) and uploading
files (`bioscan_etl.io.upload`).

Credentials are those that boto3 finds; the environment variable AWS_ENDPOINT_URL names another S3-compatible server.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from bioscan_etl.errors import SourceError, UnavailableError
from bioscan_etl.io.locations import StoredFile, split_s3

MOST_PAGES = 100_000
"""Pages of a listing, of 1,000 objects each on Amazon's servers; a broken server lists without end."""

_TEXT_LIMIT = 1024


@cache
def client() -> Any:
    """The process' boto3 client: adaptive retries, ten attempts, checksums verified if the server has them."""
    import boto3
    from botocore.config import Config

    retries = {"mode": "adaptive", "total_max_attempts": 10}
    return boto3.client("s3", config=Config(retries=retries, connect_timeout=10, read_timeout=60))


@contextmanager
def errors(location: str, doing: str = "read") -> Iterator[None]:
    """Turn what boto3 raises at a location into a `SourceError` of one line; `doing` is `read` or `written`."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        status = _status(error)
        if status >= 500 or status == 429:
            raise UnavailableError(f"{location} cannot be {doing} now: {error}; try again later") from None
        if status == 412:
            raise SourceError(f"{location} changed while it was {doing}; run again") from None
        raise SourceError(
            f"{location} cannot be {doing}: {error}; check the bucket, the key and the credentials"
        ) from None
    except (BotoCoreError, Boto3Error) as error:
        raise UnavailableError(
            f"{location} cannot be reached: {error}; check the network and AWS_ENDPOINT_URL"
        ) from None


def objects(location: str) -> Iterator[StoredFile]:
    """The objects below a prefix, in the order that the server lists them, a page at a time.

    Raises:
        SourceError: there is no such bucket, or it cannot be read.
    """
    bucket, prefix = folder_of(location)
    for page in pages(location):
        for entry in page.get("Contents", []):
            yield StoredFile(
                entry["Key"].removeprefix(prefix),
                f"s3://{bucket}/{entry['Key']}",
                entry["Size"],
                entry.get("ETag", "").strip('"'),
                int(entry["LastModified"].timestamp()) * 1_000_000_000,
            )


def folder_of(location: str) -> tuple[str, str]:
    """Bucket and prefix of a location that is taken as a folder: the prefix ends with a slash or is empty."""
    bucket, prefix = split_s3(location)
    return bucket, f"{prefix.rstrip('/')}/" if prefix else ""


def pages(location: str, **options: str) -> Iterator[dict[str, Any]]:
    """The pages of a listing.

    Raises:
        SourceError: there is no such bucket, it cannot be read, or the listing does not end.
    """
    bucket, prefix = folder_of(location)
    with errors(location):
        found = client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **options)
        for number, page in enumerate(found):
            if number >= MOST_PAGES:
                raise SourceError(
                    f"{location} has more than {MOST_PAGES:,} pages of objects; give a prefix below it, or check the "
                    "server of AWS_ENDPOINT_URL"
                )
            yield page


def head(location: str) -> dict[str, Any] | None:
    """What the server reports about an object: `size`, `etag` without quotes, its own `metadata`; None if absent."""
    answer = _unless_absent(location, lambda where: client().head_object(**where))
    if answer is None:
        return None
    return {
        "size": int(answer["ContentLength"]),
        "etag": answer["ETag"].strip('"'),
        "metadata": answer.get("Metadata", {}),
    }


def read_text(location: str) -> str | None:
    """The text of a small object, without blanks around it; None if absent."""
    answer = _unless_absent(location, lambda where: client().get_object(**where)["Body"].read(_TEXT_LIMIT))
    return None if answer is None else answer.decode("ascii", "replace").strip()


def put_text(location: str, text: str) -> None:
    """Write a small object that readers must not cache."""
    with errors(location, "written"):
        client().put_object(**_where(location), Body=text.encode(), ContentType="text/plain", CacheControl="no-cache")


def put_text_once(location: str, text: str) -> str | None:
    """Write a small object unless it exists; return the text that it holds afterwards."""
    from botocore.exceptions import ClientError

    with errors(location, "written"):
        content = {**_where(location), "Body": text.encode(), "ContentType": "text/plain"}
        try:
            client().put_object(**content, IfNoneMatch="*")
        except ClientError as error:
            if _status(error) == 501:  # a server without conditional writes
                client().put_object(**content)
            elif _status(error) not in {409, 412}:
                raise
    return read_text(location)


def delete(location: str) -> None:
    """Remove an object; it may be absent."""
    with errors(location, "written"):
        client().delete_object(**_where(location))


def _where(location: str) -> dict[str, str]:
    bucket, key = split_s3(location)
    return {"Bucket": bucket, "Key": key}


def _unless_absent(location: str, ask: Any) -> Any:
    """What a request answers; None if there is no such object, an error if there is no such bucket."""
    from botocore.exceptions import ClientError

    with errors(location):
        try:
            return ask(_where(location))
        except ClientError as error:
            # A HEAD has no body, so it cannot say what is absent.
            if error.response["Error"]["Code"] in {"NoSuchKey", "404"}:
                return None
            raise


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
