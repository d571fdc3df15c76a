"""kopf's part: it lists and watches, and its handlers only feed the caches.

Nothing is stored on objects and no finalizer is set: there are no change handlers, timers or daemons. Until every kind
was listed once, changes are only remembered (an index handler of kopf runs before any other and holds the others back
until all lists are complete); then all keys are marked dirty and from there on each change marks its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

import aiohttp
import kopf

from botyard.contract import names
from botyard_operator import resources
from botyard_operator.caches import Caches, resource_version
from botyard_operator.kube import KubeClient
from botyard_operator.metrics import Metrics
from botyard_operator.reconcile.base import JsonObject, Key
from botyard_operator.settings import Settings

logger = logging.getLogger(__name__)

SERVER_TIMEOUT = 100
"""Seconds after which the API server ends a watch and kopf starts it again."""
DEAF_AFTER = 150.0
"""A watch that was not (re)started for this many seconds hears nothing any more."""

_EMPTY_CHECK_SECONDS = 0.5

_LABELLED = (*resources.CHILD_KINDS, resources.POD)
_UNINTERESTING_SECRETS = ("helm.sh/release.v1", "kubernetes.io/service-account-token")


class WatchHealth:
    """When each watch was last answered, seen from the HTTP session that kopf uses."""

    def __init__(self) -> None:
        self._answered: dict[str, float] = {}

    def trace(self) -> aiohttp.TraceConfig:
        """Return what the session reports its answers to."""
        config = aiohttp.TraceConfig()

        async def answered(
            session: aiohttp.ClientSession, context: object, parameters: aiohttp.TraceRequestEndParams
        ) -> None:
            url, status = parameters.url, parameters.response.status
            if url.query.get("watch") == "true" and status == 200:
                self._answered[url.path] = asyncio.get_running_loop().time()

        config.on_request_end.append(answered)
        return config

    def answered(self, paths: Iterable[str]) -> bool:
        """Whether all these watches were answered at least once, so that their lists are complete."""
        return all(path in self._answered for path in paths)

    def deaf(self) -> list[str]:
        """Return the paths of watches that should have been renewed but were not."""
        now = asyncio.get_running_loop().time()
        return sorted(path for path, at in self._answered.items() if now - at > DEAF_AFTER)


class Watches:
    """Runs kopf and keeps the caches up to date."""

    def __init__(
        self, *, caches: Caches, kube: KubeClient, settings: Settings, metrics: Metrics, health: WatchHealth
    ) -> None:
        self._caches = caches
        self._kube = kube
        self._settings = settings
        self._metrics = metrics
        self._health = health
        self._listed = 0
        self.synced = asyncio.Event()
        """Set once every kind was listed."""

    async def run(self, on_synced: Callable[[], None]) -> None:
        """Watch until cancelled; `on_synced` is called once the caches are complete."""
        namespaces = tuple(dict.fromkeys(self._settings.namespaces))

        def synced() -> None:
            if not self.synced.is_set():
                self.synced.set()
                on_synced()

        empty = asyncio.create_task(self._await_nothing(namespaces, synced), name="empty lists")
        try:
            await kopf.operator(
                registry=self._registry(synced),
                settings=_kopf_settings(cluster_wide=not namespaces),
                standalone=True,
                clusterwide=not namespaces,
                namespaces=namespaces,
            )
        finally:
            empty.cancel()

    async def _await_nothing(self, namespaces: Iterable[str], synced: Callable[[], None]) -> None:
        """Tell that the lists are complete where they hold nothing: then no handler does."""
        paths = [
            resource.path(namespace)
            for resource in resources.WATCHED_KINDS
            for namespace in (namespaces or (None,))
        ]
        while not self.synced.is_set():
            await asyncio.sleep(_EMPTY_CHECK_SECONDS)
            if self._listed == 0 and self._health.answered(paths):
                synced()

    def _registry(self, synced: Callable[[], None]) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry)
        async def login(**_: Any) -> kopf.AiohttpSession:
            return kopf.AiohttpSession(server=self._kube.host, aiohttp_session=self._kube.session(self._health.trace()))

        def listing(**_: Any) -> bool:
            return not self.synced.is_set()

        for resource in resources.WATCHED_KINDS:
            self._register(registry, resource, listing, synced)
        return registry

    def _register(
        self,
        registry: kopf.OperatorRegistry,
        resource: resources.Resource,
        listing: Callable[..., bool],
        synced: Callable[[], None],
    ) -> None:
        selector = (resource.group, resource.version, resource.plural)
        counter = self._metrics.watch_events.labels(resource.kind)

        @kopf.index(*selector, id=f"list-{resource.plural}", when=listing, registry=registry)
        async def remember(body: kopf.Body, **_: Any) -> None:
            self._listed += 1
            self._caches.put(resource.kind, dict(body))

        @kopf.on.event(*selector, id=f"watch-{resource.plural}", registry=registry)
        async def observe(event: kopf.RawEvent, **_: Any) -> None:
            synced()
            counter.inc()
            obj: JsonObject = dict(event["object"])
            if event["type"] == "DELETED":
                self._caches.remove(_key(resource, obj), resource_version(obj))
            else:
                self._caches.put(resource.kind, obj)


def _key(resource: resources.Resource, obj: JsonObject) -> Key:
    return Key(resource.kind, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])


def _kopf_settings(*, cluster_wide: bool) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.watching.server_timeout = SERVER_TIMEOUT
    settings.watching.client_timeout = SERVER_TIMEOUT + 30
    settings.watching.connect_timeout = 10
    settings.watching.reconnect_backoff = 1
    settings.watching.chunk_size = 500
    for resource in _LABELLED:
        selector = (resource.group, resource.version, resource.plural)
        settings.watching.label_selectors[selector] = names.LABEL_BOT
    settings.watching.field_selectors["", "v1", "secrets"] = _field_selector(_UNINTERESTING_SECRETS)
    settings.networking.request_timeout = 30
    settings.networking.enforce_retry_after = True
    settings.posting.enabled = False
    settings.posting.loggers = False
    settings.posting.level = logging.WARNING
    settings.persistence.finalizer = f"{names.GROUP}/operator"
    settings.execution.max_workers = 1
    # Without permission to list namespaces and CRDs (one Role for each namespace) kopf must not try.
    settings.scanning.disabled = not cluster_wide
    return settings


def _field_selector(types: Iterable[str]) -> str:
    return ",".join(f"type!={type_}" for type_ in types)
