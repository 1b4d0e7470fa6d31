"""Images of specimens as browsers show them: upright, small, as JPEG.

Belongs here: finding the delivered file and scaling it. Does not belong here: decoding (`images.decode`) and boxes.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import polars as pl

from bioscan_etl import landing
from bioscan_etl.desk.corpus import Corpus
from bioscan_etl.errors import BioscanError
from bioscan_etl.images.measure import Box
from bioscan_etl.images.sources import DamagedFile, Sources, open_sources

SIDES = {"thumbs": 96, "crops": 144, "images": 720}
"""Shorter side in pixels, by the name in the address; `crops` show the box with its margin, if there is one."""
_KEPT_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Kept:
    """What written pages keep of an image.

    Attributes:
        jpegs: by size.
        outline: as of `Pictures.mask`; None if it was not asked for, or there is no box.
    """

    jpegs: Mapping[str, bytes]
    outline: dict[str, Any] | None


class Pictures:
    """Reads images of a corpus; may be called from several threads."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._stack = ExitStack()
        self._sources: dict[str, Sources] = {}
        self._kept: OrderedDict[tuple[str, str, str], bytes] = OrderedDict()
        self._bytes = 0
        self._detector: Any = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let go of open archives."""
        self._stack.close()

    def jpeg(self, processid: str, size: str) -> bytes | None:
        """The image of a specimen; None if it has none, or one that cannot be read.

        Args:
            processid: process ID.
            size: a key of `SIDES`.
        """
        rows = self._corpus.rows(pl.Series([processid])).to_dicts()
        if not rows or rows[0]["image_file"] is None:
            return None
        batch, name = rows[0]["image_batch"], rows[0]["image_file"]
        box = None
        if size == "crops" and rows[0]["x0"] is not None:
            box = (rows[0]["x0"], rows[0]["y0"], rows[0]["x1"], rows[0]["y1"])
        key = (batch, name, f"{size} {box}")
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        try:
            data = self._made(batch, name, SIDES[size], box)
        except (BioscanError, DamagedFile, OSError):
            return None
        if data is not None:
            self._keep(key, data)
        return data

    def _made(self, batch: str, name: str, side: int, box: Box | None) -> bytes | None:
        from bioscan_etl.images.crop import crop

        pixels = self._pixels(self._of(batch).read(name))
        if pixels is None:
            return None
        return self._small(pixels if box is None else crop(pixels, box, self._corpus.settings.images), side)

    def _pixels(self, data: bytes) -> Any:
        """The pixels of a file; None if it is no image that can be read."""
        from bioscan_etl.images.decode import UnreadableImage, read_header

        settings = self._corpus.settings.images
        try:
            return read_header(data, settings.max_pixels, settings.bits).decode()
        except UnreadableImage:
            return None

    def _small(self, pixels: Any, side: int) -> bytes:
        from bioscan_etl.images.crop import encode_jpeg, resize_short

        shorter = min(pixels.shape[:2])
        return encode_jpeg(resize_short(pixels, side) if shorter > side else pixels, self._corpus.settings.images)

    def kept(self, row: Mapping[str, Any], sizes: Sequence[str], *, masked: bool) -> Kept | None:
        """What written pages keep of an image, which is decoded once.

        Args:
            row: image_batch, image_file, sha256 of its bytes, box (x0, y0, x1, y1, None without one).
            sizes: keys of `SIDES`, without `crops`.
            masked: also the outline of the specimen within the box, if there is one.

        Returns:
            None if the image cannot be read, or is no longer the one of which the row tells.
        """
        try:
            data = self._of(row["image_batch"]).read(row["image_file"])
        except (BioscanError, DamagedFile, OSError):
            return None
        if hashlib.sha256(data).hexdigest() != row["sha256"] or (pixels := self._pixels(data)) is None:
            return None
        outline = self._outline(row, pixels) if masked and row["x0"] is not None else None
        return Kept({size: self._small(pixels, SIDES[size]) for size in sizes}, outline)

    def mask(self, processid: str) -> dict[str, Any] | None:
        """The outline of a specimen, as today's detector finds it within the box.

        The lake keeps the area of a mask, not the mask, so the image is looked at again.

        Args:
            processid: process ID.

        Returns:
            polygons (each x, y, x, y, … in pixels of the original) and detector; no polygons if none can be drawn; None
            if there is no image with a box, or it cannot be read.
        """
        rows = self._corpus.rows(pl.Series([processid])).to_dicts()
        if not rows or rows[0]["image_file"] is None or rows[0]["x0"] is None:
            return None
        try:
            pixels = self._pixels(self._of(rows[0]["image_batch"]).read(rows[0]["image_file"]))
        except (BioscanError, DamagedFile, OSError):
            return None
        return None if pixels is None else self._outline(rows[0], pixels)

    def _outline(self, row: Mapping[str, Any], pixels: Any) -> dict[str, Any]:
        from bioscan_etl.images.coco import polygons
        from bioscan_etl.images.detect import load_detector
        from bioscan_etl.images.detection import as_drawn

        with self._lock:
            self._detector = self._detector or load_detector(self._corpus.settings.images)
        height, width = pixels.shape[:2]
        box = (row["x0"], row["y0"], row["x1"], row["y1"])
        detection = as_drawn(self._detector.detect(pixels), box, width, height)
        return {"polygons": polygons(detection.mask, box, (width, height)), "detector": self._detector.name}

    def _of(self, batch: str) -> Sources:
        with self._lock:
            if batch not in self._sources:
                landed = landing.load(self._corpus.lake, batch)
                places = [landed.locate(entry.location) for entry in landed.images]
                self._sources[batch] = self._stack.enter_context(open_sources(places))
            return self._sources[batch]

    def _keep(self, key: tuple[str, str, str], data: bytes) -> None:
        with self._lock:
            self._bytes += len(data) - len(self._kept.pop(key, b""))
            self._kept[key] = data
            while self._bytes > _KEPT_BYTES:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= len(dropped)
