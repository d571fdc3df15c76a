"""Which tools the code of a loop bundle handles, as far as reading it tells.

Handlers are registered while a Persona's loop runs, so what is read here is a guess that errs to the bot's favour: one
registration whose tool cannot be told from the code, and nothing is said of any tool.
"""

import ast
from pathlib import Path


def handled_tools(bundle: Path) -> frozenset[str] | None:
    """Return the names of tools with a handler; None where that cannot be told.

    Understood are `@rcx.on_tool_call("name")` and `@rcx.on_tool_call(TOOL.name)` with `TOOL = CloudTool(name="name")`
    anywhere in the bundle.
    """
    registered: list[ast.expr] = []
    declared: dict[str, str] = {}
    for path in sorted(bundle.rglob("*.py")):
        try:
            tree = ast.parse(path.read_bytes())
        except SyntaxError:
            return None
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "on_tool_call":
                registered += node.args[:1]
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                declared |= _declared(node)
            elif isinstance(node, ast.Attribute | ast.Name) and _is_wholesale(node):
                return None
    names = [_name(argument, declared) for argument in registered]
    return None if None in names else frozenset(name for name in names if name)


def _declared(node: ast.Assign | ast.AnnAssign) -> dict[str, str]:
    value, targets = node.value, node.targets if isinstance(node, ast.Assign) else [node.target]
    if not isinstance(value, ast.Call):
        return {}
    name = next((key.value for key in value.keywords if key.arg == "name"), None)
    if not (isinstance(name, ast.Constant) and isinstance(name.value, str)):
        return {}
    return {target.id: name.value for target in targets if isinstance(target, ast.Name)}


def _name(argument: ast.expr, declared: dict[str, str]) -> str | None:
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        return argument.value
    if isinstance(argument, ast.Attribute) and argument.attr == "name":
        owner = argument.value
        known = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
        return declared.get(known)
    return None


def _is_wholesale(node: ast.Attribute | ast.Name) -> bool:
    """Tell whether code registers handlers by the list: integrations do."""
    return (node.attr if isinstance(node, ast.Attribute) else node.id) == "main_loop_integrations_init"
