"""`spec.model`: what it refers to reaches the supervisor, and what is missing is named."""

import base64
import json
from typing import Any

import pytest

from tests.unit.operator.reconcile.offline import Space

Object = dict[str, Any]
SCRIPT = "rules:\n- reply: {text: hello}\n"
MODEL = {
    "name": "small",
    "secretRef": {"name": "llm", "key": "apiKey"},
    "roles": {
        "solver": {"name": "large"},
        "local": {"endpoint": "http://llm.models:8000/v1"},
        "offline": {"provider": "scripted", "script": {"configMapRef": {"name": "script"}}},
    },
}


def space(model: Object) -> Space:
    """A Bot with this model beside the Secret `llm` and the ConfigMap `script`."""
    made = Space(1)
    made.hold("Secret", "llm", stringData={"apiKey": "sk-1\n", "empty": " "})
    made.hold("ConfigMap", "script", data={"script.yaml": SCRIPT})
    made.edit(model=model)
    made.reconcile()
    return made


def config(made: Space) -> Object:
    model: Object = json.loads(made.get("ConfigMap", "clerk-bot")["data"]["bot.json"])["model"]
    return model


def test_models_and_roles_reach_the_configuration_and_keys_and_scripts_lie_where_it_says() -> None:
    made = space(MODEL)
    found = config(made)
    roles = found.pop("roles")
    assert roles["solver"] == {**found, "name": "large"}
    assert roles["local"] == {"name": "small", "endpoint": "http://llm.models:8000/v1"}, "without the other's key"
    assert "name" not in roles["offline"], "a script is not charged as the model"
    keys = made.get("Secret", "clerk-model")["data"]
    assert {name: base64.b64decode(value) for name, value in keys.items()} == {found["key"]: b"sk-1"}
    assert made.get("ConfigMap", "clerk-bot")["data"][roles["offline"]["script"]] == SCRIPT
    ports = [port["port"] for rule in made.get("NetworkPolicy", "clerk")["spec"]["egress"] for port in rule["ports"]]
    assert {443, 8000} <= set(ports)


def test_a_model_that_is_taken_away_takes_its_keys_along() -> None:
    made = space(MODEL)
    made.edit(model=None)
    made.reconcile()
    assert ("Secret", "clerk-model") not in made
    assert ("Secret", "clerk-credentials") in made
    assert list(made.get("ConfigMap", "clerk-bot")["data"]) == ["bot.json"]


@pytest.mark.parametrize(
    ("model", "reason", "told"),
    [
        (
            {"name": "small", "secretRef": {"name": "absent", "key": "k"}},
            "ReferenceNotFound",
            "Secret absent of spec.model does not exist in namespace shop: create it",
        ),
        (
            {"name": "small", "secretRef": {"name": "llm", "key": "k"}},
            "ReferenceInvalid",
            "Secret llm of spec.model has no entry k (it has apiKey, empty): "
            "add the entry or correct spec.model.secretRef",
        ),
        ({"name": "small", "secretRef": {"name": "llm", "key": "empty"}}, "ReferenceInvalid", "is no API key"),
        (
            {"provider": "scripted", "script": {"configMapRef": {"name": "absent"}}},
            "ReferenceNotFound",
            "ConfigMap absent of spec.model does not exist",
        ),
        (
            {"name": "small", "endpoint": "http://llm", "roles": {"a": {"secretRef": {"name": "x", "key": "k"}}}},
            "ReferenceNotFound",
            "Secret x of spec.model.roles.a does not exist",
        ),
        (
            {
                "provider": "scripted",
                "script": {"configMapRef": {"name": "script"}},
                "roles": {"a": {"provider": "openai", "endpoint": "http://llm"}},
            },
            "InvalidSpec",
            "spec.model.roles.a needs name",
        ),
        (
            {
                "name": "small",
                "endpoint": "http://llm",
                "roles": {"a": {"script": {"configMapRef": {"name": "script"}}}},
            },
            "InvalidSpec",
            "spec.model.roles.a.script is read by provider scripted only",
        ),
    ],
    ids=["no Secret", "no entry", "no key", "no ConfigMap", "no Secret of a role", "no name", "script unread"],
)
def test_what_is_missing_is_named(model: Object, reason: str, told: str) -> None:
    found = space(model).condition("Ready") or {}
    assert found["reason"] == reason
    assert told in found["message"]


def test_scripts_that_are_too_large_together_are_told() -> None:
    made = space({"provider": "scripted", "script": {"configMapRef": {"name": "script"}}})
    made.hold("ConfigMap", "script", data={"script.yaml": "#" * (512 * 1024 + 1)})
    made.reconcile()
    assert "the scripts of spec.model have 524289 bytes" in (made.condition("Ready") or {})["message"]
