"""The Bundle reconciler with everything that it needs but a cluster: a loop for one Bundle on a real API server."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from botyard_operator.artifacts import ArtifactStore
from botyard_operator.artifacts.builds import BuildRecords
from botyard_operator.caches import Caches
from botyard_operator.conditions import find
from botyard_operator.fetch import Fetcher
from botyard_operator.fetch.jobs import FetchJobs
from botyard_operator.kube import KubeClient
from botyard_operator.reconcile.base import Context, JsonObject, Key
from botyard_operator.reconcile.bundle import BundleReconciler
from botyard_operator.reconcile.bundle_builds import BundleBuilds
from botyard_operator.settings import Settings
from tests.integration.apiserver.server import ApiServer


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return monotonic()


@dataclass
class Events:
    recorded: list[tuple[str, str]] = field(default_factory=list)

    def event(self, obj: JsonObject, type_: str, reason: str, message: str) -> None:
        self.recorded.append((type_, reason))


class Operator:
    """The reconciler with a loop of its own that serves one Bundle, as the queue would."""

    def __init__(
        self,
        server: ApiServer,
        namespace: str,
        root: Path,
        kube: KubeClient,
        caches: Caches,
        *,
        make_store: Callable[[Path], ArtifactStore] = ArtifactStore,
    ) -> None:
        self.server, self.namespace, self.root, self.caches = server, namespace, root, caches
        self.make_store = make_store
        self.events = Events()
        self.key = Key("Bundle", namespace, "repairs")
        self._dirty = asyncio.Event()
        self.sweeping: dict[str, float] = {}
        self.context = Context(
            caches=caches,
            kube=kube,
            settings=Settings(artifact_base_url="http://artifacts:8082"),
            clock=SystemClock(),
            recorder=self.events,
            enqueue=lambda key, delay=0.0: self._dirty.set(),
        )
        self.passes = 0
        self.start()

    def start(self) -> None:
        """Begin as a new process does: nothing in memory."""
        self.store = self.make_store(self.root)
        self.store.open()
        self.jobs = FetchJobs(Fetcher(), self.store, concurrency=2)
        builds = BundleBuilds(BuildRecords(self.store), {})
        self.reconciler = BundleReconciler(self.jobs, self.store, builds=builds, **self.sweeping)
        self._dirty.set()
        self._task = asyncio.create_task(self._loop())

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.jobs.close()

    async def _loop(self) -> None:
        after: float | None = None
        while True:
            try:
                async with asyncio.timeout(after):
                    await self._dirty.wait()
            except TimeoutError:
                pass
            self._dirty.clear()
            after = (await self.reconciler.reconcile(self.key, self.context)).requeue_after
            self.passes += 1

    def apply(self, spec: JsonObject, annotations: dict[str, str] | None = None) -> None:
        obj = {
            "apiVersion": "botyard.dev/v1alpha1",
            "kind": "Bundle",
            "metadata": {"name": "repairs", "namespace": self.namespace, "annotations": annotations or {}},
            "spec": spec,
        }
        self.caches.put("Bundle", self.server.client.apply(obj))
        self._dirty.set()

    def bundle(self) -> JsonObject:
        """Return the Bundle as the API server has it."""
        return self.server.client.get(
            {
                "apiVersion": "botyard.dev/v1alpha1",
                "kind": "Bundle",
                "metadata": {"name": "repairs", "namespace": self.namespace},
            }
        )

    def condition(self, type_: str) -> dict[str, Any] | None:
        return find(self.bundle().get("status", {}).get("conditions"), type_)

    async def until(self, holds: Callable[[JsonObject], Any], seconds: float = 120) -> JsonObject:
        """Wait until the Bundle on the API server fulfils a condition, and return its status."""
        bundle = self.bundle()
        give_up = monotonic() + seconds
        while not holds(bundle.get("status", {})):
            if monotonic() > give_up:
                raise AssertionError(f"the Bundle did not get there: {bundle.get('status')}")
            await asyncio.sleep(0.02)
            bundle = await asyncio.to_thread(self.bundle)
        status: JsonObject = bundle["status"]
        return status


def at(commit: str, generation: int | None = None) -> Callable[[JsonObject], bool]:
    return lambda status: (
        status.get("artifact", {}).get("revision", "").endswith(f"sha1:{commit}")
        and generation in {None, status.get("observedGeneration")}
    )


def reason(type_: str, wanted: str) -> Callable[[JsonObject], bool]:
    return lambda status: (find(status.get("conditions"), type_) or {}).get("reason") == wanted
