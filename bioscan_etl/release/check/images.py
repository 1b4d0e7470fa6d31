"""Are the images of a release there, whole and of the right kind?"""

from __future__ import annotations

import io
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from PIL import Image, UnidentifiedImageError

from bioscan_etl.images.decode import UnreadableImage
from bioscan_etl.images.decode import decode as decode_strictly
from bioscan_etl.progress import Progress
from bioscan_etl.release.check.agreement import Rows
from bioscan_etl.release.check.faults import LISTED, Fault, capped
from bioscan_etl.release.check.files import is_plain, names
from bioscan_etl.release.check.pictures import compare
from bioscan_etl.release.layout import images_name
from bioscan_etl.release.manifest import Manifest, walk
from bioscan_etl.release.rows import with_image
from bioscan_etl.settings import ImageSettings
from bioscan_etl.threads import ordered_map, workers
from bioscan_etl.vocabulary import IMAGE_PACKAGES

SAMPLE = 1000
"""Images of each package that are decoded if not all are."""
# How many times more pixels than an original a crop may have.
_MARGIN = 4
_DUPLICATES = ("EXACT_DUPLICATE_IMAGE", "NEAR_DUPLICATE_IMAGE")
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
    settings: ImageSettings,
    boxes: Callable[[pl.Series], Mapping[str, Sequence[int]]] | None = None,
) -> Iterator[Fault]:
    """One image per row and package, none extra, each decodable and of the same picture.

    Args:
        root: the release's folder.
        manifest: its packages.
        rows: processid, split, chunk, area_fraction of the released specimens.
        images: decode a fixed sample, or all.
        progress: reports the images.
        settings: that the images were made with, as the manifest states them.
        boxes: gives width and height of the original and x0, y0, x1, y1 of the specimens with these process IDs. None:
            the images were made by other code or unknown settings, and the packages are not compared.
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

    known = {} if boxes is None else boxes(listed.filter(pl.col("path").is_in(chosen))["processid"])

    def one(path: str) -> list[Fault]:
        return list(
            _specimen(root, folder, manifest.image_packages, path, paths[path], settings, known, boxes is not None)
        )

    def found_in_images() -> Iterator[Fault]:
        for done, (_, faults) in enumerate(ordered_map(one, chosen, workers(0))):
            progress("check images", done, len(chosen))
            yield from faults

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
    root: Path,
    folder: str,
    packages: Sequence[str],
    path: str,
    processid: str,
    settings: ImageSettings,
    boxes: Mapping[str, Sequence[int]],
    compared: bool,
) -> Iterator[Fault]:
    pictures = {}
    for package in packages:
        name = f"{folder}/{package}/{path}"
        if is_plain(root, name):
            picture, fault = decode((root / name).read_bytes(), package, settings)
            if fault:
                yield Fault(name, processid, fault)
            elif picture is not None:
                pictures[package] = picture
    if compared:
        for package, fault in compare(pictures, boxes.get(processid), settings):
            yield Fault(f"{folder}/{package}/{path}", processid, fault)


def same_bytes(manifest: Manifest, rows: pl.DataFrame, data: Rows) -> Iterator[Fault]:
    """Images that have the bytes of another specimen's, and are not flagged as duplicates.

    Args:
        manifest: sums of the files.
        rows: processid, split, chunk, area_fraction of the released specimens.
        data: flags of the released specimens.
    """
    folder = images_name(names(manifest))
    # Of the same original, all pictures are the same; the largest of them says the most.
    package = next((one for one in IMAGE_PACKAGES if one in manifest.image_packages), None)
    if package is None:
        return
    prefix = f"{folder}/{package}/"
    found = [(entry.path, entry.sha256) for entry in manifest.files if entry.path.startswith(prefix)]
    sums = pl.DataFrame(found, schema={"name": pl.String, "sha256": pl.String}, orient="row")
    twice = sums.filter(pl.col("sha256").is_duplicated())
    if twice.is_empty():
        return
    listed = with_image(rows).select("processid", name=pl.concat_str(pl.lit(prefix), "path"))
    shared = twice.join(listed, on="name", how="inner")
    flagged = [
        piece.filter(pl.any_horizontal(pl.col("flags").list.contains(flag) for flag in _DUPLICATES)).select("processid")
        for piece in data.pieces(("flags",))
    ]
    several = shared.group_by("sha256").agg(owners=pl.col("processid").sort())
    wrong = shared.join(pl.concat(flagged), on="processid", how="anti").join(several, on="sha256", how="inner")
    wrong = wrong.filter(pl.col("owners").list.len() > 1).sort("processid")
    yield from capped(
        Fault(name, processid, f"has the bytes of the image of {others[0]}, and no flag {_DUPLICATES[0]}")
        for name, processid, owners in wrong.select("name", "processid", "owners").iter_rows()
        if (others := [owner for owner in owners if owner != processid])
    )


def decode(data: bytes, package: str, settings: ImageSettings) -> tuple[npt.NDArray[np.uint8] | None, str]:
    """Decode an image of a package, as strictly as the image stage does.

    Args:
        data: the file.
        package: name of the package.
        settings: the shorter side in the *_256 packages, and the most pixels of an original.

    Returns:
        Pixels (height, width, 3) RGB, or None; and what is wrong, or the empty text.
    """
    original = package == ORIGINALS
    fault = ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=_ORIGINALS if original else ["JPEG"]) as image:
                fault = _kind(image, data, package, settings.short_side)
        # A crop can be larger than its original: what lies outside is filled.
        picture = decode_strictly(data, settings.max_pixels * (1 if original else _MARGIN))
    except UnidentifiedImageError:
        return None, "is no image" if original else "is no JPEG image"
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, UnreadableImage) as error:
        return None, "; ".join(filter(None, (fault, f"cannot be decoded: {error}")))
    return (None, fault) if fault else (picture, "")


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
