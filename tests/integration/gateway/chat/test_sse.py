"""`/sse/stream`, `/sse/chat`, `/sse/conv_status.get` as unmodified clients use them."""

import asyncio
import json
from typing import Any

import pytest

from botyard.core import keys
from botyard.gateway.chat.parts import ChatSettings
from botyard.gateway.chat.users import UserRules, allowances_of
from tests.integration.gateway.chat.client import ECHO, heard, opened, say, stream_answer
from tests.integration.gateway.system import System, bearer, problem


async def test_a_message_is_acknowledged_and_its_answer_streams(system: System) -> None:
    async with opened(system) as stream:
        first = await stream.next()
        assert first is not None
        assert first.type == "ready"
        ready = json.loads(first.data)
        assert (ready["stream_id"], ready["session_id"]) == ("s1", "sess1")
        answer = await say(system, conversation_id="conv1")
        assert answer.status_code == 200, answer.text
        ack = answer.json()
        assert ack["status"] == "processing_started"
        assert ack["task_id"]
        assert (ack["conversation_id"], ack["session_id"], ack["user_type"]) == ("conv1", "sess1", "registered")
        _, status = await heard(stream, "conv_status")
        assert status["data"]["state"] == "in_progress"
        await stream_answer(system, "Hello! ", "You wrote: hello")
        for index, text in enumerate(("Hello! ", "You wrote: hello")):
            _, envelope = await heard(stream, "chat_delta")
            assert envelope["delta"] == {"text": text, "marker": "answer", "index": index, "completed": False}
            assert "delivery" not in envelope
        _, complete = await heard(stream, "chat_complete")
        assert complete["type"] == "chat.complete"
        _, status = await heard(stream, "conv_status")
        assert status["data"]["state"] == "idle"


@pytest.mark.parametrize(
    "body",
    [
        {"message": "hello world", "config": {"agentic_bundle_id": "echo", "selected_model": "m"}, "chat_history": []},
        {"message": {"message": "hello world", "agentic_bundle_id": "echo"}},
        {"message": {"text": "hello world"}, "bundle_id": "echo"},
    ],
    ids=["of the document", "of the code", "mixed"],
)
async def test_all_documented_bodies_reach_the_bot(system: System, body: dict[str, Any]) -> None:
    answer = await system.http.post(
        "/sse/chat?stream_id=s1&user_session_id=sess1&tenant=shop", json=body, headers=bearer("ann")
    )
    assert answer.status_code == 200, answer.text
    (entry,) = await system.waiting()
    payload = json.loads(entry.payload)
    assert payload["text"] == "hello world"
    assert payload["chat"]["session_id"] == "sess1"
    assert payload["chat"]["target_sid"] == "s1"
    assert payload["chat"]["user"]["user_type"] == "registered"


async def test_the_token_may_be_in_the_address(system: System) -> None:
    params = {"stream_id": "s1", "user_session_id": "x", "tenant": "shop", "bearer_token": "token-of-ann"}
    answer = await system.http.post("/sse/chat", params=params, json={"message": {"text": "x", "bundle_id": "echo"}})
    assert answer.status_code == 200
    params["bearer_token"] = "wrong"
    problem(await system.http.post("/sse/chat", params=params, json={"message": "x"}), 401, "unauthenticated")
    del params["bearer_token"]
    problem(await system.http.post("/sse/chat", params=params, json={"message": "x"}), 401, "unauthenticated")


async def test_a_client_that_comes_back_gets_what_it_missed(system: System) -> None:
    async with opened(system) as stream:
        await say(system, conversation_id="conv1")
        await stream_answer(system, "a", commit=False)
        received, _ = await heard(stream, "chat_delta")
    await stream_answer(system, "b", "c")
    async with opened(system, headers={"Last-Event-ID": received.id}) as stream:
        texts = [(await heard(stream, "chat_delta"))[1]["text"] for _ in range(2)]
    assert texts == ["b", "c"]


async def test_a_stream_that_opens_after_the_message_gets_all_of_its_turn(system: System) -> None:
    await say(system, conversation_id="conv1")
    await stream_answer(system, "a", "b")
    async with opened(system) as stream:
        texts = [(await heard(stream, "chat_delta"))[1]["text"] for _ in range(2)]
    assert texts == ["a", "b"]


async def test_a_turn_that_a_stream_was_told_to_its_end_is_not_told_to_the_next_one(system: System) -> None:
    for text in ("a", "b"):
        async with opened(system) as stream:
            await say(system, text, conversation_id="conv1")
            await stream_answer(system, text)
            assert (await heard(stream, "chat_delta"))[1]["text"] == text
            await heard(stream, "chat_complete")
            # Follows it, so that the end is noted.
            await heard(stream, "conv_status")


