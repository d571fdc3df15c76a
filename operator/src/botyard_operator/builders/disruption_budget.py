"""The PodDisruptionBudget of a Bot with more than one replica."""

from __future__ import annotations

from botyard_operator.builders.inputs import BotInputs
from botyard_operator.builders.labels import child, selector_labels
from botyard_operator.reconcile.base import JsonObject


def disruption_budget(inputs: BotInputs) -> JsonObject | None:
    """Return the budget, or None for a single replica, where it would only block the draining of nodes."""
    if inputs.replicas < 2:
        return None
    obj = child(inputs, api_version="policy/v1", kind="PodDisruptionBudget", name=inputs.name)
    obj["spec"] = {
        "maxUnavailable": 1,
        "selector": {"matchLabels": selector_labels(inputs.name)},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    return obj
