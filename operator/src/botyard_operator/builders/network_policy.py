"""The NetworkPolicy of a Bot: what its pods may reach, and who may reach them."""

from __future__ import annotations

from urllib.parse import urlsplit

from botyard.contract import names
from botyard_operator.builders.inputs import BotInputs
from botyard_operator.builders.labels import child, selector_labels
from botyard_operator.reconcile.base import JsonObject

_REDIS_PORT = 6379


def network_policy(inputs: BotInputs) -> JsonObject | None:
    """Return the policy, or None where the installation has switched them off.

    In: the probes' and metrics' port. Out: DNS, the artifact server in the system namespace, and Redis (anywhere: an
    installation may bring its own).
    """
    if not inputs.network_policy:
        return None
    obj = child(inputs, api_version="networking.k8s.io/v1", kind="NetworkPolicy", name=inputs.name)
    system = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": inputs.system_namespace}}}
    obj["spec"] = {
        "podSelector": {"matchLabels": selector_labels(inputs.name)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"ports": [{"port": names.SUPERVISOR_PORT, "protocol": "TCP"}]}],
        "egress": [
            {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
            {"to": [system], "ports": [{"port": names.ARTIFACTS_PORT, "protocol": "TCP"}]},
            {"ports": [{"port": _redis_port(inputs.redis_url), "protocol": "TCP"}]},
        ],
    }
    return obj


def _redis_port(url: str) -> int:
    try:
        return urlsplit(url).port or _REDIS_PORT
    except ValueError:
        return _REDIS_PORT
