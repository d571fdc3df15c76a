"""The relay of a workflow that runs without Botyard's runtime: a channel of Redis for each session."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError

from kdcube_ai_app.apps.chat.emitters import build_comm_from_comm_context
from tests.integration.redis.server import RedisServer
from tests.unit.workflow.host import task


@pytest.fixture
async def heard(redis_client: Redis) -> AsyncIterator[PubSub]:
    pubsub = redis_client.pubsub()
    await pubsub.psubscribe("*chat.events.sess1")
    while await pubsub.get_message(timeout=5.0) is None:
        pass
    yield pubsub
    await pubsub.aclose()  # type: ignore[no-untyped-call]


async def messages(pubsub: PubSub, count: int) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    async with asyncio.timeout(60):
        while len(found) < count:
            message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=1.0)
            if message is not None:
                found.append((message["channel"].decode(), json.loads(message["data"])))
    return found


async def test_the_message_on_the_channel_is_the_recorded_one(
    heard: PubSub, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_server.url)
    monkeypatch.delenv("CB_RELAY_IDENTITY", raising=False)
    comm = build_comm_from_comm_context(task())
    await comm.delta(text="Hello! ", index=0, format="text")
    [(channel, message)] = await messages(heard, 1)
    assert channel == "kdcube.relay.chatbot.t1:p1:chat.events.sess1"
    assert set(message) == {"target_sid", "session_id", "event", "timestamp", "data"}
    assert (message["target_sid"], message["session_id"], message["event"]) == ("stream1", "sess1", "chat_delta")
    assert isinstance(message["timestamp"], float)
    assert message["data"]["delta"] == {"text": "Hello! ", "marker": "answer", "index": 0, "completed": False}
    assert message["data"]["extra"] == {"format": "text"}


async def test_events_arrive_in_their_order_under_the_name_of_the_environment(
    heard: PubSub, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_server.url)
    monkeypatch.setenv("CB_RELAY_IDENTITY", "other")
    comm = build_comm_from_comm_context(task())
    for index in range(200):
        comm.delta(text=str(index), index=index)
    await comm.event(agent="a", type="x", broadcast=True)
    await comm.flush()
    found = await messages(heard, 201)
    assert [message["data"].get("idx") for _, message in found] == [*range(200), None]
    assert found[-1][1]["target_sid"] is None
    assert {channel for channel, _ in found} == {"other.t1:p1:chat.events.sess1"}


async def test_a_redis_that_is_away_is_an_error_of_the_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:9/0")
    comm = build_comm_from_comm_context(task())
    with pytest.raises(RedisConnectionError):
        await comm.step(step="s", status="started")
