"""Reconciles Bundles: follows a source and keeps its newest good revision in the artifact store.

Level-triggered: each pass compares what the status says with the spec, the store and the outcome of the last fetch.
Fetches run in the background (`fetch.jobs`) and mark the Bundle dirty when they end. An unchanged remote costs one
ls-remote and no write.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import ValidationError

from botyard.contract import names
from botyard_operator.api.bundle import Artifact, BuildResult, Bundle, BundleStatus, Manifest
from botyard_operator.api.errors import InvalidObject
from botyard_operator.api.reasons import Reason
from botyard_operator.artifacts.store import ArtifactStore
from botyard_operator.builders.build_job import manifest_config_map
from botyard_operator.conditions import ConditionState, find, summarise
from botyard_operator.fetch.errors import FetchError
from botyard_operator.fetch.jobs import Fetched, FetchJobs, backoff
from botyard_operator.fetch.request import FetchRequest, Ref
from botyard_operator.fetch.url import source_url
from botyard_operator.reconcile.artifacts_in_use import digests_in_use
from botyard_operator.reconcile.base import Context, JsonObject, Key, Result
from botyard_operator.reconcile.build_state import Build
from botyard_operator.reconcile.build_status import next_build, next_layer, next_manifest, refused_manifest
from botyard_operator.reconcile.bundle_builds import BundleBuilds
from botyard_operator.reconcile.bundle_events import tell
from botyard_operator.reconcile.bundle_source import build_request
from botyard_operator.reconcile.bundle_status import (
    Halt,
    commit_of,
    conditions,
    next_artifact,
    next_history,
)
from botyard_operator.reconcile.machines import machines_text
from botyard_operator.reconcile.ownership import apply_changed
from botyard_operator.reconcile.problems import Blocked
from botyard_operator.reconcile.revision_choice import stored

SWEEP_INTERVAL = 600.0
"""Seconds between two sweeps of artifacts that nothing refers to."""
SWEEP_MIN_AGE = 3600.0
"""Artifacts younger than this many seconds are never swept."""
_SLOW_FETCH = 3.0
"""A fetch that takes longer than this many seconds is worth a status write that says so."""
_SHORTEST_WAIT = 0.05
_LONGEST_RETRY = 300.0
_INTERVAL_JITTER = 0.05


@dataclass(slots=True)
class _Polling:
    """When a Bundle is looked at next; lost with the process, and rebuilt by looking at once."""

    tag: str
    due: float
    failures: int = 0
    seen: float = -1.0
    """End of the outcome that this was computed from."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the spec asks to be fetched."""

    request: FetchRequest
    ref: Ref
    tag: str
    host: str
    forced: bool


