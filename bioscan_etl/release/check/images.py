"""Are the images of a release there, whole and of the right kind?"""

from __future__ import annotations

import io
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
import polars as pl
from PIL import Image, UnidentifiedImageError

from bioscan_etl.progress import Progress
from bioscan_etl.release.check.faults import LISTED, Fault, capped
from bioscan_etl.release.check.files import is_plain, names
from bioscan_etl.release.layout import images_name
from bioscan_etl.release.manifest import Manifest, walk
from bioscan_etl.release.rows import with_image

SAMPLE = 200
SHORT_SIDE = 256
"""Shorter side in the *_256 packages, in px, if the manifest does not state images.short_side."""
# Mean difference of grey, 0 to 255, at 32 x 32: resizing and JPEG stay below 3, another specimen's crop far above.
_SAME_PICTURE = 10.0
ORIGINALS = "original_full"
# Their bytes are the imager's: what the image stage reads.
_ORIGINALS = ("JPEG", "PNG", "TIFF")
_END_OF_JPEG = b"\xff\xd9"


def check(
    root: Path,
    manifest: Manifest,
    rows: pl.DataFrame,
    images: Literal["sample", "all"],
    progress: Progress,
    short_side: int = SHORT_SIDE,
) -> Iterator[Fault]:
    """One image per row and package, none extra, each decodable.

    Args:
        root: the release's folder.
        manifest: its packages.
        rows: processid, split, chunk, area_fraction of the released specimens.
        images: decode a fixed sample, or all.
        progress: reports the images.
        short_side: px of the shorter side in the *_256 packages, as the manifest states images.short_side.
    """
    folder = images_name(names(manifest))
    listed = with_image(rows).select("processid", "path").sort("path")
    paths = dict(zip(listed["path"], listed["processid"], strict=True))
    found = set(walk(root / folder)) if (root / folder).is_dir() else set()
    expected = {f"{package}/{path}": one for package in manifest.image_packages for path, one in paths.items()}
    yield from capped(
        Fault(f"{folder}/{name}", None, "no specimen of data has an image here")
        for name in sorted(found - set(expected))
    )
    yield from capped(
        Fault(f"{folder}/{name}", expected[name], "the image is missing") for name in sorted(set(expected) - found)
    )
    chosen = list(paths) if images == "all" else sample(list(paths))

    def found_in_images() -> Iterator[Fault]:
        for done, path in enumerate(chosen):
            progress("check images", done, len(chosen))
            yield from _specimen(root, folder, manifest.image_packages, path, paths[path], short_side)

    yield from _few(found_in_images())
    progress("check images", len(chosen), len(chosen))


def _few(faults: Iterable[Fault]) -> Iterator[Fault]:
    """At most `LISTED` faults in the same words, and how many more there are: a setting can be wrong for all images."""
    counts: Counter[str] = Counter()
    for fault in faults:
        counts[fault.fault] += 1
        if counts[fault.fault] <= LISTED:
            yield fault
        last = fault.file
    for words, count in counts.items():
        if count > LISTED:
            yield Fault(last, None, f"and {count - LISTED} more of the same kind: {words}")


def sample(paths: Sequence[str]) -> list[str]:
    """At most `SAMPLE` paths, evenly spread, the first and the last among them; the same for the same paths."""
    if len(paths) <= SAMPLE:
        return list(paths)
    return [paths[round(n * (len(paths) - 1) / (SAMPLE - 1))] for n in range(SAMPLE)]


def _specimen(
    root: Path, folder: str, packages: Sequence[str], path: str, processid: str, short_side: int
) -> Iterator[Fault]:
    pictures = {}
    for package in packages:
        name = f"{folder}/{package}/{path}"
        if is_plain(root, name):
            picture, fault = decode((root / name).read_bytes(), package, short_side)
            if fault:
                yield Fault(name, processid, fault)
            elif picture is not None:
                pictures[package] = picture
    if {"cropped", "cropped_256"} <= set(pictures):
        grey = [
            cv2.resize(cv2.cvtColor(pictures[package], cv2.COLOR_RGB2GRAY), (32, 32), interpolation=cv2.INTER_AREA)
            for package in ("cropped", "cropped_256")
        ]
        if np.abs(grey[0].astype(np.float64) - grey[1]).mean() > _SAME_PICTURE:
            yield Fault(f"{folder}/cropped_256/{path}", processid, "is not the picture in cropped")


def decode(jpeg: bytes, package: str, short_side: int = SHORT_SIDE) -> tuple[npt.NDArray[np.uint8] | None, str]:
    """Decode an image of a package.

    Args:
        jpeg: the file.
        package: name of the package.
        short_side: px of the shorter side in the *_256 packages.

    Returns:
        Pixels (height, width, 3) RGB, or None; and what is wrong, or the empty text.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(jpeg), formats=_ORIGINALS if package == ORIGINALS else ["JPEG"]) as image:
                image.load()
                fault = _kind(image, jpeg, package, short_side)
                return (None, fault) if fault else (np.asarray(image), "")
    except UnidentifiedImageError:
        return None, "is no image" if package == ORIGINALS else "is no JPEG image"
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        return None, f"cannot be decoded: {error}"


def _kind(image: Image.Image, jpeg: bytes, package: str, short_side: int) -> str:
    width, height = image.size
    faults = []
    if package != ORIGINALS:
        if image.mode != "RGB":
            faults.append(f"is {image.mode}, not RGB")
        if "progressive" in image.info:
            faults.append("is a progressive JPEG, not a baseline one")
        if not jpeg.endswith(_END_OF_JPEG):
            faults.append("does not end as a JPEG")
        if image.getexif():
            faults.append("holds EXIF data")
    if package.endswith("_256") and min(width, height) != short_side:
        faults.append(f"is {width} x {height}, its shorter side not {short_side} (images.short_side)")
    return "; ".join(faults)
