"""What code a stage consists of: the modules it reaches by imports, and the values of schema and vocabulary they use.

Belongs here: which modules count, which part of their text counts, and the digest over both. Does not belong here: a
stage's data files, settings and library versions; the registry lists those, and they are counted by value.

The code is parsed with Python's own `ast`. Import graphs such as grimp's know which modules import which, but the
fingerprint also needs the syntax tree: it excludes prose, and counts schema entries one by one. And modulegraph,
modulefinder and snowfall would need importable code or scan strings.
"""

from __future__ import annotations

import builtins
import hashlib
import inspect
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Literal, get_origin

from bioscan_etl.provenance.plumbing import BY_VALUE, FORMS, PACKAGE, PLUMBING, ProvenanceError, within
from bioscan_etl.provenance.source import Source, read_source

__all__ = ["PLUMBING", "Closure", "ProvenanceError", "changed", "closure"]

_COLUMN_COUNTED = ("name", "dtype", "nullable", "allowed", "pattern", "minimum", "maximum")
_COLUMN_PROSE = ("meaning", "unit")


@dataclass(frozen=True)
class Closure:
    """The code of a stage.

    Attributes:
        modules: hex sha256 of the code that counts, by dotted name of the module; sorted.
        values: hex sha256 of the values that the modules use, as `schema.RECORDS` or `vocabulary.RANKS`; sorted.
        libraries: top-level names of the third-party modules that they import.
    """

    modules: Mapping[str, str]
    values: Mapping[str, str]
    libraries: frozenset[str]

    @cached_property
    def digest(self) -> str:
        """Hex sha256 over modules and values."""
        return _digest([dict(self.modules), dict(self.values)])


def closure(entry: str, *, root: Path | None = None, prose: bool = False) -> Closure:
    """Find the code of the stage whose function is in a module, without importing it.

    Args:
        entry: dotted name of the module, such as `bioscan_etl.images.stage`; counted even if it is plumbing.
        root: folder that contains the package `bioscan_etl`; None for the running one. Results are cached for the
            life of the process.
        prose: also count texts of rules and columns, for stages that print them.

    Raises:
        ProvenanceError: a module is missing, is not Python, or imports by a computed name.
    """
    if not entry.startswith(f"{PACKAGE}."):
        raise ProvenanceError(f"{entry!r} is not a module of {PACKAGE}; name the module of the stage's function")
    return _closure(entry, (Path(__file__).parents[2] if root is None else root).resolve(), prose)


def changed(before: Closure, after: Closure) -> list[str]:
    """Names of the modules and values that differ, were added or removed; sorted, modules first."""
    pairs = ((before.modules, after.modules), (before.values, after.values))
    return [name for old, new in pairs for name in sorted({*old, *new}) if old.get(name) != new.get(name)]


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@cache
def _closure(entry: str, root: Path, prose: bool) -> Closure:
    modules: dict[str, str] = {}
    entries: set[str] = set()
    libraries: set[str] = set()
    waiting = [entry]
    while waiting:
        name = waiting.pop()
        # The root's own module is the version and the public face: no stage is made from it.
        if name in modules or name == PACKAGE:
            continue
        with_prose = prose and (name.endswith(".rules") or within(name, (FORMS,)))  # elsewhere prose is code
        code = _code(root, name, with_prose)
        modules[name] = code.digest
        entries |= code.entries
        libraries |= code.libraries
        reached = [name, *code.imports, *(_rules_modules(root) if code.all_rules else ())]
        reached += _form_modules(root) if code.all_forms else ()
        for target in reached:
            parts = target.split(".")
            parents = (".".join(parts[:length]) for length in range(2, len(parts) + 1))
            waiting += (each for each in parents if each == entry or not within(each, (*PLUMBING, *BY_VALUE)))
        waiting += (each for each in code.members if _exists(root, each))
    values = _values(root, entries, prose) if entries else {}
    return Closure(MappingProxyType(dict(sorted(modules.items()))), MappingProxyType(values), frozenset(libraries))


def _file(root: Path, module: str) -> Path | None:
    place = root.joinpath(*module.split("."))
    for path in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
        if path.is_file():
            return path
    return None


@cache
def _exists(root: Path, module: str) -> bool:
    return _file(root, module) is not None


@cache
def _rules_modules(root: Path) -> tuple[str, ...]:
    """The modules that `rules.registry` reads."""
    return tuple(sorted(f"{PACKAGE}.{path.parent.name}.rules" for path in (root / PACKAGE).glob("*/rules.py")))


