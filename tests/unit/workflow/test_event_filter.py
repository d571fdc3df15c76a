"""Who receives which event."""

import asyncio
from typing import Any

import pytest

from botyard.workflow.event_filter import DefaultEventFilter, EventFilterInput
from botyard.workflow.tasks import build_comm_from_comm_context
from botyard.workflow.turn_relay import audience_of
from tests.unit.workflow.host import MemoryRelay, task


@pytest.mark.parametrize(
    ("event", "public"),
    [
        (EventFilterInput(type="chat.start", socket_event="chat_start"), True),
        (EventFilterInput(type="chat.delta", socket_event="chat_delta"), True),
        (EventFilterInput(type="chat.complete", socket_event="chat_complete"), True),
        (EventFilterInput(type="chat.error", socket_event="chat_error"), True),
        (EventFilterInput(type="rate_limit.denied", socket_event="chat_service"), True),
        (EventFilterInput(type="chat.step", socket_event="chat_step"), False),
        (EventFilterInput(type="chat.followups", socket_event="chat_step"), False),
        (EventFilterInput(type="chat.followups", route="chat.followups", socket_event="chat_step"), True),
        (EventFilterInput(type="chat.files", route="chat.files", socket_event="chat_step"), True),
        (EventFilterInput(type="chat.citations", route="chat.citations", socket_event="chat_step"), True),
        (EventFilterInput(type="chat.turn.summary", route="chat.turn.summary", socket_event="chat_step"), True),
        (EventFilterInput(type="t", route="chat.conversation.title", socket_event="chat_step"), True),
        (EventFilterInput(type="chat.files", route="chat.internal", socket_event="chat_step"), False),
        (EventFilterInput(type="x", route="chat", socket_event="chat_step"), False),
        (EventFilterInput(type="x", route="c", socket_event="chat_step"), False),
        (EventFilterInput(), False),
    ],
)
def test_the_default(event: EventFilterInput, public: bool) -> None:
    for user_type in ("anonymous", "registered", "paid", "unheard-of"):
        assert DefaultEventFilter().allow_event(user_type=user_type, user_id="u1", event=event, data={}) is public
    assert DefaultEventFilter().allow_event(user_type="privileged", user_id="u1", event=event, data={})


@pytest.mark.parametrize(
    ("type_", "step", "audience"),
    [
        ("chat.step", "followups", "everyone"),
        ("chat.step", "rag_retrieval", "privileged"),
        ("chat.thoughts", "followups", "privileged"),
        ("accounting.usage", "followups", "privileged"),
    ],
)
def test_the_platform_shows_suggestions_that_come_as_a_step(type_: str, step: str, audience: str) -> None:
    assert audience_of("chat_step", {"type": type_, "event": {"step": step}}) == audience


def test_the_route_comes_before_the_name_under_which_an_event_travels() -> None:
    assert EventFilterInput(route="chat.files", socket_event="chat_step").route_key == "chat.files"
    assert EventFilterInput(socket_event="chat_step").route_key == "chat_step"


async def test_a_bundles_own_filter_decides_on_what_it_is_told() -> None:
    asked: list[dict[str, Any]] = []

    class OnlyAnswers:
        def allow_event(self, **given: Any) -> bool:
            asked.append(given)
            return bool(given["event"].socket_event == "chat_delta")

    relay = MemoryRelay()
    comm = build_comm_from_comm_context(task(), relay=relay, event_filter=OnlyAnswers())
    await comm.step(step="secret", status="started", agent="me")
    await comm.delta(text="x", index=0)
    assert relay.events == ["chat_delta"]
    assert asked[0]["user_type"] == "registered"
    assert asked[0]["user_id"] == "u1"
    assert asked[0]["event"] == EventFilterInput(
        type="chat.step", socket_event="chat_step", agent="me", step="secret", status="started"
    )
    assert asked[0]["data"]["event"]["step"] == "secret"


async def test_a_filter_that_fails_lets_nothing_through() -> None:
    class Broken:
        def allow_event(self, **given: Any) -> bool:
            raise RuntimeError("no database")

    relay = MemoryRelay()
    comm = build_comm_from_comm_context(task(), relay=relay, event_filter=Broken())
    await comm.delta(text="x", index=0)
    assert relay.sent == []


async def test_a_filter_may_be_asynchronous_and_its_no_is_a_no() -> None:
    class Slow:
        async def allow_event(self, *, event: EventFilterInput, data: Any, **given: Any) -> bool:
            # The first one takes longest.
            for _ in range(10 - data.get("idx", 0)):
                await asyncio.sleep(0)
            return event.socket_event == "chat_delta"

    relay = MemoryRelay()
    comm = build_comm_from_comm_context(task(), relay=relay, event_filter=Slow())
    comm.step(step="secret", status="started")
    for index in range(3):
        comm.delta(text=str(index), index=index)
    await comm.flush()
    assert [each.data.get("idx") for each in relay.sent] == [0, 1, 2]


@pytest.mark.parametrize("awaits", [True, False])
async def test_a_filter_cannot_send(awaits: bool) -> None:
    class Talks:
        async def allow_event(self, **given: Any) -> bool:
            sending = comm.step(step="asked", status="started")
            if awaits:
                await sending
            return True

    relay = MemoryRelay()
    comm = build_comm_from_comm_context(task(), relay=relay, event_filter=Talks())
    await asyncio.wait_for(comm.delta(text="x", index=0), 10)
    assert relay.sent == []
