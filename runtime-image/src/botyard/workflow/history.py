"""What a conversation has said: the recent turns beside its state, all of them as records."""

from collections.abc import Mapping, Sequence
from typing import Any

RECENT_TURNS = 20
RECENT_CHARACTERS = 32_768
"""Of all recent turns together; the oldest are left out first."""
KEPT_TURNS = 1000
"""Turns that are kept as records; see docs/workflow.md."""
RECORD_CHARACTERS = 131_072
"""Of each side of a turn in its record."""
PREFIX = "turn/"


def messages(state: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return the recent turns as messages, {role, content}, oldest first."""
    return [
        {"role": role, "content": turn[role]}
        for turn in _recent(state)
        for role in ("user", "assistant")
        if turn.get(role)
    ]


def state_after(state: Mapping[str, Any] | None, turn: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state after a turn: {turns: how many there were, recent}."""
    recent = [*_recent(state), {role: turn[role][:RECENT_CHARACTERS] for role in ("user", "assistant")}][-RECENT_TURNS:]
    while len(recent) > 1 and sum(map(_size, recent)) > RECENT_CHARACTERS:
        recent.pop(0)
    return {"turns": _count(state) + 1, "recent": recent}


def records_after(state: Mapping[str, Any] | None, turn: Mapping[str, Any]) -> dict[str, Any]:
    """Return the records that a turn writes: itself, and the end of the one that is too old to be kept."""
    number = _count(state)
    records: dict[str, Any] = {record_name(number): {name: _cut(value) for name, value in turn.items()}}
    if number >= KEPT_TURNS:
        records[record_name(number - KEPT_TURNS)] = None
    return records


def record_name(number: int) -> str:
    """Return the name of a turn's record; names sort as turns do."""
    return f"{PREFIX}{number:09d}"


def _cut(value: Any) -> Any:
    return value[:RECORD_CHARACTERS] if isinstance(value, str) else value


def _recent(state: Mapping[str, Any] | None) -> Sequence[dict[str, Any]]:
    found: Sequence[dict[str, Any]] = (state or {}).get("recent") or []
    return found


def _count(state: Mapping[str, Any] | None) -> int:
    return int((state or {}).get("turns") or 0)


def _size(turn: Mapping[str, Any]) -> int:
    return sum(len(text) for text in turn.values() if isinstance(text, str))
