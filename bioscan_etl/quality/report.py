"""The curators' report of a release: one HTML page that opens offline, and files with the complete lists.

Belongs here: content and layout of the page. Does not belong here: counting; all numbers are passed
as arguments. The page is made from `report.html.jinja` with autoescaping, so no value of the data is
ever markup, and characters of the data that cannot be seen are shown as escapes. It has no date, no script and no
address of another machine.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any
from xml.sax.saxutils import unescape

import polars as pl

from bioscan_etl import schema
from bioscan_etl.io.paths import real_path
from bioscan_etl.io.write import write_text
from bioscan_etl.printable import printable
from bioscan_etl.quality.doubts_history import LIST as DOUBTS
from bioscan_etl.quality.doubts_history import counted, doubt_rows
from bioscan_etl.quality.doubts_listed import listed, mark_conflicts, mark_typos, state_counts
from bioscan_etl.quality.history import LIST
from bioscan_etl.quality.history_tables import history_rows
from bioscan_etl.quality.ledger import GATE_SEPARATOR, Ledger
from bioscan_etl.quality.results import ExpectationResult
from bioscan_etl.quality.spreadsheet import write_spreadsheet
from bioscan_etl.rules import Rule, Severity, registry
from bioscan_etl.settings import Settings
from bioscan_etl.statistics.titles import FIGURES, SECTIONS

STATISTICS: Mapping[str, str] = MappingProxyType(
    {
        "attributes": "Attributes: categories and how evenly they are filled",
        "sizes": "The three sizes",
        "partitions": "Partitions: samples, species, BINs, barcodes, countries, sites",
        "partition_shift": "Partitions: how their countries differ from those of train",
        "orders": "Orders",
        "species_kinds": "Species labels by kind",
        "missing": "Missing values by column",
        "barcodes": "Barcodes within the groups of each rank",
        "distance_levels": "Distances between the barcodes within the groups of each rank",
        "species_grades": "Species by BAGS grade",
        "completeness": "Completeness: values seen and estimated",
        "published": "Published numbers of BIOSCAN-5M beside those of this release",
    }
)
"""Tables of statistics that the page shows, by name, with their titles; all are in `statistics/` of the release."""
LEAKAGE: Mapping[str, str] = MappingProxyType(
    {
        "leakage": "Evaluated barcodes that are the same as one in a training or key partition, over shared columns",
        "near_duplicates": "Barcodes that differ from one in a training or key partition in at most two bases",
        "near_images": "Images that are near duplicates of one in a training or key partition",
    }
)
"""Tables on what evaluation partitions share with training, by name, with their titles."""
_SHOWN_CONFLICTS = 20
_SHOWN_ROWS = 100
_SHOWN_TEXT = 200
_DESCRIPTION = re.compile(r"<desc>([^<]*)</desc>")
_IMAGE_TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The content of the page.

    Attributes:
        version: of the release.
        ledger: where every row went.
        rule_counts: rule, hits: number of specimens that each rule applies to.
        expectation_results: what `bioscan_etl.quality.validate.validate` returned for each table; results of batches
            added up.
        change_counts: rule, field, changes.
        split_report: one row per partition; all columns are shown.
        quarantine: `schema.QUARANTINE`.
        statistics: tables by name, as `bioscan_etl.statistics.definitions` has them; those of `STATISTICS` are shown.
        figures: SVG, PNG or JPEG files, which are put into the page.
        contact_sheets: JPEG or PNG files, copied into `contact_sheets/` unless they are below `folder`.
        flagged: processid and flags (list) of specimens that a rule flagged, for the complete list.
        settings: of the run, whose values the page names; None means the defaults.
        rules: by id; None means all that the stages declare.
        taxonomy: what `bioscan_etl.taxonomy.report.curation_report` counted.
        conflicts: barcodes without a majority (`taxonomy.conflicts.CONFLICTS`), for the list beside the page.
        typos: fixes and candidates (`taxonomy.typos.TYPOS`), for the list beside the page.
        split_classes: the classes of `splits.targets.Review`.
        leakage: `leakage`, `near_duplicates` and `near_images` of `splits`, by the names of `LEAKAGE`.
        moves: `schema.PARTITION_MOVES`, counted on the page and listed beside it.
        batches: `BATCHES` and, if known, damage (a sentence per damaged records file), all text: one row for each batch
            of the release, and for each that is withdrawn or landed only, in the order to be shown.
        decisions: `schema.DECISION_LOG`; those without effect are shown on the page, all are in the list beside it.
        doubts: doubts with their state (`doubts.state.with_state`), counted on the page and listed beside it.
        refused: files of decisions that cannot be read (`decisions.csv_lines.REFUSED`).
        expectations: the results as the release states them (`quality.history.STATED`), for the list beside the page.
        history: `quality.history.HISTORY`, this release included.
        doubt_history: `quality.doubts_history.DOUBT_HISTORY` of the releases before this one.
        statistics_change: `statistics.change.CHANGE` from the release before; None if there is none to compare with.
    """

    version: str
    ledger: Ledger
    rule_counts: pl.DataFrame
    expectation_results: Sequence[ExpectationResult]
    change_counts: pl.DataFrame
    split_report: pl.DataFrame
    quarantine: pl.DataFrame
    statistics: Mapping[str, pl.DataFrame]
    figures: Sequence[Path]
    contact_sheets: Sequence[Path]
    flagged: pl.DataFrame | None = None
    settings: Settings | None = None
    rules: Mapping[str, Rule] | None = None
    taxonomy: Mapping[str, Any] | None = None
    conflicts: pl.DataFrame | None = None
    typos: pl.DataFrame | None = None
    split_classes: pl.DataFrame | None = None
    leakage: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    moves: pl.DataFrame | None = None
    batches: pl.DataFrame | None = None
    decisions: pl.DataFrame | None = None
    refused: pl.DataFrame | None = None
    doubts: pl.DataFrame | None = None
    expectations: pl.DataFrame | None = None
    history: pl.DataFrame | None = None
    doubt_history: pl.DataFrame | None = None
    statistics_change: pl.DataFrame | None = None


