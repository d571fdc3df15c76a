"""What a column's type makes of what a database sent: exact numbers, times with their zone, lists of them."""

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, get_args, get_origin

Cast = Callable[[Any], Any]
"""Returns a value of the column's type; raises ValueError where what came is none."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_DAY_ZERO = _EPOCH.date()
_ENDLESS = ("infinity", "-infinity")
_SECONDS, _MILLISECONDS = 10**11, 10**14
"""Up to here a number of a time counts seconds, or milliseconds; above, microseconds. Seconds and milliseconds of
1973 to 5138 are told apart by it."""


def cast_of(kind: Any) -> Cast | None:
    """Return what casts to a type; None: values are taken as they came."""
    if kind in _CASTS:
        return _CASTS[kind]
    if get_origin(kind) is list and (inner := cast_of(get_args(kind)[0])) is not None:
        return lambda value: [None if item is None else inner(item) for item in _list(value)]
    return None


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{_short(value)} is no list")
    return list(value)


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError(f"{_short(value)} is no number")
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{_short(value)} is no number") from None


def _timestamp(value: Any) -> dt.datetime | str:
    """Return a time with its zone; one that was written without is UTC. What Python has no time for stays a text."""
    if isinstance(value, dt.datetime):
        return value if value.tzinfo else value.replace(tzinfo=dt.UTC)
    try:
        if isinstance(value, str):
            if _is_beyond(value):
                return value
            found = dt.datetime.fromisoformat(value)
            return found if found.tzinfo else found.replace(tzinfo=dt.UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            unit = 1 if abs(value) <= _SECONDS else 1_000 if abs(value) <= _MILLISECONDS else 1_000_000
            return _EPOCH + dt.timedelta(microseconds=round(value * (1_000_000 // unit)))
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"{_short(value)} is no time")


def _is_beyond(value: str) -> bool:
    """Tell whether this is one of PostgreSQL's times that Python has none for: infinity, or before Christ."""
    return value in _ENDLESS or value.endswith(" BC")


def _date(value: Any) -> dt.date | str:
    """Return a day; a number counts days since 1970."""
    try:
        if isinstance(value, str):
            return value if _is_beyond(value) else dt.datetime.fromisoformat(value).date()
        if isinstance(value, int) and not isinstance(value, bool):
            return _DAY_ZERO + dt.timedelta(days=value)
    except (ValueError, OverflowError):
        pass
    if isinstance(value, dt.date):
        return value
    raise ValueError(f"{_short(value)} is no day")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"


_CASTS: Mapping[Any, Cast] = {Decimal: _decimal, dt.datetime: _timestamp, dt.date: _date}
