"""Builds of Bundles: one Job for each revision, at most a few at once, followed until it reports.

A build is known by a digest over all that shapes it; its report is kept in the artifact store. So this is
level-triggered like everything else: what is reported is used, what runs is waited for, what is neither is started.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from botyard.contract import names
from botyard.contract.bot import Entrypoint
from botyard.contract.build import FORMAT, BuildLimits, BuildRequest
from botyard_operator.api.bundle import Artifact, Bundle
from botyard_operator.api.reasons import Reason
from botyard_operator.artifacts.builds import BuildRecord, BuildRecords, IndexAccess, LiveBuild, LiveBuilds
from botyard_operator.artifacts.tokens import build_token, index_token, token_for
from botyard_operator.builders.build_job import BuildInputs, build_objects, job_name
from botyard_operator.fetch.jobs import backoff
from botyard_operator.reconcile.base import Context, JsonObject, Key
from botyard_operator.reconcile.build_index import index_of
from botyard_operator.reconcile.build_state import Build, Layer, reason_of
from botyard_operator.reconcile.ownership import apply_changed
from botyard_operator.reconcile.pods import pod_problem
from botyard_operator.reconcile.problems import Blocked

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 3.0
"""Pause between two looks at the Job and the pod of a build that runs; its success is heard of at once."""
_QUEUE_SECONDS = 10.0
_LONGEST_PAUSE = 600.0


@dataclass(slots=True)
class _Running:
    key: Key
    job: Key
    started: float


@dataclass(slots=True)
class _Failures:
    build: str
    count: int = 0
    not_before: float = 0.0
    last: Build | None = None


@dataclass(slots=True)
class _Memory:
    running: dict[str, _Running] = field(default_factory=dict)
    waiting: dict[Key, None] = field(default_factory=dict)
    failures: dict[Key, _Failures] = field(default_factory=dict)


class BundleBuilds:
    """Starts builds and tells how they stand."""

    def __init__(self, records: BuildRecords, live: LiveBuilds, *, concurrency: int = 4) -> None:
        """Prepare.

        Args:
            records: What builds reported.
            live: Shared with the server that takes the reports.
            concurrency: Builds at once.
        """
        self._records = records
        self._live = live
        self._concurrency = concurrency
        self._memory = _Memory()

    def forget(self, key: Key) -> None:
        """Drop what is known about a Bundle that is gone; its Job goes with its owner."""
        self._memory.waiting.pop(key, None)
        self._memory.failures.pop(key, None)
        for build in [build for build, running in self._memory.running.items() if running.key == key]:
            self._end(build, None)

    async def sweep(self, ctx: Context, *, min_age_seconds: float) -> None:
        """Drop records of builds that no Bundle speaks of."""
        in_use = {((obj.get("status") or {}).get("build") or {}).get("id", "") for obj in ctx.caches.list("Bundle")}
        in_use |= set(self._memory.running)
        await asyncio.to_thread(self._records.retain, in_use, min_age_seconds=min_age_seconds)

    async def look(self, key: Key, ctx: Context, bundle: Bundle, source: Artifact, *, forced: bool) -> Build:
        """Return how the build of a revision stands, starting it where that is due.

        Args:
            key: The Bundle.
            ctx: Where objects are read and written.
            bundle: The same Bundle, parsed.
            source: The fetched revision; it is in storage.
            forced: Whether a failed build is to be tried again now.
        """
        dependencies = bundle.spec.dependencies
        requirements = dependencies.requirements if dependencies is not None else ()
        if not ctx.settings.builds:
            if requirements:
                return Build(
                    state="failed",
                    revision=source.revision,
                    reason=Reason.BUILD_NOT_ALLOWED,
                    message="spec.dependencies needs a build, and this installation builds nothing: set "
                    "BOTYARD_BUILDS=true for the operator",
                )
            return Build(state="skipped", revision=source.revision)
        try:
            index = await index_of(key, ctx, bundle) if requirements else None
        except Blocked as blocked:
            return _failed(source, blocked.problem.reason, blocked.problem.message)
        request = _request(key, ctx, bundle, source, requirements, index)
        await self._supersede(key, request.id, ctx)
        if forced:
            self._retry(key, request.id)
        layer = bundle.status.layer
        shown = ctx.caches.get("ConfigMap", key.namespace, names.manifest_name(key.name)) is not None
        if shown and _is_current(bundle, source, request.id) and (layer is None or self._records.holds(layer.digest)):
            self._end(request.id, ctx)
            return Build(state="done", revision=source.revision, id=request.id)
        record = self._records.get(request.id)
        if record is not None:
            self._end(request.id, ctx)
            return self._reported(key, ctx, request, source, record)
        return await self._run(key, ctx, bundle, source, request, index)

    async def _run(
        self,
        key: Key,
        ctx: Context,
        bundle: Bundle,
        source: Artifact,
        request: BuildRequest,
        index: IndexAccess | None,
    ) -> Build:
        now = ctx.clock.monotonic()
        running = self._memory.running.get(request.id)
        if running is not None and running.key == key:
            return await self._follow(key, ctx, source, request, running)
        failures = self._memory.failures.get(key)
        if failures is not None and failures.last is not None and failures.not_before > now:
            return _again(failures.last, failures.not_before - now)
        if running is not None or len(self._memory.running) >= self._concurrency:
            self._memory.waiting[key] = None
            return _working(source, request, "the build waits for its turn", _QUEUE_SECONDS)
        self._memory.waiting.pop(key, None)
        job = Key("Job", key.namespace, job_name(key.name, request.id))
        self._memory.running[request.id] = _Running(key, job, now)
        self._live[request.id] = LiveBuild(key.namespace, index, lambda: ctx.enqueue(key))
        try:
            return await self._start(key, ctx, bundle, source, request, job)
        except Blocked as blocked:
            self._end(request.id, ctx)
            return self._note(key, ctx, _failed(source, blocked.problem.reason, blocked.problem.message, request.id))
        except BaseException:
            self._end(request.id, ctx)
            raise

    async def _start(
        self, key: Key, ctx: Context, bundle: Bundle, source: Artifact, request: BuildRequest, job: Key
    ) -> Build:
        settings = ctx.settings
        existing = await ctx.kube.get(job)
        if existing is not None and _finished(existing):
            # It ended without a report, or its report was lost together with the store.
            await ctx.kube.delete(job, uid=existing["metadata"]["uid"])
            self._end(request.id, ctx)
            return _working(source, request, "a former build is cleared away", 1.0)
        inputs = BuildInputs(
            bundle=key.name,
            namespace=key.namespace,
            uid=bundle.metadata.uid,
            request=request,
            source_token=token_for(settings.artifact_key, source.digest),
            build_token=build_token(settings.artifact_key, request.id),
            index_token=index_token(settings.artifact_key, request.id),
            image=settings.runtime_image,
            image_pull_policy=settings.runtime_image_pull_policy,
            system_namespace=settings.system_namespace,
            network_policy=settings.network_policies,
            memory=settings.build_memory,
        )
        wanted = [obj for obj in build_objects(inputs) if obj["kind"] != "Job" or existing is None]
        await apply_changed(wanted, key, bundle.metadata.uid, ctx)
        logger.info(
            "build started", extra={"kind": "Bundle", "namespace": key.namespace, "object": key.name, "job": job.name}
        )
        return _working(source, request, _doing(request), _LOOK_SECONDS)

    async def _follow(
        self, key: Key, ctx: Context, source: Artifact, request: BuildRequest, running: _Running
    ) -> Build:
        """Look at what runs: whether it can still come to an end by itself."""
        job = await ctx.kube.get(running.job)
        if job is None:
            self._end(request.id, ctx)
            return _working(source, request, "the build's Job was deleted; it is made again", 1.0)
        pods = await ctx.kube.select("Pod", key.namespace, {"batch.kubernetes.io/job-name": running.job.name})
        if _finished(job):
            # Its report may have come between the first look and this one.
            record = self._records.get(request.id)
            self._end(request.id, ctx)
            if record is not None:
                return self._reported(key, ctx, request, source, record)
            await ctx.kube.delete(running.job, uid=job["metadata"]["uid"])
            return self._note(key, ctx, _lost(source, request, job, pods))
        problem = next(filter(None, map(pod_problem, pods)), None)
        if problem is not None and problem.reason in {Reason.IMAGE_PULL_FAILED, Reason.UNSCHEDULABLE}:
            return _working(source, request, problem.message, _LOOK_SECONDS, problem.reason)
        if not pods and ctx.clock.monotonic() - running.started > 2 * _LOOK_SECONDS:
            message = (
                f"Job {running.job.name} has no pod yet: `kubectl describe job {running.job.name}` says why (a "
                "ResourceQuota, a policy)"
            )
            return _working(source, request, message, _LOOK_SECONDS, Reason.PODS_REFUSED)
        return _working(source, request, _doing(request), _LOOK_SECONDS)

    def _reported(self, key: Key, ctx: Context, request: BuildRequest, source: Artifact, record: BuildRecord) -> Build:
        report = record.report
        if report.failure is None:
            self._memory.failures.pop(key, None)
            layer = None
            if report.layer_digest:
                layer = Layer(report.layer_digest, record.layer_size, len(report.packages))
            return Build(
                state="done", revision=source.revision, id=request.id, layer=layer, manifest=report.manifest or {}
            )
        failed = Build(
            state="failed",
            revision=source.revision,
            id=request.id,
            reason=reason_of(report.failure.reason),
            message=report.failure.message,
            stage=report.failure.stage,
            retryable=report.failure.retryable,
        )
        if failed.retryable:
            # The record must not stand in the way of the next try; what failed is remembered here.
            self._records.forget(request.id)
            return self._note(key, ctx, failed)
        return failed

    def _note(self, key: Key, ctx: Context, failed: Build) -> Build:
        """Remember a failure that may pass, and say when it is tried again."""
        failures = self._memory.failures.get(key)
        if failures is None or failures.build != failed.id:
            failures = self._memory.failures[key] = _Failures(failed.id)
        failures.count += 1
        pause = backoff(failures.count + 2, longest=_LONGEST_PAUSE)
        failures.not_before = ctx.clock.monotonic() + pause
        failures.last = failed
        return _again(failed, pause)

    def _retry(self, key: Key, build: str) -> None:
        record = self._records.get(build)
        if record is not None and record.report.failure is not None:
            self._records.forget(build)
        self._memory.failures.pop(key, None)

    async def _supersede(self, key: Key, build: str, ctx: Context) -> None:
        """End this Bundle's builds of other revisions."""
        failures = self._memory.failures.get(key)
        if failures is not None and failures.build != build:
            del self._memory.failures[key]
        for other, running in list(self._memory.running.items()):
            if running.key == key and other != build:
                self._end(other, ctx)
                await ctx.kube.delete(running.job)

    def _end(self, build: str, ctx: Context | None) -> None:
        """Free a build's place for the one that waits longest."""
        self._live.pop(build, None)
        if self._memory.running.pop(build, None) is not None and ctx is not None and self._memory.waiting:
            key = next(iter(self._memory.waiting))
            del self._memory.waiting[key]
            ctx.enqueue(key)