def write_report(folder: Path, report: Report) -> Path:
    """Write `index.html` and, beside it, the complete lists and the contact sheets.

    A report is written even if the ledger does not add up; the report says so.

    Args:
        folder: of the report; made if missing.
        report: its content.

    Returns:
        The path of `index.html`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, (_, frame) in _lists(report).items():
        write_spreadsheet(folder / name, frame)
    sheets = [(_beside(path, folder), path.stem) for path in report.contact_sheets]
    write_text(folder / "index.html", page(report, sheets))
    return folder / "index.html"


def page(report: Report, sheets: Sequence[tuple[str, str]] = ()) -> str:
    """The text of the page.

    Args:
        report: its content, whose contact sheets are not read.
        sheets: path beside the page and name of each contact sheet.
    """
    known = registry() if report.rules is None else report.rules
    chosen = report.settings or Settings()
    text: str = _template().render(
        version=report.version,
        ledger=_ledger_rows(report.ledger, known),
        totals=report.ledger.totals(),
        rows_read=report.ledger.rows_read,
        balance=report.ledger.finding(),
        gates=_gates(report.ledger, known, chosen),
        lists=[(name, what, frame.height) for name, (what, frame) in _lists(report).items()],
        rules=_rules_hit(report.rule_counts, known, chosen),
        changes=_changes(report.change_counts, known),
        labels=_label_tables(report),
        circular=report.taxonomy["circular"] if report.taxonomy else None,
        failed=[result for result in report.expectation_results if not result.success],
        held=[result for result in report.expectation_results if result.success],
        history=_history(report.history),
        tables=_split_tables(report),
        statistics=_statistics(report),
        batches=_batches(report.batches),
        decisions=_decisions(report.decisions, report.refused),
        doubts=_doubts(report),
        figures=_figures(report.figures),
        contact_sheets=list(sheets),
    )
    return text


def _figures(paths: Sequence[Path]) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Sections, each with its figures: data address, words and caption; figures of no section come last."""
    named = {path.stem: path for path in paths}
    sections = [(title, [named[name] for name in names if name in named]) for title, names in SECTIONS.items()]
    sections.append(("", [path for path in paths if path.stem not in FIGURES]))
    return [
        (title, [(_data_uri(path), FIGURES.get(path.stem, path.stem), _caption(path)) for path in shown])
        for title, shown in sections
        if shown
    ]


