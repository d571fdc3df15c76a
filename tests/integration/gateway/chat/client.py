"""A client of the chat channels, as pages are that know nothing of Botyard."""

import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx

from botyard.core.inbox import Entry
from botyard.core.leases import Leases
from botyard.core.retention import Retention
from botyard.core.turns import Commit, Turns
from tests.integration.gateway.system import ECHO, Received, Stream, System, bearer


@contextlib.asynccontextmanager
async def opened(
    system: System,
    stream: str = "s1",
    *,
    user: str = "ann",
    session: str = "sess1",
    headers: Mapping[str, str] = {},
    **q: str,
) -> AsyncIterator[Stream]:
    """Open a session's stream; it is ready when this returns."""
    params = {"stream_id": stream, "user_session_id": session, "tenant": "shop", **q}
    async with system.http.stream("GET", "/sse/stream", params=params, headers={**bearer(user), **headers}) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Stream(response)


async def say(
    system: System,
    text: str = "hello",
    *,
    stream: str = "s1",
    user: str = "ann",
    session: str = "sess1",
    **message: Any,
) -> httpx.Response:
    """Send a message."""
    return await system.http.post(
        "/sse/chat",
        params={"stream_id": stream, "user_session_id": session, "tenant": "shop"},
        json={"message": {"text": text, "bundle_id": "echo", **message}},
        headers=bearer(user),
    )


async def heard(stream: Stream, event: str, *, seconds: float = 60) -> tuple[Received, dict[str, Any]]:
    """Return the next event of a name."""
    while True:
        received = await stream.next(seconds)
        assert received is not None, "the stream ended"
        if received.type == event:
            return received, json.loads(received.data)


def delta(entry: Entry, text: str, index: int, *, target: str = "") -> str:
    """Return a delta as the runtime keeps it."""
    delivery = {"event": "chat_delta", **({"target": target} if target else {})}
    return json.dumps(
        {
            "type": "chat.delta",
            "delivery": delivery,
            "timestamp": "2026-11-21T10:00:00.000Z",
            "ts": 1,
            "service": {"request_id": entry.event, "tenant": "shop", "project": "echo", "user": entry.user},
            "conversation": {"session_id": "sess1", "conversation_id": entry.key, "turn_id": entry.turn},
            "event": {"step": "stream", "status": "running", "agent": "assistant", "title": "Assistant Delta"},
            "delta": {"text": text, "marker": "answer", "index": index, "completed": False},
            "text": text,
            "idx": index,
        },
        separators=(",", ":"),
    )


async def stream_answer(system: System, *texts: str, target: str = "", commit: bool = True) -> None:
    """Answer every message that waits with deltas, as a running turn does."""
    for entry in await system.waiting():
        lease = await Leases(system.redis, owner="bot").acquire(entry.partition)
        assert lease is not None
        turns = Turns(system.redis)
        begun = await turns.begin(lease, entry)
        for index, text in enumerate(texts):
            said = [delta(entry, text, index, target=target)]
            number = next(system.emissions)
            await turns.emit(lease, entry, said, number=number, retention=Retention())
        if commit:
            last = json.dumps({"type": "chat.complete", "ts": int(time.time()), "data": {"committed": True}})
            record = json.dumps({"turn": entry.turn, "event": entry.event, "state": "completed", "accepted": 1})
            await turns.commit(lease, entry, Commit(record=record, outputs=[last], ends=begun.ends, now_ms=1))


__all__ = ["ECHO", "delta", "heard", "opened", "say", "stream_answer"]
