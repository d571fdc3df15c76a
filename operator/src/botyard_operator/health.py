"""The operator's HTTP server for probes and metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from botyard_operator.metrics import Metrics

Check = Callable[[], str | None]
"""Returns what is wrong, or None."""


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class HealthServer:
    """Serves /healthz, /readyz and /metrics."""

    def __init__(
        self, *, metrics: Metrics, alive: Iterable[Check], ready: Iterable[Check], collect: Callable[[], None]
    ) -> None:
        """Create a server.

        Args:
            metrics: What /metrics serves.
            alive: Checks of /healthz; a failure has the process replaced.
            ready: Checks of /readyz.
            collect: Called before metrics are served, to set gauges.
        """
        self._metrics = metrics
        self._alive = tuple(alive)
        self._ready = tuple(ready)
        self._collect = collect
        self._runner: web.AppRunner | None = None

    async def start(self, port: int, host: str | None = None) -> int:
        """Listen; return the port (another one than asked for where that was 0)."""
        application = web.Application()
        application.router.add_get("/healthz", self._probe(self._alive))
        application.router.add_get("/readyz", self._probe((*self._alive, *self._ready)))
        application.router.add_get("/metrics", self._serve_metrics)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        address = self._runner.addresses[0]
        return int(address[1])

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    def _probe(self, checks: Iterable[Check]) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            problems = [problem for problem in (check() for check in checks) if problem is not None]
            if problems:
                return web.Response(status=503, text="\n".join(problems) + "\n")
            return web.Response(text="ok\n")

        return answer

    async def _serve_metrics(self, request: web.Request) -> web.StreamResponse:
        self._collect()
        body = generate_latest(self._metrics.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})