def _caption(path: Path) -> str:
    """What an SVG says of itself, beside its title; empty for other images."""
    found = _DESCRIPTION.search(path.read_text(encoding="utf-8")) if path.suffix.lower() == ".svg" else None
    return unescape(found[1]) if found else ""


def _lists(report: Report) -> dict[str, tuple[str, pl.DataFrame]]:
    """Name of each complete list, what its rows are, and the list."""
    lists = {"quarantined.csv": ("held at a gate", report.quarantine.sort("processid"))}
    if report.flagged is not None:
        marked = report.flagged.filter(pl.col("flags").list.len() > 0).select("processid", "flags").sort("processid")
        lists["flagged.csv"] = ("flagged by a rule", marked)
    if report.conflicts is not None:
        lists["label_conflicts.csv"] = ("barcodes whose labels no majority settles", _conflicts(report).drop("group"))
    if report.typos is not None:
        lists["typos.csv"] = ("likely typos, fixed or for you to judge", _typos(report))
    if report.doubts is not None:
        lists[DOUBTS] = ("doubts, open ones first", listed(report.doubts))
    if report.moves is not None and report.moves.height:
        lists["moves.csv"] = ("moved to another partition", report.moves.sort("processid"))
    if report.decisions is not None and report.decisions.height:
        lists["decisions.csv"] = ("lines of the curators' decisions", report.decisions.sort("file", "line"))
    if report.statistics_change is not None:
        lists["statistics_changes.csv"] = ("statistics that differ from the last release", report.statistics_change)
    if report.expectations is not None:
        lists[LIST] = ("results of expectations", report.expectations)
    return lists


def _statistics(report: Report) -> list[tuple[str, dict[str, Any]]]:
    """The tables of `STATISTICS`, and what changed in them."""
    tables = [
        (title, _table(report.statistics[name])) for name, title in STATISTICS.items() if name in report.statistics
    ]
    if report.statistics_change is not None and report.statistics_change.height:
        tables.append(("What changed since the last release", _table(report.statistics_change, shown=_SHOWN_CONFLICTS)))
    return tables


def _conflicts(report: Report) -> pl.DataFrame:
    """The conflicts; open ones first, with their state, if the doubts are known."""
    assert report.conflicts is not None
    return report.conflicts if report.doubts is None else mark_conflicts(report.conflicts, report.doubts)


def _typos(report: Report) -> pl.DataFrame:
    """The typos; open ones first, with their state, if the doubts are known."""
    assert report.typos is not None
    return report.typos if report.doubts is None else mark_typos(report.typos, report.doubts)


def _doubts(report: Report) -> dict[str, Any] | None:
    """Doubts by kind, rule and state, and how many waited in the releases before."""
    doubts, earlier = report.doubts, report.doubt_history
    if doubts is None or (doubts.is_empty() and (earlier is None or earlier["kind"].null_count() == earlier.height)):
        return None
    counts = state_counts(doubts)
    trends = None
    if earlier is not None and earlier.height:
        rows = doubt_rows(pl.concat([earlier, counted(doubts, report.version)]))
        trends = _table(rows, whole=True, shown=rows.height)
    return {
        "waiting": int(counts.select((pl.col("open") + pl.col("changed")).sum()).item()),
        "decided": int(counts["decided"].sum()),
        "counts": _table(counts.rename({"changed": "look again"}), whole=True, shown=counts.height),
        "trends": trends,
    }


