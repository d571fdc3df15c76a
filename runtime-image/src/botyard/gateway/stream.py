"""Server-sent events on the wire: one slow or vanished client never costs the others anything."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, MutableMapping
from contextlib import aclosing
from typing import Any

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


class SlowClient(Exception):
    """The client did not read within the write time-out."""


class EventStream(Response):
    """Sends frames as they come.

    Frames are pulled, one at a time, only when the client has taken the one before: what a client lags behind stays
    in the event store and never piles up here. The connection's own write buffer is the only one (64 KiB).

    Args:
        gateway: The gateway, for its limits, metrics and drain.
        frames: What to send; None asks for a keep-alive.
        abort: Ends the connection at once, without waiting for a client that does not read.
    """

    media_type = "text/event-stream"

    def __init__(
        self, gateway: Gateway, frames: AsyncGenerator[bytes | None, None], *, abort: Callable[[], None] | None
    ) -> None:
        super().__init__()
        self._gateway = gateway
        self._frames = frames
        self._abort = abort
        self._timeout = gateway.stream_limits.write_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve until the client goes, the gateway drains or the store fails."""
        gateway = self._gateway
        gateway.open_streams += 1
        gateway.metrics.streams.inc()
        pump = asyncio.create_task(self._pump(send))
        watcher = asyncio.create_task(_gone(receive))
        drained = False

        def drain() -> None:
            nonlocal drained
            drained = True
            pump.cancel()

        gateway.drain.register(drain)
        try:
            await asyncio.wait({pump, watcher}, return_when=asyncio.FIRST_COMPLETED)
            gone = watcher.done()
            reason = "client" if gone else await self._outcome(pump, drained=drained)
            gateway.metrics.ended.labels(reason).inc()
            if not gone:
                await self._finish(send, reason)
        finally:
            gateway.drain.forget(drain)
            pump.cancel()
            watcher.cancel()
            await asyncio.gather(pump, watcher, return_exceptions=True)
            gateway.open_streams -= 1
            gateway.metrics.streams.dec()

    async def _pump(self, send: Send) -> None:
        await self._send(send, {"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await self._send_body(send, _START)
        sent = self._gateway.metrics.sent
        # Closing the source ends its subscription at once, not when it is collected.
        async with aclosing(self._frames) as frames:
            async for item in frames:
                if item is None:
                    await self._send_body(send, _KEEP_ALIVE)
                else:
                    await self._send_body(send, item)
                    sent.inc()

    async def _outcome(self, pump: "asyncio.Task[None]", *, drained: bool) -> str:
        try:
            await pump
        except asyncio.CancelledError:
            if not drained:
                raise
            return "drain"
        except SlowClient:
            return "slow"
        except Expired:
            return "expired"
        except RedisError as error:
            log.warning("an event stream ends: %s", error)
            return "storage"
        return "client"

    async def _finish(self, send: Send, reason: str) -> None:
        if reason == "slow":
            # The orderly end would wait for a client that does not read.
            if self._abort is not None:
                self._abort()
            return
        # The client comes back with Last-Event-ID; where that is expired by then, it gets a 410.
        farewell = f": {reason}\nretry: {1000 if reason == 'drain' else 2000}\n\n".encode()
        try:
            await self._send(send, {"type": "http.response.body", "body": farewell, "more_body": False})
        except SlowClient:
            if self._abort is not None:
                self._abort()

    async def _send_body(self, send: Send, body: bytes) -> None:
        await self._send(send, {"type": "http.response.body", "body": body, "more_body": True})

    async def _send(self, send: Send, message: MutableMapping[str, Any]) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                await send(message)
        except TimeoutError:
            raise SlowClient from None


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
