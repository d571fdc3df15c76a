"""kopf's part: it watches, and its handlers only feed the caches.

Nothing is stored on objects and no finalizer is set: there are no change handlers, timers or daemons.

The caches are filled from lists before kopf starts, because a reconcile that ran on half of them would write what
exists already. kopf has indices for that purpose; but they keep one toggle for each listed object and look through all
of them at every change, which takes minutes at ten thousand objects. So nothing of them is used here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Iterable
from typing import Any, cast

import aiohttp
import kopf
from kopf._core.reactor import inventory

from botyard.contract import names
from botyard_operator import resources
from botyard_operator.caches import Caches, resource_version
from botyard_operator.installation_prices import InstallationPrices
from botyard_operator.kube import KubeClient
from botyard_operator.listing import PAGE, field_selector, fill, label_selector, prune
from botyard_operator.metrics import Metrics
from botyard_operator.reconcile.base import ApiError, JsonObject, Key, RetryLater
from botyard_operator.settings import Settings

logger = logging.getLogger(__name__)

_CLIENT_MARGIN = 0.3
"""Of a watch's time: how much later than the server the client ends it, if the server does not."""
_DEAF_MARGIN = 0.5
"""Of a watch's time: how much later it must have been started anew, or else it hears nothing any more."""
_LEAST_DEAF_SECONDS = 30.0
"""At least so much later: an API server that is busy takes its time over short watches, too."""

_LONGEST_PAUSE_SECONDS = 30.0
_FIRST_PRUNE_SECONDS = 20.0
_PRUNE_SECONDS = 600.0
_RELISTED_SECONDS = 2.0
"""After a watch that began anew: the others usually do so at the same time."""


class WatchHealth:
    """When each watch was last answered, seen from the HTTP session that kopf uses.

    Args:
        watch_seconds: How long a watch is open at most before it is started anew.
    """

    def __init__(self, watch_seconds: float) -> None:
        self._deaf_after = watch_seconds + max(watch_seconds * _DEAF_MARGIN, _LEAST_DEAF_SECONDS)
        self._answered: dict[str, float] = {}
        self._listed: dict[str, float] = {}
        self.relisted = asyncio.Event()
        """Set once a watch could not go on and began anew with a list; whoever looks for missed deletions clears it."""

    def trace(self) -> aiohttp.TraceConfig:
        """Return what the session reports its answers to."""
        config = aiohttp.TraceConfig()

        async def answered(
            session: aiohttp.ClientSession, context: object, parameters: aiohttp.TraceRequestEndParams
        ) -> None:
            url, status = parameters.url, parameters.response.status
            if status != 200:
                return
            now = asyncio.get_running_loop().time()
            if url.query.get("watch") == "true":
                self._answered[url.path] = now
            elif "continue" not in url.query:
                if self._answered.get(url.path, now) > self._listed.get(url.path, now):
                    self.relisted.set()
                self._listed[url.path] = now

        config.on_request_end.append(answered)
        return config

    def deaf(self) -> list[str]:
        """Return the paths of watches that should have been renewed but were not."""
        now = asyncio.get_running_loop().time()
        return sorted(path for path, at in self._answered.items() if now - at > self._deaf_after)


