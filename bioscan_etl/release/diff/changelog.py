"""The differences of two releases as text: changelog.md of a release, and the lines of `bioscan-etl diff`.

Belongs here: how the counts are reported. Does not belong here: counting (`release.diff`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import polars as pl

from bioscan_etl.errors import SourceError
from bioscan_etl.io.write import write_text
from bioscan_etl.printable import printable
from bioscan_etl.progress import Progress, silent
from bioscan_etl.release.core import DECIDED
from bioscan_etl.release.diff import compare as diff
from bioscan_etl.release.diff.compare import Difference
from bioscan_etl.release.diff.decided import decision_counts
from bioscan_etl.release.scan import Head, release_tables, scan_release
from bioscan_etl.rules import Rule, registry

CHANGELOG = "changelog.md"
# The first part of a reason that is not a rule.
WORDS: Mapping[str, str] = MappingProxyType(
    {
        "new": "the previous release has no row of it",
        "gone": "this release has no row of it",
        "quarantined": "it is quarantined in the other release",
        "set_aside": "its row is set aside in the other release",
        "rejected": "its row is rejected in the other release",
        "RECOMPUTED": "the protocol bioscan-5m recomputes all partitions",
        "UNLISTED": "the protocol lists its moves, but not this one: report it as a defect",
        "delivered": "BOLD delivers another value",
        "undone": "a rule that changed the value before no longer does",
        "derived": "derived from images, rules or other values",
        "with_record": "its specimen was added or removed",
        "package": "the package was added or removed",
        "image": "the image of the specimen was added or removed",
        "bytes": "the bytes of the image differ",
    }
)
_SHOWN = 50
_DECISIONS = 500
_SHORT = 60


def changelog(version: str, found: Difference | None, note: str = "") -> str:
    """Markdown of a release's changelog.

    Args:
        version: of the release.
        found: differences from the previous version; None for a first release, or one that cannot be compared.
        note: text to write instead if it is None.
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
        lines += ["Both have the same specimens, values and images.", "", *_decisions(found.decisions)]
        return "\n".join(lines)
    lines += _table(("what", "specimens", "why"), _kinds(found))
    lines += _decisions(found.decisions)
    for title, columns, rows in _sections(found):
        lines += [f"## {title}", "", *_table(columns, rows)]
    if found.uncompared:
        names = ", ".join(f"`{name}`" for name in found.uncompared)
        lines += [f"Not compared because one of the two releases lacks them: {names}.", ""]
    lines += ["## Reasons", "", *_table(("reason", "meaning"), list(_meanings(found)))]
    return "\n".join(lines)


def lines(found: Difference, shown: int = 5) -> list[str]:
    """The lines that the terminal shows of a comparison.

    Args:
        found: the comparison.
        shown: pairs of values that are shown per field, and lines of decisions per kind of change.
    """
    shown_lines = [
        f"{found.before} -> {found.after}: {found.records_before:,} specimens before, {found.records_after:,} after"
    ]
    for kind, records in found.records.items():
        shown_lines.append(f"{kind:<14} {records:>10,}")
        rows = found.reasons.filter(pl.col("kind") == kind)
        for field in rows["field"].unique(maintain_order=True):
            mine = rows.filter(pl.col("field") == field)
            why = ", ".join(f"{reason} {count:,}" for reason, count in mine.select("reason", "rows").iter_rows())
            shown_lines.append(f"  {field:<26} {why}")
            pairs = found.values.filter(pl.col("kind") == kind, pl.col("field") == field)
            for before, after, reason, count in (
                pairs.select("before", "after", "reason", "rows").head(shown).iter_rows()
            ):
                shown_lines.append(f"    {_plain(before)} -> {_plain(after)}  {reason} {count:,}")
            if pairs.height > shown:
                shown_lines.append(f"    … and {pairs.height - shown:,} more pairs of values")
    shown_lines += _decided(found.decisions, shown)
    if found.is_empty:
        shown_lines.append("no difference" if found.decisions.is_empty() else "no difference but in the decisions")
    if found.uncompared:
        shown_lines.append(f"not compared because one release lacks them: {', '.join(found.uncompared)}")
    return shown_lines


