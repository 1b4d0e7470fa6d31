"""Removing texts from rules: statement, reason, source and example decide no value."""

from __future__ import annotations

import ast

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
