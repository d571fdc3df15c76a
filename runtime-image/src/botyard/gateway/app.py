"""The ASGI application: operations become routes, exceptions become problems, everything is counted."""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager

from redis.exceptions import RedisError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from botyard.core.errors import Overloaded
from botyard.gateway import console_page, openapi, probes
from botyard.gateway.context import Gateway
from botyard.gateway.operations import OPERATIONS, Call
from botyard.gateway.problems import Problem

log = logging.getLogger(__name__)

Endpoint = Callable[[Request], Awaitable[Response]]


def build(gateway: Gateway) -> Starlette:
    """Return the application of a gateway; closing it closes the gateway's subscriptions."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await gateway.outputs.close()

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
    app = Starlette(
        routes=list(_routes(gateway, calls)),
        middleware=_middleware(gateway),
        exception_handlers={HTTPException: _http_exception},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


def _middleware(gateway: Gateway) -> list[Middleware]:
    if not gateway.origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=gateway.origins,
            allow_methods=["GET", "POST", "DELETE"],
            # Tokens travel in a header: cookies, which browsers would send by themselves, are never looked at.
            allow_headers=["Authorization", "Content-Type", "Last-Event-ID"],
            expose_headers=["Location", "Retry-After"],
            max_age=600,
        )
    ]


async def _openapi(gateway: Gateway, request: Request) -> Response:
    return JSONResponse(openapi.document())


def _routes(gateway: Gateway, calls: Mapping[str, Mapping[str, Call]]) -> Iterable[Route]:
    for path, by_method in calls.items():
        yield Route(path, _endpoint(gateway, path, by_method), methods=list(by_method))


def _endpoint(gateway: Gateway, path: str, by_method: Mapping[str, Call]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        started = time.perf_counter()
        call = by_method["GET" if request.method == "HEAD" else request.method]
        try:
            _check_host(gateway, request)
            response = await call(gateway, request)
        except Exception as error:
            response = to_problem(error).to_response()
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["X-Content-Type-Options"] = "nosniff"
        metrics = gateway.metrics
        metrics.requests.labels(request.method, path, response.status_code).inc()
        metrics.seconds.labels(request.method, path).observe(time.perf_counter() - started)
        return response

    return endpoint


def to_problem(error: Exception) -> Problem:
    """Return what the caller is told about an exception of a call."""
    match error:
        case Problem():
            return error
        case Overloaded():
            return Problem(
                "overloaded",
                f"{error.pending} messages wait for this bot already.",
                retry_after=error.retry_after,
            )
        case RedisError() | ConnectionError():
            log.warning("the event store failed: %s", error)
            return Problem("storage-unavailable", retry_after=2)
        case _:
            log.error("a call failed", exc_info=error)
            return Problem("internal-error")


def _check_host(gateway: Gateway, request: Request) -> None:
    if gateway.hosts is None:
        return
    host = request.headers.get("host", "")
    name = host[1 : host.find("]")] if host.startswith("[") else host.partition(":")[0]
    if name.lower() not in gateway.hosts:
        raise Problem("misdirected", "Without authentication only local names are served, such as localhost.")


async def _http_exception(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        return to_problem(error).to_response()
    names = {404: "not-found", 405: "method-not-allowed"}
    name = names.get(error.status_code, "internal-error")
    return Problem(name, headers=error.headers).to_response()
