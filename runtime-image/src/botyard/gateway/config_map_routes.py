"""The routing table from the ConfigMaps that the operator writes, each watched through the API server.

A role can allow objects by name only where they are asked for by name: so each shard has a watch of its own, from when
the first one says that it is there.
"""

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient, CoreV1Api
from kubernetes.aio.client.exceptions import ApiException

from botyard.contract import names
from botyard.gateway.route_shards import RouteShards
from botyard.gateway.route_sources import read
from botyard.gateway.routes import RoutingTable

log = logging.getLogger(__name__)

WATCH_SECONDS = 300
"""The API server ends each watch after this; the next one goes on where it stopped."""
_BACKOFF_FIRST, _BACKOFF_CAP = 0.2, 15.0
_LINE_LIMIT = 8 * 1_048_576


class ConfigMapRoutes:
    """The ConfigMaps `botyard-routes…` that the operator writes, watched through the API server.

    Args:
        client: A client of `kubernetes.aio`.
        namespace: The operator's namespace.
    """

    def __init__(self, client: ApiClient, namespace: str) -> None:
        self._api = CoreV1Api(client)
        self._namespace = namespace

    async def run(self, table: RoutingTable) -> None:
        """Follow the first shard, and the others as soon as it tells of them."""
        shards = RouteShards(table)
        async with asyncio.TaskGroup() as following:
            followed = 0

            def follow() -> None:
                nonlocal followed
                while followed < shards.wanted:
                    followed += 1
                    shard = _Followed(self._api, self._namespace, followed - 1, shards, follow)
                    following.create_task(shard.run(), name=f"routes {followed - 1}")

            follow()


class _Followed:
    """One shard."""

    def __init__(
        self, api: CoreV1Api, namespace: str, number: int, shards: RouteShards, changed: Callable[[], None]
    ) -> None:
        name = names.routes_name(number)
        self._api = api
        self._namespace = namespace
        self._number = number
        self._shards = shards
        self._changed = changed
        self._selector = f"metadata.name={name}"
        self._what = f"ConfigMap {namespace}/{name}"

    async def run(self) -> None:
        """List once, then watch; list again when the watch is too old, and with growing pauses after errors."""
        pause = _BACKOFF_FIRST
        while True:
            try:
                version = await self._list()
                pause = _BACKOFF_FIRST
                while True:
                    version = await self._watch(version)
            except ApiException as error:
                if error.status == 410:
                    log.info("the watch of %s is too old; listing again", self._what)
                else:
                    log.warning("cannot follow %s: %s %s", self._what, error.status, error.reason)
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                log.warning("cannot follow %s: %s", self._what, error or type(error).__name__)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            pause = min(pause * 2, _BACKOFF_CAP)

    async def _list(self) -> str:
        found = await self._api.list_namespaced_config_map(
            self._namespace, field_selector=self._selector, _request_timeout=10.0
        )
        if found.items:
            self._take(found.items[0].data)
        else:
            log.info("%s does not exist yet", self._what)
            self._shards.gone(self._number)
        return str(found.metadata.resource_version if found.metadata else "")

    async def _watch(self, version: str) -> str:
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
                    self._take(seen.get("data"))
                elif event["type"] == "DELETED":
                    log.warning("%s was deleted", self._what)
                    self._shards.gone(self._number)
        finally:
            response.close()
        return version

    def _take(self, data: dict[str, str] | None) -> None:
        found = read((data or {}).get(names.ROUTES_FILE, "{}"), self._what)
        if found is not None:
            self._shards.put(self._number, found)
            self._changed()


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
