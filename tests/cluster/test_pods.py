"""What a bot's pods may do and what they know. Their namespace enforces the restricted standard."""

import json

import pytest

from demo.commands import DemoError
from tests.cluster.bots import counter
from tests.cluster.spaces import Space


def test_pods_run_where_the_restricted_standard_is_enforced(shared: Space) -> None:
    labels = shared.kubectl.items("namespaces", "", f"kubernetes.io/metadata.name={shared.namespace}")[0]["metadata"]
    assert labels["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    (pod,) = shared.pods()
    for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True, container["name"]
        assert context["capabilities"]["drop"] == ["ALL"], container["name"]


def test_pods_carry_no_token_of_the_api_server(shared: Space) -> None:
    (pod,) = shared.pods()
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert not [volume for volume in pod["spec"]["volumes"] if "projected" in volume]


def test_the_worker_holds_no_secret_of_the_platform(shared: Space) -> None:
    (pod,) = shared.pods()
    worker = next(found for found in pod["spec"]["containers"] if found["name"] == "worker")
    secrets = {volume["name"] for volume in pod["spec"]["volumes"] if "secret" in volume}
    assert secrets
    assert not secrets & {mount["name"] for mount in worker.get("volumeMounts", [])}
    assert not [entry for entry in worker.get("env", []) if "secretKeyRef" in str(entry)]
    assert not worker.get("envFrom")


def test_the_workers_process_can_read_no_secret_of_the_platform(shared: Space) -> None:
    (pod,) = shared.pods()
    name = pod["metadata"]["name"]
    inside = shared.run("exec", name, "-c", "worker", "--", "sh", "-c", "env; ls -R /etc/botyard 2>/dev/null || true")
    assert "redis://" not in inside
    assert "redis-url" not in inside
    assert "artifact-token" not in inside
    with pytest.raises(DemoError):
        shared.run("exec", name, "-c", "worker", "--", "cat", "/etc/botyard/platform/redis-url")


def test_one_replica_after_the_other_may_be_evicted(space: Space) -> None:
    space.push(counter("v1"))
    space.bundle()
    space.bot(replicas=2)
    space.ready("bundle/counter", "bot/counter")
    space.eventually("two pods are ready", lambda: len(ready(space)) == 2, "bot/counter")
    first, second = ready(space)
    evict(space, first)
    with pytest.raises(DemoError, match="disruption budget"):
        evict(space, second)
    space.eventually("the first one is replaced", lambda: len(ready(space) - {first}) == 2, "bot/counter")
    evict(space, second)


def ready(space: Space) -> set[str]:
    """Return the names of the pods that are ready and stay."""
    return {
        pod["metadata"]["name"]
        for pod in space.pods()
        for each in (pod.get("status") or {}).get("conditions") or ()
        if each["type"] == "Ready" and each["status"] == "True"
    }


def evict(space: Space, pod: str) -> None:
    """Ask for a pod's eviction, as `kubectl drain` does."""
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": space.namespace}}
    path = space.tree.with_suffix(".eviction")
    path.write_text(json.dumps(body))
    space.run("create", "--raw", f"/api/v1/namespaces/{space.namespace}/pods/{pod}/eviction", "-f", str(path))