def write_changelog(
    root: Path,
    *,
    head: Head,
    files: pl.LazyFrame,
    previous: Path | None,
    progress: Progress = silent,
) -> None:
    """Write changelog.md of a release whose metadata, logs and images are complete.

    Args:
        root: the release's folder.
        head: head of its future manifest.
        files: path and sha256 of its files, text.
        previous: folder of the previous version, or None.
        progress: receives the number of records compared.

    Raises:
        SourceError: a file of either release is damaged.
    """
    if previous is None:
        text = changelog(head.version, None)
    else:
        try:
            before = scan_release(previous)
        except SourceError:
            # Old versions may be deleted to save space; that must not prevent a new one.
            text = changelog(
                head.version,
                None,
                f"The previous version, {previous.name}, no longer exists, so it cannot be compared.",
            )
        else:
            found = diff.compare(before, release_tables(root, head, files), progress=progress)
            text = changelog(head.version, found)
    write_text(root / CHANGELOG, text)


def _decisions(changes: pl.DataFrame) -> list[str]:
    """The curators' lines that are new, were taken away, or that another thing became of."""
    if changes.is_empty():
        return []
    rows: list[tuple[str, ...]] = [
        (
            _cell(change),
            _cell(about),
            _cell(decision),
            _cell(reason),
            _cell(curator),
            _cell(_effect(was, now, detail, specimens)),
        )
        for change, about, decision, reason, curator, was, now, detail, specimens in changes.head(
            _DECISIONS
        ).iter_rows()
    ]
    lines = ["## Decisions", "", *_table(("line", "about", "decision", "reason", "curator", "what it did"), rows)]
    if changes.height > _DECISIONS:
        lines += [f"And {changes.height - _DECISIONS} more: `{DECIDED}` of both releases lists all.", ""]
    return lines


def _decided(changes: pl.DataFrame, shown: int) -> Iterator[str]:
    """The same on the terminal: how many, what became of them, and the first of each kind of change."""
    if changes.height:
        yield f"{'decisions':<14} {changes.height:>10,}"
    for change, became, count in decision_counts(changes).iter_rows():
        yield f"  {change + ':':<12} {_said(became)} {count:,}"
    for change in changes["change"].unique(maintain_order=True):
        mine = changes.filter(pl.col("change") == change)
        for about, decision, was, now, detail, specimens in (
            mine.select("about", "decision", "was", "is", "detail", "specimens").head(shown).iter_rows()
        ):
            yield f"    {_plain(about)}: {_plain(decision)}  {change}; {_plain(_effect(was, now, detail, specimens))}"
        if mine.height > shown:
            yield f"    … and {mine.height - shown:,} more"


def _effect(was: str | None, now: str | None, detail: str | None, specimens: int) -> str:
    """What a line did: its status now, or that of the previous release, whose effect is undone."""
    number = f"{specimens} {'specimen' if specimens == 1 else 'specimens'}"
    if now is None:
        return f"undone: {number}" if was == "applied" else f"nothing: it was {_said(was)}"
    why = f": {detail}" if detail else f": {number}" if now == "applied" else ""
    return f"{_said(now)}{why}" + (f"; it was {_said(was)}" if was not in (None, now) else "")


def _said(status: str | None) -> str:
    return (status or "").replace("_", " ")


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
    """Each term and rule that occurs among the reasons, with its meaning."""
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
    text = printable(_short(str(value)))
    for letter, safe in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|"), ("`", "&#96;"), ("[", "&#91;"), ("*", "&#42;")):
        text = text.replace(letter, safe)
    return text


def _plain(value: str | None) -> str:
    """A value on the terminal: without control characters."""
    return "(missing)" if value is None else printable(_short(value))


def _short(text: str) -> str:
    joined = " ".join(text.split())
    return joined if len(joined) <= _SHORT else f"{joined[:_SHORT]}…"
