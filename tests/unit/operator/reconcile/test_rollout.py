"""What a Deployment and its pods tell about a Bot."""

from typing import Any

import pytest

from botyard_operator.api.reasons import Reason
from botyard_operator.reconcile.bot_conditions import conditions
from botyard_operator.reconcile.pods import pod_problem
from botyard_operator.reconcile.problems import Problem
from botyard_operator.reconcile.rollout import observe

Object = dict[str, Any]


def _deployment(*, wanted: int = 2, generation: int = 1, conditions: Any = (), **status: int) -> Object:
    template = {"metadata": {"annotations": {"botyard.dev/revision": "main@sha1:1"}}}
    return {
        "metadata": {"name": "clerk", "generation": generation},
        "spec": {"replicas": wanted, "template": template},
        "status": {"observedGeneration": 1, "conditions": list(conditions), **status},
    }


def _pod(name: str = "clerk-1", created: str = "2026-01-01T00:00:00Z", **container: Any) -> Object:
    status = {"containerStatuses": [{"name": "worker", "image": "img:1", "restartCount": 0, **container}]}
    return {"metadata": {"name": name, "creationTimestamp": created}, "status": status}


def _all(count: int) -> dict[str, int]:
    fields = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    return dict.fromkeys(fields, count)


def _types(states: list[Any]) -> dict[str, tuple[str, str]]:
    return {state.type: (state.status, str(state.reason)) for state in states}


def test_all_replicas_on_the_newest_template() -> None:
    states = _types(conditions(observe(_deployment(**_all(2)), []), None))
    assert states == {
        "Ready": ("True", "Succeeded"),
        "BundleReady": ("True", "Succeeded"),
        "RolledOut": ("True", "Succeeded"),
    }


def test_one_available_replica_keeps_the_bot_ready_while_it_rolls() -> None:
    rolling = observe(_deployment(**{**_all(2), "updatedReplicas": 1, "availableReplicas": 1}), [])
    states = _types(conditions(rolling, None))
    assert states["Ready"] == ("True", "Succeeded")
    assert states["Reconciling"] == ("True", "RollingOut")
    assert states["RolledOut"] == ("False", "RollingOut")


def test_a_template_that_its_controller_has_not_seen_is_not_rolled_out() -> None:
    unseen = observe(_deployment(generation=2, **_all(2)), [])
    assert not unseen.complete
    assert _types(conditions(unseen, None))["Reconciling"] == ("True", "RollingOut")


def test_a_stopped_bot_is_ready_on_purpose() -> None:
    assert _types(conditions(observe(_deployment(wanted=0), []), None))["Ready"] == ("True", "Stopped")


def test_a_problem_of_the_spec_leaves_what_runs_ready() -> None:
    problem = Problem(Reason.INVALID_SPEC, "spec.x", stalled=True)
    states = _types(conditions(observe(_deployment(**_all(2)), []), problem))
    assert states["Ready"] == ("True", "Succeeded")
    assert states["Stalled"] == ("True", "InvalidSpec")
    assert "Reconciling" not in states
    assert _types(conditions(None, problem))["Ready"] == ("False", "InvalidSpec")


@pytest.mark.parametrize(
    ("container", "reason", "message"),
    [
        ({"state": {"waiting": {"reason": "ImagePullBackOff"}}}, Reason.IMAGE_PULL_FAILED, "cannot pull image img:1"),
        (
            {"state": {"waiting": {"reason": "CreateContainerConfigError", "message": "secret x not found"}}},
            Reason.PODS_REFUSED,
            "secret x not found",
        ),
        (
            {
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 3, "message": "one\nValueError: two\n"}},
                "restartCount": 4,
            },
            Reason.CRASH_LOOP,
            "ValueError: two (exit code 3)",
        ),
        (
            {"state": {"running": {}}, "lastState": {"terminated": {"exitCode": 1}}, "restartCount": 1},
            Reason.CRASH_LOOP,
            "exit code 1",
        ),
        (
            {"state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}},
            Reason.CRASH_LOOP,
            "raise spec.resources.limits.memory",
        ),
    ],
)
def test_a_container_that_does_not_run_says_why(container: Object, reason: Reason, message: str) -> None:
    problem = pod_problem(_pod(**container))
    assert problem is not None
    assert problem.reason == reason
    assert message in problem.message


@pytest.mark.parametrize(
    "container",
    [
        {"state": {"waiting": {"reason": "ContainerCreating"}}},
        {"state": {"running": {}}},
        {"state": {"running": {}}, "lastState": {"terminated": {"exitCode": 1}}, "restartCount": 1, "ready": True},
        {"state": {"terminated": {"exitCode": 0}}},
    ],
)
def test_starting_and_healthy_containers_are_no_problem(container: Object) -> None:
    assert pod_problem(_pod(**container)) is None


