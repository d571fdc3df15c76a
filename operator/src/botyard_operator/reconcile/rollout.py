"""What the Deployment and the pods of a Bot tell about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from botyard.contract import names
from botyard_operator.api.reasons import Reason
from botyard_operator.reconcile.base import JsonObject
from botyard_operator.reconcile.problems import Problem

_PULL_FAILURES = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
)
_CONFIG_FAILURES = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_LAST_WORDS = 300


@dataclass(frozen=True, slots=True)
class Rollout:
    """The state of the pods, counted."""

    wanted: int = 0
    existing: int = 0
    updated: int = 0
    ready: int = 0
    available: int = 0
    revision: str = ""
    """Bundle revision in the Deployment's pod template."""
    observed: bool = True
    """Whether the Deployment's own controller has seen its newest spec."""
    problem: Problem | None = None
    """What keeps pods from being ready; None while they merely start."""

    @property
    def complete(self) -> bool:
        """All pods run the newest template and are available."""
        return (
            self.observed
            and self.updated == self.wanted
            and self.existing == self.wanted
            and self.available == self.wanted
        )


def observe(deployment: JsonObject, pods: Iterable[JsonObject]) -> Rollout:
    """Return the state of a Deployment with its pods."""
    spec, status = deployment.get("spec") or {}, deployment.get("status") or {}
    template = (spec.get("template") or {}).get("metadata") or {}
    wanted = spec.get("replicas", 1)
    available = status.get("availableReplicas") or 0
    updated = status.get("updatedReplicas") or 0
    counts = Rollout(
        wanted=wanted,
        existing=status.get("replicas") or 0,
        updated=updated,
        ready=status.get("readyReplicas") or 0,
        available=available,
        revision=(template.get("annotations") or {}).get(names.ANNOTATION_REVISION, ""),
        observed=(status.get("observedGeneration") or 0) >= deployment["metadata"].get("generation", 0),
    )
    if counts.complete:
        return counts
    problem = _worst(pods) or _deployment_problem(deployment)
    return Rollout(
        wanted=counts.wanted,
        existing=counts.existing,
        updated=counts.updated,
        ready=counts.ready,
        available=counts.available,
        revision=counts.revision,
        observed=counts.observed,
        problem=problem,
    )


def _worst(pods: Iterable[JsonObject]) -> Problem | None:
    # The newest pod speaks for the newest revision; names break ties so that the message stays the same.
    living = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    living.sort(key=lambda pod: pod["metadata"]["name"])
    living.sort(key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), reverse=True)
    for pod in living:
        problem = pod_problem(pod)
        if problem is not None:
            return problem
    return None


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
            message = f"pod {name} cannot be scheduled: {condition.get('message', '')}"
            return Problem(Reason.UNSCHEDULABLE, message)
    return None


def _containers(status: JsonObject) -> Iterator[JsonObject]:
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


def _container_problem(pod: str, container: JsonObject) -> Problem | None:
    where = f"container {container.get('name')} of pod {pod}"
    state = container.get("state") or {}
    waiting = state.get("waiting") or {}
    reason = waiting.get("reason")
    if reason in _PULL_FAILURES:
        # The API alternates between several reasons and texts for one failure; the status must not.
        message = f"{where} cannot pull image {container.get('image')}: see the pod's events"
        return Problem(Reason.IMAGE_PULL_FAILED, message)
    if reason in _CONFIG_FAILURES:
        return Problem(Reason.PODS_REFUSED, f"{where} cannot be created: {waiting.get('message', reason)}")
    ended = state.get("terminated") or (container.get("lastState") or {}).get("terminated")
    restarted = (container.get("restartCount") or 0) > 0 and not container.get("ready")
    failed_now = bool(state.get("terminated")) and (ended or {}).get("exitCode", 0) != 0
    if ended and ended.get("exitCode", 0) != 0 and (restarted or failed_now):
        return Problem(Reason.CRASH_LOOP, f"{where} keeps ending: {_last_words(ended)}")
    return None


def _last_words(ended: JsonObject) -> str:
    code = ended.get("exitCode")
    if ended.get("reason") == "OOMKilled":
        return "it used more memory than its limit; raise spec.resources.limits.memory"
    lines = [line.strip() for line in str(ended.get("message") or "").splitlines() if line.strip()]
    if not lines:
        return f"exit code {code}"
    return f"{lines[-1][:_LAST_WORDS]} (exit code {code})"


def _deployment_problem(deployment: JsonObject) -> Problem | None:
    conditions: dict[str, Any] = {
        condition.get("type"): condition for condition in (deployment.get("status") or {}).get("conditions") or ()
    }
    failure = conditions.get("ReplicaFailure") or {}
    if failure.get("status") == "True":
        message = str(failure.get("message", ""))
        if "exceeded quota" in message:
            return Problem(Reason.QUOTA_EXCEEDED, f"the namespace's quota refuses the pods: {message}")
        return Problem(Reason.PODS_REFUSED, f"the API server refuses the pods: {message}")
    progressing = conditions.get("Progressing") or {}
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        message = "the rollout makes no progress: look at the pods' events and logs"
        return Problem(Reason.PROGRESS_DEADLINE_EXCEEDED, message)
    return None
