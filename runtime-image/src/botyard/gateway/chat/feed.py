"""Everything that one connection of a session receives, in one bounded buffer.

The outputs of conversations are the truth: what a slow connection has no room for stays there and is read later, and a
connection that comes back says how far it was.
"""

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from botyard.core.conversations import Conversations
from botyard.core.errors import Expired
from botyard.core.live import Follower, LiveHub
from botyard.core.outputs import Outputs
from botyard.gateway.chat.registry import FRESH, Member, SessionKey, Sessions
from botyard.gateway.chat.wire import Positions, Sent, sent, to_json

Shown = Callable[[Sent], bool]
"""Tells whether a user receives an event."""

log = logging.getLogger(__name__)

ROOM = 1000
"""Events that wait for a connection."""
LOOK = 20.0
"""Seconds after which a session's conversations are read again, should an announcement have been lost."""


class Feed:
    """What a connection is to be sent; `take` returns it.

    Args:
        outputs: Where conversations are read.
        conversations: Tells how far they are.
        hub: Where announcements come from.
        sessions: The sessions.
        session: Whose connection.
        connection: The connection's name: events for others are left out.
        shown: Tells, for a conversation, what its user receives.
        told: Returns the event of a conversation's state, which follows the end of each of its turns.
        positions: How far the client is; where a conversation is not among them, what its running turn has said.
    """

    def __init__(
        self,
        outputs: Outputs,
        conversations: Conversations,
        hub: LiveHub,
        sessions: Sessions,
        session: SessionKey,
        *,
        connection: str,
        shown: Callable[[Member], Awaitable[Shown]],
        told: Callable[[Member], Awaitable[dict[str, Any]]],
        positions: Positions,
    ) -> None:
        self._outputs = outputs
        self._conversations = conversations
        self._hub = hub
        self._sessions = sessions
        self._session = session
        self._connection = connection
        self._shown = shown
        self._told = told
        self.positions = positions
        self._resumes = bool(positions)
        self._waiting: deque[tuple[Sent, str]] = deque()
        self._ready: asyncio.Future[None] | None = None
        """Set while somebody waits for events."""
        self._room = asyncio.Event()
        self._room.set()
        self._following: dict[str, asyncio.Task[None]] = {}
        self._main: asyncio.Task[None] | None = None
        self.failure: BaseException | None = None

    async def __aenter__(self) -> "Feed":
        """Begin; announcements are heard when this returns."""
        heard = asyncio.get_running_loop().create_future()
        self._main = asyncio.create_task(self._listen(heard))
        await asyncio.wait((heard, self._main), return_when=asyncio.FIRST_COMPLETED)
        return self

    async def __aexit__(self, *error: object) -> None:
        """End all following."""
        tasks = [task for task in (self._main, *self._following.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def take(self, timeout: float) -> list[tuple[Sent, str]]:
        """Return what waits, with the position after each (empty: it is not kept); nothing after `timeout` seconds.

        Raises:
            Exception: What ended the feed, such as a Redis that went away.
        """
        if not self._waiting and self.failure is None:
            loop = asyncio.get_running_loop()
            self._ready = loop.create_future()
            # A timer of its own: thousands of connections wait, and each event ends one wait.
            timer = loop.call_later(timeout, self._wake)
            try:
                await self._ready
            finally:
                timer.cancel()
                self._ready = None
        if not self._waiting and self.failure is not None:
            raise self.failure
        taken = list(self._waiting)
        self._waiting.clear()
        self._room.set()
        return taken

    def _wake(self) -> None:
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(None)

    async def _listen(self, heard: "asyncio.Future[None]") -> None:
        try:
            async with self._hub.follow(self._session.channel) as follower:
                await self._look()
                heard.set_result(None)
                while True:
                    await self._hear(follower)
        except Exception as error:
            self._fail(error)

    async def _hear(self, follower: Follower) -> None:
        try:
            message = await follower.get(LOOK)
        except TimeoutError:
            message = None
        if message is None:
            await self._look()
        elif message[:1] == b"+":
            self._follow(Member.from_json(message[1:]))
        else:
            event, target, data = json.loads(message[1:])
            if target in ("", self._connection):
                await self._tell(event, data)

    async def _look(self) -> None:
        for member in await self._sessions.unheard(self._session):
            self._follow(member)

    def _follow(self, member: Member) -> None:
        """Follow a conversation unless it is followed already."""
        if member.name not in self._following:
            self._following[member.name] = asyncio.create_task(self._read(member))

    async def _start(self, member: Member) -> int:
        """Return after which output the client is to be told a conversation.

        A client that says nothing gets what the newest turn has said, unless that is long over.
        """
        after = self.positions.of(member.name)
        if after is not None:
            return after
        if self._resumes or time.time() - member.at < FRESH:
            return member.since
        progress = await self._conversations.progress(member.bot, member.conversation)
        return member.since if progress.open_turns else progress.outputs

    async def _read(self, member: Member) -> None:
        try:
            after = await self._start(member)
            shown = await self._shown(member)
            while True:
                try:
                    await self._relay(member, after, shown)
                except Expired as error:
                    # What was lost is said, and what is left is sent.
                    lost = {"type": "gateway.history_expired", "data": {"conversation_id": member.conversation}}
                    await self._tell("chat_service", lost)
                    after = error.first - 1
        except Exception as error:
            self._fail(error)

    async def _relay(self, member: Member, after: int, shown: Shown) -> None:
        async for stored in self._outputs.follow(member.bot, member.conversation, after=str(after)):
            if stored is None:
                continue
            event = sent(stored.envelope)
            is_mine = event.target in ("", self._connection)
            if is_mine and shown(event):
                self.positions.reached(member.name, int(stored.id))
                await self._put(event, str(self.positions))
            if event.type == "chat.complete":
                if is_mine:
                    await self._sessions.heard(self._session, member, int(stored.id))
                await self._tell("conv_status", await self._told(member))

    async def _tell(self, event: str, data: dict[str, Any]) -> None:
        """Send what is not kept."""
        await self._put(Sent(event, to_json(data), str(data.get("type"))), "")

    async def _put(self, event: Sent, position: str) -> None:
        while len(self._waiting) >= ROOM:
            self._room.clear()
            await self._room.wait()
        self._waiting.append((event, position))
        self._wake()

    def _fail(self, error: BaseException) -> None:
        self.failure = self.failure or error
        self._wake()
