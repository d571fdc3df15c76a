"""The command `botyard-operator`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from kubernetes.aio.config import ConfigException

from botyard.core.activity import Activity
from botyard.core.connection import connect
from botyard_operator import logs
from botyard_operator.artifacts.bucket import Bucket, BucketSettings
from botyard_operator.artifacts.bucket_store import BucketStore
from botyard_operator.artifacts.build_server import BuildEndpoints
from botyard_operator.artifacts.builds import BuildRecords, LiveBuilds
from botyard_operator.artifacts.package_index import PackageIndex
from botyard_operator.artifacts.server import ArtifactServer
from botyard_operator.artifacts.store import ArtifactStore
from botyard_operator.caches import Caches
from botyard_operator.clock import SystemClock
from botyard_operator.control import ControlLoop, reconcilers
from botyard_operator.faring import Faring
from botyard_operator.fetch.jobs import FetchJobs
from botyard_operator.fetch.runner import Fetcher, FetchSettings
from botyard_operator.health import HealthServer
from botyard_operator.kube import KubeClient, load_configuration
from botyard_operator.leadership import Elector, LeadershipLost, Timing
from botyard_operator.metrics import Metrics
from botyard_operator.ramps import Ramps
from botyard_operator.reconcile.bundle import BundleReconciler, count_by_ready
from botyard_operator.reconcile.bundle_builds import BundleBuilds
from botyard_operator.scaling.autoscaler import Autoscaler
from botyard_operator.sessions import Sessions
from botyard_operator.settings import Settings, SettingsError
from botyard_operator.spending import Spending

logger = logging.getLogger(__name__)

_MAX_LAYER_BYTES = 2 * 1024 * 1024 * 1024
"""Limit on a packed layer."""

LEASE_NAME = "botyard-operator"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="botyard-operator", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="reconcile Bundles, Bots and Personas")
    run.add_argument(
        "--namespace",
        action="append",
        default=[],
        metavar="NS",
        help="serve this namespace only (repeatable); without it all namespaces are served",
    )
    run.add_argument("--system-namespace", metavar="NS", help="namespace of the operator itself")
    options = parser.parse_args(arguments)
    try:
        settings = Settings.from_environment(
            namespaces=tuple(options.namespace), system_namespace=options.system_namespace
        )
        if not settings.artifact_key:
            raise SettingsError("BOTYARD_ARTIFACT_KEY_FILE must name a file with at least 32 random bytes")
        store = artifact_store(settings)
        logs.configure(settings.log_level)
    except (SettingsError, ValueError) as error:
        sys.stderr.write(f"botyard-operator: {error}\n")
        return 2
    try:
        return asyncio.run(run_operator(settings, store))
    except ConfigException as error:
        sys.stderr.write(f"botyard-operator: no API server is configured: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130


def artifact_store(settings: Settings) -> ArtifactStore:
    """Return the store that the settings ask for, not opened yet; raises SettingsError."""
    quota = settings.artifact_quota_bytes or None
    if not settings.artifact_bucket:
        return ArtifactStore(settings.artifact_dir, quota_bytes=quota)
    try:
        bucket = BucketSettings(
            url=settings.artifact_bucket,
            endpoint=settings.artifact_bucket_endpoint,
            region=settings.artifact_bucket_region,
            credentials=settings.artifact_bucket_credentials,
        )
    except ValueError as error:
        raise SettingsError(f"BOTYARD_ARTIFACT_BUCKET: {error}") from error
    return BucketStore(
        settings.artifact_dir, Bucket(bucket), quota_bytes=quota, cache_bytes=settings.artifact_cache_bytes
    )


async def run_operator(settings: Settings, store: ArtifactStore) -> int:
    """Run the operator until a signal or the loss of leadership; return the exit code."""
    metrics = Metrics()
    caches = Caches()
    kube = KubeClient(await load_configuration(settings.kubeconfig), caches, metrics)
    fetcher = Fetcher(FetchSettings(memory_bytes=settings.fetch_memory_bytes))
    jobs = FetchJobs(fetcher, store, concurrency=settings.fetch_concurrency, observer=metrics)
    records = BuildRecords(store)
    live: LiveBuilds = {}
    builds = BundleBuilds(records, live, concurrency=settings.build_concurrency)
    ledgers = connect(settings.redis_url, max_connections=4)
    spending = Spending(ledgers, SystemClock())
    faring = Faring(ledgers, SystemClock())
    ramps = Ramps(ledgers, SystemClock())
    sessions = Sessions(settings.redis_url, SystemClock())
    loop = ControlLoop(
        settings=settings,
        kube=kube,
        caches=caches,
        metrics=metrics,
        reconcilers={
            **reconcilers(spending, sessions, faring, ramps),
            "Bundle": BundleReconciler(jobs, store, builds=builds),
        },
        figures=(spending, faring, ramps),
        sessions=sessions,
    )
    server = ArtifactServer(
        store,
        key=settings.artifact_key,
        further=(
            BuildEndpoints(store, records, live, key=settings.artifact_key, max_layer_bytes=_MAX_LAYER_BYTES),
            PackageIndex(live, key=settings.artifact_key, allow_loopback=settings.allow_insecure_sources),
        ),
    )

    def collect() -> None:
        loop.collect()
        metrics.artifact_bytes.set(store.usage())
        for status, count in count_by_ready(caches.list("Bundle")).items():
            metrics.bundles.labels(status).set(count)

    health = HealthServer(metrics=metrics, alive=(loop.deaf, loop.stuck), ready=(), collect=collect)
    await health.start(settings.metrics_port)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        # kopf takes these over once it runs, and then ends by itself.
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    elector = Elector(
        kube,
        namespace=settings.system_namespace,
        name=LEASE_NAME,
        identity=settings.identity,
        timing=Timing(lease=settings.lease_seconds, renew=settings.lease_seconds * 2 / 3),
    )

    async def lead() -> None:
        # A standby has no artifacts, or old ones: it serves none.
        for digest in await asyncio.to_thread(store.open):
            logger.warning("a damaged artifact was removed; it is fetched again", extra={"digest": digest})
        await server.start(settings.artifacts_port)
        redis = connect(settings.redis_url)
        scaling = asyncio.create_task(Autoscaler(Activity(redis), kube, loop.context).run(), name="autoscaler")
        try:
            await loop.run()
        finally:
            await _cancel({scaling})
            await redis.aclose()
            await server.stop()
            await jobs.close()

    try:
        return await _elect(settings, lead, elector, metrics, stop)
    finally:
        await health.stop()
        await kube.close()
        await ledgers.aclose()


async def _elect(
    settings: Settings,
    lead: Callable[[], Coroutine[Any, Any, None]],
    elector: Elector,
    metrics: Metrics,
    stop: asyncio.Event,
) -> int:
    """Wait for leadership, then lead until a signal, the end of the work or the loss of the Lease."""
    stopped = asyncio.create_task(stop.wait(), name="signal")
    tasks: set[asyncio.Task[Any]] = {stopped}
    try:
        if settings.leader_election:
            acquiring = asyncio.create_task(elector.acquire(), name="election")
            await asyncio.wait({stopped, acquiring}, return_when=asyncio.FIRST_COMPLETED)
            if not acquiring.done():
                await _cancel({acquiring})
                return 0
            acquiring.result()
            tasks.add(asyncio.create_task(elector.hold(), name="lease"))
        metrics.leader.set(1)
        tasks.add(asyncio.create_task(lead(), name="control loop"))
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    except LeadershipLost as error:
        logger.error("%s; this process ends", error)
        await _cancel(tasks)
        return 1
    else:
        await _cancel(tasks)
        if settings.leader_election:
            await elector.release()
        return 0
    finally:
        metrics.leader.set(0)
        await _cancel(tasks)


async def _cancel(tasks: set[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task


if __name__ == "__main__":
    sys.exit(main())
