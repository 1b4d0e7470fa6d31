"""Images of specimens from BOLD's image store, by process ID, into a folder.

Belongs here: look-up, download, and the folder's two tables. Does not belong here: what is in an image
(`bioscan_etl.images`).

`/api/images?processids=a,b` answers `[{"processid": …, "objectid": …}]`, with nothing for a specimen without an
image; `/api/objects/<objectid>` answers the image (spec: BOLD records, "Getting more"). Neither kind of id is
trusted: process IDs become file names, object IDs a part of an address.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl

from bioscan_etl.bold.client import BoldError, Client, TemporaryError, limited, refuse_page
from bioscan_etl.images.sources import MAX_FILE_BYTES
from bioscan_etl.io import web
from bioscan_etl.io.write import atomic_file, write_text
from bioscan_etl.processids import reason_unfit
from bioscan_etl.progress import Progress, silent
from bioscan_etl.settings import BoldSettings
from bioscan_etl.threads import ordered_map

INDEX = "image_manifest.csv"
FAILURES = "failures.csv"

_FAILURE = {"processid": pl.String, "objectid": pl.String, "reason": pl.String, "detail": pl.String}
_OBJECTID = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
# nginx takes 8 KiB of request line by default.
_LONGEST_ADDRESS = 7500
_TOO_LONG = {413, 414, 431}
# First bytes of the formats that the pipeline decodes, the suffix, and the bytes near the end of a complete file.
_FORMATS = (
    (b"\xff\xd8\xff", ".jpg", b"\xff\xd9"),
    (b"\x89PNG\r\n\x1a\n", ".png", b"IEND"),
    (b"II*\0", ".tif", b""),
    (b"MM\0*", ".tif", b""),
)
_HEAD = max(len(magic) for magic, _, _ in _FORMATS)
_SUFFIXES = tuple(dict.fromkeys(suffix for _, suffix, _ in _FORMATS))
# Reasons that concern the store, not one image.
_STORE = {"unreachable", "timeout", "server_error", "rate_limited", "truncated", "bad_answer"}


@dataclass(frozen=True, slots=True)
class FetchedImages:
    """What the folder contains after a run.

    Attributes:
        index: `image_manifest.csv`: processid, image_file, one line per image; a `--image-manifest` for `run`.
        failures: `failures.csv`: processid, objectid, reason, detail, one line per process ID without an image.
        wanted: process IDs asked for.
        fetched: images that this run fetched.
        kept: images that earlier runs had fetched.
        several: process IDs that BOLD has more than one image of; the first by object ID is fetched.
        reasons: failures by reason.
    """

    index: Path
    failures: Path
    wanted: int
    fetched: int
    kept: int
    several: int
    reasons: dict[str, int]

    @property
    def failed(self) -> int:
        """Process IDs whose image exists, as far as is known, but could not be fetched."""
        return sum(count for reason, count in self.reasons.items() if reason != "no_image")


@dataclass(frozen=True, slots=True)
class _Job:
    """One image to fetch, or a failure known beforehand (`reason`)."""

    processid: str
    objectid: str = ""
    reason: str = ""
    detail: str = ""


def fetch_images(
    processids: Sequence[str] | pl.Series, folder: Path, settings: BoldSettings, progress: Progress = silent
) -> FetchedImages:
    """Fetch one image per process ID into a folder, as `{processid}.jpg` (`.png`, `.tif` if it is one).

    Images appear whole or not at all, and existing ones are not fetched again, so the same call resumes
    after a break. Both tables are rewritten when the call ends, also after an error.

    Args:
        processids: any order; each counts once.
        folder: made if absent.
        settings: addresses, pace and patience.
        progress: reports the stage "fetch_images", counted in process IDs.

    Raises:
        BoldError: the store does not answer, or the folder cannot be written.
    """
    wanted = sorted(set(processids))
    run = _Run(folder, settings, progress, wanted)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        kept = run.standing()
        try:
            run.fetch(kept)
        finally:
            files, failures = run.write_tables()
    except OSError as error:
        raise BoldError(f"{folder} cannot be written: {error.strerror or error}; check the folder") from None
    reasons = failures.group_by("reason").len().sort("reason")
    return FetchedImages(
        index=folder / INDEX,
        failures=folder / FAILURES,
        wanted=len(wanted),
        fetched=len(files) - len(kept),
        kept=len(kept),
        several=run.several,
        reasons=dict(reasons.iter_rows()),
    )


class _Run:
    """The state of one call."""

    def __init__(self, folder: Path, settings: BoldSettings, progress: Progress, wanted: Sequence[str]) -> None:
        self._folder = folder
        self._settings = settings
        self._progress = progress
        self._wanted = wanted
        self._failed: list[tuple[str, str, str, str]] = []
        self.several = 0

    def standing(self) -> dict[str, str]:
        """File names by process ID of the images that are already in the folder; an empty file does not count."""
        with os.scandir(self._folder) as entries:
            names = {entry.name for entry in entries if entry.is_file() and entry.stat().st_size}
        return {
            processid: next(filter(names.__contains__, candidates))
            for processid in self._wanted
            if not _unsafe(processid)
            and not names.isdisjoint(candidates := [f"{processid}{suffix}" for suffix in _SUFFIXES])
        }

    def fetch(self, kept: Mapping[str, str]) -> None:
        """Look up and download; failures of single images are noted, those of the store are raised."""
        in_a_row = 0
        done = len(kept)
        self._progress("fetch_images", done, len(self._wanted))
        with Client(self._settings) as client:

            def one(job: _Job) -> BoldError | None:
                return None if job.reason else _fetch_one(client, job, self._folder)

            jobs = self._jobs(client, (processid for processid in self._wanted if processid not in kept))
            with closing(ordered_map(one, jobs, self._settings.parallel_downloads)) as results:
                try:
                    for job, error in results:
                        reason, detail = (error.reason, str(error)) if error else (job.reason, job.detail)
                        if reason:
                            self._failed.append((job.processid, job.objectid, reason, detail))
                        if not job.reason:
                            in_a_row = in_a_row + 1 if reason in _STORE else 0
                        if in_a_row >= self._settings.give_up_after:
                            raise BoldError(f"{in_a_row} images in a row failed, the last one so: {detail}", reason)
                        done += 1
                        self._progress("fetch_images", done, len(self._wanted))
                finally:
                    # Ends the pauses of the threads that are still running.
                    client.stop()

    def write_tables(self) -> tuple[dict[str, str], pl.DataFrame]:
        """Write index and failures, sorted by process ID; neither depends on when or how images were fetched."""
        files = self.standing()
        index = pl.DataFrame(
            list(files.items()), orient="row", schema={"processid": pl.String, "image_file": pl.String}
        ).sort("processid")
        failures = pl.DataFrame(self._failed, orient="row", schema=_FAILURE).sort("processid")
        write_text(self._folder / INDEX, index.write_csv())
        write_text(self._folder / FAILURES, failures.write_csv())
        return files, failures

    def _jobs(self, client: Client, processids: Iterator[str]) -> Iterator[_Job]:
        safe: list[str] = []
        characters = 0
        try:
            for processid in processids:
                if why := _unsafe(processid):
                    yield _Job(processid, reason="unsafe_processid", detail=why)
                    continue
                safe.append(processid)
                characters += len(processid) + 1
                if len(safe) == self._settings.ids_per_call or characters > _LONGEST_ADDRESS:
                    yield from self._look_up(client, safe)
                    safe, characters = [], 0
            yield from self._look_up(client, safe)
        except BoldError:
            # Running downloads are waited for; without this, their pauses would be waited for, too.
            client.stop()
            raise

    def _look_up(self, client: Client, processids: list[str]) -> Iterator[_Job]:
        objects = look_up(client, processids)
        for processid in processids:
            found = sorted(objects.get(processid, ()))
            self.several += len(found) > 1
            if not found:
                yield _Job(processid, reason="no_image", detail="BOLD lists no image of this process ID")
            elif not _OBJECTID.fullmatch(found[0]):
                yield _Job(processid, reason="unsafe_objectid", detail=f"the object ID {found[0][:100]!r} is none")
            else:
                yield _Job(processid, found[0])


def look_up(client: Client, processids: Sequence[str]) -> dict[str, set[str]]:
    """Object IDs of the images of some specimens, as the store lists them; unchecked.

    Args:
        client: the connection.
        processids: checked ones; a list too long for one request is halved until it fits.

    Raises:
        BoldError: the store does not answer, or its answer has another form.
    """
    if not processids:
        return {}
    asked = set(processids)
    try:
        _, answer = client.json(f"{client.settings.images_url}/api/images?processids={','.join(processids)}")
    except BoldError as error:
        if error.status not in _TOO_LONG or len(processids) == 1:
            raise
        middle = len(processids) // 2
        return look_up(client, processids[:middle]) | look_up(client, processids[middle:])
    objects: defaultdict[str, set[str]] = defaultdict(set)
    for processid, objectid in _entries(answer):
        if processid in asked:
            objects[processid].add(objectid)
    return dict(objects)


def _entries(answer: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(answer, list):
        raise BoldError("BOLD's image store answers in a form that this version does not know; report it")
    for entry in answer:
        match entry:
            case {"processid": str(processid), "objectid": str(objectid)}:
                yield processid, objectid
            case _:
                raise BoldError("BOLD's image store lists an image without ids; report it")


def _unsafe(processid: str) -> str:
    """Why a process ID must not become a file name; '' if it may."""
    reason = reason_unfit(processid)
    return f"it {reason}" if reason else ""


def _fetch_one(client: Client, job: _Job, folder: Path) -> BoldError | None:
    """Fetch an image; return the error that prevented it, if any."""

    def read(response: web.Response) -> None:
        refuse_page(response)
        pieces = limited(response, MAX_FILE_BYTES)
        head = b""
        while len(head) < _HEAD and (piece := next(pieces, b"")):
            head += piece
        if not head:
            raise TemporaryError("the image is empty", "truncated")
        suffix, ending = next(((s, end) for magic, s, end in _FORMATS if head.startswith(magic)), ("", b""))
        if not suffix:
            raise BoldError(f"it begins with {head[:_HEAD]!r}: no JPEG, PNG or TIFF", "not_an_image")
        with atomic_file(folder / f"{job.processid}{suffix}") as stream:
            tail = head
            stream.write(head)
            for piece in pieces:
                stream.write(piece)
                tail = (tail + piece)[-2 * web.PIECE :]
            # If the server states no length, only the image itself shows that it is complete.
            if not _framed(response) and ending not in tail:
                raise TemporaryError("the image ends too early", "truncated")

    try:
        client.request(f"{client.settings.images_url}/api/objects/{quote(job.objectid, safe='')}", read)
    except BoldError as error:
        return error
    return None


def _framed(response: web.Response) -> bool:
    """Whether the protocol itself notices a body that breaks off."""
    return "Content-Length" in response.headers or response.headers.get("Transfer-Encoding", "") == "chunked"
