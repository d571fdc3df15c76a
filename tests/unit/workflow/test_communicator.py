"""What a communicator sends: the envelopes, their names and their order."""

import asyncio
import datetime as dt
from typing import Any

import pytest

from botyard.workflow.emitters import AIBEmitters, DeltaPayload, StepPayload
from botyard.workflow.plain import NotSerializable
from botyard.workflow.tasks import build_comm_from_comm_context
from tests.unit.workflow.host import MemoryRelay, task

SERVICE = {
    "request_id": "req1",
    "tenant": "t1",
    "project": "p1",
    "user": "u1",
    "user_obj": {
        "user_type": "registered",
        "user_id": "u1",
        "username": None,
        "fingerprint": None,
        "roles": [],
        "permissions": [],
        "timezone": None,
        "utc_offset_min": None,
    },
}
CONVERSATION = {"session_id": "sess1", "conversation_id": "conv1", "turn_id": "turn1"}


@pytest.fixture
def relay() -> MemoryRelay:
    return MemoryRelay()


@pytest.fixture
def comm(relay: MemoryRelay) -> Any:
    return build_comm_from_comm_context(task(), relay=relay)


def without_times(envelope: dict[str, Any]) -> dict[str, Any]:
    assert envelope["timestamp"].endswith("Z")
    assert isinstance(envelope["ts"], int)
    return {name: value for name, value in envelope.items() if name not in ("timestamp", "ts")}


async def test_a_delta_is_the_recorded_message(comm: Any, relay: MemoryRelay) -> None:
    await comm.delta(text="Hello! ", index=0, marker="answer", format="text")
    [sent] = relay.sent
    assert sent.event == "chat_delta"
    assert sent.kw["target_sid"] == "stream1"
    assert sent.kw["session_id"] == sent.kw["room"] == "sess1"
    assert without_times(sent.data) == {
        "type": "chat.delta",
        "service": SERVICE,
        "conversation": CONVERSATION,
        "event": {"step": "stream", "status": "running", "agent": "assistant", "title": "Assistant Delta"},
        "delta": {"text": "Hello! ", "marker": "answer", "index": 0, "completed": False},
        "text": "Hello! ",
        "idx": 0,
        "extra": {"format": "text"},
    }


async def test_a_delta_without_more_has_no_extra(comm: Any, relay: MemoryRelay) -> None:
    await comm.delta(text="x", index=3, marker="thinking")
    assert "extra" not in relay.sent[0].data
    assert "data" not in relay.sent[0].data


@pytest.mark.parametrize("marker", ["answer", "thinking", "subsystem", "canvas", "timeline_text"])
async def test_every_marker_keeps_what_its_widgets_need(comm: Any, relay: MemoryRelay, marker: str) -> None:
    extra = {"format": "text", "artifact_name": "code_exec.code", "sub_type": "code_exec.code", "execution_id": "e1"}
    await comm.delta(text="1+1", index=0, marker=marker, completed=True, **extra)
    assert relay.sent[0].data["delta"]["marker"] == marker
    assert relay.sent[0].data["delta"]["completed"] is True
    assert relay.sent[0].data["extra"] == extra


async def test_a_step_is_the_recorded_message(comm: Any, relay: MemoryRelay) -> None:
    await comm.step(step="rag_retrieval", status="completed", title="Searching KB", data={"hits": 7})
    assert relay.sent[0].event == "chat_step"
    assert without_times(relay.sent[0].data) == {
        "type": "chat.step",
        "service": SERVICE,
        "conversation": CONVERSATION,
        "event": {"step": "rag_retrieval", "status": "completed", "agent": None, "title": "Searching KB"},
        "data": {"hits": 7},
    }


async def test_start_and_complete_are_the_platforms(comm: Any, relay: MemoryRelay) -> None:
    await comm.start(message="hello")
    await comm.complete(data={"final_answer": "Hi"})
    start, complete = (each.data for each in relay.sent)
    assert relay.events == ["chat_start", "chat_complete"]
    assert start["event"] == {"step": "turn", "status": "started", "title": "Turn Started", "agent": None}
    assert start["data"] == {"message": "hello", "queue_stats": {}}
    assert complete["event"] == {
        "step": "stream",
        "status": "completed",
        "agent": "answer_generator",
        "title": "Turn Completed",
    }
    assert complete["data"] == {"final_answer": "Hi"}


