"""What a Bot's pods may reach, and who may reach them, as a network plugin reads the policy."""

from typing import Any

import pytest

from botyard.contract import names
from botyard.contract.model import ModelConfig
from botyard_operator.builders.network_policy import network_policy
from tests.unit.operator.builders.inputs import inputs

Object = dict[str, Any]
ANYWHERE: Object = {"namespace": "elsewhere", "pod": {"app": "anything"}}
OPERATOR: Object = {
    "namespace": "botyard",
    "pod": {"app.kubernetes.io/name": "botyard", "app.kubernetes.io/component": "operator"},
}


def policy(**fields: Any) -> Object:
    built = network_policy(inputs(**fields))
    assert built is not None
    spec: Object = built["spec"]
    return spec


def allows(rules: list[Object], peer: Object, port: int, protocol: str = "TCP", *, way: str = "to") -> bool:
    """Tell whether rules let traffic through, as the API defines them: no peers are all peers, no ports all ports."""
    return any(
        (not rule.get(way) or any(_is(peer, each) for each in rule[way]))
        and (not rule.get("ports") or {"port": port, "protocol": protocol} in rule["ports"])
        for rule in rules
    )


def _is(peer: Object, selected: Object) -> bool:
    assert set(selected) == {"namespaceSelector", "podSelector"}
    namespace = selected["namespaceSelector"]["matchLabels"]
    labels = selected["podSelector"]["matchLabels"]
    return namespace == {"kubernetes.io/metadata.name": peer["namespace"]} and labels.items() <= peer["pod"].items()


def test_it_is_for_the_pods_of_the_bot_alone_and_for_both_ways() -> None:
    spec = policy()
    assert spec["podSelector"]["matchLabels"]["botyard.dev/bot"] == inputs().name
    assert spec["policyTypes"] == ["Ingress", "Egress"]


@pytest.mark.parametrize(
    ("peer", "port", "protocol", "allowed"),
    [
        (ANYWHERE, 53, "UDP", True),
        (ANYWHERE, 53, "TCP", True),
        (ANYWHERE, 6379, "TCP", True),
        (OPERATOR, names.ARTIFACTS_PORT, "TCP", True),
        (ANYWHERE, names.ARTIFACTS_PORT, "TCP", False),
        ({**OPERATOR, "namespace": "elsewhere"}, names.ARTIFACTS_PORT, "TCP", False),
        (OPERATOR, names.OPERATOR_METRICS_PORT, "TCP", False),
        (ANYWHERE, 443, "TCP", False),
        (ANYWHERE, 80, "TCP", False),
        (ANYWHERE, 6443, "TCP", False),
        (ANYWHERE, 6379, "UDP", False),
    ],
    ids=lambda value: value["namespace"] if isinstance(value, dict) else str(value),
)
def test_it_lets_pods_out_to_dns_redis_and_the_artifact_server_only(
    peer: Object, port: int, protocol: str, allowed: bool
) -> None:
    assert allows(policy()["egress"], peer, port, protocol) is allowed


@pytest.mark.parametrize(
    ("model", "port"),
    [
        (ModelConfig(name="small"), 443),
        (ModelConfig(name="small", endpoint="http://llm:8000/v1"), 8000),
        (ModelConfig(provider="scripted", script="s.yaml"), None),
    ],
    ids=["openai", "own", "scripted"],
)
def test_it_opens_the_ports_of_declared_models(model: ModelConfig, port: int | None) -> None:
    base = inputs()
    egress = policy(config=base.config.model_copy(update={"model": model}))["egress"]
    assert [each for each in (80, 443, 8000) if allows(egress, ANYWHERE, each)] == ([port] if port else [])


def test_it_lets_in_what_asks_for_probes_and_metrics_only() -> None:
    ingress = policy()["ingress"]
    assert allows(ingress, ANYWHERE, names.SUPERVISOR_PORT, way="from")
    assert not allows(ingress, ANYWHERE, 8080 if names.SUPERVISOR_PORT != 8080 else 8081, way="from")
    assert not allows(ingress, ANYWHERE, 22, way="from")


def test_every_rule_names_its_ports() -> None:
    spec = policy()
    assert all(rule.get("ports") for rule in (*spec["egress"], *spec["ingress"]))
