"""Finds the module of a bundle's folder that holds its workflow, without running any of its code."""

import ast
from pathlib import Path

from botyard.workflow.errors import NoWorkflowFound

MARKS = frozenset({"agentic_workflow", "agentic_workflow_factory"})
_NOT_BUNDLES = frozenset({"tests", "test", "scenarios", "docs", "node_modules"})


def find_module(bundle: Path) -> str:
    """Return the dotted name of the module that holds the workflow; empty: the folder's own `__init__.py`.

    Raises:
        NoWorkflowFound: There is none, or several lie equally deep.
        SyntaxError: A file is no Python.
    """
    found = marked_modules(bundle)
    if not found:
        raise NoWorkflowFound(
            "No decorated workflow found: mark a class with @agentic_workflow(...), and name its module in "
            "spec.entrypoint.module if it is not found"
        )
    depth = min(len(parts) for parts in found)
    nearest = [".".join(parts) for parts in found if len(parts) == depth]
    if len(nearest) > 1:
        raise NoWorkflowFound(
            f"Several modules hold a decorated workflow: {', '.join(nearest)}. Name one in spec.entrypoint.module."
        )
    return nearest[0]


def marked_modules(bundle: Path) -> list[tuple[str, ...]]:
    """Return the modules that mark a class or function, each as the parts of its name."""
    found = []
    for path in sorted(bundle.rglob("*.py")):
        inside = path.relative_to(bundle)
        if any(part in _NOT_BUNDLES or part.startswith((".", "__")) for part in inside.parts[:-1]):
            continue
        source = path.read_bytes()
        if not any(mark.encode() in source for mark in MARKS):
            continue
        if any(_is_marked(node) for node in ast.walk(ast.parse(source, filename=str(inside)))):
            parts = inside.with_suffix("").parts
            found.append(parts[:-1] if parts[-1] == "__init__" else parts)
    return found


def _is_marked(node: ast.AST) -> bool:
    if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    return any(_name_of(decorator) in MARKS for decorator in node.decorator_list)


def _name_of(node: ast.expr) -> str:
    called = node.func if isinstance(node, ast.Call) else node
    if isinstance(called, ast.Attribute):
        return called.attr
    return called.id if isinstance(called, ast.Name) else ""