async def test_an_error_is_told(comm: Any, relay: MemoryRelay) -> None:
    await comm.error(message="no more paper", data={"code": 7})
    sent = relay.sent[0]
    assert sent.event == "chat_error"
    assert sent.data["type"] == "chat.error"
    assert sent.data["event"] == {
        "step": "chat.error",
        "status": "error",
        "title": "Workflow Error",
        "agent": None,
    }
    assert sent.data["data"]["error"] == sent.data["data"]["message"] == "no more paper"
    assert sent.data["data"]["code"] == 7


async def test_an_event_travels_as_a_step_with_its_route(comm: Any, relay: MemoryRelay) -> None:
    files = {"items": [{"artifact_id": "file:report.md", "name": "report.md", "mime": "text/markdown", "size": 12034}]}
    await comm.event(
        agent="my.bundle",
        type="chat.files",
        step="files",
        status="completed",
        title="Generated Files",
        route="chat.files",
        data=files,
    )
    sent = relay.sent[0]
    assert sent.event == "chat_step"
    assert sent.data["type"] == sent.data["route"] == "chat.files"
    assert sent.data["data"] == files


@pytest.mark.parametrize(
    ("route", "event"),
    [
        ("chat.start", "chat_start"),
        ("chat.step", "chat_step"),
        ("chat.delta", "chat_delta"),
        ("chat.complete", "chat_complete"),
        ("chat.error", "chat_error"),
        ("chat.service", "chat_service"),
        ("chat.citations", "chat_step"),
    ],
)
async def test_a_route_of_the_platform_is_the_way_that_an_event_travels(
    comm: Any, relay: MemoryRelay, route: str, event: str
) -> None:
    await comm.event(agent="a", type="my.thing", route=route)
    assert relay.events == [event]


async def test_an_event_for_all_connections_names_none(comm: Any, relay: MemoryRelay) -> None:
    await comm.event(agent="a", type="my.thing", broadcast=True)
    assert relay.sent[0].kw["target_sid"] is None
    assert relay.sent[0].kw["session_id"] == "sess1"


async def test_markdown_is_made_unless_it_should_not_be(comm: Any, relay: MemoryRelay) -> None:
    await comm.event(agent="a", type="x", title="Found", data={"items": ["one"]})
    await comm.event(agent="a", type="x", title="Found", auto_markdown=False)
    assert relay.sent[0].data["event"]["markdown"] == "**Found**\n- one"
    assert "markdown" not in relay.sent[1].data["event"]


async def test_a_service_event_travels_as_one(comm: Any, relay: MemoryRelay) -> None:
    await comm.service_event(
        type="rate_limit.denied",
        step="rate_limit",
        status="error",
        title="Limited",
        data={"code": "rate_limited"},
        agent="bundle.rate_limiter",
    )
    assert relay.sent[0].event == "chat_service"
    assert relay.sent[0].data["type"] == "rate_limit.denied"
    assert relay.sent[0].data["data"] == {"code": "rate_limited"}


async def test_what_is_not_awaited_is_sent_in_its_order(comm: Any, relay: MemoryRelay) -> None:
    for index in range(100):
        comm.delta(text=str(index), index=index)
    await comm.step(step="done", status="completed")
    await comm.flush()
    assert [each.data.get("idx") for each in relay.sent] == [*range(100), None]


async def test_what_is_sent_may_become_a_task(comm: Any, relay: MemoryRelay) -> None:
    await asyncio.gather(
        asyncio.create_task(comm.delta(text="a", index=0)),
        comm.delta(text="b", index=1),
        comm.step(step="s", status="x"),
    )
    assert len(relay.sent) == 3


async def test_indices_out_of_order_are_passed_on(comm: Any, relay: MemoryRelay) -> None:
    for index in (5, 1, 1, -2):
        await comm.delta(text="x", index=index)
    assert [each.data["idx"] for each in relay.sent] == [5, 1, 1, -2]


async def test_what_json_cannot_express_is_refused_with_its_place(comm: Any, relay: MemoryRelay) -> None:
    with pytest.raises(NotSerializable, match=r"data\.rows\[1\]\.who is a builtins\.object"):
        await comm.step(step="s", status="x", data={"rows": [1, {"who": object()}]})
    with pytest.raises(NotSerializable, match=r"data\.score is nan"):
        await comm.step(step="s", status="x", data={"score": float("nan")})
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(NotSerializable, match="contains itself"):
        await comm.step(step="s", status="x", data={"all": endless})
    assert relay.sent == []


