"""How the kinds appear in a real API server: defaults, columns, names, scale, merge keys, explanations."""

import shutil
import subprocess
from typing import Any

import pytest

from tests.integration.apiserver.client import Refused
from tests.integration.apiserver.server import ApiServer
from tests.unit.operator.api.rule_examples import SPECS, manifest

KINDS = sorted(SPECS)
READY = {
    "type": "Ready",
    "status": "True",
    "reason": "Succeeded",
    "message": "2 replicas run main@sha1:5d0c",
    "observedGeneration": 1,
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}


def kubectl(apiserver: ApiServer, *arguments: str) -> str:
    command = shutil.which("kubectl")
    assert command is not None, "kubectl is missing: install it"
    done = subprocess.run(
        [command, "--kubeconfig", str(apiserver.kubeconfig), f"--cache-dir={apiserver.folder / 'kubectl'}", *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_object_is_not_observed_yet(apiserver: ApiServer, namespace: str, kind: str) -> None:
    created = apiserver.client.create(manifest(kind, {}, namespace=namespace))
    assert created["status"] == {"observedGeneration": -1}
    assert apiserver.client.get(created)["status"] == {"observedGeneration": -1}


@pytest.mark.parametrize("kind", KINDS)
def test_a_status_given_at_creation_does_not_count(apiserver: ApiServer, namespace: str, kind: str) -> None:
    obj = manifest(kind, {}, namespace=namespace) | {"status": {"observedGeneration": 1, "conditions": [READY]}}
    assert apiserver.client.create(obj)["status"] == {"observedGeneration": -1}


@pytest.mark.parametrize("kind", KINDS)
def test_the_status_is_written_apart_and_has_no_defaults(apiserver: ApiServer, namespace: str, kind: str) -> None:
    created = apiserver.client.create(manifest(kind, {}, namespace=namespace))
    status = {"observedGeneration": 1, "conditions": [READY]}
    patched = apiserver.client.patch(created, {"status": status, "spec": {"suspend": True}}, subresource="status")
    assert patched["status"] == status
    assert "suspend" not in patched["spec"]
    assert patched["metadata"]["generation"] == 1


def test_conditions_are_merged_by_type(apiserver: ApiServer, namespace: str) -> None:
    bot = apiserver.client.create(manifest("Bot", {}, namespace=namespace))
    twice = {"status": {"observedGeneration": 1, "conditions": [READY, READY]}}
    with pytest.raises(Refused, match="Duplicate"):
        apiserver.client.patch(bot, twice, subresource="status")


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        (
            "Bundle",
            {
                "entrypoint": {"model": "auto"},
                "interval": "1m",
                "timeout": "60s",
                "limits": {"size": "100Mi", "files": 20000},
                "retain": {"revisions": 3, "ttl": "24h"},
                "allowedNamespaces": {"from": "Same"},
            },
        ),
        (
            "Bot",
            {
                "replicas": 1,
                "limits": {"turnTimeout": "10m", "maxInput": "1Mi", "concurrency": 32, "workers": 1},
                "rollout": {
                    "progressDeadline": "5m",
                    "scenarios": "Required",
                    "onIncompatibleState": "Block",
                    "rampPause": "10m",
                    "rampFailures": 10,
                },
            },
        ),
        ("Persona", {}),
    ],
)
def test_defaults_are_filled_in(apiserver: ApiServer, namespace: str, kind: str, spec: dict[str, Any]) -> None:
    created = apiserver.client.create(manifest(kind, {}, namespace=namespace))
    assert created["spec"] == SPECS[kind] | spec


def test_a_part_that_is_given_gets_the_defaults_of_the_rest(apiserver: ApiServer, namespace: str) -> None:
    created = apiserver.client.create(manifest("Bot", {"limits": {"concurrency": 4}}, namespace=namespace))
    assert created["spec"]["limits"] == {"turnTimeout": "10m", "maxInput": "1Mi", "concurrency": 4, "workers": 1}


