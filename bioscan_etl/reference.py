"""The reference pages, printed from the registries: settings, tables, rules, stages, forms, commands, the flow of data.

`python -m bioscan_etl.reference docs` writes them; a test holds that the committed pages are what it writes.

Belongs here: the form of the pages, and how a citation of the specification becomes a link. Does not belong here: what
the pages say; that is in the registries. The drawing of the flow is `bioscan_etl.reference_flow`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from bioscan_etl.io.write import write_text
from bioscan_etl.reference_flow import flow_svg
from bioscan_etl.release.forms.registry import forms
from bioscan_etl.release.layout import FIGURES as FIGURES_FOLDER
from bioscan_etl.release.layout import STATISTICS
from bioscan_etl.rules import Rule, Severity, registry
from bioscan_etl.schema import METADATA, TABLES, data_dictionary
from bioscan_etl.settings import Settings
from bioscan_etl.stages.registry import STAGES
from bioscan_etl.statistics import definitions as statistics
from bioscan_etl.statistics.titles import FIGURES

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
        "decisions of curators": "decisions.md",
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
        "Put settings that you change into `settings.toml` in the output folder, or install a file there with",
        "`bioscan-etl run --settings FILE`; others keep their default. Relative paths are relative to that folder.",
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


def statistics_page() -> str:
    """Every table of statistics, and every figure."""
    lines = [
        "# Statistics and figures of a release",
        _PRINTED,
        f"A release has these tables in `{STATISTICS}/`, each as `.csv` and `.parquet`. The definitions are in",
        "the [specification](../specification/statistics.md). Standard deviations are of the population, divided by n,",
        "unless the column says otherwise. In a CSV file, a text that a spreadsheet would run as a formula has `'`",
        "before it.",
        "",
    ]
    for table in (*statistics.TABLES, *statistics.ON_DEMAND):
        key = ", ".join(f"`{name}`" for name in table.key)
        lines += [f"## {table.name}", "", f"One row is {table.row}." + (f" Key: {key}." if key else ""), ""]
        if table in statistics.ON_DEMAND:
            lines += ["No release has it: `bioscan-etl statistics --published` makes it.", ""]
        lines += [_linked(data_dictionary(table), "../specification"), ""]
    lines += ["## Figures", "", f"They are in `{FIGURES_FOLDER}/`, each as `.svg` and `.png`.", ""]
    lines += ["| figure | what it shows |", "|---|---|"]
    lines += [f"| `{name}` | {words} |" for name, words in FIGURES.items()]
    return "\n".join([*lines, ""])


def rule_page(rule: Rule) -> str:
    """One rule for a curator: statement, reason, effect, example, and the setting that adjusts it."""
    effects = {
        Severity.FLAG: "Flags the specimen in the column `flags`; changes no value and quarantines nothing.",
        Severity.CHANGE: "Changes the value; the change log records both values, so that it can be undone.",
        Severity.GATE: "Quarantines the specimen; every run checks it again.",
        Severity.REJECT: "Keeps the row from becoming a specimen; it is counted, and listed with its text or position.",
        Severity.BLOCKING: "A check: if it fails, the run stops and nothing is released.",
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
        "Flags in tables, reasons in the report and rules in the change log are ids of this page.",
        "",
        "| rule | effect | statement |",
        "|---|---|---|",
    ]
    lines += [
        f"| [{rule.id}](rules/{rule.id}.md) | {rule.severity.value} | {_cell(rule.statement)} |"
        for rule in registry().values()
    ]
    return "\n".join(lines)


def stages_page() -> str:
    """Every stage: description, inputs, the settings that make it stale, and its checks."""
    lines = [
        "# Stages",
        _PRINTED,
        "A stage is made again when its code, its settings, its data files, the libraries that decide its values, or",
        "the content of what it reads change, and for no other reason. Its asset in the UI has its name.",
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


def command_line_page() -> str:
    """Every command with its arguments and options, as `--help` shows them."""
    from bioscan_etl.cli.app import EXIT_CODES, app

    title, _, page = app.generate_docs("markdown").partition("\n")
    # The exit codes are said once, not after each command.
    page = page.replace(f"\n{EXIT_CODES}\n", "\n")
    lines = [title, _PRINTED, EXIT_CODES, "", page.strip("\n"), ""]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))


def forms_page() -> str:
    """Every output form: what it is, how it is asked for, what it writes and needs."""
    settings = Settings().release
    lines = [
        "# Output forms",
        _PRINTED,
        "What a release is written as beside the CSV, `data/` and the logs. `release.forms` lists the forms to write;",
        "those made of chosen image packages are asked for by a setting of their own.",
        "",
        "| form | by default | what it is |",
        "|---|---|---|",
    ]
    for form in forms().values():
        default = "yes" if form.is_wanted(settings) else "no"
        lines.append(f"| [{form.name}](#{form.name}) | {default} | {_cell(form.about.partition(chr(10))[0])} |")
    lines.append("")
    for form in forms().values():
        about, _, more = form.about.partition("\n\n")
        lines += [f"## {form.name}", "", about, "", *([more, ""] if more else [])]
        asked = [f"`release.{name}`" for name in form.packages] or [f'"{form.name}" in `release.forms`']
        every = settings.model_copy(update=dict.fromkeys(form.packages, settings.image_packages[-1:]))
        facts = {
            "Asked for with": " or ".join(asked),
            "Writes": ", ".join(f"`{path}`" for path in form.owns(every)),
            "Made by the stage": f"[{form.stage}](stages.md#{form.stage})",
            "Made of": "the released rows and their images" if form.images else "the released rows",
            "Needs the images of": form.image_package or "",
            "Settings": ", ".join(f"`release.{name}`" for name in form.settings),
            "Libraries": ", ".join(form.libraries),
            "Media types": ", ".join(f"`{ending}` {kind}" for ending, kind in form.media_types.items()),
        }
        lines += [f"- {name}: {value}" for name, value in facts.items() if value]
        lines.append("")
    return "\n".join([*lines, *_ADD_A_FORM])


_ADD_A_FORM = (
    "## Add a form",
    "",
    "1. Write a module `bioscan_etl/release/forms/<name>.py` that ends with `FORM = Form(...)`; the form has the",
    "   module's name. `bioscan_etl/release/forms/splits.py` is the shortest one.",
    "2. Give it `build`, which reads the released rows and images (`bioscan_etl.release.rows`) and writes below",
    "   `staging.tree`; `owns`, the paths that it writes; and `check`, which looks at a finished release and does not",
    "   call what wrote it.",
    "3. Say what the data card and the descriptors say of it: `card`, `media_types`, `tables`, `shards`.",
    "4. Write its test, `tests/test_release_forms_<name>.py`.",
    "5. Run `python tools/record_stages.py` and `python -m bioscan_etl.reference docs`, and commit what they write.",
    "",
    "Its stage, its asset, the settings, `bioscan-etl check`, the card, the descriptors and this page follow from the",
    "module. A threshold of its own is a setting of `[release]` in `bioscan_etl/settings.py`.",
    "",
)


def readme_columns() -> str:
    """The data dictionary of the CSV, as the README holds it."""
    return f"<!-- metadata -->\n{data_dictionary(METADATA)}\n<!-- /metadata -->"


def pages() -> dict[str, str]:
    """All printed files by name."""
    found = {
        "settings.md": settings_page(),
        "tables.md": tables_page(),
        "statistics.md": statistics_page(),
        "rules.md": rules_page(),
        "stages.md": stages_page(),
        "command-line.md": command_line_page(),
        "forms.md": forms_page(),
        "flow.svg": flow_svg(STAGES.values()),
    }
    found |= {f"rules/{rule.id}.md": rule_page(rule) for rule in registry().values()}
    return {f"{FOLDER}/{name}": page.rstrip("\n") + "\n" for name, page in found.items()}


def main(folder: str) -> None:
    """Write all pages into a folder, and the columns into the README of its parent folder."""
    root = Path(folder)
    for old in (root / FOLDER / "rules").glob("*.md"):
        old.unlink()
    for name, page in pages().items():
        write_text(root / name, page)
    readme = root.parent / "README.md"
    text = readme.read_text(encoding="utf-8")
    block = re.compile(r"<!-- metadata -->.*<!-- /metadata -->", re.DOTALL)
    write_text(readme, block.sub(lambda _: readme_columns(), text))


if __name__ == "__main__":
    main(sys.argv[1])
