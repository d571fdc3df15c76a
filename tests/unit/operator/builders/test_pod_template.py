"""`spec.podTemplate`: free where it can be, and never at the cost of what pods and credentials need."""

from typing import Any

import pytest

from botyard_operator.builders.deployment import deployment
from botyard_operator.builders.pod_template import PodTemplateRefused
from tests.unit.operator.builders.inputs import inputs

Json = dict[str, Any]


def _template(patch: Json) -> Json:
    template: Json = deployment(inputs(pod_template=patch))["spec"]["template"]
    return template


def test_nodes_labels_and_sidecars_are_free() -> None:
    template = _template(
        {
            "metadata": {"labels": {"team": "shop"}},
            "spec": {
                "nodeSelector": {"pool": "bots"},
                "containers": [
                    {"name": "proxy", "image": "registry.example.com/proxy:1"},
                    {"name": "worker", "env": [{"name": "TZ", "value": "Europe/Berlin"}]},
                ],
                "volumes": [{"name": "worker-tmp", "emptyDir": {"sizeLimit": "1Gi"}}],
            },
        }
    )
    spec = template["spec"]
    assert template["metadata"]["labels"]["team"] == "shop"
    assert template["metadata"]["labels"]["botyard.dev/bot"] == "clerk"
    assert spec["nodeSelector"] == {"pool": "bots"}
    assert {each["name"] for each in spec["containers"]} == {"supervisor", "worker", "proxy"}
    proxy = next(each for each in spec["containers"] if each["name"] == "proxy")
    assert proxy["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert {"name": "worker-tmp", "emptyDir": {"sizeLimit": "1Gi"}} in spec["volumes"]


def test_without_a_patch_the_template_is_the_operators_own() -> None:
    assert _template({}) == deployment(inputs())["spec"]["template"]


def _worker(**fields: Any) -> Json:
    return {"spec": {"containers": [{"name": "worker", **fields}]}}


def _sidecar(**fields: Any) -> Json:
    return {"spec": {"containers": [{"name": "proxy", "image": "x", **fields}]}}


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ({"status": {}}, "spec.podTemplate.status does not exist"),
        ({"spec": None}, "spec.podTemplate"),
        ({"metadata": {"labels": {"botyard.dev/bot": "other"}}}, "metadata.labels[botyard.dev/bot] is the operator's"),
        ({"metadata": {"annotations": {"botyard.dev/revision": None}}}, "is the operator's"),
        ({"metadata": {"annotations": {"botyard.dev/other": "x"}}}, "choose another"),
        ({"spec": {"containers": [{"name": "worker", "$patch": "delete"}]}}, "containers[worker] may not be removed"),
        ({"spec": {"containers": [{"$patch": "replace"}, {"name": "mine", "image": "x"}]}}, "may not be removed"),
        (_worker(image="x"), "containers[worker].image is the operator's"),
        (_worker(args=["sh"]), "containers[worker].args is the operator's"),
        (_worker(volumeMounts=[{"name": "platform", "mountPath": "/p"}]), "platform is the supervisor's alone"),
        (_worker(volumeMounts=[{"name": "bundle", "mountPath": "/bundle", "readOnly": False}]), "is the operator's"),
        (_worker(env=[{"name": "BOTYARD_REVISION", "value": "x"}]), "names that start with BOTYARD_"),
        (_sidecar(volumeMounts=[{"name": "credentials", "mountPath": "/c"}]), "credentials is the supervisor's alone"),
        (_sidecar(envFrom=[{"secretRef": {"name": "clerk-platform"}}]), "Secret clerk-platform is the operator's"),
        (
            {"spec": {"volumes": [{"name": "mine", "secret": {"secretName": "clerk-credentials"}}]}},
            "own Secrets are the operator's",
        ),
        (
            {
                "spec": {
                    "volumes": [{"name": "mine", "projected": {"sources": [{"secret": {"name": "clerk-platform"}}]}}]
                }
            },
            "own Secrets are the operator's",
        ),
        ({"spec": {"volumes": [{"name": "config", "$patch": "delete"}]}}, "volumes[config] is the operator's"),
        ({"spec": {"volumes": [{"name": "host", "hostPath": {"path": "/"}}]}}, "type hostPath are refused"),
        (
            {"spec": {"volumes": [{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]}},
            "no service-account token",
        ),
        ({"spec": {"automountServiceAccountToken": True}}, "must be false"),
        ({"spec": {"hostNetwork": True}}, "hostNetwork is refused"),
        ({"spec": {"shareProcessNamespace": True}}, "shareProcessNamespace is refused"),
        ({"spec": {"securityContext": {"runAsUser": 0}}}, "runAsUser may not be 0"),
        ({"spec": {"securityContext": None}}, "runAsNonRoot must be true"),
        (_worker(securityContext={"privileged": True}), "privileged is refused"),
        (_worker(securityContext={"capabilities": {"add": ["SYS_PTRACE"]}}), "may not hold SYS_PTRACE"),
        (_sidecar(securityContext={"allowPrivilegeEscalation": True}), "allowPrivilegeEscalation must be false"),
        (_sidecar(ports=[{"containerPort": 80, "hostPort": 80}]), "hostPort is refused"),
        ({"spec": {"terminationGracePeriodSeconds": 1}}, "so that turns can finish"),
        ({"spec": {"containers": "worker"}}, "spec.containers must be a list"),
        (_worker(volumeMounts="all"), "volumeMounts must be a list"),
        ({"spec": {"containers": ["worker"]}}, "needs name"),
        ({"metadata": ["x"], "spec": 7}, "metadata must be a map"),
    ],
)
def test_what_pods_need_cannot_be_taken_away(patch: Json, words: str) -> None:
    with pytest.raises(PodTemplateRefused) as caught:
        _template(patch)
    assert words in str(caught.value)
    assert "spec.podTemplate" in str(caught.value)
