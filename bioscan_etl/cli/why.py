"""The command `why`: what became of a specimen, in words.

Belongs here: the texts and their order. Does not belong here: finding the facts (`bioscan_etl.explain`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from bioscan_etl import api
from bioscan_etl.cli.options import LINES, Answer, Folder, Said, reflowed
from bioscan_etl.cli.terminal import Terminal
from bioscan_etl.io.locations import local_path
from bioscan_etl.io.paths import real_path

_Row = Mapping[str, Any]


@reflowed
def why(processid: str, /, *, output: Folder, answer: Answer = LINES, terminal: Said) -> int:
    """Show what became of a specimen, and why.

    Show every row and image of a process ID, the rules and gates that hit it, its changed values, its partition, and
    where it is in each release. Exit code 1 where nothing is known of it.

    Args:
        processid: process ID of the specimen
        output: folder of the corpus
    """
    found = api.why(output, processid)
    terminal.fact(found=found.is_known, **asdict(found))
    if not found.is_known:
        terminal.say(f"nothing is known of {found.processid} in {real_path(local_path(output))}")
    else:
        terminal.say(found.processid)
        for title, rows, say in _SECTIONS:
            _section(terminal, title, getattr(found, rows), say)
    _section(terminal, "could not be read", [{"problem": one} for one in found.problems], lambda row: row["problem"])
    return 0 if found.is_known else 1


def _section(terminal: Terminal, title: str, rows: Any, say: Callable[[_Row], str]) -> None:
    if rows:
        terminal.say(title)
    for row in rows:
        terminal.say(f"  {say(row)}")


def _place(row: _Row) -> str:
    return f"{row['batch']}: {row['source_file']} line {row['source_line']}"


def _read(row: _Row) -> str:
    date = f", snapshot of {row['snapshot_date']}" if row["snapshot_date"] else ""
    return f"{_place(row)}, record {row['record_id']}{date}"


def _batch(row: _Row) -> str:
    return f"{row['batch']}: {row['status']}" + (f" ({row['why']})" if row["why"] else "")


def _aside(row: _Row) -> str:
    kept = f"; {row['kept_record_id']} of {row['kept_batch']} is used instead" if row["kept_batch"] else ""
    return f"{_place(row)}, record {row['record_id']}: {row['reason']}{kept}"


def _rejected(row: _Row) -> str:
    detail = f" ({row['detail']})" if row["detail"] else ""
    return f"{_place(row)}: {row['reason']}{detail}: {row['text']}"


def _image(row: _Row) -> str:
    detail = f" ({row['detail']})" if row["detail"] else ""
    box = f"; {row['box']}" if row["box"] else ""
    sure = f", confidence {row['confidence']:.2f}" if row["confidence"] is not None else ""
    return f"{row['batch']}: {row['image_file']}: {row['status']}{detail}{box}{sure}"


def _rule(row: _Row) -> str:
    return f"{row['rule']} ({row['stage']}{' of ' + row['batch'] if row['batch'] else ''}): {row['statement']}"


def _gate(row: _Row) -> str:
    return f"{row['gate']}: {row['statement']}"


def _value(value: object) -> str:
    return "(missing)" if value is None else str(value)


def _change(row: _Row) -> str:
    evidence = f" ({row['evidence']})" if row["evidence"] else ""
    return f"{row['field']}: {_value(row['before'])} -> {_value(row['after'])}  {row['rule']}{evidence}"


def _partition(row: _Row) -> str:
    moved = f", moved from {row['before']}: {row['reason']}" if row["before"] else ""
    return f"{row['split']}{moved}"


def _release(row: _Row) -> str:
    labels = ", ".join(f"{rank} {label}" for rank, label in row["labels"].items() if label)
    moved = f"; moved from {row['moved_from']}: {row['moved_reason']}" if row["moved_from"] else ""
    if row["split"]:
        status = f" ({row['verification_status']})" if row["verification_status"] else ""
        return f"{row['version']}: {row['split']}{moved}" + (f"; {labels}{status}" if labels else "")
    return f"{row['version']}: {row['place']}"


_SECTIONS: tuple[tuple[str, str, Callable[[_Row], str]], ...] = (
    ("batches", "batches", _batch),
    ("rows read", "read", _read),
    ("set aside", "set_aside", _aside),
    ("rejected lines that hold it", "rejected", _rejected),
    ("images", "images", _image),
    ("rules that hit", "rules", _rule),
    ("gates that hold it back now", "gates", _gate),
    ("changed values", "changes", _change),
    ("partition now", "partitions", _partition),
    ("releases", "releases", _release),
)
