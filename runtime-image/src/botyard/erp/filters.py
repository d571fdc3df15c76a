"""The filter language of subscriptions: `column:operator:value`, joined by AND, OR and NOT.

A filter that makes no sense is an error when it is read, never one that lets everything through. In contrast to SQL a
column without a value differs from every value, so `country:!=:DE` also holds for a row without a country.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

Row = Mapping[str, Any]
Filter = Callable[[Row], bool]
"""Tells whether a row passes."""

MAX_DEPTH = 8
MAX_CONDITIONS = 100
MAX_TEXT = 2048

_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(->[A-Za-z0-9_]+)*")
_RELATION = re.compile(r"[A-Za-z_]\w*(\.\w+)+")


class FilterError(ValueError):
    """A filter that cannot be understood; the message says what to write."""


def parse(written: Any) -> Filter:
    """Return the filter that was written.

    Args:
        written: A condition `"column:operator:value"`, a list (all must hold), or a mapping with the keys `AND`, `OR`
            (lists) and `NOT`; of a mapping with several keys all must hold. `column->path` looks into JSON.

    Raises:
        FilterError: It is none, or it is larger than `MAX_CONDITIONS` or deeper than `MAX_DEPTH`.
    """
    return _Parser().read(written, MAX_DEPTH)


class _Parser:
    def __init__(self) -> None:
        self._left = MAX_CONDITIONS

    def read(self, written: Any, depth: int) -> Filter:
        if depth == 0:
            raise FilterError(f"a filter nests at most {MAX_DEPTH} levels deep")
        if isinstance(written, str):
            self._left -= 1
            if self._left < 0:
                raise FilterError(f"a filter has at most {MAX_CONDITIONS} conditions")
            return _condition(written)
        if isinstance(written, list | tuple):
            return _all([self.read(part, depth - 1) for part in written])
        if isinstance(written, Mapping):
            return _all([self._joined(str(name), parts, depth) for name, parts in written.items()])
        raise FilterError(f"{written!r} is no filter: write column:operator:value, a list, or AND, OR, NOT")

    def _joined(self, name: str, parts: Any, depth: int) -> Filter:
        if name == "NOT":
            inner = self.read(parts, depth - 1)
            return lambda row: not inner(row)
        if name not in ("AND", "OR"):
            raise FilterError(f"{name!r} joins nothing: write AND, OR or NOT")
        if not isinstance(parts, list | tuple):
            raise FilterError(f"{name} takes a list of filters")
        filters = [self.read(part, depth - 1) for part in parts]
        return _all(filters) if name == "AND" else _any(filters)


def _all(filters: list[Filter]) -> Filter:
    return lambda row: all(passes(row) for passes in filters)


def _any(filters: list[Filter]) -> Filter:
    return lambda row: any(passes(row) for passes in filters)


def _condition(text: str) -> Filter:
    if len(text) > MAX_TEXT:
        raise FilterError(f"a condition has at most {MAX_TEXT} characters")
    column, colon, rest = text.partition(":")
    operator, has_value, value = rest.partition(":")
    if not colon:
        raise FilterError(f"{text!r} has no operator: write column:operator:value, such as contact_country:=:DE")
    if _RELATION.fullmatch(column):
        raise FilterError(f"{column!r} asks for another table's row: a change carries its own columns only")
    if not _COLUMN.fullmatch(column):
        raise FilterError(f"{column!r} is no column: write its name, with ->key to look into JSON")
    path = tuple(column.split("->"))
    if operator in _WITHOUT_VALUE:
        if has_value and value:
            raise FilterError(f"{operator} takes no value: write {column}:{operator}")
        test = _WITHOUT_VALUE[operator]
        return lambda row: test(_look(row, path))
    if operator not in _WITH_VALUE:
        known = " ".join([*_WITH_VALUE, *_WITHOUT_VALUE])
        raise FilterError(f"{operator!r} is no operator; operators are {known}")
    if not has_value:
        raise FilterError(f"{operator} needs a value: write {column}:{operator}:value")
    compare = _WITH_VALUE[operator](value)
    return lambda row: compare(_look(row, path))


def _look(row: Row, path: tuple[str, ...]) -> Any:
    """Return what is at `path`; None where there is nothing."""
    value: Any = row
    for name in path:
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal():
            value = value[int(name)] if int(name) < len(value) else None
        else:
            return None
    return value


Test = Callable[[Any], bool]


def _number(value: Any) -> Decimal | None:
    """Return a number; None of what is none. A truth is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