class BundleReconciler:
    """Brings the status and the artifact of a Bundle to what its spec asks for."""

    def __init__(
        self,
        jobs: FetchJobs,
        store: ArtifactStore,
        *,
        builds: BundleBuilds | None = None,
        sweep_interval: float = SWEEP_INTERVAL,
        sweep_min_age: float = SWEEP_MIN_AGE,
    ) -> None:
        """Prepare.

        Args:
            jobs: runs fetches into `store`.
            store: an opened store.
            builds: builds and inspects revisions; without it they are served as they were fetched.
            sweep_interval: seconds between two sweeps of the store.
            sweep_min_age: seconds for which an artifact that nothing refers to stays in any case.
        """
        self._jobs = jobs
        self._store = store
        self._builds = builds
        self._sweep_interval = sweep_interval
        self._sweep_min_age = sweep_min_age
        self._polling: dict[Key, _Polling] = {}
        self._swept = float("-inf")

    async def reconcile(self, key: Key, ctx: Context) -> Result:
        """Reconcile a Bundle once; never waits for a remote."""
        obj = ctx.caches.get("Bundle", key.namespace, key.name)
        if obj is None or obj["metadata"].get("deletionTimestamp"):
            self._forget(key)
            return Result(requeue_after=await self._sweep(ctx))
        try:
            bundle = Bundle.parse(obj)
        except InvalidObject as error:
            return await self._halted(key, ctx, obj, _status_of(obj), Halt(Reason.INVALID_SPEC, str(error)))
        halt = _halt(bundle)
        if halt is not None:
            return await self._halted(key, ctx, obj, bundle.status, halt, bundle)
        try:
            plan = await self._plan(key, ctx, bundle)
        except FetchError as error:
            return await self._refused(key, ctx, obj, bundle, error)
        return await self._follow(key, ctx, obj, bundle, plan)

    async def _follow(self, key: Key, ctx: Context, obj: JsonObject, bundle: Bundle, plan: _Plan) -> Result:
        now = ctx.clock.monotonic()
        polling = self._polling.get(key)
        if polling is None or polling.tag != plan.tag:
            polling = self._polling[key] = _Polling(plan.tag, now)
        outcome = self._jobs.outcome(key)
        result = outcome.result if outcome is not None and outcome.tag == plan.tag else None
        if outcome is not None and result is not None and outcome.ended != polling.seen:
            polling.seen = outcome.ended
            _schedule(polling, result, now, interval=bundle.spec.interval.seconds)
        if isinstance(result, Fetched) and not self._store.available(result.digest):
            result, polling.due = None, now
        wait = max(polling.due - now, self._jobs.pause_of(plan.host))
        running = self._jobs.running_for(key, plan.tag)
        if running is None and wait <= 0:
            # What is forced looks at a refused commit again; once, because the outcome's tag is then known.
            self._jobs.start(
                key,
                plan.tag,
                plan.request,
                lambda: ctx.enqueue(key),
                force=result is None and plan.forced,
                max_age=bundle.spec.interval.seconds,
            )
            running = 0.0
        if result is None and running is not None:
            # The first look after a start says nothing new about a Bundle that is as its status says.
            if self._is_settled(bundle):
                return Result()
            if running < _SLOW_FETCH:
                return Result(requeue_after=_SLOW_FETCH - running + _SHORTEST_WAIT)
        build, digest = None, ""
        if isinstance(result, Fetched) and self._builds is not None:
            source = next_artifact(
                bundle.status.artifact,
                result,
                ref=plan.ref,
                base_url=ctx.settings.artifact_base_url,
                now=ctx.clock.now(),
            )
            digest = source.digest
            build = await self._builds.look(key, ctx, bundle, source, forced=plan.forced)
        try:
            await self._publish(key, ctx, bundle, build, digest)
        except Blocked as blocked:
            build = refused_manifest(build, blocked.problem)
        await self._write(ctx, obj, bundle.status, bundle, result=result, ref=plan.ref, halt=None, build=build)
        if isinstance(result, Fetched):
            await self._sweep(ctx)
        elif isinstance(result, FetchError):
            await self._restore(key, ctx, bundle.status, bundle)
        again = None if running is not None else max(wait, _SHORTEST_WAIT)
        if build is not None and build.look_again is not None:
            again = build.look_again if again is None else min(again, build.look_again)
        return Result(requeue_after=again)

    async def _publish(self, key: Key, ctx: Context, bundle: Bundle, build: Build | None, digest: str) -> None:
        """Write the whole manifest of a revision that becomes the current one; raises Blocked."""
        if build is None or build.manifest is None or build.state != "done":
            return
        text = json.dumps(build.manifest, ensure_ascii=False, sort_keys=True)
        before = await ctx.kube.config_map(key.namespace, names.manifest_name(key.name)) or {}
        kept = [each.digest for each in stored(bundle)]
        machines = machines_text(before.get(names.MACHINES_FILE), digest, text, kept)
        wanted = manifest_config_map(key.name, key.namespace, bundle.metadata.uid, text, machines)
        await apply_changed([wanted], key, bundle.metadata.uid, ctx)

    async def _halted(
        self,
        key: Key,
        ctx: Context,
        obj: JsonObject,
        status: BundleStatus,
        halt: Halt,
        bundle: Bundle | None = None,
    ) -> Result:
        """Tell why nothing is followed, and keep the last good artifact available all the same."""
        self._polling.pop(key, None)
        self._jobs.forget(key)
        requeue = await self._restore(key, ctx, status, bundle)
        await self._write(ctx, obj, status, bundle, result=None, ref=None, halt=halt)
        return Result(requeue_after=requeue)

    async def _restore(self, key: Key, ctx: Context, status: BundleStatus, bundle: Bundle | None) -> float | None:
        """Fetch the last good revision anew where the store lost it, by its commit; return when to look again."""
        artifact = status.artifact
        commit = commit_of(artifact.revision) if artifact is not None else None
        if bundle is None or artifact is None or commit is None:
            return None
        if self._store.has(artifact.digest):
            return None
        job = _restore_key(key)
        outcome = self._jobs.outcome(job)
        if outcome is not None and outcome.tag == artifact.digest:
            pause = outcome.ended + _LONGEST_RETRY - ctx.clock.monotonic()
            if pause > 0:
                return pause
        try:
            plan = await self._plan(key, ctx, bundle)
        except FetchError:
            return None
        request = _request_for(plan.request, commit)
        self._jobs.start(job, artifact.digest, request, lambda: ctx.enqueue(key))
        return None

    async def _refused(self, key: Key, ctx: Context, obj: JsonObject, bundle: Bundle, error: FetchError) -> Result:
        """Tell about a fetch that cannot even start; a change of the spec or the Secret comes as an event."""
        # What was fetched before says nothing any more: once it can start again, the remote is asked at once.
        self._polling.pop(key, None)
        self._jobs.forget(key)
        await self._write(ctx, obj, bundle.status, bundle, result=error, ref=None, halt=None)
        return Result()

    async def _plan(self, key: Key, ctx: Context, bundle: Bundle) -> _Plan:
        """Return what to fetch.

        Raises:
            FetchError: the URL or the credentials cannot be used.
        """
        request = await build_request(bundle, ctx)
        url = source_url(request.ref.kind, request.url, protocols=request.protocols)
        requested = bundle.metadata.annotations.get(names.ANNOTATION_REQUESTED_AT, "")
        # Part of the tag: every change of it, of the spec or of the Secret looks at the remote anew. Secrets go in
        # as a digest; the tag stays in memory.
        shape = hashlib.sha256(f"{request.model_dump_json()}\0{requested}".encode()).hexdigest()
        forced = bool(requested) and requested != bundle.status.last_handled_requested_at
        return _Plan(request=request, ref=request.ref, tag=shape, host=url.host, forced=forced)

    def _is_settled(self, bundle: Bundle) -> bool:
        """Whether the status speaks of this spec and what it promises is in storage."""
        status = bundle.status
        observed = status.observed_generation == bundle.metadata.generation
        kept = [each.digest for each in (status.artifact, status.layer) if each is not None]
        return observed and status.artifact is not None and all(map(self._store.has, kept))

    async def _write(
        self,
        ctx: Context,
        obj: JsonObject,
        status: BundleStatus,
        bundle: Bundle | None,
        *,
        result: Fetched | FetchError | None,
        ref: Ref | None,
        halt: Halt | None,
        build: Build | None = None,
    ) -> None:
        now = ctx.clock.now()
        artifact = status.artifact
        if isinstance(result, Fetched) and ref is not None and (build is None or build.good):
            artifact = next_artifact(artifact, result, ref=ref, base_url=ctx.settings.artifact_base_url, now=now)
        layer = next_layer(status.layer, artifact, build, base_url=ctx.settings.artifact_base_url, now=now)
        history = status.history
        if bundle is not None:
            history = next_history(
                history,
                artifact,
                layer=layer,
                keep=bundle.spec.retain.revisions,
                ttl=bundle.spec.retain.ttl.timedelta,
                now=now,
                in_storage=self._store.has,
            )
        previous = (obj.get("status") or {}).get("conditions") or []
        before, verified = find(previous, "Fetched"), find(previous, "Verified")
        states = conditions(
            artifact=artifact,
            in_storage=artifact is not None and self._store.available(artifact.digest),
            storage_trouble=self._store.trouble,
            result=result,
            halt=halt,
            fetched_before=_state(before) if before else None,
            build=build,
            layer=layer,
            built_before=[_state(found) for type_ in ("Built", "Inspected") if (found := find(previous, type_))],
            verify=bundle is not None and bundle.spec.git is not None and bundle.spec.git.verify is not None,
            verified_before=_state(verified) if verified else None,
        )
        generation = obj["metadata"].get("generation", 0)
        desired: JsonObject = {
            **(obj.get("status") or {}),
            "observedGeneration": generation,
            "conditions": summarise(states, previous=previous, generation=generation, now=now),
        }
        if artifact is not None:
            desired["artifact"] = _dump(artifact)
        for field, value in (
            ("layer", layer),
            ("manifest", next_manifest(status.manifest, build)),
            ("build", next_build(status.build, build, base_url=ctx.settings.artifact_base_url)),
        ):
            desired.pop(field, None)
            if value is not None:
                desired[field] = _dump(value)
        desired["history"] = [_dump(entry) for entry in history]
        requested = (obj["metadata"].get("annotations") or {}).get(names.ANNOTATION_REQUESTED_AT)
        if requested and result is not None:
            desired["lastHandledRequestedAt"] = requested
        if await ctx.kube.patch_status(obj, {field: value for field, value in desired.items() if value != []}):
            tell(ctx, obj, status.artifact, artifact, before, states)

    async def _sweep(self, ctx: Context) -> float | None:
        """Remove artifacts that no status and no Deployment refers to.

        Returns:
            Seconds after which another sweep may find something; None: nothing is left to remove.
        """
        now = ctx.clock.monotonic()
        wait = self._swept + self._sweep_interval - now
        if wait > 0:
            return wait
        self._swept = now
        in_use = self._jobs.digests() | set(digests_in_use(ctx))
        await asyncio.to_thread(self._store.retain, in_use, min_age_seconds=self._sweep_min_age)
        if self._builds is not None:
            await self._builds.sweep(ctx, min_age_seconds=self._sweep_min_age)
        return self._sweep_interval if self._store.digests() - in_use else None

    def _forget(self, key: Key) -> None:
        self._jobs.forget(key)
        self._jobs.forget(_restore_key(key))
        if self._builds is not None:
            self._builds.forget(key)
        self._polling.pop(key, None)


