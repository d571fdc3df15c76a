"""Labels, owner references and names that all children of a Bot share."""

from __future__ import annotations

from botyard.contract import names
from botyard_operator.builders.inputs import BotInputs
from botyard_operator.reconcile.base import JsonObject

COMPONENT = "bot"


def selector_labels(bot: str) -> dict[str, str]:
    """Return the labels that select a Bot's pods; they can never change for an existing Deployment."""
    return {"app.kubernetes.io/component": COMPONENT, names.LABEL_BOT: bot}


def selector_text(bot: str) -> str:
    """Return `selector_labels` as the scale subresource wants them."""
    return ",".join(f"{label}={value}" for label, value in sorted(selector_labels(bot).items()))


def labels(bot: str) -> dict[str, str]:
    """Return the labels of every child of a Bot."""
    return {
        "app.kubernetes.io/name": "botyard",
        "app.kubernetes.io/instance": bot,
        "app.kubernetes.io/managed-by": "botyard",
        **selector_labels(bot),
    }


def owner_reference(name: str, uid: str, kind: str = "Bot") -> JsonObject:
    """Return the reference that makes a Bot (or an object of another kind of ours) the controller of its child."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": kind,
        "name": name,
        "uid": uid,
        "controller": True,
    }


def child(
    inputs: BotInputs, *, api_version: str, kind: str, name: str, extra_labels: dict[str, str] | None = None
) -> JsonObject:
    """Return a child without content: identity, labels and owner."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": inputs.namespace,
            "labels": {**labels(inputs.name), **(extra_labels or {})},
            "ownerReferences": [owner_reference(inputs.name, inputs.uid)],
        },
    }
