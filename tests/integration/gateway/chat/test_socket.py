"""Socket.IO as programs use it; tests/browser has the real client of pages."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import socketio
from redis.asyncio import Redis
from socketio.exceptions import ConnectionError as NotConnected

from botyard.gateway.chat.parts import ChatSettings
from tests.integration.gateway.chat.client import opened, stream_answer
from tests.integration.gateway.system import System, running_system
from tests.integration.redis.server import RedisServer


@dataclass
class Client:
    """A connected client and what it heard."""

    io: socketio.AsyncClient
    heard: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)

    async def until(self, event: str, count: int = 1) -> list[Any]:
        """Wait for so many events of a name; return their data."""
        async with asyncio.timeout(60):
            while len(found := [data for name, data in self.heard if name == event]) < count:
                await asyncio.sleep(0.01)
        return [data[0] for data in found]

    async def say(self, text: str, *files: bytes, **message: Any) -> dict[str, Any]:
        """Send a message and return its acknowledgement."""
        content = {"message": {"text": text, "bundle_id": "echo", **message}}
        data = (content, *files) if files else content
        return dict(await self.io.call("chat_message", data, timeout=60))


@contextlib.asynccontextmanager
async def connected(
    system: System, *, user: str = "ann", session: str = "sess1", transport: str = "websocket", **auth: Any
) -> AsyncIterator[Client]:
    """Connect as a client does."""
    client = Client(socketio.AsyncClient(reconnection=False))
    client.io.on("*", lambda event, *data: client.heard.append((event, data)))
    given = {"user_session_id": session, "bearer_token": f"token-of-{user}", "tenant": "shop", **auth}
    await client.io.connect(system.url, auth=given, transports=[transport], wait_timeout=30)
    try:
        await client.until("session_info")
        yield client
    finally:
        # At once: a poll that waits would be waited for.
        await client.io.eio.disconnect(abort=True)


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_a_message_is_acknowledged_and_its_answer_streams(system: System, transport: str) -> None:
    async with connected(system, transport=transport) as client:
        (info,) = await client.until("session_info")
        assert (info["session_id"], info["user_id"], info["user_type"]) == ("sess1", "ann", "registered")
        ack = await client.say("hello", conversation_id="c1", turn_id="t1")
        assert (ack["status"], ack["conversation_id"], ack["turn_id"]) == ("processing_started", "c1", "t1")
        await stream_answer(system, "a", "b", target=info["sid"])
        assert [data["text"] for data in await client.until("chat_delta", 2)] == ["a", "b"]
        (complete,) = await client.until("chat_complete")
        assert complete["type"] == "chat.complete"
        assert "delivery" not in complete


async def test_files_come_as_binary_arguments(system: System) -> None:
    async with connected(system) as client:
        meta = [{"name": "a.txt", "mime": "text/plain"}, {"filename": "b.bin"}]
        content = {"message": {"text": "look", "bundle_id": "echo"}, "attachment_meta": meta}
        ack = await client.io.call("chat_message", (content, b"hello", b"\x00\x01"), timeout=60)
        assert ack["status"] == "processing_started", ack
        refused = await client.say("x", b"MZ\x90")
        assert (refused["error"], refused["http_status"]) == ("attachment_rejected", 400)
        (error,) = await client.until("chat_error")
        assert error["data"]["code"] == "attachment_rejected"
    (entry,) = await system.waiting()
    files = json.loads(entry.payload)["files"]
    assert [(file["name"], file["type"], file["size"]) for file in files] == [
        ("a.txt", "text/plain", 5),
        ("b.bin", "application/octet-stream", 2),
    ]


async def test_a_session_is_one_over_both_channels(system: System) -> None:
    async with connected(system) as client, opened(system, "s9") as stream:
        await client.say("hello", conversation_id="c1")
        await stream_answer(system, "for all")
        assert (await client.until("chat_delta"))[0]["text"] == "for all"
        while (received := await stream.next(60)) is not None and received.type != "chat_delta":
            pass
        assert received is not None


async def test_a_client_that_comes_back_gets_what_it_missed(system: System) -> None:
    async with connected(system, after="") as client:
        await client.say("hello", conversation_id="c1")
        await stream_answer(system, "a", commit=False)
        await client.until("chat_delta")
        position = next(data[1] for name, data in client.heard if name == "chat_delta")
    await stream_answer(system, "b")
    async with connected(system, after=position) as client:
        assert [data["text"] for data in await client.until("chat_delta")] == ["b"]


async def test_the_state_of_a_conversation_is_told(system: System) -> None:
    async with connected(system) as client:
        await client.say("hello", conversation_id="c1")
        asked = {"conversation_id": "c1", "bundle_id": "echo"}
        answer = await client.io.call("conv_status.get", asked, timeout=60)
        assert (answer["state"], answer["waiting"]) == ("in_progress", 1)
        assert (await client.until("conv_status"))[-1]["type"] == "conv.status"
        assert (await client.io.call("ping", timeout=60))["timestamp"] > 0
        await client.until("pong")


@pytest.mark.parametrize("data", [None, 7, [], {}, {"message": None}, {"message": {"text": 7}}, "\x00"])
async def test_nonsense_is_refused_and_harms_nothing(system: System, data: Any) -> None:
    async with connected(system) as client:
        answer = await client.io.call("chat_message", data, timeout=60)
        if data != "\x00":
            assert answer["status"] == "error"
        assert (await client.say("hello"))["status"] == "processing_started"


async def test_who_is_not_known_is_not_connected(system: System) -> None:
    with pytest.raises(NotConnected):
        async with connected(system, user="nobody"):
            pass


async def test_pages_of_other_sites_are_not_let_in(system: System) -> None:
    async with httpx.AsyncClient(base_url=system.url, trust_env=False) as http:
        path = "/socket.io/?EIO=4&transport=polling"
        assert (await http.get(path, headers={"Origin": "https://evil.example"})).status_code == 400
        assert (await http.get(path, headers={"Origin": system.url})).status_code == 200


async def test_other_programs_send_to_sessions_over_redis(
    redis_client: Redis, redis_server: RedisServer, tmp_path: Path
) -> None:
    async with running_system(redis_client, tmp_path) as system:
        system.gateway.chat.settings = ChatSettings(redis_url=redis_server.url)
        async with connected(system) as client:
            (info,) = await client.until("session_info")
            manager = socketio.AsyncRedisManager(redis_server.url, write_only=True)
            async with asyncio.timeout(60):
                while not [name for name, _ in client.heard if name == "chat_service"]:
                    await manager.emit("chat_service", {"type": "from.outside"}, room=info["sid"])
                    await asyncio.sleep(0.1)


async def test_sockets_end_with_the_gateway(system: System) -> None:
    async with connected(system) as client:
        system.server.stop()
        async with asyncio.timeout(60):
            await client.io.wait()