async def test_what_is_for_one_stream_reaches_only_that_one(system: System) -> None:
    async with opened(system, "s1") as mine, opened(system, "s2") as other:
        await say(system, stream="s1", conversation_id="conv1")
        await stream_answer(system, "for s1", target="s1", commit=False)
        await stream_answer(system, "for all")
        assert (await heard(mine, "chat_delta"))[1]["text"] == "for s1"
        assert (await heard(mine, "chat_delta"))[1]["text"] == "for all"
        assert (await heard(other, "chat_delta"))[1]["text"] == "for all"


async def test_a_session_of_another_user_is_another_session(system: System) -> None:
    async with opened(system, user="ben") as stream:
        await say(system, user="ann", conversation_id="conv1")
        await stream_answer(system, "secret")
        await say(system, user="ben", conversation_id="conv2")
        await stream_answer(system, "mine")
        assert (await heard(stream, "chat_delta"))[1]["text"] == "mine"
    problem(await say(system, user="ben", conversation_id="conv1"), 403, "conversation-of-another-user")


async def test_a_busy_conversation_takes_the_next_message_and_says_so(system: System) -> None:
    await say(system, conversation_id="conv1")
    second = (await say(system, "and?", conversation_id="conv1")).json()
    assert (second["queued"], second["queue_position"]) == (True, 1)
    async with opened(system) as stream:
        answer = await system.http.post(
            "/sse/conv_status.get?stream_id=s1&user_session_id=sess1&tenant=shop",
            json={"conversation_id": "conv1"},
            headers=bearer("ann"),
        )
        assert answer.json()["state"] == "in_progress"
        assert answer.json()["waiting"] == 2
        _, told = await heard(stream, "conv_status")
        assert told["conversation"]["conversation_id"] == "conv1"


async def test_the_same_turn_sent_again_is_the_same_message(system: System) -> None:
    first, second = [(await say(system, conversation_id="c1", turn_id="turn-7")).json() for _ in range(2)]
    assert (first["duplicate"], second["duplicate"]) == (False, True)
    assert first["turn_id"] == second["turn_id"] == "turn-7"
    assert len(await system.waiting()) == 1


@pytest.mark.parametrize(
    ("message", "status", "code"),
    [
        ({"text": ""}, 400, "missing_message"),
        ({"text": "x", "bundle_id": "nobody"}, 400, "unknown_bundle"),
        ({"text": "x" * 10_001}, 400, "input_too_long"),
    ],
    ids=["empty", "no bundle", "long"],
)
async def test_refusals_have_their_codes_and_are_told_to_the_stream(
    system: System, message: dict[str, Any], status: int, code: str
) -> None:
    async with opened(system) as stream:
        answer = await say(system, **{"text": "x", **message})
        assert (answer.status_code, answer.json()["error"]) == (status, code)
        _, told = await heard(stream, "chat_error")
        assert (told["type"], told["data"]["code"], told["data"]["http_status"]) == ("chat.error", code, status)
    assert await system.waiting() == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"null", b'{"message": {"text": 7}}'])
async def test_nonsense_is_refused(system: System, body: bytes) -> None:
    answer = await system.http.post(
        "/sse/chat?stream_id=s1&user_session_id=s&tenant=shop",
        content=body,
        headers={**bearer("ann"), "content-type": "application/json"},
    )
    assert answer.status_code in (400, 422)


async def test_who_may_not_use_a_bot_learns_nothing_of_it(system: System) -> None:
    problem(await say(system, user="stranger"), 403, "forbidden")
    problem(await say(system, user="stranger", bundle_id="nobody"), 403, "forbidden")


async def test_a_bot_that_is_not_ready_says_why(system: System) -> None:
    async with opened(system) as stream:
        problem(await say(system, bundle_id="asleep"), 503, "bot-not-ready")
        _, told = await heard(stream, "chat_service")
        assert told["type"] == "gateway.circuit_breaker"
        assert "no tests" in told["data"]["message"]


async def test_a_silent_stream_is_kept_alive(system: System) -> None:
    async with opened(system) as stream:
        async for line in stream.response.aiter_lines():
            if line.startswith(": "):
                assert line == ": keepalive"
                break


async def test_files_of_a_form_reach_the_bot(system: System) -> None:
    answer = await system.http.post(
        "/sse/chat?stream_id=s1&user_session_id=s&tenant=shop",
        data={"message": json.dumps({"text": "look", "bundle_id": "echo"})},
        files=[("files", ("../../a b.txt", b"hello", "text/plain")), ("files", ("b.png", b"\x89PNG", "image/png"))],
        headers=bearer("ann"),
    )
    assert answer.status_code == 200, answer.text
    (entry,) = await system.waiting()
    files = json.loads(entry.payload)["files"]
    assert [(file["name"], file["type"], file["size"]) for file in files] == [
        ("a b.txt", "text/plain", 5),
        ("b.png", "image/png", 4),
    ]


