"""Least privilege: what the chart's roles grant and what its pods may do."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.charts.conftest import Objects, Template
from tests.unit.charts.test_golden import INSTALLATIONS


@pytest.fixture(params=sorted(INSTALLATIONS))
def objects(request: pytest.FixtureRequest, template: Template) -> Objects:
    return template(**INSTALLATIONS[request.param])


def rules(objects: Objects, *kinds: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for found in objects:
        if found["kind"] in kinds:
            for rule in found["rules"]:
                yield found["metadata"]["name"], rule


def pod_specs(objects: Objects) -> Iterator[tuple[str, dict[str, Any]]]:
    for found in objects:
        if found["kind"] == "Deployment":
            yield found["metadata"]["name"], found["spec"]["template"]["spec"]


def test_no_rule_has_a_wildcard(objects: Objects) -> None:
    for name, rule in rules(objects, "Role", "ClusterRole"):
        for key in ("apiGroups", "resources", "verbs"):
            assert "*" not in "".join(rule[key]), f"{name}: {rule}"


def test_no_rule_lets_anybody_raise_their_own_rights(objects: Objects) -> None:
    for name, rule in rules(objects, "Role", "ClusterRole"):
        assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"]), name
        assert "rbac.authorization.k8s.io" not in rule["apiGroups"], name
        assert not {"pods/exec", "pods/attach", "serviceaccounts/token", "nodes/proxy"} & set(rule["resources"]), name


def test_a_list_of_namespaces_leaves_the_operator_nothing_cluster_wide(template: Template) -> None:
    objects = template(namespaces=["shop"])
    assert not [name for name, _ in rules(objects, "ClusterRole") if name.endswith("-operator")]
    bindings = [found for found in objects if found["kind"] == "ClusterRoleBinding"]
    assert [found["subjects"][0]["name"] for found in bindings] == ["botyard-gateway"]


def test_both_modes_grant_the_operator_the_same_in_a_namespace(template: Template) -> None:
    cluster_wide = [rule for name, rule in rules(template(), "ClusterRole") if name.endswith("-operator")]
    namespaced = [
        rule
        for found in template(namespaces=["shop"])
        if found["kind"] == "Role" and found["metadata"]["namespace"] == "shop"
        for rule in found["rules"]
    ]
    only_cluster_wide = [rule for rule in cluster_wide if rule not in namespaced]
    assert [rule for rule in namespaced if rule not in cluster_wide] == []
    assert [rule["resources"] for rule in only_cluster_wide] == [["namespaces"], ["customresourcedefinitions"]]


def test_only_the_operator_touches_secrets(objects: Objects) -> None:
    names = {name for name, rule in rules(objects, "Role", "ClusterRole") if "secrets" in rule["resources"]}
    assert names == {"botyard-system-botyard-operator"}


def test_pods_satisfy_the_restricted_standard(objects: Objects) -> None:
    for name, spec in pod_specs(objects):
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not spec.get("hostNetwork"), name
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert context["readOnlyRootFilesystem"] is True, name
        assert {kind for volume in spec["volumes"] for kind in volume} <= {
            "name", "secret", "configMap", "emptyDir", "persistentVolumeClaim", "projected"
        }, name  # fmt: skip


def test_every_container_has_probes_and_resources(objects: Objects) -> None:
    for name, spec in pod_specs(objects):
        for container in spec["containers"]:
            assert {"readinessProbe", "livenessProbe"} <= set(container), name
            assert container["resources"]["requests"], name
            assert container["resources"]["limits"]["memory"], name
            assert container["imagePullPolicy"] == "IfNotPresent", name


def test_only_who_talks_to_the_api_server_has_a_token(objects: Objects) -> None:
    tokens = {name: spec["automountServiceAccountToken"] for name, spec in pod_specs(objects)}
    speakers = {"botyard-operator", "botyard-gateway", "botyard-connector"}
    assert {name for name, mounted in tokens.items() if mounted} == speakers & tokens.keys()


def test_the_connector_may_read_who_subscribed_and_nothing_else(template: Template) -> None:
    objects = template(**INSTALLATIONS["connector"])
    [rule] = [rule for name, rule in rules(objects, "Role", "ClusterRole") if "connector" in name]
    gateway = [rule for name, rule in rules(objects, "Role") if name == "botyard-gateway"]
    assert [rule] == gateway
    assert rule["resources"] == ["configmaps"]
    assert not {"create", "update", "patch", "delete"} & set(rule["verbs"])
