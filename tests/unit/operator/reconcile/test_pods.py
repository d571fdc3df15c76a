"""What pods tell: statuses recorded from a real kubelet, and what a Bot says of them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from botyard_operator.api.reasons import Reason
from botyard_operator.reconcile.pods import pod_problem, serving, unprepared

_FOLDER = Path(__file__).parent / "pods"
POD = "clerk-5f76c6df9-wpgdh"
_FETCH = f"pod {POD} cannot fetch the bundle: http://"
_IMPORT = f"pod {POD} cannot import the bundle: "
_PUSH = "; correct the bundle's code and push it"


def _recorded(name: str) -> dict[str, Any]:
    pod: dict[str, Any] = yaml.safe_load((_FOLDER / f"{name}.yaml").read_text())
    return pod


@pytest.mark.parametrize(
    ("recorded", "message"),
    [
        ("syntax", f"{_IMPORT}SyntaxError: invalid syntax (bot.py, line 1) (at bot.py:1){_PUSH}"),
        ("missing-module", f"{_IMPORT}ModuleNotFoundError: No module named 'stripe_client' (at bot.py:1 in <module>)"),
        ("exception", f"{_IMPORT}KeyError: 'PAYMENT_KEY' (at bot.py:4 in <module>){_PUSH}"),
        ("exit", f"{_IMPORT}SystemExit: no licence (at bot.py:4 in <module>){_PUSH}"),
        ("out-of-memory", "most likely because it used too much memory; raise spec.resources.limits.memory"),
        ("fetch-wrong-digest", f"{_FETCH}files.shop:8082/raises.tar.gz could not be downloaded in 8 attempts"),
        ("fetch-no-artifact", "the artifact is not in the operator's storage (HTTP 404)"),
        ("fetch-unreachable", "Check that the operator runs and that network policies let this pod reach it."),
    ],
)
def test_a_crash_loop_tells_its_last_exception_and_what_to_do(recorded: str, message: str) -> None:
    problem = pod_problem(_recorded(recorded))
    assert problem is not None
    assert problem.reason == Reason.CRASH_LOOP
    assert message in problem.message
    assert "\n" not in problem.message


def test_a_redis_that_cannot_do_what_its_url_asks_for_is_no_fault_of_the_bundle() -> None:
    pod = _recorded("exception")
    (status,) = [each for each in pod["status"]["containerStatuses"] if each["name"] == "supervisor"]
    ended = {"exitCode": 4, "reason": "Error", "message": "acknowledge=fsync needs WAITAOF"}
    status |= {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": ended}}
    problem = pod_problem(pod)
    assert problem is not None
    assert problem.message == f"pod {POD} cannot use Redis: acknowledge=fsync needs WAITAOF"


def test_an_image_that_cannot_be_pulled_is_named() -> None:
    problem = pod_problem(_recorded("image"))
    assert problem is not None
    assert problem.reason == Reason.IMAGE_PULL_FAILED
    assert "container fetch" in problem.message
    assert "registry.example.com/botyard/absent:1" in problem.message
    assert "correct the installation's runtime image" in problem.message


def test_a_pod_without_room_says_what_is_short() -> None:
    problem = pod_problem(_recorded("no-room"))
    assert problem is not None
    assert problem.reason == Reason.UNSCHEDULABLE
    assert "1 Insufficient cpu" in problem.message
    assert "lower spec.resources.requests" in problem.message


def test_a_pod_without_its_volumes_is_a_problem_only_once_its_time_is_over() -> None:
    pod = _recorded("no-volume")
    assert pod_problem(pod) is None
    late = unprepared([pod])
    assert late is not None
    assert f"kubectl describe pod {POD}" in late.message


def test_a_worker_that_crashes_is_the_cause_not_its_supervisor() -> None:
    pod = _recorded("exception")
    supervisor, worker = pod["status"]["containerStatuses"]
    worker.update(ready=False, restartCount=2, state=supervisor["state"])
    worker["lastState"] = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    problem = pod_problem(pod)
    assert problem is not None
    assert "container worker" in problem.message
    assert "raise spec.resources.limits.memory" in problem.message


def test_words_from_a_log_are_read_as_the_log_has_them() -> None:
    pod = _recorded("exception")
    ended = pod["status"]["containerStatuses"][0]["lastState"]["terminated"]
    ended.update(
        exitCode=1, message='{"level": "info", "message": "a"}\n{"level": "error", "message": "redis is gone"}\n'
    )
    problem = pod_problem(pod)
    assert problem is not None
    assert problem.message == (
        f"container supervisor of pod {POD} keeps ending: redis is gone (exit code 1); "
        f"`kubectl logs {POD} -c supervisor --previous` shows more"
    )


def test_revisions_that_serve_are_those_of_ready_pods() -> None:
    ready, other = _recorded("exception"), _recorded("exception")
    for pod, revision in ((ready, "main@sha1:1"), (other, "main@sha1:2")):
        pod["metadata"]["annotations"] = {"botyard.dev/revision": revision}
    next(each for each in ready["status"]["conditions"] if each["type"] == "Ready")["status"] = "True"
    assert serving([ready, other]) == ("main@sha1:1",)