@pytest.mark.parametrize(
    ("name", "content"), [("a.txt", b"MZ\x90"), ("a.exe", b"hello"), ("x.zip", b"PK\x03\x04zzz"), ("empty.txt", b"")]
)
async def test_dangerous_files_are_refused_by_name_of_the_file(system: System, name: str, content: bytes) -> None:
    answer = await system.http.post(
        "/sse/chat?stream_id=s1&user_session_id=s&tenant=shop",
        data={"message": json.dumps({"text": "look", "bundle_id": "echo"})},
        files=[("files", (name, content, "text/plain"))],
        headers=bearer("ann"),
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "attachment_rejected")
    assert name in answer.json()["detail"]
    assert await system.waiting() == []


async def test_files_that_are_too_large_are_refused_before_they_are_read(system: System) -> None:
    reader, writer = await asyncio.open_connection(*system.address)
    head = (
        "POST /sse/chat?stream_id=s1&user_session_id=s&tenant=shop HTTP/1.1",
        "Host: localhost",
        f"Authorization: {bearer('ann')['Authorization']}",
        "Content-Type: multipart/form-data; boundary=x",
        "Content-Length: 99000000",
    )
    writer.write("\r\n".join((*head, "", "")).encode())
    async with asyncio.timeout(60):
        assert await reader.readline() == b"HTTP/1.1 413 Request Entity Too Large\r\n"
    writer.close()


async def test_more_messages_than_a_type_of_user_may_send_are_denied(system: System) -> None:
    rules = UserRules(allowances=allowances_of("registered=2/100"))
    system.gateway.chat.settings = ChatSettings(rules=rules)
    async with opened(system) as stream:
        assert [(await say(system)).status_code for _ in range(3)] == [200, 200, 429]
        _, denial = await heard(stream, "chat_service")
        assert denial["type"] == "gateway.rate_limit"
        data = denial["data"]
        assert (data["error_type"], data["http_status"], data["endpoint"]) == ("rate_limit", 429, "/sse/chat")
        assert data["retry_after"] >= 1
        assert data["message"]
        _, error = await heard(stream, "chat_error")
        assert error["data"]["error_type"] == "rate_limit"
    # Whoever acts for others is another type of user.
    assert (await say(system, user="channel", session="other")).json()["user_type"] == "privileged"


async def test_groups_of_the_token_make_the_type_of_user(system: System) -> None:
    assert (await say(system, user="gold")).json()["user_type"] == "registered"
    system.gateway.chat.settings = ChatSettings(rules=UserRules(paid_groups=frozenset({"gold"})))
    assert (await say(system, user="gold")).json()["user_type"] == "paid"
    system.gateway.chat.settings = ChatSettings(rules=UserRules(privileged_groups=frozenset({"gold"})))
    assert (await say(system, user="gold")).json()["user_type"] == "privileged"


async def test_a_full_inbox_refuses_types_of_users_one_after_the_other(system: System) -> None:
    system.gateway.max_pending = 10
    for _ in range(8):
        assert (await say(system, conversation_id="c1")).status_code == 200
    refused = await say(system, conversation_id="c1")
    problem(refused, 503, "under-pressure")
    assert refused.headers["Retry-After"] == "45"
    # Another conversation of the same partition is as full for this user; a privileged one has room.
    same = next(name for name in map(str, range(1000)) if ECHO.partition(name) == ECHO.partition("c1"))
    problem(await say(system, conversation_id=same), 503, "under-pressure")
    assert (await say(system, user="channel", conversation_id=same, session="x")).status_code == 200


async def test_who_proves_nothing_is_let_in_where_that_is_allowed(system: System) -> None:
    path = "/sse/chat?stream_id=s1&tenant=shop"
    message = {"message": {"text": "hi", "bundle_id": "echo"}}
    problem(await system.http.post(path, json=message), 401, "unauthenticated")
    system.gateway.chat.settings = ChatSettings(rules=UserRules(anonymous=True))
    problem(await system.http.post(path, json=message), 400, "bad-parameter")
    # Whether anonymous users may use the bot is still asked.
    problem(await system.http.post(path + "&user_session_id=x", json=message), 403, "forbidden")


async def test_a_stream_is_told_when_what_it_missed_is_gone(system: System) -> None:
    ack = (await say(system, conversation_id="conv1")).json()
    await stream_answer(system, "a", commit=False)
    assert ack["conversation_id"] == "conv1"
    # Everything before the last output is trimmed.
    await system.redis.xtrim(keys.outputs(ECHO.partition("conv1"), "conv1"), maxlen=0)
    await stream_answer(system, "b")
    async with opened(system, headers={"Last-Event-ID": "echo/conv1=0,rubbish"}) as stream:
        _, lost = await heard(stream, "chat_service")
        assert lost["type"] == "gateway.history_expired"
        assert (await heard(stream, "chat_delta"))[1]["text"] == "b"