@cache
def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=_visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    return environment.get_template("report.html.jinja")


def _visible(value: Any) -> Any:
    """A value of the page; text of the data, but not what the template made, without characters that cannot be seen."""
    return printable(value) if type(value) is str else value


def _number(value: Any) -> str:
    """A count with thousands separators, any other number with at most four decimals."""
    if value is None:
        return "–"
    if isinstance(value, float):
        text = f"{value:,.4f}".rstrip("0").rstrip(".")
        return "0" if text in {"-0", ""} else text
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _ledger_rows(ledger: Ledger, known: Mapping[str, Rule]) -> list[dict[str, Any]]:
    """The parts of the ledger in the order of the pipeline, each with its reasons.

    A reason is explained by the statement of the rule with its name in upper case.
    """
    totals = ledger.totals()

    def parts(counts: Mapping[str, int]) -> list[tuple[str, int, str]]:
        return [
            (reason, count, "Fails more than one gate; counted once." if GATE_SEPARATOR in reason else words(reason))
            for reason, count in counts.items()
        ]

    def words(reason: str) -> str:
        rule = known.get(reason.upper())
        return rule.statement if rule else ""

    return [
        {
            "name": "rejected",
            "meaning": "rows that could not become a record",
            "count": totals["rejected"],
            "parts": parts(ledger.rejected),
        },
        {
            "name": "set aside",
            "meaning": "rows that are not used: another marker, or replaced by another row of the specimen",
            "count": totals["set_aside"],
            "parts": parts(ledger.set_aside),
        },
        {
            "name": "quarantined",
            "meaning": "specimens that fail a gate",
            "count": totals["quarantined"],
            "parts": parts(ledger.quarantined),
        },
        {"name": "released", "meaning": "specimens in this release", "count": totals["specimens"], "parts": []},
    ]


def _setting(rule: Rule, settings: Settings) -> dict[str, str] | None:
    """Name, value and description of the setting that adjusts a rule; None if it has no setting."""
    if rule.setting is None:
        return None
    section, _, name = rule.setting.partition(".")
    part = getattr(settings, section, None)
    value = getattr(part, name, None)
    field = type(part).model_fields.get(name) if part is not None else None
    return {
        "section": section,
        "name": name,
        "value": json.dumps(value, ensure_ascii=False),  # reads the same in TOML
        "description": (field.description or "") if field is not None else "",
    }


def _gates(ledger: Ledger, known: Mapping[str, Rule], settings: Settings) -> list[dict[str, Any]]:
    first, every = ledger.by_first_gate(), ledger.by_gate()
    declared = [rule.id for rule in known.values() if rule.severity is Severity.GATE]
    order = declared + sorted(set(every) - set(declared))
    before = ledger.specimens + sum(first.values())
    rows = []
    for gate in order:
        rule = known.get(gate)
        after = before - first.get(gate, 0)
        rows.append(
            {
                "id": gate,
                "rule": rule,
                "setting": _setting(rule, settings) if rule else None,
                "before": before,
                "after": after,
                "every": every.get(gate, 0),
            }
        )
        before = after
    return rows


def _rules_hit(counts: pl.DataFrame, known: Mapping[str, Rule], settings: Settings) -> list[dict[str, Any]]:
    """Rules by hits, then by id; gates have a section of their own."""
    rows = []
    for rule_id, hits in counts.filter(pl.col("hits") > 0).sort("hits", "rule", descending=[True, False]).iter_rows():
        rule = known.get(rule_id)
        if rule is not None and rule.severity is Severity.GATE:
            continue
        rows.append(
            {
                "id": rule_id,
                "hits": hits,
                "rule": rule,
                "setting": _setting(rule, settings) if rule else None,
            }
        )
    return rows


