"""Delivers what a bot says in the conversations of one channel: in order, at least once, by one process at a time."""

import asyncio
import contextlib
import json
import logging
import random
import time
from dataclasses import dataclass

from redis.asyncio import Redis

from botyard.channels.channel import ChannelDriver
from botyard.channels.errors import DeliveryFailed
from botyard.channels.storage import ChannelStorage, Failure
from botyard.core import keys
from botyard.core.address import BotAddress
from botyard.core.connection import Unavailable
from botyard.core.errors import Expired
from botyard.core.outputs import Outputs

log = logging.getLogger("botyard.channels")

MAX_CONVERSATIONS_AT_ONCE = 32
SWEEP_SECONDS = 30.0
"""How often all conversations are looked at: publications are hints, and may get lost."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Times of a delivery."""

    lease_ms: int = 15_000
    """How long a process that died keeps others from delivering."""
    first_wait: float = 1.0
    """Seconds before the second attempt; they double."""
    most_wait: float = 300.0


class Delivery:
    """The outgoing half of one channel."""

    def __init__(
        self, redis: Redis, bot: BotAddress, driver: ChannelDriver, *, owner: str, pace: Pace | None = None
    ) -> None:
        """Prepare.

        Args:
            redis: Where outputs are read and the state is kept.
            bot: Who speaks.
            driver: How it is handed over.
            owner: Names this process; unlike those of others.
            pace: Times.
        """
        self._redis = redis
        self._bot = bot
        self._driver = driver
        self._name = driver.settings.name
        self._owner = owner
        self._pace = pace or Pace()
        self._storage = ChannelStorage(redis)
        self._outputs = Outputs(redis)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._room = asyncio.Semaphore(MAX_CONVERSATIONS_AT_ONCE)
        self._holds = False

    async def run(self) -> None:
        """Deliver until cancelled, whenever no other process does."""
        try:
            while True:
                try:
                    await self._serve()
                except Unavailable as error:
                    log.warning("channel %s waits for Redis: %s", self._name, error)
                _end_if_cancelled()
                await self._end_all()
                await asyncio.sleep(self._pace.lease_ms / 3000 * random.uniform(0.8, 1.2))  # noqa: S311
        finally:
            await self._end_all()
            with contextlib.suppress(*Unavailable):
                await self._storage.release(self._name, self._owner)
            await self._outputs.close()

    async def _serve(self) -> None:
        """Deliver while this process holds the channel; return when it does not."""
        held = await self._storage.hold(self._name, self._owner, self._pace.lease_ms)
        _end_if_cancelled()
        if not held:
            return
        self._holds = True
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._renew())
                group.create_task(self._listen())
                group.create_task(self._sweep())
                group.create_task(self._start())
        except* _Lost:
            log.info("channel %s is delivered by another process", self._name)
        except* Unavailable as errors:
            raise errors.exceptions[0] from None
        finally:
            self._holds = False

    async def _start(self) -> None:
        wait = self._pace.first_wait
        while True:
            try:
                await self._driver.start()
                return
            except DeliveryFailed as error:
                _end_if_cancelled()
                log.warning("channel %s cannot be announced: %s", self._name, error)
                await asyncio.sleep(max(wait, error.retry_after) * random.uniform(0.5, 1.0))  # noqa: S311
                wait = min(wait * 2, self._pace.most_wait)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._pace.lease_ms / 3000)
            held = await self._storage.hold(self._name, self._owner, self._pace.lease_ms)
            _end_if_cancelled()
            if not held:
                raise _Lost

    async def _listen(self) -> None:
        """Look at conversations as soon as they say something."""
        prefix = f"{self._name}."
        pubsub = self._redis.pubsub()
        try:
            await self._redis.initialize()
            await pubsub.psubscribe(keys.live_of(self._bot, prefix))
            while True:
                message = await pubsub.get_message(timeout=1.0)
                _end_if_cancelled()
                if message is None:
                    continue
                if message["type"] == "psubscribe":
                    await self._look_at_all()  # what came before the subscription
                elif message["type"] == "pmessage":
                    self.look(keys.conversation_of_live(message["channel"]).removeprefix(prefix))
        finally:
            with contextlib.suppress(*Unavailable):
                await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311
            await self._look_at_all()
            _end_if_cancelled()

    async def _look_at_all(self) -> None:
        for conversation in await self._storage.conversations(self._name):
            self.look(conversation)

    def look(self, conversation: str) -> None:
        """Deliver what a conversation says, now; what is being delivered goes on first."""
        if not self._holds:
            return
        if conversation in self._running:
            self._again.add(conversation)
            return
        task = asyncio.create_task(self._drain(conversation), name=f"{self._name}.{conversation}")
        self._running[conversation] = task
        task.add_done_callback(lambda done: self._ended(conversation, done))

    def _ended(self, conversation: str, task: "asyncio.Task[None]") -> None:
        self._running.pop(conversation, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("channel %s, conversation %s: %s", self._name, conversation, error, exc_info=error)
        if conversation in self._again:
            self._again.discard(conversation)
            self.look(conversation)

    async def _drain(self, conversation: str) -> None:
        key = f"{self._name}.{conversation}"
        while True:
            _end_if_cancelled()
            try:
                async with self._room:
                    cursor = await self._storage.cursor(self._name, conversation)
                    if cursor is None:
                        await self._storage.forget(self._name, conversation)
                        return
                    page = await self._outputs.read(self._bot, key, after=cursor if cursor != "0" else "", count=50)
            except Expired as error:
                await self._skip(conversation, error)
                continue
            if not page:
                return
            for stored in page:
                _end_if_cancelled()
                await self._deliver(conversation, stored.id, stored.envelope)
                await self._storage.advance(self._name, conversation, stored.id)

    async def _skip(self, conversation: str, error: Expired) -> None:
        """Go on behind outputs that are no longer kept."""
        why = f"outputs before number {error.first} are no longer kept"
        await self._storage.give_up(self._name, Failure(conversation, str(error.first - 1), why))
        await self._storage.advance(self._name, conversation, str(error.first - 1))

    async def _deliver(self, conversation: str, number: str, text: str) -> None:
        """Hand one output over, or give it up."""
        envelope = json.loads(text)
        began, wait = time.monotonic(), self._pace.first_wait
        while True:
            try:
                async with self._room:
                    await self._driver.deliver(conversation.rpartition(".")[0], number, envelope)
                return
            except DeliveryFailed as error:
                _end_if_cancelled()
                late = time.monotonic() - began > self._driver.settings.give_up_after_seconds
                if error.permanent or late:
                    log.error("channel %s gives up output %s of %s: %s", self._name, number, conversation, error)
                    await self._storage.give_up(self._name, Failure(conversation, number, str(error)))
                    return
                log.warning("channel %s, output %s of %s: %s", self._name, number, conversation, error)
                await asyncio.sleep(max(wait * random.uniform(0.5, 1.0), error.retry_after))  # noqa: S311
                wait = min(wait * 2, self._pace.most_wait)

    async def _end_all(self) -> None:
        self._again.clear()
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _end_if_cancelled() -> None:
    """End this task if it was cancelled.

    A cancellation gets lost where a connection breaks, or is made, at the same time: the clients of Redis and HTTP, and
    a task group whose other tasks fail, report their own outcome alone. So every loop asks after it waited for one.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class _Lost(Exception):
    """Another process delivers for the channel."""