def test_a_crash_reads_the_same_between_its_restarts() -> None:
    ended = {"terminated": {"exitCode": 1, "message": "boom"}}
    waiting = _pod(state={"waiting": {"reason": "CrashLoopBackOff"}}, lastState=ended, restartCount=2)
    running = _pod(state={"running": {}}, lastState=ended, restartCount=3)
    stopped = _pod(state=ended, lastState=ended, restartCount=4)
    assert pod_problem(waiting) == pod_problem(running) == pod_problem(stopped)


def test_an_unschedulable_pod_says_so() -> None:
    pod = _pod()
    pod["status"] = {
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}]
    }
    problem = pod_problem(pod)
    assert problem == Problem(
        Reason.UNSCHEDULABLE,
        "pod clerk-1 cannot be scheduled: 0/3 nodes; free or add nodes, or lower spec.resources.requests",
    )


def test_the_newest_pod_speaks_and_a_leaving_one_is_silent() -> None:
    broken: Object = {"state": {"waiting": {"reason": "ErrImagePull"}}}
    old, new = _pod("clerk-a", **broken), _pod("clerk-b", "2026-01-02T00:00:00Z", **broken)
    told = observe(_deployment(), [old, new]).problem
    assert told is not None
    assert "clerk-b" in told.message
    new["metadata"]["deletionTimestamp"] = "2026-01-03T00:00:00Z"
    told = observe(_deployment(), [old, new]).problem
    assert told is not None
    assert "clerk-a" in told.message


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        (
            {"type": "ReplicaFailure", "status": "True", "message": "pods is forbidden: exceeded quota: q"},
            Reason.QUOTA_EXCEEDED,
        ),
        ({"type": "ReplicaFailure", "status": "True", "message": "violates PodSecurity"}, Reason.PODS_REFUSED),
    ],
)
def test_the_deployment_speaks_where_no_pod_does(condition: Object, reason: Reason) -> None:
    rollout = observe(_deployment(conditions=[condition]), [])
    assert rollout.problem is not None
    assert rollout.problem.reason == reason
    assert _types(conditions(rollout, None))["Ready"] == ("False", str(reason))


def _overdue(**status: int) -> Object:
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    deployment = _deployment(conditions=[late], **status)
    deployment["spec"]["progressDeadlineSeconds"] = 60
    return deployment


def _serving(revision: str) -> Object:
    pod = _pod("clerk-0", state={"running": {}}, ready=True)
    pod["metadata"]["annotations"] = {"botyard.dev/revision": revision}
    pod["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    return pod


def test_a_rollout_past_its_deadline_stalls_with_the_pods_cause_while_the_old_revision_serves() -> None:
    crash: Object = {
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 1, "message": "boom"}},
        "restartCount": 4,
    }
    pods = [_serving("main@sha1:0"), _pod("clerk-1", "2026-01-02T00:00:00Z", **crash)]
    found = conditions(observe(_overdue(**{**_all(2), "updatedReplicas": 1}), pods), None)
    states = _types(found)
    assert states["Ready"] == ("True", "Succeeded")
    assert states["RolledOut"] == ("False", "ProgressDeadlineExceeded")
    assert states["Stalled"] == ("True", "CrashLoop")
    assert "Reconciling" not in states
    messages = {state.type: state.message for state in found}
    for type_ in ("RolledOut", "Stalled"):
        assert "container worker of pod clerk-1 keeps ending: boom" in messages[type_]
        assert "no progress within 60 s (spec.rollout.progressDeadline); main@sha1:0 keeps serving" in messages[type_]


def test_a_late_rollout_without_a_known_cause_says_where_to_look() -> None:
    states = conditions(observe(_overdue(), []), None)
    assert _types(states)["Ready"] == ("False", "ProgressDeadlineExceeded")
    assert _types(states)["Stalled"] == ("True", "ProgressDeadlineExceeded")
    assert "look at the pods' events" in next(state.message for state in states if state.type == "Stalled")


def test_a_deadline_of_an_older_spec_is_no_news() -> None:
    deployment = _overdue()
    deployment["metadata"]["generation"] = 2
    assert "Stalled" not in _types(conditions(observe(deployment, []), None))


def test_pods_of_an_older_template_are_history_once_there_are_newer_ones() -> None:
    old, new = _pod("clerk-1", state={"waiting": {"reason": "ErrImagePull"}}), _pod("clerk-2", state={"running": {}})
    new["metadata"]["annotations"] = {"botyard.dev/revision": "main@sha1:1"}
    assert observe(_deployment(), [old, new]).problem is None
    assert observe(_deployment(), [old]).problem is not None
