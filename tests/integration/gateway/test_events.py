"""GET …/events: nothing is missed, nothing comes twice, and one client never costs another anything."""

import asyncio
import contextlib
import json
import socket
from pathlib import Path

import pytest
from redis.asyncio import Redis

from botyard.contract.routes import Routes
from botyard.core import keys
from botyard.core.retention import Retention
from botyard.gateway.context import StreamLimits
from botyard.gateway.server import ServerSettings
from tests.integration.gateway.system import BASE, ECHO, System, bearer, opened, problem, running_system, texts


async def test_a_client_that_never_was_there_gets_the_conversation(system: System) -> None:
    conversation = await system.conversation("one", "two")
    async with opened(system, conversation) as stream:
        events = await stream.take(2)
    assert [(event.id, event.type) for event in events] == [("1", "bot.message"), ("2", "bot.message")]
    assert list(texts(events)) == ["one", "two"]
    said = json.loads(events[0].data)
    assert said["conversation"]["conversation_id"] == conversation
    assert said["type"] == "bot.message"


@pytest.mark.parametrize(("after", "header"), [("1", None), ("", "1"), ("2", "1")])
async def test_a_client_comes_back_after_its_last_event(system: System, after: str, header: str | None) -> None:
    conversation = await system.conversation("one", "two", "three")
    headers = {"Last-Event-ID": header} if header else {}
    async with opened(system, conversation, after=after, headers=headers) as stream:
        assert list(texts(await stream.take(2))) == ["two", "three"]


async def test_what_is_said_later_arrives_as_it_is_said(system: System) -> None:
    conversation = await system.conversation("one")
    async with opened(system, conversation) as stream:
        await stream.take(1)
        for number in range(20):
            await system.add(conversation, f"later {number}")
            assert list(texts(await stream.take(1))) == [f"later {number}"]


async def test_a_client_that_goes_away_cancels_nothing(system: System) -> None:
    turn = await system.post("a long question")
    async with opened(system, turn["conversation"]):
        pass
    (entry,) = await system.waiting()
    conversation = await system.redis.hgetall(keys.conversation(entry.partition, entry.key))
    assert not [name for name in conversation if name.startswith(b"cancel:")]
    await system.answer(("bot.message", {"text": "the answer"}))
    async with opened(system, turn["conversation"]) as stream:
        assert list(texts(await stream.take(1))) == ["the answer"]


async def test_replay_and_live_meet_without_gap_or_repetition(system: System) -> None:
    conversation = await system.conversation(*(f"old {number}" for number in range(50)))

    async def talk() -> None:
        for number in range(200):
            await system.add(conversation, f"new {number}")

    talking = asyncio.create_task(talk())
    readers = []
    for _ in range(5):
        readers.append(asyncio.create_task(_read(system, conversation, 250)))
        await asyncio.sleep(0.02)
    wanted = [*(f"old {number}" for number in range(50)), *(f"new {number}" for number in range(200))]
    for found in await asyncio.gather(*readers):
        assert found == wanted
    await talking


async def _read(system: System, conversation: str, count: int) -> list[str]:
    async with opened(system, conversation) as stream:
        return list(texts(await stream.take(count)))


async def test_without_following_the_answer_is_json_in_pages(system: System) -> None:
    conversation = await system.conversation("one", "two", "three")
    path = f"{BASE}/conversations/{conversation}/events?follow=false&limit=2"
    first = (await system.http.get(path, headers=bearer("ann"))).json()
    assert [event["data"]["data"]["text"] for event in first["events"]] == ["one", "two"]
    assert (first["last"], first["more"]) == ("2", True)
    rest = (await system.http.get(f"{path}&after={first['last']}", headers=bearer("ann"))).json()
    assert [event["id"] for event in rest["events"]] == ["3"]
    assert (rest["last"], rest["more"]) == ("3", False)


