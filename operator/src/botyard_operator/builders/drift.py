"""Whether an object still is what was applied."""

from __future__ import annotations

from typing import Any

from botyard_operator.api.quantities import parse_quantity

_LIST_KEYS = ("name", "mountPath", "containerPort", "uid", "key", "port")
"""Fields by which the entries of a list are told apart, as the API's own list types do."""

_QUANTITIES = frozenset({"requests", "limits", "sizeLimit"})
_ATOMIC = frozenset({"selector", "matchLabels"})
"""Maps that have one owner as a whole: another entry in them changes their meaning."""


def drifted(wanted: Any, live: Any) -> bool:
    """Return whether anything of `wanted` is missing from `live` or differs there.

    What `live` has beyond that (defaults, other managers' fields, injected entries of keyed lists) is no drift.
    Quantities are compared by value, because the API server rewrites them.
    """
    return _differs(wanted, live, quantity=False)


def _differs(wanted: Any, live: Any, *, quantity: bool) -> bool:
    if isinstance(wanted, dict):
        if not wanted and live is None:
            return False
        if not isinstance(live, dict):
            return True
        return any(_field_differs(field, value, live.get(field), quantity) for field, value in wanted.items())
    if isinstance(wanted, list):
        return _list_differs(wanted, live or [])
    if quantity and live is not None and wanted != live:
        return bool(_quantity(wanted) != _quantity(live))
    if wanted in (None, False, "", 0) and live is None:
        return False
    return bool(wanted != live)


def _field_differs(field: str, wanted: Any, live: Any, quantity: bool) -> bool:
    if field in _ATOMIC and isinstance(wanted, dict) and isinstance(live, dict) and set(wanted) != set(live):
        return True
    return _differs(wanted, live, quantity=quantity or field in _QUANTITIES)


def _list_differs(wanted: list[Any], live: Any) -> bool:
    if not isinstance(live, list):
        return True
    key = _list_key(wanted)
    if key is None:
        return len(wanted) != len(live) or any(
            _differs(one, other, quantity=False) for one, other in zip(wanted, live, strict=True)
        )
    by_key = {entry.get(key): entry for entry in live if isinstance(entry, dict)}
    return any(_differs(entry, by_key.get(entry[key]), quantity=False) for entry in wanted)


def _list_key(entries: list[Any]) -> str | None:
    for key in _LIST_KEYS:
        values = [entry.get(key) if isinstance(entry, dict) else None for entry in entries]
        if values and None not in values and len(set(map(str, values))) == len(values):
            return key
    return None


def _quantity(value: Any) -> Any:
    try:
        return parse_quantity(str(value))
    except ValueError:
        return value
