"""What a turn used, in one object for its clients. Pure."""

from collections.abc import Sequence
from typing import Any

from botyard.workflow.accounting.events import AccountingEvent

_SUMS = ("requests", "input_tokens", "output_tokens", "total_tokens", "embedding_tokens", "search_queries", "cost_usd")


def of(events: Sequence[AccountingEvent]) -> dict[str, Any]:
    """Return {total, breakdown: one row for each service, provider, model and component}; nothing for no events."""
    if not events:
        return {}
    rows: dict[tuple[str, str, str, str], dict[str, Any]] = {}
    for event in events:
        key = (event.service_type, event.provider, event.model_or_service, event.component or "")
        _add(rows.setdefault(key, {}), event)
    total: dict[str, Any] = {}
    for event in events:
        _add(total, event)
    names = ("service_type", "provider", "model_or_service", "component")
    return {
        "total": total,
        "breakdown": [dict(zip(names, key, strict=True)) | row for key, row in sorted(rows.items())],
    }


def _add(sums: dict[str, Any], event: AccountingEvent) -> None:
    sums["calls"] = sums.get("calls", 0) + 1
    if not event.success:
        sums["failed"] = sums.get("failed", 0) + 1
    for name in _SUMS:
        if amount := getattr(event.usage, name):
            sums[name] = sums.get(name, 0) + amount