def _changes(counts: pl.DataFrame, known: Mapping[str, Rule]) -> list[dict[str, Any]]:
    """Changes by rule: the fields of each with their numbers."""
    by_rule = (
        counts.sort("changes", "field", descending=[True, False])
        .group_by("rule")
        .agg(pl.col("changes").sum().alias("total"), "field", "changes")
        .sort("total", "rule", descending=[True, False])
    )
    return [
        {
            "id": row["rule"],
            "rule": known.get(row["rule"]),
            "total": row["total"],
            "fields": list(zip(row["field"], row["changes"], strict=True)),
        }
        for row in by_rule.iter_rows(named=True)
    ]


def _label_tables(report: Report) -> list[tuple[str, dict[str, Any]]]:
    """Labels by rank, and the first of the conflicts and typos that wait for a curator."""
    taxonomy, conflicts, typos = report.taxonomy, report.conflicts, report.typos
    tables = []
    if taxonomy:
        ranks = [{"rank": rank, **counts} for rank, counts in taxonomy["labels"].items()]
        tables.append(("Labels by rank", _table(pl.DataFrame(ranks))))
    if conflicts is not None and conflicts.height:
        state = [name for name in ("state",) if report.doubts is not None]
        shown = _conflicts(report).select("rank", "labels", "records", "processids", *state).head(_SHOWN_CONFLICTS)
        tables.append(
            ("Conflicts within a barcode: labels are cleared until a curator decides", _table(shown, whole=True))
        )
    if typos is not None and typos.height:
        state = [name for name in ("state",) if report.doubts is not None]
        shown = _typos(report).select("rank", "from", "to", "fixed", "evidence", *state).head(_SHOWN_CONFLICTS)
        tables.append(("Likely typos", _table(shown, whole=True)))
    return tables


def _split_tables(report: Report) -> list[tuple[str, dict[str, Any]]]:
    """Targets beside what was reached, near duplicates across partitions, and moves by reason."""
    classes, leakage, moves = report.split_classes, report.leakage, report.moves
    tables = [("Targets and what was reached, by partition", _table(report.split_report))]
    if classes is not None:
        tables.append(("Target and actual sizes, by partition and records of a species", _table(classes)))
    tables += [(title, _table(leakage[name])) for name, title in LEAKAGE.items() if name in leakage]
    if moves is not None:
        counts = moves.group_by("before", "after", "reason").agg(specimens=pl.len().cast(pl.Int64))
        order = ["specimens", "before", "after", "reason"]
        tables.append(("Moves since the previous release", _table(counts.sort(order, descending=[True, *[False] * 3]))))
    return tables


BATCHES: Mapping[str, pl.DataType] = MappingProxyType(dict.fromkeys(("batch", "delivery", "made", "note"), pl.String()))
"""Columns of the table of batches that a release states as well; `damage` is known to the lake alone."""


def batch_row(
    name: str,
    delivery: str | None,
    versions: Mapping[str, object],
    withdrawn: str | None,
    note: str | None,
    failed_checks: Iterable[str],
) -> tuple[str, str, str, str]:
    """A row of the table of batches, in the order of `BATCHES`.

    Args:
        name: of the batch.
        delivery: digest of the delivery that is in the release; None if none is.
        versions: version of the code by stage.
        withdrawn: why the batch was kept out.
        note: a remark, such as a delivery that failed.
        failed_checks: names of checks.
    """
    failed = ", ".join(sorted(set(failed_checks)))
    notes = (withdrawn and f"withdrawn: {withdrawn}", note, failed and f"failed checks: {failed}")
    made = ", ".join(f"{stage} {version}" for stage, version in sorted(versions.items()))
    return name, (delivery or "")[:12], made, "; ".join(filter(None, notes))


