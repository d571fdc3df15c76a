"""Finds the credentials that a bundle reads, in its syntax tree alone.

Found are `credentials["NAME"]`, `credentials.get("NAME"[, default])` and `"NAME" in credentials` on anything that is
called `credentials` (`self.credentials` too), also where the name comes from a loop over written-out names. A name is
required where it is read by index, or where its absence leads to `raise`.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from botyard.inspection.manifest import Credential

_HOLDER = "credentials"


@dataclass(frozen=True, slots=True)
class _Use:
    name: str
    required: bool
    default: str | None
    line: int


def find_credentials(sources: Iterable[tuple[str, ast.Module]]) -> tuple[Credential, ...]:
    """Return the credentials that files read, in the order of their first use.

    Args:
        sources: Name and syntax tree of each file.
    """
    found: dict[str, Credential] = {}
    for file, tree in sources:
        for use in _uses(tree):
            known = found.get(use.name)
            fresh = Credential(name=use.name, required=use.required, default=use.default, where=f"{file}:{use.line}")
            if known is None:
                found[use.name] = fresh
            else:
                found[use.name] = known.model_copy(
                    update={
                        "required": known.required or use.required,
                        "default": known.default if known.default is not None else use.default,
                    }
                )
    return tuple(
        credential.model_copy(update={"required": credential.required and credential.default is None})
        for credential in found.values()
    )


def _uses(tree: ast.Module) -> Iterator[_Use]:
    constants = _named_texts(tree)
    yield from _in(tree.body, constants, constants)


def _in(
    body: Iterable[ast.AST], constants: dict[str, tuple[str, ...]], bound: dict[str, tuple[str, ...]]
) -> Iterator[_Use]:
    for node in body:
        inner = bound
        if isinstance(node, ast.For) and isinstance(node.target, ast.Name):
            inner = bound | {node.target.id: _names(node.iter, constants)}
        if isinstance(node, ast.If) and any(isinstance(part, ast.Raise) for part in node.body):
            for use in _in([node.test], constants, inner):
                yield replace(use, required=True)
            yield from _in([*node.body, *node.orelse], constants, inner)
            continue
        yield from _use_of(node, inner)
        yield from _in(ast.iter_child_nodes(node), constants, inner)


def _use_of(node: ast.AST, bound: dict[str, tuple[str, ...]]) -> Iterator[_Use]:
    key: ast.expr
    required, default = False, None
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and _is_holder(node.value):
        key, required = node.slice, True
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "get"
        and _is_holder(node.func.value)
        and node.args
    ):
        key = node.args[0]
        default = _default(node.args[1:], bound)
    elif isinstance(node, ast.Compare) and any(_is_holder(part) for part in node.comparators):
        key = node.left
    else:
        return
    names = (key.value,) if isinstance(key, ast.Constant) else bound.get(getattr(key, "id", ""), ())
    for name in names:
        if isinstance(name, str):
            yield _Use(name, required, default, node.lineno)


def _default(arguments: list[ast.expr], bound: dict[str, tuple[str, ...]]) -> str | None:
    if arguments and isinstance(arguments[0], ast.Constant) and arguments[0].value is not None:
        return str(arguments[0].value)
    if arguments and isinstance(arguments[0], ast.Name) and len(named := bound.get(arguments[0].id, ())) == 1:
        return named[0]
    return None


def _is_holder(node: ast.expr) -> bool:
    if isinstance(node, ast.Name):
        return node.id == _HOLDER
    return isinstance(node, ast.Attribute) and node.attr == _HOLDER


def _named_texts(tree: ast.Module) -> dict[str, tuple[str, ...]]:
    """Return the texts and lists of texts that a module or its classes give a name."""
    found: dict[str, tuple[str, ...]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            names = _names(node.value, found)
            if names:
                found[node.targets[0].id] = names
    return found


def _names(node: ast.expr, constants: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    if isinstance(node, ast.Name):
        return constants.get(node.id, ())
    if isinstance(node, ast.Attribute):
        return constants.get(node.attr, ())
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return (node.value,)
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return tuple(e.value for e in node.elts if isinstance(e, ast.Constant) and isinstance(e.value, str))
    return ()


def parse(bundle: Path) -> list[tuple[str, ast.Module]]:
    """Return name and syntax tree of each Python file of a bundle; files that are no Python are left out."""
    trees = []
    for path in sorted(bundle.rglob("*.py")):
        name = str(path.relative_to(bundle))
        if name.startswith((".", "tests/", "test_")):
            continue
        try:
            trees.append((name, ast.parse(path.read_bytes(), filename=name)))
        except (SyntaxError, ValueError):
            continue
    return trees
