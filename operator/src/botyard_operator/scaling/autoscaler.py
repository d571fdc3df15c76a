"""Scales Bots by the work that waits for them in Redis.

Marks of demand (`botyard.core.activity`) wake a Bot at once; a look at the inboxes every few seconds finds the rest.
The result goes into `spec.replicas` through the scale subresource, where an autoscaler's belongs: the Bot's own
reconcile brings it to the Deployment. A Bot without `spec.autoscaling` is left to whoever scales it: a person, a
HorizontalPodAutoscaler or KEDA.

Nothing is stored: a process that takes over leaves every Bot as it is until it has watched it for `idleAfter`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from botyard.core.activity import Activity
from botyard.core.address import BotAddress
from botyard_operator.api.bot import Bot
from botyard_operator.api.errors import InvalidObject
from botyard_operator.api.reasons import ConditionType
from botyard_operator.conditions import find
from botyard_operator.reconcile.base import ApiError, Context, Key, RetryLater
from botyard_operator.scaling.decisions import Bounds, Window, decide

logger = logging.getLogger(__name__)

LOOK_EVERY = 5.0
"""Seconds between looks at the work of Bots that run."""
LOOK_AT_SLEEPERS = 30.0
"""Seconds between looks at the work of Bots that sleep: what wakes them is a mark; this makes up for a lost one."""
WAKE_LEAD_MS = 5_000
"""A replica takes about this long to come up: a timer that is due by then wakes its Bot."""
_RETRY_SECONDS = 5.0


class Replicas(Protocol):
    """Writes the number of replicas."""

    async def scale(self, key: Key, replicas: int) -> None:
        """Set the replicas of an object through its scale subresource."""


@dataclass(slots=True)
class _Watched:
    """What is remembered of one Bot."""

    since: float
    window: Window = field(default_factory=Window)
    looked: float = float("-inf")


class Autoscaler:
    """Keeps the replicas of Bots with `spec.autoscaling` at what their work needs."""

    def __init__(self, activity: Activity, replicas: Replicas, ctx: Context) -> None:
        """Prepare; `run` works.

        Args:
            activity: Demand and work in Redis.
            replicas: Where replicas are written.
            ctx: Caches and clock.
        """
        self._activity = activity
        self._replicas = replicas
        self._ctx = ctx
        self._watched: dict[Key, _Watched] = {}
        self._marks: dict[str, float] = {}
        """When each Bot was marked last, in seconds of our monotonic clock."""

    async def run(self) -> None:
        """Work until cancelled."""
        await asyncio.gather(self._listen(), self._look())

    async def _listen(self) -> None:
        while True:
            # While there is nobody whose demand counts, Redis is not asked.
            if next(self._bots(), None) is not None:
                await self._follow()
            await asyncio.sleep(_RETRY_SECONDS)

    async def _follow(self) -> None:
        try:
            async for name in self._activity.follow():
                if name:
                    await self.marked(name)
                else:
                    await self._catch_up()
        except (RetryLater, ApiError) as error:
            logger.warning("a bot could not be woken: %s", error)
        except Exception as error:
            # Without Redis nobody's demand can be known; the next look tells it.
            logger.warning("demand cannot be followed: %s", error)

    async def _catch_up(self) -> None:
        """Take over the marks that were made while nobody listened."""
        now = self._ctx.clock.monotonic()
        clock = self._ctx.clock.now().timestamp()
        for name, at in (await self._activity.last()).items():
            self._marks[name] = min(now, now - (clock - at / 1000))
        await self.look(everything=True)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                await self.look()
            except Exception as error:
                logger.warning("the work of bots cannot be seen: %s", error)

    async def marked(self, name: str) -> None:
        """Take in that a Bot, `namespace/name`, is needed now."""
        namespace, _, bot = name.partition("/")
        now = self._ctx.clock.monotonic()
        found = self._bot(Key("Bot", namespace, bot))
        if found is None:
            return
        self._marks[name] = now
        if found.spec.replicas == 0:
            await self._set(found, max(1, _bounds(found).least))

    async def look(self, *, everything: bool = False) -> None:
        """Look at the work of all Bots whose turn it is, and scale them.

        Args:
            everything: Look at all of them.
        """
        now = self._ctx.clock.monotonic()
        bots = list(self._bots())
        self._forget(bots)
        for bot in bots:
            watched = self._watched.setdefault(_key(bot), _Watched(now))
            pause = LOOK_AT_SLEEPERS if bot.spec.replicas == 0 else 0.0
            if everything or now - watched.looked >= pause:
                watched.looked = now
                with contextlib.suppress(RetryLater, ApiError):
                    await self._scale(bot, watched)

    async def _scale(self, bot: Bot, watched: _Watched) -> None:
        work = await self._activity.work(BotAddress(bot.metadata.namespace, bot.metadata.name))
        now = self._ctx.clock.monotonic()
        wanted = decide(
            watched.window,
            replicas=bot.spec.replicas,
            waiting=work.waiting(lead_ms=WAKE_LEAD_MS),
            marked=self._marks.get(f"{bot.metadata.namespace}/{bot.metadata.name}"),
            watched_since=watched.since,
            now=now,
            bounds=_bounds(bot),
        )
        if wanted != bot.spec.replicas:
            await self._set(bot, wanted)

    async def _set(self, bot: Bot, replicas: int) -> None:
        key = _key(bot)
        logger.info(
            "bot scaled",
            extra={"kind": "Bot", "namespace": key.namespace, "object": key.name, "replicas": replicas},
        )
        await self._replicas.scale(key, replicas)

    def _bots(self) -> Iterator[Bot]:
        for key in self._ctx.caches.keys("Bot"):
            bot = self._bot(key)
            if bot is not None:
                yield bot

    def _bot(self, key: Key) -> Bot | None:
        """Return a Bot that is to be scaled, or None."""
        obj = self._ctx.caches.get(key.kind, key.namespace, key.name)
        if obj is None or obj["metadata"].get("deletionTimestamp"):
            return None
        spec = obj.get("spec") or {}
        if not spec.get("autoscaling") or spec.get("suspend"):
            return None
        try:
            bot = Bot.parse(obj)
        except InvalidObject:
            return None
        # Nobody else brings a Bot back that sleeps: a HorizontalPodAutoscaler leaves no replicas alone.
        conflict = find((obj.get("status") or {}).get("conditions"), ConditionType.SCALING_CONFLICT)
        return None if conflict is not None and bot.spec.replicas > 0 else bot

    def _forget(self, bots: Iterable[Bot]) -> None:
        """Drop what is remembered of Bots that are gone; marks are of Bots that exist, too."""
        living = {_key(bot) for bot in bots}
        for key in [key for key in self._watched if key not in living]:
            del self._watched[key]
        names = {f"{key.namespace}/{key.name}" for key in living}
        for name in [name for name in self._marks if name not in names]:
            del self._marks[name]


def _key(bot: Bot) -> Key:
    return Key("Bot", bot.metadata.namespace, bot.metadata.name)


def _bounds(bot: Bot) -> Bounds:
    spec = bot.spec.autoscaling
    assert spec is not None
    return Bounds(
        least=spec.min_replicas,
        most=spec.max_replicas,
        events_per_replica=spec.pending_events,
        idle_seconds=spec.idle_after.seconds,
    )
