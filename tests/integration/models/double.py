"""A provider whose answers a test decides: an HTTP server that speaks the OpenAI protocol as badly as asked."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


def completion(text: str = "hello", **usage: Any) -> dict[str, Any]:
    """A whole answer; usage by the protocol's names, none: the answer reports none."""
    message = {"role": "assistant", "content": text}
    whole = {"id": "1", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    return whole | ({"usage": usage} if usage else {})


def piece(text: str) -> bytes:
    """One event of a stream."""
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}).encode() + b"\n\n"


def usage(prompt: int, answer: int) -> bytes:
    """The event of a stream that holds its usage."""
    counts = {"prompt_tokens": prompt, "completion_tokens": answer}
    return b"data: " + json.dumps({"choices": [], "usage": counts}).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def says(answer: Any, status: int = 200, **headers: str) -> Behaviour:
    """Answers with JSON."""

    async def behave(request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response(answer, status=status, headers=named)

    return behave


@dataclass
class Provider:
    """What came, and what is answered: `next` in turn, the last one for ever."""

    url: str = ""
    next: list[Behaviour] = field(default_factory=lambda: [says(completion(prompt_tokens=5, completion_tokens=2))])
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[Any] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client left in the middle of an answer."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(await request.json())
        self.headers.append(request.headers)
        behave = self.next.pop(0) if len(self.next) > 1 else self.next[0]
        return await behave(request)

    def streams(self, *parts: bytes, then: str = "end") -> Behaviour:
        """Streams `parts`; then ends properly, `hang`s, or `cut`s the connection."""

        async def behave(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"content-type": "text/event-stream"})
            await response.prepare(request)
            try:
                for part in parts:
                    await response.write(part)
                if then == "hang":
                    await asyncio.Event().wait()
                if then == "cut" and request.transport is not None:
                    request.transport.abort()
            except asyncio.CancelledError:
                self.gone.set()
                raise
            return response

        return behave

    async def hang(self, request: web.Request) -> web.StreamResponse:
        """Never answers."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.gone.set()
            raise
        raise AssertionError

    async def hang_up(self, request: web.Request) -> web.StreamResponse:
        """Closes the connection without a word."""
        assert request.transport is not None
        request.transport.abort()
        return web.Response()


@asynccontextmanager
async def running() -> AsyncIterator[Provider]:
    """A provider that runs."""
    provider = Provider()
    app = web.Application(client_max_size=1 << 26)
    app.router.add_post("/v1/{path:.*}", provider.handle)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield provider
    finally:
        await runner.cleanup()
