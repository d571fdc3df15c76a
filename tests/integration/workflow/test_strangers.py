"""Bundles as strangers write them from the document, side by side in one `botyard dev`, as their clients see them."""

import asyncio
import base64
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import socketio

from tests.integration.gateway.dev import Dev, until

STRANGERS = Path(__file__).parent / "strangers"
SESSION = {"stream_id": "stream1", "user_session_id": "sess1", "tenant": "dev"}
Told = list[tuple[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    folder = tmp_path_factory.mktemp("strangers")
    bundles = {
        "default_bundle_id": "acme.tutor",
        "bundles": {
            "acme.support-desk": {"path": str(STRANGERS / "support-desk"), "module": "desk.entrypoint"},
            "acme.tutor": {"path": str(STRANGERS / "tutor"), "module": "agentic_app"},
            "acme.notes": {"path": str(STRANGERS / "notes"), "singleton": True},
        },
    }
    environment = {"AGENTIC_BUNDLES_JSON": json.dumps(bundles), "KDCUBE_STORAGE_PATH": f"file://{folder}/store"}
    with closing(Dev(None, environment=environment, log=folder / "dev.log")) as found:
        for bot in ("acme-support-desk", "acme-tutor", "acme-notes"):
            found.logged(f"{bot} answers at")
        yield found


def turn(dev: Dev, text: str, *, conversation: str, **message: Any) -> Told:
    """Say something over SSE, and return the turn's events with the names under which they came."""
    body = {
        "message": {"text": text, "conversation_id": conversation, "turn_id": f"turn-{text[:8].strip()}", **message}
    }
    session = SESSION | {"user_session_id": f"session-{conversation}"}
    told: Told = []
    with (
        httpx.Client(base_url=dev.url, timeout=120, trust_env=False) as http,
        http.stream("GET", "/sse/stream", params=session) as stream,
    ):
        event = ""
        for line in stream.iter_lines():
            if line == "event: ready":
                assert http.post("/sse/chat", params=session, json=body).json()["status"] == "processing_started"
            event = line.removeprefix("event: ") if line.startswith("event: ") else event
            if line.startswith("data: ") and event.startswith("chat_"):
                told.append((event, json.loads(line.removeprefix("data: "))))
                if event == "chat_complete":
                    return told
    raise AssertionError(f"the stream ended: {told}")


def bare(envelope: dict[str, Any]) -> dict[str, Any]:
    """Return an envelope without times, identity, and the number of the run that sent it."""
    assert isinstance(envelope["ts"], int)
    assert envelope["timestamp"].endswith("Z")
    return {k: v for k, v in envelope.items() if k not in ("ts", "timestamp", "service", "conversation", "attempt")}


def test_a_graph_of_nodes_in_a_hyphenated_folder_with_relative_imports(dev: Dev) -> None:
    told = turn(dev, "where is my money?", conversation="c1", bundle_id="acme.support-desk")
    assert [bare(e)["text"] for _, e in told if e["type"] == "chat.delta"] == ["We ", "looked ", "into ", "refund", "."]
    last = next(bare(e) for _, e in reversed(told) if e["type"] == "chat.delta")
    assert last == {
        "type": "chat.delta",
        "event": {"step": "stream", "status": "completed", "agent": "desk", "title": "Assistant Delta"},
        "delta": {"text": ".", "marker": "answer", "index": 4, "completed": True},
        "text": ".",
        "idx": 4,
    }
    steps = [bare(e) for name, e in told if name == "chat_step" and e["type"] == "chat.step"]
    assert steps[0] == {
        "type": "chat.step",
        "event": {"step": "classifier", "status": "started", "agent": None, "title": "Classifying"},
        "data": {},
    }
    assert steps[2]["data"] == {"items": ["Open a ticket.", "Talk to a person."]}
    usage = [(name, e["data"]["total"]) for name, e in told if e["type"] == "accounting.usage"]
    assert [name for name, _ in usage] == ["chat_step", "chat_service"]
    assert usage[0][1] == {"calls": 2, "requests": 2, "input_tokens": 18, "output_tokens": 1, "total_tokens": 19}
    complete = told[-1][1]
    assert complete["event"] == {
        "step": "stream",
        "status": "completed",
        "agent": "answer_generator",
        "title": "Turn Completed",
    }
    assert complete["data"]["final_answer"] == "We looked into refund."
    assert complete["data"]["context"] == {"bundle": "acme.support-desk"}
    assert complete["data"]["step_logs"] == [{"step": "classifier", "label": "refund"}]


def test_what_it_used_is_where_the_document_says(dev: Dev) -> None:
    turn(dev, "hello", conversation="c2", bundle_id="acme.support-desk")
    store = dev.log.parent / "store"

    def events() -> list[dict[str, Any]]:
        found = store.glob("accounting/dev/acme-support-desk/*.*.*/*/*/usage_*.json")
        return [json.loads(path.read_text()) | {"path": str(path.relative_to(store))} for path in found]

    until(lambda: len([e for e in events() if e["context"]["conversation_id"] == "c2"]) == 2, lambda: str(events()))
    llm, embedding = (
        next(e for e in events() if e["service_type"] == kind and e["context"]["conversation_id"] == "c2")
        for kind in ("llm", "embedding")
    )
    assert "/llm/acme.support-desk.classify/usage_" in llm["path"]
    assert "/embedding/acme.support-desk.search/usage_" in embedding["path"]
    assert llm["path"].endswith(f"-{llm['event_id']}.json")
    assert (llm["provider"], llm["model_or_service"], llm["success"]) == ("acme", "acme-small", True)
    assert llm["usage"] == {"input_tokens": 5, "output_tokens": 1, "total_tokens": 6, "requests": 1}
    assert llm["metadata"]["phase"] == "classify"
    assert llm["metadata"]["k"] == 50
    assert (llm["user_type"], llm["context"]["turn_id"]) == ("privileged", "turn-hello")


def test_a_factory_with_a_filter_shows_every_marker_and_type(dev: Dev) -> None:
    told = turn(dev, "read this", conversation="c3")
    deltas = {e["delta"]["marker"]: e for _, e in told if e["type"] == "chat.delta"}
    assert deltas["timeline_text"]["extra"] == {
        "format": "markdown",
        "artifact_name": "timeline_text.tutor.0",
    }
    assert deltas["subsystem"]["extra"] == {
        "format": "text",
        "artifact_name": "code_exec.code",
        "sub_type": "code_exec.code",
        "execution_id": "exec_1",
    }
    routed = {e["type"]: (name, e["route"]) for name, e in told if "route" in e}
    assert routed == {
        kind: ("chat_step", kind)
        for kind in ("chat.files", "chat.citations", "chat.turn.summary", "chat.conversation.title")
    }
    (event,) = [e for _, e in told if e["type"] == "chat.event"]
    assert event["data"] == {"widget": "quiz"}
    assert told[-1][1]["data"]["execution_id"] == "exec_1"


def test_only_declared_operations_are_called(dev: Dev) -> None:
    told = turn(dev, "essay", conversation="c4", operation="grade", payload={"points": 7})
    assert told[-1][1]["data"]["final_answer"] == "essay: 7"
    told = turn(dev, "secret", conversation="c4", operation="internal")
    (error,) = [e for name, e in told if name == "chat_error"]
    assert error["data"]["kind"] == "UnknownOperation"
    assert "nobody may call this" not in json.dumps(told)


async def test_files_come_over_socket_io(dev: Dev) -> None:
    heard: list[tuple[str, dict[str, Any]]] = []
    over = asyncio.Event()
    client = socketio.AsyncClient(reconnection=False)

    async def hear(event: str, *data: Any) -> None:
        heard.append((event, data[0]))
        if event == "chat_complete":
            over.set()

    client.on("*", hear)
    await client.connect(dev.url, auth={"user_session_id": "sess5", "tenant": "dev"}, transports=["websocket"])
    message = {"message": {"text": "read", "bundle_id": "acme.tutor"}, "attachment_meta": [{"name": "a.txt"}]}
    ack = await client.call("chat_message", (message, b"abc"), timeout=60)
    assert ack["status"] == "processing_started", ack
    async with asyncio.timeout(120):
        await over.wait()
    await client.disconnect()
    (canvas,) = [e for _, e in heard if e.get("delta", {}).get("marker") == "canvas"]
    assert (canvas["text"], canvas["extra"]["artifact_name"]) == ("abc", "a.txt")
    (files,) = [e for _, e in heard if e.get("type") == "chat.files"]
    assert files["data"]["items"][0]["size"] == 3
    complete = heard[[name for name, _ in heard].index("chat_complete")][1]
    assert base64.b64encode(b"abc").decode() not in json.dumps(complete)


def test_a_singleton_with_economics_keeps_what_it_knows_and_hooks_see_its_lane(dev: Dev) -> None:
    first = turn(dev, "buy milk", conversation="c6", bundle_id="acme.notes")
    second = turn(dev, "buy tea", conversation="c7", bundle_id="acme.notes")
    assert [e["title"] for e in (env["event"] for _, env in first) if e["step"] == "workflow_start"] == ["Lane tier"]
    assert first[-1][1]["data"]["followups"] == ["Another one?"]
    assert second[-1][1]["conversation"]["conversation_id"] == "c7"
    assert second[-1][1]["data"]["final_answer"].endswith("the last: BUY TEA")
    told = turn(dev, "forbidden", conversation="c6", bundle_id="acme.notes")
    assert not [e for name, e in told if name == "chat_error"]
    assert "final_answer" not in told[-1][1]["data"]


def test_a_bundle_that_is_not_there_is_unknown(dev: Dev) -> None:
    answer = httpx.post(
        f"{dev.url}/sse/chat", params=SESSION, json={"message": {"text": "x", "bundle_id": "acme.nobody"}}, timeout=60
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "unknown_bundle")
