"""Small JSON files of the lake: read without ever failing on one that is damaged, written whole.

Belongs here: the reading and writing. Does not belong here: what the files say.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bioscan_etl.errors import LakeError
from bioscan_etl.io.write import write_text


def read(path: Path) -> dict[str, Any] | None:
    """The object in a file, or None where there is no file.

    Raises:
        LakeError: there is something that is no JSON object.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise LakeError(f"{path} is damaged ({type(error).__name__}); delete it and run again") from None
    if not isinstance(found, dict):
        raise LakeError(f"{path} is damaged (no object); delete it and run again")
    return found


def write(path: Path, value: dict[str, Any]) -> None:
    """Write an object, in one step."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def names(folder: Path) -> list[str]:
    """Names of the JSON files in a folder, without suffix, sorted."""
    return sorted(path.stem for path in folder.glob("*.json") if not path.name.startswith("."))
