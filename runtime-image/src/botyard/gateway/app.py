"""The ASGI application: operations become routes, exceptions become problems, everything is counted."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from botyard.gateway import console_page, openapi, probes
from botyard.gateway.app_errors import to_problem
from botyard.gateway.chat.mount import SocketMount
from botyard.gateway.context import Gateway
from botyard.gateway.hosts import check_host
from botyard.gateway.operations import OPERATIONS
from botyard.gateway.operations.operation import Call
from botyard.gateway.problems import Problem

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that bring no event, and whose answers may be streams: they are not traced."""
_SERVER_ERROR = 500


def build(gateway: Gateway) -> ASGIApp:
    """Return the application of a gateway; closing it closes the gateway's subscriptions.

    A router and next to nothing around it: each layer would be a frame more in each of thousands of open streams.
    """
    socket = SocketMount(gateway)

    @asynccontextmanager
    async def lifespan(app: object) -> AsyncIterator[None]:
        yield
        await socket.close()
        await gateway.outputs.close()
        await gateway.chat.hub.close()

    calls: dict[str, dict[str, Call]] = {}
    for operation in OPERATIONS:
        calls.setdefault(operation.path, {})[operation.method] = operation.call
    calls |= {
        "/healthz": {"GET": probes.healthz},
        "/readyz": {"GET": probes.readyz},
        "/metrics": {"GET": probes.exposition},
        "/openapi.json": {"GET": _openapi},
        "/": {"GET": console_page.console},
        "/console/{file}": {"GET": console_page.console},
    }
    routes = [Route(path, _Endpoint(gateway, path, by_method)) for path, by_method in calls.items()]
    socket.otherwise = _with_cors(
        Router(routes, redirect_slashes=False, default=Problem("not-found").to_response(), lifespan=lifespan),
        gateway.origins,
    )
    return socket


def _with_cors(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=sorted({each.method for each in OPERATIONS}),
        # Tokens travel in a header: cookies, which browsers would send by themselves, are never looked at.
        allow_headers=["Authorization", "Content-Type", "Last-Event-ID"],
        expose_headers=["Location", "Retry-After"],
        max_age=600,
    )


async def _openapi(gateway: Gateway, request: Request) -> Response:
    return JSONResponse(openapi.document())


class _Endpoint:
    """One path, as an ASGI application of its own."""

    def __init__(self, gateway: Gateway, path: str, by_method: Mapping[str, Call]) -> None:
        self._gateway = gateway
        self._path = path
        self._calls = {**by_method, **({"HEAD": by_method["GET"]} if "GET" in by_method else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        # In a method of its own: a stream must not keep the request and everything read from it.
        response = await self._respond(Request(scope, receive, send))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        if request.method in _READING:
            return await self._answer(request)
        parent = request.headers.get("traceparent", "")
        with self._gateway.tracer.span(f"{request.method} {self._path}", kind="server", parent=parent) as span:
            response = await self._answer(request)
            span.note(status=response.status_code)
            if response.status_code >= _SERVER_ERROR:
                span.fail(f"status {response.status_code}")
            return response

    async def _answer(self, request: Request) -> Response:
        started = time.perf_counter()
        gateway, path = self._gateway, self._path
        call = self._calls.get(request.method)
        try:
            check_host(gateway, request.headers.get("host", ""))
            if call is None:
                raise Problem("method-not-allowed", headers={"Allow": ", ".join(self._calls)})
            response = await call(gateway, request)
        except Exception as error:
            response = to_problem(error).to_response()
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["X-Content-Type-Options"] = "nosniff"
        # A method is the caller's own word.
        method = request.method if call is not None else "other"
        metrics = gateway.metrics
        metrics.requests.labels(method, path, response.status_code).inc()
        metrics.seconds.labels(method, path).observe(time.perf_counter() - started)
        return response
