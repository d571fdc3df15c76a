"""Bots that sleep and wake: by real marks and inboxes in Redis, with the clock moved by hand."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from botyard.core.activity import Activity
from botyard.core.address import BotAddress
from botyard.core.inbox import Inbox
from botyard_operator.caches import Caches
from botyard_operator.reconcile.base import Context, Key
from botyard_operator.scaling.autoscaler import Autoscaler
from botyard_operator.settings import Settings
from tests.integration.apiserver.server import ApiServer
from tests.integration.operator.process import OperatorProcess
from tests.integration.operator.waiting import eventually
from tests.integration.operator.world import World
from tests.integration.redis.server import RedisServer
from tests.unit.operator.clocks import StillClock

KEY = Key("Bot", "shop", "clerk")


@dataclass
class HeldBot:
    """A Bot in the operator's caches, whose replicas are written there."""

    caches: Caches = field(default_factory=Caches)
    clock: StillClock = field(default_factory=StillClock)
    version: int = 0
    spec: dict[str, Any] = field(default_factory=dict)

    def hold(self, **spec: Any) -> None:
        self.version += 1
        self.spec = {"bundleRef": {"name": "clerk"}, **spec}
        metadata = {"name": "clerk", "namespace": "shop", "uid": "u", "resourceVersion": str(self.version)}
        self.caches.put("Bot", {"metadata": metadata, "spec": self.spec})

    async def scale(self, key: Key, replicas: int) -> None:
        assert key == KEY
        self.hold(**{**self.spec, "replicas": replicas})

    @property
    def replicas(self) -> int:
        return int(self.spec.get("replicas", 1))

    def autoscaler(self, redis: Redis) -> Autoscaler:
        ctx = Context(self.caches, self, Settings(), self.clock, self, self)  # type: ignore[arg-type]
        return Autoscaler(Activity(redis), self, ctx)


async def _accept(redis: Redis, count: int) -> None:
    for number in range(count):
        await Inbox(redis).accept(BotAddress("shop", "clerk"), key=f"c{number}", kind="message", payload={}, user="u")


SLEEPY = {"minReplicas": 0, "maxReplicas": 3, "pendingEvents": 2, "idleAfter": "1m"}


async def test_a_bot_sleeps_once_nothing_happened_for_its_time(redis_client: Redis) -> None:
    bot = HeldBot()
    bot.hold(autoscaling=SLEEPY)
    autoscaler = bot.autoscaler(redis_client)
    await autoscaler.look()
    bot.clock.seconds += 59
    await autoscaler.look()
    assert bot.replicas == 1
    bot.clock.seconds += 2
    await autoscaler.look()
    assert bot.replicas == 0


async def test_a_mark_wakes_it_and_keeps_it_awake_for_its_time(redis_client: Redis) -> None:
    bot = HeldBot()
    bot.hold(autoscaling=SLEEPY, replicas=0)
    autoscaler = bot.autoscaler(redis_client)
    await autoscaler.look()
    bot.clock.seconds += 1000
    await autoscaler.look()
    assert bot.replicas == 0
    await autoscaler.marked("shop/clerk")
    assert bot.replicas == 1
    bot.clock.seconds += 59
    await autoscaler.look()
    assert bot.replicas == 1
    bot.clock.seconds += 2
    await autoscaler.look()
    assert bot.replicas == 0


async def test_events_whose_mark_got_lost_wake_it_too(redis_client: Redis) -> None:
    bot = HeldBot()
    bot.hold(autoscaling=SLEEPY, replicas=0)
    await _accept(redis_client, 1)
    await bot.autoscaler(redis_client).look()
    assert bot.replicas == 1


async def test_it_grows_with_the_events_that_wait_up_to_its_greatest_number(redis_client: Redis) -> None:
    bot = HeldBot()
    bot.hold(autoscaling=SLEEPY)
    autoscaler = bot.autoscaler(redis_client)
    await _accept(redis_client, 3)
    await autoscaler.look()
    assert bot.replicas == 2
    await _accept(redis_client, 9)
    await autoscaler.look()
    assert bot.replicas == 3


async def test_bots_without_autoscaling_or_suspended_are_left_to_others(redis_client: Redis) -> None:
    for spec in ({"replicas": 0}, {"replicas": 0, "autoscaling": SLEEPY, "suspend": True}):
        bot = HeldBot()
        bot.hold(**spec)
        await _accept(redis_client, 5)
        autoscaler = bot.autoscaler(redis_client)
        await autoscaler.look()
        await autoscaler.marked("shop/clerk")
        assert bot.replicas == 0


@pytest.fixture
def demanded(
    apiserver: ApiServer, system_namespace: str, redis_server: RedisServer, tmp_path: Path
) -> Iterator[OperatorProcess]:
    """An operator whose Redis is there."""
    process = OperatorProcess(apiserver, tmp_path, redis_url=redis_server.url)
    try:
        process.await_leading()
        yield process
    finally:
        process.stop()


@pytest.mark.usefixtures("demanded")
async def test_demand_brings_a_sleeping_bots_replica_back(world: World, redis_client: Redis) -> None:
    world.bundle()
    world.bot(replicas=0, autoscaling=SLEEPY)
    world.await_object("Deployment", "repairs")
    asleep = world.await_condition("Bot", "repairs", "Ready", "True", "Asleep")
    assert "the next one wakes it" in asleep["message"]
    bot = BotAddress(world.namespace, "repairs")
    await Inbox(redis_client).accept(bot, key="c", kind="message", payload={}, user="u")
    await Activity(redis_client).mark(bot)
    eventually(lambda: (world.get("Deployment", "repairs") or {})["spec"]["replicas"] == 1, "it wakes")
    assert (world.get("Bot", "repairs") or {})["spec"]["replicas"] == 1
