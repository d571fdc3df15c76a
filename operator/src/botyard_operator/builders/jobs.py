"""What Jobs that run foreign code have in common: identity, a restricted pod, tokens, and a network of two places."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from botyard.contract import names
from botyard_operator.builders.deployment import USER
from botyard_operator.builders.pod_security import restricted_container, restricted_pod
from botyard_operator.reconcile.base import JsonObject

KEEP_SECONDS = 1800
"""How long a Job that ended stays, for `kubectl logs`."""


def job_labels(component: str, label: str, owner: str) -> dict[str, str]:
    """Return the labels of a Job's pods.

    Args:
        component: What the Job does.
        label: The label that names for whom.
        owner: For whom.
    """
    return {
        "app.kubernetes.io/name": "botyard",
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/managed-by": "botyard",
        label: owner,
    }


def owned_object(
    api_version: str, kind: str, name: str, *, namespace: str, labels: Mapping[str, str], owner: JsonObject
) -> JsonObject:
    """Return an object without content: identity, labels and the reference to its owner."""
    metadata = {"name": name, "namespace": namespace, "labels": dict(labels), "ownerReferences": [owner]}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def token_secret(obj: JsonObject, entries: Mapping[str, str]) -> JsonObject:
    """Return a Secret with these entries."""
    data = {name: base64.b64encode(value.encode()).decode() for name, value in entries.items()}
    return {**obj, "type": "Opaque", "data": data}


def job_pod(
    *, containers: Sequence[JsonObject], volumes: Sequence[JsonObject], before: Sequence[JsonObject] = ()
) -> JsonObject:
    """Return the spec of a Job's pod: restricted, without a token of the API server, run once.

    Args:
        containers: What it runs.
        volumes: What they mount.
        before: What runs first.
    """
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 5,
        "securityContext": restricted_pod(USER),
        **({"initContainers": list(before)} if before else {}),
        "containers": list(containers),
        "volumes": list(volumes),
    }


def job_container(name: str, args: Sequence[str], *, image: str, pull_policy: str) -> JsonObject:
    """Return a restricted container that mounts nothing yet."""
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": pull_policy,
        "args": list(args),
        "securityContext": restricted_container(),
    }


def only_the_operator(labels: Mapping[str, str], system_namespace: str) -> JsonObject:
    """Return the spec of a NetworkPolicy: nobody in; out to names and to the operator's artifacts alone.

    Args:
        labels: Of the pods that it is for.
        system_namespace: Where the operator runs.
    """
    operator = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": system_namespace}},
        "podSelector": {
            "matchLabels": {"app.kubernetes.io/name": "botyard", "app.kubernetes.io/component": "operator"}
        },
    }
    cluster_dns = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
    return {
        "podSelector": {"matchLabels": dict(labels)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [],
        "egress": [
            {"to": [cluster_dns], "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
            {"to": [operator], "ports": [{"port": names.ARTIFACTS_PORT, "protocol": "TCP"}]},
        ],
    }