def test_a_bot_is_scaled_by_its_subresource(apiserver: ApiServer, namespace: str) -> None:
    bot = apiserver.client.create(manifest("Bot", {}, namespace=namespace))
    apiserver.client.patch(
        bot,
        {"status": {"observedGeneration": 1, "replicas": 1, "selector": "botyard.dev/bot=example"}},
        subresource="status",
    )
    scale = apiserver.client.get(bot, subresource="scale")
    assert scale["spec"] == {"replicas": 1}
    assert scale["status"] == {"replicas": 1, "selector": "botyard.dev/bot=example"}
    apiserver.client.patch(bot, {"spec": {"replicas": 3}}, subresource="scale")
    assert apiserver.client.get(bot)["spec"]["replicas"] == 3


def test_a_bot_that_was_scaled_beyond_its_maximum_can_still_be_edited(apiserver: ApiServer, namespace: str) -> None:
    bot = apiserver.client.create(manifest("Bot", {"autoscaling": {"maxReplicas": 10}}, namespace=namespace))
    apiserver.client.patch(bot, {"spec": {"replicas": 20}}, subresource="scale")
    assert apiserver.client.patch(bot, {"spec": {"config": {"a": 1}}})["spec"]["config"] == {"a": 1}


@pytest.mark.parametrize(
    ("kind", "name", "header"),
    [
        ("Bundle", "bdl", "NAME READY STATUS REVISION AGE"),
        ("Bot", "bot", "NAME READY STATUS REVISION REPLICAS AGE"),
        ("Persona", "psn", "NAME READY BOT SPENT LIMIT AGE"),
    ],
)
def test_kubectl_shows_the_columns(apiserver: ApiServer, namespace: str, kind: str, name: str, header: str) -> None:
    created = apiserver.client.create(manifest(kind, {}, namespace=namespace))
    status: dict[str, Any] = {"observedGeneration": 1, "conditions": [READY]}
    own: dict[str, dict[str, Any]] = {
        "Bundle": {"artifact": {"revision": "main@sha1:5d0c"}},
        "Bot": {"revision": "main@sha1:5d0c", "readyReplicas": 2},
        "Persona": {"spend": {"day": "2026-01-01", "coins": 1200, "limit": 5000}},
    }
    status |= own[kind]
    apiserver.client.patch(created, {"status": status}, subresource="status")
    lines = kubectl(apiserver, "get", name, "-n", namespace).splitlines()
    assert lines[0].split() == header.split()
    assert lines[1].split()[:2] == ["example", "True"]
    wanted = ["clerk", "1200", "5000"] if kind == "Persona" else ["main@sha1:5d0c"]
    assert set(wanted) <= set(lines[1].split())


@pytest.mark.parametrize("category", ["all", "botyard"])
def test_the_categories_list_all_kinds(apiserver: ApiServer, namespace: str, category: str) -> None:
    for kind in KINDS:
        apiserver.client.create(manifest(kind, {}, namespace=namespace))
    shown = kubectl(apiserver, "get", category, "-n", namespace, "-o", "name").split()
    expected = {f"{plural}.botyard.dev/example" for plural in ("bundle", "bot", "persona")}
    assert expected <= set(shown)


def test_kubectl_explains_fields(apiserver: ApiServer) -> None:
    explained = " ".join(kubectl(apiserver, "explain", "bundle.spec.git").split())
    assert "Address of the repository" in explained


@pytest.mark.parametrize("plural", ["bundles", "bots", "personas"])
def test_the_definitions_are_accepted_without_reservation(apiserver: ApiServer, plural: str) -> None:
    crd = apiserver.client.get(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.botyard.dev"},
        }
    )
    conditions = {condition["type"]: condition["status"] for condition in crd["status"]["conditions"]}
    assert conditions["Established"] == "True"
    assert conditions["NamesAccepted"] == "True"
    assert conditions.get("NonStructuralSchema", "False") == "False"
