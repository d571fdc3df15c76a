"""The Service of a Bot: its pods' probes and metrics under one name."""

from __future__ import annotations

from botyard.contract import names
from botyard_operator.builders.inputs import BotInputs
from botyard_operator.builders.labels import child, selector_labels
from botyard_operator.reconcile.base import JsonObject


def service(inputs: BotInputs) -> JsonObject:
    """Return the headless Service; turns travel through Redis, so there is nothing to balance."""
    obj = child(inputs, api_version="v1", kind="Service", name=inputs.name)
    obj["spec"] = {
        "clusterIP": "None",
        "selector": selector_labels(inputs.name),
        "ports": [
            {
                "name": "http",
                "port": names.SUPERVISOR_PORT,
                "targetPort": "http",
                "protocol": "TCP",
            }
        ],
    }
    return obj
