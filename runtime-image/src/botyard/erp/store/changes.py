"""What a patch does to a row: plain values, and those that follow from what the row has."""

from collections.abc import Mapping
from decimal import Context, Decimal, InvalidOperation, localcontext
from typing import Any

from botyard.erp.store.errors import StoreError

OPERATORS = ("$append", "$remove", "$increment", "$decrement")
PRECISION = 2000
"""Digits that a sum may have."""
MAX_EXPONENT = 1000
"""Numbers from ten to this power on, and as small ones, are not added: a sum would have more digits than it keeps."""


def resolved(changes: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that columns get.

    Args:
        changes: By column: a value, or `{"$increment": n}` and the like.
        row: The row as it is, locked.

    Raises:
        StoreError: An operator does not fit what the row has (`BadValue`).
    """
    return {name: _resolved(name, value, row.get(name)) for name, value in changes.items()}


def depends(changes: Mapping[str, Any]) -> bool:
    """Tell whether what is written depends on what the row has."""
    return any(_operator(value) for value in changes.values())


def _operator(value: Any) -> str:
    if isinstance(value, Mapping) and len(value) == 1:
        (name,) = value
        return name if name in OPERATORS else ""
    return ""


def _resolved(name: str, value: Any, now: Any) -> Any:
    if not (operator := _operator(value)):
        return value
    operand = value[operator]
    if operator in ("$increment", "$decrement"):
        number = _number(name, operator, 0 if now is None else now)
        by = _number(name, operator, operand)
        # As a text no digit is lost.
        with localcontext(Context(prec=PRECISION)):
            return str(number + by if operator == "$increment" else number - by)
    items = [] if now is None else now
    if not isinstance(items, list):
        raise StoreError("BadValue", f"{name}: {operator} is for lists")
    several = operand if isinstance(operand, list) else [operand]
    return [*items, *several] if operator == "$append" else [item for item in items if item not in several]


def _number(name: str, operator: str, value: Any) -> Decimal:
    if not isinstance(value, bool) and isinstance(value, int | float | str):
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            number = Decimal("NaN")
        if number.is_finite() and abs(number.adjusted()) < MAX_EXPONENT:
            return number
    raise StoreError("BadValue", f"{name}: {operator} is for numbers, not for {str(value)[:80]!r}")


def conflict(table: str, row_id: str, expected: Mapping[str, Any], row: Mapping[str, Any]) -> StoreError | None:
    """Return why a row is not the one that was expected; None: it is.

    Args:
        table: Its table.
        row_id: Its key.
        expected: Columns as the writer knows them, in the form that the database gives rows.
        row: The row as it is.
    """
    for name, value in expected.items():
        if row.get(name) != value:
            return StoreError(
                "Conflict",
                f"{table} {row_id} was changed meanwhile: {name} is {_short(row.get(name))}, and {_short(value)} was "
                "expected: read it again",
            )
    return None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}…"
