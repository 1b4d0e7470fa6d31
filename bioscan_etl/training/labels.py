"""A second triage of annotated images, and where the two labellings agree.

Belongs here: the CSV of a triage, and the rule by which it and the outlines agree on whether there is a specimen
(spec: specimen images, annotation). Does not belong here: the outlines (`dataset`).

| outline | triage | label |
|---|---|---|
| yes | valid, blurred or fragment | occupied, agreed |
| no | empty | empty, agreed |
| yes | empty or unsorted | disputed |
| no | valid, blurred, fragment or unsorted | disputed |

An image that the triage does not list is agreed: most annotated images are looked at once only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bioscan_etl.training.lines import read_lines, wrong

COLUMNS = ("image_file", "annotation", "second_triage")
ANNOTATIONS = ("specimen", "empty")
TRIAGES = ("valid", "blurred", "fragment", "empty", "unsorted")
"""What a triage says of an image; `unsorted`: who sorted left it undecided."""

_SPECIMENS = ("valid", "blurred", "fragment")


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


def may_be_seen(occupied: bool, triage: str | None) -> bool:
    """Whether a disputed image must not be reported empty: a specimen is outlined, and who sorted left it undecided.

    Half of them are blurs at the wall of the well.

    Args:
        occupied: a specimen is outlined.
        triage: as in `is_agreed`.
    """
    return occupied and triage == "unsorted"


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
    known: dict[str, tuple[int, str]] = {}
    for line, cells in read_lines(path, "triage", COLUMNS):
        name, annotation, triage = (cells[column] for column in COLUMNS)
        for column, values in (("annotation", ANNOTATIONS), ("second_triage", TRIAGES)):
            if cells[column] not in values:
                said = f"{cells[column]!r} is unknown; write one of {', '.join(values)}"
                raise wrong(path, "triage", line, column, said)
        if name not in occupied:
            said = f"{name!r} is not annotated; remove the line, or annotate the image"
            raise wrong(path, "triage", line, "image_file", said)
        wanted = ANNOTATIONS[0] if occupied[name] else ANNOTATIONS[1]
        if annotation != wanted:
            said = f"{annotation!r} contradicts the COCO file, by which {name!r} is {wanted!r}"
            way = "correct the line, or use the COCO file that it was made for"
            raise wrong(path, "triage", line, "annotation", f"{said}; {way}")
        first, other = known.setdefault(name, (line, triage))
        if other != triage:
            said = f"{triage!r} contradicts {other!r} of line {first}, for the same image {name!r}"
            raise wrong(path, "triage", line, "second_triage", f"{said}; keep one of the lines")
    return {name: triage for name, (_, triage) in known.items()}