_TRUTHS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


def _equals(written: str) -> Test:
    number = _number(written)
    truth = _TRUTHS.get(written.lower())

    def test(value: Any) -> bool:
        if isinstance(value, bool):
            return value is truth
        if isinstance(value, int | float | Decimal):
            return number is not None and _number(value) == number
        return isinstance(value, str) and value == written

    return test


def _not(make: Callable[[str], Test]) -> Callable[[str], Test]:
    def made(written: str) -> Test:
        test = make(written)
        return lambda value: not test(value)

    return made


def _ordered(holds: Callable[[Any, Any], bool]) -> Callable[[str], Test]:
    """Numbers compare as numbers, also where a database wrote them as texts; other texts, ISO dates too, as texts."""

    def made(written: str) -> Test:
        number = _number(written)

        def test(value: Any) -> bool:
            mine = _number(value)
            if mine is not None and number is not None:
                return holds(mine, number)
            return isinstance(value, str) and holds(value, written)

        return test

    return made


def _one_of(written: str) -> Test:
    tests = [_equals(part.strip()) for part in written.split(",")]
    return lambda value: any(test(value) for test in tests)


def _like(flags: int) -> Callable[[str], Test]:
    """`%` stands for any text, `_` for one character, a backslash makes the next one stand for itself."""

    def made(written: str) -> Test:
        pattern, characters = "", iter(written)
        for character in characters:
            if character == "\\":
                pattern += re.escape(next(characters, "\\"))
            elif character == "%":
                # Several in a row mean what one means; together they would make matching slow.
                pattern += "" if pattern.endswith(".*") else ".*"
            else:
                pattern += "." if character == "_" else re.escape(character)
        found = re.compile(pattern, flags | re.DOTALL)
        return lambda value: isinstance(value, str) and found.fullmatch(value) is not None

    return made


def _same_text(written: str) -> Test:
    wanted = written.casefold()
    return lambda value: isinstance(value, str) and value.casefold() == wanted


def _contains(written: str) -> Test:
    equals = _equals(written)

    def test(value: Any) -> bool:
        if isinstance(value, str):
            return written in value
        if isinstance(value, Mapping):
            return written in value
        return isinstance(value, list) and any(equals(item) for item in value)

    return test


def _is_null(value: Any) -> bool:
    return value is None


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | list | Mapping) and len(value) == 0)


_WITH_VALUE: dict[str, Callable[[str], Test]] = {
    "=": _equals,
    "!=": _not(_equals),
    ">": _ordered(lambda mine, other: mine > other),
    ">=": _ordered(lambda mine, other: mine >= other),
    "<": _ordered(lambda mine, other: mine < other),
    "<=": _ordered(lambda mine, other: mine <= other),
    "IN": _one_of,
    "NOT_IN": _not(_one_of),
    "LIKE": _like(0),
    "ILIKE": _like(re.IGNORECASE),
    "CIEQL": _same_text,
    "contains": _contains,
    "not_contains": _not(_contains),
}
_WITHOUT_VALUE: dict[str, Test] = {
    "IS_NULL": _is_null,
    "IS_NOT_NULL": lambda value: value is not None,
    "IS_EMPTY": _is_empty,
    "IS_NOT_EMPTY": lambda value: not _is_empty(value),
}
