"""The curators' report of a release: one HTML page that opens offline, and files with the complete lists.

Belongs here: content and layout of the page. Does not belong here: counting; all numbers are passed
as arguments. The page is made from `report.html.jinja` with autoescaping, so no value of the data is
ever markup. It has no date, no script and no address of another machine.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from bioscan_etl.io.write import write_text
from bioscan_etl.quality.ledger import GATE_SEPARATOR, Ledger
from bioscan_etl.quality.results import ExpectationResult
from bioscan_etl.quality.rules import GATES
from bioscan_etl.quality.spreadsheet import write_spreadsheet
from bioscan_etl.rules import Rule, Severity, registry
from bioscan_etl.settings import Settings
from bioscan_etl.statistics.titles import FIGURES

_TITLES = {
    "attributes": "Attributes: categories and how evenly they are filled",
    "sizes": "The three sizes",
    "partitions": "Partitions: samples, barcodes, species",
    "barcodes": "Barcodes within the groups of each rank",
}
_SHOWN_CONFLICTS = 20
_SHOWN_ROWS = 100
_SHOWN_TEXT = 200
_IMAGE_TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The content of the page.

    Attributes:
        version: of the release.
        ledger: where every row went.
        rule_counts: rule, hits: number of specimens that each rule applies to.
        expectation_results: what `bioscan_etl.quality.validate.validate` returned.
        change_counts: rule, field, changes.
        split_report: one row per partition; all columns are shown.
        quarantine: `schema.QUARANTINE`.
        statistics: tables by name, as from `bioscan_etl.statistics.tables.statistics`.
        figures: SVG, PNG or JPEG files, which are put into the page.
        contact_sheets: JPEG or PNG files, copied into `contact_sheets/` unless they are below `folder`.
        flagged: processid and flags (list) of specimens that a rule flagged, for the complete list.
        settings: of the run, whose values the page names; None means the defaults.
        rules: by id; None means all that the stages declare.
        taxonomy: what `bioscan_etl.taxonomy.report.curation_report` counted.
        conflicts: barcodes without a majority (`taxonomy.conflicts.CONFLICTS`), for the list beside the page.
        typos: fixes and candidates (`taxonomy.typos.TYPOS`), for the list beside the page.
        split_classes: the classes of `splits.targets.Review`.
        leakage: `near_duplicates` and `near_images` of `splits`, by these names.
        moves: `schema.PARTITION_MOVES`, counted on the page and listed beside it.
        batches: batch, delivery (start of its hash), made (what was used) and note, all text: one row for each batch
            of the release, and for each that is withdrawn or landed only, in the order to be shown.
        left_out: damaged lines of the curators' overrides (`taxonomy.overrides.LEFT_OUT`); the first are shown on
            the page, all are in the list beside it.
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
    left_out: pl.DataFrame | None = None


def write_report(folder: Path, report: Report) -> Path:
    """Write `index.html` and, beside it, the complete lists and the contact sheets.

    A report is written even if the ledger does not add up; the report says so.

    Args:
        folder: of the report; made if missing.
        report: its content.

    Returns:
        The path of `index.html`.
    """
    known = registry() if report.rules is None else report.rules
    chosen = report.settings or Settings()
    folder.mkdir(parents=True, exist_ok=True)
    lists = _lists(report)
    for name, (_, frame) in lists.items():
        write_spreadsheet(folder / name, frame)
    page = _template().render(
        version=report.version,
        ledger=_ledger_rows(report.ledger, known),
        totals=report.ledger.totals(),
        rows_read=report.ledger.rows_read,
        balance=report.ledger.finding(),
        gates=_gates(report.ledger, known, chosen),
        lists=[(name, what, frame.height) for name, (what, frame) in lists.items()],
        rules=_rules_hit(report.rule_counts, known, chosen),
        changes=_changes(report.change_counts, known),
        labels=_label_tables(report),
        circular=report.taxonomy["circular"] if report.taxonomy else None,
        overrides=report.taxonomy["overrides"] if report.taxonomy else None,
        failed=[result for result in report.expectation_results if not result.success],
        held=[result for result in report.expectation_results if result.success],
        tables=_split_tables(report),
        statistics=[(_TITLES.get(name, name), _table(frame)) for name, frame in report.statistics.items()],
        batches=_batches(report.batches),
        left_out=_left_out(report.left_out),
        left_out_lines=0 if report.left_out is None else report.left_out.height,
        figures=[(_data_uri(path), FIGURES.get(path.stem, path.stem)) for path in report.figures],
        contact_sheets=[(_beside(path, folder), path.stem) for path in report.contact_sheets],
    )
    write_text(folder / "index.html", page)
    return folder / "index.html"


def _lists(report: Report) -> dict[str, tuple[str, pl.DataFrame]]:
    """Name of each complete list, what its rows are, and the list."""
    lists = {"quarantined.csv": ("held at a gate", report.quarantine.sort("processid"))}
    if report.flagged is not None:
        marked = report.flagged.filter(pl.col("flags").list.len() > 0).select("processid", "flags").sort("processid")
        lists["flagged.csv"] = ("flagged by a rule", marked)
    if report.conflicts is not None:
        lists["label_conflicts.csv"] = ("barcodes whose labels no majority settles", report.conflicts.drop("group"))
    if report.typos is not None:
        lists["typos.csv"] = ("likely typos, fixed or for you to judge", report.typos)
    if report.moves is not None and report.moves.height:
        lists["moves.csv"] = ("moved to another partition", report.moves.sort("processid"))
    if report.left_out is not None and report.left_out.height:
        lists["overrides_left_out.csv"] = ("lines of the overrides left out", report.left_out.sort("line"))
    return lists


def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    return environment.get_template("report.html.jinja")


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
    order = [gate.id for gate in GATES] + sorted(set(every) - {gate.id for gate in GATES})
    gates = {gate.id: gate for gate in GATES}
    before = ledger.specimens + sum(first.values())
    rows = []
    for gate in order:
        rule = known.get(gate, gates.get(gate))
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
        shown = conflicts.select("rank", "labels", "records", "processids").head(_SHOWN_CONFLICTS)
        tables.append(
            ("Conflicts within a barcode: labels are cleared until a curator decides", _table(shown, whole=True))
        )
    if typos is not None and typos.height:
        shown = typos.select("rank", "from", "to", "fixed", "evidence").head(_SHOWN_CONFLICTS)
        tables.append(("Likely typos", _table(shown, whole=True)))
    return tables


def _split_tables(report: Report) -> list[tuple[str, dict[str, Any]]]:
    """Targets beside what was reached, near duplicates across partitions, and moves by reason."""
    classes, leakage, moves = report.split_classes, report.leakage, report.moves
    tables = [("Targets and what was reached, by partition", _table(report.split_report))]
    if classes is not None:
        tables.append(("Target and actual sizes, by partition and records of a species", _table(classes)))
    titles = {
        "near_duplicates": "Barcodes within two edits of one in a training or key partition",
        "near_images": "Images that are near duplicates of one in a training or key partition",
    }
    tables += [(title, _table(leakage[name])) for name, title in titles.items() if name in leakage]
    if moves is not None:
        counts = moves.group_by("before", "after", "reason").agg(specimens=pl.len().cast(pl.Int64))
        order = ["specimens", "before", "after", "reason"]
        tables.append(("Moves since the previous release", _table(counts.sort(order, descending=[True, *[False] * 3]))))
    return tables


def _batches(batches: pl.DataFrame | None) -> dict[str, Any] | None:
    """All batches: a release lists each of them."""
    if batches is None or batches.is_empty():
        return None
    return _table(batches.select("batch", "delivery", "made", "note"), whole=True, shown=batches.height)


def _left_out(lines: pl.DataFrame | None) -> dict[str, Any] | None:
    """The first lines that were not applied, with shortened texts. A line number is not formatted as a count."""
    if lines is None or lines.is_empty():
        return None
    text = pl.col("text")
    cut = pl.when(text.str.len_chars() > _SHOWN_TEXT).then(text.str.slice(0, _SHOWN_TEXT) + "…").otherwise(text)
    shown = lines.sort("line").select(pl.col("line").cast(pl.String), "problem", text=cut)
    return _table(shown, whole=True)


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
    if not path.resolve().is_relative_to(folder.resolve()):
        target = folder / "contact_sheets" / path.name
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, target)
        path = target
    return path.resolve().relative_to(folder.resolve()).as_posix()
