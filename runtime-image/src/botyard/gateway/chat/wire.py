"""From what a conversation keeps to what workflow clients receive. Pure."""

import json
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

EVENTS: Mapping[str, str] = {
    "chat.start": "chat_start",
    "chat.step": "chat_step",
    "chat.delta": "chat_delta",
    "chat.complete": "chat_complete",
    "chat.error": "chat_error",
    "chat.service": "chat_service",
    "conv.status": "conv_status",
}
"""Under which name an envelope travels that does not say; of the others those of the platform as `chat_service`."""
_PLATFORM = ("turn.", "gateway.", "budget.", "accounting.")
_HEAD = re.compile(r'\{"type":"([^"\\]{1,128})"(?:,"delivery":(\{[^{}]*\}))?,')
_POSITION = re.compile(r"([A-Za-z0-9._-]{1,253}/[A-Za-z0-9_+~@:.=-]{1,200})=([0-9]{1,15})")
MOST_POSITIONS = 16
"""Conversations that one position tells of."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One event as a client receives it."""

    event: str
    data: str
    """JSON text."""
    type: str
    target: str = ""
    """The one connection that it is for; empty: all of the session."""
    audience: str = ""


def sent(envelope: str) -> Sent:
    """Return an envelope of a conversation's outputs without what is the platform's own about it."""
    found = _HEAD.match(envelope)
    if found is None:
        content = json.loads(envelope)
        delivery = content.pop("delivery", None) or {}
        kind, text = str(content.get("type")), json.dumps(content, ensure_ascii=False)
    else:
        kind, told = found[1], found[2]
        delivery = _delivery(told) if told else {}
        text = envelope if told is None else f'{{"type":"{kind}",{envelope[found.end() :]}'
    return Sent(
        event=str(delivery.get("event") or event_name(kind)),
        data=text,
        type=kind,
        target="" if delivery.get("broadcast") else str(delivery.get("target") or ""),
        audience=str(delivery.get("audience") or ""),
    )


@lru_cache(maxsize=4096)
def _delivery(text: str) -> dict[str, Any]:
    # All deltas of a turn say the same.
    found: dict[str, Any] = json.loads(text)
    return found


def event_name(kind: str) -> str:
    """Return the name under which an event of a type travels."""
    return EVENTS.get(kind) or ("chat_service" if kind.startswith(_PLATFORM) else "chat_step")


def to_json(content: Any) -> str:
    """Return JSON text without a line break."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def frame(event: str, data: str, position: str = "") -> bytes:
    """Return one server-sent event; JSON text never holds a line break."""
    head = f"id: {position}\n" if position else ""
    return f"{head}event: {event}\ndata: {data}\n\n".encode()


class Positions:
    """How far a client is in each of its conversations; told with each event and sent back on reconnection."""

    def __init__(self, text: str = "") -> None:
        self._known: OrderedDict[str, int] = OrderedDict()
        for part in text.split(","):
            if found := _POSITION.fullmatch(part.strip()):
                self.reached(found[1], int(found[2]))

    def reached(self, conversation: str, number: int) -> None:
        """Note an event that is sent."""
        self._known[conversation] = number
        self._known.move_to_end(conversation)
        if len(self._known) > MOST_POSITIONS:
            self._known.popitem(last=False)

    def of(self, conversation: str) -> int | None:
        """Return how far the client is in a conversation; None: it is not said."""
        return self._known.get(conversation)

    def __bool__(self) -> bool:
        return bool(self._known)

    def __str__(self) -> str:
        return ",".join(f"{name}={number}" for name, number in self._known.items())


def envelope(
    kind: str,
    *,
    service: Mapping[str, Any],
    conversation: Mapping[str, Any],
    step: str,
    status: str,
    data: Mapping[str, Any],
    now: float,
    title: str | None = None,
    agent: str | None = None,
) -> dict[str, Any]:
    """Return an event of the channel's own, in the shape of all others."""
    return {
        "type": kind,
        "timestamp": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "ts": int(now * 1000),
        "service": dict(service),
        "conversation": dict(conversation),
        "event": {"step": step, "status": status, "title": title, "agent": agent},
        "data": dict(data),
    }
