"""POST …/turns/{turn}/cancel: who may cancel what."""

from typing import Any

import httpx
import pytest

from botyard.core import keys
from tests.integration.gateway.system import BASE, ECHO, System, bearer, problem


async def cancel(system: System, turn: dict[str, Any], user: str = "ann") -> httpx.Response:
    path = f"{BASE}/conversations/{turn['conversation']}/turns/{turn['turn']}/cancel"
    return await system.http.post(path, headers=bearer(user))


async def noted(system: System, turn: dict[str, Any]) -> bool:
    """Tell whether the next run of the turn will find that it was cancelled."""
    conversation = turn["conversation"]
    name = keys.conversation(ECHO.partition(conversation), conversation)
    return bool(await system.redis.hexists(name, f"cancel:{turn['turn']}"))


async def test_a_waiting_turn_is_cancelled_by_its_user_and_the_replicas_are_told(system: System) -> None:
    turn = await system.post()
    async with system.redis.pubsub(ignore_subscribe_messages=True) as channel:
        await channel.subscribe(keys.control(ECHO))
        await channel.get_message(timeout=60)
        answer = await cancel(system, turn)
        assert (answer.status_code, answer.content) == (202, b"")
        told = await channel.get_message(timeout=60)
    assert told["data"] == f"cancel {turn['turn']}".encode()
    assert await noted(system, turn)


@pytest.mark.parametrize("user", ["boss"])
async def test_who_operates_a_bot_cancels_turns_of_anybody(system: System, user: str) -> None:
    turn = await system.post()
    assert (await cancel(system, turn, user)).status_code == 202
    assert await noted(system, turn)


@pytest.mark.parametrize("user", ["ben", "channel"])
async def test_nobody_else_cancels_turns_of_others(system: System, user: str) -> None:
    turn = await system.post()
    problem(await cancel(system, turn, user), 404, "unknown-conversation")
    assert not await noted(system, turn)


async def test_a_turn_that_has_ended_cannot_be_cancelled(system: System) -> None:
    turn = await system.post()
    await system.answer()
    assert "completed" in problem(await cancel(system, turn), 409, "turn-finished")["detail"]


@pytest.mark.parametrize("turn", ["turn_unknown", "%7Btag%7D", "a%0d%0ab", "x" * 200])
async def test_a_turn_that_never_was_is_unknown(system: System, turn: str) -> None:
    conversation = (await system.post())["conversation"]
    problem(await cancel(system, {"conversation": conversation, "turn": turn}), 404, "unknown-turn")


async def test_a_turn_of_another_conversation_is_unknown(system: System) -> None:
    first, other = await system.post(), await system.post()
    mixed = {**first, "turn": other["turn"]}
    problem(await cancel(system, mixed), 404, "unknown-turn")


async def test_an_interrupt_ends_everything_that_is_open(system: System) -> None:
    first = await system.post()
    second = await system.post(conversation=first["conversation"])
    path = f"{BASE}/conversations/{first['conversation']}/interrupt"
    problem(await system.http.post(path, headers=bearer("ben")), 404, "unknown-conversation")
    answer = await system.http.post(path, headers=bearer("ann"))
    assert answer.status_code == 202
    assert set(answer.json()["turns"]) == {first["turn"], second["turn"]}
    for turn in (first, second):
        assert await noted(system, turn)
