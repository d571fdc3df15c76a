"""What the status of a Bot says of its rollout. Pure."""

from __future__ import annotations

from botyard.contract import names
from botyard_operator.api.bot import FailedRevision
from botyard_operator.api.reasons import ConditionType, Reason
from botyard_operator.conditions import ConditionState, ready, reconciling, stalled
from botyard_operator.reconcile.problems import Problem
from botyard_operator.reconcile.rollout import Rollout


def conditions(
    rollout: Rollout | None,
    problem: Problem | None,
    *,
    suspended: bool = False,
    failed: FailedRevision | None = None,
    sleeps: bool = False,
    ramping: Problem | None = None,
) -> list[ConditionState]:
    """Return the conditions of a Bot.

    Args:
        rollout: What its Deployment tells; None while there is none.
        problem: What keeps its spec from being in force.
        suspended: Whether nothing is done about differences.
        failed: The revision that the spec asks for, where it was taken back.
        sleeps: Whether demand brings it from no replicas back to one.
        ramping: How far a revision has got that takes over step by step.
    """
    states = [_ready(rollout, problem, sleeps=sleeps)]
    moving = _moving(rollout)
    if problem is not None and problem.stalled:
        states.append(stalled(problem.reason, problem.message))
    elif problem is not None:
        states.append(reconciling(problem.reason, problem.message))
    elif moving is not None and rollout is not None and rollout.overdue and not suspended:
        cause = rollout.problem
        states.append(
            stalled(moving.reason, moving.message)
            if cause is None
            else stalled(cause.reason, f"{cause.message} ({rollout.overdue})")
        )
    elif failed is not None:
        states.append(stalled(failed.reason, _taken_back(failed)))
    elif (moving or ramping) is not None and not suspended:
        waits = moving or ramping
        assert waits is not None
        states.append(reconciling(waits.reason, waits.message))
    about_bundle = problem is not None and problem.reason in _BUNDLE_REASONS
    if about_bundle and problem is not None:
        states.append(ConditionState(ConditionType.BUNDLE_READY, "False", problem.reason, problem.message))
    elif (problem is None or problem.reason in _GATE_REASONS) and not suspended:
        message = "the Bundle has a revision to run"
        states.append(ConditionState(ConditionType.BUNDLE_READY, "True", Reason.SUCCEEDED, message))
    if problem is None and moving is None and failed is not None:
        reason = Reason.RAMP_FAILED if failed.reason == Reason.RAMP_FAILED else Reason.PROGRESS_DEADLINE_EXCEEDED
        moving = Problem(reason, _taken_back(failed))
    states.append(_rolled_out(rollout, problem, moving or ramping))
    return states


def _taken_back(failed: FailedRevision) -> str:
    when = "while it was ramped" if failed.reason == Reason.RAMP_FAILED else "within spec.rollout.progressDeadline"
    return (
        f"{failed.revision} failed {when} and was taken back: {failed.message}; a new "
        f"revision, or a change of what it needs, is tried at once; the annotation {names.ANNOTATION_REQUESTED_AT} "
        "tries this one again"
    )


_BUNDLE_REASONS = frozenset({Reason.BUNDLE_NOT_FOUND, Reason.BUNDLE_NOT_READY})
_GATE_REASONS = frozenset(
    {
        Reason.COUNTING_CONVERSATIONS,
        Reason.CONVERSATIONS_NOT_COUNTED,
        Reason.STATE_INCOMPATIBLE,
        Reason.SCENARIOS_RUNNING,
        Reason.SCENARIOS_FAILED,
    }
)


def _ready(rollout: Rollout | None, problem: Problem | None, *, sleeps: bool) -> ConditionState:
    if rollout is None:
        if problem is None:
            return ready("False", Reason.PROGRESSING, "the Deployment is being created")
        return ready("False", problem.reason, problem.message)
    if rollout.wanted == 0 and sleeps:
        return ready("True", Reason.ASLEEP, "asleep: no event waits; the next one wakes it")
    if rollout.wanted == 0:
        return ready("True", Reason.STOPPED, "stopped: spec.replicas is 0")
    if rollout.available > 0:
        message = f"{rollout.available} of {rollout.wanted} replicas are available"
        return ready("True", Reason.SUCCEEDED, message)
    if rollout.problem is not None:
        return ready("False", rollout.problem.reason, rollout.problem.message)
    if problem is not None:
        return ready("False", problem.reason, problem.message)
    if rollout.overdue:
        return ready("False", Reason.PROGRESS_DEADLINE_EXCEEDED, rollout.overdue)
    return ready("False", Reason.PODS_NOT_READY, f"none of {rollout.wanted} replicas is available yet")


def _moving(rollout: Rollout | None) -> Problem | None:
    if rollout is None:
        return Problem(Reason.PROGRESSING, "the Deployment is being created")
    if rollout.complete:
        return None
    if rollout.overdue:
        cause = rollout.problem.message if rollout.problem is not None else "look at the pods' events and logs"
        return Problem(Reason.PROGRESS_DEADLINE_EXCEEDED, f"{rollout.overdue}: {cause}")
    if rollout.problem is not None:
        return rollout.problem
    if rollout.available == 0:
        return Problem(Reason.PODS_NOT_READY, f"none of {rollout.wanted} replicas is available yet")
    message = f"{rollout.updated} of {rollout.wanted} replicas run the newest revision and configuration"
    return Problem(Reason.ROLLING_OUT, message)


def _rolled_out(rollout: Rollout | None, problem: Problem | None, moving: Problem | None) -> ConditionState:
    if problem is not None:
        return ConditionState(ConditionType.ROLLED_OUT, "False", problem.reason, problem.message)
    if moving is not None:
        return ConditionState(ConditionType.ROLLED_OUT, "False", moving.reason, moving.message)
    revision = rollout.revision if rollout is not None else ""
    return ConditionState(ConditionType.ROLLED_OUT, "True", Reason.SUCCEEDED, f"all replicas run {revision}")
