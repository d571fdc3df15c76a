"""What filters mean for a row in memory; what they look like says `botyard.erp.filter_language`.

In contrast to SQL a column without a value differs from every value, so `country:!=:DE` also holds for a row without a
country.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from botyard.erp import filter_language as language
from botyard.erp.filter_language import (
    MAX_CONDITIONS,
    MAX_DEPTH,
    NEGATED,
    TRUTHS,
    Condition,
    Expression,
    FilterError,
    Joined,
    Negated,
    Wildcard,
    number,
)

__all__ = ["MAX_CONDITIONS", "MAX_DEPTH", "Filter", "FilterError", "Row", "meaning", "parse"]

Row = Mapping[str, Any]
Filter = Callable[[Row], bool]
"""Tells whether a row passes."""
Test = Callable[[Any], bool]
"""Tells whether a value passes."""


def parse(written: Any) -> Filter:
    """Return the filter that was written.

    Args:
        written: As `filter_language.read` takes it.

    Raises:
        FilterError: It is none.
    """
    return meaning(language.read(written))


def meaning(expression: Expression) -> Filter:
    """Return what tells whether a row passes an expression."""
    if isinstance(expression, Condition):
        path, test = expression.path, _test(expression.operator, expression.value)
        return lambda row: test(_look(row, path))
    if isinstance(expression, Negated):
        inner = meaning(expression.part)
        return lambda row: not inner(row)
    return _joined(expression)


def _joined(expression: Joined) -> Filter:
    filters = [meaning(part) for part in expression.parts]
    if expression.every:
        return lambda row: all(passes(row) for passes in filters)
    return lambda row: any(passes(row) for passes in filters)


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


def _test(operator: str, written: str) -> Test:
    if (opposite := NEGATED.get(operator)) is not None:
        test = _test(opposite, written)
        return lambda value: not test(value)
    return _TESTS[operator](written)


def _equals(written: str) -> Test:
    wanted, truth = number(written), TRUTHS.get(written.lower())

    def test(value: Any) -> bool:
        if isinstance(value, bool):
            return value is truth
        if isinstance(value, str):
            return value == written
        return wanted is not None and number(value) == wanted

    return test


def _ordered(holds: Callable[[Any, Any], bool]) -> Callable[[str], Test]:
    """Numbers compare as numbers, also where a database wrote them as texts; other texts, ISO dates too, as texts."""

    def made(written: str) -> Test:
        wanted = number(written)

        def test(value: Any) -> bool:
            mine = number(value)
            if mine is not None and wanted is not None:
                return holds(mine, wanted)
            return isinstance(value, str) and holds(value, written)

        return test

    return made


def _one_of(written: str) -> Test:
    tests = [_equals(part) for part in language.one_of(written)]
    return lambda value: any(test(value) for test in tests)


def _like(written: str) -> Test:
    found = re.compile("".join(map(_regular, language.pattern(written))), re.DOTALL)
    return lambda value: isinstance(value, str) and found.fullmatch(value) is not None


def _regular(part: str | Wildcard) -> str:
    if isinstance(part, Wildcard):
        return ".*" if part is Wildcard.ANY else "."
    return re.escape(part)


def _like_in_any_case(written: str) -> Test:
    like = _like(written.lower())
    return lambda value: isinstance(value, str) and like(value.lower())


def _same_in_any_case(written: str) -> Test:
    wanted = written.lower()
    return lambda value: isinstance(value, str) and value.lower() == wanted


def _contains(written: str) -> Test:
    equals = _equals(written)

    def test(value: Any) -> bool:
        if isinstance(value, str | Mapping):
            return written in value
        return isinstance(value, list) and any(equals(item) for item in value)

    return test


def _is_null(_: str) -> Test:
    return lambda value: value is None


def _is_empty(_: str) -> Test:
    return lambda value: value is None or (isinstance(value, str | list | Mapping) and len(value) == 0)


_TESTS: dict[str, Callable[[str], Test]] = {
    "=": _equals,
    ">": _ordered(lambda mine, other: mine > other),
    ">=": _ordered(lambda mine, other: mine >= other),
    "<": _ordered(lambda mine, other: mine < other),
    "<=": _ordered(lambda mine, other: mine <= other),
    "IN": _one_of,
    "LIKE": _like,
    "ILIKE": _like_in_any_case,
    "CIEQL": _same_in_any_case,
    "contains": _contains,
    "IS_NULL": _is_null,
    "IS_EMPTY": _is_empty,
}
