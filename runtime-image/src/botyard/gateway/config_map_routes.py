"""The routing table from the ConfigMap that the operator writes, watched through the API server."""

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient, CoreV1Api
from kubernetes.aio.client.exceptions import ApiException

from botyard.contract import names
from botyard.contract.routes import Routes
from botyard.gateway.route_sources import replace
from botyard.gateway.routes import RoutingTable

log = logging.getLogger(__name__)

CONFIG_MAP = "botyard-routes"
WATCH_SECONDS = 300
"""The API server ends each watch after this; the next one goes on where it stopped."""
_BACKOFF_FIRST, _BACKOFF_CAP = 0.2, 15.0
_LINE_LIMIT = 8 * 1_048_576


class ConfigMapRoutes:
    """The ConfigMap `botyard-routes` that the operator writes, watched through the API server.

    Args:
        client: A client of `kubernetes.aio`.
        namespace: The operator's namespace.
        name: Name of the ConfigMap.
    """

    def __init__(self, client: ApiClient, namespace: str, *, name: str = CONFIG_MAP) -> None:
        self._api = CoreV1Api(client)
        self._namespace = namespace
        self._selector = f"metadata.name={name}"
        self._what = f"ConfigMap {namespace}/{name}"

    async def run(self, table: RoutingTable) -> None:
        """List once, then watch; list again when the watch is too old, and with growing pauses after errors."""
        pause = _BACKOFF_FIRST
        while True:
            try:
                version = await self._list(table)
                pause = _BACKOFF_FIRST
                while True:
                    version = await self._watch(table, version)
            except ApiException as error:
                if error.status == 410:
                    log.info("the watch of %s is too old; listing again", self._what)
                else:
                    log.warning("cannot follow %s: %s %s", self._what, error.status, error.reason)
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                log.warning("cannot follow %s: %s", self._what, error or type(error).__name__)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            pause = min(pause * 2, _BACKOFF_CAP)

    async def _list(self, table: RoutingTable) -> str:
        found = await self._api.list_namespaced_config_map(
            self._namespace, field_selector=self._selector, _request_timeout=10.0
        )
        if found.items:
            self._apply(table, found.items[0].data)
        else:
            log.info("%s does not exist yet", self._what)
            table.replace(Routes())
        return str(found.metadata.resource_version if found.metadata else "")

    async def _watch(self, table: RoutingTable, version: str) -> str:
        response = await self._api.list_namespaced_config_map_without_preload_content(
            self._namespace,
            field_selector=self._selector,
            resource_version=version,
            watch=True,
            allow_watch_bookmarks=True,
            timeout_seconds=WATCH_SECONDS,
            _request_timeout=float(WATCH_SECONDS + 15),
        )
        try:
            async for event in _events(response.content):
                seen = event["object"]
                if event["type"] == "ERROR":
                    raise ApiException(status=seen.get("code", 500), reason=seen.get("message", "watch failed"))
                version = seen["metadata"]["resourceVersion"]
                if event["type"] in ("ADDED", "MODIFIED"):
                    self._apply(table, seen.get("data"))
                elif event["type"] == "DELETED":
                    log.warning("%s was deleted: no bot is routed", self._what)
                    table.replace(Routes())
        finally:
            response.close()
        return version

    def _apply(self, table: RoutingTable, data: dict[str, str] | None) -> None:
        replace(table, (data or {}).get(names.ROUTES_FILE, "{}"), self._what)


async def _events(content: aiohttp.StreamReader) -> AsyncIterator[dict[str, Any]]:
    """Yield the watch events of a response: one JSON document a line, of any length up to a limit."""
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield json.loads(line)
        if len(rest) > _LINE_LIMIT:
            raise ValueError(f"a watch event has more than {_LINE_LIMIT} bytes")
