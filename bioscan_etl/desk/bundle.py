"""The pages' modules as one script, for pages that are opened from a disk.

Belongs here: putting modules in order and binding their names. Does not belong here: what they do (`static/`).

Chromium lets no page from a disk import a module. A data: address for each module would do, but a page that may run
those may run anything that somebody puts into it. So each module becomes a function of the modules that it imports, and
the policy of the pages allows scripts that lie beside them, and no others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

STATIC = Path(__file__).with_name("static")

_IMPORT = re.compile(r'^import \{ ([^}]+) \} from "\./(\w+\.js)";\n', re.MULTILINE)
_LATER = re.compile(r'\bimport\("\./(\w+\.js)"\)')
_FROM = re.compile(r'^export \{ ([^}]+) \} from "\./(\w+\.js)";\n', re.MULTILINE)
_NAMES = re.compile(r"^export \{ ([^}]+) \};\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|let|class)\s+(\w+))", re.MULTILINE)
_LEFT = re.compile(r"^\s*(?:import|export)\b|\bimport\(", re.MULTILINE)


def bundle(first: str, instead: Mapping[str, str]) -> str:
    """One script that does what a module and all that it imports do.

    Args:
        first: name of the module in `static/`.
        instead: modules that take the place of others, by the name of the other.

    Raises:
        ValueError: a module imports or exports in a form that is not known here, or imports one that imports it.
    """
    made: dict[str, str] = {}
    _add(first, instead, made, ())
    return "\n".join(["// Made of the modules of bioscan_etl/desk/static.", '"use strict";', *made.values(), ""])


def _add(name: str, instead: Mapping[str, str], made: dict[str, str], above: tuple[str, ...]) -> None:
    if name in above:
        raise ValueError(f"{' imports '.join([*above, name])}: no module may import one that imports it")
    if name in made:
        return
    text = (STATIC / instead.get(name, name)).read_text(encoding="utf-8")
    for found in (_IMPORT, _FROM, _LATER):
        for match in found.finditer(text):
            _add(match[found.groups], instead, made, (*above, name))
    exported = dict.fromkeys(_EXPORT.findall(text))
    given = {own: own for own in exported}
    for match in _NAMES.finditer(text):
        given |= {public: own for own, public in _pairs(match[1])}
    for match in _FROM.finditer(text):
        given |= {public: f"{_variable(match[2])}.{own}" for own, public in _pairs(match[1])}
    text = _NAMES.sub("", _FROM.sub("", _EXPORT.sub("", text)))
    text = _IMPORT.sub(_binding, text)
    text = _LATER.sub(lambda match: f"Promise.resolve({_variable(match[1])})", text)
    if left := _LEFT.search(text):
        line = text[left.start() :].lstrip().splitlines()[0]
        raise ValueError(f"{name}: {line}: write it as one line with names in braces")
    # Getters, for a name can be given another value later.
    getters = ", ".join(f"get {public}() {{ return {own}; }}" for public, own in given.items())
    made[name] = f"const {_variable(name)} = (() => {{\n{text}\nreturn {{ {getters} }};\n}})();"


def _binding(match: re.Match[str]) -> str:
    names = ", ".join(own if own == public else f"{own}: {public}" for own, public in _pairs(match[1]))
    return f"const {{ {names} }} = {_variable(match[2])};\n"


def _pairs(names: str) -> list[tuple[str, str]]:
    """Names in braces: the own one and, after `as`, the other one."""
    found = []
    for one in names.split(","):
        own, _, other = one.strip().partition(" as ")
        if own:
            found.append((own, other or own))
    return found


def _variable(name: str) -> str:
    return f"module_{name.removesuffix('.js')}"
