"""The part of a module's source that counts, and its imports.

Belongs here: reading one module. Does not belong here: which modules belong to a stage (`closure`).
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from bioscan_etl.provenance.plumbing import BY_VALUE, FORMS, PACKAGE, PLUMBING, RULES, ProvenanceError, within
from bioscan_etl.provenance.prose import without_looks, without_prose

# What leads to the output forms without naming them.
_THROUGH_FORMS = frozenset(f"{FORMS}.registry.{name}" for name in ("forms", "wanted", "owned"))
# Decorators that read no annotations; under any other one a function's annotations count.
_BLIND_DECORATORS = frozenset(
    {
        "abstractmethod",
        "cache",
        "cached_property",
        "classmethod",
        "contextmanager",
        "lru_cache",
        "overload",
        "override",
        "property",
        "setter",
        "staticmethod",
        "wraps",
    }
)


@dataclass(frozen=True, slots=True)
class Source:
    """The result of reading one module.

    Attributes:
        digest: hex sha256 of what counts of it.
        imports: modules of the package that it imports, but for plumbing and modules of values.
        members: names that it takes from those, each a module or not.
        entries: values that it uses of the modules of values, as `schema.RECORDS`; `schema.*` where it hands such a
            module around.
        libraries: top-level names of third-party modules.
        all_rules: whether it takes `registry` from `bioscan_etl.rules`.
        all_forms: whether it goes through all output forms (`bioscan_etl.release.forms.registry`).
    """

    digest: str
    imports: frozenset[str]
    members: frozenset[str]
    entries: frozenset[str]
    libraries: frozenset[str]
    all_rules: bool
    all_forms: bool


@cache
def read_source(source: str, module: str, *, package: bool = False, prose: bool = False) -> Source:
    """Read the part of a module that counts: without layout, comments, docstrings and annotations.

    Annotations of a class's fields count. Of entries `Rule(…)` in a module `rules`, id, severity and setting do.
    Of a module of an output form, what builds the form does. Imports count by what they bind, where that is used,
    wherever they stand.

    Args:
        source: the text.
        module: its dotted name.
        package: whether it is a package's `__init__`.
        prose: count all of a rule, and what an output form says of itself.

    Raises:
        ProvenanceError: it is not Python, or imports by a computed name.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise ProvenanceError(f"module {module} is not Python that {sys.version.split()[0]} reads: {error}") from None
    if not prose and module.rpartition(".")[2] == "rules":
        tree = without_prose(tree)
    if within(module, (FORMS,)):
        tree = without_looks(tree, prose=prose)
    reader = _Reader(module, package)
    reader.walk(tree)
    return reader.code()


_SKIPPED_FIELDS = {"ctx", "kind", "type_comment", "type_ignores", "type_params", "simple"}


_FIELDS: dict[type[ast.AST], tuple[tuple[str, str], ...]] = {
    kind: tuple((field, f" {field}=") for field in kind._fields if field not in _SKIPPED_FIELDS)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}


