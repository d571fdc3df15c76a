"""The events that a workflow sends: their envelopes, and the names under which channels carry them.

Everything here is pure.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

SOCKET_EVENTS: Final[Mapping[str, str]] = {
    "chat.start": "chat_start",
    "chat.step": "chat_step",
    "chat.delta": "chat_delta",
    "chat.complete": "chat_complete",
    "chat.error": "chat_error",
    "chat.service": "chat_service",
    "conv.status": "conv_status",
}
"""Under which name a channel carries an envelope of this type or route; all others travel as `chat_step`."""

Envelope = dict[str, Any]


def socket_event(route: str | None) -> str:
    """Return the name under which an event of this route travels."""
    return SOCKET_EVENTS.get(route or "", "chat_step")


def envelope(
    type: str,  # noqa: A002 - the envelope's own word
    *,
    service: Mapping[str, Any],
    conversation: Mapping[str, Any],
    step: str,
    status: str,
    agent: str | None,
    title: str | None,
    now: float,
    markdown: str | None = None,
    route: str | None = None,
    **members: Any,
) -> Envelope:
    """Return an envelope.

    Args:
        type: Such as `chat.step`.
        service: {request_id, tenant, project, user, user_obj}.
        conversation: {session_id, conversation_id, turn_id}.
        step: What part of the turn speaks.
        status: started, running, update, completed, error or skipped.
        agent: Who speaks.
        title: For people.
        now: Seconds since the epoch.
        markdown: The event for people, where a client shows nothing better.
        route: By what filters tell the event.
        **members: `data`, or what a delta has in its place.
    """
    event = {"step": step, "status": status, "agent": agent, "title": title}
    if markdown is not None:
        event["markdown"] = markdown
    made: Envelope = {
        "type": type,
        "timestamp": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "ts": int(now * 1000),
        "service": dict(service),
        "conversation": dict(conversation),
        "event": event,
    }
    if route is not None:
        made["route"] = route
    return made | members


def delta_members(text: str, index: int, marker: str, *, completed: bool, extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a delta's envelope has in place of `data`."""
    delta = {"text": text, "marker": marker, "index": index, "completed": completed}
    members: dict[str, Any] = {"delta": delta, "text": text, "idx": index}
    if extra:
        members["extra"] = dict(extra)
    return members


def markdown_of(title: str | None, step: str, data: Any) -> str | None:
    """Return a short text for people, made of an event's title and data; None where there is nothing to say."""
    lines = [f"**{title or step}**"] if title or step else []
    if isinstance(data, Mapping):
        items = data.get("items")
        if isinstance(items, list):
            lines += [f"- {_words(item)}" for item in items[:20]]
        else:
            lines += [
                f"- {key}: {value}" for key, value in list(data.items())[:20] if isinstance(value, str | int | float)
            ]
    return "\n".join(lines) or None


def _words(item: Any) -> str:
    if isinstance(item, Mapping):
        return str(item.get("title") or item.get("name") or item.get("url") or dict(item))
    return str(item)
