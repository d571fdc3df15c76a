"""Files: sent once, referred to by id, seen by their owner and the bot they were sent to, and by nobody else."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from redis.asyncio import Redis

from botyard.core import keys
from botyard.core.files import PIECE_BYTES, FileLimits, Files
from botyard.runtime.attachments import FileGone, attach
from tests.integration.gateway.system import BASE, ECHO, System, bearer, problem
from tests.integration.redis.server import eventually

FILES = f"{BASE}/files"
CONTENT = bytes(range(256)) * (PIECE_BYTES // 256 * 2) + b"rest"


async def send(system: System, content: bytes = CONTENT, *, user: str = "ann", name: str = "a.png") -> httpx.Response:
    headers = {**bearer(user), "Content-Type": "image/png"}
    return await system.http.post(FILES, params={"name": name}, content=content, headers=headers)


async def refer(system: System, *files: object, user: str = "ann") -> httpx.Response:
    return await system.http.post(f"{BASE}/messages", json={"files": list(files)}, headers=bearer(user))


def limit(system: System, **limits: int) -> None:
    system.gateway.files = Files(system.redis, limits=FileLimits(**limits))


async def test_a_file_comes_back_as_it_was_sent(system: System) -> None:
    answer = await send(system, name="Straße.png")
    assert answer.status_code == 201
    told = answer.json()
    assert (told["name"], told["type"], told["size"]) == ("Straße.png", "image/png", len(CONTENT))
    assert told["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    got = await system.http.get(answer.headers["location"], headers=bearer("ann"))
    assert got.content == CONTENT
    assert got.headers["content-type"] == "image/png"
    assert got.headers["content-disposition"] == "attachment; filename*=UTF-8''Stra%C3%9Fe.png"
    assert got.headers["x-content-type-options"] == "nosniff"


async def test_the_bot_gets_the_bytes_and_the_message_holds_only_the_reference(system: System) -> None:
    identity = (await send(system)).json()["id"]
    assert (await refer(system, {"id": identity, "name": "b.png"})).status_code == 202
    (entry,) = await system.waiting()
    payload = json.loads(entry.payload)
    assert payload["files"] == [{"id": identity, "name": "b.png", "type": "image/png", "size": len(CONTENT)}]
    (file,) = (await attach(payload, Files(system.redis), bot="shop/echo"))["files"]
    head, _, encoded = file["url"].partition(",")
    assert (head, base64.b64decode(encoded)) == ("data:image/png;base64", CONTENT)
    with pytest.raises(FileGone):
        await attach(payload, Files(system.redis), bot="shop/other")
    await system.redis.delete(keys.file(identity))
    with pytest.raises(FileGone, match="send it again"):
        await attach(payload, Files(system.redis), bot="shop/echo")


async def test_files_of_others_do_not_exist(system: System) -> None:
    answer = await send(system)
    identity, path = answer.json()["id"], answer.headers["location"]
    problem(await system.http.get(path, headers=bearer("ben")), 404, "unknown-file")
    problem(await refer(system, {"id": identity}, user="ben"), 404, "unknown-file")
    elsewhere = path.replace("/shop/bots/echo/", "/bank/bots/vault/")
    problem(await system.http.get(elsewhere, headers=bearer("boss")), 404, "unknown-file")
    assert (await system.http.get(path, headers=bearer("channel"))).content == CONTENT


@pytest.mark.parametrize("identity", ["file_unknown", "file_" + "a" * 20, "../x", "file_" + "a" * 19 + "}"])
async def test_unknown_references_are_refused(system: System, identity: str) -> None:
    problem(await refer(system, {"id": identity}), 404, "unknown-file")
    assert not await system.waiting()


@pytest.mark.parametrize(
    "file",
    [{}, {"id": "file_x", "url": "https://a.example.com/b", "name": "b"}, {"url": "https://a.example.com/b"}],
)
async def test_a_reference_is_an_id_or_an_address_with_a_name(system: System, file: dict[str, str]) -> None:
    (error,) = problem(await refer(system, file), 422, "invalid-body")["errors"]
    assert error["pointer"] == "/files/0"


async def test_files_that_are_too_large_are_refused_before_they_are_read(system: System) -> None:
    limit(system, file_bytes=1000)
    problem(await send(system, b"x" * 1001), 413, "too-large")
    assert (await send(system, b"x" * 1000)).status_code == 201


async def test_all_files_of_a_bot_have_a_bound_and_room_comes_back(system: System) -> None:
    limit(system, bot_bytes=1000)
    first = (await send(system, b"x" * 600)).json()["id"]
    problem(await send(system, b"x" * 600), 507, "files-full")
    # As time does it.
    await system.redis.zadd(keys.files(ECHO), {f"{first} 600": 1}, xx=True)
    assert (await send(system, b"x" * 600)).status_code == 201
    assert await system.redis.get(keys.files_total(ECHO)) == b"600"


@pytest.mark.parametrize(
    ("headers", "status", "name"),
    [
        ({"Content-Type": "image"}, 415, "unsupported-media-type"),
        ({"Content-Type": "text/html\t;x"}, 201, ""),
        ({"Content-Length": "0"}, 400, "bad-parameter"),
    ],
)
async def test_headers_of_files(system: System, headers: dict[str, str], status: int, name: str) -> None:
    content = b"" if headers.get("Content-Length") == "0" else b"x"
    answer = await system.http.post(FILES, content=content, headers={**bearer("ann"), **headers})
    if name:
        problem(answer, status, name)
    else:
        assert answer.status_code == status


async def test_a_file_without_a_size_is_refused(system: System) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"x"

    problem(await system.http.post(FILES, content=pieces(), headers=bearer("ann")), 411, "length-required")


@pytest.mark.parametrize("name", ["", "a/b", "a\\b", "a\r\nX: y", "x" * 256])
async def test_a_name_that_is_none_is_refused(system: System, name: str) -> None:
    problem(await send(system, name=name), 400, "bad-parameter")


async def test_nothing_is_left_of_an_upload_that_breaks_off(system: System) -> None:
    _, writer = await asyncio.open_connection(*system.address)
    head = f"POST {FILES} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-of-ann\r\nContent-Length: 1000000\r\n\r\n"
    writer.write(head.encode() + b"x" * 500_000)
    await writer.drain()

    async def begun() -> bool:
        return bool(await system.redis.keys("by:*:content"))

    await eventually(begun, 60)
    writer.close()

    async def nothing() -> bool:
        return not await system.redis.keys("by:*:content") and not await system.redis.zcard(keys.files(ECHO))

    await eventually(nothing, 60)
    assert await system.redis.get(keys.files_total(ECHO)) == b"0"


async def test_a_message_keeps_its_files_for_their_whole_time_anew(system: System) -> None:
    identity = (await send(system)).json()["id"]
    await system.redis.expire(keys.file(identity), 100)
    await refer(system, {"id": identity})
    assert await system.redis.ttl(keys.file(identity)) > 100


async def test_files_by_id_of_one_message_are_bounded_together(system: System, redis_client: Redis) -> None:
    identity = (await send(system)).json()["id"]
    await redis_client.hset(keys.file(identity), "size", 10 * 1024 * 1024)
    problem(await refer(system, {"id": identity}, {"id": identity}), 413, "too-large")
