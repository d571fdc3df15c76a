"""Which Secrets, ConfigMaps, Bundles and Bots a spec refers to, so that a change of those reconciles what uses them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botyard_operator.reconcile.base import JsonObject, Key

_FREE_FORM = frozenset({"config", "setup", "podTemplate", "resources", "files"})
"""Fields whose content is the user's own and names nothing of the cluster."""

_TARGETS = {
    "secretRef": "Secret",
    "connectionSecretRef": "Secret",
    "secretKeyRef": "Secret",
    "indexSecretRef": "Secret",
    "configMapRef": "ConfigMap",
    "configMapKeyRef": "ConfigMap",
    "bundleRef": "Bundle",
    "botRef": "Bot",
}


def references(obj: JsonObject) -> frozenset[Key]:
    """Return the keys that the spec of a Bundle, Bot or Persona refers to.

    A reference names its target's namespace where the kind allows that (`bundleRef`); else it means the object's own.
    """
    namespace = obj.get("metadata", {}).get("namespace", "")
    return frozenset(_walk(obj.get("spec") or {}, namespace))


def _walk(value: Any, namespace: str) -> Iterator[Key]:
    if isinstance(value, dict):
        for field, inner in value.items():
            if field in _FREE_FORM:
                continue
            kind = _TARGETS.get(field)
            if kind is not None and isinstance(inner, dict) and isinstance(inner.get("name"), str):
                other = inner.get("namespace") if kind == "Bundle" else None
                yield Key(kind, other or namespace, inner["name"])
            else:
                yield from _walk(inner, namespace)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner, namespace)