@cache
def _form_modules(root: Path) -> tuple[str, ...]:
    """The modules that `release.forms.registry` walks over."""
    folder = root.joinpath(*FORMS.split("."))
    return tuple(sorted(f"{FORMS}.{path.stem}" for path in folder.glob("[a-z]*.py") if path.stem != "registry"))


@cache
def _code(root: Path, module: str, prose: bool) -> Source:
    path = _file(root, module)
    if path is None:
        raise ProvenanceError(f"module {module} is not below {root}; correct the import, or the stage's entry")
    return read_source(path.read_text(encoding="utf-8"), module, package=path.name == "__init__.py", prose=prose)


def _values(root: Path, names: Iterable[str], prose: bool) -> dict[str, str]:
    """Digests of values by name, as `schema.RECORDS`; Table, Column and functions of the schema are no values."""
    digests: dict[str, str] = {}
    every = _all_values(root)
    for module in BY_VALUE:
        short = module.rpartition(".")[2]
        wanted = {name.removeprefix(f"{short}.") for name in names if name.startswith(f"{short}.")}
        values = every[module]
        chosen = {name for name in values if not name.startswith("_")} if "*" in wanted else values.keys() & wanted
        digests |= {f"{short}.{name}": _digest(_plain(values[name], module, prose)) for name in chosen}
    return dict(sorted(digests.items()))


@cache
def _all_values(root: Path) -> Mapping[str, Mapping[str, Any]]:
    """The values of each module of values below a root."""
    run: dict[str, ModuleType] = {}
    for module in BY_VALUE:
        path = _file(root, module)
        if path is None:
            raise ProvenanceError(f"module {module} is not below {root}")
        run[module] = _run(path, run)
    return {
        name: {key: value for key, value in vars(module).items() if not key.startswith("__") and _is_entry(value)}
        for name, module in run.items()
    }


def _run(path: Path, earlier: Mapping[str, ModuleType]) -> ModuleType:
    """Run a module's source under a name of its own that is forgotten again.

    Args:
        path: of the source.
        earlier: modules below the same root that it may import, by dotted name; others are those of this process.
    """
    module = ModuleType(path.stem)
    module.__name__ = f"_{PACKAGE}_{path.stem}_{id(module):x}"

    def own_import(name: str, *arguments: Any, **named: Any) -> Any:
        return earlier[name] if name in earlier else builtins.__import__(name, *arguments, **named)

    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": own_import}
    sys.modules[module.__name__] = module  # dataclasses look their module up while they are made
    try:
        exec(compile(path.read_text(encoding="utf-8"), path, "exec"), module.__dict__)  # noqa: S102
    except Exception as error:
        raise ProvenanceError(f"{path} does not run: {type(error).__name__}: {error}") from error
    finally:
        del sys.modules[module.__name__]
    return module


def _is_entry(value: object) -> bool:
    """Whether it is a table, a constant or a vocabulary, and not what the schema is built with."""
    if inspect.isclass(value):
        return issubclass(value, Enum)
    if get_origin(value) is Literal:  # a type, of which a list of values is made
        return False
    return not inspect.ismodule(value) and not inspect.isroutine(value) and type(value).__module__ != "__future__"


def _plain(value: Any, module: str, prose: bool) -> Any:
    """A value of a module as JSON holds it."""
    kind = type(value).__name__
    if kind == "Table":
        further = ("further",) if value.further else ()
        value = {
            field: getattr(value, field) for field in ("name", "key", "columns", *further, *(("row",) if prose else ()))
        }
    elif kind == "Column":
        value = {field: getattr(value, field) for field in (*_COLUMN_COUNTED, *(_COLUMN_PROSE if prose else ()))}
    elif isinstance(value, type) and issubclass(value, Enum):
        value = {each.name: each.value for each in value}
    if isinstance(value, Mapping):
        return {kind: [[_plain(key, module, prose), _plain(each, module, prose)] for key, each in value.items()]}
    if isinstance(value, (list, tuple)):
        return [_plain(each, module, prose) for each in value]
    if isinstance(value, (set, frozenset)):
        return {"set": sorted((_plain(each, module, prose) for each in value), key=json.dumps)}
    if value is None or isinstance(value, (str, int, float)):
        return value
    if type(value).__module__.startswith("polars."):
        return f"{kind} {value}"
    raise ProvenanceError(f"{module} holds a {kind}, which provenance cannot compare; keep it in another module")
