"""Which picture each specimen gets, its file name, and what is planted among the files.

Belongs here: planting defects of images and writing the image sources. Does not belong here: drawing
(`bioscan_etl.demo.images`).
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from bioscan_etl.demo.draft import BATCHES, Draft, Truth
from bioscan_etl.demo.images import Rendering, Studio, as_jpeg, as_png, as_turned_jpeg, nearly_same
from bioscan_etl.demo.insects import Look
from bioscan_etl.demo.looks import looks
from bioscan_etl.demo.wrong_pairs import exchanged_pictures
from bioscan_etl.progress import Progress

FOLDER, ARCHIVE, MANIFEST = "images", "images.zip", "image_manifest.csv"
_ZIPPED, _LISTED = 1, 2
_WELLS = 16
_WINDOW = 64
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)

# Planted kind: the fault that the studio renders.
_PICTURES = {
    "empty_well": "empty_well",
    "two_specimens": "two_specimens",
    "touches_border": "cut_off",
    "blurred": "blurred",
    "badly_exposed": "dark",
    "fragment": "fragment",
    "hard_image": "hard",
}
_FILES: dict[str, Callable[[Rendering], bytes]] = {
    "image_text": lambda _: b"404 Not Found\nThe image server could not find the object.\n",
    "image_truncated": lambda taken: (whole := as_jpeg(taken.pixels))[: len(whole) // 3],
    "image_zero_bytes": lambda _: b"",
    "image_turned": lambda taken: as_turned_jpeg(taken.pixels),
    "image_png": lambda taken: as_png(taken.pixels),
    "near_copy": lambda taken: as_jpeg(nearly_same(taken.pixels), 82),
}
_NOT_FOR_RELEASE = ("empty_well", "two_specimens", "image_text", "image_truncated", "image_zero_bytes")


@dataclass(frozen=True, slots=True)
class Picture:
    """An image file to be made: batch, name, its specimen, the specimen that it shows, with its look, and a fault."""

    batch: int
    name: str
    processid: str
    shown: int
    look: Look
    fault: str = ""


@dataclass(frozen=True, slots=True)
class _Choice:
    """Which specimens' pictures are faulty: `fault` by specimen, `kind` if it has another name, and so on."""

    fault: dict[int, str]
    kind: dict[int, str]
    shown: dict[int, int]
    promised: frozenset[int]
    without: frozenset[int]
    twice: list[int]


def _choose(draft: Draft) -> _Choice:
    """Take the specimens; those that have to be of one batch first, while there are enough."""
    alone = draft.alone
    promised = draft.take(draft.rate, alone & (draft.batch == _LISTED))
    # A file of another suffix belongs to a specimen only if a manifest says so.
    fault = dict.fromkeys(draft.take(draft.rate, alone & (draft.batch == _LISTED)), "image_png")
    twice = draft.take(draft.rate, alone & (draft.batch == 0))
    for name in (*_PICTURES, "image_text", "image_truncated", "image_zero_bytes", "image_turned"):
        fault |= dict.fromkeys(draft.take(draft.rate, alone), name)
    kind, shown = dict(fault), {}
    for name, copy in (("exact_duplicate_image", ""), ("near_duplicate_image", "near_copy")):
        chosen = draft.take(2 * draft.rate, alone)
        for first, second in zip(chosen[::2], chosen[1::2], strict=True):
            shown[second], fault[second] = first, copy
            kind |= {first: name, second: name}
    without = draft.take(len(BATCHES) * draft.rate, alone, some=True)
    draft.picture_of = exchanged_pictures(draft, {*kind, *promised, *twice, *without})
    shown |= draft.picture_of
    kind |= dict.fromkeys(draft.picture_of, "wrong_image")
    return _Choice(fault, kind, shown, frozenset(promised), frozenset(without), twice)


def plan_images(draft: Draft) -> tuple[list[Picture], list[tuple[str, str]]]:
    """Plant the defects of images and name every file.

    Returns:
        The pictures of all batches, and the manifest's rows (processid, image file) of the batch that has one.
    """
    choice = _choose(draft)
    (rng,) = draft.rng.spawn(1)
    of_cluster = looks(rng, draft.taxonomy)

    def look(specimen: int) -> Look:
        return of_cluster[int(draft.cluster[specimen])]

    pictures: list[Picture] = []
    manifest: list[tuple[str, str]] = []
    processids = draft.specimens["processid"].to_list()
    numbers = draft.specimens["number"].to_list()
    absent = choice.without | choice.promised
    for specimen in np.argsort(draft.specimens["number"].to_numpy()).tolist():
        batch, processid = int(draft.batch[specimen]), processids[specimen]
        name = BATCHES[batch].image_name.format(pid=processid, number=numbers[specimen])
        fault = choice.fault.get(specimen, "")
        if fault == "image_png":
            name = str(Path(name).with_suffix(".png"))
        if specimen not in choice.without and batch == _LISTED:
            manifest.append((processid, name))
        if specimen not in absent:
            shown = choice.shown.get(specimen, specimen)
            pictures.append(Picture(batch, name, processid, shown, look(shown), fault))
        _note(draft, choice, specimen, name)
    pictures += _stray_files(draft, choice.twice, processids, look)
    return sorted(pictures, key=lambda picture: (picture.batch, picture.name)), manifest


