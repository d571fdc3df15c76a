"""Where the routing table comes from: the operator's ConfigMap, watched, or a file, re-read when it changes."""

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

import aiohttp
from kubernetes.aio.client import ApiClient, CoreV1Api
from kubernetes.aio.client.exceptions import ApiException
from pydantic import ValidationError

from botyard.contract import names
from botyard.contract.routes import Routes
from botyard.gateway.routes import RoutingTable

log = logging.getLogger(__name__)

CONFIG_MAP = "botyard-routes"
FILE_POLL_SECONDS = 0.5
WATCH_SECONDS = 300
"""The API server ends each watch after this; the next one goes on where it stopped."""
_BACKOFF_FIRST, _BACKOFF_CAP = 0.2, 15.0
_LINE_LIMIT = 8 * 1_048_576


class RouteSource(Protocol):
    """Keeps a table current until it is cancelled."""

    async def run(self, table: RoutingTable) -> None:
        """Load the table, then follow its source. Errors are logged and tried again; the old table stays."""


class FileRoutes:
    """A file with the JSON of `contract.routes.Routes`, for tests, laptops and mounted ConfigMaps.

    Args:
        path: The file. A missing one is waited for.
        poll: Seconds between two looks.
    """

    def __init__(self, path: Path, *, poll: float = FILE_POLL_SECONDS) -> None:
        self._path = path
        self._poll = poll

    async def run(self, table: RoutingTable) -> None:
        """Re-read the file when its content changes."""
        seen: str | None = None
        while True:
            try:
                text = await asyncio.to_thread(self._path.read_text, encoding="utf-8")
            except OSError as error:
                if seen is not None or not table.loaded:
                    log.warning("cannot read the routing table %s: %s", self._path, error)
                seen = None
            else:
                if text != seen:
                    seen = text
                    _replace(table, text, str(self._path))
            await asyncio.sleep(self._poll)


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
        _replace(table, (data or {}).get(names.ROUTES_FILE, "{}"), self._what)


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


def _replace(table: RoutingTable, text: str, source: str) -> None:
    try:
        routes = Routes.model_validate_json(text)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:5])
        log.error("the routing table in %s is not valid, the last good one stays: %s", source, problems)
        return
    table.replace(routes)
    log.info("routing table from %s: %d bots", source, len(table))
