"""Builds that no pod reports: what the Bundle says, and that it goes on. The tests play the Jobs' controller."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from botyard_operator.conditions import find
from tests.integration.apiserver.client import Client
from tests.integration.builds.conftest import BOT
from tests.integration.builds.test_reconcile import SECONDS, BuildingOperator, operator, repository, spec
from tests.integration.git.reconciling import at, reason
from tests.integration.git.server import Repository

__all__ = ["operator", "repository"]
pytestmark = pytest.mark.timeout(900)

MERGE = "application/merge-patch+json"


async def a_job(operator: BuildingOperator) -> dict[str, Any]:
    """Wait for the build's Job."""
    async with asyncio.timeout(SECONDS):
        while not (jobs := await asyncio.to_thread(operator.list_jobs)):
            await asyncio.sleep(0.05)
    return jobs[0]


def finish(client: Client, job: dict[str, Any], why: str) -> None:
    """Let a Job fail as its controller would."""
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    common = {"status": "True", "reason": why, "lastTransitionTime": stamp, "lastProbeTime": stamp}
    path = f"/apis/batch/v1/namespaces/{job['metadata']['namespace']}/jobs/{job['metadata']['name']}/status"
    conditions = [{"type": "FailureTarget", **common}, {"type": "Failed", **common}]
    client.request("PATCH", path, body={"status": {"startTime": stamp, "conditions": conditions}}, content_type=MERGE)


def add_pod(client: Client, job: dict[str, Any], status: dict[str, Any]) -> None:
    """Put a pod of a Job there, in a state that the kubelet would report."""
    metadata = job["metadata"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{metadata['name']}-x7k2p",
            "namespace": metadata["namespace"],
            "labels": {"batch.kubernetes.io/job-name": metadata["name"]},
        },
        "spec": {
            "containers": [{"name": name, "image": "x"} for name in ("courier", "builder")],
            "automountServiceAccountToken": False,
        },
    }
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods"
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    client.request("POST", f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts", body=account)
    client.request("POST", path, body=pod)
    client.request("PATCH", f"{path}/{pod['metadata']['name']}/status", body={"status": status}, content_type=MERGE)


async def test_a_build_beyond_its_deadline_is_told_and_tried_again_on_request(
    operator: BuildingOperator, repository: Repository
) -> None:
    operator.run_pods = False
    commit = repository.commit({"bot.py": BOT})
    operator.apply(spec(repository))
    finish(operator.server.client, await a_job(operator), "DeadlineExceeded")
    status = await operator.until(reason("Built", "BuildTimedOut"), SECONDS)
    assert (find(status["conditions"], "Ready") or {})["reason"] == "BuildTimedOut"
    assert (find(status["conditions"], "Reconciling") or {})["reason"] == "Retrying"
    assert "did not end within its deadline" in (find(status["conditions"], "Built") or {})["message"]
    operator.run_pods = True
    operator.apply(spec(repository), {"botyard.dev/requestedAt": "now"})
    assert await operator.until(at(commit), SECONDS)


async def test_a_pod_that_is_killed_for_its_memory_is_told_in_its_words(
    operator: BuildingOperator, repository: Repository
) -> None:
    operator.run_pods = False
    repository.commit({"bot.py": BOT})
    operator.apply(spec(repository))
    job = await a_job(operator)
    killed = {"exitCode": 137, "reason": "OOMKilled", "startedAt": None, "finishedAt": None}
    container = {"name": "courier", "image": "x", "imageID": "", "ready": False, "restartCount": 0}
    status = {"phase": "Failed", "containerStatuses": [{**container, "state": {"terminated": killed}}]}
    add_pod(operator.server.client, job, status)
    finish(operator.server.client, job, "BackoffLimitExceeded")
    found = await operator.until(reason("Built", "BuildFailed"), SECONDS)
    message = (find(found["conditions"], "Built") or {})["message"]
    assert "ended without a result" in message
    assert "more memory than its limit" in message


async def test_a_pod_that_is_gone_is_told(operator: BuildingOperator, repository: Repository) -> None:
    operator.run_pods = False
    repository.commit({"bot.py": BOT})
    operator.apply(spec(repository))
    finish(operator.server.client, await a_job(operator), "BackoffLimitExceeded")
    status = await operator.until(reason("Built", "BuildFailed"), SECONDS)
    assert "its pod is gone" in (find(status["conditions"], "Built") or {})["message"]


async def test_a_job_without_a_pod_says_where_to_look_and_goes_on(
    operator: BuildingOperator, repository: Repository
) -> None:
    operator.run_pods = False
    commit = repository.commit({"bot.py": BOT})
    operator.apply(spec(repository))
    status = await operator.until(reason("Ready", "PodsRefused"), SECONDS)
    assert "kubectl describe job" in (find(status["conditions"], "Ready") or {})["message"]
    operator.run_pods = True
    assert await operator.until(at(commit), SECONDS)


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        (
            {"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]},
            "ImagePullFailed",
        ),
        (
            {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "full"}]},
            "Unschedulable",
        ),
    ],
    ids=["an image that cannot be pulled", "no node"],
)
async def test_a_pod_that_cannot_start_is_told_while_it_waits(
    operator: BuildingOperator, repository: Repository, state: dict[str, Any], wanted: str
) -> None:
    operator.run_pods = False
    repository.commit({"bot.py": BOT})
    operator.apply(spec(repository))
    job = await a_job(operator)
    container = {"name": "builder", "image": "x", "imageID": "", "ready": False, "restartCount": 0}
    statuses = [{**container, **each} for each in state.get("containerStatuses", ())]
    status = {"phase": "Pending", **state, **({"containerStatuses": statuses} if statuses else {})}
    add_pod(operator.server.client, job, status)
    found = await operator.until(reason("Ready", wanted), SECONDS)
    assert (find(found["conditions"], "Reconciling") or {})["reason"] == wanted


async def test_a_quota_that_refuses_the_job_is_told_and_heals(
    operator: BuildingOperator, repository: Repository
) -> None:
    client, path = operator.server.client, f"/api/v1/namespaces/{operator.namespace}/resourcequotas"
    hard = {"count/jobs.batch": "0"}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "jobs"}, "spec": {"hard": hard}}
    client.request("POST", path, body=quota)
    used = {"status": {"hard": hard, "used": {"count/jobs.batch": "0"}}}
    client.request("PATCH", f"{path}/jobs/status", body=used, content_type=MERGE)
    commit = repository.commit({"bot.py": BOT})
    operator.apply(spec(repository))
    status = await operator.until(reason("Built", "QuotaExceeded"), SECONDS)
    assert "exceeded quota" in (find(status["conditions"], "Built") or {})["message"]
    assert (find(status["conditions"], "Reconciling") or {})["reason"] == "Retrying"
    client.request("DELETE", f"{path}/jobs")
    assert await operator.until(at(commit), SECONDS)


async def test_an_object_of_somebody_else_in_the_way_is_named(
    operator: BuildingOperator, repository: Repository
) -> None:
    path = f"/api/v1/namespaces/{operator.namespace}/secrets"
    theirs = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "repairs-build"}, "stringData": {"a": "b"}}
    operator.caches.put("Secret", operator.server.client.request("POST", path, body=theirs))
    repository.commit({"bot.py": BOT})
    operator.apply(spec(repository))
    status = await operator.until(reason("Built", "Conflict"), SECONDS)
    assert "does not belong to Bundle repairs" in (find(status["conditions"], "Built") or {})["message"]
    found = operator.server.client.request("GET", f"{path}/repairs-build")["data"]
    assert found == {"a": "Yg=="}, "it is left alone"
