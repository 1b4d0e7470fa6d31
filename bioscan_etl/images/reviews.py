"""Boxes that curators review: which images to review, the sheet that curators fill in, and its validation.

Belongs here: a curator's review of an image. Does not belong here: the outlines made of it (`images.coco`), what
a detector learns from them (`bioscan_etl.training`) and whether it became better (`training.verdict`).
"""

from __future__ import annotations

import csv
import io
import re
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from bioscan_etl.errors import SettingsError
from bioscan_etl.images.measure import FloatBox
from bioscan_etl.printable import printable

VERDICTS = ("box", "empty", "skip")
SHEET = (
    "processid",
    "image_file",
    "batch",
    "status",
    "confidence",
    "width_original",
    "height_original",
    "verdict",
    "x0",
    "y0",
    "x1",
    "y1",
    "curator",
    "date",
)
"""Columns of the sheet. A curator's file needs `_NEEDED` and one of `_NAMING`; it may have the others."""

_NAMING = ("processid", "image_file")
_EDGES = ("x0", "y0", "x1", "y1")
_NEEDED = ("verdict", *_EDGES, "curator", "date")
_ORDER = ("low_confidence", "multiple", "empty", "detected")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")

REVIEWS = pl.Schema(
    {
        "line": pl.Int64(),
        "batch": pl.String(),
        "processid": pl.String(),
        "image_file": pl.String(),
        "width": pl.Int64(),
        "height": pl.Int64(),
        "sha256": pl.String(),
        "verdict": pl.String(),
        **dict.fromkeys(_EDGES, pl.Float64()),
        "curator": pl.String(),
        "date": pl.String(),
    }
)
_CANDIDATE = ("batch", "processid", "image_file", "width_original", "height_original", "sha256", "status", *_EDGES)


def propose_reviews(boxes: pl.DataFrame | pl.LazyFrame, most: int = 200) -> pl.DataFrame:
    """The sheet of images that are worth a curator's review.

    Images of the statuses low_confidence, multiple and empty come first, in equal numbers as long as there are any;
    within a status, the images closest to another status come first. Then come the detected images of the lowest
    confidence. Each picture appears once. Every line has the verdict `skip` and the detector's box, so a line that
    nobody edits has no effect on the training.

    Args:
        boxes: table `boxes` of one or more batches.
        most: number of lines.

    Returns:
        The columns of `SHEET`, sorted by status, confidence and process ID.
    """
    doubt = pl.when(pl.col("status") == "empty").then(-pl.col("confidence")).otherwise("confidence")
    rank = pl.col("status").replace_strict(
        dict(zip(_ORDER, range(4), strict=True)), default=len(_ORDER), return_dtype=pl.Int64
    )
    ordered = (
        boxes.lazy()
        .filter(pl.col("status").is_in(_ORDER) & pl.col("sha256").is_not_null())
        .with_columns(rank=rank, doubt=doubt)
        .sort("rank", "doubt", "processid", "batch", nulls_last=True)
        .unique("sha256", keep="first", maintain_order=True)
        .with_columns(turn=pl.int_range(pl.len()).over("rank"))
        .sort(pl.col("status") == "detected", "turn", "rank")
        .head(most)
        .sort("rank", "turn")
    )
    empty = pl.lit("")
    return (
        ordered.with_columns(pl.col("confidence").round(3), verdict=pl.lit("skip"), curator=empty, date=empty)
        .select(SHEET)
        .collect()
    )