def _history(found: pl.DataFrame | None) -> dict[str, Any] | None:
    """The history of the expectations: those that ever failed apart from those that always held."""
    if found is None or found.is_empty():
        return None
    rows = history_rows(found)
    parts = {"failed": rows.filter("ever_failed"), "held": rows.filter(~pl.col("ever_failed"))}
    return {
        name: _table(part.drop("ever_failed"), whole=True, shown=part.height) if part.height else None
        for name, part in parts.items()
    }


def _batches(batches: pl.DataFrame | None) -> dict[str, Any] | None:
    """All batches: a release lists each of them."""
    if batches is None or batches.is_empty():
        return None
    damage = [name for name in ("damage",) if name in batches.columns and (batches[name] != "").any()]
    return _table(batches.select(*BATCHES, *damage), whole=True, shown=batches.height)


# What became of a decision, in the order in which a curator should look.
_UNDONE = ("left_out", "unknown", "dormant", "no_effect")


def _decisions(lines: pl.DataFrame | None, refused: pl.DataFrame | None) -> dict[str, Any] | None:
    """Decisions by what became of them, those that did not apply, and files that were refused."""
    if (lines is None or lines.is_empty()) and (refused is None or refused.is_empty()):
        return None
    found = schema.DECISION_LOG.empty() if lines is None else lines
    counts = (
        found.group_by("action", "status")
        .agg(lines=pl.len().cast(pl.Int64), specimens=pl.col("specimens").sum())
        .sort("action", "status")
    )
    order = {status: place for place, status in enumerate(_UNDONE)}
    what = pl.coalesce("processid", "group", pl.concat_str("rank", "name", separator=" "))
    # A line number is not formatted as a count.
    undone = (
        found.filter(pl.col("status").is_in(_UNDONE))
        .sort(pl.col("status").replace_strict(order, return_dtype=pl.Int64), "file", "line")
        .select("status", pl.format("{}, line {}", "file", "line").alias("where"), "action", about=what, why="detail")
    )
    cut = pl.when(pl.col("why").str.len_chars() > _SHOWN_TEXT)
    undone = undone.with_columns(why=cut.then(pl.col("why").str.slice(0, _SHOWN_TEXT) + "…").otherwise("why"))
    return {
        "lines": found.height,
        "left_out": found.filter(pl.col("status").is_in(["left_out", "unknown"])).height,
        "counts": _table(counts, shown=counts.height) if counts.height else None,
        "undone": _table(undone, whole=True) if undone.height else None,
        "refused": [] if refused is None else list(refused.iter_rows()),
    }


def _table(frame: pl.DataFrame, *, whole: bool = False, shown: int = _SHOWN_ROWS) -> dict[str, Any]:
    """A frame as texts for the page: shares as percent, long texts cut unless `whole`, numbers to the right."""
    numeric = [dtype.is_numeric() for dtype in frame.dtypes]
    return {
        "columns": [(name.replace("_", " "), right) for name, right in zip(frame.columns, numeric, strict=True)],
        "rows": [
            [(_cell(name, value, whole), right) for name, value, right in zip(frame.columns, row, numeric, strict=True)]
            for row in frame.head(shown).iter_rows()
        ],
        "more": max(0, frame.height - shown),
    }


def _cell(column: str, value: Any, whole: bool) -> str:
    if value is not None and column.endswith("share"):
        return f"{100 * value:.2f} %"
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and len(value) > 40 and not whole:
        return f"{value[:20]}… ({len(value)} characters)"
    return _number(value)


def _data_uri(path: Path) -> str:
    return f"data:{_IMAGE_TYPES[path.suffix.lower()]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _beside(path: Path, folder: Path) -> str:
    """The path of a contact sheet relative to the page; one from elsewhere is copied."""
    home = real_path(folder)
    if not real_path(path).is_relative_to(home):
        target = folder / "contact_sheets" / path.name
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, target)
        path = target
    return real_path(path).relative_to(home).as_posix()
