"""Does a descriptor of a release describe the files that are there, and agree with the settings?

Belongs here: what the checks of all descriptors share. Does not belong here: where each descriptor has them; the form's
own module reads that.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from bioscan_etl.release.check.faults import Fault
from bioscan_etl.release.check.files import is_plain
from bioscan_etl.release.check.view import View
from bioscan_etl.release.descriptors import described, undescribed
from bioscan_etl.release.manifest import Sums

Place = tuple[str | int, ...]
"""Keys and positions that lead to a value of a JSON document."""


def check_descriptor(
    view: View,
    name: str,
    files: Callable[[Any], Iterable[tuple[str, str]]],
    texts: Mapping[str, Place],
) -> Iterator[Fault]:
    """Check that a descriptor has the release's files, each with its sha256, and the texts of the settings.

    Args:
        view: the release.
        name: of the descriptor.
        files: path and sha256 of the files that a document describes.
        texts: place of its text by setting; a document without the place is of another version.
    """
    if not is_plain(view.root, name):
        yield Fault(name, None, "is missing, or no plain file")
        return
    try:
        document = json.loads((view.root / name).read_bytes())
        found = dict(files(document))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        yield Fault(name, None, f"is no descriptor: {error!r}")
        return
    late = undescribed(view.settings)
    sums = (
        Sums(path=one.path, size=one.size, sha256=one.sha256, md5="")
        for one in view.manifest.files
        if one.path not in late
    )
    listed = {one.path: one.sha256 for one in described(sums, view.settings)}
    for path in sorted(set(found) ^ set(listed)):
        yield Fault(name, None, f"{'names' if path in found else 'does not name'} {path!r}")
    for path in sorted(set(found) & set(listed)):
        if found[path] != listed[path]:
            yield Fault(name, None, f"states another sha256 of {path!r} than manifest.json")
    for setting, place in texts.items():
        text, stated = _at(document, place), view.stated
        if setting in stated and isinstance(text, str) and text != stated[setting]:
            yield Fault(name, None, f"says {text[:100]!r}; {setting} is {stated[setting][:100]!r}")


def _at(document: Any, place: Place) -> Any:
    for key in place:
        if isinstance(key, str) and isinstance(document, Mapping):
            document = document.get(key)
        elif isinstance(key, int) and isinstance(document, list) and len(document) > key:
            document = document[key]
        else:
            return None
    return document