class Watches:
    """Fills the caches and keeps them up to date."""

    def __init__(
        self, *, caches: Caches, kube: KubeClient, settings: Settings, metrics: Metrics, health: WatchHealth
    ) -> None:
        self._caches = caches
        self._kube = kube
        self._namespaces = tuple(dict.fromkeys(settings.namespaces))
        self._watch_seconds = settings.watch_seconds
        self._prices = InstallationPrices(caches=caches, kube=kube, settings=settings)
        self._metrics = metrics
        self._health = health
        self.synced = asyncio.Event()
        """Set once every kind was listed."""

    async def run(self, on_synced: Callable[[], None]) -> None:
        """Watch until cancelled, or until kopf ends on a signal; `on_synced` is called once the caches are complete.

        Raises:
            ApiError: The operator may not list one of the kinds, or a CRD is not installed.
        """
        await self._fill()
        await self._prices.look()
        self.synced.set()
        on_synced()
        pruning = asyncio.create_task(self._prune(), name="pruning")
        looking = asyncio.create_task(self._prices.run(), name="installation prices")
        try:
            await kopf.operator(
                registry=self._registry(),
                settings=_kopf_settings(cluster_wide=not self._namespaces, watch_seconds=self._watch_seconds),
                memories=_NoMemories(),
                standalone=True,
                clusterwide=not self._namespaces,
                namespaces=self._namespaces,
            )
        finally:
            pruning.cancel()
            looking.cancel()

    async def _fill(self) -> None:
        pause = 0.5
        while True:
            try:
                await fill(self._kube, self._caches, self._namespaces)
            except RetryLater as error:
                logger.warning("the lists are tried again: %s", error)
                await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
                pause = min(_LONGEST_PAUSE_SECONDS, pause * 2)
            else:
                return

    async def _prune(self) -> None:
        # Soon after the start, what was deleted between the first lists and kopf's; then now and then.
        pause = _FIRST_PRUNE_SECONDS
        while True:
            # A watch that began anew told what is there, but not what went meanwhile.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause * random.uniform(0.8, 1.2)):  # noqa: S311 - jitter
                    await self._health.relisted.wait()
                await asyncio.sleep(_RELISTED_SECONDS)
            self._health.relisted.clear()
            pause = _PRUNE_SECONDS
            try:
                await prune(self._kube, self._caches, self._namespaces)
            except (ApiError, RetryLater) as error:
                pause = _FIRST_PRUNE_SECONDS
                logger.warning("the caches could not be compared with the API server: %s", error)

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry)
        async def login(**_: Any) -> kopf.AiohttpSession:
            session = self._kube.session(self._health.trace())
            return kopf.AiohttpSession(server=self._kube.host, aiohttp_session=session)

        for resource in resources.WATCHED_KINDS:
            self._register(registry, resource)
        return registry

    def _register(self, registry: kopf.OperatorRegistry, resource: resources.Resource) -> None:
        counter = self._metrics.watch_events.labels(resource.kind)

        @kopf.on.event(
            resource.group, resource.version, resource.plural, id=f"watch-{resource.plural}", registry=registry
        )
        async def observe(event: kopf.RawEvent, **_: Any) -> None:
            counter.inc()
            obj: JsonObject = dict(event["object"])
            if event["type"] == "DELETED":
                self._caches.remove(_key(resource, obj), resource_version(obj))
            else:
                self._caches.put(resource.kind, obj)


class _NoMemories(inventory.ResourceMemories):
    """kopf's memory of every object (for daemons and retries), which nothing here uses: none is kept."""

    async def recall(
        self,
        raw_body: kopf.RawBody,
        *,
        memobase: object | None = None,
        noticed_by_listing: bool = False,
        ephemeral: bool = False,
    ) -> inventory.ResourceMemory:
        """Return a memory that is forgotten at once."""
        return await super().recall(raw_body, noticed_by_listing=noticed_by_listing, ephemeral=True)


class _NoDiffs(kopf.DiffBaseStorage):
    """kopf's comparison of every object with its last state, for handlers of changes: there are none to copy it for."""

    def build(self, *, body: kopf.Body, extra_fields: Iterable[object] | None = None) -> kopf.BodyEssence:
        """Return nothing to compare."""
        return cast(kopf.BodyEssence, {})

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        """Return that nothing is stored."""
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Store nothing."""


def _key(resource: resources.Resource, obj: JsonObject) -> Key:
    return Key(resource.kind, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])


def _kopf_settings(*, cluster_wide: bool, watch_seconds: float) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.watching.server_timeout = watch_seconds
    settings.watching.client_timeout = watch_seconds * (1 + _CLIENT_MARGIN)
    settings.watching.connect_timeout = 10
    settings.watching.reconnect_backoff = 1
    settings.watching.chunk_size = PAGE
    for resource in resources.WATCHED_KINDS:
        place = (resource.group, resource.version, resource.plural)
        label, field = label_selector(resource), field_selector(resource)
        if label is not None:
            settings.watching.label_selectors[place] = label
        if field is not None:
            settings.watching.field_selectors[place] = field
    # Each object with events has a task of its own, which ends after this time without any.
    settings.queueing.idle_timeout = 0.5
    settings.networking.request_timeout = 30
    settings.networking.enforce_retry_after = True
    settings.posting.enabled = False
    settings.posting.loggers = False
    settings.posting.level = logging.WARNING
    settings.persistence.diffbase_storage = _NoDiffs()
    settings.persistence.finalizer = f"{names.GROUP}/operator"
    settings.execution.max_workers = 1
    # Without permission to list namespaces and CRDs (one Role for each namespace) kopf must not try.
    settings.scanning.disabled = not cluster_wide
    return settings
