"""Server-sent events of a provider: bytes in, whole events out."""

import json
from typing import Any

from botyard.models.errors import ProviderBroke

MAX_EVENT = 4 * 1024 * 1024
"""Bytes of one event."""
DONE = b"data: [DONE]\n\n"
_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_read = json.JSONDecoder().raw_decode


class Event(dict[str, Any]):
    """One event as it came; what is passed on as it is need not be written anew."""

    __slots__ = ("data",)
    data: bytes
    """Its JSON, on one line."""


class EventParser:
    """Cuts a byte stream into the JSON of its events.

    Comments and other fields than `data` are left out; `[DONE]` sets `done`.
    """

    def __init__(self) -> None:
        self._rest = b""
        self.done = False

    def feed(self, chunk: bytes) -> list[dict[str, Any]]:
        """Return the events that are complete with `chunk`.

        Raises:
            ProviderBroke: An event is no JSON object, or is larger than MAX_EVENT.
        """
        lines = (self._rest + chunk).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > MAX_EVENT:
            raise ProviderBroke(f"the provider sent an event of more than {MAX_EVENT} bytes")
        events: list[dict[str, Any]] = []
        for line in lines:
            # The protocol writes one line a JSON object; blank lines, comments and event names say nothing more.
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                self.done = True
                break
            events.append(_event(data))
        return events


def _event(data: bytes) -> Event:
    try:
        text = data.decode()
        value, end = _read(text)
    except (ValueError, RecursionError) as error:
        raise ProviderBroke(f"the provider sent an event that is no JSON: {data[:200]!r}") from error
    if end != len(text) or not isinstance(value, dict):
        raise ProviderBroke(f"the provider sent an event that is no object: {data[:200]!r}")
    event = Event(value)
    event.data = data
    return event


def encode(event: dict[str, Any]) -> bytes:
    """Return one event as it is sent."""
    data = event.data if isinstance(event, Event) else _text(event).encode("utf-8", "replace")
    return b"data: " + data + b"\n\n"
