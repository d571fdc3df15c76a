"""/healthz, /readyz and /metrics."""

import asyncio
import time

from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from botyard.gateway import metrics
from botyard.gateway.context import Gateway
from botyard.gateway.models.probes import Health

PING_TIMEOUT_SECONDS = 1.0


async def healthz(gateway: Gateway, request: Request) -> Response:
    """Say that the process answers."""
    return JSONResponse(Health(status="ok").model_dump())


async def readyz(gateway: Gateway, request: Request) -> Response:
    """Say whether requests should be sent here: the routing table is loaded, the store answers, no shutdown."""
    checks = {
        "drain": "draining" if gateway.drain.announced else "ok",
        "routes": "ok" if gateway.table.loaded else "the routing table is not loaded yet",
        "storage": await _storage(gateway),
    }
    ok = all(value == "ok" for value in checks.values())
    return JSONResponse(Health(status="ok" if ok else "failing", checks=checks).model_dump(), 200 if ok else 503)


async def exposition(gateway: Gateway, request: Request) -> Response:
    """Return the metrics."""
    return Response(gateway.metrics.exposition(), headers={"Content-Type": metrics.CONTENT_TYPE})


async def _storage(gateway: Gateway) -> str:
    started = time.monotonic()
    try:
        async with asyncio.timeout(PING_TIMEOUT_SECONDS):
            await gateway.ping()
    except (RedisError, OSError, TimeoutError) as error:
        return f"the event store does not answer ({type(error).__name__} after {time.monotonic() - started:.1f} s)"
    return "ok"
