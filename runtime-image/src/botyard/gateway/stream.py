"""Server-sent events on the wire: one slow or vanished client never costs the others anything."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, MutableMapping
from contextlib import aclosing
from typing import Any, Protocol

from redis.exceptions import RedisError
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from botyard.core.errors import Expired
from botyard.gateway.context import Gateway
from botyard.gateway.problems import Problem

log = logging.getLogger(__name__)

_START = b"retry: 1000\n\n"
_KEEP_ALIVE = b": keep-alive\n\n"
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]


def check_room(gateway: Gateway) -> None:
    """Refuse a stream that should not be opened now.

    Raises:
        Problem: `draining` or `too-many-streams`.
    """
    if gateway.drain.closed:
        raise Problem("draining", retry_after=1, headers={"Connection": "close"})
    if gateway.open_streams >= gateway.stream_limits.most:
        raise Problem("too-many-streams", retry_after=5)


class Connection(Protocol):
    """The client's connection, as `botyard.gateway.protocol` has it."""

    lost: Callable[[], object] | None
    """Called when the client goes."""
    gone: bool
    """The client has gone."""

    def abort(self) -> None:
        """End it at once, without waiting for a client that does not read."""


class SlowClient(Exception):
    """The client did not read within the write time-out."""


class EventStream(Response):
    """Sends frames as they come.

    Frames are pulled, one at a time, only when the client has taken the one before: what a client lags behind stays
    in the event store and never piles up here. The connection's own write buffer is the only one (64 KiB). All of it
    runs in the request's own task: with thousands of idle clients, a task more for each is what memory goes to.

    Args:
        gateway: The gateway, for its limits, metrics and drain.
        frames: What to send; None asks for a keep-alive.
        connection: The client's connection.
        start: What is sent before all else.
        keep_alive: What is sent for None.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        gateway: Gateway,
        frames: AsyncGenerator[bytes | None, None],
        *,
        connection: Connection,
        start: bytes = _START,
        keep_alive: bytes = _KEEP_ALIVE,
    ) -> None:
        super().__init__()
        self._start = start
        self._keep_alive = keep_alive
        self._gateway = gateway
        self._frames = frames
        self._connection = connection
        self._timeout = gateway.stream_limits.write_timeout
        self._ended_by = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve until the client goes, the gateway drains or the store fails."""
        gateway = self._gateway
        gateway.open_streams += 1
        gateway.metrics.streams.inc()
        task = asyncio.current_task()
        assert task is not None

        def end(reason: str) -> None:
            if not self._ended_by:
                self._ended_by = reason
                task.cancel()

        def drain() -> None:
            end("drain")

        gateway.drain.register(drain)
        self._connection.lost = lambda: end("client")
        try:
            reason = await self._serve(task, send)
            gateway.metrics.ended.labels(reason).inc()
            if reason != "client":
                await self._finish(send, reason)
        finally:
            self._connection.lost = None
            gateway.drain.forget(drain)
            gateway.open_streams -= 1
            gateway.metrics.streams.dec()

    async def _serve(self, task: "asyncio.Task[object]", send: Send) -> str:
        """Send until something ends it; return what."""
        if self._connection.gone:
            await self._frames.aclose()
            self._ended_by = "client"
            return self._ended_by
        try:
            await self._pump(send)
        except asyncio.CancelledError:
            # Otherwise it is the server that ends the request.
            if not self._ended_by:
                raise
            task.uncancel()
        except SlowClient:
            self._ended_by = "slow"
        except Expired:
            self._ended_by = "expired"
        except RedisError as error:
            log.warning("an event stream ends: %s", error)
            self._ended_by = "storage"
        # From here on nothing is to be ended any more.
        self._ended_by = self._ended_by or "storage"
        return self._ended_by

    async def _pump(self, send: Send) -> None:
        await self._send(send, {"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await self._send_body(send, self._start)
        sent = self._gateway.metrics.sent
        # Closing the source ends its subscription at once, not when it is collected.
        async with aclosing(self._frames) as frames:
            async for item in frames:
                if item is None:
                    await self._send_body(send, self._keep_alive)
                else:
                    await self._send_body(send, item)
                    sent.inc()

    async def _finish(self, send: Send, reason: str) -> None:
        if reason == "slow":
            # The orderly end would wait for a client that does not read.
            self._connection.abort()
            return
        # The client comes back with Last-Event-ID; where that is expired by then, it gets a 410.
        farewell = f": {reason}\nretry: {1000 if reason == 'drain' else 2000}\n\n".encode()
        try:
            await self._send(send, {"type": "http.response.body", "body": farewell, "more_body": False})
        except SlowClient:
            self._connection.abort()

    async def _send_body(self, send: Send, body: bytes) -> None:
        await self._send(send, {"type": "http.response.body", "body": body, "more_body": True})

    async def _send(self, send: Send, message: MutableMapping[str, Any]) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                await send(message)
        except TimeoutError:
            raise SlowClient from None
