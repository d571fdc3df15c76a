"""`spec.podTemplate` against a real API server: merged as it would merge, refused where it would refuse."""

import copy
from typing import Any

import pytest

from botyard_operator import resources
from botyard_operator.builders.drift import drifted
from botyard_operator.builders.strategic_merge import strategic_merge
from tests.integration.operator.process import OperatorProcess
from tests.integration.operator.world import World
from tests.unit.operator.builders.strategic_merges import ORIGINAL, PATCHES

Json = dict[str, Any]
SMP = "application/strategic-merge-patch+json"
SELECTOR = {"matchLabels": {"app": "clerk"}}


@pytest.mark.parametrize("name", sorted(PATCHES))
def test_a_merge_is_the_api_servers_own(world: World, name: str) -> None:
    path = resources.of("Deployment").path(world.namespace, "clerk")
    world.create("Deployment", "clerk", spec={"selector": SELECTOR, "template": copy.deepcopy(ORIGINAL)})
    patch = {"spec": {"template": copy.deepcopy(PATCHES[name])}}
    theirs = world.client.request("PATCH", path, body=patch, content_type=SMP)["spec"]["template"]
    ours = {"selector": SELECTOR, "template": strategic_merge(ORIGINAL, PATCHES[name])}
    made = world.create("Deployment", "ours", spec=ours)["spec"]["template"]
    made["metadata"].pop("creationTimestamp", None)
    theirs["metadata"].pop("creationTimestamp", None)
    assert made == theirs


@pytest.mark.usefixtures("operator")
def test_a_patch_reaches_the_pods_and_changes_nothing_else(world: World, operator: OperatorProcess) -> None:
    patch = {
        "metadata": {"labels": {"team": "shop"}},
        "spec": {
            "nodeSelector": {"pool": "bots"},
            "tolerations": [{"key": "bots", "operator": "Exists", "effect": "NoSchedule"}],
            "containers": [
                {
                    "name": "proxy",
                    "image": "registry.example.com/proxy:1",
                    "resources": {"limits": {"cpu": "0.5", "memory": "0.5Gi"}},
                    "env": [{"name": "CPUS", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}],
                    "readinessProbe": {"tcpSocket": {"port": 80}},
                    "ports": [{"containerPort": 80}],
                }
            ],
        },
    }
    world.ready_bot(podTemplate=patch)
    template = (world.get("Deployment", "repairs") or {})["spec"]["template"]
    assert not drifted(patch["spec"], template["spec"])
    assert template["metadata"]["labels"]["team"] == "shop"
    assert {each["name"] for each in template["spec"]["containers"]} == {"proxy", "supervisor", "worker"}
    world.settle()
    assert world.writes_within(3) == [], "the API server's own words for a value are no drift"
    world.patch("Bot", "repairs", {"spec": {"podTemplate": None}})
    world.settle()
    spec = (world.get("Deployment", "repairs") or {})["spec"]["template"]["spec"]
    assert "nodeSelector" not in spec
    assert {each["name"] for each in spec["containers"]} == {"supervisor", "worker"}


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ({"spec": {"hostNetwork": True}}, "spec.podTemplate.spec.hostNetwork is refused"),
        ({"spec": {"priorityClas": "high"}}, "priorityClas"),
        ({"spec": {"containers": [{"name": "proxy"}]}}, "containers"),
        ({"spec": {"nodeSelector": {"pool": ["a"]}}}, "nodeSelector"),
        ({"spec": {"restartPolicy": "Never"}}, "restartPolicy"),
    ],
    ids=["host network", "unknown field", "no image", "wrong type", "refused value"],
)
def test_what_cannot_be_stalls_and_takes_nothing_down(world: World, patch: Json, words: str) -> None:
    world.ready_bot()
    before = (world.get("Deployment", "repairs") or {})["metadata"]["generation"]
    world.patch("Bot", "repairs", {"spec": {"podTemplate": patch}})
    stalled = world.await_condition("Bot", "repairs", "Stalled", "True", "InvalidSpec")
    assert words in stalled["message"]
    assert world.condition("Bot", "repairs", "Ready")["status"] == "True"  # type: ignore[index]
    assert (world.get("Deployment", "repairs") or {})["metadata"]["generation"] == before
    world.patch("Bot", "repairs", {"spec": {"podTemplate": None}})
    world.await_condition("Bot", "repairs", "Stalled", None)
