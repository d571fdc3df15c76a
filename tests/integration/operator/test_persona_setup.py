"""A Persona's setup against its bundle's schema, and what of it is kept in Secrets, on a real API server."""

import base64
import json
from typing import Any

import pytest

from tests.integration.operator.waiting import eventually
from tests.integration.operator.world import World

pytestmark = pytest.mark.usefixtures("operator")


def field(name: str, type_: str = "string_short", default: Any = "") -> dict[str, Any]:
    return {"bs_name": name, "bs_type": type_, "bs_default": default, "bs_group": "Main"}


SCHEMA = [field("greeting", default="Hi"), field("limit", "int", 3), field("loud", "bool", False)]


def manifest(world: World, *schema: dict[str, Any]) -> None:
    """Say what the bundle's inspection found."""
    content = {"data": {"manifest.json": json.dumps({"model": "loop", "extra": {"setup": list(schema)}})}}
    if world.get("ConfigMap", "repairs-manifest") is None:
        world.create("ConfigMap", "repairs-manifest", **content)
    else:
        world.patch("ConfigMap", "repairs-manifest", content)


def secret(world: World, name: str, **entries: str) -> None:
    content = {"data": {key: base64.b64encode(value.encode()).decode() for key, value in entries.items()}}
    if world.get("Secret", name) is None:
        world.create("Secret", name, **content)
    else:
        world.patch("Secret", name, content)


def shard(world: World) -> list[dict[str, Any]]:
    config_map = world.get("ConfigMap", "repairs-personas-0") or {"data": {"personas.json": "{}"}}
    found: list[dict[str, Any]] = json.loads(config_map["data"]["personas.json"]).get("personas", [])
    return found


def kept(world: World, persona: str) -> Any:
    found = world.get("Secret", "repairs-persona-secrets") or {}
    value = (found.get("data") or {}).get(f"{persona}.json")
    return None if value is None else json.loads(base64.b64decode(value))


def test_a_setup_that_agrees_with_the_schema_is_valid(world: World) -> None:
    world.ready_bot()
    manifest(world, *SCHEMA)
    world.persona("nora", setup={"greeting": "Hello", "limit": 7})
    valid = world.await_condition("Persona", "nora", "SetupValid", "True", "Succeeded")
    assert "Bundle repairs" in valid["message"]
    world.await_condition("Persona", "nora", "Ready", "True")


def test_a_setup_that_does_not_is_told_key_by_key_and_the_last_good_one_stays(world: World) -> None:
    world.ready_bot()
    manifest(world, *SCHEMA)
    world.persona("nora", setup={"greeting": "Hello"})
    world.await_condition("Persona", "nora", "Ready", "True")
    world.patch("Persona", "nora", {"spec": {"setup": {"greting": "Moin", "loud": "false", "limit": "many"}}})
    stalled = world.await_condition("Persona", "nora", "Stalled", "True", "SetupInvalid")
    for said in (
        "greting is no key of Bundle repairs: did you mean greeting?",
        "'false' is no bool",
        "'many' is no int",
    ):
        assert said in stalled["message"]
    world.await_condition("Persona", "nora", "SetupValid", "False", "SetupInvalid")
    assert world.condition("Persona", "nora", "Ready")["status"] == "True"  # type: ignore[index]
    assert shard(world)[0]["setup"] == {"greeting": "Hello"}
    world.patch("Persona", "nora", {"spec": {"setup": {"greting": None, "loud": False, "limit": 4}}})
    world.await_condition("Persona", "nora", "SetupValid", "True")
    world.await_condition("Persona", "nora", "Stalled", None)


def test_a_new_schema_is_held_against_the_personas_there_are(world: World) -> None:
    world.ready_bot()
    manifest(world, *SCHEMA)
    world.persona("nora", setup={"greeting": "Hello"})
    world.await_condition("Persona", "nora", "SetupValid", "True")
    manifest(world, *SCHEMA, field("API_KEY", "string_long", None))
    missing = world.await_condition("Persona", "nora", "SetupValid", "False", "SetupInvalid")
    assert "API_KEY is missing" in missing["message"]


