"""POST …/messages: what is accepted, once, and what is refused, with a reason that helps."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from tests.integration.gateway.system import BASE, System, bearer, problem, running_system

MESSAGES = f"{BASE}/messages"


async def post(system: System, body: Any, *, user: str = "ann", path: str = MESSAGES) -> httpx.Response:
    return await system.http.post(path, json=body, headers=bearer(user))


async def test_an_accepted_message_waits_for_the_bot_with_everything_that_was_sent(system: System) -> None:
    answer = await post(
        system,
        {
            "text": "hello",
            "persona": "nora",
            "payload": {"kind": "text"},
            "options": [{"id": "1", "title": "Red"}],
            "files": [{"name": "a.txt", "url": "https://files.example.com/a.txt"}],
        },
    )

    assert answer.status_code == 202
    accepted = answer.json()
    assert accepted["duplicate"] is False
    assert answer.headers["location"] == f"{BASE}/conversations/{accepted['conversation']}/events"
    (entry,) = await system.waiting()
    assert (entry.key, entry.turn, entry.event, entry.user, entry.kind) == (
        accepted["conversation"],
        accepted["turn"],
        accepted["event"],
        "ann",
        "message",
    )
    assert json.loads(entry.payload) == {
        "text": "hello",
        "user": "ann",
        "persona": "nora",
        "payload": {"kind": "text"},
        "options": [{"id": "1", "title": "Red"}],
        "files": [{"name": "a.txt", "url": "https://files.example.com/a.txt", "type": "", "size": None}],
    }


async def test_conversations_are_new_and_unguessable_unless_one_is_named(system: System) -> None:
    first, second = await system.post(), await system.post()
    assert first["conversation"] != second["conversation"]
    assert len(first["conversation"]) >= 24
    assert (await system.post(conversation=first["conversation"]))["conversation"] == first["conversation"]


@pytest.mark.parametrize("conversation", [None, "mine"])
async def test_the_same_id_is_the_same_message(system: System, conversation: str | None) -> None:
    fields = {"id": "a1"} if conversation is None else {"id": "a1", "conversation": conversation}
    first, again = await system.post(**fields), await system.post(**fields)
    assert again == {**first, "duplicate": True}
    assert len(await system.waiting()) == 1


async def test_ids_of_one_user_hide_nothing_of_another(system: System) -> None:
    first, other = await system.post(id="a1"), await system.post(id="a1", user="ben")
    assert other["duplicate"] is False
    assert other["conversation"] != first["conversation"]
    assert other["event"] != first["event"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"text": "a"', b"[1]", b'"text"', b'{"text": NaN}', b"\xff", b"[" * 100_000]
)
async def test_what_is_not_a_json_object_is_refused(system: System, body: bytes) -> None:
    headers = {**bearer("ann"), "Content-Type": "application/json"}
    answer = await system.http.post(MESSAGES, content=body[:9_000], headers=headers)
    problem(answer, 400, "malformed-json")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"text": 1}, "/text"),
        ({"text": "a", "payload": []}, "/payload"),
        ({"text": "a", "files": [{"name": "x", "url": "file:///etc/passwd"}]}, "/files/0/url"),
        ({"text": "a", "options": [{"title": "no id"}]}, "/options/0/id"),
        ({"text": "a", "conversation": "a/b"}, "/conversation"),
        ({"text": "a", "conversation": "a\r\nSet-Cookie: x"}, "/conversation"),
        ({"text": "a", "conversation": "{tag}"}, "/conversation"),
        ({"text": "a", "conversation": "c" * 129}, "/conversation"),
        ({"text": "a", "user": "a\nb"}, "/user"),
        ({"text": "a", "id": ""}, "/id"),
        ({"text": "a", "persona": "../x"}, "/persona"),
        ({}, "/text"),
        ({"text": ""}, "/text"),
    ],
)
async def test_a_wrong_field_is_named(system: System, body: dict[str, Any], pointer: str) -> None:
    found = problem(await post(system, body), 422, "invalid-body")
    assert [error["pointer"] for error in found["errors"]] == [pointer]
    assert not await system.waiting()


async def test_an_unknown_field_is_named_with_the_nearest_valid_one(system: System) -> None:
    body = {"text": "a", "conversaton": "c", "files": [{"name": "x", "url": "https://a/b", "sise": 1}], "zzz": 1}
    found = problem(await post(system, body), 422, "invalid-body")
    assert {error["pointer"]: error.get("nearest") for error in found["errors"]} == {
        "/conversaton": "conversation",
        "/files/0/sise": "size",
        "/zzz": None,
    }


async def test_only_json_is_read(system: System) -> None:
    # A form or text/plain could be sent by any web page without asking first.
    headers = {**bearer("ann"), "Content-Type": "text/plain"}
    problem(await system.http.post(MESSAGES, content=b'{"text":"a"}', headers=headers), 415, "unsupported-media-type")


async def test_a_body_beyond_the_bots_limit_is_refused_before_it_is_read(system: System) -> None:
    problem(await post(system, {"text": "a" * 10_001}), 413, "too-large")


async def test_a_body_of_undeclared_size_is_cut_off_at_the_limit(system: System) -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while sent < 50_000_000:
            sent += 1000
            yield b" " * 1000

    headers = {**bearer("ann"), "Content-Type": "application/json"}
    try:
        answer = await system.http.post(MESSAGES, content=endless(), headers=headers)
    except httpx.TransportError:
        pass  # the connection may end while we are still writing
    else:
        problem(answer, 413, "too-large")
    assert sent < 50_000_000


async def test_personas_that_the_bot_does_not_have_are_unknown(system: System) -> None:
    problem(await post(system, {"text": "a", "persona": "otto"}), 404, "unknown-persona")


async def test_a_bot_that_is_not_ready_answers_with_the_condition_message(system: System) -> None:
    answer = await post(system, {"text": "a"}, path="/v1/namespaces/shop/bots/asleep/messages")
    assert problem(answer, 503, "bot-not-ready")["detail"] == "Bundle shop/asleep: no tests"
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_full_inbox_is_answered_with_retry_after(redis_client: Redis, tmp_path: Path) -> None:
    async with running_system(redis_client, tmp_path, max_pending=3) as system:
        await fill(system)


async def fill(system: System) -> None:
    for _ in range(3):
        await system.post(conversation="busy")
    answer = await post(system, {"text": "a", "conversation": "busy"})
    assert "3 messages wait" in problem(answer, 429, "overloaded")["detail"]
    assert int(answer.headers["retry-after"]) >= 1
    assert len(await system.waiting()) == 3


async def test_one_user_cannot_flood_one_bot_but_others_go_on(redis_client: Redis, tmp_path: Path) -> None:
    async with running_system(redis_client, tmp_path, rate=0.01, burst=2) as system:
        await system.post()
        await system.post()
        answer = await post(system, {"text": "a"})
        problem(answer, 429, "rate-limited")
        assert 1 <= int(answer.headers["retry-after"]) <= 100
        await system.post(user="ben")


async def test_all_users_together_cannot_flood_one_bot(redis_client: Redis, tmp_path: Path) -> None:
    async with running_system(redis_client, tmp_path, bot_rate=0.01, burst=2) as system:
        await system.post()
        await system.post(user="ben")
        answer = await post(system, {"text": "a"}, user="channel")
        assert "All users together" in problem(answer, 429, "rate-limited")["detail"]
        assert int(answer.headers["retry-after"]) >= 1


async def test_a_message_that_names_no_bot_goes_to_the_default_bot_of_the_namespace(system: System) -> None:
    answer = await post(system, {"text": "a"}, user="boss", path="/v1/namespaces/bank/messages")
    assert answer.status_code == 202
    assert answer.json()["bot"] == "vault"
    conversation = answer.json()["conversation"]
    assert answer.headers["location"] == f"/v1/namespaces/bank/bots/vault/conversations/{conversation}/events"


@pytest.mark.parametrize(
    ("user", "namespace", "status", "name"),
    [
        ("ann", "bank", 403, "forbidden"),
        ("ben", "shop", 403, "forbidden"),
        ("ann", "shop", 404, "unknown-bot"),
        ("ann", "nowhere", 403, "forbidden"),
        ("ann", "Not..A-Name", 400, "bad-parameter"),
        ("late", "shop", 401, "unauthenticated"),
    ],
)
async def test_without_a_default_bot_only_who_may_use_all_bots_is_told(
    system: System, user: str, namespace: str, status: int, name: str
) -> None:
    problem(await post(system, {"text": "a"}, user=user, path=f"/v1/namespaces/{namespace}/messages"), status, name)


async def test_methods_and_paths_that_do_not_exist_are_problems_too(system: System) -> None:
    answer = await system.http.put(MESSAGES, headers=bearer("ann"))
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "POST"
    problem(await system.http.get("/v1/nothing"), 404, "not-found")
