"""Are the files of a release those of its manifests, byte for byte?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from bioscan_etl.io.paths import real_path
from bioscan_etl.progress import Progress
from bioscan_etl.release.check.faults import Fault, capped
from bioscan_etl.release.core import LOGS
from bioscan_etl.release.layout import csv_name
from bioscan_etl.release.manifest import MANIFEST, MD5SUMS, README, SIGNATURE, Manifest, is_inside, sums, walk
from bioscan_etl.settings import ReleaseSettings
from bioscan_etl.vocabulary import SPLITS

_MD5_LINE = re.compile(r"^([0-9a-f]{32})  (.+)$")


def names(manifest: Manifest) -> ReleaseSettings:
    """The names, forms and packages of a release, as its manifest states them.

    Raises:
        ValidationError: they are not settings of a release.
    """
    stated = manifest.settings.get("release")
    return ReleaseSettings.model_validate(
        {
            **(stated if isinstance(stated, dict) else {}),
            "dataset": manifest.dataset,
            "title": manifest.title,
            "image_packages": manifest.image_packages,
            "hdf5_packages": manifest.hdf5_packages,
        }
    )


def is_plain(root: Path, name: str) -> bool:
    """Whether a path is a file within the release, reached through no link."""
    path = root / name
    return is_inside(name) and path.is_file() and real_path(path) == path


def read(root: Path) -> tuple[Manifest | None, list[Fault]]:
    """Read manifest.json; None if it is not a manifest."""
    if not is_plain(root, MANIFEST):
        return None, [Fault(MANIFEST, None, "missing, or no plain file")]
    try:
        manifest = Manifest.model_validate_json((root / MANIFEST).read_bytes())
        names(manifest)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return None, [Fault(MANIFEST, None, f"no valid manifest: {place + ': ' if place else ''}{first['msg']}")]
    except (OSError, RecursionError) as error:
        return None, [Fault(MANIFEST, None, f"cannot be read: {error}")]
    return manifest, list(_consistent(root, manifest))


def _consistent(root: Path, manifest: Manifest) -> Iterator[Fault]:
    ledger, counts = manifest.ledger, manifest.counts
    if not ledger.balances:
        yield Fault(
            MANIFEST,
            None,
            f"the ledger does not balance: {ledger.rows_read} read, {ledger.specimens} specimens + "
            f"{ledger.quarantined} quarantined + {ledger.set_aside} set aside + {ledger.rejected} rejected",
        )
    for what, total, parts in (
        ("specimens", ledger.specimens, counts.splits),
        ("quarantined", ledger.quarantined, counts.quarantined),
        ("set_aside", ledger.set_aside, counts.set_aside),
        ("rejected", ledger.rejected, counts.rejected),
    ):
        if sum(parts.values()) != total:
            yield Fault(MANIFEST, None, f"{what}: the ledger says {total}, the counts sum to {sum(parts.values())}")
    if set(counts.splits) != set(SPLITS):
        yield Fault(MANIFEST, None, f"counts of splits {sorted(counts.splits)}, not of the eight")
    expected = dict.fromkeys(manifest.image_packages, counts.boxes)
    if counts.images != expected:
        yield Fault(MANIFEST, None, f"counts of images {counts.images}, not {expected}")
    if root.name.startswith("v") and root.name[1:].isdigit() and root.name != manifest.version:
        yield Fault(MANIFEST, None, f"says version {manifest.version}, the folder is {root.name}")


def check(root: Path, manifest: Manifest, progress: Progress) -> Iterator[Fault]:
    """Every file of the manifest is there with its bytes, no other is, and md5sums.txt and README.md agree."""
    stated = {}
    for entry in manifest.files:
        if not is_inside(entry.path):
            yield Fault(MANIFEST, None, f"names {entry.path!r}, which is no path within the release")
        elif entry.path in stated:
            yield Fault(MANIFEST, None, f"names {entry.path!r} twice")
        elif entry.path == MANIFEST:
            yield Fault(MANIFEST, None, "names itself")
        stated[entry.path] = entry
    present = set(walk(root)) - {MANIFEST, SIGNATURE}
    yield from capped(Fault(name, None, "not in manifest.json") for name in sorted(present - set(stated)))
    yield from capped(Fault(name, None, "is missing") for name in sorted(filter(is_inside, set(stated) - present)))
    links = {name for name in present if not is_plain(root, name)}
    yield from capped(Fault(name, None, "is a link or no plain file") for name in sorted(links))
    for name in sorted({csv_name(names(manifest)), *LOGS, README, MD5SUMS} - present):
        yield Fault(name, None, "is missing")
    try:
        found = {one.path: one for one in sums(root, sorted(present - links), "checksums", progress)}
    except OSError as error:
        yield Fault(str(error.filename or "."), None, f"cannot be read: {error.strerror}")
        return
    for name in sorted(set(found) & set(stated)):
        entry, one = stated[name], found[name]
        if one.size != entry.size:
            yield Fault(name, None, f"has {one.size} bytes, manifest.json says {entry.size}")
        elif one.sha256 != entry.sha256:
            yield Fault(name, None, "has another sha256 than manifest.json says")
    digests = {name: one.md5 for name, one in found.items()}
    yield from _md5sums(root, digests)
    yield from _readme(root, digests, csv_name(names(manifest)))


def _md5sums(root: Path, digests: dict[str, str]) -> Iterator[Fault]:
    if MD5SUMS not in digests:
        return
    stated = {}
    try:
        lines = (root / MD5SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        yield Fault(MD5SUMS, None, f"cannot be read: {error}")
        return
    for number, line in enumerate(lines, 1):
        match = _MD5_LINE.match(line)
        if match is None:
            yield Fault(MD5SUMS, None, f"line {number} is no md5 and path")
        elif match.group(2) in stated:
            yield Fault(MD5SUMS, None, f"line {number} names {match.group(2)!r} again")
        else:
            stated[match.group(2)] = match.group(1)
    for name in sorted((set(digests) - {MD5SUMS}) ^ set(stated)):
        yield Fault(MD5SUMS, None, f"{'names' if name in stated else 'does not name'} {name!r}")
    for name in sorted(set(digests) & set(stated)):
        if digests[name] != stated[name]:
            yield Fault(name, None, f"has another md5 than {MD5SUMS} says")


def _readme(root: Path, digests: dict[str, str], csv: str) -> Iterator[Fault]:
    """The card's lines for the published loader name the CSV's md5."""
    if README in digests and csv in digests:
        text = (root / README).read_text(encoding="utf-8", errors="replace")
        if f'"csv_md5": "{digests[csv]}"' not in text:
            yield Fault(README, None, f"does not name the md5 of {csv}: the published loader would refuse it")
