"""What an event adds to the sums of its turn and its day. Pure."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

SEPARATOR = "|"
OTHER = "other"
"""Stands for components and models beyond what is told apart."""
_LONGEST = 100
_MOST = 2**53


@dataclass(frozen=True, slots=True)
class Row:
    """The sums of one service, component and model."""

    service_type: str
    component: str
    model: str
    sums: Mapping[str, int] = field(default_factory=dict)
    """calls, failed, requests, input, output, tokens, milliseconds, and microdollars where the bundle tells a price."""


def row_of(event: Mapping[str, Any]) -> str:
    """Return under what an event is summed."""
    return SEPARATOR.join(_word(event.get(name)) for name in ("service_type", "component", "model_or_service"))


def other_row(event: Mapping[str, Any]) -> str:
    """Return under what it is summed where there are too many rows."""
    return SEPARATOR.join((_word(event.get("service_type")), OTHER, OTHER))


def sums_of(event: Mapping[str, Any]) -> dict[str, int]:
    """Return what an event adds, by what."""
    usage = event.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    metadata = event.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    # Embedding models are often told of in a number of their own.
    embedded = _number(usage.get("embedding_tokens"))
    found = {
        "calls": 1,
        "failed": 0 if event.get("success", True) else 1,
        "requests": _number(usage.get("requests")),
        "input": _number(usage.get("input_tokens")) or embedded,
        "output": _number(usage.get("output_tokens")),
        "tokens": _number(usage.get("total_tokens")) or embedded,
        "milliseconds": _number(metadata.get("processing_time_ms")),
        "microdollars": _number(usage.get("cost_usd"), times=1_000_000),
    }
    return {name: amount for name, amount in found.items() if amount}


def rows(content: Mapping[bytes, bytes]) -> list[Row]:
    """Return the rows of a roll-up as it is kept, in their order."""
    found: dict[tuple[str, str, str], dict[str, int]] = {}
    for name, amount in content.items():
        service_type, component, model, what = name.decode().split(SEPARATOR)
        found.setdefault((service_type, component, model), {})[what] = int(amount)
    return [Row(*key, sums) for key, sums in sorted(found.items())]


def rows_of_events(events: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Return the rows of events that were read from a storage."""
    found: dict[tuple[str, str, str], dict[str, int]] = {}
    for event in events:
        service_type, component, model = row_of(event).split(SEPARATOR)
        row = found.setdefault((service_type, component, model), {})
        for what, amount in sums_of(event).items():
            row[what] = row.get(what, 0) + amount
    return [Row(*key, sums) for key, sums in sorted(found.items())]


def _number(value: object, times: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        return 0
    return min(_MOST, round(value * times))


def _word(value: object) -> str:
    text = str(value or "unknown").replace(SEPARATOR, "/")[:_LONGEST]
    return text.encode("utf-8", "replace").decode()
