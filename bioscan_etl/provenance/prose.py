"""What of a module decides no value: what rules say of themselves, and how an output form is checked and described."""

from __future__ import annotations

import ast
from collections.abc import Collection

_FIELDS = ("id", "statement", "reason", "source", "severity", "setting", "example")
_COUNTED = frozenset({"id", "severity", "setting"})


def without_prose(tree: ast.Module) -> ast.Module:
    """Remove the texts of the rules of a module, and private constants that were only used in them."""
    tree = _Entries().visit(tree)
    while True:
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        kept = [node for node in tree.body if not _is_private_constant(node, used)]
        if len(kept) == len(tree.body):
            return tree
        tree.body = kept


def _is_private_constant(node: ast.stmt, used: set[str]) -> bool:
    """Whether it assigns a text to a private name that is not used."""
    if not isinstance(node, ast.Assign) or not isinstance(node.value, (ast.Constant, ast.JoinedStr)):
        return False
    target = node.targets[0]
    return (
        len(node.targets) == 1 and isinstance(target, ast.Name) and target.id.startswith("_") and target.id not in used
    )


class _Entries(ast.NodeTransformer):
    """Removes the texts from `Rule(…)`, and passes its arguments by name, in one order."""

    def visit_Call(self, node: ast.Call) -> ast.Call:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        unpacks = any(isinstance(each, ast.Starred) for each in node.args) or not all(k.arg for k in node.keywords)
        if name == "Rule" and not unpacks and len(node.args) <= len(_FIELDS):
            given = dict(zip(_FIELDS, node.args, strict=False)) | {str(k.arg): k.value for k in node.keywords}
            node.args = []
            node.keywords = [ast.keyword(field, given[field]) for field in sorted(_COUNTED & given.keys())]
        self.generic_visit(node)
        return node


# What of the entry of an output form decides the files that its own stage writes.
_BUILDING = frozenset({"name", "owns", "build", "resumable", "packages", "image_package"})


def without_looks(tree: ast.Module, *, prose: bool) -> ast.Module:
    """A module of an output form without what only looks at the form once it is there.

    Left out are the functions whose names begin with `check`, the hooks of the entry `FORM` that do not build (what the
    card and the descriptors say), and the private definitions that only those use.

    Args:
        tree: the module.
        prose: keep what the card and the descriptors say, for a stage that prints it.
    """
    looks = {name for node in tree.body for name in _defined(node) if name.lstrip("_").startswith("check")}
    for node in tree.body:
        if isinstance(node, ast.Assign) and "FORM" in _defined(node) and isinstance(node.value, ast.Call):
            entry = node.value
            left_out = [
                each for each in entry.keywords if each.arg not in _BUILDING and (not prose or each.arg == "check")
            ]
            entry.keywords = [each for each in entry.keywords if each not in left_out]
            looks |= {name for each in left_out for name in _used(each.value)}
    # Whatever has a public name, other modules may build with.
    only_looked = {node for node in _reached(tree, looks) if all(map(_is_left_out, _defined(node)))}
    building = [node for node in tree.body if node not in only_looked]
    kept = {*building, *_reached(tree, {name for node in building for name in _used(node)})}
    tree.body = [node for node in tree.body if node in kept]
    return tree


def _is_left_out(name: str) -> bool:
    return name.startswith(("_", "check"))


def _reached(tree: ast.Module, names: Collection[str]) -> set[ast.stmt]:
    """The definitions of a module that names lead to, one through another."""
    places = {name: node for node in tree.body for name in _defined(node)}
    found: set[ast.stmt] = set()
    waiting = [places[name] for name in names if name in places]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += [places[name] for name in _used(node) if name in places]
    return found


def _defined(node: ast.stmt) -> set[str]:
    """Names that a function, a class or an assignment gives; imports give none here."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}


def _used(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)}
