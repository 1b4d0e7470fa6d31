"""Add the authors of lists of names to `bioscan_etl/taxonomy/author_names.txt`.

    .venv/bin/python tools/collect_author_names.py LIST...

Belongs here: surnames that stand before a year in a list of scientific names, one name a line; of a table the first
column is read. Names that were added by hand stay. Does not belong here: what a surname proves
(`bioscan_etl.taxonomy.authorship`).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from bioscan_etl.taxonomy import authorship
from bioscan_etl.taxonomy.nametext import normalise_name

FILE = Path(authorship.__file__).with_name("author_names.txt")
SHORTEST = 3
_DATED = re.compile(r", ?1[78]\d\d|, ?19\d\d|, ?20\d\d")


def dated_surnames(lines: list[str]) -> set[str]:
    """The surnames of the authorships that have a year after a comma, as written."""
    found: set[str] = set()
    for line in lines:
        text = line.split("\t")[0].strip()
        name = normalise_name(text, "species").name
        if name and text.startswith(name) and _DATED.search(text[len(name) :]):
            found.update(authorship.surnames(text[len(name) :].strip()))
    return {one for one in found if _is_usable(one)}


def _is_usable(name: str) -> bool:
    return len(name) >= SHORTEST and not name.endswith(".") and name.casefold() not in authorship.not_authors()


def main(files: list[str]) -> None:
    """Merge the lists into the file, sorted."""
    lines = FILE.read_text(encoding="utf-8").splitlines()
    names = {line for line in lines if line and not line.startswith("#")}
    for file in files:
        names |= dated_surnames(Path(file).read_text(encoding="utf-8").splitlines())
    head = [line for line in lines if line.startswith("#")]
    FILE.write_text("\n".join([*head, *sorted(names)]) + "\n", encoding="utf-8")
    print(f"{len(names):,} surnames: {FILE}")


if __name__ == "__main__":
    main(sys.argv[1:])
