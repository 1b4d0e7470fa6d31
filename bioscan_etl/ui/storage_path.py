"""The path by which Dagster finds its files: their folder's own, or a link to it with a plain name.

Belongs here: which names Dagster cannot take, and the link. Does not belong here: what lies in the folder.

Dagster looks for its configuration by a pattern, so that it finds none in `out[1]` and takes its own defaults. It makes
the database's address (`sqlite:///…`) of the folder without quoting it: `%20` becomes a space, what follows a `?`
counts as options, and the database comes to lie in another folder. SQLite refuses paths of more than 512 bytes.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from bioscan_etl.errors import BioscanError

_LONGEST = 300  # bytes of a folder; a run's database is 60 bytes further down


def storage_path(folder: Path) -> Path:
    """A path to a folder that Dagster can use.

    Args:
        folder: the absolute path of an existing folder.

    Returns:
        The folder itself; if its name does not allow that, a link to it in the folder for temporary files.

    Raises:
        BioscanError: the link cannot be made.
    """
    if _is_plain(folder):
        return folder
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    link = Path(tempfile.gettempdir()) / f"bioscan-etl-{getpass.getuser()}-{name}.dagster"
    if not _is_plain(link):
        raise BioscanError(f"{link.parent}: Dagster needs a plainer path for temporary files; set TMPDIR to another")
    with suppress(FileExistsError):
        link.symlink_to(folder, target_is_directory=True)
    # Anyone may make a link of this name before us.
    if not link.is_symlink() or link.lstat().st_uid != os.getuid() or os.readlink(link) != str(folder):  # noqa: PTH115
        raise BioscanError(
            f"{link} is not the link that Dagster needs; remove it, or set TMPDIR to a folder of your own"
        )
    return link


def _is_plain(folder: Path) -> bool:
    text = str(folder)
    return len(os.fsencode(folder)) <= _LONGEST and all(one.isalnum() or one in "/._- " for one in text)
