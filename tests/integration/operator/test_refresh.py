"""Running pods learn of changed ConfigMaps at once, also when the operator ends halfway."""

import json
from pathlib import Path

from tests.integration.apiserver.server import ApiServer
from tests.integration.operator.accounts import account_with_the_charts_roles
from tests.integration.operator.process import OperatorProcess
from tests.integration.operator.waiting import eventually
from tests.integration.operator.world import World


def test_an_operator_that_dies_before_it_touched_the_pods_leaves_that_to_the_next(
    world: World, apiserver: ApiServer, system_namespace: str, tmp_path: Path
) -> None:
    kubeconfig = account_with_the_charts_roles(apiserver, world.namespace, without=("pods", "patch"))
    first = OperatorProcess(apiserver, tmp_path, namespaces=[world.namespace], kubeconfig=kubeconfig, lease_seconds=30)
    try:
        first.await_leading()
        world.ready_bot()
        world.running_pod("repairs-abc")
        world.persona("nora", setup={"greeting": "Hello"})
        eventually(lambda: _greeting(world) == "Hello", "the ConfigMap is written")
        told = world.await_condition("Bot", "repairs", "Reconciling", "True", "AccessDenied")
        assert "Pod/" in told["message"]
        assert "grant its service account" in told["message"]
        assert world.condition("Bot", "repairs", "Ready")["status"] == "True"  # type: ignore[index]
    finally:
        first.kill()
    assert world.refreshed("repairs-abc") is None
    account_with_the_charts_roles(apiserver, world.namespace)
    second = OperatorProcess(apiserver, tmp_path, namespaces=[world.namespace], kubeconfig=kubeconfig, lease_seconds=30)
    try:
        second.await_leading()
        eventually(lambda: world.refreshed("repairs-abc"), "the pod is touched")
        world.await_condition("Bot", "repairs", "Reconciling", None)
        world.settle()
        assert world.writes_within(2) == []
    finally:
        second.stop()


def test_a_pod_that_is_younger_than_the_change_is_not_touched(
    world: World, apiserver: ApiServer, system_namespace: str, tmp_path: Path
) -> None:
    operator = OperatorProcess(apiserver, tmp_path, namespaces=[world.namespace])
    try:
        operator.await_leading()
        world.ready_bot()
        world.running_pod("repairs-old")
        world.persona("nora")
        eventually(lambda: world.refreshed("repairs-old"), "the old pod is touched")
        world.settle()
        world.writes_within(2.5)  # the clocks' tolerance
        world.running_pod("repairs-new")
        world.settle()
        assert world.refreshed("repairs-new") is None
        world.patch("Bot", "repairs", {"spec": {"config": {"a": 1}}})
        eventually(lambda: world.refreshed("repairs-new"), "the new pod is touched")
        eventually(
            lambda: world.refreshed("repairs-old") == world.refreshed("repairs-new"), "the old pod is touched again"
        )
    finally:
        operator.stop()


def _greeting(world: World) -> str | None:
    shard = world.get("ConfigMap", "repairs-personas-0")
    personas = json.loads(shard["data"]["personas.json"]).get("personas", []) if shard else []
    return personas[0]["setup"]["greeting"] if personas else None
