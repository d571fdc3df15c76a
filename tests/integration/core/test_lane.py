"""Scripts share one connection: each gets its own answer, whatever happens to the others and to the connection."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from botyard.core.connection import connect
from botyard.core.lane import LaneRedis
from tests.integration.redis.server import RedisServer, running_redis


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture
async def client(server: RedisServer) -> AsyncIterator[LaneRedis]:
    client = connect(server.url)
    assert isinstance(client, LaneRedis)
    yield client
    await client.aclose()


async def connections(client: LaneRedis) -> int:
    """How many connections the server has, without the one that asks for it."""
    return sum("cmd=eval" in line["cmd"] or line["cmd"] == "echo" for line in await client.client_list())


async def test_many_ask_at_once_on_one_connection_and_each_gets_its_own_answer(client: LaneRedis) -> None:
    said = await asyncio.gather(*(client.lane.ask("ECHO", str(number)) for number in range(500)))
    assert said == [str(number).encode() for number in range(500)]
    assert await connections(client) == 1


async def test_an_error_is_only_told_to_who_asked(client: LaneRedis) -> None:
    said: Any = await asyncio.gather(
        client.lane.ask("ECHO", "before"), client.lane.ask("NONSENSE"), client.lane.ask("ECHO", "behind"),
        return_exceptions=True,
    )  # fmt: skip
    assert (said[0], said[2]) == (b"before", b"behind")
    assert isinstance(said[1], ResponseError)


async def test_answers_stay_in_order_when_one_is_not_wanted_any_more(client: LaneRedis) -> None:
    await client.lane.ask("PING")
    asking = [asyncio.create_task(client.lane.ask("ECHO", str(number))) for number in range(20)]
    await asyncio.sleep(0)
    for number in range(0, 20, 3):
        asking[number].cancel()
    said = await asyncio.gather(*asking, return_exceptions=True)
    for number, answer in enumerate(said):
        assert isinstance(answer, asyncio.CancelledError) if number % 3 == 0 else answer == str(number).encode()


async def test_what_is_larger_than_any_buffer_arrives(client: LaneRedis) -> None:
    large = b"x" * 5_000_000
    said = await asyncio.gather(*(client.lane.ask("ECHO", large) for _ in range(3)), client.lane.ask("ECHO", "small"))
    assert said == [large, large, large, b"small"]


async def test_a_server_that_died_is_asked_again_when_it_is_back(server: RedisServer, client: LaneRedis) -> None:
    assert await client.lane.ask("ECHO", "one") == b"one"
    server.kill()
    with pytest.raises(RedisConnectionError):
        await client.lane.ask("ECHO", "two")
    server.start()
    assert await client.lane.ask("ECHO", "three") == b"three"


async def test_a_connection_that_the_server_closed_costs_nobody_an_answer(client: LaneRedis) -> None:
    await client.lane.ask("ECHO", "one")
    await client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")  # type: ignore[no-untyped-call]
    assert await asyncio.gather(*(client.lane.ask("ECHO", str(n)) for n in range(50))) == [b"%d" % n for n in range(50)]
    assert await connections(client) == 1


async def test_a_server_that_is_silent_is_given_up_and_asked_again(server: RedisServer) -> None:
    once = Retry(ConstantBackoff(0), 0)
    pool = BlockingConnectionPool.from_url(server.url, socket_timeout=0.5, retry=once)
    client = LaneRedis(pool, timeout=0.5, retry=once)
    assert server._process is not None
    async with asyncio.timeout(120):
        await _answered(client)
        os.kill(server._process.pid, signal.SIGSTOP)
        try:
            # All of them share what is tried: otherwise the last one would be told after fifty times as long.
            said = await asyncio.gather(*(client.lane.ask("ECHO", "x") for _ in range(50)), return_exceptions=True)
            assert {type(each) for each in said} <= {RedisTimeoutError, RedisConnectionError}
        finally:
            os.kill(server._process.pid, signal.SIGCONT)
        await _answered(client)
    await client.aclose()


async def _answered(client: LaneRedis) -> None:
    """On a busy machine even a server that runs may take longer than half a second."""
    while True:
        try:
            assert await client.lane.ask("ECHO", "here") == b"here"
        except (RedisTimeoutError, RedisConnectionError):
            continue
        return


async def test_who_waits_is_told_when_the_client_is_closed(server: RedisServer) -> None:
    client = connect(server.url)
    assert isinstance(client, LaneRedis)
    await client.lane.ask("PING")
    assert server._process is not None
    os.kill(server._process.pid, signal.SIGSTOP)
    try:
        waiting = asyncio.create_task(client.lane._ask(b"*1\r\n$4\r\nPING\r\n"))
        await asyncio.sleep(0)
        await client.aclose()
        with pytest.raises(RedisConnectionError):
            await waiting
    finally:
        os.kill(server._process.pid, signal.SIGCONT)
