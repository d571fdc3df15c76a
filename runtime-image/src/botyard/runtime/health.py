"""Probes and metrics of a runtime pod over HTTP."""

import asyncio
import json
from collections.abc import Callable

from prometheus_client import CollectorRegistry, generate_latest

MAX_REQUEST = 16_384
"""Bytes of a request's head."""
REQUEST_TIMEOUT = 5.0
"""Seconds for one request."""

Check = Callable[[], str]
"""Returns why not; empty when all is well."""


class HealthServer:
    """Answers GET /healthz, /readyz and /metrics; anything else is 404.

    Three paths for a kubelet and a scraper: a whole web framework would double the supervisor's memory.
    """

    def __init__(
        self, *, healthy: Check, ready: Check, registry: CollectorRegistry, refresh: Callable[[], None]
    ) -> None:
        """Prepare.

        Args:
            healthy: Why the process should be restarted.
            ready: Why it should get no traffic.
            registry: What /metrics shows.
            refresh: Called before each /metrics.
        """
        self._checks = {"/healthz": healthy, "/readyz": ready}
        self._registry = registry
        self._refresh = refresh
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen; `port` 0 takes a free one, told by `self.port`."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=MAX_REQUEST)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT):
                head = await reader.readuntil(b"\r\n\r\n")
                status, kind, body = self._answer(head.split(b" ", 2)[1].decode("latin-1"))
                writer.write(
                    f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n"
                    f"connection: close\r\n\r\n".encode()
                    + body
                )
                await writer.drain()
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, IndexError):
            pass
        finally:
            writer.close()

    def _answer(self, path: str) -> tuple[str, str, bytes]:
        path = path.split("?", 1)[0]
        if path == "/metrics":
            self._refresh()
            return "200 OK", "text/plain; version=0.0.4; charset=utf-8", generate_latest(self._registry)
        check = self._checks.get(path)
        if check is None:
            return "404 Not Found", "text/plain", b"not found\n"
        reason = check()
        status = "503 Service Unavailable" if reason else "200 OK"
        return status, "application/json", json.dumps({"ok": not reason, "reason": reason}).encode() + b"\n"
