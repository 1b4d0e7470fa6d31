"""Small JSON files of the lake, written atomically.

Belongs here: reading and writing. Does not belong here: the content of the files.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bioscan_etl.errors import LakeError
from bioscan_etl.io.write import write_text


def read(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file, or None if there is no file.

    Raises:
        LakeError: the file is not a JSON object.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise LakeError(f"{path} is damaged ({type(error).__name__}); delete it and run again") from None
    if not isinstance(found, dict):
        raise LakeError(f"{path} is damaged (not a JSON object); delete it and run again")
    return found


def write(path: Path, value: dict[str, Any]) -> None:
    """Write an object atomically."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def names(folder: Path) -> list[str]:
    """Names of the JSON files in a folder, without suffix, sorted."""
    return sorted(path.stem for path in folder.glob("*.json") if not path.name.startswith("."))