async def test_what_is_no_longer_kept_is_gone_with_a_way_on(system: System) -> None:
    conversation = await system.conversation("one")
    await system.add(conversation, *(f"{number}" for number in range(400)), retention=Retention(outputs=10))
    path = f"{BASE}/conversations/{conversation}/events"
    for query, headers in (("?after=1", {}), ("", {"Last-Event-ID": "1"}), ("?after=1&follow=false", {})):
        found = problem(
            await system.http.get(path + query, headers={**bearer("ann"), **headers}), 410, "history-expired"
        )
        assert "without `after`" in found["detail"]
    async with opened(system, conversation) as stream:
        assert int((await stream.take(1))[0].id) > 1


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("?after=abc", "`after`"),
        ("?after=-1", "`after`"),
        ("?after=1-0", "`after`"),
        ("?follow=maybe", "`follow`"),
        ("?limit=0", "`limit`"),
        ("?limit=1001", "`limit`"),
        ("?folow=false", "`follow`"),
    ],
)
async def test_a_bad_parameter_is_named(system: System, query: str, named: str) -> None:
    conversation = await system.conversation("one")
    answer = await system.http.get(f"{BASE}/conversations/{conversation}/events{query}", headers=bearer("ann"))
    assert named in problem(answer, 400, "bad-parameter")["detail"]


async def test_a_forged_last_event_id_is_refused(system: System) -> None:
    conversation = await system.conversation("one")
    headers = {**bearer("ann"), "Last-Event-ID": "1 XREAD"}
    answer = await system.http.get(f"{BASE}/conversations/{conversation}/events", headers=headers)
    problem(answer, 400, "bad-parameter")


async def test_inner_events_reach_only_those_who_act_for_others(system: System) -> None:
    accepted = await system.post()
    await system.answer(("chat.step", {"n": 1}), ("accounting.usage", {"n": 2}), ("bot.message", {"text": "hi"}))
    path = f"{BASE}/conversations/{accepted['conversation']}/events?follow=false"

    async def types(user: str) -> list[str]:
        return [event["event"] for event in (await system.http.get(path, headers=bearer(user))).json()["events"]]

    assert await types("ann") == ["bot.message"]
    assert await types("channel") == ["chat.step", "accounting.usage", "bot.message"]


async def test_a_bot_opens_more_types_for_everybody_and_an_open_stream_hears_of_it(system: System) -> None:
    accepted = await system.post()
    route = system.gateway.table.find("shop", "echo")
    assert route is not None
    async with opened(system, accepted["conversation"]) as stream:
        await system.answer(("accounting.usage", {"text": "hidden"}), ("bot.message", {"text": "one"}))
        first = await stream.take(1)
        system.gateway.table.replace(Routes(routes=(route.model_copy(update={"events_allow": ("accounting.*",)}),)))
        await system.post(conversation=accepted["conversation"])
        await system.answer(("accounting.usage", {"text": "shown"}), ("bot.message", {"text": "two"}))
        then = await stream.take(2)
    assert [event.type for event in first] == ["bot.message"]
    assert [event.type for event in then] == ["accounting.usage", "bot.message"]
    path = f"{BASE}/conversations/{accepted['conversation']}/events?follow=false"
    found = (await system.http.get(path, headers=bearer("ann"))).json()["events"]
    assert [event["event"] for event in found].count("accounting.usage") == 2


async def test_silence_is_filled_with_comments(redis_client: Redis, tmp_path: Path) -> None:
    limits = StreamLimits(keep_alive=0.05)
    async with running_system(redis_client, tmp_path, stream_limits=limits) as system:
        conversation = await system.conversation("one")
        async with opened(system, conversation) as stream:
            await stream.take(1)
            reading = asyncio.create_task(stream.next())
            async with asyncio.timeout(90):
                while stream.comments.count("keep-alive") < 3:
                    await asyncio.sleep(0.01)
            await system.add(conversation, "two")
            event = await reading
            assert event is not None
            assert event.id == "2"


