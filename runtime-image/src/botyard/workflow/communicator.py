"""ChatCommunicator: how a workflow speaks while it runs."""

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from botyard.workflow import envelopes, event_filter
from botyard.workflow.event_filter import EventFilterInput, IEventFilter
from botyard.workflow.plain import plain, readable
from botyard.workflow.relays import Relay
from botyard.workflow.sending import Sending

MAX_KEPT_TEXT = 1024 * 1024
"""Characters that are remembered of each stream of deltas."""
MAX_KEPT_STREAMS = 256
_AT_ONCE = contextlib.nullcontext()


class _Stream:
    """The text of one stream of deltas, up to a limit."""

    __slots__ = ("_room", "pieces")

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._room = MAX_KEPT_TEXT

    def add(self, text: str) -> None:
        if self._room > 0 and text:
            self.pieces.append(text[: self._room])
            self._room -= len(text)


class ChatCommunicator:
    """Sends the events of one turn.

    Every method begins to send when it is called and returns what can be awaited; calls that follow each other are
    sent in their order.
    """

    def __init__(
        self,
        emitter: Relay,
        tenant: str | None = None,
        project: str | None = None,
        user_id: str | None = None,
        user_type: str = "anonymous",
        service: Mapping[str, Any] | None = None,
        conversation: Mapping[str, Any] | None = None,
        event_filter: IEventFilter | None = None,
        *,
        target_sid: str | None = None,
        room: str | None = None,
    ) -> None:
        """Prepare.

        Args:
            emitter: Carries events away.
            tenant: For whom the platform works.
            project: The same, within the tenant.
            user_id: Who receives the events.
            user_type: anonymous, registered, paid or privileged.
            service: {request_id, tenant, project, user, user_obj} of the envelopes.
            conversation: {session_id, conversation_id, turn_id} of the envelopes.
            event_filter: Decides what this user receives; None: everything.
            target_sid: The one connection that events are for; None: all of the session.
            room: The session, where `conversation` does not tell it.
        """
        self.emitter = emitter
        self.tenant = tenant
        self.project = project
        self.user_id = user_id
        self.user_type = user_type
        self.service = {"tenant": tenant, "project": project, "user": user_id} | dict(service or {})
        self.conversation = dict(conversation or {})
        self.event_filter = event_filter
        self.target_sid = target_sid if target_sid is not None else self.conversation.pop("socket_id", None)
        self.room = room or self.conversation.get("session_id")
        self._order = asyncio.Lock()
        self._pending: set[asyncio.Task[None]] = set()
        self._streams: OrderedDict[tuple[Any, ...], _Stream] = OrderedDict()

    def start(self, *, message: str, queue_stats: Mapping[str, Any] | None = None) -> Sending:
        """Tell that the turn begins (the platform does)."""
        data = {"message": message, "queue_stats": dict(queue_stats or {})}
        return self._tell("chat.start", step="turn", status="started", title="Turn Started", data=data)

    def step(
        self,
        *,
        step: str,
        status: str,
        title: str | None = None,
        agent: str | None = None,
        data: Any = None,
        markdown: str | None = None,
        **more: Any,
    ) -> Sending:
        """Tell that a phase began, went on or ended.

        Args:
            step: Name of the phase, such as `rag_retrieval`.
            status: started, running, update, completed, error or skipped.
            title: For people.
            agent: Who works.
            data: Details, as JSON can express them.
            markdown: The same for people.
            **more: Further members of the data.
        """
        return self._tell(
            "chat.step", step=step, status=status, title=title, agent=agent, data=_joined(data, more), markdown=markdown
        )

    def delta(
        self,
        *,
        text: str,
        index: int,
        marker: str = "answer",
        agent: str = "assistant",
        completed: bool = False,
        **kw: Any,
    ) -> Sending:
        """Send a piece of a text.

        Args:
            text: The piece.
            index: Grows by one within its marker; 0 begins anew.
            marker: answer, thinking, subsystem, canvas, timeline_text, or what a client knows.
            agent: Who writes.
            completed: The text ends here.
            **kw: `format`, `artifact_name`, `title`, `sub_type`, ids and whatever a client knows; sent as `extra`.
        """
        text = readable(text if isinstance(text, str) else "" if text is None else str(text))
        self._remember(text, index, marker, agent, kw)
        members = envelopes.delta_members(text, index, marker, completed=completed, extra=plain(kw, "extra"))
        return self._send(
            "chat_delta",
            "chat.delta",
            step="stream",
            status="completed" if completed else "running",
            agent=agent,
            title="Assistant Delta",
            **members,
        )

    def complete(self, *, data: Any) -> Sending:
        """Tell that the turn is over, with its result (the platform does)."""
        return Sending(self.emit("chat_complete", self.completion(data)), self._pending)

    def completion(self, data: Any) -> envelopes.Envelope:
        """Return the envelope of `complete`, for hosts that send it with the turn's commit."""
        return self._made(
            "chat.complete",
            step="stream",
            status="completed",
            title="Turn Completed",
            agent="answer_generator",
            data=plain(data),
        )

    def error(
        self,
        *,
        message: str,
        data: Any = None,
        agent: str | None = None,
        step: str = "chat.error",
        title: str = "Workflow Error",
    ) -> Sending:
        """Tell the user that something failed."""
        told = {"error": message, "message": message} | _joined(data, {})
        return self._tell("chat.error", step=step, status="error", title=title, agent=agent, data=told)

    def event(
        self,
        *,
        agent: str | None,
        type: str,  # noqa: A002 - the envelope's own word
        title: str | None = None,
        step: str = "event",
        data: Any = None,
        markdown: str | None = None,
        route: str | None = None,
        status: str = "update",
        auto_markdown: bool = True,
        broadcast: bool = False,
        **more: Any,
    ) -> Sending:
        """Send an event of the bundle's own.

        Args:
            agent: Who speaks.
            type: Of the envelope, such as `chat.files`.
            title: For people.
            step: What part of the turn speaks.
            data: Details, as JSON can express them.
            markdown: The event for people.
            route: By what filters tell it; those of `event_filter.PUBLIC_ROUTES` reach every user.
            status: As for `step`.
            auto_markdown: Make `markdown` of title and data where it is left out.
            broadcast: For all connections of the session, not only the one that asked.
            **more: Further members of the data.
        """
        data = _joined(data, more)
        if markdown is None and auto_markdown:
            markdown = envelopes.markdown_of(title, step, data)
        return self._tell(
            type,
            step=step,
            status=status,
            title=title,
            agent=agent,
            data=data,
            markdown=markdown,
            route=route,
            event=envelopes.socket_event(route),
            broadcast=broadcast,
        )

    def service_event(
        self,
        *,
        type: str,  # noqa: A002 - the envelope's own word
        step: str,
        status: str,
        title: str | None = None,
        data: Any = None,
        agent: str | None = None,
        markdown: str | None = None,
        auto_markdown: bool = True,
        broadcast: bool = False,
        **more: Any,
    ) -> Sending:
        """Send an event of the platform's services, such as `rate_limit.denied`; arguments as for `event`."""
        data = _joined(data, more)
        if markdown is None and auto_markdown:
            markdown = envelopes.markdown_of(title, step, data)
        return self._tell(
            type,
            step=step,
            status=status,
            title=title,
            agent=agent,
            data=data,
            markdown=markdown,
            event="chat_service",
            broadcast=broadcast,
        )

    async def emit(self, event: str, data: envelopes.Envelope, *, broadcast: bool = False) -> None:
        """Send an envelope under the name `event`, unless the filter forbids it.

        Raises:
            RuntimeError: A filter sends.
        """
        event_filter.check_sending()
        told = data.get("event") or {}
        described = EventFilterInput(
            type=data.get("type"),
            route=data.get("route"),
            socket_event=event,
            agent=told.get("agent"),
            step=told.get("step"),
            status=told.get("status"),
            broadcast=broadcast,
        )
        # A filter that takes its time must not let a later event pass.
        async with self._order if event_filter.waits(self.event_filter) else _AT_ONCE:
            if not await event_filter.allowed(
                self.event_filter, user_type=self.user_type, user_id=self.user_id, event=described, data=data
            ):
                return
            await self.emitter.emit(
                event=event,
                data=data,
                target_sid=None if broadcast else self.target_sid,
                session_id=self.room,
                room=self.room,
                tenant=self.tenant,
                project=self.project,
                broadcast=broadcast,
            )

    async def flush(self) -> None:
        """Return when everything that was begun is sent."""
        while pending := [task for task in self._pending if task is not asyncio.current_task()]:
            await asyncio.gather(*pending, return_exceptions=True)

    def streamed(self, marker: str = "answer") -> str:
        """Return the text that was sent with this marker, as far as it is remembered."""
        return "".join(piece for key, stream in self._streams.items() if key[3] == marker for piece in stream.pieces)

    def _tell(
        self,
        type: str,  # noqa: A002 - the envelope's own word
        *,
        data: Any,
        event: str | None = None,
        broadcast: bool = False,
        step: str,
        status: str,
        title: str | None,
        agent: str | None = None,
        markdown: str | None = None,
        route: str | None = None,
    ) -> Sending:
        return self._send(
            event or envelopes.socket_event(type),
            type,
            broadcast=broadcast,
            step=step,
            status=status,
            title=title,
            agent=agent,
            markdown=markdown,
            route=route,
            data=plain({} if data is None else data),
        )

    def _send(self, event: str, type: str, *, broadcast: bool = False, **members: Any) -> Sending:  # noqa: A002
        event_filter.check_sending()
        return Sending(self.emit(event, self._made(type, **members), broadcast=broadcast), self._pending)

    def _made(self, type: str, **members: Any) -> envelopes.Envelope:  # noqa: A002
        return envelopes.envelope(
            type, service=self.service, conversation=self.conversation, now=time.time(), **members
        )

    def _remember(self, text: str, index: int, marker: str, agent: str, kw: Mapping[str, Any]) -> None:
        place = self.conversation
        key = (
            place.get("conversation_id"),
            place.get("turn_id"),
            agent,
            marker,
            kw.get("format"),
            kw.get("artifact_name"),
            kw.get("title"),
        )
        if index == 0 or key not in self._streams:
            self._streams[key] = _Stream()
        self._streams[key].add(text)
        while len(self._streams) > MAX_KEPT_STREAMS:
            self._streams.popitem(last=False)


def _joined(data: Any, more: Mapping[str, Any]) -> Any:
    if not more and data is not None:
        return data if not isinstance(data, Mapping) else dict(data)
    return {**(data if isinstance(data, Mapping) else {} if data is None else {"value": data}), **more}
