"""A new revision before stored conversations: the operator as a process, a real API server, a real Redis."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from botyard.core import codec, keys
from botyard.core.address import BotAddress
from tests.integration.apiserver.server import ApiServer
from tests.integration.operator.process import OperatorProcess
from tests.integration.operator.waiting import eventually
from tests.integration.operator.world import DIGEST, REVISION, World
from tests.integration.redis.server import RedisServer

NEWER = "main@sha1:" + "2d" * 20
NEWER_DIGEST = "sha256:" + "b2" * 32
MACHINES = {DIGEST: {"states": ["zero", "ask"]}, NEWER_DIGEST: {"states": ["zero", "pay"]}}


@pytest.fixture
def counting(
    apiserver: ApiServer, system_namespace: str, redis_server: RedisServer, tmp_path: Path
) -> Iterator[OperatorProcess]:
    """An operator whose Redis is there."""
    process = OperatorProcess(apiserver, tmp_path, redis_url=redis_server.url)
    try:
        process.await_leading()
        yield process
    finally:
        process.stop()


async def _save(redis: Redis, world: World, conversation: str, state: str) -> None:
    session = {"main": {"state": state, "status": 1, "variables": {}}, "plugins": {}}
    partition = BotAddress(world.namespace, "repairs").partition(conversation)
    await redis.set(keys.state(partition, conversation), codec.encode(session))


def _publish(world: World) -> None:
    world.bundle_artifact(revision=NEWER, digest=NEWER_DIGEST)


def _machine_bot(world: World, **spec: Any) -> None:
    data = {"manifest.json": "{}", "machines.json": json.dumps(MACHINES)}
    world.create("ConfigMap", "repairs-manifest", data=data)
    world.bundle()
    manifest = {"model": "fsm", "states": ["zero", "ask"]}
    world.patch("Bundle", "repairs", {"status": {"manifest": manifest}}, subresource="status")
    world.bot_becomes_ready(**spec)
    world.await_condition("Bot", "repairs", "StateCompatible", "True", "Succeeded")


def _revision(world: World) -> str:
    template = (world.get("Deployment", "repairs") or {})["spec"]["template"]
    found: str = template["metadata"]["annotations"]["botyard.dev/revision"]
    return found


@pytest.mark.usefixtures("counting")
async def test_a_revision_waits_for_conversations_that_it_cannot_go_on_with(world: World, redis_client: Redis) -> None:
    _machine_bot(world)
    await _save(redis_client, world, "ada", "ask")
    await _save(redis_client, world, "bob", "zero")
    _publish(world)
    blocked = world.await_condition("Bot", "repairs", "StateCompatible", "False", "StateIncompatible")
    assert "1 of 2 stored conversations" in blocked["message"]
    assert "StateGone ask (1)" in blocked["message"]
    assert _revision(world) == REVISION
    assert world.condition("Bot", "repairs", "Ready")["status"] == "True"  # type: ignore[index]
    assert world.condition("Bot", "repairs", "Stalled")["reason"] == "StateIncompatible"  # type: ignore[index]
    # Ada's conversation ends; whoever does not want to wait for the next count asks for it.
    await redis_client.delete(keys.state(BotAddress(world.namespace, "repairs").partition("ada"), "ada"))
    world.patch("Bot", "repairs", {"metadata": {"annotations": {"botyard.dev/requestedAt": "now"}}})
    eventually(lambda: _revision(world) == NEWER, "the new revision rolls out")
    world.rolled_out()
    world.await_condition("Bot", "repairs", "Stalled", None)
    world.await_condition("Bot", "repairs", "StateCompatible", "True", "Succeeded")


@pytest.mark.usefixtures("counting")
async def test_reset_is_told_to_the_pods_before_they_run_the_revision(world: World, redis_client: Redis) -> None:
    _machine_bot(world)
    await _save(redis_client, world, "ada", "ask")
    _publish(world)
    world.await_condition("Bot", "repairs", "StateCompatible", "False", "StateIncompatible")
    world.patch("Bot", "repairs", {"spec": {"rollout": {"onIncompatibleState": "Reset"}}})
    eventually(lambda: _revision(world) == NEWER, "the new revision rolls out")
    config = (world.get("ConfigMap", "repairs-bot") or {})["data"]["bot.json"]
    assert json.loads(config)["onIncompatibleState"] == "Reset"
    world.rolled_out()
    told = world.await_condition("Bot", "repairs", "StateCompatible", "True", "ConversationsReset")
    assert "begin anew" in told["message"]


@pytest.mark.usefixtures("counting")
async def test_drain_runs_both_revisions_until_the_last_conversation_has_ended(
    world: World, redis_client: Redis
) -> None:
    _machine_bot(world, rollout={"onIncompatibleState": "Drain"})
    await _save(redis_client, world, "ada", "ask")
    _publish(world)
    eventually(lambda: _revision(world) == NEWER, "the new revision rolls out")
    assert _containers(world) == ["supervisor", "worker", "draining-worker"]
    world.rolled_out()
    draining = world.await_condition("Bot", "repairs", "StateCompatible", "False", "ConversationsDraining")
    assert REVISION in draining["message"]
    world.await_condition("Bot", "repairs", "Ready", "True")
    world.await_condition("Bot", "repairs", "Stalled", None)
    await redis_client.delete(keys.state(BotAddress(world.namespace, "repairs").partition("ada"), "ada"))
    world.patch("Bot", "repairs", {"metadata": {"annotations": {"botyard.dev/requestedAt": "now"}}})
    eventually(lambda: _containers(world) == ["supervisor", "worker"], "the old revision goes")
    world.rolled_out()
    world.await_condition("Bot", "repairs", "StateCompatible", "True", "Succeeded")


def _containers(world: World) -> list[str]:
    pod = (world.get("Deployment", "repairs") or {})["spec"]["template"]["spec"]
    return [container["name"] for container in pod["containers"]]


@pytest.mark.usefixtures("counting")
async def test_a_schema_that_cannot_be_judged_by_in_time_holds_up_nobody_else(
    world: World, redis_client: Redis
) -> None:
    """Its author may be hostile: each level of the definitions doubles the work of the one below."""
    levels = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(60)}
    schema = {"$defs": {**levels, "d60": {"type": "string"}}, "properties": {"n": {"$ref": "#/$defs/d0"}}}
    bomb = {"states": ["zero", "ask"], "variables": schema}
    _machine_bot(world)
    changed = {"data": {"machines.json": json.dumps({**MACHINES, NEWER_DIGEST: bomb})}}
    world.patch("ConfigMap", "repairs-manifest", changed)
    session = {"main": {"state": "ask", "status": 1, "variables": {"n": 1}}, "plugins": {}}
    partition = BotAddress(world.namespace, "repairs").partition("ada")
    await redis_client.set(keys.state(partition, "ada"), codec.encode(session))
    _publish(world)
    world.await_condition("Bot", "repairs", "StateCompatible", "Unknown", "CountingConversations")
    world.bundle("other")
    world.bot_becomes_ready("other")
    assert _revision(world) == REVISION
