"""What the schema admits at its edges: longest names, largest configs, deletions in every order, ending namespaces."""

import itertools
import json

import pytest

from tests.integration.operator.process import SYSTEM_NAMESPACE, OperatorProcess
from tests.integration.operator.waiting import eventually
from tests.integration.operator.world import World

pytestmark = pytest.mark.usefixtures("operator")

LONGEST_BOT = "b" * 50
LONGEST_PERSONA = "p" * 63
LONGEST_BUNDLE = "u" * 50
KIBIBYTE = 1024


def test_the_longest_names_make_children_with_names_that_fit(world: World) -> None:
    world.bundle(LONGEST_BUNDLE)
    world.bot(LONGEST_BOT, LONGEST_BUNDLE)
    world.await_object("Deployment", LONGEST_BOT)
    world.rolled_out(LONGEST_BOT)
    world.await_condition("Bot", LONGEST_BOT, "Ready", "True")
    world.persona(LONGEST_PERSONA, bot=LONGEST_BOT)
    world.await_condition("Persona", LONGEST_PERSONA, "Ready", "True")


def test_a_config_below_the_limit_of_a_config_map_is_taken(world: World) -> None:
    world.ready_bot(config={"text": "x" * 900 * KIBIBYTE})
    data = world.await_object("ConfigMap", "repairs-bot")["data"]
    assert len(data["bot.json"]) > 900 * KIBIBYTE


def test_a_config_that_no_config_map_holds_stalls_until_it_is_smaller(world: World) -> None:
    world.ready_bot(config={"text": "small"})
    world.patch("Bot", "repairs", {"spec": {"config": {"text": "x" * 1100 * KIBIBYTE}}})
    stalled = world.await_condition("Bot", "repairs", "Stalled", "True")
    assert "1048576" in stalled["message"]
    assert world.condition("Bot", "repairs", "Ready")["status"] == "True"  # type: ignore[index]
    assert "small" in world.await_object("ConfigMap", "repairs-bot")["data"]["bot.json"]
    world.patch("Bot", "repairs", {"spec": {"config": {"text": "smaller"}}})
    world.await_condition("Bot", "repairs", "Stalled", None)
    eventually(
        lambda: "smaller" in world.await_object("ConfigMap", "repairs-bot")["data"]["bot.json"], "the edit is in force"
    )


def test_deleted_in_any_order_nothing_of_it_stays(world: World, operator: OperatorProcess) -> None:
    orders = dict(enumerate(itertools.permutations(("Bundle", "Bot", "Persona"))))
    for number in orders:
        world.bundle(f"bot-{number}")
        world.bot(f"bot-{number}", f"bot-{number}")
        world.persona(f"nora-{number}", bot=f"bot-{number}")
    for number in orders:
        world.await_object("Deployment", f"bot-{number}")
        world.rolled_out(f"bot-{number}")
    for number in orders:
        world.await_condition("Persona", f"nora-{number}", "Ready", "True")
    for number, order in orders.items():
        for kind in order:
            name = f"nora-{number}" if kind == "Persona" else f"bot-{number}"
            world.delete(kind, name)
            assert world.get(kind, name) is None, "no finalizer holds it"

    def routed() -> str:
        tables = world.client.request("GET", f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/configmaps")["items"]
        return json.dumps([table.get("data") for table in tables])

    eventually(lambda: world.namespace not in routed(), "no route leads here any more")
    world.settle()
    assert operator.alive()
    assert "Traceback" not in operator.log.read_text()


def test_in_a_namespace_that_ends_nothing_is_made_anew(world: World, operator: OperatorProcess) -> None:
    world.ready_bot()
    world.client.request("DELETE", f"/api/v1/namespaces/{world.namespace}")
    world.delete("Service", "repairs")
    # The server refuses new objects there; what is tried again is tried ever more rarely.
    assert len(world.writes_within(5.0)) < 10
    assert world.get("Service", "repairs") is None
    assert operator.alive()
    assert "Traceback" not in operator.log.read_text()
