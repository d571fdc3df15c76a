"""The network of Jobs that run foreign code."""

from __future__ import annotations

from collections.abc import Mapping

from botyard.contract import names
from botyard_operator.reconcile.base import JsonObject


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
