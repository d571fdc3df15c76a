"""Socket.IO over several gateways: polling needs a sticky way to them, WebSockets do not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import socketio
from redis.asyncio import Redis

from botyard.gateway.chat.parts import ChatSettings
from tests.integration.gateway.chat.balancer import Balancer, balanced
from tests.integration.gateway.chat.client import stream_answer
from tests.integration.gateway.chat.test_socket import Client, connected
from tests.integration.gateway.system import System, running_system
from tests.integration.redis.server import RedisServer


@dataclass
class Pair:
    """Two gateways on one Redis, behind a balancer."""

    systems: tuple[System, System]
    balancer: Balancer
    redis_url: str


@pytest.fixture
async def pair(redis_client: Redis, redis_server: RedisServer, tmp_path: Path) -> AsyncIterator[Pair]:
    folders = tmp_path / "first", tmp_path / "second"
    for folder in folders:
        folder.mkdir()
    async with (
        running_system(redis_client, folders[0]) as first,
        running_system(redis_client, folders[1]) as second,
        balanced(first.url, second.url) as balancer,
    ):
        for system in (first, second):
            system.gateway.chat.settings = ChatSettings(redis_url=redis_server.url)
        yield Pair((first, second), balancer, redis_server.url)


@contextlib.asynccontextmanager
async def polling(pair: Pair, address: str, **auth: Any) -> AsyncIterator[Client]:
    """Connect by polling, from an address of this machine."""
    # A connection for each request: nothing but the balancer leads them to one gateway.
    connector = aiohttp.TCPConnector(local_addr=(address, 0), force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        client = Client(socketio.AsyncClient(reconnection=False, http_session=session))
        client.io.on("*", lambda event, *data: client.heard.append((event, data)))
        given = {"user_session_id": "sess1", "bearer_token": "token-of-ann", "tenant": "shop", **auth}
        await client.io.connect(pair.balancer.url, auth=given, transports=["polling"], wait_timeout=30)
        try:
            await client.until("session_info")
            yield client
        finally:
            # At once: a poll that waits would be waited for.
            await client.io.eio.disconnect(abort=True)


async def test_polling_clients_of_both_gateways_share_a_session(pair: Pair) -> None:
    async with polling(pair, "127.0.0.2") as here, polling(pair, "127.0.0.3") as there:
        assert pair.balancer.gateway_of("127.0.0.2") != pair.balancer.gateway_of("127.0.0.3")
        ack = await here.say("hello", conversation_id="c1")
        assert ack["status"] == "processing_started", ack
        await stream_answer(pair.systems[0], "a", "b")
        for client in (here, there):
            assert [data["text"] for data in await client.until("chat_delta", 2)] == ["a", "b"]
            await client.until("chat_complete")


async def test_other_programs_reach_a_socket_whichever_gateway_it_is_on(pair: Pair) -> None:
    manager = socketio.AsyncRedisManager(pair.redis_url, write_only=True)
    async with polling(pair, "127.0.0.2") as here, polling(pair, "127.0.0.3") as there:
        for client in (here, there):
            (info,) = await client.until("session_info")
            async with asyncio.timeout(60):
                while not [name for name, _ in client.heard if name == "chat_service"]:
                    await manager.emit("chat_service", {"type": "from.outside"}, room=info["sid"])
                    await asyncio.sleep(0.1)


async def test_a_polling_client_goes_on_at_the_other_gateway_when_its_own_ends(pair: Pair) -> None:
    async with polling(pair, "127.0.0.2", after="") as client:
        await client.say("hello", conversation_id="c1")
        await stream_answer(pair.systems[0], "a", commit=False)
        await client.until("chat_delta")
        position = next(data[1] for name, data in client.heard if name == "chat_delta")
        left = pair.balancer.gateway_of("127.0.0.2")
        pair.systems[left].server.stop()
        async with asyncio.timeout(60):
            await client.io.wait()
            await asyncio.wait({pair.systems[left].serving})
    async with polling(pair, "127.0.0.2", after=position) as client:
        assert pair.balancer.gateway_of("127.0.0.2") != left
        await stream_answer(pair.systems[0], "b")
        assert [data["text"] for data in await client.until("chat_delta")] == ["b"]


async def test_without_polling_nothing_needs_to_be_sticky(system: System) -> None:
    system.gateway.chat.settings = ChatSettings(transports=("websocket",))
    async with httpx.AsyncClient(base_url=system.url, trust_env=False) as http:
        assert (await http.get("/socket.io/?EIO=4&transport=polling")).status_code == 400
    async with connected(system) as client:
        assert (await client.say("hello"))["status"] == "processing_started"
