"""HTTP/1.1 connections with the bounds that uvicorn leaves open."""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_TIMEOUT_SECONDS = 15.0
"""From the first byte of a request (or the connection) to the end of its headers."""
HEADER_BYTES = 65_536


class BoundedProtocol(HttpToolsProtocol):
    """Limits the size of headers and the time that they take; `request.state.connection` is this object."""

    lost: Callable[[], object] | None = None
    """Called once when the client goes. Whoever streams sets it: asking ASGI would cost a task for each client."""
    gone = False
    """The client has gone."""
    _header_timer: asyncio.TimerHandle | None = None
    _header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock of the first request."""
        super().connection_made(transport)
        self._start_header_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_header_timer()
        super().connection_lost(exc)
        self.gone = True
        if self.lost is not None:
            self.lost()
            self.lost = None

    def abort(self) -> None:
        """Drop the connection without flushing: an orderly close waits for a client that may never read again."""
        self.transport.abort()

    def on_message_begin(self) -> None:
        """Start the clock of a request and give it its connection."""
        super().on_message_begin()
        self._header_bytes = 0
        self._start_header_timer()
        state: dict[str, Any] = self.scope["state"]
        state["connection"] = self

    def on_url(self, url: bytes) -> None:
        """Count the bytes of the request line."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count the bytes of the headers."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop the clock."""
        self._stop_header_timer()
        super().on_headers_complete()

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > HEADER_BYTES:
            # Any exception of a callback makes the parser give up: the client gets a 400 and the connection ends.
            raise ValueError("the request's headers are too large")

    def _start_header_timer(self) -> None:
        self._stop_header_timer()
        self._header_timer = self.loop.call_later(HEADER_TIMEOUT_SECONDS, self._too_late)

    def _stop_header_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _too_late(self) -> None:
        self.transport.abort()
