"""The filter language as it is written: `column:operator:value`, joined by AND, OR and NOT.

A filter that makes no sense is an error when it is read, never one that lets everything through. What a filter means
is said twice, with the same meaning: for rows in memory (`botyard.erp.filters`) and for PostgreSQL
(`botyard.erp.filter_sql`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

MAX_DEPTH = 8
MAX_CONDITIONS = 100
MAX_TEXT = 2048
MAX_NUMBER = 100
"""Characters of a text that may count as a number."""

WITH_VALUE = ("=", "!=", ">", ">=", "<", "<=", "IN", "NOT_IN", "LIKE", "ILIKE", "CIEQL", "contains", "not_contains")
WITHOUT_VALUE = ("IS_NULL", "IS_NOT_NULL", "IS_EMPTY", "IS_NOT_EMPTY")
NEGATED = {"!=": "=", "NOT_IN": "IN", "not_contains": "contains", "IS_NOT_NULL": "IS_NULL", "IS_NOT_EMPTY": "IS_EMPTY"}
"""Operators that hold exactly where the other one does not."""
TRUTHS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}

NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?"
"""A text that counts as a number; the same to Python and to PostgreSQL."""
_NUMBER = re.compile(NUMBER)
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(->[A-Za-z0-9_]+)*")
_RELATION = re.compile(r"[A-Za-z_]\w*(\.\w+)+")


class FilterError(ValueError):
    """A filter that cannot be understood; the message says what to write."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on one column.

    Attributes:
        path: The column, and what is looked for inside of its JSON.
        operator: One of `WITH_VALUE` and `WITHOUT_VALUE`.
        value: As it was written; empty where the operator takes none.
    """

    path: tuple[str, ...]
    operator: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Joined:
    """Several expressions: all must hold (AND), or one of them (OR)."""

    every: bool
    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Negated:
    """An expression that must not hold."""

    part: "Expression"


Expression = Condition | Joined | Negated


def read(written: Any) -> Expression:
    """Return the expression that was written.

    Args:
        written: A condition `"column:operator:value"`, a list (all must hold), or a mapping with the keys `AND`, `OR`
            (lists) and `NOT`; of a mapping with several keys all must hold. `column->path` looks into JSON.

    Raises:
        FilterError: It is none, or it is larger than `MAX_CONDITIONS` or deeper than `MAX_DEPTH`.
    """
    return _Reader().read(written, MAX_DEPTH)


def columns(expression: Expression) -> frozenset[str]:
    """Return the columns that an expression looks at."""
    if isinstance(expression, Condition):
        return frozenset(expression.path[:1])
    parts = (expression.part,) if isinstance(expression, Negated) else expression.parts
    return frozenset().union(*map(columns, parts))


class _Reader:
    def __init__(self) -> None:
        self._left = MAX_CONDITIONS

    def read(self, written: Any, depth: int) -> Expression:
        if depth == 0:
            raise FilterError(f"a filter nests at most {MAX_DEPTH} levels deep")
        if isinstance(written, str):
            self._left -= 1
            if self._left < 0:
                raise FilterError(f"a filter has at most {MAX_CONDITIONS} conditions")
            return _condition(written)
        if isinstance(written, list | tuple):
            return Joined(True, tuple(self.read(part, depth - 1) for part in written))
        if isinstance(written, Mapping):
            return Joined(True, tuple(self._joined(str(name), parts, depth) for name, parts in written.items()))
        raise FilterError(f"{written!r} is no filter: write column:operator:value, a list, or AND, OR, NOT")

    def _joined(self, name: str, parts: Any, depth: int) -> Expression:
        if name == "NOT":
            return Negated(self.read(parts, depth - 1))
        if name not in ("AND", "OR"):
            raise FilterError(f"{name!r} joins nothing: write AND, OR or NOT")
        if not isinstance(parts, list | tuple):
            raise FilterError(f"{name} takes a list of filters")
        return Joined(name == "AND", tuple(self.read(part, depth - 1) for part in parts))


def _condition(text: str) -> Condition:
    if len(text) > MAX_TEXT:
        raise FilterError(f"a condition has at most {MAX_TEXT} characters")
    if "\x00" in text:
        raise FilterError("a condition holds no NUL character")
    column, colon, rest = text.partition(":")
    operator, has_value, value = rest.partition(":")
    if not colon:
        raise FilterError(f"{text!r} has no operator: write column:operator:value, such as contact_country:=:DE")
    if _RELATION.fullmatch(column):
        raise FilterError(f"{column!r} asks for another table's row: a change carries its own columns only")
    if not _COLUMN.fullmatch(column):
        raise FilterError(f"{column!r} is no column: write its name, with ->key to look into JSON")
    path = tuple(column.split("->"))
    if operator in WITHOUT_VALUE:
        if has_value and value:
            raise FilterError(f"{operator} takes no value: write {column}:{operator}")
        return Condition(path, operator)
    if operator not in WITH_VALUE:
        raise FilterError(f"{operator!r} is no operator; operators are {' '.join([*WITH_VALUE, *WITHOUT_VALUE])}")
    if not has_value:
        raise FilterError(f"{operator} needs a value: write {column}:{operator}:value")
    return Condition(path, operator, value)


def number(value: Any) -> Decimal | None:
    """Return a number, also one that a database wrote as a text; None of what is none. A truth is no number."""
    if isinstance(value, str):
        return Decimal(value) if len(value) <= MAX_NUMBER and _NUMBER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    exact = Decimal(str(value))
    return exact if exact.is_finite() else None


def one_of(value: str) -> list[str]:
    """Return the values of an IN."""
    return [part.strip() for part in value.split(",")]


class Wildcard(Enum):
    """What stands for something else in a pattern."""

    ANY = "%"
    ONE = "_"


def pattern(value: str) -> list[str | Wildcard]:
    """Return the parts of a LIKE: characters, and what stands for others.

    `%` stands for any text, `_` for one character; after a backslash they stand for themselves. Several `%` in a row
    mean what one means; together they would make matching slow.
    """
    parts: list[str | Wildcard] = []
    characters = iter(value)
    for character in characters:
        if character == "\\":
            parts.append(next(characters, "\\"))
        elif character == "%":
            if parts[-1:] != [Wildcard.ANY]:
                parts.append(Wildcard.ANY)
        else:
            parts.append(Wildcard.ONE if character == "_" else character)
    return parts
