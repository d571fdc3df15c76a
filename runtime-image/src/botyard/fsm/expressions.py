"""Expressions in the descriptions of tasks, evaluated without `eval`.

What may be written: literals, the variable (under its own name, `x` or `value`), `and`/`or`/`not`, comparisons,
arithmetic, indexing, `a if b else c`, common functions and methods of texts and containers, and `re.match`, `re.search`
and `re.fullmatch`. A one-argument lambda around such an expression is read too. For more, write a method.
"""

import ast
import operator
import re
from collections.abc import Callable
from typing import Any

from botyard.fsm.errors import ExpressionError

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    f.__name__: f for f in (abs, all, any, bool, float, int, len, list, max, min, round, sorted, str, sum, set)
}
_METHODS = frozenset(
    name
    for kind in (str, list, tuple, dict, set, re.Match)
    for name in dir(kind)
    if not name.startswith("_") and name not in ("format", "format_map", "re", "string")
)
_RE = {name: getattr(re, name) for name in ("match", "search", "fullmatch")}
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.Not: operator.not_,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
_MAX_LENGTH = 4_096


def function_of(expression: str, variable: str) -> Callable[[Any], Any]:
    """Return the expression as a function of the variable's value.

    Args:
        expression: The text.
        variable: The name under which the value appears in it.

    Raises:
        ExpressionError: The text is no expression, or holds something that may not be written; also raised by the
            function for what shows only with a value.
    """
    if len(expression) > _MAX_LENGTH:
        raise ExpressionError(f"An expression may have {_MAX_LENGTH} characters, this one has {len(expression)}.")
    try:
        body: ast.expr = ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise ExpressionError(f"{expression!r} is not a Python expression: {error}") from error
    names = {variable, "x", "value"}
    if isinstance(body, ast.Lambda):
        arguments = body.args.args
        if len(arguments) != 1:
            raise ExpressionError(f"The lambda in {expression!r} must take one argument.")
        names.add(arguments[0].arg)
        body = body.body
    _check(body, names, expression)
    return lambda value: _value(body, dict.fromkeys(names, value))


def _check(node: ast.expr, names: set[str], text: str) -> None:
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and part.id not in names | _FUNCTIONS.keys() | {"re"}:
            raise ExpressionError(f"{text!r} uses the unknown name {part.id!r}; it may use {sorted(names)}.")
        if isinstance(part, ast.Attribute) and part.attr not in _METHODS | _RE.keys():
            raise ExpressionError(f"{text!r} uses {part.attr!r}, which an expression may not; write a method.")
        if isinstance(part, ast.expr) and not isinstance(part, _ALLOWED):
            raise ExpressionError(f"{text!r} holds {type(part).__name__}, which an expression may not; write a method.")


_ALLOWED = (
    ast.Constant,
    ast.Name,
    ast.BoolOp,
    ast.UnaryOp,
    ast.BinOp,
    ast.Compare,
    ast.IfExp,
    ast.Subscript,
    ast.Slice,
    ast.List,
    ast.Tuple,
    ast.Set,
    ast.Dict,
    ast.Call,
    ast.Attribute,
)


def _value(node: ast.expr | None, names: dict[str, Any]) -> Any:
    match node:
        case None:
            return None
        case ast.Constant():
            return node.value
        case ast.Name():
            return names[node.id] if node.id in names else _FUNCTIONS[node.id]
        case ast.BoolOp():
            wanted = isinstance(node.op, ast.Or)
            result: Any = not wanted
            for part in node.values:
                result = _value(part, names)
                if bool(result) is wanted:
                    break
            return result
        case ast.UnaryOp() if type(node.op) in _UNARY:
            return _UNARY[type(node.op)](_value(node.operand, names))
        case ast.BinOp() if type(node.op) in _BINARY:
            return _BINARY[type(node.op)](_value(node.left, names), _value(node.right, names))
        case ast.Compare():
            left = _value(node.left, names)
            for op, part in zip(node.ops, node.comparators, strict=True):
                right = _value(part, names)
                if not _COMPARE[type(op)](left, right):
                    return False
                left = right
            return True
        case ast.IfExp():
            return _value(node.body if _value(node.test, names) else node.orelse, names)
        case ast.Subscript():
            return _value(node.value, names)[_value(node.slice, names)]
        case ast.Slice():
            return slice(_value(node.lower, names), _value(node.upper, names), _value(node.step, names))
        case ast.List() | ast.Tuple() | ast.Set():
            kind = {ast.List: list, ast.Tuple: tuple, ast.Set: set}[type(node)]
            return kind(_value(item, names) for item in node.elts)
        case ast.Dict():
            return {_value(k, names): _value(v, names) for k, v in zip(node.keys, node.values, strict=True)}
        case ast.Call():
            arguments = [_value(argument, names) for argument in node.args]
            keywords = {k.arg: _value(k.value, names) for k in node.keywords if k.arg}
            return _callee(node.func, names)(*arguments, **keywords)
    raise ExpressionError(f"{ast.unparse(node)!r} cannot be evaluated in an expression; write a method.")


def _callee(node: ast.expr, names: dict[str, Any]) -> Callable[..., Any]:
    if isinstance(node, ast.Name) and node.id in _FUNCTIONS:
        return _FUNCTIONS[node.id]
    if isinstance(node, ast.Attribute):
        if isinstance(node.value, ast.Name) and node.value.id == "re" and node.attr in _RE:
            function: Callable[..., Any] = _RE[node.attr]
            return function
        called: Callable[..., Any] = getattr(_value(node.value, names), node.attr)
        return called
    raise ExpressionError(f"{ast.unparse(node)!r} cannot be called in an expression; write a method.")
