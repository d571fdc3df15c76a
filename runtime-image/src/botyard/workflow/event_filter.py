"""Which of a workflow's events a user receives."""

import contextvars
import inspect
import logging
from dataclasses import dataclass
from typing import Any, Protocol

log = logging.getLogger("botyard.workflow")

PRIVILEGED = "privileged"
"""Users of this type receive everything."""
PUBLIC_EVENTS = frozenset({"chat_start", "chat_delta", "chat_complete", "chat_error", "chat_service", "conv_status"})
"""What every user receives, under the names of the channels."""
PUBLIC_ROUTES = frozenset(
    {"chat.conversation.title", "chat.followups", "chat.files", "chat.citations", "chat.turn.summary"}
)
"""Routes of further events that every user receives."""


@dataclass(frozen=True, slots=True)
class EventFilterInput:
    """What a filter knows of an event."""

    type: str | None = None
    """Of the envelope, such as `chat.files`."""
    route: str | None = None
    """What the bundle gave as `route`."""
    socket_event: str | None = None
    """The name under which a channel carries it, such as `chat_step`."""
    agent: str | None = None
    step: str | None = None
    status: str | None = None
    broadcast: bool = False
    """It is for all connections of the session."""

    @property
    def route_key(self) -> str:
        """By what to tell it: its route, or else the name under which it travels."""
        return self.route or self.socket_event or ""


class IEventFilter(Protocol):
    """Decides which events a user receives; a bundle gives its own to `BaseEntrypoint`."""

    def allow_event(
        self, *, user_type: str, user_id: str | None, event: EventFilterInput, data: dict[str, Any] | None = None
    ) -> bool:
        """Tell whether this user receives this event; `data` is its envelope."""


class DefaultEventFilter:
    """Answers, deltas and what is meant for every user; steps and unknown events for privileged users alone."""

    def allow_event(
        self, *, user_type: str, user_id: str | None = None, event: EventFilterInput, data: Any = None
    ) -> bool:
        """Tell whether this user receives this event."""
        del user_id, data
        if user_type == PRIVILEGED:
            return True
        key = event.route_key
        return key in PUBLIC_EVENTS or key in PUBLIC_ROUTES


_deciding: contextvars.ContextVar[bool] = contextvars.ContextVar("botyard_event_filter_decides", default=False)


def check_sending() -> None:
    """Refuse to send from within a filter: the event would wait for the filter, and the filter for the event.

    Raises:
        RuntimeError: A filter is deciding.
    """
    if _deciding.get():
        raise RuntimeError("an event filter cannot send events")


def waits(filter: IEventFilter | None) -> bool:  # noqa: A002 - what it is
    """Tell whether a filter is asynchronous."""
    return filter is not None and inspect.iscoroutinefunction(getattr(filter, "allow_event", None))


async def allowed(
    filter: IEventFilter | None,  # noqa: A002 - what it is
    *,
    user_type: str,
    user_id: str | None,
    event: EventFilterInput,
    data: dict[str, Any],
) -> bool:
    """Ask a filter, which may be asynchronous; one that fails lets nothing through."""
    if filter is None:
        return True
    before = _deciding.set(True)
    try:
        answer: Any = filter.allow_event(user_type=user_type, user_id=user_id, event=event, data=data)
        # A coroutine that nobody awaits would count as a yes.
        return bool(await answer if inspect.isawaitable(answer) else answer)
    except Exception:
        log.exception("%s failed on %s; the event is not sent", type(filter).__name__, event.route_key)
        return False
    finally:
        _deciding.reset(before)
