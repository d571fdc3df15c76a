"""The ConfigMaps of a Bot: its own configuration and its Personas."""

from __future__ import annotations

from botyard.contract import names
from botyard.contract.persona import PersonaShard
from botyard.contract.prices import PRICES_FILE
from botyard_operator.builders.inputs import BotInputs
from botyard_operator.builders.labels import child, labels, owner_reference
from botyard_operator.reconcile.base import JsonObject


def bot_config_map(inputs: BotInputs) -> JsonObject:
    """Return the ConfigMap that the supervisor reads its configuration from, live."""
    obj = child(inputs, api_version="v1", kind="ConfigMap", name=names.config_map_name(inputs.name))
    obj["data"] = {names.BOT_FILE: inputs.config.to_json()}
    if inputs.prices:
        obj["data"][PRICES_FILE] = inputs.prices
    obj["data"] |= {name: inputs.scripts[name] for name in sorted(inputs.scripts)}
    return obj


def persona_shard(*, bot: str, uid: str, namespace: str, number: int, shard: PersonaShard) -> JsonObject:
    """Return the ConfigMap with one shard of a Bot's Personas."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": names.persona_shard_name(bot, number),
            "namespace": namespace,
            "labels": {**labels(bot), names.LABEL_SHARD: str(number)},
            "ownerReferences": [owner_reference(bot, uid)],
        },
        "data": {names.PERSONAS_FILE: shard.to_json()},
    }