def _note(draft: Draft, choice: _Choice, specimen: int, name: str) -> None:
    """Note what is wrong with a specimen's picture, if anything."""
    batch = int(draft.batch[specimen])
    kinds = [choice.kind[specimen]] if specimen in choice.kind else []
    if specimen in choice.promised:
        kinds.append("image_missing")
    if choice.fault.get(specimen) in _NOT_FOR_RELEASE:
        kinds.append("image_status")
    draft.truths += [Truth(kind, specimen=specimen, batch=batch, image_file=name) for kind in kinds]
    if specimen in choice.without or specimen in choice.promised:
        draft.note("no_image", specimen)


def _stray_files(
    draft: Draft, twice: Sequence[int], processids: Sequence[str], look: Callable[[int], Look]
) -> list[Picture]:
    """Files that belong to no specimen, files that come twice, and one whose path leads out of its archive."""
    strays = []
    for number in range(draft.rate):
        name = f"QDNONE{number + 1:03d}-22.jpg"
        strays.append(Picture(0, name, "", number, look(number)))
        draft.truths.append(Truth("image_no_record", batch=0, image_file=name))
        name = f"../../escape{number + 1}.jpg"
        strays.append(Picture(_ZIPPED, name, "", number, look(number)))
        draft.truths.append(Truth("image_unsafe_name", batch=_ZIPPED, image_file=name))
    for specimen in twice:
        name = f"{processids[specimen]}.1024px.jpg"
        strays.append(Picture(0, name, processids[specimen], specimen, look(specimen)))
        # The first name counts as the specimen's image, so the other file is the second one.
        second = max(name, f"{processids[specimen]}.jpg")
        draft.truths.append(Truth("image_duplicate", specimen=specimen, batch=0, image_file=second))
    return strays


def _take(studio: Studio, seed: int, picture: Picture) -> tuple[Picture, bytes, Rendering]:
    rng = np.random.default_rng([seed, 21, picture.shown])
    taken = studio.render(rng, _PICTURES.get(picture.fault, ""), picture.look)
    develop = _FILES.get(picture.fault)
    return picture, develop(taken) if develop else as_jpeg(taken.pixels), taken


def write_images(
    pictures: Sequence[Picture], manifest: Sequence[tuple[str, str]], landing: Path, seed: int, progress: Progress
) -> pl.DataFrame:
    """Draw and write every image file, and the manifest.

    Returns:
        batch, image_file, processid, x0, y0, x1, y1, area, specimens: the true box of each readable image,
        null in an empty well; `area` in px of the organism.
    """
    boxes = []
    with zipfile.ZipFile(landing / BATCHES[_ZIPPED].name / ARCHIVE, "w") as archive:
        for number in {picture.batch for picture in pictures} - {_ZIPPED}:
            (landing / BATCHES[number].name / FOLDER).mkdir()
        for done, (picture, content, taken) in enumerate(drawn(pictures, seed), start=1):
            name = BATCHES[picture.batch].name
            if picture.batch == _ZIPPED:
                # A stray name must leave the archive's own order and dates as they are.
                archive.writestr(zipfile.ZipInfo(picture.name, _ZIP_DATE), content)
            else:
                (landing / name / FOLDER / picture.name).write_bytes(content)
            if picture.fault not in {"image_text", "image_truncated", "image_zero_bytes"}:
                boxes.append(_true_box(name, picture, taken))
            if done % _WINDOW == 0 or done == len(pictures):
                progress("draw images", done, len(pictures))
    if manifest:
        pl.DataFrame(manifest, schema=["processid", "image_file"], orient="row").write_csv(
            landing / BATCHES[_LISTED].name / MANIFEST
        )
    corners = dict.fromkeys(("x0", "y0", "x1", "y1", "area", "specimens"), pl.Int32)
    schema = {"batch": pl.String, "image_file": pl.String, "processid": pl.String, **corners}
    return pl.DataFrame(boxes, schema=schema, orient="row")


def _true_box(batch: str, picture: Picture, taken: Rendering) -> tuple[object, ...]:
    corners: tuple[int | None, ...] = (None,) * 4
    if taken.box:
        x0, y0, x1, y1 = taken.box
        # The second take of a near copy has moved by a pixel.
        moved = int(picture.fault == "near_copy")
        corners = (x0 + moved, y0, x1 + moved, y1)
    return batch, picture.name, picture.processid or None, *corners, taken.area, taken.specimens


def drawn(pictures: Sequence[Picture], seed: int) -> Iterator[tuple[Picture, bytes, Rendering]]:
    """Pictures in their order with the bytes of their files, drawn by a few threads, never more than a window ahead."""
    # A well takes longer to draw than its specimen.
    take = partial(_take, Studio(seed, min(_WELLS, 2 + len(pictures) // 8)), seed)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for start in range(0, len(pictures), _WINDOW):
            yield from pool.map(take, pictures[start : start + _WINDOW])
