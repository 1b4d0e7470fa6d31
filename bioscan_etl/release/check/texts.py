"""Are the texts of a release those that its tables and its manifest give?

Belongs here: the data card, the descriptors and the changelog, made again and compared. Does not belong here: the
curators' report (`report`), and whether the manifest itself agrees with the tables (`files`, `tables`).

A text is compared letter by letter where the release was made with the code that is installed. Other versions of this
package may word it otherwise: there only the facts of a text are compared, as far as they are found (`_card_facts`,
`_descriptor_facts`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path
from typing import Any

import polars as pl

from bioscan_etl.io.tables import scan_parquet
from bioscan_etl.release.check.faults import Fault, capped
from bioscan_etl.release.check.files import is_plain, names
from bioscan_etl.release.check.origin import Origin
from bioscan_etl.release.check.strangers import added
from bioscan_etl.release.descriptors import Description, undescribed
from bioscan_etl.release.diff.changelog import CHANGELOG, changelog
from bioscan_etl.release.forms.registry import forms
from bioscan_etl.release.layout import csv_name, images_name
from bioscan_etl.release.manifest import MANIFEST, MD5SUMS, README, FileEntry, Manifest, Sums, read_head
from bioscan_etl.release.readme import readme
from bioscan_etl.release.rows import with_image
from bioscan_etl.release.scan import MOVES
from bioscan_etl.stages.registry import STAGES

_SHOWN = 120
_FIRST = "v1"


def check(root: Path, manifest: Manifest, rows: pl.DataFrame, origin: Origin) -> Iterator[Fault]:
    """Compare every generated text.

    Args:
        root: the release's folder.
        manifest: its manifest.
        rows: processid, split, chunk and area_fraction of the released specimens, in order.
        origin: which code made the release.
    """
    yield from _manifest(root, manifest)
    yield from _card(root, manifest, rows, origin)
    yield from _descriptors(root, manifest, origin)
    yield from _changelog(root, manifest, origin)


def _manifest(root: Path, manifest: Manifest) -> Iterator[Fault]:
    """No key of the manifest is there twice, and md5sums.txt lists the files in its order."""
    twice: list[str] = []

    def keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
        names = [name for name, _ in pairs]
        twice.extend(sorted({name for name in names if names.count(name) > 1}))
        return dict(pairs)

    # A manifest in another layout, such as one line, is one too: it is read already.
    with suppress(ValueError):
        read_head(root, keys)
    yield from capped(Fault(MANIFEST, None, f"has the key {name!r} twice") for name in twice)
    if is_plain(root, MD5SUMS):
        with (root / MD5SUMS).open(encoding="utf-8", errors="replace") as stream:
            listed = [line.rstrip("\n").partition("  ")[2] for line in stream]
        paths = [entry.path for entry in manifest.files if entry.path != MD5SUMS]
        if listed != paths and sorted(listed) == sorted(paths):
            yield Fault(MD5SUMS, None, f"lists the files in another order than {MANIFEST}: publish refuses that")


def _card(root: Path, manifest: Manifest, rows: pl.DataFrame, origin: Origin) -> Iterator[Fault]:
    settings = names(manifest)
    images = with_image(rows)
    ends = [images.filter(pl.col("split") == split)["path"] for split in manifest.counts.splits]
    read = [
        csv_name(settings),
        *(
            f"{images_name(settings)}/{package}/{path}"
            for package in settings.image_packages
            for paths in ends
            for path in (*paths.head(1), *paths.tail(1))
        ),
    ]
    # What is not there is a fault already.
    if not is_plain(root, README) or not all(is_plain(root, name) for name in read):
        return
    text = (root / README).read_text(encoding="utf-8", errors="replace")
    extra, faults = added(manifest, settings, text)
    yield from faults
    expected = readme(
        root,
        version=manifest.version,
        counts=manifest.counts,
        ledger=manifest.ledger,
        images=images,
        settings=settings,
        extra=extra,
        signed=manifest.signature is not None,
    )
    yield from compared(README, text, expected, origin, _card_facts)


def compared(
    name: str, text: str, expected: str, origin: Origin, facts: Callable[[str], dict[str, object]]
) -> Iterator[Fault]:
    """What differs between a text and the one that is made again; of another version's text, only its facts.

    Args:
        name: of the file.
        text: as the release has it.
        expected: as it is made of the release.
        origin: which code made the release.
        facts: finds what a text states, by what it is about.
    """
    if text == expected:
        return
    if origin.is_ours():
        yield from capped(_lines(name, text, expected))
        return
    found, wanted = facts(text), facts(expected)
    for key in sorted(found.keys() & wanted.keys()):
        if found[key] != wanted[key]:
            yield Fault(name, None, f"{key} is {_short(found[key])}; the release itself says {_short(wanted[key])}")


def _lines(name: str, text: str, expected: str) -> Iterator[Fault]:
    found, wanted = text.split("\n"), expected.split("\n")
    for number, (here, there) in enumerate(zip_longest(found, wanted), 1):
        if here != there:
            yield Fault(name, None, f"line {number} is {_short(here)}; made of this release, it is {_short(there)}")
            if len(found) != len(wanted):
                return


def _short(value: object) -> str:
    shown = "no line" if value is None else repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 1]}…"


_CARD_FACTS = (
    re.compile(r"^(pretty_name|license|license_name): (.+)$", re.MULTILINE),
    re.compile(r"^\| (\w+) \| (\d+) \|$", re.MULTILINE),
    re.compile(r"^- ((?:quarantined|set aside|rejected), .+): (\d+)$", re.MULTILINE),
    re.compile(r'^\s+\("(\S+\.jpg)", (\{.+\})\),$', re.MULTILINE),
    re.compile(r"^(Images): (.+)$", re.MULTILINE),
    re.compile(r"^(#) (.+)$", re.MULTILINE),
)
_SENTENCES = {
    "the number of specimens, and of those with an image": re.compile(
        r"^(\d+) specimens, each .*?; (\d+) of them with an image", re.MULTILINE | re.DOTALL
    ),
    "the ledger": re.compile(
        r"(\d+) rows read = (\d+) specimens\s+\+ (\d+) quarantined \+ (\d+) set aside \+ (\d+) rejected"
    ),
}
# Earlier versions wrote texts of the settings as they are, later ones escape Markdown in them.
_ESCAPED = re.compile(r"\\([\\`*<>|\[\]])")


def _card_facts(text: str) -> dict[str, object]:
    """What a data card states: names, licence, numbers, sums, and the files of each split."""
    text = _ESCAPED.sub(r"\1", text)
    found: dict[str, object] = {}
    for pattern in _CARD_FACTS:
        found |= dict(reversed(pattern.findall(text)))
    found |= {what: match.groups() for what, pattern in _SENTENCES.items() if (match := pattern.search(text))}
    front = text.split("\n---\n", 1)[0]
    if configs := re.findall(r"^ *(?:- config_name|- split|path): (.+)$", front, re.MULTILINE):
        found["configs"] = configs
    return found


def _descriptors(root: Path, manifest: Manifest, origin: Origin) -> Iterator[Fault]:
    settings = names(manifest)
    made = None if manifest.provenance is None else _as_made(manifest.provenance.model_dump(mode="json"))
    late, images = undescribed(settings), f"{images_name(settings)}/"
    found = [_sums(one) for one in manifest.files if one.path not in late and not one.path.startswith(images)]
    release = Description(manifest.version, found, manifest.counts, settings, manifest.inputs, made)
    for form in forms().values():
        if form.describe is None:
            continue
        for name, expected in form.describe(release).items():
            if is_plain(root, name):
                text = (root / name).read_text(encoding="utf-8", errors="replace")
                yield from compared(name, text, expected, origin, _descriptor_facts)


def _as_made(provenance: dict[str, Any]) -> dict[str, Any]:
    """The provenance with the stages in the order in which they ran: a manifest sorts its keys."""
    place = {name: number for number, name in enumerate(STAGES)}
    stages = sorted(provenance["corpus"].items(), key=lambda stage: place.get(stage[0], len(place)))
    return provenance | {"corpus": dict(stages)}


def _sums(entry: FileEntry) -> Sums:
    return Sums(path=entry.path, size=entry.size, sha256=entry.sha256, md5="")


_NAMES = ("name", "title", "version", "license", "licenses", "url", "homepage", "citeAs", "creator", "contributors")


def _descriptor_facts(text: str) -> dict[str, object]:
    """What a descriptor states of the release as a whole; of its description, the numbers."""
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    found: dict[str, object] = {name: document[name] for name in _NAMES if name in document}
    if isinstance(description := document.get("description"), str):
        found["description"] = re.findall(r"\d+", description)
    return found


_TITLE = re.compile(r"^# Changes of (v\d+)(?: since (v\d+))?\n")
_RECORDS = re.compile(r"^(\d+) specimens; (v\d+) had (\d+)\.", re.MULTILINE)
_KIND = re.compile(r"^\| (added|removed) \| (\d+) \| (.*) \|$", re.MULTILINE)
_MOVED = re.compile(r"^\| (\w+) \| (\w+) \| ([A-Z_]+) \| (\d+) \|$", re.MULTILINE)


def _changelog(root: Path, manifest: Manifest, origin: Origin) -> Iterator[Fault]:
    """The changelog of a first release is known; that of a later one must agree with the release in its numbers.

    Of a text of another version, what is not found is not compared.
    """
    if not is_plain(root, CHANGELOG):
        yield Fault(CHANGELOG, None, "is missing, or no plain file")
        return
    text = (root / CHANGELOG).read_text(encoding="utf-8", errors="replace")
    if manifest.version == _FIRST:
        if text != changelog(_FIRST, None) and origin.is_ours():
            yield Fault(CHANGELOG, None, "is not that of a first release, which has no changes")
        return
    title = _TITLE.match(text)
    if title is None or title[1] != manifest.version:
        if title is not None or origin.is_ours():
            yield Fault(CHANGELOG, None, f"does not begin with the changes of {manifest.version}")
    elif title[2] is not None:
        this, earlier = (int(name[1:]) for name in title.groups())
        if earlier >= this:
            yield Fault(CHANGELOG, None, f"compares {title[1]} with {title[2]}, which is no earlier version")
        yield from _records(text, title[2], manifest.ledger.specimens, origin)
        if earlier == this - 1 and is_plain(root, MOVES):
            yield from _moved(root, text)


def _records(text: str, earlier: str, specimens: int, origin: Origin) -> Iterator[Fault]:
    """The numbers of specimens before and after, and of those added and removed, add up."""
    records = _RECORDS.search(text)
    if records is None:
        if origin.is_ours():
            yield Fault(CHANGELOG, None, "does not say how many specimens there are")
        return
    now, before = int(records[1]), int(records[3])
    if records[2] != earlier:
        yield Fault(CHANGELOG, None, f"compares with {earlier}, and counts the specimens of {records[2]}")
    if now != specimens:
        yield Fault(CHANGELOG, None, f"says {now} specimens, {MANIFEST} {specimens}")
    kinds = {"added": 0, "removed": 0}
    for kind, count, why in _KIND.findall(text):
        kinds[kind] = int(count)
        reasons = sum(int(part.rsplit(" ", 1)[-1]) for part in why.split("; ") if part[-1:].isdigit())
        if reasons != int(count):
            yield Fault(CHANGELOG, None, f"says {count} {kind}, the reasons sum to {reasons}")
    if now - before != kinds["added"] - kinds["removed"]:
        change = f"{kinds['added']} added and {kinds['removed']} removed"
        yield Fault(CHANGELOG, None, f"says {now} specimens after {before}, which {change} do not give")


def _moved(root: Path, text: str) -> Iterator[Fault]:
    """No more specimens moved between two partitions for one reason than the table of moves lists."""
    section = text.partition("## Moved between partitions\n")[2].partition("\n## ")[0]
    try:
        counts = scan_parquet(root / MOVES).group_by("before", "after", "reason").len().collect()
        listed = {(before, after, reason): count for before, after, reason, count in counts.iter_rows()}
    except (pl.exceptions.PolarsError, OSError, ValueError):
        return
    for before, after, reason, count in _MOVED.findall(section):
        found = listed.get((before, after, reason), 0)
        if reason.startswith("MOVED_") and int(count) > found:
            what = f"{count} specimens moved from {before} to {after} ({reason})"
            yield Fault(CHANGELOG, None, f"says {what}, {MOVES} lists {found}")