async def test_more_streams_than_allowed_are_refused_and_ended_ones_make_room(
    redis_client: Redis, tmp_path: Path
) -> None:
    async with running_system(redis_client, tmp_path, stream_limits=StreamLimits(most=1)) as system:
        conversation = await system.conversation("one")
        path = f"{BASE}/conversations/{conversation}/events"
        async with opened(system, conversation) as stream:
            await stream.take(1)
            answer = await system.http.get(path, headers=bearer("ann"))
            problem(answer, 503, "too-many-streams")
            assert int(answer.headers["retry-after"]) >= 1
        async with asyncio.timeout(90):
            while system.gateway.open_streams:
                await asyncio.sleep(0.01)
        async with opened(system, conversation) as stream:
            await stream.take(1)


async def test_a_client_that_never_reads_is_dropped_and_the_others_go_on(redis_client: Redis, tmp_path: Path) -> None:
    limits = StreamLimits(write_timeout=5.0)
    async with running_system(redis_client, tmp_path, stream_limits=limits) as system:
        conversation = await system.conversation("one")
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(deaf, system.address)
            head = (
                f"GET {BASE}/conversations/{conversation}/events HTTP/1.1\r\nHost: x\r\n"
                "Authorization: Bearer token-of-ann\r\n\r\n"
            )
            await loop.sock_sendall(deaf, head.encode())
            async with opened(system, conversation) as stream:
                await stream.take(1)
                for _ in range(60):
                    await system.add(conversation, "x" * 100_000)
                assert len(await stream.take(60)) == 60
                async with asyncio.timeout(90):
                    while system.gateway.open_streams > 1:
                        await asyncio.sleep(0.02)
                await system.add(conversation, "still here")
                assert list(texts(await stream.take(1))) == ["still here"]
        metrics = (await system.http.get("/metrics")).text
        assert 'botyard_gateway_ended_streams_total{reason="slow"} 1.0' in metrics


async def test_a_vanished_client_frees_its_stream(system: System) -> None:
    conversation = await system.conversation("one")
    async with opened(system, conversation) as stream:
        await stream.take(1)
        assert system.gateway.open_streams == 1
    async with asyncio.timeout(90):
        while system.gateway.open_streams:
            await asyncio.sleep(0.01)
    assert await system.redis.pubsub_numsub(keys.live(ECHO.partition(conversation), conversation)) in (
        [],
        [(keys.live(ECHO.partition(conversation), conversation).encode(), 0)],
    )


async def test_a_drain_turns_readiness_off_then_ends_streams_with_a_hint_to_come_back(
    redis_client: Redis, tmp_path: Path
) -> None:
    settings = ServerSettings(drain_delay=0.5, drain_timeout=5)
    async with running_system(redis_client, tmp_path, settings=settings) as system:
        conversation = await system.conversation("one")
        async with opened(system, conversation) as stream:
            await stream.take(1)
            system.server.stop()
            answer = await system.http.get("/readyz")
            assert answer.status_code == 503
            assert answer.json()["checks"]["drain"] == "draining"
            # Until load balancers have noticed, everything still works.
            await system.add(conversation, "two")
            assert list(texts(await stream.take(1))) == ["two"]
            assert await stream.next() is None
            assert "drain" in stream.comments
        async with asyncio.timeout(90):
            await system.serving


async def test_a_request_that_runs_during_the_drain_is_finished(redis_client: Redis, tmp_path: Path) -> None:
    async with running_system(redis_client, tmp_path) as system:
        body = b'{"text": "slow"}'
        reader, writer = await asyncio.open_connection(*system.address)
        head = (
            f"POST {BASE}/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-of-ann\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body[:5])
        await writer.drain()
        async with asyncio.timeout(90):
            while not system.server.server_state.tasks:
                await asyncio.sleep(0.01)
        system.server.stop()
        async with asyncio.timeout(90):
            while not system.gateway.drain.closed:
                await asyncio.sleep(0.01)
        writer.write(body[5:])
        async with asyncio.timeout(90):
            assert (await reader.readline()).startswith(b"HTTP/1.1 202")
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        assert len(await system.waiting()) == 1