async def test_models_times_sets_and_bytes_become_what_json_has(comm: Any, relay: MemoryRelay) -> None:
    day = dt.date(2026, 11, 21)
    await comm.step(step="s", status="x", data={"day": day, "of": {1}, "payload": StepPayload(step="a", status="b")})
    assert relay.sent[0].data["data"]["day"] == "2026-11-21"
    assert relay.sent[0].data["data"]["of"] == [1]
    assert relay.sent[0].data["data"]["payload"]["step"] == "a"


async def test_a_half_character_does_not_break_the_stream(comm: Any, relay: MemoryRelay) -> None:
    await comm.delta(text="\ud83d", index=0)
    assert relay.sent[0].data["text"] == "?"


async def test_emitters_take_all_that_the_communicator_takes(comm: Any, relay: MemoryRelay) -> None:
    emit = AIBEmitters(comm)
    await emit.start(message="hello")
    await emit.step(step="workflow_start", status="running", title="Kickoff")
    await emit.step(StepPayload(step="a", status="running", data={"n": 1}))
    await emit.delta(text="Hello ", index=0, marker="subsystem", sub_type="web.search", execution_id="e1")
    await emit.delta(DeltaPayload(text="x", index=1, marker="canvas", artifact_name="table"))
    await emit.event(agent="a", type="chat.citations", route="chat.citations", data={"items": []})
    await emit.error(message="oops")
    await emit.followups(["Save it."])
    await emit.complete(data={"final_answer": "Hi"})
    assert relay.events == [
        "chat_start",
        "chat_step",
        "chat_step",
        "chat_delta",
        "chat_delta",
        "chat_step",
        "chat_error",
        "chat_step",
        "chat_complete",
    ]
    assert relay.sent[3].data["extra"] == {"sub_type": "web.search", "execution_id": "e1"}
    assert relay.sent[4].data["extra"] == {"artifact_name": "table"}
    assert relay.sent[7].data["data"] == {"items": ["Save it."]}
    assert relay.sent[8].data["data"] == {"final_answer": "Hi"}


async def test_indices_out_of_order_are_passed_on_as_they_are(comm: Any, relay: MemoryRelay) -> None:
    for index, text in [(3, "d"), (1, "b"), (1, "b"), (-1, "?")]:
        await comm.delta(text=text, index=index)
    assert [(each.data["idx"], each.data["delta"]["index"], each.data["text"]) for each in relay.sent] == [
        (3, 3, "d"),
        (1, 1, "b"),
        (1, 1, "b"),
        (-1, -1, "?"),
    ]


async def test_what_was_streamed_is_remembered_by_stream(comm: Any) -> None:
    await comm.delta(text="old", index=0)
    await comm.delta(text="Hel", index=0)
    await comm.delta(text="lo", index=1)
    await comm.delta(text="hm", index=0, marker="thinking")
    assert comm.streamed() == "Hello"
    assert comm.streamed("thinking") == "hm"


async def test_code_of_a_thread_may_hand_an_event_to_the_loop(comm: Any, relay: MemoryRelay) -> None:
    loop = asyncio.get_running_loop()

    def work() -> None:
        asyncio.run_coroutine_threadsafe(comm.delta(text="from a thread", index=0), loop).result(30)

    await asyncio.to_thread(work)
    assert relay.sent[0].data["text"] == "from a thread"


async def test_whoever_stops_waiting_stops_the_event(relay: MemoryRelay) -> None:
    class Stuck:
        async def emit(self, **given: Any) -> None:
            await asyncio.Event().wait()

    comm = build_comm_from_comm_context(task(), relay=Stuck())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await comm.delta(text="x", index=0)
    async with asyncio.timeout(60):
        await comm.flush()


def test_the_id_of_a_request_may_be_the_tasks() -> None:
    for parts, wanted in [
        ({"request": {"message": "x", "request_id": "r1"}, "meta": {"task_id": "t1"}}, "r1"),
        ({"request": {"message": "x"}, "meta": {"task_id": "t1"}}, "t1"),
        ({"request": {"message": "x"}, "meta": {"request_id": "m1"}}, "m1"),
    ]:
        comm = build_comm_from_comm_context(task(**parts), relay=MemoryRelay())
        assert comm.service["request_id"] == wanted
