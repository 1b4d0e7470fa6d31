"""The difference of two releases in words: changelog.md of a release, and the lines of `bioscan-etl diff`.

Belongs here: what is said of the counts. Does not belong here: counting (`release.diff`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import polars as pl

from bioscan_etl.errors import SourceError
from bioscan_etl.io.write import write_text
from bioscan_etl.progress import Progress, silent
from bioscan_etl.release.diff import compare as diff
from bioscan_etl.release.diff.compare import Difference
from bioscan_etl.release.scan import Head, release_tables, scan_release
from bioscan_etl.rules import Rule, registry

CHANGELOG = "changelog.md"
# The first part of a reason, where it is no rule.
WORDS: Mapping[str, str] = MappingProxyType(
    {
        "new": "no row of the release before has it",
        "gone": "no row of this release has it",
        "quarantined": "a gate holds it in the other release",
        "set_aside": "another row stands for it in the other release",
        "rejected": "its row could not be read in the other release",
        "RECOMPUTED": "the protocol bioscan-5m assigns all partitions anew",
        "UNLISTED": "the protocol lists its moves, but not this one: report it",
        "delivered": "BOLD delivers something else",
        "undone": "a rule that had changed the value no longer does",
        "derived": "follows from images, rules or other values",
        "with_record": "its specimen came or went",
        "package": "the package came or went",
        "image": "the specimen had no such image, or has none now",
        "bytes": "the image has other bytes",
    }
)
_SHOWN = 50
_SHORT = 60


def changelog(version: str, found: Difference | None, note: str = "") -> str:
    """Markdown of a release's changelog.

    Args:
        version: of the release.
        found: how it differs from the version before; None for a first release, or one that cannot be compared.
        note: what is said instead where it is None.
    """
    if found is None:
        return f"# Changes of {version}\n\n{note or 'The first release.'}\n"
    lines = [
        f"# Changes of {version} since {found.before}",
        "",
        f"{found.records_after} specimens; {found.before} had {found.records_before}. `bioscan-etl diff` lists every "
        "difference by process ID.",
        "",
    ]
    if found.is_empty:
        lines += ["Both hold the same specimens, values and images.", ""]
        return "\n".join(lines)
    lines += _table(("what", "specimens", "why"), _kinds(found))
    for title, columns, rows in _sections(found):
        lines += [f"## {title}", "", *_table(columns, rows)]
    if found.uncompared:
        names = ", ".join(f"`{name}`" for name in found.uncompared)
        lines += [f"Not compared, for one of the two releases lacks them: {names}.", ""]
    lines += ["## Reasons", "", *_table(("reason", "meaning"), list(_meanings(found)))]
    return "\n".join(lines)


def lines(found: Difference, shown: int = 5) -> list[str]:
    """What the terminal shows of a comparison.

    Args:
        found: the comparison.
        shown: pairs of values that are shown per field.
    """
    told = [
        f"{found.before} -> {found.after}: {found.records_before:,} specimens before, {found.records_after:,} after"
    ]
    for kind, records in found.records.items():
        told.append(f"{kind:<14} {records:>10,}")
        rows = found.reasons.filter(pl.col("kind") == kind)
        for field in rows["field"].unique(maintain_order=True):
            mine = rows.filter(pl.col("field") == field)
            why = ", ".join(f"{reason} {count:,}" for reason, count in mine.select("reason", "rows").iter_rows())
            told.append(f"  {field:<26} {why}")
            pairs = found.values.filter(pl.col("kind") == kind, pl.col("field") == field)
            for before, after, reason, count in (
                pairs.select("before", "after", "reason", "rows").head(shown).iter_rows()
            ):
                told.append(f"    {_plain(before)} -> {_plain(after)}  {reason} {count:,}")
            if pairs.height > shown:
                told.append(f"    … and {pairs.height - shown:,} more pairs of values")
    if found.is_empty:
        told.append("no difference")
    if found.uncompared:
        told.append(f"not compared, for one release lacks them: {', '.join(found.uncompared)}")
    return told


def write_changelog(
    root: Path,
    *,
    head: Head,
    files: pl.LazyFrame,
    previous: Path | None,
    progress: Progress = silent,
) -> None:
    """Write changelog.md of a release whose metadata, logs and images are there.

    Args:
        root: the release's folder.
        head: what its manifest will say.
        files: path and sha256 of its files, text.
        previous: folder of the version before, or None.
        progress: told of the records compared.

    Raises:
        SourceError: a file of either release is damaged.
    """
    if previous is None:
        text = changelog(head.version, None)
    else:
        try:
            before = scan_release(previous)
        except SourceError:
            # Old versions may be thrown away to save space; that must not keep a new one from being made.
            text = changelog(
                head.version, None, f"The version before, {previous.name}, is no longer there to compare with."
            )
        else:
            after = release_tables(root, head, files)
            text = changelog(head.version, diff.compare(before, after, progress=progress))
    write_text(root / CHANGELOG, text)


def _kinds(found: Difference) -> list[tuple[str, ...]]:
    """One row per kind: records, and rows by reason."""
    rows: list[tuple[str, ...]] = []
    for kind, records in found.records.items():
        mine = found.reasons.filter(pl.col("kind") == kind).group_by("reason").agg(pl.col("rows").sum())
        mine = mine.sort("rows", "reason", descending=[True, False])
        why = "; ".join(f"{reason} {count}" for reason, count in mine.iter_rows())
        rows.append((kind, str(records), why))
    return rows


def _sections(found: Difference) -> Iterator[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    """Title, columns and rows of each table."""
    moved = found.values.filter(pl.col("kind") == "moved")
    if moved.height:
        rows = [tuple(map(_cell, row)) for row in moved.select("before", "after", "reason", "rows").iter_rows()]
        yield "Moved between partitions", ("from", "to", "reason", "specimens"), rows
    labels = found.values.filter(pl.col("kind") == "relabelled")
    if labels.height:
        chosen = labels.select("field", "before", "after", "reason", "rows")
        rows = [
            tuple(map(_cell, row)) for row in chosen.group_by("field", maintain_order=True).head(_SHOWN).iter_rows()
        ]
        title = "Relabelled" + ("" if len(rows) == labels.height else f" (the {_SHOWN} commonest pairs of each rank)")
        yield title, ("rank", "before", "after", "reason", "specimens"), rows
    for kinds, title, unit in (
        (("changed",), "Other fields", "specimens"),
        (("image_added", "image_removed", "image_changed"), "Images", "images"),
    ):
        chosen = found.reasons.filter(pl.col("kind").is_in(kinds)).select("kind", "field", "reason", "rows")
        if chosen.height:
            yield title, ("what", "field", "reason", unit), [tuple(map(_cell, row)) for row in chosen.iter_rows()]


def _meanings(found: Difference) -> Iterator[tuple[str, str]]:
    """Each word and rule that occurs among the reasons, and what it says."""
    known: Mapping[str, Rule] = registry()
    parts = {part for reason in found.reasons["reason"] for part in reason.replace("+", ":").split(":")}
    words = [word for word in WORDS if word in parts]
    yield from ((word, WORDS[word]) for word in words)
    for part in sorted(parts - set(words)):
        rule = known.get(part, known.get(part.upper()))
        if rule is not None:
            yield part, _cell(rule.statement)


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    right = {"specimens", "images"}
    rule = "|".join("---:" if name in right else "---" for name in columns)
    return [f"| {' | '.join(columns)} |", f"|{rule}|", *(f"| {' | '.join(row)} |" for row in rows), ""]


def _cell(value: object) -> str:
    """A value from the data within a Markdown table: never markup."""
    if value is None:
        return "–"
    text = _short(str(value))
    for letter, safe in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|"), ("`", "&#96;"), ("[", "&#91;"), ("*", "&#42;")):
        text = text.replace(letter, safe)
    return text


def _plain(value: str | None) -> str:
    """A value on the terminal: without control characters."""
    return "(missing)" if value is None else "".join(c if c.isprintable() else "?" for c in _short(value))


def _short(text: str) -> str:
    joined = " ".join(text.split())
    return joined if len(joined) <= _SHORT else f"{joined[:_SHORT]}…"