def _request(
    key: Key,
    ctx: Context,
    bundle: Bundle,
    source: Artifact,
    requirements: tuple[str, ...],
    index: IndexAccess | None,
) -> BuildRequest:
    settings = ctx.settings
    limits = BuildLimits(install_seconds=settings.build_seconds, inspect_seconds=settings.inspect_seconds)
    entrypoint = Entrypoint(
        model=bundle.spec.entrypoint.model, module=bundle.spec.entrypoint.module, symbol=bundle.spec.entrypoint.symbol
    )
    index_identity = hashlib.sha256(index.url.encode()).hexdigest() if index is not None else ""
    shape = [
        FORMAT,
        key.namespace,
        source.digest,
        requirements,
        index_identity,
        entrypoint.to_json(),
        limits.to_json(),
        settings.runtime_image,
    ]
    build = hashlib.sha256(json.dumps(shape).encode()).hexdigest()
    return BuildRequest(
        id=build,
        bundle=f"{key.namespace}/{key.name}",
        url=f"{settings.artifact_base_url}/v1/builds/{build}",
        source_url=source.url,
        source_digest=source.digest,
        requirements=requirements,
        index=index_identity,
        entrypoint=entrypoint,
        limits=limits,
    )


def _is_current(bundle: Bundle, source: Artifact, build: str) -> bool:
    """Whether the status tells of this very build already; its record may be long gone."""
    status = bundle.status
    return (
        status.build is not None
        and status.build.id == build
        and status.artifact is not None
        and status.artifact.digest == source.digest
        and status.manifest is not None
    )