class _Reader:
    """One walk over a module: writes down what counts, and notes imports and uses of values.

    The text is the same for one source on every Python from 3.11 on: class names and fields of the tree, without
    positions and without the fields that only some versions have or fill.
    """

    def __init__(self, module: str, package: bool) -> None:
        self._module = module
        self._package = package
        self._text: list[str] = []
        self._in_class = False
        self._annotated = False  # whether annotations of arguments count
        self._names: set[str] = set()
        self._attributes: set[tuple[str, str]] = set()
        self._bound: list[tuple[str, str]] = []  # names that imports bind, and what to
        self._imports: set[str] = set()
        self._members: set[str] = set()
        self._libraries: set[str] = set()
        self._own: dict[type[ast.AST], Callable[[Any], None]] = {
            ast.AnnAssign: self._annotated_assignment,
            ast.AsyncFunctionDef: self._function,
            ast.Attribute: self._attribute,
            ast.Call: self._call,
            ast.ClassDef: self._class,
            ast.Constant: self._constant,
            ast.Expr: self._expression,
            ast.FunctionDef: self._function,
            ast.If: self._if,
            ast.Import: self._import,
            ast.ImportFrom: self._import_from,
            ast.JoinedStr: self._joined,
            ast.Name: self._name,
            ast.Pass: self._nothing,
            ast.arg: self._argument,
        }

    def code(self) -> Source:
        """What the walk found."""
        entries: set[str] = set()
        registry = forms = False
        counted = set()
        for name, origin in self._bound:
            used = name in self._names or any(base == name for base, _ in self._attributes)
            if origin in BY_VALUE:
                own = {attribute for base, attribute in self._attributes if base == name}
                own |= {"*"} if name in self._names else set()
                entries |= {f"{_last(origin)}.{each}" for each in own}
            elif within(origin, BY_VALUE):
                entries |= {origin.removeprefix(f"{PACKAGE}.")}
            elif origin == RULES:
                registry |= (name, "registry") in self._attributes or name in self._names
            elif origin == f"{RULES}.registry":
                registry = True
            forms |= origin in _THROUGH_FORMS
            # What is imported for annotations only is no code; of the package's own, others may import it from here.
            if not within(origin, PLUMBING) and (used or (within(origin, (PACKAGE,)) and not within(origin, BY_VALUE))):
                counted.add(f"{name}={origin}")
        self._text += ["\nimports: ", *(f"{each} " for each in sorted(counted))]
        return Source(
            hashlib.sha256("".join(self._text).encode("utf-8", "surrogatepass")).hexdigest(),
            frozenset(self._imports),
            frozenset(self._members),
            frozenset(entries),
            frozenset(self._libraries),
            registry and self._module != RULES,
            forms,
        )

    def walk(self, node: ast.AST) -> None:
        """Write down a node."""
        self._own.get(type(node), self._generic)(node)

    def _generic(self, node: ast.AST, skip: tuple[str, ...] = ()) -> None:
        text = self._text
        kind = type(node)
        text.append(f"({kind.__name__}")
        for field, label in _FIELDS[kind]:
            value = getattr(node, field, None)
            if value is None or field in skip:
                continue
            if isinstance(value, list):
                if value:
                    text.append(f"{label}[")
                    for each in value:
                        if each is None:  # as in {**mapping}
                            text.append(" None")
                        elif isinstance(each, str):
                            text.append(f" {each!a}")
                        else:
                            self.walk(each)
                    text.append("]")
            elif isinstance(value, ast.AST):
                text.append(label)
                self.walk(value)
            else:
                text.append(f"{label}{value!a}")
        text.append(")")

    def _nothing(self, node: ast.AST) -> None:
        """Of no effect."""

    def _name(self, node: ast.Name) -> None:
        self._names.add(node.id)
        self._text.append(f"(Name {node.id!a})")

    def _constant(self, node: ast.Constant) -> None:
        self._text.append(f"({type(node.value).__name__} {node.value!a})")

    def _joined(self, node: ast.JoinedStr) -> None:
        """An f-string; versions of Python cut its texts differently."""
        self._text.append("(JoinedStr")
        plain = ""
        for part in node.values:
            if isinstance(part, ast.Constant):
                plain += str(part.value)
                continue
            self._text.append(f" {plain!a}")
            plain = ""
            self.walk(part)
        self._text.append(f" {plain!a})")

    def _attribute(self, node: ast.Attribute) -> None:
        base = _dotted(node.value)
        if base:
            self._attributes.add((base, node.attr))
        if isinstance(node.value, ast.Name):
            self._text.append(f"(Attribute {node.value.id!a} {node.attr!a})")
        else:
            self._text.append(f"(Attribute {node.attr!a}")
            self.walk(node.value)
            self._text.append(")")

    def _expression(self, node: ast.Expr) -> None:
        if not (isinstance(node.value, ast.Constant) and isinstance(node.value.value, (str, type(...)))):
            self._generic(node)

    def _if(self, node: ast.If) -> None:
        if _dotted(node.test).rpartition(".")[2] != "TYPE_CHECKING":
            self._generic(node)
            return
        for each in node.orelse:
            self.walk(each)

    def _annotated_assignment(self, node: ast.AnnAssign) -> None:
        if self._in_class:
            self._generic(node)
        elif node.value is not None:
            self._generic(ast.Assign(targets=[node.target], value=node.value))

    def _argument(self, node: ast.arg) -> None:
        self._generic(node, () if self._annotated else ("annotation",))

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        kept = self._in_class, self._annotated
        self._in_class = False
        self._annotated = any(_called(each) not in _BLIND_DECORATORS for each in node.decorator_list)
        self._text.append(f"({type(node).__name__} {node.name!a}")
        self.walk(node.args)
        if self._annotated and node.returns:
            self._text.append(" returns=")
            self.walk(node.returns)
        self._annotated = False
        for label, part in ((" decorators=[", node.decorator_list), ("] body=[", node.body)):
            self._text.append(label)
            for each in part:
                self.walk(each)
        self._text.append("])")
        self._in_class, self._annotated = kept

    def _class(self, node: ast.ClassDef) -> None:
        kept, self._in_class = self._in_class, True
        self._generic(node)
        self._in_class = kept

    def _call(self, node: ast.Call) -> None:
        if _called(node.func) in {"import_module", "__import__"}:
            self._computed(node)
        self._generic(node)

    def _computed(self, node: ast.Call) -> None:
        name = node.args[0] if node.args else None
        if isinstance(name, ast.Constant) and isinstance(name.value, str) and not name.value.startswith("."):
            self._take(name.value)
        # A stage that calls `rules.registry` is made from the rules of all stages (`Source.all_rules`).
        elif not within(self._module, (*PLUMBING, RULES)):
            raise ProvenanceError(
                f"module {self._module}, line {node.lineno}, imports by a computed name; write the module's full name"
            )

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._take(alias.name)
            if alias.asname:
                self._bound.append((alias.asname, alias.name))
            else:
                self._bound.append((alias.name.partition(".")[0], alias.name.partition(".")[0]))
                if alias.name in (*BY_VALUE, RULES):
                    self._bound.append((alias.name, alias.name))

    def _import_from(self, node: ast.ImportFrom) -> None:
        base = self._absolute(node)
        if base == "__future__":
            return
        self._take(base)
        for alias in node.names:
            if alias.name == "*" and base in BY_VALUE:
                raise ProvenanceError(f"module {self._module} imports * from {base}; name what it uses")
            origin = f"{base}.{alias.name}"
            self._bound.append((alias.asname or alias.name, origin))
            if within(base, (PACKAGE,)) and not within(origin, (*PLUMBING, *BY_VALUE)):
                self._members.add(origin)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self._module.split(".")
        parts = parts[: len(parts) - node.level + self._package]
        return ".".join((*parts, *([node.module] if node.module else [])))

    def _take(self, name: str) -> None:
        top = name.partition(".")[0]
        if top == PACKAGE:
            if not within(name, (*PLUMBING, *BY_VALUE)):
                self._imports.add(name)
        elif top not in sys.stdlib_module_names:
            self._libraries.add(top)


def _dotted(node: ast.expr) -> str:
    """`a.b` of names joined by dots, else nothing."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (base := _dotted(node.value)):
        return f"{base}.{node.attr}"
    return ""


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _called(node: ast.expr) -> str:
    """The last name of what is called or decorates."""
    return _dotted(node.func if isinstance(node, ast.Call) else node).rpartition(".")[2]