def test_a_value_from_a_secret_reaches_the_pods_and_nothing_that_others_read(world: World) -> None:
    world.ready_bot()
    manifest(world, *SCHEMA, field("API_KEY", "string_long", None))
    reference = [{"key": "API_KEY", "secretKeyRef": {"name": "crm", "key": "token"}}]
    world.persona("nora", setupFrom=reference, mongo={"secretRef": {"name": "mongo"}})
    absent = world.await_condition("Persona", "nora", "Ready", "False", "ReferenceNotFound")
    assert "Secret crm of setup key API_KEY does not exist" in absent["message"]
    secret(world, "crm", other="x")
    lacking = world.await_condition("Persona", "nora", "Ready", "False", "ReferenceInvalid")
    assert "no entry token (it has other)" in lacking["message"]
    secret(world, "crm", token="s3cret-token")
    secret(world, "mongo", uri="mongodb://user:s3cret@db")
    world.await_condition("Persona", "nora", "Ready", "True")
    assert kept(world, "nora") == {"setup": {"API_KEY": "s3cret-token"}, "mongo": "mongodb://user:s3cret@db"}
    for kind, name in (("Persona", "nora"), ("ConfigMap", "repairs-personas-0"), ("Deployment", "repairs")):
        assert "s3cret" not in json.dumps(world.get(kind, name))


def test_the_address_of_the_database_is_kept_and_a_changed_one_follows(world: World) -> None:
    world.ready_bot()
    world.persona("nora", erp={"connectionSecretRef": {"name": "crm-database"}})
    absent = world.await_condition("Persona", "nora", "Ready", "False", "ReferenceNotFound")
    assert "Secret crm-database of spec.erp.connectionSecretRef does not exist" in absent["message"]
    secret(world, "crm-database", uri="mysql://nora:s3cret@db/shop")
    wrong = world.await_condition("Persona", "nora", "Ready", "False", "ReferenceInvalid")
    assert "write postgresql://role:password@host/db" in wrong["message"]
    for password in ("s3cret", "s3cret-too"):
        address = f"postgresql://nora:{password}@db/shop"
        secret(world, "crm-database", uri=address)
        world.await_condition("Persona", "nora", "Ready", "True")
        eventually(lambda address=address: kept(world, "nora")["database"] == address, "the pods' Secret has it")
    for kind, name in (("Persona", "nora"), ("ConfigMap", "repairs-personas-0"), ("Deployment", "repairs")):
        assert "s3cret" not in json.dumps(world.get(kind, name))


def test_a_secret_that_changes_is_in_force_without_a_new_pod(world: World) -> None:
    world.ready_bot()
    world.running_pod("repairs-abc")
    secret(world, "crm", token="old")
    world.persona("nora", setupFrom=[{"key": "API_KEY", "secretKeyRef": {"name": "crm", "key": "token"}}])
    world.await_condition("Persona", "nora", "Ready", "True")
    world.settle()
    before, template = world.refreshed("repairs-abc"), world.get("Deployment", "repairs")["spec"]  # type: ignore[index]
    secret(world, "crm", token="new")
    eventually(lambda: kept(world, "nora")["setup"] == {"API_KEY": "new"}, "the pods' Secret has it")
    eventually(lambda: world.refreshed("repairs-abc") not in (None, before), "the pod is touched")
    assert world.get("Deployment", "repairs")["spec"] == template  # type: ignore[index]


def test_a_deleted_persona_leaves_no_secret_behind(world: World) -> None:
    world.ready_bot()
    secret(world, "crm", token="old")
    for name in ("nora", "otto"):
        world.persona(name, setupFrom=[{"key": "API_KEY", "secretKeyRef": {"name": "crm", "key": "token"}}])
        world.await_condition("Persona", name, "Ready", "True")
    world.delete("Persona", "nora")
    eventually(lambda: kept(world, "nora") is None and kept(world, "otto") is not None, "only otto's is left")
