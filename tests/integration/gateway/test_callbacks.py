"""Callbacks: the reference is the key, it opens one session once."""

import json

import httpx
import pytest

from botyard.core.address import BotAddress
from botyard.core.references import Reference, References
from tests.integration.gateway.system import BASE, ECHO, System, problem

REFERENCE = "jbkey0123456789abcdef-0123456jbkey"


@pytest.fixture
async def conversation(system: System) -> str:
    found = await system.conversation("waiting")
    await References(system.redis).register(REFERENCE, Reference(bot=ECHO, conversation=found, user="ann"))
    return found


async def call(system: System, body: bytes, path: str = f"{BASE}/callbacks/{REFERENCE}") -> httpx.Response:
    return await system.http.post(path, content=body)


async def test_a_callback_reaches_the_session_that_waits(system: System, conversation: str) -> None:
    answer = await call(system, b'{"paid": true}')
    assert answer.status_code == 202
    assert answer.json()["conversation"] == conversation
    (entry,) = await system.waiting()
    assert (entry.key, entry.kind, entry.user) == (conversation, "callback", "ann")
    assert json.loads(entry.payload) == {"reference": REFERENCE, "body": '{"paid": true}'}


async def test_the_reference_may_be_anywhere_in_the_body_of_a_webhook(system: System, conversation: str) -> None:
    body = f"<xml><ref>order-{REFERENCE}-x</ref></xml>".encode()
    answer = await call(system, body, "/v1/webhook")
    assert answer.json()["conversation"] == conversation
    (entry,) = await system.waiting()
    assert json.loads(entry.payload)["body"] == body.decode()


async def test_a_reference_is_good_once(system: System, conversation: str) -> None:
    await call(system, b"1")
    for path in (f"{BASE}/callbacks/{REFERENCE}", "/v1/webhook"):
        problem(await call(system, REFERENCE.encode(), path), 409, "reference-used")
    assert len(await system.waiting()) == 1


async def test_a_reference_belongs_to_its_bot(system: System, conversation: str) -> None:
    path = f"/v1/namespaces/shop/bots/asleep/callbacks/{REFERENCE}"
    problem(await call(system, b"1", path), 404, "unknown-reference")


async def test_a_reference_of_a_bot_that_is_gone_is_unknown(system: System) -> None:
    gone = Reference(bot=BotAddress("shop", "gone"), conversation="c", user="ann")
    await References(system.redis).register(REFERENCE, gone)
    problem(await call(system, REFERENCE.encode(), "/v1/webhook"), 404, "unknown-reference")


@pytest.mark.parametrize("body", [b"", b"nothing here", b"jbkeyshortjbkey", b"jbkey" + b"z" * 25 + b"jbkey"])
async def test_webhooks_without_a_known_reference_are_refused(system: System, body: bytes) -> None:
    problem(await call(system, body, "/v1/webhook"), 404, "unknown-reference")


async def test_guessed_references_are_unknown(system: System) -> None:
    for reference in ("x", "a" * 40, "%7B%7D" * 8):
        problem(await call(system, b"1", f"{BASE}/callbacks/{reference}"), 404, "unknown-reference")


async def test_bodies_are_text_within_the_bots_limit(system: System, conversation: str) -> None:
    problem(await call(system, b"\xff\xfe"), 400, "bad-parameter")
    problem(await call(system, b"x" * 10_001), 413, "too-large")
    problem(await call(system, REFERENCE.encode() + b"x" * 10_001, "/v1/webhook"), 413, "too-large")
    assert not await system.waiting()
