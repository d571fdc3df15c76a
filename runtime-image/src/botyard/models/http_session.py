"""The session of aiohttp that all providers share, and what is asked at the last moment before a request leaves."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp


@dataclass(slots=True)
class Passage:
    """What one request is told on its way, and tells of it; the `trace_request_ctx` of aiohttp."""

    before: Callable[[], Awaitable[Any]] | None = None
    """Asked when the connection stands, right before the first byte is written; what it raises ends the request."""
    refused: Exception | None = None
    """What `before` raised: nothing was sent."""
    reused: bool = False
    """The request went over a connection that was kept open."""


def new_session() -> aiohttp.ClientSession:
    """Return a session for providers."""
    trace = aiohttp.TraceConfig()

    async def reused(session: aiohttp.ClientSession, context: Any, parameters: object) -> None:
        if isinstance(passage := context.trace_request_ctx, Passage):
            passage.reused = True

    async def writes(session: aiohttp.ClientSession, context: Any, parameters: object) -> None:
        # Head and body are written together, at once after this.
        passage = context.trace_request_ctx
        if not isinstance(passage, Passage) or passage.before is None:
            return
        before, passage.before = passage.before, None
        try:
            await before()
        except Exception as error:
            passage.refused = error
            raise

    trace.on_connection_reuseconn.append(reused)
    trace.on_request_chunk_sent.append(writes)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30.0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        trace_configs=[trace],
    )
