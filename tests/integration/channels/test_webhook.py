"""The generic webhook channel: signed requests in both directions."""

import json
import time
from typing import Any

import httpx
import pytest

from botyard.channels import signatures
from botyard.channels.storage import ChannelStorage
from tests.integration.channels.conftest import SECRET, until
from tests.integration.channels.receiver import Receiver
from tests.integration.gateway.system import System

pytestmark = pytest.mark.usefixtures("service")


async def post(system: System, content: Any, identity: str = "m1", secret: str = SECRET) -> httpx.Response:
    body = json.dumps(content).encode()
    headers = signatures.sign(secret, identity, int(time.time()), body)
    return await system.http.post("/v1/channels/crm", content=body, headers=headers)


HELLO = {"conversation": "order-1", "user": "ann", "text": "hello"}


async def test_a_signed_message_is_answered_by_signed_requests_in_order(system: System, receiver: Receiver) -> None:
    assert (await post(system, HELLO)).status_code == 200
    await system.answer(
        ("bot.message", {"kind": "text", "text": "one"}),
        ("bot.rag_call", {"query": "not for outside"}),
        ("bot.message", {"kind": "text", "text": "two"}),
    )
    await until(lambda: len(receiver.requests) == 2)
    bodies = [json.loads(body) for _, body in receiver.requests]
    assert [(each["conversation"], each["event"]["data"]["text"]) for each in bodies] == [
        ("order-1", "one"),
        ("order-1", "two"),
    ]
    for headers, body in receiver.requests:
        assert signatures.verify(SECRET, headers, body, now=time.time()).startswith("crm.order-1.")


async def test_a_message_with_the_same_id_is_the_same_event(system: System) -> None:
    for _ in range(2):
        assert (await post(system, HELLO)).status_code == 200
    assert len(await system.waiting()) == 1


async def test_only_signed_messages_of_the_right_shape_are_taken(system: System) -> None:
    assert (await post(system, HELLO, secret="another secret")).status_code == 403
    assert (await post(system, HELLO | {"txt": "x"})).status_code == 422
    assert (await post(system, {"conversation": "c", "user": "u"})).status_code == 422
    assert (await post(system, HELLO | {"conversation": "../x"})).status_code == 422
    assert await system.waiting() == []


async def test_a_receiver_that_is_away_gets_everything_later(system: System, receiver: Receiver) -> None:
    receiver.failures += [503, 500, 429]
    await post(system, HELLO)
    await system.answer(("bot.message", {"kind": "text", "text": "one"}))
    await until(lambda: len(receiver.requests) == 1)
    assert receiver.refused == 3


async def test_what_the_receiver_refuses_is_given_up_and_listed(system: System, receiver: Receiver) -> None:
    receiver.failures.append(400)
    await post(system, HELLO)
    await system.answer(("bot.message", {"kind": "text", "text": "1"}), ("bot.message", {"kind": "text", "text": "2"}))
    await until(lambda: len(receiver.requests) == 1)
    (failure,) = await ChannelStorage(system.redis).failures("crm")
    assert failure.why == "webhook of channel crm: answered 400"
