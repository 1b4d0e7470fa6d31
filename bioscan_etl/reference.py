"""The reference pages, printed from the registries: settings, tables, rules.

`python -m bioscan_etl.reference docs` writes them; a test holds that the committed pages are what it writes.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bioscan_etl import storage
from bioscan_etl.rules import registry
from bioscan_etl.schema import TABLES, data_dictionary
from bioscan_etl.settings import Settings

_PRINTED = "<!-- Printed by `python -m bioscan_etl.reference docs`; edit the registries, not this page. -->\n"


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
        "Give the ones to change in a TOML file (`bioscan-etl run --settings FILE`); all others keep their default.",
        "",
    ]
    defaults = Settings()
    for section in Settings.model_fields:
        model = getattr(defaults, section)
        lines += [f"## [{section}]", "", (type(model).__doc__ or "").strip(), ""]
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


def rules_page() -> str:
    """Every rule of curation: what it says, why, what it does, and the setting that tunes it."""
    lines = [
        "# Rules",
        _PRINTED,
        "A flag in a table, a reason in the report and a line of the change log are ids of this page.",
        "",
    ]
    for rule in registry().values():
        lines += [f"## {rule.id}", "", rule.statement, "", f"*Why:* {rule.reason}", ""]
        lines += [f"*Effect:* {rule.severity.value}. *Source:* {rule.source}."]
        if rule.setting:
            lines += [f"*Setting:* `{rule.setting}`."]
        if rule.example:
            lines += [f"*Example:* {rule.example}"]
        lines.append("")
    return "\n".join(lines)


PAGES = {"settings.md": settings_page, "tables.md": tables_page, "rules.md": rules_page}


def main(folder: str) -> None:
    """Write all pages into a folder."""
    for name, page in PAGES.items():
        storage.write_text(Path(folder) / name, page().rstrip("\n") + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