def _restore_key(key: Key) -> Key:
    """Return the name under which the last good revision of a Bundle is fetched, beside what its spec follows."""
    return Key("BundleRestore", key.namespace, key.name)


def _request_for(request: FetchRequest, commit: str) -> FetchRequest:
    """Return the request for a revision that was fetched before."""
    if request.ref.kind == "archive":
        return request.model_copy(update={"digest": f"sha256:{commit}"})
    if request.ref.kind == "inline":
        return request
    # It was verified when it was fetched, and its tag may be gone.
    return request.model_copy(update={"ref": Ref(kind="commit", name=commit), "verify": None})


def _halt(bundle: Bundle) -> Halt | None:
    if bundle.spec.suspend:
        return Halt(Reason.SUSPENDED, "spec.suspend is true", suspended=True)
    return None


def _status_of(obj: JsonObject) -> BundleStatus:
    """Return the status of an object whose spec cannot be read."""
    try:
        return BundleStatus.model_validate(obj.get("status") or {})
    except ValidationError:
        return BundleStatus()


def _schedule(polling: _Polling, result: Fetched | FetchError, now: float, *, interval: float) -> None:
    """Set when to look again: an interval after a success, sooner after what may heal by itself."""
    if isinstance(result, FetchError) and result.retryable:
        polling.failures += 1
        polling.due = now + backoff(polling.failures, longest=min(_LONGEST_RETRY, max(interval, 10.0)))
        return
    polling.failures = 0
    spread = random.uniform(1 - _INTERVAL_JITTER, 1 + _INTERVAL_JITTER)  # noqa: S311 - spreading load, not secrecy
    # From the moment the remote was asked, be it by another Bundle: nobody's knowledge gets older than its interval.
    since = result.looked if isinstance(result, Fetched) else now
    polling.due = since + max(interval, 1.0) * spread


def count_by_ready(bundles: Iterable[JsonObject]) -> dict[str, int]:
    """Return how many Bundles have each status of the condition Ready; one without it counts as Unknown."""
    counts = {"True": 0, "False": 0, "Unknown": 0}
    for obj in bundles:
        condition = find((obj.get("status") or {}).get("conditions"), "Ready") or {}
        counts[condition.get("status", "Unknown")] += 1
    return counts


def _state(condition: JsonObject) -> ConditionState:
    return ConditionState(
        condition["type"], condition["status"], condition.get("reason", ""), condition.get("message", "")
    )


def _dump(value: Artifact | Manifest | BuildResult) -> JsonObject:
    return value.model_dump(by_alias=True, mode="json", exclude_none=True)
