"""The Secrets of a Bot: what the bundle may know, and what only the platform's own containers may."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from botyard.contract import names
from botyard_operator.builders.inputs import BotInputs
from botyard_operator.builders.labels import child, labels, owner_reference
from botyard_operator.reconcile.base import JsonObject


def credentials_secret(inputs: BotInputs) -> JsonObject:
    """Return the Secret with the bundle's own credentials, one entry each."""
    obj = child(inputs, api_version="v1", kind="Secret", name=names.credentials_name(inputs.name))
    obj["type"] = "Opaque"
    if inputs.credentials:
        obj["data"] = {name: _encode(inputs.credentials[name]) for name in sorted(inputs.credentials)}
    return obj


def model_keys_secret(inputs: BotInputs) -> JsonObject | None:
    """Return the Secret with the API keys of the model providers; None where the Bot has no model."""
    if inputs.config.model is None:
        return None
    obj = child(inputs, api_version="v1", kind="Secret", name=names.model_keys_name(inputs.name))
    obj["type"] = "Opaque"
    if inputs.model_keys:
        obj["data"] = {name: _encode(inputs.model_keys[name]) for name in sorted(inputs.model_keys)}
    return obj


def persona_secrets(*, bot: str, uid: str, namespace: str, personas: Mapping[str, bytes]) -> JsonObject:
    """Return the Secret with what a Bot's Personas keep in Secrets.

    Args:
        bot: Name of the Bot.
        uid: Its uid.
        namespace: Its namespace.
        personas: A `PersonaSecrets` as JSON by the Persona's name.
    """
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {
            "name": names.persona_secrets_name(bot),
            "namespace": namespace,
            "labels": labels(bot),
            "ownerReferences": [owner_reference(bot, uid)],
        },
        "data": {f"{name}.json": _encode(personas[name]) for name in sorted(personas)},
    }


def platform_secret(inputs: BotInputs) -> JsonObject:
    """Return the Secret with the Redis URL and the tokens of the artifacts in use."""
    obj = child(inputs, api_version="v1", kind="Secret", name=names.platform_name(inputs.name))
    obj["type"] = "Opaque"
    obj["data"] = {
        names.REDIS_URL_FILE: _encode(inputs.redis_url.encode()),
        **{entry: _encode(inputs.artifact_tokens[entry]) for entry in sorted(inputs.artifact_tokens)},
    }
    return obj


def token_entry(digest: str) -> str:
    """Return the entry of the platform Secret that holds the token for an artifact.

    Args:
        digest: `sha256:…` of the artifact.
    """
    return f"{names.ARTIFACT_TOKEN_FILE}-{digest.removeprefix('sha256:')[:12]}"


def _encode(value: bytes) -> str:
    return base64.b64encode(value).decode()
