"""/healthz, /readyz, /status and /metrics of the connector."""

import json
from collections.abc import Callable, Sequence

from aiohttp import web

from botyard.connector.reporting import Metrics, Report


def application(reports: Sequence[Report], metrics: Metrics, routes_loaded: Callable[[], bool]) -> web.Application:
    """Return what is served.

    Args:
        reports: How each source fares.
        metrics: What is counted.
        routes_loaded: Tells whether it is known who subscribed to what.
    """

    async def healthz(request: web.Request) -> web.Response:
        return _json({"status": "ok"})

    async def readyz(request: web.Request) -> web.Response:
        checks = {report.name: "ok" if report.well else _why(report) for report in reports}
        checks["routes"] = "ok" if routes_loaded() else "the routing table is not loaded yet"
        well = all(value == "ok" for value in checks.values())
        return _json({"status": "ok" if well else "failing", "checks": checks}, 200 if well else 503)

    async def status(request: web.Request) -> web.Response:
        return _json({"sources": [report.document() for report in reports]})

    async def exposition(request: web.Request) -> web.Response:
        return web.Response(
            body=metrics.exposition(),
            headers={"Content-Type": "application/openmetrics-text; version=1.0.0; charset=utf-8"},
        )

    served = web.Application()
    served.add_routes(
        [
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
            web.get("/status", status),
            web.get("/metrics", exposition),
        ]
    )
    return served


def _why(report: Report) -> str:
    said = report.failure or report.waits
    return f"{said.reason}: {said.message}" if said is not None else report.state


def _json(content: object, status: int = 200) -> web.Response:
    return web.Response(text=json.dumps(content), status=status, content_type="application/json")
