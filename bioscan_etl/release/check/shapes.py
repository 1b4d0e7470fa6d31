"""Do the Parquet files of a folder have the rows and row groups that the settings state?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from bioscan_etl.io.tables import parquet_metadata
from bioscan_etl.release.check.faults import Fault, capped
from bioscan_etl.release.check.files import is_plain
from bioscan_etl.release.check.settings_stated import Stated
from bioscan_etl.release.check.tables import UNREADABLE, files_of


def check_shapes(root: Path, folder: str, per_shard: str, per_group: str, stated: Stated) -> Iterator[Fault]:
    """Parquet files and row groups of another size than stated; the last of a partition or file may be smaller.

    Args:
        root: the release's folder.
        folder: of `<split>-NNNNN-of-NNNNN.parquet`.
        per_shard: setting of the rows of a file.
        per_group: setting of the rows of a row group.
        stated: the settings.
    """
    yield from capped(_shapes(root, folder, per_shard, per_group, stated))


def _shapes(root: Path, folder: str, per_shard: str, per_group: str, stated: Stated) -> Iterator[Fault]:
    shapes = {}
    for name in files_of(root, folder):
        if not is_plain(root, name):
            continue
        try:
            metadata = parquet_metadata(root / name)
            groups = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
        except UNREADABLE:
            continue
        shapes[name] = groups
        if per_group in stated:
            rows = stated[per_group]
            if any(group != rows for group in groups[:-1]) or any(group > rows for group in groups[-1:]):
                yield Fault(name, None, f"has row groups of {max(groups)} rows; {stated.shown(per_group)}")
    if per_shard in stated:
        rows = stated[per_shard]
        for name, groups in shapes.items():
            if sum(groups) > rows:
                yield Fault(name, None, f"has {sum(groups)} rows; {stated.shown(per_shard)}")
        for name, following in pairwise(shapes):
            if name.rsplit("-", 3)[0] == following.rsplit("-", 3)[0] and sum(shapes[name]) < rows:
                yield Fault(name, None, f"has {sum(shapes[name])} rows, and is not the last; {stated.shown(per_shard)}")
