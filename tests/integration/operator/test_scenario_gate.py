"""A new revision's scenarios run in a Job before it takes over; this test says what the kubelet would say."""

from typing import Any

import pytest

from botyard.contract.scenarios import FailedScenario, ScenarioReport
from botyard_operator import resources
from tests.integration.operator.waiting import eventually
from tests.integration.operator.world import DIGEST, REVISION, World

pytestmark = pytest.mark.usefixtures("operator")

NEWER = "main@sha1:" + "2d" * 20
NEWER_DIGEST = "sha256:" + "b2" * 32
PASSED = ScenarioReport(total=3)
FAILED = ScenarioReport(
    total=3, failed=1, failures=(FailedScenario(name="It books", where="scenarios/a.yaml:9", problem="says no"),)
)


def _jobs(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.client.request("GET", resources.of("Job").path(world.namespace))["items"]
    return [job for job in found if not job["metadata"].get("deletionTimestamp")]


def _job(world: World) -> dict[str, Any]:
    found: dict[str, Any] = eventually(lambda: next(iter(_jobs(world)), None), "a Job runs the scenarios")
    return found


def _ends(world: World, job: dict[str, Any], report: ScenarioReport | None) -> None:
    """Say what kubelet and Job controller say of a run that came to its end."""
    name, passed = job["metadata"]["name"], report is not None and report.passed
    labels = {**job["spec"]["template"]["metadata"]["labels"]}
    labels["batch.kubernetes.io/controller-uid"] = job["metadata"]["uid"]
    containers = [{"name": "scenarios", "image": "registry.example.com/x:1"}]
    pod = f"{name}-{job['metadata']['uid'][:5]}"
    metadata = {"name": pod, "namespace": world.namespace, "labels": labels}
    world.create("Pod", pod, metadata=metadata, spec={"containers": containers, "restartPolicy": "Never"})
    ended = {"exitCode": 0 if passed else 1, "reason": "Completed", "message": report.message() if report else ""}
    status = {"name": "scenarios", "image": "x", "imageID": "x", "ready": False, "restartCount": 0}
    phase = {"phase": "Succeeded" if passed else "Failed"}
    world.patch(
        "Pod", pod, {"status": {**phase, "containerStatuses": [{**status, "state": {"terminated": ended}}]}},
        subresource="status",
    )  # fmt: skip
    time = "2026-01-01T00:00:00Z"
    conditions = [{"type": type_, "status": "True"} for type_ in _final(passed)]
    world.patch(
        "Job", name,
        {"status": {"conditions": conditions, "startTime": time, **({"completionTime": time} if passed else {})}},
        subresource="status",
    )  # fmt: skip


def _final(passed: bool) -> tuple[str, str]:
    return ("SuccessCriteriaMet", "Complete") if passed else ("FailureTarget", "Failed")


def _bundle(world: World, revision: str, digest: str) -> None:
    """Say in the Bundle's status that this revision is ready and brings scenarios."""
    artifact = {
        "revision": revision,
        "digest": digest,
        "url": f"http://artifacts.example.com/v1/artifacts/{digest[7:]}.tar.gz",
        "size": 1,
        "lastUpdateTime": "2026-01-01T00:00:00Z",
    }
    status = {"artifact": artifact, "manifest": {"model": "fsm", "scenarios": 3}}
    world.patch("Bundle", "repairs", {"status": status}, subresource="status")


def _runs(world: World, revision: str) -> bool:
    deployment = world.get("Deployment", "repairs")
    return deployment is not None and (
        deployment["spec"]["template"]["metadata"]["annotations"]["botyard.dev/revision"] == revision
    )


def _started(world: World, **rollout: Any) -> None:
    """Bring a Bot of a revision with scenarios to Ready, through the gate."""
    world.create("Bundle", "repairs", spec={"git": {"url": "https://git.example.com/bots.git"}, "suspend": True})
    _bundle(world, REVISION, DIGEST)
    world.bot(rollout=rollout or {"scenarios": "Required"})
    if rollout.get("scenarios") != "Skip":
        waiting = world.await_condition("Bot", "repairs", "Ready", "False", "ScenariosRunning")
        assert REVISION in waiting["message"]
        assert world.get("Deployment", "repairs") is None
        _ends(world, _job(world), PASSED)
    world.await_object("Deployment", "repairs")
    world.rolled_out()
    world.await_condition("Bot", "repairs", "Ready", "True")


def test_the_first_revision_runs_once_its_scenarios_passed(world: World) -> None:
    _started(world)
    world.await_condition("Bot", "repairs", "Reconciling", None)
    run = (world.get("Bot", "repairs") or {})["status"]["scenarios"]
    assert (run["total"], run["passed"], run["revision"]) == (3, True, REVISION)
    eventually(lambda: world.get("Secret", "repairs-scenarios") is None, "the run's tokens are gone")
    world.settle()


def test_the_pod_is_restricted_and_none_of_the_bots_own(world: World) -> None:
    world.create("Bundle", "repairs", spec={"git": {"url": "https://git.example.com/bots.git"}, "suspend": True})
    _bundle(world, REVISION, DIGEST)
    world.bot()
    template = _job(world)["spec"]["template"]
    spec = template["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert "botyard.dev/bot" not in template["metadata"]["labels"]
    (scenarios,) = spec["containers"]
    assert "env" not in scenarios
    assert not any(mount["name"] == "tokens" for mount in scenarios["volumeMounts"])
    policy = world.await_object("NetworkPolicy", "repairs-scenarios")
    assert policy["spec"]["podSelector"]["matchLabels"]["botyard.dev/scenarios-of"] == "repairs"


def test_a_revision_whose_scenarios_fail_never_takes_over(world: World) -> None:
    _started(world)
    first = _job(world)["metadata"]["name"]
    _bundle(world, NEWER, NEWER_DIGEST)
    job = eventually(lambda: next((j for j in _jobs(world) if j["metadata"]["name"] != first), None), "a second Job")
    world.await_condition("Bot", "repairs", "Reconciling", "True", "ScenariosRunning")
    _ends(world, job, FAILED)
    stalled = world.await_condition("Bot", "repairs", "Stalled", "True", "ScenariosFailed")
    assert "1 of 3 scenarios" in stalled["message"]
    assert "'It books' (scenarios/a.yaml:9): says no" in stalled["message"]
    assert world.condition("Bot", "repairs", "Ready")["status"] == "True"  # type: ignore[index]
    assert world.condition("Bot", "repairs", "RolledOut")["reason"] == "ScenariosFailed"  # type: ignore[index]
    assert _runs(world, REVISION)
    world.settle()


def test_failed_scenarios_are_run_again_when_asked_for(world: World) -> None:
    test_a_revision_whose_scenarios_fail_never_takes_over(world)
    known = {job["metadata"]["uid"] for job in _jobs(world)}
    world.patch("Bot", "repairs", {"metadata": {"annotations": {"botyard.dev/requestedAt": "now"}}})
    again = eventually(lambda: next((j for j in _jobs(world) if j["metadata"]["uid"] not in known), None), "a new Job")
    _ends(world, again, PASSED)
    eventually(lambda: _runs(world, NEWER), "the newest revision rolls out")
    world.rolled_out()
    world.await_condition("Bot", "repairs", "Stalled", None)


def test_advisory_tells_and_lets_it_take_over(world: World) -> None:
    world.create("Bundle", "repairs", spec={"git": {"url": "https://git.example.com/bots.git"}, "suspend": True})
    _bundle(world, REVISION, DIGEST)
    world.bot(rollout={"scenarios": "Advisory"})
    _ends(world, _job(world), FAILED)
    world.await_object("Deployment", "repairs")
    world.rolled_out()
    world.await_condition("Bot", "repairs", "Reconciling", None)
    run = (world.get("Bot", "repairs") or {})["status"]["scenarios"]
    assert run["failed"] == 1
    assert "'It books'" in run["message"]


def test_skip_runs_nothing(world: World) -> None:
    _started(world, scenarios="Skip")
    assert _jobs(world) == []


def test_a_run_that_says_nothing_counts_as_failed(world: World) -> None:
    world.create("Bundle", "repairs", spec={"git": {"url": "https://git.example.com/bots.git"}, "suspend": True})
    _bundle(world, REVISION, DIGEST)
    world.bot()
    _ends(world, _job(world), None)
    stalled = world.await_condition("Bot", "repairs", "Stalled", "True", "ScenariosFailed")
    assert "ended without saying how the scenarios" in stalled["message"]
    assert world.get("Deployment", "repairs") is None


def test_a_way_back_does_not_wait_for_scenarios(world: World) -> None:
    _started(world, scenarios="Skip")
    world.patch("Bot", "repairs", {"spec": {"rollout": {"scenarios": "Required"}}})
    _bundle(world, NEWER, NEWER_DIGEST)
    _ends(world, _job(world), PASSED)
    eventually(lambda: _runs(world, NEWER), "the newest revision rolls out")
    world.rolled_out()
    eventually(lambda: (world.get("Bot", "repairs") or {})["status"].get("previousRevision"), "it ran well")
    jobs = [job["metadata"]["uid"] for job in _jobs(world)]
    bundle = (world.get("Bundle", "repairs") or {})["status"]["artifact"]
    old = {**bundle, "revision": REVISION, "digest": DIGEST}
    world.patch("Bundle", "repairs", {"status": {"history": [bundle, old]}}, subresource="status")
    world.patch("Bot", "repairs", {"spec": {"bundleRef": {"revision": REVISION}}})
    eventually(lambda: _runs(world, REVISION), "the revision before runs again")
    assert [job["metadata"]["uid"] for job in _jobs(world)] == jobs
