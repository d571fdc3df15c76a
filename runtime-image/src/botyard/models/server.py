"""The OpenAI protocol over HTTP, for whatever answers behind it: the stub's script, or a turn's metered access."""

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from typing import Any, Protocol

from aiohttp import web

from botyard.models import requests, sse
from botyard.models.errors import BadRequest, ModelError
from botyard.models.requests import Kind

log = logging.getLogger("botyard.models")

_NO_RETRY = {"x-should-retry": "false"}
"""What may be tried again was tried again here; clients must not multiply it."""


class Backend(Protocol):
    """Answers requests as they came; every failure is a `ModelError`."""

    def names(self) -> list[str]:
        """Return the models that can be asked for."""

    async def ask(self, kind: Kind, body: Any) -> Mapping[str, Any]:
        """Return a whole answer."""

    def stream(self, body: Any) -> AsyncIterator[list[dict[str, Any]]]:
        """Return an answer's pieces."""


Find = Callable[[Mapping[str, str]], Backend]
"""Returns who answers a request with these headers, or raises a `ModelError`."""


class OpenAIServer:
    """Serves `/v1/chat/completions`, `/v1/embeddings` and `/v1/models`."""

    def __init__(self, find: Find) -> None:
        """Prepare; `start` listens.

        Args:
            find: Tells who answers.
        """
        self._find = find
        app = web.Application(client_max_size=requests.MAX_REQUEST)
        for prefix in ("/v1", ""):
            app.router.add_post(f"{prefix}/chat/completions", _guarded(self._chat))
            app.router.add_post(f"{prefix}/embeddings", _guarded(self._embeddings))
            app.router.add_get(f"{prefix}/models", _guarded(self._models))
        # A client that goes away cancels its call, here and at the provider.
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=2.0)
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen; `port` 0 takes a free one, told by `self.port`.

        Raises:
            OSError: The address cannot be used.
        """
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Stop listening and break off what is under way."""
        await self._runner.cleanup()

    async def _models(self, request: web.Request) -> web.StreamResponse:
        names = self._find(request.headers).names()
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "botyard"} for name in names]
        return web.json_response({"object": "list", "data": data})

    async def _embeddings(self, request: web.Request) -> web.StreamResponse:
        backend = self._find(request.headers)
        return _json(await backend.ask("embeddings", await _body(request)))

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        backend = self._find(request.headers)
        body = await _body(request)
        if not (isinstance(body, dict) and body.get("stream")):
            return _json(await backend.ask("chat", body))
        options = body.get("stream_options")
        with_usage = isinstance(options, dict) and bool(options.get("include_usage"))
        async with aclosing(backend.stream(body)) as pieces:  # type: ignore[type-var]
            # An error before the first piece has a status of its own.
            first: list[dict[str, Any]] = await anext(pieces, [])
            response = web.StreamResponse(headers={"content-type": "text/event-stream", "cache-control": "no-cache"})
            await response.prepare(request)
            try:
                await response.write(_encoded(first, with_usage))
                async for events in pieces:
                    if data := _encoded(events, with_usage):
                        await response.write(data)
                last = sse.DONE
            except ModelError as error:
                last = sse.encode(error.body())
            with suppress(ConnectionError):
                await response.write_eof(last)
            return response


def _encoded(events: list[dict[str, Any]], with_usage: bool) -> bytes:
    """Return events as they are sent; the one that holds nothing but usage only to those who asked for it."""
    return b"".join(sse.encode(event) for event in events if with_usage or event.get("choices"))


async def _body(request: web.Request) -> Any:
    try:
        return json.loads(await request.read())
    except web.HTTPRequestEntityTooLarge:
        raise BadRequest(f"a request has at most {requests.MAX_REQUEST} bytes") from None
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the request is no JSON: {error}") from None


def _json(answer: Mapping[str, Any]) -> web.Response:
    return web.Response(
        body=json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode(), content_type="application/json"
    )


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _guarded(handle: Handler) -> Handler:
    async def guarded(request: web.Request) -> web.StreamResponse:
        try:
            return await handle(request)
        except ModelError as error:
            return web.json_response(error.body(), status=error.status, headers=_NO_RETRY)

    return guarded
