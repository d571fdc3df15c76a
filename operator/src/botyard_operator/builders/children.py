"""All children of a Bot together, in the order in which they are applied."""

from __future__ import annotations

import hashlib
import json

from botyard_operator.annotations import APPLIED
from botyard_operator.builders.config_map import bot_config_map
from botyard_operator.builders.deployment import deployment
from botyard_operator.builders.disruption_budget import disruption_budget
from botyard_operator.builders.inputs import BotInputs
from botyard_operator.builders.network_policy import network_policy
from botyard_operator.builders.secret import credentials_secret, model_keys_secret, platform_secret
from botyard_operator.builders.service import service
from botyard_operator.reconcile.base import JsonObject


def children(inputs: BotInputs) -> list[JsonObject]:
    """Return what a Bot should have, what the pods mount before the Deployment (Personas come from elsewhere)."""
    wanted = [
        bot_config_map(inputs),
        credentials_secret(inputs),
        model_keys_secret(inputs),
        platform_secret(inputs),
        network_policy(inputs),
        disruption_budget(inputs),
        service(inputs),
        deployment(inputs),
    ]
    return [stamped(obj) for obj in wanted if obj is not None]


def stamped(obj: JsonObject) -> JsonObject:
    """Return `obj` with the annotation that names its own digest."""
    text = json.dumps(obj, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    metadata = obj["metadata"]
    marked = {**(metadata.get("annotations") or {}), APPLIED: digest}
    return {**obj, "metadata": {**metadata, "annotations": marked}}