def _finished(job: JsonObject) -> bool:
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any(each.get("type") in {"Complete", "Failed"} and each.get("status") == "True" for each in conditions)


def _lost(source: Artifact, request: BuildRequest, job: JsonObject, pods: Sequence[JsonObject]) -> Build:
    """Return why a Job ended without a report."""
    conditions = (job.get("status") or {}).get("conditions") or ()
    if any(each.get("reason") == "DeadlineExceeded" for each in conditions):
        message = f"Job {job['metadata']['name']} did not end within its deadline; it is tried again."
        return _failed(source, Reason.BUILD_TIMED_OUT, message, request.id)
    problem = next(filter(None, map(pod_problem, pods)), None)
    why = problem.message if problem is not None else "its pod is gone"
    message = f"Job {job['metadata']['name']} ended without a result: {why}; it is tried again."
    return _failed(source, Reason.BUILD_FAILED, message, request.id)


def _working(
    source: Artifact, request: BuildRequest, message: str, again: float, reason: Reason = Reason.PROGRESSING
) -> Build:
    return Build(
        state="working", revision=source.revision, id=request.id, message=message, reason=reason, look_again=again
    )


def _failed(source: Artifact, reason: Reason, message: str, build: str = "") -> Build:
    return Build(
        state="failed", revision=source.revision, id=build, reason=reason, message=message, retryable=bool(build)
    )


def _again(failed: Build, pause: float) -> Build:
    return Build(
        state="failed",
        revision=failed.revision,
        id=failed.id,
        reason=failed.reason,
        message=failed.message,
        stage=failed.stage,
        retryable=True,
        look_again=max(pause, 0.05),
    )


def _doing(request: BuildRequest) -> str:
    return "its dependencies are being installed" if request.requirements else "its code is being inspected"
