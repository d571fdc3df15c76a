"""What a pod of a Bot tells about why it is not ready, and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from botyard.contract import names
from botyard_operator.api.reasons import Reason
from botyard_operator.reconcile.base import JsonObject
from botyard_operator.reconcile.problems import Problem

_PULL_FAILURES = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
)
_CONFIG_FAILURES = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_LOAD_FAILED = 3
_REDIS_UNSUITED = 4
"""Exit code of a supervisor whose worker could not import the bundle; its last words are the exception."""
_LAST_WORDS = 600


def worst(pods: Iterable[JsonObject]) -> Problem | None:
    """Return the problem of the newest pod that has one: it speaks for the newest revision."""
    for pod in _newest_first(pods):
        problem = pod_problem(pod)
        if problem is not None:
            return problem
    return None


def unprepared(pods: Iterable[JsonObject]) -> Problem | None:
    """Return the problem of a pod that the kubelet cannot prepare; while time is left, it merely starts."""
    for pod in _newest_first(pods):
        for condition in (pod.get("status") or {}).get("conditions") or ():
            if condition.get("type") == "PodReadyToStartContainers" and condition.get("status") == "False":
                name = pod["metadata"]["name"]
                message = f"pod {name} gets no volumes or no network: `kubectl describe pod {name}` shows what it lacks"
                return Problem(Reason.PODS_REFUSED, message)
    return None


def serving(pods: Iterable[JsonObject]) -> tuple[str, ...]:
    """Return the revisions that ready pods run, sorted."""
    found = set()
    for pod in pods:
        conditions = (pod.get("status") or {}).get("conditions") or ()
        if any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions):
            found.add(str((pod["metadata"].get("annotations") or {}).get(names.ANNOTATION_REVISION, "")))
    return tuple(sorted(found - {""}))


def pod_problem(pod: JsonObject) -> Problem | None:
    """Return what keeps a pod from being ready beyond the time that starting takes, or None."""
    name = pod["metadata"]["name"]
    status = pod.get("status") or {}
    for container in _containers(status):
        problem = _container_problem(name, container)
        if problem is not None:
            return problem
    for condition in status.get("conditions") or ():
        unschedulable = condition.get("type") == "PodScheduled" and condition.get("status") == "False"
        if unschedulable and condition.get("reason") == "Unschedulable":
            message = (
                f"pod {name} cannot be scheduled: {str(condition.get('message', '')).rstrip('.')}; free or add nodes, "
                "or lower spec.resources.requests"
            )
            return Problem(Reason.UNSCHEDULABLE, message)
    return None


def _newest_first(pods: Iterable[JsonObject]) -> list[JsonObject]:
    # Names break ties, so that the message stays the same.
    living = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    living.sort(key=lambda pod: str(pod["metadata"]["name"]))
    living.sort(key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), reverse=True)
    return living


def _containers(status: JsonObject) -> Iterator[JsonObject]:
    # A worker that ends takes its supervisor's readiness along: the cause comes first.
    yield from status.get("initContainerStatuses") or ()
    yield from sorted(status.get("containerStatuses") or (), key=lambda container: container.get("name") != "worker")


def _container_problem(pod: str, container: JsonObject) -> Problem | None:
    name = str(container.get("name"))
    where = f"container {name} of pod {pod}"
    state = container.get("state") or {}
    waiting = state.get("waiting") or {}
    reason = waiting.get("reason")
    if reason in _PULL_FAILURES:
        # The API alternates between several reasons and texts for one failure; the status must not.
        message = (
            f"{where} cannot pull image {container.get('image')}: correct the installation's runtime image or its pull "
            f"credentials; `kubectl describe pod {pod}` has the registry's answer"
        )
        return Problem(Reason.IMAGE_PULL_FAILED, message)
    if reason in _CONFIG_FAILURES:
        return Problem(Reason.PODS_REFUSED, f"{where} cannot be created: {waiting.get('message', reason)}")
    ended = state.get("terminated") or (container.get("lastState") or {}).get("terminated")
    restarted = (container.get("restartCount") or 0) > 0 and not container.get("ready")
    failed_now = bool(state.get("terminated")) and (ended or {}).get("exitCode", 0) != 0
    if ended and ended.get("exitCode", 0) != 0 and (restarted or failed_now):
        return Problem(Reason.CRASH_LOOP, _crash(pod, name, where, ended))
    return None


def _crash(pod: str, container: str, where: str, ended: JsonObject) -> str:
    code = ended.get("exitCode")
    if ended.get("reason") == "OOMKilled":
        way_out = (
            "raise spec.resources.limits.memory"
            if container == "worker"
            else "lower spec.limits.concurrency or maxInput"
        )
        return f"{where} keeps ending: it used more memory than its limit; {way_out}"
    words = _last_words(ended)
    if container == "fetch" and words:
        return f"pod {pod} cannot fetch the bundle: {words.removeprefix('botyard fetch: ')}"
    if container == "supervisor" and code == _REDIS_UNSUITED and words:
        return f"pod {pod} cannot use Redis: {words}"
    if container == "supervisor" and code == _LOAD_FAILED and words:
        memory = "too much memory" in words
        way_out = "raise spec.resources.limits.memory" if memory else "correct the bundle's code and push it"
        return f"pod {pod} cannot import the bundle: {words}; {way_out}"
    logs = f"`kubectl logs {pod} -c {container} --previous` shows more"
    return (
        f"{where} keeps ending: {words} (exit code {code}); {logs}"
        if words
        else (f"{where} keeps ending with exit code {code}; {logs}")
    )


def _last_words(ended: JsonObject) -> str:
    """Return the last line that the container left behind: its own words, or else the end of its log."""
    lines = [line.strip() for line in str(ended.get("message") or "").splitlines() if line.strip()]
    if not lines:
        return ""
    try:
        logged = json.loads(lines[-1])
        text = str(logged["message"])
    except (ValueError, KeyError, TypeError):
        text = lines[-1]
    return text if len(text) <= _LAST_WORDS else f"{text[:_LAST_WORDS]}…"