def read_reviews(path: Path, boxes: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
    """Read and validate the curators' CSV.

    A line names an image by `processid`, `image_file` or both, and by `batch` if several batches hold it. The verdict
    is one of three. `box`: the specimen's box is x0, y0, x1, y1, in pixels of the original after EXIF orientation, x1
    and y1 exclusive. `empty`: there is no specimen, and the edges are blank or still those of the detector. `skip`:
    nobody looked or nobody can decide, and the rest of the line is not read. `curator` and `date` (YYYY-MM-DD) record
    who decided.

    Args:
        path: the file, UTF-8; columns in any order, those of `SHEET`.
        boxes: table `boxes` of all batches, to know which images there are.

    Returns:
        `REVIEWS` without the skipped lines, in the order of the file; `line` is the file's, the header being 1.

    Raises:
        SettingsError: the file cannot be read, or a line names no image or an unknown one, has an unknown verdict,
            no box if it needs one, a box beyond its image, or contradicts another; the message names the line.
    """
    lines = _read_lines(path)
    frame = boxes.lazy().select(_CANDIDATE)
    known = pl.concat(
        [
            frame.join(_named(lines, "processid"), on="processid", how="semi"),
            frame.join(_named(lines, "image_file"), on="image_file", how="semi"),
        ]
    )
    rows = known.unique().sort("batch", "processid", "image_file").collect().to_dicts()
    places: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        for name in _NAMING:
            places.setdefault(f"{name} {row[name]}", []).append(row)
    seen: dict[str, int] = {}
    reviews = []
    for line, cells in lines:
        try:
            review = _review(cells, places)
            if review is None:
                continue
            for key, same in (("processid", "the same process ID as"), ("sha256", "the same picture as")):
                if review[key] in seen:
                    raise SettingsError(f"decides on {same} line {seen[review[key]]}; keep one of them")
                seen[review[key]] = line
        except SettingsError as error:
            raise SettingsError(f"reviews {path}, line {line}: {error}") from None
        reviews.append({"line": line, **review})
    return pl.DataFrame(reviews, schema=REVIEWS)


def _read_lines(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Lines that are not blank, with their number and cells by column."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SettingsError(f"reviews {path} do not exist; give the path of the reviewed CSV") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"reviews {path} cannot be read as UTF-8: {error}") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines = []
    try:
        header = [cell.strip() for cell in next(reader, [])]
        unknown = [name for name in header if name not in SHEET or header.count(name) > 1]
        missing = [name for name in _NEEDED if name not in header]
        if unknown or missing or not set(_NAMING) & set(header):
            wanted = f"{', '.join(_NEEDED)} and processid or image_file"
            raise SettingsError(f"reviews {path}, line 1: the columns must be {wanted}, each once; found are {header}")
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                raise SettingsError(
                    f"reviews {path}, line {reader.line_num}: {len(cells)} fields instead of {len(header)}"
                )
            lines.append((reader.line_num, dict(zip(header, (cell.strip() for cell in cells), strict=True))))
    except csv.Error as error:
        raise SettingsError(f"reviews {path}, line {reader.line_num}: {error}") from None
    return lines


def _named(lines: list[tuple[int, dict[str, str]]], column: str) -> pl.LazyFrame:
    names = sorted({cells.get(column, "") for _, cells in lines} - {""})
    return pl.LazyFrame({column: names}, schema={column: pl.String})


def _review(cells: dict[str, str], places: dict[str, list[dict[str, Any]]]) -> dict[str, Any] | None:
    """The review in a line, without the line's number; None if it is skipped."""
    image = _image(cells, places)
    verdict = cells["verdict"]
    if verdict not in VERDICTS:
        raise SettingsError(f"verdict {verdict!r} is none of {', '.join(VERDICTS)}")
    if verdict == "skip":
        return None
    if image["sha256"] is None or image["width_original"] is None:
        raise SettingsError(f"{image['image_file']} is unreadable; its verdict can only be skip")
    edges = _edges(cells, image, verdict)
    if missing := [name for name in ("curator", "date") if not cells[name]]:
        raise SettingsError(f"{', '.join(missing)} is missing")
    if not _is_date(cells["date"]):
        raise SettingsError(f"date {cells['date']!r} is not YYYY-MM-DD")
    return {
        **{name: image[name] for name in ("batch", "processid", "image_file", "sha256")},
        "width": image["width_original"],
        "height": image["height_original"],
        "verdict": verdict,
        **dict(zip(_EDGES, edges or (None,) * 4, strict=True)),
        "curator": cells["curator"],
        "date": cells["date"],
    }


def _image(cells: dict[str, str], places: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """The one image that a line names."""
    given = {name: cells[name] for name in (*_NAMING, "batch") if cells.get(name)}
    naming = [name for name in _NAMING if name in given]
    if not naming:
        raise SettingsError("give processid or image_file")
    found = [
        row
        for row in places.get(f"{naming[0]} {given[naming[0]]}", [])
        if all(row[name] == value for name, value in given.items())
    ]
    told = ", ".join(f"{name} {printable(value)}" for name, value in given.items())
    if not found:
        raise SettingsError(f"no batch has an image of {told}")
    if len(found) > 1:
        batches = ", ".join(sorted({row["batch"] for row in found}))
        raise SettingsError(f"{len(found)} images are of {told} (batches {batches}); give processid, image_file, batch")
    return found[0]


def _edges(cells: dict[str, str], image: dict[str, Any], verdict: str) -> FloatBox | None:
    texts = [cells[name] for name in _EDGES]
    if verdict == "empty" and not any(texts):
        return None
    for name, text in zip(_EDGES, texts, strict=True):
        if not _NUMBER.fullmatch(text):
            raise SettingsError(
                f"{name} {text!r} is no number of pixels; the verdict {verdict} needs "
                + ("all four edges" if verdict == "box" else "blank edges")
            )
    x0, y0, x1, y1 = (float(text) for text in texts)
    if verdict == "empty":
        if (x0, y0, x1, y1) != tuple(image[name] for name in _EDGES):
            raise SettingsError("the verdict is empty, but there is a box of the curator's own; clear one of them")
        return None
    width, height = image["width_original"], image["height_original"]
    if not (0 <= x0 <= x1 - 1 <= width - 1 and 0 <= y0 <= y1 - 1 <= height - 1):
        raise SettingsError(
            f"box {x0:g}, {y0:g}, {x1:g}, {y1:g} is no box within the {width} x {height} px of {image['image_file']}: "
            "x0 < x1 and y0 < y1, in pixels of the original, at least one px wide and high"
        )
    return x0, y0, x1, y1


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
