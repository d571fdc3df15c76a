"""Personas against a real API server: shards, status, and the refresh of running pods."""

import json
from typing import Any

import pytest

from tests.integration.operator.waiting import eventually
from tests.integration.operator.world import World

pytestmark = pytest.mark.usefixtures("operator")


def test_a_persona_reaches_its_bot_and_becomes_ready(world: World) -> None:
    world.ready_bot()
    world.persona("nora", displayName="Nora", setup={"greeting": "Hello", "limit": 7}, maxInProgress=2)
    world.await_condition("Persona", "nora", "Ready", "True", "Succeeded")
    uid = world.get("Persona", "nora")["metadata"]["uid"]  # type: ignore[index]
    assert _shard(world, 0) == [
        {
            "name": "nora",
            "uid": uid,
            "displayName": "Nora",
            "setup": {"greeting": "Hello", "limit": 7},
            "maxInProgress": 2,
        }
    ]
    eventually(
        lambda: world.get("Bot", "repairs")["status"]["personas"] == {"total": 1, "ready": 1},  # type: ignore[index]
        "the Bot counts it",
    )


def test_an_edit_touches_one_shard_and_the_running_pods(world: World) -> None:
    world.ready_bot()
    world.running_pod("repairs-abc")
    world.persona("nora", setup={"greeting": "Hello"})
    world.await_condition("Persona", "nora", "Ready", "True")
    world.settle()
    before = world.refreshed("repairs-abc")
    since = world.server.now()
    world.patch("Persona", "nora", {"spec": {"setup": {"greeting": "Good day"}}})
    eventually(lambda: _shard(world, 0)[0]["setup"] == {"greeting": "Good day"}, "the shard has it")
    eventually(lambda: world.refreshed("repairs-abc") not in (None, before), "the pod is touched")
    world.await_condition("Persona", "nora", "Ready", "True")
    world.settle()
    resources = sorted((write.resource, write.subresource) for write in world.operator_writes(since))
    assert resources == [("configmaps", ""), ("personas", "status"), ("pods", "")]


def test_a_persona_without_its_bot_says_so_and_heals(world: World) -> None:
    world.persona("nora", bot="absent")
    missing = world.await_condition("Persona", "nora", "Ready", "False", "BotNotFound")
    assert "Bot absent does not exist" in missing["message"]
    world.bundle("absent")
    world.bot("absent", "absent")
    world.await_condition("Persona", "nora", "Ready", "False", "BotNotReady")
    world.rolled_out("absent")
    world.await_condition("Persona", "nora", "Ready", "True")


def test_a_persona_of_a_bot_without_loop_says_so_until_it_has_one(world: World) -> None:
    world.ready_bot()
    world.patch("Bundle", "repairs", {"status": {"manifest": {"model": "fsm"}}}, subresource="status")
    world.persona("nora", setup={"greeting": "Hello"})
    told = world.await_condition("Persona", "nora", "WithoutLoop", "True", "BotWithoutLoop")
    assert "Bundle repairs of Bot repairs has the model fsm" in told["message"]
    world.patch("Bundle", "repairs", {"status": {"manifest": {"model": "loop"}}}, subresource="status")
    world.await_condition("Persona", "nora", "WithoutLoop", None)


def test_a_deleted_persona_leaves_the_shard(world: World) -> None:
    world.ready_bot()
    for name in ("nora", "otto"):
        world.persona(name)
        world.await_condition("Persona", name, "Ready", "True")
    world.delete("Persona", "nora")
    eventually(lambda: [entry["name"] for entry in _shard(world, 0)] == ["otto"], "only otto is left")
    eventually(
        lambda: world.get("Bot", "repairs")["status"]["personas"]["total"] == 1,  # type: ignore[index]
        "the Bot counts one",
    )


def test_a_tampered_shard_is_put_back(world: World) -> None:
    world.ready_bot()
    world.persona("nora")
    world.await_condition("Persona", "nora", "Ready", "True")
    world.patch("ConfigMap", "repairs-personas-0", {"data": {"personas.json": "not json"}})
    eventually(lambda: _text(world, 0).startswith("{"), "the shard is JSON again")
    assert [entry["name"] for entry in _shard(world, 0)] == ["nora"]
    world.delete("ConfigMap", "repairs-personas-0")
    world.await_object("ConfigMap", "repairs-personas-0")


def _text(world: World, number: int) -> str:
    config_map = world.get("ConfigMap", f"repairs-personas-{number}")
    return "{}" if config_map is None else str(config_map["data"]["personas.json"])


def _shard(world: World, number: int) -> list[dict[str, Any]]:
    personas: list[dict[str, Any]] = json.loads(_text(world, number)).get("personas", [])
    return personas
