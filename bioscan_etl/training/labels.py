"""A second triage of annotated images, and where the two labellings agree.

Belongs here: the CSV of a triage, and the rule by which it and the outlines agree on whether there is a specimen
(spec: images, Annotation). Does not belong here: the outlines (`dataset`).

| outline | triage | label |
|---|---|---|
| yes | valid, blurred or fragment | occupied, agreed |
| no | empty | empty, agreed |
| yes | empty or unsorted | disputed |
| no | valid, blurred, fragment or unsorted | disputed |

An image that the triage does not list is agreed: most annotated images are looked at once only.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bioscan_etl.errors import SettingsError

COLUMNS = ("image_file", "annotation", "second_triage")
ANNOTATIONS = ("specimen", "empty")
TRIAGES = ("valid", "blurred", "fragment", "empty", "unsorted")
"""What a triage says of an image; `unsorted`: who sorted left it undecided."""

_SPECIMENS = ("valid", "blurred", "fragment")


@dataclass(frozen=True, slots=True)
class Sorted:
    """A line of a triage.

    Attributes:
        line: its number, the header being 1.
        annotation: one of `ANNOTATIONS`.
        triage: one of `TRIAGES`.
    """

    line: int
    annotation: str
    triage: str


def is_agreed(occupied: bool, triage: str | None) -> bool:
    """Whether both labellings of an image agree.

    Args:
        occupied: a specimen is outlined.
        triage: one of `TRIAGES`; None for an image that no triage lists.

    Example:
        >>> is_agreed(True, "blurred"), is_agreed(True, "empty"), is_agreed(False, "fragment")
        (True, False, False)
    """
    return triage is None or triage in (_SPECIMENS if occupied else ("empty",))


def read_triage(path: Path, occupied: Mapping[str, bool]) -> dict[str, str]:
    """The triage of images by file name.

    Args:
        path: of the CSV, UTF-8; the columns of `COLUMNS`, in any order.
        occupied: by file name, whether a specimen is outlined; the annotated images.

    Returns:
        One of `TRIAGES` for each image that the file lists.

    Raises:
        SettingsError: the file cannot be read, or a line has an unknown value, names no annotated image, contradicts
            the outlines or another line; the message names the line and the column.
    """
    found: dict[str, Sorted] = {}
    for name, one in _lines(path):
        if name not in occupied:
            raise _wrong(path, one.line, "image_file", f"{name!r} is not annotated; remove the line, or annotate it")
        wanted = ANNOTATIONS[0] if occupied[name] else ANNOTATIONS[1]
        if one.annotation != wanted:
            said = f"{one.annotation!r} contradicts the COCO file, by which {name!r} is {wanted!r}"
            raise _wrong(
                path, one.line, "annotation", f"{said}; correct the line, or use the COCO file it was made for"
            )
        known = found.setdefault(name, one)
        if known.triage != one.triage:
            said = f"{one.triage!r} contradicts {known.triage!r} of line {known.line}, for the same image {name!r}"
            raise _wrong(path, one.line, "second_triage", f"{said}; keep one of the lines")
    return {name: one.triage for name, one in found.items()}


def _lines(path: Path) -> list[tuple[str, Sorted]]:
    """File name and triage of each line that is not blank."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SettingsError(f"triage {path} does not exist; check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"triage {path} cannot be read as UTF-8: {error}; save it as UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found = []
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if sorted(header) != sorted(COLUMNS):
            raise SettingsError(
                f"triage {path}, line 1: the columns must be {', '.join(COLUMNS)}, each once; found are {header}"
            )
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            line = reader.line_num
            if len(cells) != len(header):
                raise SettingsError(
                    f"triage {path}, line {line}: {len(cells)} fields instead of {len(header)}; quote names with commas"
                )
            values = dict(zip(header, (cell.strip() for cell in cells), strict=True))
            for column, known in (("annotation", ANNOTATIONS), ("second_triage", TRIAGES)):
                if values[column] not in known:
                    said = f"{values[column]!r} is unknown; write one of {', '.join(known)}"
                    raise _wrong(path, line, column, said)
            found.append((values["image_file"], Sorted(line, values["annotation"], values["second_triage"])))
    except csv.Error as error:
        raise SettingsError(f"triage {path}, line {reader.line_num}: {error}; save it as CSV with commas") from None
    return found


def _wrong(path: Path, line: int, column: str, said: str) -> SettingsError:
    return SettingsError(f"triage {path}, line {line}, column {column}: {said}")
