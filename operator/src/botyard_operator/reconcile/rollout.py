"""What the Deployment of a Bot tells about it, with its pods."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from botyard.contract import names
from botyard_operator.api.reasons import Reason
from botyard_operator.reconcile.base import JsonObject
from botyard_operator.reconcile.pods import serving, unprepared, worst
from botyard_operator.reconcile.problems import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
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
    overdue: str | None = None
    """Set once the rollout made no progress for the time that it has: says so, and what keeps serving."""

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
    counts: dict[str, Any] = {
        "wanted": spec.get("replicas", 1),
        "existing": status.get("replicas") or 0,
        "updated": status.get("updatedReplicas") or 0,
        "ready": status.get("readyReplicas") or 0,
        "available": status.get("availableReplicas") or 0,
        "revision": (template.get("annotations") or {}).get(names.ANNOTATION_REVISION, ""),
        "observed": (status.get("observedGeneration") or 0) >= deployment["metadata"].get("generation", 0),
    }
    if Rollout(**counts).complete:
        return Rollout(**counts)
    pods = list(pods)
    newest = [pod for pod in pods if _made_from(pod, template)] or pods
    problem = worst(newest) or _replica_failure(status)
    overdue: str | None = None
    # What the controller says of an older spec is no news about this one.
    if counts["observed"] and _deadline_exceeded(status):
        overdue = _overdue(spec, pods)
        problem = problem or unprepared(newest)
    return Rollout(**counts, problem=problem, overdue=overdue)


def _made_from(pod: JsonObject, template: JsonObject) -> bool:
    """Whether a pod is of this template: what is wrong with those of an older one is history."""
    wanted, found = template.get("annotations") or {}, pod["metadata"].get("annotations") or {}
    return all(found.get(name) == wanted.get(name) for name in (names.ANNOTATION_REVISION, names.ANNOTATION_HASH))


def _overdue(spec: JsonObject, pods: Iterable[JsonObject]) -> str:
    still = ", ".join(serving(pods))
    goes_on = f"; {still} keeps serving" if still else ""
    return f"no progress within {spec.get('progressDeadlineSeconds', 600)} s (spec.rollout.progressDeadline){goes_on}"


def _deadline_exceeded(status: JsonObject) -> bool:
    return _condition(status, "Progressing").get("reason") == "ProgressDeadlineExceeded"


def _replica_failure(status: JsonObject) -> Problem | None:
    failure = _condition(status, "ReplicaFailure")
    if failure.get("status") != "True":
        return None
    message = str(failure.get("message", ""))
    if "exceeded quota" in message:
        text = f"the namespace's quota refuses the pods: {message}; raise the quota or lower spec.replicas"
        return Problem(Reason.QUOTA_EXCEEDED, text)
    return Problem(Reason.PODS_REFUSED, f"the API server refuses the pods: {message}")


def _condition(status: JsonObject, type_: str) -> JsonObject:
    return next((each for each in status.get("conditions") or () if each.get("type") == type_), {})
