"""A Persona's ERP subscriptions on a real API server: into the gateway's table, or told why not."""

import json
from typing import Any

import pytest

from tests.integration.operator.process import SYSTEM_NAMESPACE
from tests.integration.operator.waiting import eventually
from tests.integration.operator.world import World

pytestmark = pytest.mark.usefixtures("operator")

GERMANS = {"table": "crm_contact", "actions": ["INSERT"], "where": ["contact_country:=:DE"]}


def erp(*subscriptions: dict[str, Any]) -> dict[str, Any]:
    return {"subscriptions": list(subscriptions)}


def routed(world: World) -> list[dict[str, Any]]:
    """The subscriptions of Bot repairs in the gateway's table."""
    table = world.get("ConfigMap", "botyard-routes", SYSTEM_NAMESPACE) or {"data": {"routes.json": "{}"}}
    routes = json.loads(table["data"]["routes.json"]).get("routes", [])
    here = [route for route in routes if (route["namespace"], route["name"]) == (world.namespace, "repairs")]
    return list(here[0].get("subscriptions", [])) if here else []


def test_equal_wishes_of_several_personas_are_routed_together(world: World) -> None:
    world.ready_bot()
    for name in ("nora", "otto"):
        world.persona(name, erp=erp(GERMANS))
    for name in ("nora", "otto"):
        world.await_condition("Persona", name, "Subscribed", "True", "Succeeded")
    (wish,) = routed(world)
    assert (wish["table"], wish["where"], wish["personas"]) == ("crm_contact", GERMANS["where"], ["nora", "otto"])


def test_an_edit_is_routed_and_none_is_left_where_there_is_no_wish(world: World) -> None:
    world.ready_bot()
    world.persona("nora", erp=erp(GERMANS))
    world.await_condition("Persona", "nora", "Subscribed", "True")
    world.patch("Persona", "nora", {"spec": {"erp": erp({"table": "crm_deal"})}})
    eventually(lambda: [wish["table"] for wish in routed(world)] == ["crm_deal"], "the new wish is routed")
    told = world.await_condition("Persona", "nora", "Subscribed", "True")
    eventually(
        lambda: "crm_deal" in world.condition("Persona", "nora", "Subscribed")["message"],  # type: ignore[index]
        f"the condition tells of it: {told}",
    )
    world.patch("Persona", "nora", {"spec": {"erp": erp()}})
    eventually(lambda: routed(world) == [], "nothing is routed")
    eventually(lambda: world.condition("Persona", "nora", "Subscribed") is None, "there is nothing to tell")
    world.delete("Persona", "nora")


@pytest.mark.parametrize(
    ("subscription", "says"),
    [
        pytest.param({"table": "crm_contacts"}, "did you mean crm_contact?", id="table"),
        pytest.param({"table": "crm_deal", "where": ["deal_value:>"]}, "> needs a value", id="filter"),
    ],
)
def test_what_makes_no_sense_is_told_and_the_last_good_wish_stays(
    world: World, subscription: dict[str, Any], says: str
) -> None:
    world.ready_bot()
    world.persona("nora", erp=erp(GERMANS))
    world.await_condition("Persona", "nora", "Subscribed", "True")
    world.patch("Persona", "nora", {"spec": {"erp": erp(GERMANS, subscription)}})
    stalled = world.await_condition("Persona", "nora", "Stalled", "True", "SubscriptionInvalid")
    assert "spec.erp.subscriptions[1]" in stalled["message"]
    assert says in stalled["message"]
    told = world.await_condition("Persona", "nora", "Subscribed", "False", "SubscriptionInvalid")
    assert "the last good subscriptions stay in force" in told["message"]
    assert world.condition("Persona", "nora", "Ready")["status"] == "True"  # type: ignore[index]
    assert [wish["table"] for wish in routed(world)] == ["crm_contact"]
    world.patch("Persona", "nora", {"spec": {"erp": erp({"table": "crm_deal"})}})
    eventually(lambda: [wish["table"] for wish in routed(world)] == ["crm_deal"], "the mended wish is routed")


def test_a_persona_that_leaves_it_to_its_bundle_hears_of_the_tables_that_it_names(world: World) -> None:
    world.ready_bot()
    manifest = {"model": "loop", "erpTables": ["crm_deal", "our_own"]}
    world.patch("Bundle", "repairs", {"status": {"manifest": manifest}}, subresource="status")
    world.persona("nora")
    eventually(lambda: [wish["table"] for wish in routed(world)] == ["crm_deal", "our_own"], "both are routed")
    world.await_condition("Persona", "nora", "Subscribed", "True")
    world.persona("otto", erp=erp({"table": "our_own"}))
    world.await_condition("Persona", "otto", "Subscribed", "True")
