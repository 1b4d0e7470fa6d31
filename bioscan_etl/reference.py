"""The reference pages, printed from the registries: settings, tables, rules, stages, commands, the flow of data.

`python -m bioscan_etl.reference docs` writes them; a test holds that the committed pages are what it writes.

Belongs here: the form of the pages, and how a citation of the specification becomes a link. Does not belong here: what
the pages say; that is in the registries. The drawing of the flow is `bioscan_etl.reference_flow`.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from bioscan_etl import storage
from bioscan_etl.reference_flow import flow_svg
from bioscan_etl.rules import Rule, Severity, registry
from bioscan_etl.schema import METADATA, TABLES, data_dictionary
from bioscan_etl.settings import Settings
from bioscan_etl.stages.registry import STAGES

FOLDER = "reference"
"""Folder of the printed pages in docs."""
_PRINTED = "<!-- Printed by `python -m bioscan_etl.reference docs`; edit the registries, not this page. -->\n"

SPECIFICATION: Mapping[str, str] = MappingProxyType(
    {
        "bold records": "records.md",
        "taxonomy": "taxonomy.md",
        "dna barcodes": "barcodes.md",
        "geography": "geography.md",
        "specimen images": "images.md",
        "partitioning": "splits.md",
        "the release": "release.md",
        "statistics and figures": "statistics.md",
        "orchestration": "orchestration.md",
        "benchmarks": "benchmarks.md",
    }
)
"""Pages of docs/specification by their title in lower case."""
_CITED = re.compile(r"spec:\s+([^;)]+)")


def anchor(heading: str) -> str:
    """The anchor that GitHub and the site give to a heading.

    Example:
        >>> anchor('Protocol "bioscan-5m"')
        'protocol-bioscan-5m'
    """
    return re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip())


def cited(text: str) -> Iterator[tuple[str, str]]:
    """The citations in a text: each `spec: PAGE` or `spec: PAGE, HEADING`, up to a semicolon or a parenthesis.

    Yields:
        The citation without `spec:`, and its target below docs/specification, such as `records.md#layouts`.

    Raises:
        ValueError: there is no such page.

    Example:
        >>> list(cited("BIOSCAN-5M; spec: partitioning, checks; ICZN 28"))
        [('partitioning, checks', 'splits.md#checks')]
    """
    for found in _CITED.findall(text):
        citation = " ".join(found.split())
        page, _, heading = citation.partition(", ")
        if page.lower() not in SPECIFICATION:
            raise ValueError(f"spec: {citation} names no page; the pages are {', '.join(SPECIFICATION)}")
        yield citation, SPECIFICATION[page.lower()] + (f"#{anchor(heading)}" if heading else "")


def _linked(source: str, folder: str) -> str:
    """A source with its citations as links; `folder` leads to docs/specification."""
    targets = dict(cited(source))
    return _CITED.sub(
        lambda found: f"specification, [{' '.join(found[1].split())}]({folder}/{targets[' '.join(found[1].split())]})",
        source,
    )


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(part) for part in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def settings_page() -> str:
    """Every setting with its default and meaning, by section of the TOML file."""
    lines = [
        "# Settings",
        _PRINTED,
        "Put the ones to change into `settings.toml` in the output folder, or install a file there with",
        "`bioscan-etl run --settings FILE`; all others keep their default. Relative paths are relative to that folder.",
        "",
    ]
    defaults = Settings()
    for section in Settings.model_fields:
        model = getattr(defaults, section)
        about = _linked((type(model).__doc__ or "").strip(), "../specification")
        lines += [f"## [{section}]", "", about, ""]
        lines += ["| setting | default | meaning |", "|---|---|---|"]
        for name, field in type(model).model_fields.items():
            lines.append(f"| `{name}` | `{_cell(_toml(getattr(model, name)))}` | {_cell(field.description)} |")
        lines.append("")
    return "\n".join(lines)


def tables_page() -> str:
    """Every table: what a row is, its key, its columns."""
    lines = ["# Tables", _PRINTED]
    for table in TABLES:
        key = ", ".join(f"`{name}`" for name in table.key) or "none"
        lines += [f"## {table.name}", "", f"One row is {table.row}. Key: {key}.", "", data_dictionary(table), ""]
    return "\n".join(lines)


def rule_page(rule: Rule) -> str:
    """One rule, told to a curator: what it says, why, what it does, an example, and the setting that tunes it."""
    effects = {
        Severity.FLAG: "Flags the specimen in the column `flags`; no value changes and nothing is held back.",
        Severity.CHANGE: "Changes the value; the change log keeps it before and after, so that it can be undone.",
        Severity.GATE: "Holds the specimen in quarantine; it is looked at again at every run.",
        Severity.REJECT: "Keeps the row from becoming a specimen; it is counted and listed with its text or place.",
        Severity.BLOCKING: "Stops the run: nothing is released until it holds.",
    }
    lines = [f"# {rule.id}", _PRINTED, rule.statement, "", f"**Why.** {rule.reason}", ""]
    lines += [f"**What it does.** {effects[rule.severity]}", ""]
    if rule.example:
        lines += [f"**Example.** {rule.example}", ""]
    if rule.setting:
        section, name = rule.setting.split(".")
        model = getattr(Settings(), section)
        field = type(model).model_fields[name]
        lines += [
            f"**Setting.** `{name}` in `[{section}]`, `{_toml(getattr(model, name))}` by default: {field.description}.",
            "",
        ]
    else:
        lines += ["**Setting.** None: the rule is fixed.", ""]
    lines += [f"**Source.** {_linked(rule.source, '../../specification')}.", ""]
    return "\n".join(lines)


def rules_page() -> str:
    """The index of all rules."""
    lines = [
        "# Rules",
        _PRINTED,
        "A flag in a table, a reason in the report and a line of the change log are ids of this page.",
        "",
        "| rule | effect | what it says |",
        "|---|---|---|",
    ]
    lines += [
        f"| [{rule.id}](rules/{rule.id}.md) | {rule.severity.value} | {_cell(rule.statement)} |"
        for rule in registry().values()
    ]
    return "\n".join(lines)


def stages_page() -> str:
    """Every stage: what it is, what it reads, the settings that make it stale, and its checks."""
    lines = [
        "# Stages",
        _PRINTED,
        "A stage is made anew when its code, its settings, its data files, the libraries that decide its values, or",
        "the content of what it reads change, and by nothing else. Its asset in the UI has its name.",
        "",
        "[![Which stage reads which](flow.svg)](flow.svg)",
        "",
        "An arrow leads from a stage to one that reads its output. A batch stage runs once for each delivery, a corpus",
        "stage on all pinned batches together, a release stage writes a part of the release.",
        "",
    ]
    for stage in STAGES.values():
        about, _, more = stage.about.partition("\n\n")
        reads = [
            *(f"delivered {part.replace('_', ' ')}" for part in stage.delivered),
            *(f"`{one}`" for one in stage.reads),
        ]
        lines += [f"## {stage.name}", "", f"Per {stage.scope.value}. {about}", ""]
        lines += [more, ""] if more else []
        facts = {
            "Reads": ", ".join(reads),
            "Writes": ", ".join(f"[{table.name}](tables.md#{table.name})" for table in stage.writes),
            "Settings": ", ".join(f"`{name}`" for name in stage.settings),
            "Data files": ", ".join(f"`{name}`" for name in stage.data),
            "Libraries": ", ".join(stage.libraries),
        }
        lines += [f"- {name}: {value}" for name, value in facts.items() if value]
        lines += [
            f"- Check `{check.id}`{' (blocking)' if check.blocking else ''}: {check.statement}"
            for check in stage.checks
        ]
        lines.append("")
    return "\n".join(lines)


def readme_columns() -> str:
    """The data dictionary of the CSV, as the README holds it."""
    return f"<!-- metadata -->\n{data_dictionary(METADATA)}\n<!-- /metadata -->"


def _option(action: argparse.Action) -> str:
    """One argument of a command, as a row."""
    value = "" if action.nargs == 0 else str(action.metavar or action.dest.upper())
    if action.choices is not None and not action.metavar:
        value = " or ".join(str(choice) for choice in action.choices)
    name = " ".join(part for part in (", ".join(action.option_strings), value) if part)
    meaning = (action.help or "").replace("%%", "%")
    return f"| `{_cell(name)}` | {_cell(meaning)} |"


def _command(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    """A command with its arguments, then its own commands."""
    inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    shown = [
        action
        for action in parser._actions
        if action not in inner and action.help != argparse.SUPPRESS and "--help" not in action.option_strings
    ]
    yield from (f"## bioscan-etl {name}", "", (parser.description or "").replace("%%", "%"), "")
    if shown:
        yield from ("| argument | meaning |", "|---|---|", *map(_option, shown), "")
    for action in inner:
        for one, below in action.choices.items():
            yield from _command(f"{name} {one}", below)


def commands_page() -> str:
    """Every command of the command line with its arguments."""
    from bioscan_etl.cli.arguments import EXIT_CODES, parser

    lines = ["# Command line", _PRINTED, "`bioscan-etl COMMAND --help` prints the same.", "", EXIT_CODES, ""]
    for action in parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                lines += _command(name, below)
    return "\n".join(lines)


def pages() -> dict[str, str]:
    """All printed files by name."""
    found = {
        "settings.md": settings_page(),
        "tables.md": tables_page(),
        "rules.md": rules_page(),
        "stages.md": stages_page(),
        "commands.md": commands_page(),
        "flow.svg": flow_svg(STAGES.values()),
    }
    found |= {f"rules/{rule.id}.md": rule_page(rule) for rule in registry().values()}
    return {f"{FOLDER}/{name}": page.rstrip("\n") + "\n" for name, page in found.items()}


def main(folder: str) -> None:
    """Write all pages into a folder, and the columns into the README beside it."""
    root = Path(folder)
    for old in (root / FOLDER / "rules").glob("*.md"):
        old.unlink()
    for name, page in pages().items():
        storage.write_text(root / name, page)
    readme = root.parent / "README.md"
    text = readme.read_text(encoding="utf-8")
    block = re.compile(r"<!-- metadata -->.*<!-- /metadata -->", re.DOTALL)
    storage.write_text(readme, block.sub(lambda _: readme_columns(), text))


if __name__ == "__main__":
    main(sys.argv[1])
