"""The NetworkPolicy of a Bot: what its pods may reach, and who may reach them."""

from __future__ import annotations

from urllib.parse import urlsplit

from botyard.contract import names
from botyard.contract.model import ModelConfig
from botyard_operator.builders.inputs import BotInputs
from botyard_operator.builders.labels import child, selector_labels
from botyard_operator.reconcile.base import JsonObject

_REDIS_PORT = 6379
_SENTINEL_PORT = 26379
_SCHEME_PORTS = {"https": 443, "http": 80}


def network_policy(inputs: BotInputs) -> JsonObject | None:
    """Return the policy, or None where the installation has switched them off.

    In: the probes' and metrics' port. Out: DNS, the operator's artifact server, and the ports of Redis, of the declared
    model providers and of the collector of traces (anywhere: policies know no host names, and an installation may bring
    its own).
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
    if models := model_ports(inputs.config.model):
        obj["spec"]["egress"].append({"ports": [{"port": port, "protocol": "TCP"} for port in models]})
    if inputs.tracing is not None:
        obj["spec"]["egress"].append({"ports": [{"port": _port(inputs.tracing.endpoint), "protocol": "TCP"}]})
    return obj


def model_ports(config: ModelConfig | None) -> tuple[int, ...]:
    """Return the TCP ports of the declared model providers, sorted; scripts need none."""
    ports = set()
    for target in config.targets() if config is not None else ():
        if target.provider == "openai":
            ports.add(_port(target.endpoint or "https://"))
    return tuple(sorted(ports))


def _port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or _SCHEME_PORTS[parts.scheme]


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
