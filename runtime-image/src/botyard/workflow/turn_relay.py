"""The relay of a turn that the runtime runs: events leave through the supervisor."""

import asyncio
from typing import Any

from botyard.program import Audience, Delivery, Output, TurnIO
from botyard.workflow.envelopes import Envelope
from botyard.workflow.event_filter import DefaultEventFilter, EventFilterInput

MAX_EVENT = 1024 * 1024
"""Characters of text in one event."""
MAX_EVENTS = 32 * 1024 * 1024
"""Characters of text in all events of a turn."""
_ACCOUNTS = "accounting."
"""What a turn costs is not for its user, under whichever name it travels."""
_SUGGESTIONS = "followups"
"""The step by which bundles suggest what to ask next: users' chips are made of it, whether or not it has a route."""
_MEMBERS = ("delta", "text", "idx", "extra", "route")


class TooMuchSent(Exception):
    """A turn sends more than a conversation may hold."""


class TurnRelay:
    """Hands the events of one turn to the supervisor, which says whose they are.

    The identity of an envelope is the supervisor's to write: what the bundle says about it does not leave the worker.
    """

    def __init__(self, io: TurnIO) -> None:
        self._io = io
        self._loop = asyncio.get_running_loop()
        self._sent = 0
        self.filtered = False
        """The bundle's own filter has decided who receives what arrives here; otherwise the default does."""
        self.overflow: TooMuchSent | None = None
        """Set once the turn sent too much."""

    async def emit(self, *, event: str, data: Envelope, **kw: Any) -> None:
        """Send an envelope before the commit.

        Raises:
            TooMuchSent: The turn sends more than it may.
        """
        self._count(data)
        audience: Audience = "everyone" if self.filtered else audience_of(event, data)
        output = output_of(event, data, audience=audience, broadcast=bool(kw.get("broadcast")))
        if asyncio.get_running_loop() is self._loop:
            await self._io.emit(output)
        else:
            # A loop of the bundle's own, in another thread.
            sending = asyncio.run_coroutine_threadsafe(self._io.emit(output), self._loop)
            await asyncio.wrap_future(sending)

    def _count(self, data: Envelope) -> None:
        size = _size(data.get("delta") or data.get("data")) + _size(data.get("extra"))
        self._sent += size
        if size > MAX_EVENT:
            self.overflow = TooMuchSent(f"one event holds {size} characters; {MAX_EVENT} are allowed")
        elif self._sent > MAX_EVENTS:
            self.overflow = TooMuchSent(f"the turn's events hold more than {MAX_EVENTS} characters, which is the limit")
        if self.overflow is not None:
            raise self.overflow


def audience_of(event: str, data: Envelope) -> Audience:
    """Return who receives an event by default."""
    if str(data.get("type")).startswith(_ACCOUNTS):
        return "privileged"
    if data.get("type") == "chat.step" and (data.get("event") or {}).get("step") == _SUGGESTIONS:
        return "everyone"
    described = EventFilterInput(type=data.get("type"), route=data.get("route"), socket_event=event)
    public = DefaultEventFilter().allow_event(user_type="registered", event=described)
    return "everyone" if public else "privileged"


def output_of(event: str, data: Envelope, *, audience: Audience = "", broadcast: bool = False) -> Output:
    """Return an envelope without its identity."""
    told = data.get("event") or {}
    members = {name: data[name] for name in _MEMBERS if name in data}
    if (markdown := told.get("markdown")) is not None:
        members["markdown"] = markdown
    return Output(
        type=data["type"],
        step=told.get("step") or "event",
        status=told.get("status") or "update",
        title=told.get("title"),
        agent=told.get("agent"),
        data=data.get("data") or {},
        members=members,
        delivery=Delivery(event=event, audience=audience, broadcast=broadcast),
    )


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(len(key) + _size(member) for key, member in value.items())
    if isinstance(value, list):
        return sum(map(_size, value))
    return 8
