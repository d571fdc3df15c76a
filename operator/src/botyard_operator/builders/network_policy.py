"""The NetworkPolicy of a Bot: what its pods may reach, and who may reach them."""

from __future__ import annotations

from urllib.parse import urlsplit

from botyard.contract import names
from botyard_operator.builders.inputs import BotInputs
from botyard_operator.builders.labels import child, selector_labels
from botyard_operator.reconcile.base import JsonObject

_REDIS_PORT = 6379
_SENTINEL_PORT = 26379


def network_policy(inputs: BotInputs) -> JsonObject | None:
    """Return the policy, or None where the installation has switched them off.

    In: the probes' and metrics' port. Out: DNS, the operator's artifact server, and Redis (anywhere: an installation
    may bring its own).
    """
    if not inputs.network_policy:
        return None
    obj = child(inputs, api_version="networking.k8s.io/v1", kind="NetworkPolicy", name=inputs.name)
    operator = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": inputs.system_namespace}},
        "podSelector": {
            "matchLabels": {"app.kubernetes.io/name": "botyard", "app.kubernetes.io/component": "operator"}
        },
    }
    obj["spec"] = {
        "podSelector": {"matchLabels": selector_labels(inputs.name)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"ports": [{"port": names.SUPERVISOR_PORT, "protocol": "TCP"}]}],
        "egress": [
            {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
            {"to": [operator], "ports": [{"port": names.ARTIFACTS_PORT, "protocol": "TCP"}]},
            {"ports": [{"port": port, "protocol": "TCP"} for port in redis_ports(inputs.redis_url)]},
        ],
    }
    return obj


def redis_ports(url: str) -> tuple[int, ...]:
    """Return the TCP ports that a Redis URL leads to, sorted.

    Sentinels name the primary's port only when they are asked: it is taken to be Redis' own.
    """
    parts = urlsplit(url)
    sentinel = parts.scheme == "redis+sentinel"
    ports = {_REDIS_PORT} if sentinel else set()
    for place in parts.netloc.rpartition("@")[2].split(","):
        _, _, text = place.rpartition("]")[2].rpartition(":")
        ports.add(int(text) if text.isdigit() else _SENTINEL_PORT if sentinel else _REDIS_PORT)
    return tuple(sorted(ports))
